//! What can be wrong, and how bad it is: the one table.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How bad something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// A person should look; it can wait.
    Warning,
    /// Something is not as it must be.
    Failed,
}

impl Severity {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReasonKind)]
pub enum ReasonKind {
    /// The repository cannot be read, and nothing of it is known.
    RepositoryUnread,
    /// The daemon has just begun and has not read the repository.
    RepositoryNotRead,
    /// The repository could be read before, and cannot be read now.
    RepositoryOutdated,
    /// A folder of the repository cannot be read.
    FolderUnreadable,
    /// The clocks of this machine and of the repository differ.
    Clock,
    /// What the repository lists cannot be right.
    Listing,
    /// A manifest cannot be read.
    ManifestUnreadable,
    /// Objects that a backup needs are known to be damaged.
    BackupDamaged,
    /// A backup is dated in the future.
    BackupFuture,
    /// A backup failed verification: a restored copy differed from it.
    BackupRefuted,
    /// There is no backup, and none is being made.
    NoBackup,
    /// There are backups, none of them is good, and none is being made.
    NoGoodBackup,
    /// The newest good backup is older than it may be.
    Stale,
    /// The latest run of a job failed.
    RunFailed,
    /// The latest run of a job broke off with the daemon, and none makes up for it at this moment.
    RunLost,
    /// The newest backup was made with warnings.
    BackupWarnings,
    /// Retention removes nothing.
    RetentionHeld,
    /// There are schedules and no daemon.
    DaemonDown,
    /// What the daemon did, or how its notifiers fare, cannot be read.
    StateUnreadable,
    /// What the daemon does cannot be written down.
    StateUnwritable,
    /// A notifier takes nothing.
    NotifierFailing,
}

impl ReasonKind {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 21] = [
        Self::RepositoryUnread,
        Self::RepositoryNotRead,
        Self::RepositoryOutdated,
        Self::FolderUnreadable,
        Self::Clock,
        Self::Listing,
        Self::ManifestUnreadable,
        Self::BackupDamaged,
        Self::BackupFuture,
        Self::BackupRefuted,
        Self::NoBackup,
        Self::NoGoodBackup,
        Self::Stale,
        Self::RunFailed,
        Self::RunLost,
        Self::BackupWarnings,
        Self::RetentionHeld,
        Self::DaemonDown,
        Self::StateUnreadable,
        Self::StateUnwritable,
        Self::NotifierFailing,
    ];

    /// Returns how bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::RepositoryUnread
            | Self::RepositoryOutdated
            | Self::FolderUnreadable
            | Self::Clock
            | Self::Listing
            | Self::ManifestUnreadable
            | Self::BackupDamaged
            | Self::BackupFuture
            | Self::BackupRefuted
            | Self::NoBackup
            | Self::NoGoodBackup
            | Self::Stale
            | Self::RunFailed
            | Self::RunLost => Severity::Failed,
            Self::RepositoryNotRead
            | Self::BackupWarnings
            | Self::RetentionHeld
            | Self::DaemonDown
            | Self::StateUnreadable
            | Self::StateUnwritable
            | Self::NotifierFailing => Severity::Warning,
        }
    }

    /// Returns its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RepositoryUnread => "repository_unread",
            Self::RepositoryNotRead => "repository_not_read",
            Self::RepositoryOutdated => "repository_outdated",
            Self::FolderUnreadable => "folder_unreadable",
            Self::Clock => "clock",
            Self::Listing => "listing",
            Self::ManifestUnreadable => "manifest_unreadable",
            Self::BackupDamaged => "backup_damaged",
            Self::BackupFuture => "backup_future",
            Self::BackupRefuted => "backup_refuted",
            Self::NoBackup => "no_backup",
            Self::NoGoodBackup => "no_good_backup",
            Self::Stale => "stale",
            Self::RunFailed => "run_failed",
            Self::RunLost => "run_lost",
            Self::BackupWarnings => "backup_warnings",
            Self::RetentionHeld => "retention_held",
            Self::DaemonDown => "daemon_down",
            Self::StateUnreadable => "state_unreadable",
            Self::StateUnwritable => "state_unwritable",
            Self::NotifierFailing => "notifier_failing",
        }
    }

    /// Returns the word for an instance of which this is the worst.
    pub(super) fn state(self) -> InstanceState {
        match self {
            Self::RepositoryUnread | Self::RepositoryNotRead => InstanceState::Unknown,
            Self::NoBackup | Self::NoGoodBackup => InstanceState::Empty,
            Self::Stale => InstanceState::Stale,
            _ => match self.severity() {
                Severity::Ok => InstanceState::Ok,
                Severity::Warning => InstanceState::Warning,
                Severity::Failed => InstanceState::Failing,
            },
        }
    }

    /// Returns whether it concerns the repository as a whole, and so is the same for every
    /// instance.
    pub fn is_of_repository(self) -> bool {
        matches!(self, Self::RepositoryUnread | Self::RepositoryNotRead | Self::Clock)
    }

    /// Returns whether it causes a notice of its own, once a day while it lasts. Failed runs and
    /// stale backups have their own notices: a failed verification is reported by the run that
    /// restored.
    pub(crate) fn is_alarm(self) -> bool {
        matches!(
            self,
            Self::FolderUnreadable
                | Self::Clock
                | Self::Listing
                | Self::ManifestUnreadable
                | Self::BackupDamaged
                | Self::BackupFuture
        )
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ConditionReason {
    /// What is wrong, in a word that programs may rely on.
    #[serde(rename = "reason")]
    pub kind: ReasonKind,
    severity: Severity,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl ConditionReason {
    /// Returns a reason of this kind.
    pub fn new(kind: ReasonKind, message: impl Into<String>) -> Self {
        Self { kind, severity: kind.severity(), message: message.into() }
    }

    /// Returns how bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// The word of the API for how an instance is; the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InstanceState {
    /// The repository has not been read.
    Unknown,
    /// Something failed.
    Failing,
    /// There is no good backup.
    Empty,
    /// Its newest good backup is older than it may be.
    Stale,
    /// Nothing failed; something should be looked at.
    Warning,
    /// All is as it should be.
    Ok,
}
