//! Tells what a target holds: which backup, and what an undo would bring back.
//!
//! The answer stands in a comment of the database, which a swap leaves with it, and in the record
//! of restores. It is information for people: no guard relies on it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Job;
use super::record::claim::{self, look_at, read_record};
use super::record::folders::FolderId;
use super::record::names::TargetNames;
use super::target::Target;
use super::{MadeCopy, RestoreError};
use crate::error::Error;
use crate::filestore;
use crate::manifest::BackupId;
use crate::postgres::{self, Endpoint, Session};

/// What a target holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetState {
    /// Its database; null where there is none.
    #[schema(required = true)]
    pub database: Option<HeldDatabase>,
    /// Its filestore's folder; null where there is none.
    #[schema(required = true, value_type = Option<String>)]
    pub filestore: Option<PathBuf>,
    /// The backup that was restored; null where that is unknown.
    #[schema(required = true)]
    pub copy: Option<CopyLabel>,
    /// What an undo brings back; null where nothing is kept.
    #[schema(required = true)]
    pub former: Option<FormerState>,
    /// Whether a restore of it is running, or was interrupted.
    pub unfinished: bool,
}

/// A database of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct HeldDatabase {
    /// Its name.
    pub name: String,
    /// What it takes on the server's disk; null where the role may not know.
    #[schema(required = true)]
    pub bytes: Option<u64>,
}

/// The state of a target from before the last restore or undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FormerState {
    /// Since when it is kept, in UTC.
    #[schema(required = true)]
    pub kept_at: Option<Timestamp>,
    /// Its database; null where there was only a filestore.
    #[schema(required = true)]
    pub database: Option<HeldDatabase>,
    /// Its filestore's folder; null where there was only a database.
    #[schema(required = true, value_type = Option<String>)]
    pub filestore: Option<PathBuf>,
    /// The backup that it was restored from; null where that is unknown.
    #[schema(required = true)]
    pub copy: Option<CopyLabel>,
}

/// Which backup a copy was restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CopyLabel {
    /// The instance that it is of.
    pub instance: String,
    /// The backup's id.
    pub backup: BackupId,
    /// The moment that it shows.
    pub created_at: Timestamp,
    /// When it was restored.
    pub restored_at: Timestamp,
    /// Whether it was neutralized then.
    pub neutralized: bool,
    /// Whether the people in it were replaced then.
    pub anonymized: bool,
    /// The number of files that the backup has.
    pub files: u64,
    /// Their bytes together.
    pub file_bytes: u64,
}

/// The comment of a copy's database.
#[derive(Debug, Serialize, Deserialize)]
struct Comment {
    odoo_backup: CopyLabel,
}

impl CopyLabel {
    /// Reads the comment of a database. Another program's comment says nothing.
    fn parse(comment: &str) -> Option<Self> {
        serde_json::from_str::<Comment>(comment).ok().map(|comment| comment.odoo_backup)
    }

    async fn of(server: &Session, database: &str) -> Result<Option<Self>, RestoreError> {
        let comment = postgres::database_comment(server, database).await?;
        Ok(comment.as_deref().and_then(Self::parse))
    }
}

impl Job<'_> {
    /// Labels the copy's database with its backup. If it cannot, the copy is good all the same.
    pub(super) async fn label(&self, server: &Session, database: &str, copy: &MadeCopy, anonymized: bool) {
        let odoo_backup = CopyLabel {
            instance: self.manifest.instance.clone(),
            backup: self.manifest.id.clone(),
            created_at: self.manifest.created_at,
            restored_at: Timestamp::now(),
            neutralized: copy.neutralized.is_some(),
            anonymized,
            files: self.manifest.filestore.files,
            file_bytes: self.manifest.filestore.bytes,
        };
        let labelled = async {
            let text = serde_json::to_string(&Comment { odoo_backup }).map_err(std::io::Error::from)?;
            postgres::comment_database(server, database, &text).await.map_err(std::io::Error::other)
        };
        if let Err(error) = labelled.await {
            self.run.progress.warn(&format!("unable to record in the copy which backup it is: {error}"));
        }
    }
}

/// Returns what a target holds. Touches nothing, and does not wait for a running restore.
///
/// # Errors
/// The target's server does not answer, or the record of restores cannot be read.
pub async fn state(target: &Target) -> Result<TargetState, Error> {
    filestore::known(&target.filestore)?;
    let server = postgres::connect_maintenance(&Endpoint::resolve(&target.database)).await?;
    let names = TargetNames::of(target);
    let claim::ReadRecord { record, .. } = read_record(&server, &names).await?;
    let held = async |names: &TargetNames| {
        let there = postgres::find_database(&server, &names.database).await?;
        let database = match there {
            Some(_) => Some(HeldDatabase {
                name: names.database.clone(),
                bytes: postgres::database_bytes(&server, &names.database).await,
            }),
            None => None,
        };
        let filestore = FolderId::at(&names.filestore)?.map(|_| names.filestore.clone());
        Ok::<_, RestoreError>((database, filestore, CopyLabel::of(&server, &names.database).await?))
    };
    let (database, filestore, copy) = held(&names).await?;
    let former = match &record.former {
        Some(kept) => {
            let found = look_at(&server, &names.with(&kept.suffix), kept.suffix.clone()).await?;
            let is_there =
                (kept.oid.is_none() || found.oid.is_some()) && (kept.folder.is_none() || found.folder.is_some());
            let (database, filestore, copy) = held(&names.with(&kept.suffix)).await?;
            is_there.then_some(FormerState { kept_at: kept.suffix.time(), database, filestore, copy })
        }
        None => None,
    };
    let unfinished = record.swap.is_some() || !record.scraps.is_empty();
    Ok(TargetState { database, filestore, copy, former, unfinished })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_comment_is_no_label() {
        for text in ["", "staging of sales", "{}", r#"{"odoo_backup": {"instance": "x"}}"#] {
            assert_eq!(CopyLabel::parse(text), None, "{text}");
        }
    }
}
