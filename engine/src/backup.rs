//! `now`: stores an instance's database and filestore in the repository.

mod base;
mod dump;
mod earlier;
mod files;
mod identity;
mod previous;
mod rows;
mod seen;
mod served;

use jiff::{SignedDuration, Timestamp};

pub(crate) use self::identity::tell_apart;
pub use crate::error::OtherDatabase;

use self::dump::{StoredDatabase, store_database};
use self::earlier::Earlier;
use self::files::{StoredFiles, store_files};
use self::identity::DatabaseIdentity;
use self::seen::Seen;
use crate::error::Error;
use crate::filestore::{self, Limits};
use crate::folder;
use crate::instance::Instance;
use crate::manifest::{AttachmentContent, DatabaseContent, FORMAT_1, ImportedFrom, Manifest};
use crate::odoo::{CollectorHold, OdooFacts, Schema, hold_collector, odoo_facts};
use crate::postgres::{
    self, Endpoint, PostgresError, ServerFacts, Session, SourceFacts, SpecialKind, Stubborn, Tool, Tools,
};
use crate::repository::{BackupId, Clocks, Description, Draft, Lock, Purpose, Repository};
use crate::run::Run;
use crate::stream::Level;

/// How a backup is made.
#[derive(Debug, Clone, Copy)]
pub struct BackupOptions {
    /// Compression of the dump and of the volumes.
    pub level: Level,
    /// Threads that compress the dump.
    pub dump_threads: u32,
    /// Volumes written in parallel.
    pub parallel_volumes: u32,
    /// Size at which a volume is full.
    pub volume: Limits,
    /// Store the dump in full, although an earlier one could be built upon.
    pub full: bool,
    /// Read every file, including those that earlier backups contain, to find decay on the source's
    /// disk.
    pub reread: bool,
    /// Back up although more than half of the files that the attachments reference are lost. The
    /// backup lists them, and the next ones no longer count them.
    pub accept_missing: bool,
    /// Continue if the database is another one than that of the latest backup: the operator says
    /// that it replaces the other.
    pub accept_new_identity: bool,
}

impl BackupOptions {
    /// Returns what the configuration says of this instance.
    pub fn of(instance: &Instance) -> Self {
        Self { level: instance.compression_level, ..Self::default() }
    }
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            level: Level::default(),
            dump_threads: 2,
            parallel_volumes: 2,
            volume: Limits::default(),
            full: false,
            reread: false,
            accept_missing: false,
            accept_new_identity: false,
        }
    }
}

/// Backs up an instance. If this returns `Ok`, the backup exists and is intact; otherwise nothing
/// of it is visible.
///
/// # Errors
/// The first failure, as the cause of [`Error::Verb`]. What had been stored is deleted again.
pub async fn backup(
    repository: &Repository,
    instance: &Instance,
    options: BackupOptions,
    run: &Run,
) -> Result<Manifest, Error> {
    let made = repository.locked(&instance.name, Purpose::Backup, run, async |lock| {
        make(repository, lock, instance, None, options).await
    });
    made.await.map_err(|error| error.during(format!("back up {}", instance.name)))
}

/// Result of [`backup_unless_made`].
#[derive(Debug, Clone)]
pub enum Made {
    /// This backup was made.
    Now(Box<Manifest>),
    /// A backup existed already.
    Before(BackupId),
}

/// Backs up an instance as [`backup`] does, unless the repository already has a good backup of its
/// database as of `since` or later, by this machine's clock. The check runs under the instance's
/// lock, so that of several callers, wherever they are, only one makes the backup.
///
/// # Errors
/// As [`backup`]
pub async fn backup_unless_made(
    repository: &Repository,
    instance: &Instance,
    since: Timestamp,
    options: BackupOptions,
    run: &Run,
) -> Result<Made, Error> {
    let made = repository.locked(&instance.name, Purpose::Backup, run, async |lock| {
        match lock.run().until_cancelled(served::by(repository, instance, since)).await? {
            Some(there) => Ok(Made::Before(there)),
            None => make(repository, lock, instance, None, options).await.map(|made| Made::Now(Box::new(made))),
        }
    });
    made.await.map_err(|error| error.during(format!("back up {}", instance.name)))
}

/// Compares an instance's database with that of its latest backup, as [`backup`] does. Returns what
/// the operator should know.
///
/// # Errors
/// [`Error::OtherDatabase`]; those of the server and the repository.
pub(crate) async fn compare_identity(repository: &Repository, instance: &Instance) -> Result<Vec<String>, Error> {
    let own = DatabaseIdentity::ask(instance).await?;
    identity::compare_with_latest(&mut Seen::of(repository, &instance.name).await?, &own, false).await
}

/// What is known of a backup that does not come from a running instance.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The moment that the backup shows.
    pub(crate) created_at: Timestamp,
    /// The database's name at its origin.
    pub(crate) database: String,
    pub(crate) imported: ImportedFrom,
    pub(crate) warnings: Vec<String>,
    /// Whether it came without a filestore, which is one of the warnings.
    pub(crate) without_files: bool,
}

