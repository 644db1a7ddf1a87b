//! `[repository]`: where backups are kept.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use engine::check::Sample;
use engine::store::{Key, S3Config, StoreConfig, is_segment};
use percent_encoding::percent_decode_str;
use url::Url;

use super::keys;
use super::secrets::{self, SecretKeys};
use super::section::{Reported, Section};
use super::show::Supplied;
use super::surroundings::Surroundings;
use super::value::{Raw, Refusal, Value};

const SECRET: SecretKeys = SecretKeys { value: "secret_access_key", file: "secret_access_key_file" };

/// Reads the section.
pub(super) fn read(section: &Section<'_>) -> Result<StoreConfig, Reported> {
    match section.required::<Location>("url") {
        Ok(Location::Local(path)) => refuse_s3_keys(section).map(|()| StoreConfig::Local { path }),
        Ok(Location::S3 { bucket, prefix }) => read_s3(section, bucket, prefix).map(StoreConfig::S3),
        Err(reported) => {
            // With a wrong URL the kind of repository is unknown, but the other keys can only be
            // for S3.
            let _ = read_s3(section, String::new(), String::new());
            Err(reported)
        }
    }
}

fn refuse_s3_keys(section: &Section<'_>) -> Result<(), Reported> {
    let mut refused = Ok(());
    for key in keys::S3.iter().filter(|key| section.has(key.name)) {
        refused = Err(section.refuse(key.name, "this key is only for S3 repositories, and `url` is a folder"));
    }
    refused
}

fn read_s3(section: &Section<'_>, bucket: String, prefix: String) -> Result<S3Config, Reported> {
    let endpoint = section.optional::<Endpoint>("endpoint");
    let region = section.optional("region");
    let path_style = section.optional("path_style");
    let access_key_id = section.optional::<String>("access_key_id");
    let secret_access_key = secrets::read(section, SECRET);
    let cache_dir = section.optional::<CacheDir>("cache_dir");
    let part_size = section.optional::<PartSize>("part_size");
    let both_or_neither = match (section.has("access_key_id"), section.has(SECRET.value) || section.has(SECRET.file)) {
        (true, false) => {
            Err(section.missing(SECRET.value, "`secret_access_key` is missing: `access_key_id` needs it".into()))
        }
        (false, true) => {
            Err(section.missing("access_key_id", "`access_key_id` is missing: the secret key needs it".into()))
        }
        _ => Ok(()),
    };
    both_or_neither?;
    Ok(S3Config {
        bucket,
        prefix,
        endpoint: endpoint?.map(|endpoint| endpoint.0),
        region: region?,
        path_style: path_style?,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        cache_dir: match cache_dir? {
            Some(CacheDir(folder)) => folder,
            None => {
                let folder = default_cache_dir(section.source.surroundings);
                if let Some(folder) = &folder {
                    section.supply("cache_dir", Supplied::default(folder.display().to_string()));
                }
                folder
            }
        },
        part_size: part_size?.map(|size| size.0),
    })
}

/// Returns the folder of the cache; `None` if neither the environment nor a home sets one.
fn default_cache_dir(surroundings: &Surroundings) -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = (surroundings.variable)(name)?;
        // systemd joins several by colons.
        let first = value.as_bytes().split(|byte| *byte == b':').next()?;
        // Relative ones are to be ignored, as the XDG Base Directory Specification has it.
        Some(PathBuf::from(OsString::from_vec(first.to_vec()))).filter(|path| path.is_absolute())
    };
    folder("CACHE_DIRECTORY")
        .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("odoo-backup")))
        .or_else(|| Some(surroundings.home.as_ref()?.join(".cache/odoo-backup")))
}

/// A folder, or none.
struct CacheDir(Option<PathBuf>);

impl Value for CacheDir {
    const EXPECTED: &'static str = "a path in quotes, or false";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        match raw.value.as_bool() {
            Some(false) => Ok(Self(None)),
            Some(true) => Err(format!("expected {}", Self::EXPECTED).into()),
            None => PathBuf::read(raw).map(|folder| Self(Some(folder))),
        }
    }

    fn shown(&self) -> Option<String> {
        self.0.as_ref().and_then(Value::shown)
    }
}

/// Bytes of a part.
struct PartSize(usize);

impl Value for PartSize {
    const EXPECTED: &'static str = "a size in quotes, from \"5MiB\" to \"4GiB\"";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        const SIZES: std::ops::RangeInclusive<u64> = 5 << 20..=4 << 30;
        match String::read(raw)?.parse() {
            Ok(Sample::Bytes(size)) if SIZES.contains(&size) => Ok(Self(usize::try_from(size).unwrap_or(usize::MAX))),
            _ => Err(format!("expected {}", Self::EXPECTED).into()),
        }
    }
}

