//! Tells whether a database is the one that an instance's earlier backups show. Two hosts may give
//! one name to two databases, and each would then use the other's backups as its own.

use super::seen::Seen;
use crate::error::{Error, OtherDatabase, explain};
use crate::instance::Instance;
use crate::manifest::Manifest;
use crate::odoo::{OdooFacts, odoo_facts};
use crate::postgres::{self, Endpoint, ServerFacts};
use crate::repository::BackupRef;

/// Backups that are searched for one of the same server.
const LOOKED_AT: usize = 10;

/// What distinguishes one database from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatabaseIdentity {
    /// `database.uuid`; `None` where there is none.
    uuid: Option<String>,
    /// The server's `system_identifier`; `None` where it is unknown or meaningless.
    server: Option<String>,
    /// The database's name.
    database: String,
    /// Whether it came from a file: then only the uuid counts.
    is_imported: bool,
}

/// The relation of two databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DatabaseSameness {
    /// The same one, as far as is known.
    Same,
    /// Nothing speaks against it, but what identified them before is missing. The text says what.
    Unclear(String),
    /// Two different ones, and what shows it.
    Other(String),
}

impl DatabaseIdentity {
    pub(super) fn new(database: &str, server: &ServerFacts, odoo: Option<&OdooFacts>, is_imported: bool) -> Self {
        let uuid = odoo.and_then(|odoo| odoo.database_uuid.as_deref()).map(str::trim).filter(|uuid| !uuid.is_empty());
        Self {
            uuid: uuid.map(str::to_owned),
            server: server.system_identifier.clone().filter(|_| !is_imported),
            database: database.to_owned(),
            is_imported,
        }
    }

    pub(super) fn of(manifest: &Manifest) -> Self {
        let database = &manifest.database.name;
        Self::new(database, &manifest.server, manifest.odoo.as_ref(), manifest.imported.is_some())
    }

    /// Reads the identity of the instance's database.
    pub(super) async fn ask(instance: &Instance) -> Result<Self, Error> {
        let session = postgres::connect(&Endpoint::resolve(&instance.database)).await?;
        let server = postgres::server_facts(&session).await?;
        let odoo = odoo_facts(&session).await?;
        Ok(Self::new(&instance.database.name, &server, odoo.as_ref(), false))
    }

    /// Compares it with the identity in an earlier backup.
    pub(super) fn compare(&self, earlier: &Self) -> DatabaseSameness {
        match (&self.uuid, &earlier.uuid) {
            (Some(uuid), Some(before)) if uuid == before => return DatabaseSameness::Same,
            (Some(uuid), Some(before)) => {
                return DatabaseSameness::Other(format!("its database.uuid is {}, not {}", shown(uuid), shown(before)));
            }
            _ if self.is_imported || earlier.is_imported => return DatabaseSameness::Same,
            _ => {}
        }
        match (&self.server, &earlier.server) {
            (Some(server), Some(before)) if server != before => {
                return DatabaseSameness::Other(format!(
                    "it has no database.uuid to compare, and its server is {}, not {}",
                    shown(server),
                    shown(before)
                ));
            }
            _ if self.database != earlier.database => {
                return DatabaseSameness::Other(format!(
                    "it has no database.uuid to compare, and its name is {:?}, not {:?}",
                    self.database, earlier.database
                ));
            }
            _ => {}
        }
        match (&self.uuid, &earlier.uuid) {
            (None, Some(before)) => DatabaseSameness::Unclear(format!(
                "the database no longer has its database.uuid {}: it is identified by its name alone, and by its server \
                 where that is known",
                shown(before)
            )),
            _ => DatabaseSameness::Same,
        }
    }
}

/// Returns what shows that two backups are of two databases; `None` where nothing does.
pub(crate) fn tell_apart(earlier: &Manifest, later: &Manifest) -> Option<String> {
    match DatabaseIdentity::of(later).compare(&DatabaseIdentity::of(earlier)) {
        DatabaseSameness::Other(why) => Some(why),
        DatabaseSameness::Same | DatabaseSameness::Unclear(_) => None,
    }
}

/// Returns text from a database in a form fit for a sentence.
fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    text.chars().take(LONGEST).collect::<String>().escape_debug().to_string()
}