/// Backs up a scratch instance that was imported, as [`backup`] does.
///
/// # Errors
/// As [`backup`]
pub(crate) async fn backup_imported(
    repository: &Repository,
    scratch: &Instance,
    origin: Origin,
    options: BackupOptions,
    run: &Run,
) -> Result<Manifest, Error> {
    let made = repository.locked(&scratch.name, Purpose::Backup, run, async |lock| {
        make(repository, lock, scratch, Some(origin), options).await
    });
    made.await
}

async fn make(
    repository: &Repository,
    lock: &Lock,
    instance: &Instance,
    origin: Option<Origin>,
    options: BackupOptions,
) -> Result<Manifest, Error> {
    filestore::known(&instance.filestore)?;
    let begun = async {
        let (mut source, hold) = begin(instance, origin).await?;
        source.correct_date(repository.clocks().await);
        let mut seen = Seen::of(repository, &instance.name).await?;
        let own = source.identity(instance);
        let remarks = identity::compare_with_latest(&mut seen, &own, options.accept_new_identity).await?;
        source.remarks.extend(remarks);
        Ok::<_, Error>((source, hold, seen))
    };
    let (source, hold, seen) = lock.run().until_cancelled(begun).await?;
    if source.session.is_superuser() {
        let role = &source.session.endpoint().user;
        lock.run().progress.warn(&format!("the role {role:?} is a superuser: a backup does not need these rights"));
    }
    store(seen, lock, instance, &source, hold, options).await
}

/// The source at one moment. The session's transaction keeps the snapshot open for pg_dump.
struct Source {
    session: Session,
    snapshot: String,
    taken_at: Timestamp,
    server: ServerFacts,
    facts: SourceFacts,
    odoo: Option<OdooFacts>,
    /// Settings that may remove rows from the dump.
    lossy: Vec<Stubborn>,
    /// Why the database is not considered Odoo's, if so.
    not_odoo: Option<String>,
    pg_dump: Tool,
    origin: Option<Origin>,
    /// How far this machine's clock is behind.
    behind: SignedDuration,
    /// What the operator should know.
    remarks: Vec<String>,
}

impl Source {
    /// Dates the backup by the repository's clock where this machine's is behind: otherwise older
    /// backups would seem newer. If it is ahead, it is unknown which of the two is right, and the
    /// backup does not count until its date has come.
    fn correct_date(&mut self, clocks: Clocks) {
        let Some(disagreement) = clocks.disagreement().filter(|_| self.origin.is_none()) else { return };
        let ahead = clocks.ahead();
        if ahead.is_negative() {
            self.behind = ahead.abs();
            self.taken_at = self.right(self.taken_at);
            self.remarks.push(format!("{disagreement}; the backup is dated by the latter: set the clock"));
        } else {
            self.remarks.push(format!(
                "{disagreement}: the backup is dated in the future, and does not count until then; set the clock and back up again"
            ));
        }
    }

    /// Returns a time of this machine's clock, corrected.
    fn right(&self, time: Timestamp) -> Timestamp {
        time.checked_add(self.behind).unwrap_or(time)
    }

    fn identity(&self, instance: &Instance) -> DatabaseIdentity {
        let database = self.origin.as_ref().map_or(&instance.database.name, |origin| &origin.database);
        DatabaseIdentity::new(database, &self.server, self.odoo.as_ref(), self.origin.is_some())
    }
}

async fn begin(instance: &Instance, origin: Option<Origin>) -> Result<(Source, Option<CollectorHold>), Error> {
    let session = postgres::connect(&Endpoint::resolve(&instance.database)).await?;
    let hold = match hold_collector(&session, instance.hold_filestore_gc).await? {
        Ok(hold) => Some(hold),
        Err(reason) => {
            tracing::info!(instance = instance.name, reason, "Odoo's garbage collector is not locked out");
            None
        }
    };
    let (snapshot, taken_at) = export_snapshot(&session).await?;
    let taken_at = origin.as_ref().map_or(taken_at, |origin| origin.created_at);
    let server = postgres::server_facts(&session).await?;
    let facts = postgres::source_facts(&session).await?;
    let mut lossy = postgres::stubborn_settings(&session).await?;
    // A database that is only read runs no triggers.
    lossy.retain(|setting| setting.name != "session_replication_role");
    let odoo = odoo_facts(&session).await?;
    let not_odoo = match &odoo {
        Some(_) => None,
        None => {
            Some(Schema::reason_not_odoo(&session).await?.unwrap_or_else(|| "its tables differ from Odoo's".into()))
        }
    };
    let tools = Tools::new(instance.database.pg_path.as_deref());
    let pg_dump = tools.find("pg_dump", server.major()).await?;
    tracing::info!(instance = instance.name, server = server.version, pg_dump = %pg_dump, collector_held = hold.is_some(), "snapshot taken");
    let (behind, remarks) = (SignedDuration::ZERO, Vec::new());
    let source =
        Source { session, snapshot, taken_at, server, facts, lossy, odoo, not_odoo, pg_dump, origin, behind, remarks };
    Ok((source, hold))
}