/// What `url` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    Local(PathBuf),
    S3 { bucket: String, prefix: String },
}

impl Value for Location {
    const EXPECTED: &'static str = "a URL in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        if let Some(rest) = text.strip_prefix("s3://") {
            return s3_location(rest);
        }
        if let Some(rest) = text.strip_prefix("file://") {
            return local_path(rest.strip_prefix("localhost").unwrap_or(rest)).map(Self::Local);
        }
        Err(unknown_scheme(&text))
    }
}

fn unknown_scheme(text: &str) -> Refusal {
    let expected = "expected `file:///folder` or `s3://bucket/prefix`";
    match text.split_once("://") {
        Some(("http" | "https", _)) => format!("{expected}; the address of an S3 server goes into `endpoint`").into(),
        // What follows the scheme may be a password.
        Some((scheme, _)) => format!("{expected}, found {:?}", format!("{scheme}://…")).into(),
        None if text.starts_with('/') => {
            Refusal { message: expected.into(), suggestion: Some(format!("file://{text}")) }
        }
        None => expected.into(),
    }
}

/// Returns the path of a `file` URL: absolute, `%20` and its like decoded, everything else as it
/// stands.
fn local_path(encoded: &str) -> Result<PathBuf, Refusal> {
    if !encoded.starts_with('/') {
        return Err("a `file` URL needs an absolute path, with three slashes: `file:///var/lib/odoo-backup`".into());
    }
    let is_escape = |rest: &str| rest.as_bytes().get(1..3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if encoded.match_indices('%').any(|(at, _)| !is_escape(&encoded[at..])) {
        return Err("`%` must be followed by two hexadecimal digits; write `%25` for a percent sign".into());
    }
    let decoded: Vec<u8> = percent_decode_str(encoded).collect();
    if decoded.contains(&0) {
        return Err("the path contains a NUL character".into());
    }
    let path = PathBuf::from(OsString::from_vec(decoded));
    if path.parent().is_none() {
        return Err("the root folder cannot be a repository; set a folder in it".into());
    }
    // Taken apart and put together again: without slashes at its end or twice in the middle.
    Ok(path.components().collect())
}

fn s3_location(rest: &str) -> Result<Location, Refusal> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err("the bucket's name is missing: `s3://bucket/prefix`".into());
    }
    if bucket.contains('@') {
        return Err("credentials do not belong in the URL; use `access_key_id` and `secret_access_key`".into());
    }
    if !is_segment(bucket) {
        return Err(format!("{bucket:?} is not a valid name of a bucket").into());
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() && Key::new(prefix).is_err() {
        return Err(format!(
            "{prefix:?} is not a valid prefix: use parts of letters, digits, `-`, `_` and `.`, separated by `/`, and start no part with `.`"
        )
        .into());
    }
    Ok(Location::S3 { bucket: bucket.into(), prefix: prefix.into() })
}

/// The address of an S3 server, without a slash at its end.
struct Endpoint(String);

impl Value for Endpoint {
    const EXPECTED: &'static str = "a URL in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.ok_or("expected a URL like `https://s3.example.com` or `http://127.0.0.1:9000`")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("credentials do not belong in the URL; use `access_key_id` and `secret_access_key`".into());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("expected only the address of the server, without `?` and `#`".into());
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, local_path, s3_location};

    #[test]
    fn file_url_with_escapes_is_decoded() {
        for (text, path) in [
            ("/var/lib/odoo-backup", "/var/lib/odoo-backup"),
            ("/var/lib/odoo-backup//", "/var/lib/odoo-backup"),
            ("/mnt/my disk", "/mnt/my disk"),
            ("/mnt/my%20disk", "/mnt/my disk"),
            ("/mnt/100%25?#", "/mnt/100%?#"),
            ("/mnt/%C3%A9t%c3%a9", "/mnt/été"),
        ] {
            assert_eq!(local_path(text).unwrap().to_str(), Some(path), "{text}");
        }
        for text in ["", "var/lib", "server/share", "/", "//", "/a%", "/a%2", "/a%zz", "/a%00"] {
            assert!(local_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn s3_url_has_bucket_and_prefix() {
        for (text, bucket, prefix) in [
            ("bucket", "bucket", ""),
            ("bucket/", "bucket", ""),
            ("my.bucket/odoo", "my.bucket", "odoo"),
            ("bucket/deep/er/", "bucket", "deep/er"),
        ] {
            let expected = Location::S3 { bucket: bucket.into(), prefix: prefix.into() };
            assert_eq!(s3_location(text).unwrap(), expected, "{text}");
        }
        for text in
            ["", "/prefix", "key:secret@bucket", "bücket", "bucket//a", "bucket/../a", "bucket/a b", "bucket/.hidden"]
        {
            assert!(s3_location(text).is_err(), "{text}");
        }
    }
}
