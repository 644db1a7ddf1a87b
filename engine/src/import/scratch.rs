//! The database and the folder that an import works in, and the remains of imports that were
//! killed.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ImportError;
use super::source::Source;
use crate::cause;
use crate::disk::Disk;
use crate::error::{Error, explain};
use crate::postgres::{self, Database, Endpoint, Locale, PostgresError, Session};
use crate::repository::RepositoryError;
use crate::run::Run;

/// Beginning of the names of scratch databases and, after a dot, of scratch folders; eight
/// hexadecimal digits follow.
const PREFIX: &str = "odoo_backup_import_";

/// A file in a scratch folder, locked by the process that works there.
const LOCK: &str = "lock";

/// A scratch database and a scratch folder. They must be [removed](Scratch::remove).
#[derive(Debug)]
pub(super) struct Scratch {
    name: String,
    folder: PathBuf,
    /// A session on another database of the server. It holds the lock that marks the scratch
    /// database as in use.
    maintenance: Session,
    /// A session on the scratch database. While it is open, no role can copy the database, which
    /// any role with CREATEDB could while it is hidden as a template.
    session: Session,
    /// Locked for as long as it is open.
    _lock: File,
    /// Threads that write to the folder.
    writers: TaskTracker,
    stop: Stop,
}

/// Stops threads that read a file on this machine, which nothing else would.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(CancellationToken);

/// Fails once it must stop.
pub(super) struct Stoppable<R> {
    inner: R,
    stop: CancellationToken,
}

impl Stop {
    pub(super) fn reader<R: Read>(&self, inner: R) -> Stoppable<R> {
        Stoppable { inner, stop: self.0.clone() }
    }
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.stop.is_cancelled() {
            // Not `Interrupted`, which would be retried.
            true => Err(io::Error::other("stopped")),
            false => self.inner.read(buf),
        }
    }
}

impl Scratch {
    /// Creates both, after removing what others left. Returns what that was.
    pub(super) async fn begin(
        server: &Database,
        source: &Source,
        trusted: bool,
        run: &Run,
    ) -> Result<(Self, Vec<String>), Error> {
        let maintenance = postgres::connect_maintenance(&Endpoint::resolve(server)).await?;
        if !trusted && postgres::is_powerful(&maintenance).await? {
            return Err(ImportError::PowerfulRole { role: maintenance.endpoint().user.clone() }.into());
        }
        let above = std::env::temp_dir();
        let cleared = clear(&maintenance, &above).await?;
        cleared.iter().for_each(|text| run.progress.warn(text));
        check_room(&above, source.filestore_bytes().unwrap_or(0))?;

        let number = getrandom::u32().map_err(RepositoryError::from)?;
        let name = format!("{PREFIX}{number:08x}");
        if !postgres::claim_database(&maintenance, &name).await? {
            return Err(Error::Exists { what: format!("an import named {name}") });
        }
        let folder = above.join(format!(".{name}"));
        let lock = make_folder(&folder).map_err(|source| io_error("make", &folder, source))?;
        let made = async {
            let locale = as_odoo_creates(&maintenance, source).await?;
            postgres::create_hidden_database(&maintenance, &name, &locale).await?;
            postgres::connect(&maintenance.endpoint().with_database(&name)).await
        };
        let session = match made.await {
            Ok(session) => session,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&folder);
                let _ = postgres::drop_database(&maintenance, &name).await;
                return Err(error.into());
            }
        };
        let (writers, stop) = (TaskTracker::new(), Stop::default());
        Ok((Self { name, folder, maintenance, session, _lock: lock, writers, stop }, cleared))
    }

    /// Returns the session on the scratch database.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Does `work`, and reports progress as long as the server works in the scratch database.
    pub(super) async fn with_pulse<T>(&self, run: &Run, work: impl Future<Output = T>) -> T {
        postgres::with_pulse(&self.maintenance, Some(&self.name), &run.progress, work).await
    }

    /// Returns the scratch database, on the server of `server`.
    pub(super) fn database(&self, server: &Database) -> Database {
        Database { name: self.name.clone(), ..server.clone() }
    }

    /// Returns a folder that only this user can read.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns where the filestore is unpacked.
    pub(super) fn filestore(&self) -> PathBuf {
        self.folder.join("filestore")
    }

    /// Returns the tracker of the threads that write there.
    pub(super) fn writers(&self) -> &TaskTracker {
        &self.writers
    }

    /// Returns what stops the threads that read in order to write there.
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Removes both. Returns what could not be removed, in words.
    pub(super) async fn remove(self) -> Vec<String> {
        self.stop.0.cancel();
        self.writers.close();
        self.writers.wait().await;
        drop(self.session);
        let mut left = Vec::new();
        // The connection may have made the import fail.
        let dropped = match postgres::drop_database(&self.maintenance, &self.name).await {
            Ok(()) => Ok(()),
            Err(_) => drop_over_new_connection(self.maintenance.endpoint(), &self.name).await,
        };
        if let Err(error) = dropped {
            left.push(format!("{}; the next import tries again to drop the database {:?}", explain(&error), self.name));
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            let (folder, why) = (self.folder.display(), cause::line(&error));
            left.push(format!("unable to remove the folder {folder}: {why}; the next import tries again"));
        }
        left
    }
}

