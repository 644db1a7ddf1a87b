//! The journal's file: lines that are durable once they are written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::folder::{Durability, inherit, make_all, write_atomically};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::Serialize;

use super::JournalError;

const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "journal.lock";

/// How often, and for how long, to wait for a lock of a process that only looks.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(20);

/// An open journal, locked.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    /// The lock is another file's, so that the journal itself can be replaced.
    _lock: File,
    /// Up to where whole lines reach.
    end: u64,
    /// Whether something may stand behind them that could not be cut off.
    torn: bool,
}

impl JournalFile {
    /// Opens the file in `folder`, creates it if it is missing, cuts off a torn last line, and
    /// returns the lines before.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<u8>), JournalError> {
        let path = folder.join(JOURNAL);
        let failed = |action| {
            let path = path.clone();
            move |source| JournalError::Io { action, path, source }
        };
        make_all(folder, 0o700).map_err(failed("create the folder of"))?;
        let lock = private(&folder.join(LOCK)).map_err(failed("lock"))?;
        let mut looks = 0;
        loop {
            match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // The other process may only look: see `is_in_use`.
                Err(Errno::WOULDBLOCK) if looks < LOOKS => std::thread::sleep(LOOK),
                Err(Errno::WOULDBLOCK) => return Err(JournalError::InUse { path }),
                Err(error) => return Err(failed("lock")(error.into())),
            }
            looks += 1;
        }
        let mut file = private(&path).map_err(failed("open"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        keep_whole_lines(&mut bytes);
        let mut journal = Self { path: path.clone(), file, _lock: lock, end: bytes.len() as u64, torn: true };
        // On a full disk it is cut before the next line is written.
        match journal.cut().and_then(|()| sync_folder(&path)) {
            Err(error) if !is_full(&error) => Err(failed("write")(error)),
            _ => Ok((journal, bytes)),
        }
    }

    /// Writes a line. When this returns `Ok` it survives a loss of power; when it does not, the
    /// line is not there.
    pub(super) fn append(&mut self, event: &impl Serialize) -> Result<(), JournalError> {
        let written = line(event).and_then(|line| {
            if self.torn {
                self.cut()?;
            }
            self.torn = true;
            self.file.write_all(&line)?;
            self.file.sync_data()?;
            Ok(line.len() as u64)
        });
        match written {
            Ok(length) => {
                self.end += length;
                self.torn = false;
            }
            Err(source) => {
                // Half a line would damage the next one. If it cannot be cut off now, it is when
                // the file is next opened.
                let _ = self.cut();
                return Err(JournalError::Io { action: "write", path: self.path.clone(), source });
            }
        }
        Ok(())
    }

    /// Replaces all lines atomically.
    pub(super) fn replace(&mut self, events: &[impl Serialize]) -> Result<(), JournalError> {
        let mut bytes = Vec::new();
        let replaced = events.iter().try_for_each(|event| {
            bytes.extend(line(event)?);
            Ok(())
        });
        let replaced = replaced
            .and_then(|()| write_atomically(&self.path, Durability::Flushed, |file: &mut File| file.write_all(&bytes)));
        let file =
            replaced.map_err(|source| JournalError::Io { action: "shorten", path: self.path.clone(), source })?;
        let end = bytes.len() as u64;
        (self.file, self.end, self.torn) = (file, end, false);
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.sync_all()?;
        self.torn = false;
        Ok(())
    }

    /// Checks that the file is still where it was opened: the folder may have been moved, or
    /// another one mounted over it.
    pub(super) fn check_place(&self) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io { action: "find", path: self.path.clone(), source };
        let there = std::fs::metadata(&self.path).map_err(failed)?;
        let open = self.file.metadata().map_err(failed)?;
        if (there.dev(), there.ino()) == (open.dev(), open.ino()) {
            Ok(())
        } else {
            Err(JournalError::Replaced { path: self.path.clone() })
        }
    }
}

/// Cuts off what follows the last whole line: it is torn, or being written.
fn keep_whole_lines(bytes: &mut Vec<u8>) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    bytes.truncate(end);
}

/// Returns the whole lines of the journal in `folder`; none where there is no journal.
pub(super) fn read(folder: &Path) -> Result<Vec<u8>, JournalError> {
    let path = folder.join(JOURNAL);
    match std::fs::read(&path) {
        Ok(mut bytes) => {
            keep_whole_lines(&mut bytes);
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(JournalError::Io { action: "read", path, source }),
    }
}

/// Returns whether a daemon has the journal in `folder` open.
///
/// # Errors
/// [`JournalError::Io`] where this user may not look.
pub fn is_in_use(folder: &Path) -> Result<bool, JournalError> {
    let path = folder.join(LOCK);
    let failed = |source| JournalError::Io { action: "open", path: path.clone(), source };
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(failed(error.into())),
    }
}

/// Returns why an existing state folder cannot be written to, as far as this shows without writing;
/// `None` if nothing shows.
pub fn obstacle(folder: &Path) -> Option<String> {
    let found = rustix::fs::statvfs(folder).ok()?;
    let shown = folder.display();
    // Some file systems have no fixed number of files.
    if found.f_bavail == 0 || (found.f_files > 0 && found.f_favail == 0) {
        return Some(format!("the disk of the state folder {shown} is full"));
    }
    let is_read_only = found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
    is_read_only.then(|| format!("the file system of the state folder {shown} is read-only"))
}

/// Returns whether the disk, or the user's share of it, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Opens a file that only its owner may read, and creates it if it is missing. If root creates it,
/// it gets the owner of its folder; otherwise the daemon could not run as that user after root has
/// run it once.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    inherit(&file, path.parent().unwrap_or(path))?;
    Ok(file)
}

fn line(event: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_keeps_earlier_lines() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = JournalFile::open(folder.path()).unwrap();
        journal.append(&"first").unwrap();
        let disk = std::mem::replace(&mut journal.file, OpenOptions::new().write(true).open("/dev/full").unwrap());
        let refused = journal.append(&"second").unwrap_err();
        assert!(refused.hint().unwrap().contains("free some space"), "{refused}");
        journal.file = disk;
        journal.append(&"third").unwrap();
        drop(journal);
        let (_, text) = JournalFile::open(folder.path()).unwrap();
        assert_eq!(text, b"\"first\"\n\"third\"\n");
    }
}
