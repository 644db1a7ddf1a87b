//! The page: files in the program itself, so that no part of it comes from elsewhere.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

struct File {
    /// Its path below `assets/`, which is also its address.
    name: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(File { name: $name, bytes: include_bytes!(concat!("../../assets/", $name)) }),*]
    };
}

const FILES: &[File] = files![
    "index.html",
    "parts.css",
    "style.css",
    "icon.svg",
    "api.js",
    "app.js",
    "events.js",
    "format.js",
    "html.js",
    "keys.js",
    "state.js",
    "store.js",
    "time.js",
    "worker.js",
    "pages/backup.js",
    "pages/instance.js",
    "pages/overview.js",
    "pages/repositories.js",
    "pages/run.js",
    "pages/runs.js",
    "pages/sign-in.js",
    "parts/attachments.js",
    "parts/backups.js",
    "parts/basic.js",
    "parts/calendar.js",
    "parts/cards.js",
    "parts/chart.js",
    "parts/dialog.js",
    "parts/download.js",
    "parts/instances.js",
    "parts/log.js",
    "parts/phases.js",
    "parts/problems.js",
    "parts/restore.js",
    "parts/retention.js",
    "parts/run.js",
    "parts/table.js",
    "parts/targets.js",
    "vendor/hooks.js",
    "vendor/htm.js",
    "vendor/preact.js",
];

impl File {
    /// Returns where it is served.
    fn address(&self) -> String {
        if self.name == "index.html" { "/".to_owned() } else { format!("/{}", self.name) }
    }

    fn kind(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        }
    }
}

/// Serves the files. A browser asks each time whether its copy is current, because the next version
/// has other files.
pub(super) fn page<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES.iter().fold(Router::new(), |router, file| {
        let digest = Sha256::digest(file.bytes);
        let tag = format!("\"{}\"", digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<String>());
        let answer = async move |headers: HeaderMap| -> Response {
            let has_it = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
            let headers = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "no-cache")];
            match has_it {
                true => (StatusCode::NOT_MODIFIED, headers).into_response(),
                false => (headers, [(header::CONTENT_TYPE, file.kind())], file.bytes).into_response(),
            }
        };
        router.route(&file.address(), get(answer))
    })
}

/// Returns the scripts of the page itself, with their names.
#[cfg(test)]
pub(super) fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = FILES.iter().filter(|file| file.name.ends_with(".js") && !file.name.starts_with("vendor/"));
    own.map(|file| (file.name, std::str::from_utf8(file.bytes).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::FILES;

    /// Collects the files of a folder and of those in it, without the licences.
    fn collect(folder: &Path, below: &str, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &format!("{name}/"), names);
            } else if !name.starts_with("vendor/LICENSE-") {
                names.insert(name);
            }
        }
    }

    #[test]
    fn every_page_file_is_served() {
        let mut names = BTreeSet::new();
        collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/assets")), "", &mut names);
        assert_eq!(names, FILES.iter().map(|file| file.name.to_owned()).collect());
    }

    /// A browser would find one module after the other, and wait for each.
    #[test]
    fn every_module_is_preloaded() {
        let html = FILES.iter().find(|file| file.name == "index.html").unwrap();
        let html = std::str::from_utf8(html.bytes).unwrap();
        for file in FILES.iter().filter(|file| file.name.ends_with(".js") && file.name != "worker.js") {
            assert!(html.contains(&format!("=\"/{}\"", file.name)), "{} is not preloaded", file.name);
        }
    }
}
