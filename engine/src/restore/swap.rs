//! The last step: what was made beside the target gets the target's names.

use std::path::Path;

use rustix::fs::{CWD, RenameFlags};

use super::beside::Beside;
use crate::config::Target;
use crate::error::Error;
use crate::filestore::FilestoreError;
use crate::folder;
use crate::postgres::{self, Session};
use crate::run::Run;

/// Gives the database and the folder the target's names: both, or neither.
pub(super) async fn take_names(beside: &Beside, server: &Session, target: &Target, run: &Run) -> Result<(), Error> {
    let (new, name) = (&beside.database.database, &target.database.name);
    postgres::rename_database(server, new, name).await?;
    let renamed = rename_to_new(&beside.filestore, &target.filestore);
    if renamed.is_err()
        && let Err(error) = postgres::rename_database(server, name, new).await
    {
        run.progress.warn(&format!("{error}; please drop the database {name:?}, which has no filestore"));
    }
    Ok(renamed?)
}

/// Renames a folder to a name that must be free. File systems that cannot promise that are asked before.
fn rename_to_new(from: &Path, to: &Path) -> Result<(), FilestoreError> {
    let renamed = match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if to.symlink_metadata().is_err() => {
            std::fs::rename(from, to)
        }
        other => other.map_err(std::io::Error::from),
    };
    let flushed = renamed.and_then(|()| {
        let flushed = to.parent().map_or(Ok(()), folder::sync);
        // What failed must not have happened.
        if flushed.is_err() { std::fs::rename(to, from).and(flushed) } else { flushed }
    });
    flushed.map_err(|source| FilestoreError::Io {
        action: "rename the restored filestore to",
        path: to.to_owned(),
        source,
    })
}
