//! A target that only this run works on.

use super::folders::{FolderId, check_movable};
use super::names::{Suffix, TargetNames};
use super::{Pair, Record};
use crate::error::Error;
use crate::filestore;
use crate::postgres::{self, Endpoint, HiddenDatabase, Session};
use crate::restore::RestoreError;
use crate::restore::target::Target;
use crate::run::Run;

/// Keeps every other restore and undo away from the target while its session lives, by a lock that
/// the server releases when this process ends, however it ends.
#[derive(Debug)]
pub(in crate::restore) struct TargetClaim {
    /// The session that holds the lock. It is the same from the start to the swap: if it still
    /// works, the server did not restart and lost nothing in between.
    pub(in crate::restore) server: Session,
    /// The target's names.
    pub(in crate::restore) names: TargetNames,
    /// The record of the restores of this target.
    pub(in crate::restore) record: Record,
}

impl TargetClaim {
    /// Claims the target and reads its record.
    pub(in crate::restore) async fn take(target: &Target, run: &Run) -> Result<Self, Error> {
        filestore::known(&target.filestore)?;
        let names = TargetNames::of(target);
        let server = connect(&Endpoint::resolve(&target.database), &names.database).await?;
        let ReadRecord { record, forgotten } = read_record(&server, &names).await?;
        if let Some(warning) = forgotten {
            run.progress.warn(&warning);
        }
        Ok(Self { server, names, record })
    }

    /// Writes the record.
    pub(in crate::restore) fn save(&self) -> Result<(), RestoreError> {
        self.record.save(&Record::path_of(&self.names.filestore))
    }

    /// Checks that the server did not restart, and lost nothing, since the target was claimed.
    pub(in crate::restore) fn check_connection(&self) -> Result<(), RestoreError> {
        if self.server.is_closed() { Err(RestoreError::ConnectionLost) } else { Ok(()) }
    }

    /// Makes sure that the target is still claimed. If the session was lost, another run may have
    /// come in between: then this claims the target again, and reads the record from the disk.
    pub(in crate::restore) async fn hold(&mut self) -> Result<(), RestoreError> {
        if self.server.batch_execute("SELECT 1").await.is_ok() {
            return Ok(());
        }
        self.server = connect(self.server.endpoint(), &self.names.database).await?;
        let empty = || Record::new(self.record.server.clone(), self.record.database.clone());
        self.record = Record::load(&Record::path_of(&self.names.filestore))?.unwrap_or_else(empty);
        Ok(())
    }

    /// Refuses a target that could not be renamed.
    pub(in crate::restore) async fn check_target(&self) -> Result<(), RestoreError> {
        check_target(&self.server, &self.names).await
    }

    /// Returns what exists under the target's names, as the pair that it will become.
    pub(in crate::restore) async fn look_at_target(&self, becomes: Suffix) -> Result<Pair, RestoreError> {
        look_at(&self.server, &self.names, becomes).await
    }

    /// Returns what exists under the names with this suffix.
    pub(in crate::restore) async fn look_at_suffix(&self, suffix: Suffix) -> Result<Pair, RestoreError> {
        look_at(&self.server, &self.names.with(&suffix), suffix).await
    }
}

/// Returns what exists under these names, which have this suffix.
pub(in crate::restore) async fn look_at(
    server: &Session,
    names: &TargetNames,
    suffix: Suffix,
) -> Result<Pair, RestoreError> {
    let database = postgres::find_database(server, &names.database).await?;
    Ok(Pair { suffix, oid: database.map(|found| found.oid), folder: FolderId::at(&names.filestore)? })
}

/// The record of a target, and what is wrong with the file.
pub(in crate::restore) struct ReadRecord {
    /// What is recorded for this server and database.
    pub(in crate::restore) record: Record,
    /// The warning about a file that is of another server or database.
    pub(in crate::restore) forgotten: Option<String>,
}

/// Reads the record of a target on this server.
pub(in crate::restore) async fn read_record(server: &Session, names: &TargetNames) -> Result<ReadRecord, RestoreError> {
    let place = server.endpoint();
    let identity = postgres::system_identifier(server).await?;
    let identity = identity.unwrap_or_else(|| format!("{}:{}", place.host, place.port));
    let path = Record::path_of(&names.filestore);
    match Record::load(&path)? {
        Some(record) if record.server == identity && record.database == names.database => {
            Ok(ReadRecord { record, forgotten: None })
        }
        Some(foreign) if foreign.swap.is_some() => Err(RestoreError::ForeignSwap { path, database: foreign.database }),
        foreign => Ok(ReadRecord {
            record: Record::new(identity, names.database.clone()),
            forgotten: foreign.map(|foreign| foreign.forgotten(&path)),
        }),
    }
}

/// Refuses a target that could not be renamed, before anything is done.
pub(in crate::restore) async fn check_target(server: &Session, names: &TargetNames) -> Result<(), RestoreError> {
    check_movable(&names.filestore)?;
    match postgres::find_database(server, &names.database).await? {
        Some(there) if !there.is_own => Err(owned_by_another(server, &names.database, there)),
        _ => Ok(()),
    }
}

/// Returns the error for a database that belongs to another role than the session's.
pub(in crate::restore) fn owned_by_another(server: &Session, database: &str, there: HiddenDatabase) -> RestoreError {
    RestoreError::OwnedByAnother {
        database: database.to_owned(),
        owner: there.owner,
        is_superuser: there.is_superusers,
        role: server.endpoint().user.clone(),
    }
}

async fn connect(place: &Endpoint, database: &str) -> Result<Session, RestoreError> {
    let server = postgres::connect_maintenance(place).await?;
    match postgres::claim_database(&server, database).await? {
        true => Ok(server),
        false => Err(RestoreError::UnderWay { database: database.to_owned() }),
    }
}
