//! `files` and `fetch`: lists the attachments of a backup, and returns one of their files without a
//! restore.

use std::io::{self, Read, Write};

use crate::check::take_note;
use crate::error::Error;
use crate::filestore::{ListedFile, read_list};
use crate::manifest::{Manifest, StoredObject, removed_paths};
use crate::odoo::Attachment;
use crate::repository::Repository;
use crate::run::Run;
use crate::stream::{DigestReader, Malformed, Plain, consume, records};

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

/// Returns the path for what the operator gave: an attachment's id, or the path itself.
///
/// # Errors
/// [`Error::NoSuchFile`] where no attachment of that id has a file; those of [`attachments`].
pub async fn resolve(repository: &Repository, manifest: &Manifest, what: &str, run: &Run) -> Result<String, Error> {
    let Ok(id) = what.parse::<i64>() else { return Ok(what.to_owned()) };
    let found = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = found.clone();
    let keep = move |attachment: Attachment| {
        if attachment.id == id {
            *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = attachment.path;
        }
        Ok(())
    };
    attachments(repository, manifest, keep, run).await?;
    let path = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    path.ok_or_else(|| no_such_file(manifest, what))
}

/// Writes one file of a backup to `sink`, reading only the lists and the frame that contains it.
/// Returns its length in bytes. Records damage that it finds.
///
/// # Errors
/// [`Error::NoSuchFile`]; those of the store; [`Error::Io`] if the content differs from its list,
/// or `sink` fails. The content of `sink` must not be used then.
pub async fn fetch(
    repository: &Repository,
    manifest: &Manifest,
    path: &str,
    sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<u64, Error> {
    noting(repository, manifest, run, bring(repository, manifest, path, sink)).await
}

async fn bring(
    repository: &Repository,
    manifest: &Manifest,
    path: &str,
    sink: impl Write + Send + 'static,
) -> Result<u64, Error> {
    let (volume, file) = find(repository, manifest, path).await?;
    let range = file.frame..file.frame.saturating_add(file.frame_length);
    if range.end > volume.stored.size || file.offset.saturating_add(file.size) > volume.plain.size {
        let source = Malformed("its list places it after the end of the volume".to_owned()).into();
        return Err(Error::Io { action: format!("read {path} from {}", volume.key), source });
    }
    let frame = repository.store().get(&volume.key, Some(range)).await?;
    let action = format!("read {path} from {}", volume.key);
    let size = file.size;
    let copied = consume(frame, move |frame| copy(frame, &file, sink));
    copied.await.map_err(|source| Error::Io { action, source })?;
    Ok(size)
}

/// Returns where a file is: in the latest volume that has it.
async fn find(repository: &Repository, manifest: &Manifest, path: &str) -> Result<(StoredObject, ListedFile), Error> {
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
            read_list(list, bounds).try_fold(None, |found, file| {
                let file = file?;
                Ok(if file.path == wanted { Some(file) } else { found })
            })
        });
        if let Some(file) = found.await? {
            return Ok((volume.object.clone(), file));
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
