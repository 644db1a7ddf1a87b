//! Small files of this machine that operators write: configurations, passwords, certificates.

mod private;

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

pub use private::{PrivateFileError, read_private};

/// Anything larger is none of these.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads a small regular file: a named pipe would block, and a device has no end. A file that a
/// shell passes by `<(…)`, and therefore has another end, may be a pipe.
///
/// # Errors
/// Those of the operating system; [`io::ErrorKind::InvalidInput`] where it is not such a file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_with_metadata(path).map(|(bytes, _)| bytes)
}

/// Does the same as [`read`], and returns owner and permissions of what was read.
pub(crate) fn read_with_metadata(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let (file, metadata) = open(path)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it has more than {LARGEST} bytes")));
    }
    Ok((bytes, metadata))
}

/// Opens a file that [`read`] accepts.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let is_handed_over = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder));
    let flags = if is_handed_over { OFlags::empty() } else { OFlags::NONBLOCK };
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() && !is_handed_over {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file, but a pipe or a device"));
    }
    Ok((file, metadata))
}

/// Reads text, as [`read`] does.
///
/// # Errors
/// As [`read`]; [`io::ErrorKind::InvalidData`] where it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let not_utf8 = |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(read(path)?).map_err(not_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_device_and_large_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, large, small] = ["pipe", "large", "small"].map(|name| folder.path().join(name));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        std::fs::write(&small, "text").unwrap();
        for path in [&pipe, &large, Path::new("/dev/zero"), folder.path()] {
            assert!(read(path).is_err(), "{}", path.display());
        }
        assert_eq!(read_to_string(&small).unwrap(), "text");
    }
}
