//! Reads a volume's tar archive in little memory, whatever the archive claims.

use std::cell::Cell;
use std::io::{self, Read};

use super::FilestoreError;
use super::unpack::{LONGEST_PATH, check_path};

/// A file in an archive.
pub(super) struct Member {
    /// Its path, already checked.
    pub(super) path: String,
    /// Its length in bytes.
    pub(super) size: u64,
    /// When it was last modified, in seconds since 1970.
    pub(super) mtime: u64,
    /// The position of its content in the archive.
    pub(super) offset: u64,
}

/// The most bytes of a header extension in front of a member.
const LONGEST_EXTENSION: u64 = 64 * 1024;

/// Passes each file of an archive and its content to `each`, and reads `archive` to its end: only
/// then is the whole verified.
///
/// # Errors
/// [`FilestoreError::BadArchive`] and [`FilestoreError::BadName`] if it contains what no filestore
/// contains; those of `archive` and `each`
pub(super) fn read_members(
    mut archive: impl Read,
    mut each: impl FnMut(&Member, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let failed = Cell::new(false);
    // Tells errors of the tar format from those of the source.
    let of_tar = |error: io::Error| match failed.get() {
        true => error,
        false => bad(error.to_string()),
    };
    {
        let mut tar = tar::Archive::new(Noting { inner: &mut archive, failed: &failed });
        // The tar crate reads long names into memory, however long they are. So they are read here.
        let entries = tar.entries().map_err(of_tar)?.raw(true);
        let mut long_name: Option<Vec<u8>> = None;
        for entry in entries {
            let mut entry = entry.map_err(of_tar)?;
            let kind = entry.header().entry_type();
            match extension(kind, &mut entry)? {
                Extension::Member => {}
                Extension::Nothing => continue,
                Extension::Name(name) => {
                    if long_name.replace(name).is_some() {
                        return Err(bad("a file has two names"));
                    }
                    continue;
                }
            }
            let bytes = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
            if !kind.is_file() {
                let name = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_PATH)]).into_owned();
                return Err(bad(format!("{name:?} is not a plain file but {kind:?}")));
            }
            let member = Member {
                path: check_path(&bytes)?.to_owned(),
                size: entry.size(),
                mtime: entry.header().mtime().map_err(of_tar)?,
                offset: entry.raw_file_position(),
            };
            let mut content = Counted { inner: &mut entry, count: 0 };
            each(&member, &mut content)?;
            if content.count != member.size {
                let Member { path, size, .. } = &member;
                return Err(bad(format!("{path:?} ends after {} of {size} bytes", content.count)));
            }
        }
        if long_name.is_some() {
            return Err(bad("a name has no file after it"));
        }
    }
    // The archive ends before its stream does.
    io::copy(&mut archive, &mut io::sink())?;
    Ok(())
}

/// What an entry says of the next one.
enum Extension {
    /// Nothing: it is a member itself.
    Member,
    /// Nothing that matters here.
    Nothing,
    /// Its name.
    Name(Vec<u8>),
}

fn extension(kind: tar::EntryType, entry: &mut impl Read) -> io::Result<Extension> {
    if !kind.is_gnu_longname() && !kind.is_pax_local_extensions() && !kind.is_pax_global_extensions() {
        return Ok(Extension::Member);
    }
    let mut content = Vec::new();
    entry.take(LONGEST_EXTENSION + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LONGEST_EXTENSION {
        return Err(bad(format!("a name is longer than {LONGEST_EXTENSION} bytes")));
    }
    if kind.is_gnu_longname() {
        if content.last() == Some(&0) {
            content.pop();
        }
        return Ok(Extension::Name(content));
    }
    if kind.is_pax_global_extensions() {
        return Ok(Extension::Nothing);
    }
    Ok(pax_path(&content)?.map_or(Extension::Nothing, Extension::Name))
}

/// Returns the path that a PAX header gives.
fn pax_path(content: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut path = None;
    for record in tar::PaxExtensions::new(content) {
        let record = record.map_err(|error| bad(error.to_string()))?;
        match record.key_bytes() {
            b"path" => path = Some(record.value_bytes().to_vec()),
            // It would override the size in the next header, and two readers would see two
            // different archives.
            b"size" => return Err(bad("a PAX header contains a file's size")),
            _ => {}
        }
    }
    Ok(path)
}

fn bad(reason: impl Into<String>) -> io::Error {
    FilestoreError::BadArchive(reason.into()).into()
}

struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// Remembers whether reading failed.
struct Noting<'a, R> {
    inner: R,
    failed: &'a Cell<bool>,
}

