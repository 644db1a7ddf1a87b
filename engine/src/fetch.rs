//! `files` and `fetch`: lists the attachments of a backup, and returns one of their files without a
//! restore.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::check::take_note;
use crate::error::Error;
use crate::filestore::{ListLine, ListedFile, read_lines};
use crate::manifest::{Manifest, StoredObject, removed_paths};
use crate::odoo::Attachment;
use crate::repository::Repository;
use crate::run::Run;
use crate::stream::{DigestReader, FramePart, Guarded, Malformed, Plain, consume, records};

/// An attachment's name can have any length; one that is longer than this cannot be listed.
const LONGEST_ATTACHMENT: usize = 16 * 1024 * 1024;

/// Passes the attachments of a backup to `each`, in the order of their ids. Records damage that it
/// finds.
///
/// # Errors
/// [`Error::NoAttachments`] where the database is not an Odoo database; those of the store and of
/// `each`.
pub async fn attachments(
    repository: &Repository,
    manifest: &Manifest,
    mut each: impl FnMut(Attachment) -> io::Result<()> + Send + 'static,
    run: &Run,
) -> Result<(), Error> {
    let content = manifest.attachments.as_ref();
    let list = &content.ok_or_else(|| Error::NoAttachments { backup: manifest.id.to_string() })?.list;
    let read = repository.read(list, move |lines| {
        for line in records(lines, b'\n', LONGEST_ATTACHMENT) {
            each(serde_json::from_slice(&line?).map_err(|error| Malformed(error.to_string()))?)?;
        }
        Ok(())
    });
    noting(repository, manifest, run, async { Ok(read.await?) }).await
}

/// Records the damage that `work` finds.
async fn noting<T>(
    repository: &Repository,
    manifest: &Manifest,
    run: &Run,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let result = work.await;
    if let Err(error) = &result {
        take_note(repository, manifest, error, run).await;
    }
    result
}

/// An attachment that has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedFile {
    /// Its name as users see it.
    pub name: String,
    /// Its path within the filestore.
    pub path: String,
}

/// Returns the file of an attachment.
///
/// # Errors
/// [`Error::NoSuchFile`] where no attachment of that id has a file; those of [`attachments`].
pub async fn attachment(
    repository: &Repository,
    manifest: &Manifest,
    id: i64,
    run: &Run,
) -> Result<AttachedFile, Error> {
    let found = Arc::new(Mutex::new(None));
    let seen = found.clone();
    let keep = move |attachment: Attachment| {
        if attachment.id == id {
            let file = attachment.path.map(|path| AttachedFile { name: attachment.name, path });
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = file;
        }
        Ok(())
    };
    attachments(repository, manifest, keep, run).await?;
    let file = found.lock().unwrap_or_else(PoisonError::into_inner).take();
    file.ok_or_else(|| no_such_file(manifest, &id.to_string()))
}

/// Returns the path for what the operator gave: an attachment's id, or the path itself.
///
/// # Errors
/// Those of [`attachment`]
pub async fn resolve(repository: &Repository, manifest: &Manifest, what: &str, run: &Run) -> Result<String, Error> {
    match what.parse::<i64>() {
        Ok(id) => Ok(attachment(repository, manifest, id, run).await?.path),
        Err(_) => Ok(what.to_owned()),
    }
}

/// A file of a backup, and where it is.
#[derive(Debug, Clone)]
pub struct Located {
    volume: StoredObject,
    file: ListedFile,
    /// The zstd frames of its frame, if the list has them.
    parts: Vec<FramePart>,
}

impl Located {
    /// Returns its length in bytes.
    pub fn size(&self) -> u64 {
        self.file.size
    }

    /// Returns its path within the filestore.
    pub fn path(&self) -> &str {
        &self.file.path
    }
}

/// Finds a file of a backup, reading only the lists. Records damage that it finds.
///
/// # Errors
/// [`Error::NoSuchFile`]; those of the store
pub async fn locate(repository: &Repository, manifest: &Manifest, path: &str, run: &Run) -> Result<Located, Error> {
    noting(repository, manifest, run, find(repository, manifest, path)).await
}

