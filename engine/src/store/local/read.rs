//! Reads an object ahead of its consumer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use futures::stream;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

use super::{PIECE, QUEUE, is_absent, present, write};
use crate::store::{StoreError, StoreErrorKind};
use crate::stream::Body;

/// The error of opening a symbolic link that must not be followed.
const LINK: i32 = Errno::LOOP.raw_os_error();

/// Opens the file at `path` at the start of `range`. Returns it with the number of bytes to read.
pub(super) fn open(root: &Path, path: &Path, range: Option<Range<u64>>) -> Result<(File, u64), StoreErrorKind> {
    // This never follows a link, and never waits for the other end of a named pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let opened = File::options().read(true).custom_flags(flags.bits() as i32).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if is_absent(&error) || error.raw_os_error() == Some(LINK) => {
            present(root)?;
            return Err(StoreErrorKind::NotFound);
        }
        Err(error) => return Err(write::kind(path, error)),
    };
    let metadata = file.metadata().map_err(StoreErrorKind::Io)?;
    if !metadata.is_file() {
        return Err(StoreErrorKind::NotFound);
    }
    let Some(range) = range else {
        return Ok((file, metadata.len()));
    };
    let Range { start, end } = range;
    if range.is_empty() {
        return Err(StoreErrorKind::Other(format!("bytes {start}..{end} were requested, which is an empty range")));
    }
    if end > metadata.len() {
        let length = metadata.len();
        return Err(StoreErrorKind::Corrupt(format!("bytes {start}..{end} were requested, it has {length}")));
    }
    file.seek(SeekFrom::Start(range.start)).map_err(StoreErrorKind::Io)?;
    Ok((file, range.end - range.start))
}

/// Returns the next `length` bytes of `file` as a body. A blocking thread reads them while the body
/// exists.
pub(super) fn body(file: File, length: u64, error: impl Fn(StoreErrorKind) -> StoreError + Send + 'static) -> Body {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || read(file, length, &sender));
    let pieces = stream::unfold((receiver, length, error), |(mut receiver, left, error)| async move {
        if left == 0 {
            return None;
        }
        let piece = match receiver.recv().await {
            Some(Ok(piece)) => Ok::<Bytes, _>(piece),
            Some(Err(cause)) => Err(StoreErrorKind::Io(cause)),
            // The thread died. The consumer must not take that for the end.
            None => Err(StoreErrorKind::Io(io::Error::other("the reading thread ended early"))),
        };
        let piece = piece.map_err(|kind| io::Error::other(error(kind)));
        let left = piece.as_ref().map_or(0, |piece| left - piece.len() as u64);
        Some((piece, (receiver, left, error)))
    });
    Box::pin(StreamReader::new(Box::pin(pieces)))
}

/// Sends exactly `length` bytes, or an error. Stops if the receiver is gone.
fn read(mut file: File, length: u64, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut left = length;
    while left > 0 {
        let size = left.min(PIECE as u64);
        let mut piece = Vec::with_capacity(size as usize);
        let result = match file.by_ref().take(size).read_to_end(&mut piece) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read")),
            Ok(read) => {
                left -= read as u64;
                Ok(piece.into())
            }
            Err(error) => Err(error),
        };
        let failed = result.is_err();
        if sender.blocking_send(result).is_err() || failed {
            return;
        }
    }
}