async fn drop_over_new_connection(endpoint: &Endpoint, name: &str) -> Result<(), PostgresError> {
    let maintenance = postgres::connect_maintenance(endpoint).await?;
    postgres::drop_database(&maintenance, name).await
}

/// Creates the database as Odoo does when it restores a zip (`_create_empty_database` in
/// `odoo/service/db.py`): the zip does not contain the original's locale.
async fn as_odoo_creates(session: &Session, source: &Source) -> Result<Locale, PostgresError> {
    let (encoding, ctype) = match source.is_of_any_bytes() {
        // Any other locale would have to interpret the bytes.
        true => ("SQL_ASCII".to_owned(), "C".to_owned()),
        false => ("UTF8".to_owned(), postgres::template_ctype(session).await?),
    };
    let (collate, provider) = ("C".to_owned(), "libc".to_owned());
    Ok(Locale { encoding, collate, ctype, provider, locale: None, rules: None })
}

/// Creates the folder, and a file in it that stays locked until it is closed.
fn make_folder(folder: &Path) -> io::Result<File> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(LOCK))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Removes what interrupted imports left. Returns what that was.
async fn clear(maintenance: &Session, above: &Path) -> Result<Vec<String>, Error> {
    let mut cleared = Vec::new();
    for name in postgres::abandoned_databases(maintenance, PREFIX).await? {
        postgres::drop_database(maintenance, &name).await?;
        cleared.push(format!("dropped the database {name:?}, left by an earlier import"));
    }
    let entries = std::fs::read_dir(above).map_err(|source| io_error("read", above, source))?;
    for folder in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_abandoned(path)) {
        std::fs::remove_dir_all(&folder).map_err(|source| io_error("remove", &folder, source))?;
        cleared.push(format!("removed the folder {}, left by an earlier import", folder.display()));
    }
    Ok(cleared)
}

/// Returns whether it is a scratch folder of this user that no process uses: others can write to
/// `$TMPDIR`, too.
fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()?.strip_prefix('.')?.strip_prefix(PREFIX));
    let is_named = name.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let own = |found: std::fs::Metadata| found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if !is_named || !path.symlink_metadata().is_ok_and(own) {
        return false;
    }
    match File::open(path.join(LOCK)) {
        Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
        // Killed between the two steps; or it is just being created, which takes less than a
        // second.
        Err(_) => path
            .metadata()
            .and_then(|found| found.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > std::time::Duration::from_mins(1))),
    }
}

fn check_room(folder: &Path, needed: u64) -> Result<(), Error> {
    let free = Disk::of(folder)?.free;
    match needed > free {
        true => Err(ImportError::NoRoom { needed, free, folder: folder.to_owned() }.into()),
        false => Ok(()),
    }
}

fn io_error(action: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { action: format!("{action} {}", path.display()), source }
}