/// Writes a file of a backup to `sink`, reading only the frame that contains it. Records damage
/// that it finds.
///
/// # Errors
/// Those of the store; [`Error::Io`] if the content differs from its list, or `sink` fails. The
/// content of `sink` must not be used then.
pub async fn write(
    repository: &Repository,
    manifest: &Manifest,
    located: &Located,
    sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<(), Error> {
    noting(repository, manifest, run, run.until_cancelled(bring(repository, located, sink))).await
}

/// Finds one file of a backup and writes it to `sink`. Returns its length in bytes.
///
/// # Errors
/// Those of [`locate`] and [`write()`]
pub async fn fetch(
    repository: &Repository,
    manifest: &Manifest,
    path: &str,
    sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<u64, Error> {
    let located = locate(repository, manifest, path, run).await?;
    write(repository, manifest, &located, sink, run).await?;
    Ok(located.size())
}

async fn bring(repository: &Repository, located: &Located, sink: impl Write + Send + 'static) -> Result<(), Error> {
    let Located { volume, file, parts } = located.clone();
    let range = file.frame..file.frame.saturating_add(file.frame_length);
    let action = format!("read {} from {}", file.path, volume.key);
    if range.end > volume.stored.size || file.offset.saturating_add(file.size) > volume.plain.size {
        let source = Malformed("its list places it after the end of the volume".to_owned()).into();
        return Err(Error::Io { action, source });
    }
    if !parts.is_empty() && parts.iter().map(|part| part.length).sum::<u64>() != file.frame_length {
        let source = Malformed("its list has other zstd frames than the file's frame".to_owned()).into();
        return Err(Error::Io { action, source });
    }
    let frame = repository.store().get(&volume.key, Some(range)).await?;
    let copied = consume(frame, move |frame| copy(Guarded::new(frame, parts), &file, sink));
    copied.await.map_err(|source| Error::Io { action, source })
}

/// Returns where a file is: in the latest volume that has it.
async fn find(repository: &Repository, manifest: &Manifest, path: &str) -> Result<Located, Error> {
    if let Some(removed) = &manifest.filestore.removed {
        let wanted = path.to_owned();
        let is_removed = repository.read(removed, move |paths| {
            // Only a list read to its end is known to be intact.
            removed_paths(paths).try_fold(false, |any, removed| Ok(any | (removed? == wanted)))
        });
        if is_removed.await? {
            return Err(no_such_file(manifest, path));
        }
    }
    for volume in manifest.filestore.volumes.iter().rev() {
        let wanted = path.to_owned();
        let bounds = volume.bounds();
        let found = repository.read_cached(&volume.list, move |list| {
            let (mut found, mut parts, mut of_frame) = (None, Vec::new(), false);
            for line in read_lines(list, bounds) {
                match line? {
                    ListLine::Part(part) => {
                        // The first zstd frame after a file is that of the next frame.
                        if std::mem::take(&mut of_frame) {
                            parts.clear();
                        }
                        parts.push(part);
                    }
                    ListLine::File(file) => {
                        of_frame = true;
                        if file.path == wanted {
                            found = Some((file, parts.clone()));
                        }
                    }
                }
            }
            Ok(found)
        });
        if let Some((file, parts)) = found.await? {
            return Ok(Located { volume: volume.object.clone(), file, parts });
        }
    }
    Err(no_such_file(manifest, path))
}

fn no_such_file(manifest: &Manifest, what: &str) -> Error {
    Error::NoSuchFile { what: what.to_owned(), backup: manifest.id.to_string() }
}

fn copy(frame: impl Read, file: &ListedFile, mut sink: impl Write) -> io::Result<()> {
    let mut plain = Plain::new(frame)?;
    io::copy(&mut (&mut plain).take(file.offset), &mut io::sink())?;
    let mut content = DigestReader::new(plain.take(file.size));
    io::copy(&mut content, &mut sink)?;
    sink.flush()?;
    let found = content.fingerprint();
    if (found.size, found.sha256) != (file.size, file.sha256) {
        return Err(Malformed("its content is damaged: it differs from the list".to_owned()).into());
    }
    Ok(())
}