/// Compares a database with that of the latest backup under its name. Returns what the operator
/// should know.
///
/// # Errors
/// [`Error::OtherDatabase`] unless `accept`; those of the repository.
pub(super) async fn compare_with_latest(
    seen: &mut Seen<'_>,
    own: &DatabaseIdentity,
    accept: bool,
) -> Result<Vec<String>, Error> {
    let instance = seen.listed.instance().to_owned();
    let mut backups = seen.present().await.into_iter();
    let mut latest = None;
    for backup in backups.by_ref() {
        latest = readable(seen, &backup).await?;
        if latest.is_some() {
            break;
        }
    }
    let Some(latest) = latest else { return Ok(Vec::new()) };
    let earlier = DatabaseIdentity::of(&latest);
    let why = match own.compare(&earlier) {
        DatabaseSameness::Same => match changes_server(own, &earlier) {
            true => return warn_if_alternating(seen, own, backups.take(LOOKED_AT)).await,
            false => return Ok(Vec::new()),
        },
        DatabaseSameness::Unclear(warning) => return Ok(vec![warning]),
        DatabaseSameness::Other(why) => why,
    };
    let other = OtherDatabase { instance: instance.clone(), latest: latest.id, why };
    match accept {
        true => Ok(vec![format!("accepted as the new database of {instance}: {other}")]),
        false => Err(Error::OtherDatabase(Box::new(other))),
    }
}

/// Reads a manifest; `None` where it cannot be read.
pub(super) async fn readable(seen: &mut Seen<'_>, backup: &BackupRef) -> Result<Option<Manifest>, Error> {
    let read = seen.manifest(backup).await?;
    let read = read.inspect_err(|error| tracing::warn!("{backup} does not identify its database: {}", explain(error)));
    Ok(read.ok())
}

fn changes_server(own: &DatabaseIdentity, earlier: &DatabaseIdentity) -> bool {
    matches!((&own.server, &earlier.server), (Some(own), Some(earlier)) if own != earlier)
}

/// Returns a warning if databases on two servers alternate under one name. A database restored on
/// another server continues under its name; if the former server has it too, both are backed up in
/// turn.
async fn warn_if_alternating(
    seen: &mut Seen<'_>,
    own: &DatabaseIdentity,
    earlier: impl Iterator<Item = BackupRef>,
) -> Result<Vec<String>, Error> {
    let instance = seen.listed.instance().to_owned();
    for backup in earlier {
        let Some(manifest) = readable(seen, &backup).await? else { continue };
        if own.server.is_some() && DatabaseIdentity::of(&manifest).server == own.server {
            return Ok(vec![format!(
                "the latest backup of {instance} comes from a copy of this database on another server: if both are in use, give one of them \
                 another name and another database.uuid"
            )]);
        }
    }
    tracing::info!(instance, "the database is on another server than in its latest backup");
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(uuid: Option<&str>, server: Option<&str>, name: &str) -> DatabaseIdentity {
        let own = |text: Option<&str>| text.map(str::to_owned);
        DatabaseIdentity { uuid: own(uuid), server: own(server), database: name.to_owned(), is_imported: false }
    }

    #[test]
    fn known_identity_distinguishes_databases() {
        let earlier = database(Some("a"), Some("1"), "production");
        let anonymous = database(None, Some("1"), "production");
        let unknown = database(None, None, "production");
        for (own, earlier, expected) in [
            (database(Some("a"), Some("1"), "production"), &earlier, "same"),
            (database(Some("a"), Some("2"), "restored"), &earlier, "same"),
            (database(Some("b"), Some("1"), "production"), &earlier, "other"),
            (database(Some("b"), Some("1"), "production"), &anonymous, "same"),
            (database(None, Some("1"), "production"), &earlier, "unclear"),
            (database(None, None, "production"), &earlier, "unclear"),
            (database(None, Some("2"), "production"), &earlier, "other"),
            (database(None, Some("1"), "production"), &anonymous, "same"),
            (database(None, Some("2"), "production"), &anonymous, "other"),
            (database(None, Some("1"), "wiki"), &anonymous, "other"),
            (database(None, None, "production"), &unknown, "same"),
            (database(None, None, "wiki"), &unknown, "other"),
        ] {
            let found = match own.compare(earlier) {
                DatabaseSameness::Same => "same",
                DatabaseSameness::Unclear(_) => "unclear",
                DatabaseSameness::Other(_) => "other",
            };
            assert_eq!(found, expected, "{own:?} {earlier:?}");
        }
    }

    #[test]
    fn import_is_compared_by_uuid() {
        let earlier = database(Some("a"), Some("1"), "production");
        let import = |uuid| DatabaseIdentity { is_imported: true, server: None, ..database(uuid, None, "dump") };
        assert_eq!(import(Some("a")).compare(&earlier), DatabaseSameness::Same);
        assert_eq!(import(None).compare(&earlier), DatabaseSameness::Same);
        assert!(matches!(import(Some("b")).compare(&earlier), DatabaseSameness::Other(_)));
        assert_eq!(earlier.compare(&import(None)), DatabaseSameness::Same);
    }
}
