//! The file half of a backup: what the attachments reference, what is on disk, and what of it must
//! be stored.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::earlier::Earlier;
use super::previous::{Previous, previous};
use super::{BackupOptions, Source};
use crate::error::{Error, explain};
use crate::filestore::{
    Batches, FileEntry, FileNames, FilestoreError, Ledger, ListForm, Settled, WrittenVolume, check_path, write_volume,
};
use crate::instance::Instance;
use crate::manifest::{
    AttachmentContent, FORMAT_1, FilestoreContent, FilestoreFindings, StoredFindings, StoredObject, Volume,
};
use crate::odoo::{CollectorHold, attachments, still_named};
use crate::postgres::{self, PostgresError, Session};
use crate::progress::Task;
use crate::repository::{Draft, RepositoryError};
use crate::run::Run;
use crate::stream::encode_list;

/// What was stored of the files, and the warnings.
pub(super) struct StoredFiles {
    pub(super) attachments: Option<AttachmentContent>,
    pub(super) filestore: FilestoreContent,
    pub(super) warnings: Vec<String>,
}

/// Stores the list of attachments, and every file that no earlier backup contains. Releases `hold`
/// after the last file was read.
pub(super) async fn store_files(
    draft: &Draft,
    instance: &Instance,
    source: &Source,
    before: &Earlier<'_>,
    hold: Option<CollectorHold>,
    options: BackupOptions,
    run: &Run,
) -> Result<StoredFiles, Error> {
    let (attachments, named) = store_attachments(draft, source).await?;
    let Previous { volumes: earlier, held, suspect, missing: known, removed, findings: former, reread, mut warnings } =
        previous(before).await?;
    let expected = attachments.as_ref().map_or(0, |attachments| attachments.counts.files);
    let mut ledger = Ledger::new(named, held, options.reread || reread);
    suspect.iter().for_each(|path| ledger.suspect(path));
    let location = before.repository.store().location();
    let folder = location.strip_prefix("file://").map(Path::new);
    let foreign: Vec<_> = folder.into_iter().map(|folder| (folder, "the repository")).collect();
    let batches = Batches::new(&instance.filestore, ledger).without(&foreign);
    let (new, ledger, unreadable) = match begin(batches).await? {
        (batches, Ok(())) => {
            let form = before.repository.description().list_form();
            let (new, ledger) = store_volumes(draft, batches, (options, form), run).await?;
            (new, ledger, None)
        }
        (_, Err(error @ FilestoreError::Contains { .. })) => return Err(error.into()),
        // A database without attachments has no folder until the first one comes.
        (batches, Err(error)) => {
            (Vec::new(), batches.ledger, Some(error).filter(|_| expected > 0 || !earlier.is_empty()))
        }
    };
    let collector_held = hold.is_some();
    if let Some(hold) = hold {
        hold.release().await?;
    }
    let settled = ledger.settle();
    let looked = Looked { filestore: &instance.filestore, is_readable: unreadable.is_none() };
    let findings = findings(source, looked, &settled).await;
    let without_files = source.origin.as_ref().is_some_and(|origin| origin.without_files);
    if !options.accept_missing && !without_files {
        let lost = Lost { findings: &findings, known: &known, settled: &settled, unreadable: unreadable.as_ref() };
        lost.check(expected, &instance.filestore)?;
    }
    warnings.extend(unreadable.map(|error| format!("unable to read the filestore: {}", explain(&error))));
    if expected > 0 && settled.seen == 0 && !settled.rescued.is_empty() {
        let folder = instance.filestore.display();
        warnings.push(format!(
            "{folder} contains none of the files that the attachments reference; check that it is mounted"
        ));
    }
    let removed = store_removed(draft, &settled, removed).await?;
    warnings.extend(findings.counts().warnings());
    let (findings, found) = match before.repository.description().format {
        FORMAT_1 => (Some(findings), None),
        _ => (None, Some(store_findings(draft, findings, former).await?)),
    };
    let new_files = new.iter().map(|volume| volume.files).sum::<u64>();
    let new_bytes = new.iter().map(|volume| volume.bytes).sum::<u64>();
    let earlier = earlier.into_iter().zip(0..).filter(|(_, index)| settled.volumes.contains(index));
    let filestore = FilestoreContent {
        files: settled.kept.0 + new_files,
        bytes: settled.kept.1 + new_bytes,
        new_files,
        new_bytes,
        volumes: earlier.map(|(volume, _)| volume).chain(new).collect(),
        removed,
        collector_held,
        findings,
        found,
    };
    Ok(StoredFiles { attachments, filestore, warnings })
}