/// Opens the one transaction from which everything is read, and exports its snapshot for pg_dump.
async fn export_snapshot(session: &Session) -> Result<(String, Timestamp), PostgresError> {
    let failed = || session.failed("take a snapshot");
    session.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(failed())?;
    let row = session.query_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed())?;
    Ok((row.get(0), Timestamp::now()))
}

async fn store(
    seen: Seen<'_>,
    lock: &Lock,
    instance: &Instance,
    source: &Source,
    hold: Option<CollectorHold>,
    options: BackupOptions,
) -> Result<Manifest, Error> {
    let run = lock.run();
    let draft = seen.repository.begin(&instance.name, source.taken_at).after(&seen.listed);
    let earlier = run.until_cancelled(Earlier::than(seen, draft.id())).await?;
    let stored = run.until_cancelled(async {
        tokio::try_join!(
            store_database(&draft, instance, source, &earlier, options, run),
            store_files(&draft, instance, source, &earlier, hold, options, run),
        )
    });
    let committed = match stored.await {
        // From here it takes a moment and must not be stopped halfway: a server continues a request
        // even if its client is gone, and the manifest would appear after everything else was
        // discarded.
        Ok((database, files)) => {
            tracing::info!(backup = %draft.id(), "everything is stored, writing the manifest");
            let manifest = manifest(&draft, instance, source, earlier, database, files);
            let committed = async {
                // If the lock was lost, a prune might not have seen this backup.
                lock.confirm().await?;
                draft.commit(&manifest).await
            };
            committed.await.map(|()| manifest).map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    folder::take_tolerated().iter().for_each(|sentence| run.progress.warn(sentence));
    match committed {
        Ok(manifest) => Ok(manifest),
        Err(error) => {
            if let Err(left) = draft.discard().await {
                run.progress.warn(&format!("unable to delete the remains of the failed backup {}: {left}", draft.id()));
            }
            Err(error)
        }
    }
}

fn manifest(
    draft: &Draft,
    instance: &Instance,
    source: &Source,
    earlier: Earlier<'_>,
    database: StoredDatabase,
    files: StoredFiles,
) -> Manifest {
    let StoredFiles { attachments, filestore, warnings: of_files } = files;
    let mut warnings = earlier.warnings;
    warnings.extend(of_files);
    warnings.extend(attachments.iter().filter_map(AttachmentContent::warning));
    warnings.extend(source.remarks.iter().cloned());
    warnings.extend(database.warnings);
    let unlogged = &source.facts.unlogged;
    if source.server.in_recovery && !unlogged.is_none() {
        warnings.push(format!(
            "rows of unlogged tables are not in the backup, because a hot standby has none: {unlogged}; back up from the primary to include them"
        ));
    }
    let subscriptions = source.facts.names_of(SpecialKind::Subscription);
    if !source.session.is_superuser() && !subscriptions.is_none() {
        warnings.push(format!(
            "subscriptions are not in the backup, because only a superuser can dump them: {subscriptions}"
        ));
    }
    let origin = source.origin.as_ref();
    warnings.extend(origin.iter().flat_map(|origin| origin.warnings.clone()));
    warnings.extend(source.lossy.iter().map(|Stubborn { name, value }| {
        format!("{name} is set to {value}: the server skips damaged rows, which are then missing from the dump")
    }));
    warnings.extend(source.odoo.iter().flat_map(|odoo| odoo.oddities.clone()));
    if let Some(reason) = &source.not_odoo {
        let name = origin.map_or(&instance.database.name, |origin| &origin.database);
        warnings.push(format!("database {name:?} is not Odoo's: {reason}"));
    }
    let Description { format, id: repository, .. } = earlier.repository.description();
    let format = *format;
    Manifest {
        format,
        id: draft.id().clone(),
        instance: instance.name.clone(),
        origin: (format > FORMAT_1).then(|| repository.clone()),
        previous: earlier.link.filter(|_| format > FORMAT_1),
        keys: Vec::new(),
        created_at: source.taken_at,
        finished_at: source.right(Timestamp::now()),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        server: source.server.clone(),
        source: Some(source.facts.clone()),
        odoo: source.odoo.clone(),
        attachments,
        database: DatabaseContent {
            name: origin.map_or(&instance.database.name, |origin| &origin.database).clone(),
            pg_dump: source.pg_dump.version.clone(),
            dump: database.dump,
            rows: database.rows,
        },
        filestore,
        imported: origin.map(|origin| origin.imported.clone()),
        warnings,
    }
}

#[cfg(test)]
mod tests;