impl<R: Read> Read for Noting<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        if read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.set(true);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: tar::EntryType, name: &[u8], size: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mtime(7);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    fn padded(content: &[u8]) -> Vec<u8> {
        let mut bytes = content.to_vec();
        bytes.resize(content.len().next_multiple_of(512), 0);
        bytes
    }

    fn read(archive: impl Read) -> io::Result<Vec<(String, Vec<u8>, u64)>> {
        let mut members = Vec::new();
        read_members(archive, |member, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            members.push((member.path.clone(), bytes, member.offset));
            Ok(())
        })?;
        Ok(members)
    }

    fn is_bad(error: &io::Error) -> bool {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<FilestoreError>());
        matches!(inner, Some(FilestoreError::BadArchive(_) | FilestoreError::BadName { .. }))
    }

    #[test]
    fn long_names_are_read() {
        let long = "x".repeat(200);
        let gnu = format!("{long}\0");
        let record = format!(" path={long}\n");
        let pax = format!("{}{record}", record.len() + 3);
        for (kind, content) in [(tar::EntryType::GNULongName, gnu), (tar::EntryType::XHeader, pax)] {
            let size = content.len() as u64;
            let parts = [header(kind, b"././@LongLink", size), padded(content.as_bytes())].concat();
            let archive = [parts, header(tar::EntryType::Regular, b"short", 2), padded(b"ab"), vec![0; 1024]].concat();
            assert_eq!(read(archive.as_slice()).unwrap(), [(long.clone(), b"ab".to_vec(), 1536)]);
        }
    }

    #[test]
    fn endless_names_are_refused() {
        use tar::EntryType::{GNULongLink, GNULongName, XGlobalHeader, XHeader};
        for kind in [GNULongName, XHeader, XGlobalHeader, GNULongLink] {
            let archive = header(kind, b"././@LongLink", 8 << 30).chain_with(io::repeat(b'a'));
            assert!(is_bad(&read(archive).unwrap_err()), "{kind:?}");
        }
    }

    #[test]
    fn contradictory_archives_are_refused() {
        let name = [header(tar::EntryType::GNULongName, b"././@LongLink", 2), padded(b"a\0")].concat();
        let file = header(tar::EntryType::Regular, b"f", 0);
        let size = [header(tar::EntryType::XHeader, b"pax", 10), padded(b"10 size=9\n")].concat();
        let end = vec![0; 1024];
        for archive in [
            [name.clone(), name.clone(), file.clone(), end.clone()].concat(),
            [name.clone(), end.clone()].concat(),
            [size, file.clone(), end].concat(),
            header(tar::EntryType::Regular, b"f", 1000),
            header(tar::EntryType::Regular, b"f", u64::MAX),
            header(tar::EntryType::GNUSparse, b"f", 0),
            vec![7; 512],
        ] {
            assert!(is_bad(&read(archive.as_slice()).unwrap_err()));
        }
    }

    #[test]
    fn failed_source_reports_its_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("connection lost"))
            }
        }
        let archive = header(tar::EntryType::Regular, b"f", 1000).chain_with(Broken);
        assert_eq!(read(archive).unwrap_err().to_string(), "connection lost");
    }

    trait ChainWith {
        fn chain_with<R: Read>(self, next: R) -> io::Chain<io::Cursor<Vec<u8>>, R>;
    }

    impl ChainWith for Vec<u8> {
        fn chain_with<R: Read>(self, next: R) -> io::Chain<io::Cursor<Vec<u8>>, R> {
            io::Cursor::new(self).chain(next)
        }
    }
}