/// Tells whether a filestore is the right one and mounted.
struct Lost<'a> {
    findings: &'a FilestoreFindings,
    /// Files that the latest backup already lacks.
    known: &'a HashSet<String>,
    settled: &'a Settled,
    /// Why the filestore cannot be read at all.
    unreadable: Option<&'a FilestoreError>,
}

impl Lost<'_> {
    /// Refuses a backup that would lack more than half of the `expected` files at once.
    ///
    /// # Errors
    /// [`FilestoreError::Lost`]
    fn check(&self, expected: u64, folder: &Path) -> Result<(), FilestoreError> {
        let missing = &self.findings.missing;
        let known = missing.iter().filter(|path| self.known.contains(*path)).count() as u64;
        let lost = missing.len() as u64 - known + self.settled.unread;
        let named = expected.saturating_sub(known);
        if lost <= named / 2 {
            return Ok(());
        }
        let io_kind = match self.unreadable {
            Some(FilestoreError::Io { source, .. }) => Some(source.kind()),
            _ => None,
        };
        let denied = io_kind == Some(io::ErrorKind::PermissionDenied)
            || io_kind.is_none() && !self.findings.unreadable.is_empty();
        let why = match self.unreadable {
            Some(error) => Some(explain(error).to_string()),
            None => self.findings.unreadable.first().map(|first| format!("unable to read {first}")),
        };
        Err(FilestoreError::Lost { lost, named, folder: folder.to_owned(), why, denied })
    }
}

/// Stores the list of attachments. Returns it with the files that they reference.
async fn store_attachments(
    draft: &Draft,
    source: &Source,
) -> Result<(Option<AttachmentContent>, FileNames<bool>), Error> {
    if source.odoo.is_none() {
        return Ok((None, FileNames::default()));
    }
    let (lines, inventory) = attachments(&source.session).await?;
    let (list, ()) = draft.add("attachments.zst", encode_list(lines)).await?;
    let (counts, named) = inventory.take();
    Ok((Some(AttachmentContent { counts, list }), named))
}

/// Reads the filestore's root. Returns the outcome next to the batches.
async fn begin(mut batches: Batches) -> Result<(Batches, Result<(), FilestoreError>), Error> {
    let begun = tokio::task::spawn_blocking(move || {
        let begun = batches.begin();
        (batches, begun)
    });
    begun.await.map_err(|error| Error::Io { action: "read the filestore".into(), source: error.into() })
}

/// Stores the files of the batches, in several volumes in parallel.
async fn store_volumes(
    draft: &Draft,
    batches: Batches,
    how: (BackupOptions, ListForm),
    run: &Run,
) -> Result<(Vec<Volume>, Ledger), Error> {
    let batches = Arc::new(Mutex::new(batches));
    let task = run.progress.task("filestore", None);
    let numbers = AtomicU32::new(1);
    let writers = (0..how.0.parallel_volumes.max(1)).map(|_| store_one_by_one(draft, &batches, &numbers, how, &task));
    let mut volumes = futures::future::try_join_all(writers).await?.concat();
    volumes.sort_by(|a, b| a.object.key.cmp(&b.object.key));
    let ledger = std::mem::take(&mut batches.lock().unwrap_or_else(PoisonError::into_inner).ledger);
    Ok((volumes, ledger))
}

/// Writes one volume after the other as long as there are files, in parallel with other callers.
async fn store_one_by_one(
    draft: &Draft,
    batches: &Arc<Mutex<Batches>>,
    numbers: &AtomicU32,
    (options, form): (BackupOptions, ListForm),
    task: &Task,
) -> Result<Vec<Volume>, Error> {
    let mut volumes = Vec::new();
    while let Some(first) = next_batch(batches).await? {
        let name = format!("filestore-{:04}", numbers.fetch_add(1, Ordering::Relaxed));
        let expected = options.volume.bytes.max(first.iter().map(|file| file.size).sum());
        let volume = write_volume(first, batches.clone(), options.volume, (options.level, form), task.clone());
        let stored = draft.add_sized(&format!("{name}.tar.zst"), volume, expected).await?;
        let (object, WrittenVolume { files, bytes, list }) = stored;
        if files == 0 {
            // All of its files were only verified, or disappeared meanwhile.
            draft.withdraw(&object.key).await?;
            continue;
        }
        let (list, ()) = draft.add_kept(&format!("{name}.files.zst"), list).await?;
        volumes.push(Volume { files, bytes, object, list, replaces: None });
    }
    Ok(volumes)
}

