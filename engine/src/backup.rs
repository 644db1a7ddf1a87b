//! `now`: an instance's database and filestore into the repository.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::config::Instance;
use crate::error::Error;
use crate::filestore::{Batches, FileEntry, FilestoreError, Limits, WrittenVolume, write_volume};
use crate::manifest::{DatabaseContent, FORMAT, FilestoreContent, Manifest, StoredObject, Volume};
use crate::odoo::{OdooFacts, odoo_facts};
use crate::postgres::{self, Endpoint, PostgresError, ServerFacts, Session, Tool, Tools};
use crate::progress::Task;
use crate::repository::{Draft, Repository};
use crate::run::Run;
use crate::stream::{Level, encode};

/// How a backup is made.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions {
    /// Compression of the dump and of the volumes.
    pub level: Level,
    /// Threads of zstd's own for the dump.
    pub dump_threads: u32,
    /// Volumes that are written at once.
    pub parallel_volumes: u32,
    /// When a volume is full.
    pub volume: Limits,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self { level: Level::default(), dump_threads: 1, parallel_volumes: 2, volume: Limits::default() }
    }
}

/// Backs up an instance. When this returns `Ok`, the backup exists and is whole; when it does not, nothing of it is visible.
///
/// # Errors
/// Whatever failed first, as the cause of [`Error::Verb`]. What had been stored is deleted again.
pub async fn backup(
    repository: &Repository,
    instance: &Instance,
    options: BackupOptions,
    run: &Run,
) -> Result<Manifest, Error> {
    let result = run.until_cancelled(begin(instance)).await;
    let result = match result {
        Ok(source) => store(repository, instance, &source, options, run).await,
        Err(error) => Err(error),
    };
    result.map_err(|error| error.during(format!("back up {}", instance.name)))
}

/// The source as of one moment. The session's transaction holds the snapshot open for pg_dump.
struct Source {
    session: Session,
    snapshot: String,
    taken_at: Timestamp,
    server: ServerFacts,
    odoo: Option<OdooFacts>,
    pg_dump: Tool,
}

async fn begin(instance: &Instance) -> Result<Source, Error> {
    let session = postgres::connect(&Endpoint::resolve(&instance.database)).await?;
    let (snapshot, taken_at) = export_snapshot(&session).await?;
    let server = postgres::server_facts(&session).await?;
    let odoo = odoo_facts(&session).await?;
    let tools = Tools::new(instance.database.pg_path.as_deref());
    let pg_dump = tools.find("pg_dump", server.major()).await?;
    Ok(Source { session, snapshot, taken_at, server, odoo, pg_dump })
}

/// Opens the one transaction from which everything is read, and names its snapshot for pg_dump.
async fn export_snapshot(session: &Session) -> Result<(String, Timestamp), PostgresError> {
    let failed = || session.failed("take a snapshot");
    session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed())?;
    let row = session.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed())?;
    Ok((row.get(0), Timestamp::now()))
}

