//! `export`: writes a backup in formats that other programs read: Odoo's own zip, or pg_dump's
//! archive and a tar of the filestore.
//!
//! Everything is streamed and verified while it streams: if a digest differs, the last read fails,
//! and the owner of the sink must not use its content.

mod odoo_manifest;
mod zip;

use std::io::{self, Write};
use std::sync::Arc;

use self::zip::Zip;
use crate::backup_files::BackupFiles;
use crate::check::take_note;
use crate::error::Error;
use crate::filestore::{Unpacked, read_files};
use crate::manifest::Manifest;
use crate::postgres::{self, GuardedFor, Tools};
use crate::progress::Task;
use crate::repository::{DumpName, Repository};
use crate::run::Run;
use crate::stream::{Body, consume};

/// Writes the zip that Odoo's database manager, `odoo-bin db load` and Odoo.sh take: `dump.sql`,
/// `manifest.json`, `filestore/…`.
///
/// # Errors
/// As the cause of [`Error::Verb`]: [`Error::NotOdoo`]; those of the store, of PostgreSQL, and of
/// `sink`.
pub async fn zip(
    repository: &Repository,
    manifest: &Manifest,
    tools: &Tools,
    sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<Unpacked, Error> {
    let work = async {
        let odoo = odoo_manifest::of(manifest)?;
        if manifest.odoo.as_ref().is_some_and(|odoo| odoo.series.is_empty()) {
            run.progress.warn(
                "the Odoo series is unknown: `version` in the zip's manifest.json is empty, and Odoo.sh may refuse it",
            );
        }
        let sql = script(repository, manifest, tools, run).await?;
        let mut zip = Zip::new(sink, manifest.created_at);
        let zip = consume(sql, move |sql| {
            zip.add("dump.sql", sql)?;
            zip.add("manifest.json", odoo.as_slice())?;
            Ok(zip)
        });
        let zip = zip.await.map_err(|source| {
            let action = format!("make dump.sql of {}", DumpName::of(manifest));
            Error::Io { action, source }
        })?;
        let each = |zip: &mut Zip<_>, path: &str, content: &mut dyn io::Read, _| {
            zip.add(&format!("filestore/{path}"), content)
        };
        let (zip, files) = for_each_file(repository, manifest, run, zip, each).await?;
        finish(move || zip.finish()).await?;
        Ok(files)
    };
    read_locked(repository, manifest, run, work).await
}

/// Writes the database in pg_dump's custom format, uncompressed: the content of the backup without
/// zstd. Returns its length in bytes.
///
/// # Errors
/// As the cause of [`Error::Verb`]: those of the store and of `sink`.
pub async fn dump(
    repository: &Repository,
    manifest: &Manifest,
    mut sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<u64, Error> {
    let work = async {
        let dump = repository.dump(manifest).await?;
        let body = dump.open(run.progress.task("database", Some(dump.stored_bytes()))).await?;
        let copied = consume(body, move |mut archive| {
            let copied = io::copy(&mut archive, &mut sink)?;
            sink.flush().map(|()| copied)
        });
        let action = || format!("read {}", dump.name());
        copied.await.map_err(|source| Error::Io { action: action(), source })
    };
    read_locked(repository, manifest, run, work).await
}

/// Writes the filestore as one tar archive: of each path the latest version, without what was
/// removed.
///
/// # Errors
/// As the cause of [`Error::Verb`]: those of the store and of `sink`.
pub async fn filestore(
    repository: &Repository,
    manifest: &Manifest,
    sink: impl Write + Send + 'static,
    run: &Run,
) -> Result<Unpacked, Error> {
    let mtime = u64::try_from(manifest.created_at.as_second()).unwrap_or(0);
    let work = async {
        let tar = tar::Builder::new(sink);
        let each = move |tar: &mut tar::Builder<_>, path: &str, content: &mut dyn io::Read, size| {
            let mut header = tar::Header::new_gnu();
            header.set_size(size);
            header.set_mode(0o600);
            header.set_mtime(mtime);
            tar.append_data(&mut header, path, content)
        };
        let (tar, files) = for_each_file(repository, manifest, run, tar, each).await?;
        finish(move || tar.into_inner()?.flush()).await?;
        Ok(files)
    };
    read_locked(repository, manifest, run, work).await
}

/// Does `work` while the backup is locked against a prune.
async fn read_locked<T>(
    repository: &Repository,
    manifest: &Manifest,
    run: &Run,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let work = async {
        let result = run.until_cancelled(work).await;
        if let Err(error) = &result {
            take_note(repository, manifest, error, run).await;
        }
        result
    };
    let backup = manifest.backup();
    let locked = repository.locked_to_read(&backup, run, work);
    locked.await.map_err(|error| error.during(format!("export {backup}")))
}

fn writing(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action: format!("write {what}"), source }
}

/// Writes the end of an archive, on a thread like the rest of it.
async fn finish(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Error> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(io::Error::from).flatten().map_err(writing("the end of the archive"))
}

/// Returns the database as plain SQL.
async fn script(repository: &Repository, manifest: &Manifest, tools: &Tools, run: &Run) -> Result<Body, Error> {
    let dump = repository.dump(manifest).await?;
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let toc = postgres::read_toc(&tool, dump.open(Task::default()).await?, dump.name()).await?;
    let task = run.progress.task("database", Some(dump.stored_bytes()));
    // psql runs the script, where a line of rows could be a command on the machine that loads it.
    let guarded = postgres::guarded(dump.open(task).await?, dump.name(), GuardedFor::Script);
    Ok(postgres::script(&tool, &toc, guarded, dump.name())?)
}

/// Passes every file of the merged filestore to `each`, volume by volume, together with `into`,
/// which it returns.
async fn for_each_file<T: Send + 'static>(
    repository: &Repository,
    manifest: &Manifest,
    run: &Run,
    mut into: T,
    each: impl Fn(&mut T, &str, &mut dyn io::Read, u64) -> io::Result<()> + Clone + Send + 'static,
) -> Result<(T, Unpacked), Error> {
    let merged = Arc::new(BackupFiles::of(repository, manifest).await?);
    let task = run.progress.task("filestore", Some(manifest.filestore.bytes));
    let mut sum = Unpacked::default();
    for (volume, index) in manifest.filestore.volumes.iter().zip(0..) {
        let (merged, task, each) = (merged.clone(), task.clone(), each.clone());
        let read = repository.read_guarded(&volume.object, merged.frames(index), move |archive| {
            read_files(archive, |path, size, content| {
                if !merged.takes(path, index, size)? {
                    io::copy(content, &mut io::sink())?;
                    return Ok(());
                }
                sum.files += 1;
                sum.bytes += size;
                each(&mut into, path, &mut task.reader(content), size)
            })?;
            Ok((into, sum))
        });
        (into, sum) = read.await?;
    }
    let Unpacked { files, bytes } = sum;
    for (what, expected, found) in
        [("files", manifest.filestore.files, files), ("bytes", manifest.filestore.bytes, bytes)]
    {
        if expected != found {
            return Err(Error::Differs { what: format!("{what} in the filestore"), expected, found });
        }
    }
    Ok((into, sum))
}