async fn next_batch(batches: &Arc<Mutex<Batches>>) -> Result<Option<Vec<FileEntry>>, Error> {
    let batches = batches.clone();
    let drawn =
        tokio::task::spawn_blocking(move || batches.lock().unwrap_or_else(PoisonError::into_inner).next_batch());
    match drawn.await {
        Ok(batch) => Ok(batch?),
        Err(error) => Err(Error::Io { action: "read the filestore".into(), source: error.into() }),
    }
}

/// Stores the paths that the volumes contain and that no longer exist.
async fn store_removed(
    draft: &Draft,
    settled: &Settled,
    earlier: Option<StoredObject>,
) -> Result<Option<StoredObject>, Error> {
    if settled.removed.is_empty() {
        return Ok(None);
    }
    let text: String = settled.removed.iter().map(|name| format!("{name}\0")).collect();
    Ok(Some(draft.add_list("filestore-removed.zst", text.into_bytes(), earlier).await?))
}

/// Stores the names of the findings.
async fn store_findings(
    draft: &Draft,
    findings: FilestoreFindings,
    earlier: Option<StoredObject>,
) -> Result<StoredFindings, Error> {
    let (counts, lines) = (findings.counts(), findings.lines().map_err(RepositoryError::Json)?);
    if lines.is_empty() {
        return Ok(StoredFindings { counts, list: None });
    }
    Ok(StoredFindings { counts, list: Some(draft.add_list("findings.zst", lines.into_bytes(), earlier).await?) })
}

/// Separates the files that the source lost from those that were deleted since the snapshot.
async fn findings(source: &Source, looked: Looked<'_>, settled: &Settled) -> FilestoreFindings {
    let still = match settled.missing.as_slice() {
        [] => Vec::new(),
        missing => match postgres::connect(source.session.endpoint()).await {
            Ok(session) => lost(&session, looked, settled).await.unwrap_or_else(|_| missing.to_vec()),
            // What cannot be looked up again gets the worse classification.
            Err(_) => missing.to_vec(),
        },
    };
    let still: std::collections::HashSet<&String> = still.iter().collect();
    let (missing, deleted) = settled.missing.iter().cloned().partition(|path| still.contains(path));
    FilestoreFindings {
        missing,
        deleted,
        damaged: settled.damaged.clone(),
        changed: settled.changed.clone(),
        unreadable: settled.unreadable.clone(),
        rescued: settled.rescued.clone(),
        skipped: settled.skipped.clone(),
        unreferenced: settled.unreferenced.0,
        unreferenced_names: settled.unreferenced.1.clone(),
    }
}

/// Where the files were looked for.
#[derive(Clone, Copy)]
struct Looked<'a> {
    filestore: &'a Path,
    /// Whether its folder could be read.
    is_readable: bool,
}

impl Looked<'_> {
    /// Returns whether a file that was not seen exists now. What a database names is data:
    /// `/etc/passwd` is not a file of a filestore. A file in a folder that cannot be listed may
    /// exist, and is in no backup.
    fn has_now(self, path: &str, settled: &Settled) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_listed = !settled.unreadable.iter().any(|unreadable| {
            unreadable.strip_prefix(folder).is_some_and(|reason| !folder.is_empty() && reason.starts_with(": "))
        });
        let is_possible = check_path(path.as_bytes()).is_ok();
        self.is_readable && is_listed && is_possible && self.filestore.join(path).is_file()
    }
}

/// Returns the missing files that attachments reference and that do not exist. If the content was
/// added again, the file is back by now: Odoo commits a row after writing its file. A missing file
/// may have disappeared with its row since the rows were read, so they are read again.
async fn lost(session: &Session, looked: Looked<'_>, settled: &Settled) -> Result<Vec<String>, PostgresError> {
    let mut named = still_named(session, &settled.missing).await?;
    named.retain(|path| !looked.has_now(path, settled));
    still_named(session, &named).await
}
