//! What a verb fails with, and how any error is told to a person.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io;

use tokio_postgres::error::DbError;

use crate::backup::OtherDatabase;
use crate::config::{ConfigError, UnknownName};
use crate::filestore::FilestoreError;
use crate::import::ImportError;
use crate::odoo::{AnonymizeError, NeutralizeError};
use crate::postgres::PostgresError;
use crate::repository::{LockError, RepositoryError};
use crate::restore::{Obstacle, RestoreError};
use crate::store::StoreError;
use crate::stream::{Malformed, Mismatch};
use crate::verify::Verification;

/// A verb's failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The repository, or what was looked for in it.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The store under the repository.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A PostgreSQL server or one of its programs.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The filestore's folder.
    #[error(transparent)]
    Filestore(#[from] FilestoreError),
    /// A copy could not be made harmless.
    #[error("unable to neutralize the copy")]
    Neutralize(#[source] NeutralizeError),
    /// A copy could not be made anonymous.
    #[error("unable to anonymize the copy")]
    Anonymize(#[source] AnonymizeError),
    /// A target that cannot be replaced or given back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A file that cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The operating system, while the named thing was done.
    #[error("unable to {action}")]
    Io {
        /// What was being done, to what.
        action: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A verb as a whole.
    #[error("unable to {action}")]
    Verb {
        /// `back up production`
        action: String,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// Something of that name is there already.
    #[error("{what} exists already")]
    Exists {
        /// `the database "staging" at localhost:5432`
        what: String,
    },
    /// What came back is not what the manifest says.
    #[error("{what}: expected {expected}, found {found}")]
    Differs {
        /// What was compared: `files of the filestore`.
        what: String,
        /// What the manifest says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// A restored copy is not what was backed up.
    #[error("the restored copy is not what was backed up: {}", .0.failures())]
    NotAsBackedUp(Box<Verification>),
    /// A file that the backup does not hold.
    #[error("the backup {backup} holds no file {what:?}")]
    NoSuchFile {
        /// An attachment's id, or a path.
        what: String,
        /// The backup's name.
        backup: String,
    },
    /// A retention policy that cannot be followed.
    #[error(transparent)]
    Plan(retention::PlanError),
    /// A list of attachments where there is none.
    #[error("the backup {backup} has no list of attachments: its database was not Odoo's")]
    NoAttachments {
        /// The backup's name.
        backup: String,
    },
    /// What only a database of Odoo has is asked for.
    #[error("the backup {backup} is not of a database of Odoo")]
    NotOdoo {
        /// The backup's name.
        backup: String,
    },
    /// A target that must not be replaced, or cannot be.
    #[error("the target is refused, and nothing of it was touched")]
    Refused {
        /// All that is in the way.
        obstacles: Vec<Obstacle>,
    },
    /// Another database than that of the latest backup of the same name.
    #[error("{0}")]
    OtherDatabase(Box<OtherDatabase>),
    /// Nothing advanced any more.
    #[error("nothing advanced for {seconds} seconds, and the run was stopped")]
    Stalled {
        /// How long.
        seconds: u64,
    },
    /// Stopped by whoever runs it.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Says which verb failed, on what: `back up production`.
    pub fn during(self, action: impl Into<String>) -> Self {
        Self::Verb { action: action.into(), source: Box::new(self) }
    }

    /// Whether another does at this moment what excludes it, so that it can be tried again when that is done.
    pub fn is_held_elsewhere(&self) -> bool {
        match self {
            Self::Repository(RepositoryError::Lock(error)) => matches!(error, LockError::Held { .. }),
            Self::Verb { source, .. } => source.is_held_elsewhere(),
            _ => false,
        }
    }

    /// Whether the database is another one than that of the latest backup.
    pub fn is_other_database(&self) -> bool {
        match self {
            Self::OtherDatabase(_) => true,
            Self::Verb { source, .. } => source.is_other_database(),
            _ => false,
        }
    }

    /// Whether it was stopped rather than that it failed.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Verb { source, .. } => source.is_interruption(),
            _ => false,
        }
    }

    /// Whether an object of the repository is missing or not what it was, rather than that something was in the way.
    pub fn is_damage(&self) -> bool {
        self.first_in_causes(says_damaged).unwrap_or(false)
    }

    /// Whether what it says of an object may be another the next time: its bytes came wrong, or not
    /// at all. What they hold stays the same.
    pub(crate) fn is_of_one_reading(&self) -> bool {
        let of_reading = |error: &(dyn StdError + 'static)| {
            let of_content = error.is::<Malformed>() || error.is::<FilestoreError>();
            let of_bytes = error.is::<Mismatch>() || error.is::<StoreError>();
            (of_content || of_bytes).then_some(of_bytes)
        };
        self.is_damage() && self.first_in_causes(of_reading).unwrap_or(false)
    }

    /// What the first in the row of causes says that says anything.
    fn first_in_causes<T>(&self, says: impl Fn(&(dyn StdError + 'static)) -> Option<T>) -> Option<T> {
        let mut current: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = current {
            if let Some(said) = says(error) {
                return Some(said);
            }
            current = match error.downcast_ref::<Self>() {
                // These pass on what their cause says, and are not found by way of it.
                Some(Self::Repository(RepositoryError::Store(error))) => Some(error),
                Some(Self::Repository(error)) => Some(error),
                Some(Self::Store(error)) => Some(error),
                Some(Self::Verb { source, .. }) => Some(&**source),
                _ => cause(error),
            };
        }
        None
    }

    /// What of PostgreSQL's it comes from, however deep.
    pub(crate) fn of_postgres(&self) -> Option<&PostgresError> {
        let mut current: Option<&(dyn StdError + 'static)> = Some(self);
        while let Some(error) = current {
            if let Some(found) = error.downcast_ref::<PostgresError>() {
                return Some(found);
            }
            current = match error.downcast_ref::<Self>() {
                Some(Self::Postgres(error)) => return Some(error),
                Some(Self::Repository(RepositoryError::Store(error)) | Self::Store(error)) => Some(error),
                Some(Self::Repository(error)) => Some(error),
                Some(Self::Verb { source, .. }) => Some(&**source),
                _ => cause(error),
            };
        }
        None
    }

    /// Whether a copy was not what had been backed up, or could not be, rather than that something was in the way.
    pub fn refutes_backup(&self) -> bool {
        match self {
            Self::Verb { source, .. } => source.refutes_backup(),
            Self::NotAsBackedUp(_) | Self::Differs { .. } => true,
            _ => self.is_damage(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Repository(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Postgres(error) => error.hint(),
            Self::Filestore(error) => error.hint(),
            Self::Neutralize(error) => error.hint(),
            Self::Anonymize(error) => error.hint(),
            Self::Restore(error) => error.hint(),
            Self::Import(error) => error.hint(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => Some(
                "mount the file system writable; in a systemd service with `ProtectSystem=strict`, add the folder to \
                      `ReadWritePaths=` of its unit by `systemctl edit`"
                    .into(),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Some("free some space".into()),
            Self::Exists { .. } => {
                Some("nothing that exists is replaced: choose another name or target, or rename what is there".into())
            }
            Self::Differs { .. } | Self::NotAsBackedUp(_) => {
                Some("`odoo-backup check --read-data` says what is damaged; restore another backup".into())
            }
            Self::Plan(error) => Some(error.hint().to_owned()),
            Self::NoSuchFile { backup, .. } => Some(format!("`odoo-backup files {backup}` lists those that it holds")),
            Self::Stalled { .. } => Some(
                "see whether the database and the repository answer (`odoo-backup doctor`); what is slow by nature needs a longer `stall_timeout`"
                    .into(),
            ),
            Self::NotOdoo { .. } => Some("`--format dump` exports any database".into()),
            Self::Refused { obstacles } => {
                let hints: BTreeSet<_> = obstacles.iter().map(|one| one.hint.as_str()).collect();
                Some(hints.into_iter().collect::<Vec<_>>().join("; "))
            }
            Self::OtherDatabase(other) => Some(other.hint()),
            Self::NoAttachments { .. } | Self::Io { .. } | Self::Verb { .. } | Self::Interrupted => None,
        }
    }
}

/// Whether a failure to read an object, or any of its causes, says that the object is not what it
/// was. Trouble of this machine or of the way to the object says nothing of it.
pub(crate) fn speaks_of_object(error: &(dyn StdError + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(says) = says_damaged(error) {
            return says;
        }
        current = cause(error);
    }
    false
}

/// What one error in a row of causes says of the object that was read; `None` where its cause has
/// to be asked.
fn says_damaged(error: &(dyn StdError + 'static)) -> Option<bool> {
    if let Some(store) = error.downcast_ref::<StoreError>() {
        return Some(store.is_of_object());
    }
    if let Some(filestore) = error.downcast_ref::<FilestoreError>() {
        return Some(!matches!(filestore, FilestoreError::Io { .. }));
    }
    let is_damage = error.is::<Mismatch>()
        || error.is::<Malformed>()
        || matches!(error.downcast_ref(), Some(RepositoryError::Damaged { .. }));
    is_damage.then_some(true)
}

/// An error as people and machines are told of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// What failed.
    pub message: String,
    /// Why, from the nearest cause to the root.
    pub causes: Vec<String>,
    /// What to do about it, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is in the way of a restore, one by one; empty for other errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<Obstacle>,
}

impl Explanation {
    /// In a line, with what to do about it: for a warning, which has no other place for that.
    pub fn with_hint(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{self}{hint}")
    }
}

impl std::fmt::Display for Explanation {
    /// In a line: what failed, and why.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        let separators = std::iter::once(": ").chain(std::iter::repeat("; "));
        separators.zip(&self.obstacles).try_for_each(|(separator, one)| write!(f, "{separator}{}", one.message))
    }
}

/// Texts of libraries that only say that a cause follows.
const NOISE: [&str; 3] = ["db error", "error connecting to server", "the data to be stored could not be produced"];

/// Walks down an error's causes. The hint nearest to the root is the most exact one.
pub fn explain(error: &(dyn StdError + 'static)) -> Explanation {
    let mut texts: Vec<String> = Vec::new();
    let (mut hint, mut obstacles) = (None, Vec::new());
    let mut current = Some(error);
    while let Some(error) = current {
        let mut text = error.to_string();
        if error.is::<DbError>() {
            shorten(&mut text);
        }
        // Some libraries repeat the cause in their own text.
        let says_nothing = NOISE.contains(&text.as_str()) && cause(error).is_some();
        if !says_nothing && !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
        hint = hint_of(error).or(hint);
        if let Some(Error::Refused { obstacles: found }) = as_verbs(error) {
            obstacles.clone_from(found);
        }
        current = cause(error);
    }
    let message = texts.remove(0);
    Explanation { message, causes: texts, hint, obstacles }
}

/// Leaves out the middle of what a server says: it may quote a row, of any size, and rows are nobody's business.
fn shorten(text: &mut String) {
    const BEGINNING: usize = 300;
    const END: usize = 100;
    if text.len() > BEGINNING + END {
        let (beginning, end) = (text.floor_char_boundary(BEGINNING), text.ceil_char_boundary(text.len() - END));
        text.replace_range(beginning..end, " … ");
    }
}

/// The cause of an error. What travelled through a stream inside an [`io::Error`] is that error's cause.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn StdError + 'static)),
        None => error.source(),
    }
}

fn as_verbs<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    // A boxed error is its own kind of thing to `downcast_ref`.
    error.downcast_ref::<Error>().or_else(|| error.downcast_ref::<Box<Error>>().map(Box::as_ref))
}

/// What can be done where an object is not what was stored.
const DAMAGED: &str = "`odoo-backup check --read-data` says what is damaged; `odoo-backup repair` fixes it where another repository has it intact; else restore an earlier backup (`odoo-backup list`)";

fn hint_of(error: &(dyn StdError + 'static)) -> Option<String> {
    let of_verb = as_verbs(error);
    let hints: [Option<String>; 12] = [
        of_verb.and_then(Error::hint),
        error.downcast_ref::<RepositoryError>().and_then(RepositoryError::hint),
        error.downcast_ref::<StoreError>().and_then(StoreError::hint),
        error.downcast_ref::<PostgresError>().and_then(PostgresError::hint),
        error.downcast_ref::<FilestoreError>().and_then(FilestoreError::hint),
        error.downcast_ref::<NeutralizeError>().and_then(NeutralizeError::hint),
        error.downcast_ref::<AnonymizeError>().and_then(AnonymizeError::hint),
        error.downcast_ref::<RestoreError>().and_then(RestoreError::hint),
        error.downcast_ref::<ImportError>().and_then(ImportError::hint),
        error.downcast_ref::<ConfigError>().and_then(ConfigError::hint),
        error.downcast_ref::<UnknownName>().and_then(UnknownName::hint),
        error.is::<Mismatch>().then(|| DAMAGED.into()),
    ];
    hints.into_iter().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Action, StoreErrorKind};
    use crate::stream::Fingerprint;

    #[test]
    fn finds_the_root_and_its_hint_through_a_stream() {
        let source = io::ErrorKind::NotFound.into();
        let changed = FilestoreError::Io { action: "read", path: "/data/filestore".into(), source };
        let store = StoreError {
            action: Action::Put,
            key: None,
            location: "file:///backups".into(),
            kind: Box::new(StoreErrorKind::Source(changed.into())),
        };
        let explanation = explain(&Error::from(store).during("back up production"));
        assert_eq!(explanation.message, "unable to back up production");
        assert_eq!(explanation.causes.last().unwrap(), "entity not found");
        assert!(explanation.hint.unwrap().contains("check `data_dir`"));
    }

    #[test]
    fn damage_is_told_from_an_outage_however_deep_it_is() {
        let store = |kind| StoreError { action: Action::Get, key: None, location: String::new(), kind: Box::new(kind) };
        let mismatch = Mismatch::Plain { expected: Fingerprint::of(b"a"), found: Fingerprint::of(b"b") };
        let read = |error: io::Error| Error::Io { action: "read it".into(), source: error }.during("restore");
        assert!(read(io::Error::other(mismatch)).is_damage());
        assert!(read(io::Error::other(store(StoreErrorKind::Corrupt("x".into())))).is_damage());
        assert!(!read(io::Error::other(store(StoreErrorKind::Unavailable("x".into())))).is_damage());
        assert!(!read(io::ErrorKind::StorageFull.into()).is_damage());
        assert!(Error::from(store(StoreErrorKind::NotFound)).is_damage());
        assert!(Error::from(RepositoryError::from(store(StoreErrorKind::NotFound))).is_damage());
        assert!(!Error::Interrupted.during("restore").is_damage());
    }

    #[test]
    fn trouble_of_this_machine_is_no_damage() {
        use rustix::io::Errno;
        let store = |error: io::Error| StoreError {
            action: Action::Get,
            key: None,
            location: String::new(),
            kind: Box::new(StoreErrorKind::Io(error)),
        };
        for errno in [Errno::STALE, Errno::MFILE, Errno::NFILE, Errno::NOTCONN, Errno::INTR, Errno::NOMEM, Errno::AGAIN]
        {
            let error = || store(errno.into());
            assert!(!Error::from(error()).is_damage(), "{errno}");
            assert!(!speaks_of_object(&io::Error::other(error())), "{errno}");
            assert!(!speaks_of_object(&io::Error::from(errno)), "{errno}");
        }
        for errno in [Errno::IO, Errno::UCLEAN, Errno::BADMSG] {
            assert!(speaks_of_object(&io::Error::other(store(errno.into()))), "{errno}");
        }
        assert!(speaks_of_object(&io::Error::from(Malformed("no list".into()))));
        assert!(!speaks_of_object(&io::Error::other("a thread died")));
        let full =
            FilestoreError::Io { action: "write", path: "/data".into(), source: io::ErrorKind::StorageFull.into() };
        assert!(!speaks_of_object(&full));
    }

    #[test]
    fn a_hint_is_found_wherever_its_error_stands() {
        let exists = || Error::Exists { what: "the database".into() };
        let wrapped = exists().during("restore");
        for error in [&exists() as &(dyn StdError + 'static), &wrapped, &io::Error::other(exists())] {
            assert!(explain(error).hint.unwrap().contains("or target"), "{error}");
        }
        let repository = Error::from(RepositoryError::NotARepository("file:///backups".into())).during("list");
        assert!(explain(&repository).hint.unwrap().contains("odoo-backup init"));
    }
}