async fn store(
    repository: &Repository,
    instance: &Instance,
    source: &Source,
    options: BackupOptions,
    run: &Run,
) -> Result<Manifest, Error> {
    let draft = repository.begin(&instance.name, source.taken_at);
    let stored = run.until_cancelled(async {
        tokio::try_join!(
            store_database(&draft, source, options, run),
            store_filestore(&draft, instance, source.odoo.as_ref(), options, run),
        )
    });
    let committed = match stored.await {
        // From here on it takes a moment and is not to be stopped halfway: a server goes on with a request that nobody waits for,
        // and the manifest would appear after all else was discarded.
        Ok((database, (filestore, warnings))) => {
            let manifest = manifest(&draft, instance, source, database, filestore, warnings);
            draft.commit(&manifest).await.map(|()| manifest).map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    match committed {
        Ok(manifest) => Ok(manifest),
        Err(error) => {
            if let Err(left) = draft.discard().await {
                run.progress
                    .warn(&format!("unable to delete what the failed backup {} left behind: {left}", draft.id()));
            }
            Err(error)
        }
    }
}

fn manifest(
    draft: &Draft,
    instance: &Instance,
    source: &Source,
    database: StoredObject,
    filestore: FilestoreContent,
    mut warnings: Vec<String>,
) -> Manifest {
    if source.odoo.is_none() {
        let name = &instance.database.name;
        warnings.push(format!("database {name:?} is not Odoo's: it has no ir_module_module and ir_attachment"));
    }
    Manifest {
        format: FORMAT,
        id: draft.id().clone(),
        instance: instance.name.clone(),
        created_at: source.taken_at,
        finished_at: Timestamp::now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        server: source.server.clone(),
        odoo: source.odoo.clone(),
        database: DatabaseContent {
            name: instance.database.name.clone(),
            pg_dump: source.pg_dump.version.clone(),
            object: database,
        },
        filestore,
        warnings,
    }
}

async fn store_database(
    draft: &Draft,
    source: &Source,
    options: BackupOptions,
    run: &Run,
) -> Result<StoredObject, Error> {
    // The server counts indexes, of which a dump holds only the definition: the dump is smaller, by how much nobody knows.
    let task = run.progress.task("database", None);
    let dump = postgres::dump(&source.pg_dump, source.session.endpoint(), &source.snapshot)?;
    let encoded = encode(dump, options.level, options.dump_threads, task);
    Ok(draft.add("database.dump.zst", encoded).await?.0)
}

/// Stores the files, and returns what there is to be known of them beside what is to be warned of.
async fn store_filestore(
    draft: &Draft,
    instance: &Instance,
    odoo: Option<&OdooFacts>,
    options: BackupOptions,
    run: &Run,
) -> Result<(FilestoreContent, Vec<String>), Error> {
    let batches = match Batches::open(&instance.filestore) {
        // A database without attachments has no folder until the first one comes.
        Err(FilestoreError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && odoo.is_none_or(|odoo| odoo.attachment_files == 0) =>
        {
            return Ok((FilestoreContent { files: 0, bytes: 0, volumes: Vec::new() }, Vec::new()));
        }
        other => Arc::new(Mutex::new(other?)),
    };
    let task = run.progress.task("filestore", odoo.map(|odoo| odoo.attachment_bytes));
    let numbers = AtomicU32::new(1);
    let writers =
        (0..options.parallel_volumes.max(1)).map(|_| store_volumes(draft, &batches, &numbers, options, &task));
    let mut volumes = futures::future::try_join_all(writers).await?.concat();
    volumes.sort_by(|a, b| a.object.key.cmp(&b.object.key));
    let skipped = batches.lock().unwrap_or_else(PoisonError::into_inner).take_skipped();
    let content = FilestoreContent {
        files: volumes.iter().map(|volume| volume.files).sum(),
        bytes: volumes.iter().map(|volume| volume.bytes).sum(),
        volumes,
    };
    Ok((content, warnings_of(&skipped)))
}

/// One warning for each of the first paths, and one that counts the others.
fn warnings_of(skipped: &[String]) -> Vec<String> {
    const NAMED: usize = 20;
    let named = skipped.iter().take(NAMED);
    let mut warnings: Vec<_> = named
        .map(|path| format!("{path:?} in the filestore is neither a file nor a folder, and is not backed up"))
        .collect();
    if skipped.len() > NAMED {
        warnings.push(format!(
            "{} others in the filestore are neither files nor folders, and are not backed up",
            skipped.len() - NAMED
        ));
    }
    warnings
}

/// Writes one volume after the other for as long as there are files, beside others who do the same.
async fn store_volumes(
    draft: &Draft,
    batches: &Arc<Mutex<Batches>>,
    numbers: &AtomicU32,
    options: BackupOptions,
    task: &Task,
) -> Result<Vec<Volume>, Error> {
    let mut volumes = Vec::new();
    while let Some(first) = next_batch(batches).await? {
        let name = format!("filestore-{:04}", numbers.fetch_add(1, Ordering::Relaxed));
        let volume = write_volume(first, batches.clone(), options.volume, options.level, task.clone());
        let (object, WrittenVolume { files, bytes, list }) = draft.add(&format!("{name}.tar.zst"), volume).await?;
        let (list, ()) = draft.add(&format!("{name}.files.zst"), list).await?;
        volumes.push(Volume { files, bytes, object, list });
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

#[cfg(test)]
mod tests;
