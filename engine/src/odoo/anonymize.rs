//! Anonymizes a copy: its users see people, and none of them exists.
//!
//! Every value in a column about people is replaced in place by a fake that follows from the value
//! and a key. The same person has the same fake everywhere, and without the key no fake leads back.
//! Each table gets one UPDATE; then it is rewritten, because the space of changed rows would still
//! contain the original values.

mod attachments;
mod columns;
mod error;
mod families;
mod former;
mod kinds;
mod net;
mod plan;
mod session;
mod table;
mod utf8;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

pub(crate) use self::attachments::AnonymizedAttachments;
pub use self::attachments::AttachmentsOf;
pub use self::error::{AnonymizeError, Left};
pub use self::kinds::Fake;
pub use self::net::NetReport;

use self::columns::TableName;
use self::plan::Plan;
use self::session::Key;
use super::Schema;
use super::neutralize::outside;
use super::tables::Tables;
use crate::filestore::NewFilestore;
use crate::postgres::{self, Endpoint, PostgresError, Session, Tuning, connect};
use crate::secret::Secret;

/// The report of an anonymization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Anonymized {
    /// Whether the configuration has a seed, so that another copy gets the same fakes.
    pub seeded: bool,
    /// Tables with replaced values, by name.
    pub tables: Vec<AnonymizedTable>,
    /// Emptied tables that had rows.
    pub emptied: Vec<EmptiedTable>,
    /// The changes to attachments.
    pub attachments: AnonymizedAttachments,
    /// Columns that the configuration keeps.
    pub kept: Vec<String>,
    /// Who was sought in all other columns, and the result.
    pub net: NetReport,
    /// Columns that still contain e-mail addresses, of people who are in no column about people.
    pub addresses_left: Vec<Left>,
    /// Removed mappings to roles of other servers, with their passwords: `odoo@warehouse`.
    pub user_mappings_removed: Vec<String>,
    /// The administrator's login.
    #[schema(required = true)]
    pub administrator: Option<String>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    #[schema(value_type = f64)]
    pub duration: Duration,
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// A table in which values were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnonymizedTable {
    /// Its name.
    pub table: String,
    /// Number of changed rows.
    pub rows: u64,
    /// Its columns that contained anything to replace.
    pub columns: Vec<AnonymizedColumn>,
}

/// A column with replaced values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnonymizedColumn {
    /// Its name.
    pub column: String,
    /// The kind of fake.
    pub kind: Fake,
    /// Number of replaced values.
    pub rows: u64,
    /// Values that stayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub except: Option<&'static str>,
}

/// An emptied table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EmptiedTable {
    /// Its name.
    pub table: String,
    /// Number of its rows.
    pub rows: u64,
}

impl Anonymized {
    /// Returns what the operator should know, in sentences: who could not be replaced, and where
    /// the program could not look.
    pub fn warnings(&self) -> Vec<String> {
        let left: Vec<_> = self.net.left.iter().map(ToString::to_string).collect();
        let mut warnings = Vec::new();
        if !left.is_empty() {
            warnings.push(format!("unable to change values that contain people of the original: {}", left.join(", ")));
        }
        if !self.net.not_searched.is_empty() {
            let places = self.net.not_searched.join(", ");
            warnings.push(format!("unable to search these for people of the original: {places}"));
        }
        warnings
    }

    /// Returns how many values were replaced, in how many columns.
    pub fn totals(&self) -> (u64, usize) {
        let columns = self.tables.iter().flat_map(|table| &table.columns);
        columns.fold((0, 0), |(values, columns), column| (values + column.rows, columns + 1))
    }
}

/// Anonymizes the database and its filestore, in `jobs` parallel sessions. There must be no other
/// sessions on it.
///
/// # Errors
/// [`AnonymizeError`]; the database is then unusable, unless nothing was changed yet because the
/// configuration does not fit it.
pub async fn anonymize(
    database: &Endpoint,
    filestore: NewFilestore,
    settings: &Anonymize,
    jobs: u32,
) -> Result<Anonymized, AnonymizeError> {
    let started = Instant::now();
    let session = connect(database).await?;
    let schema = Schema::find(&session).await?.ok_or(AnonymizeError::NotOdoo)?;
    let odoo = schema.name();
    let tables = Tables::read(&session, &schema).await?;
    if !tables.have("ir_module_module", &["name", "state"]) || !tables.have("res_users", &["login", "password"]) {
        return Err(AnonymizeError::NotOdoo);
    }
    let plan = Plan::make(&session, settings, odoo).await?;
    attachments::check(&session, &tables, settings, odoo).await?;
    let key = Key::of(settings.seed.as_ref())?;
    let tuning = Tuning::of(&session, jobs).await?;
    session::prepare(&session, &key, &tuning).await?;
    let hiding = postgres::suspend_row_security(&session).await?;
    utf8::require(&session, odoo).await?;
    let others = (1..jobs.max(1)).map(async |_| {
        let session = connect(database).await?;
        session::prepare(&session, &key, &tuning).await.map(|()| session)
    });
    let mut sessions = futures::future::try_join_all(others).await?;
    sessions.push(session);
    let session = &sessions[sessions.len() - 1];

    let mappings = outside::mappings(session).await?;
    outside::remove(session, &mappings).await?;
    if !settings.keep.iter().any(|name| name == "res_users.login") {
        name_administrator(session, &schema).await?;
    }
    let mut emptied = Vec::new();
    for name in &plan.emptied {
        let rows = table::empty(session, name).await?;
        emptied.extend((rows > 0).then_some((name, rows)));
    }
    // It seeks the people that the columns about people still contain.
    let catch = net::cast(&sessions, &plan, &tables, odoo).await?;
    let attachments = attachments::replace(session, &tables, filestore, settings, odoo).await?;
    let replaced = for_each(&sessions, &plan.tables, |session, table| {
        async move { Ok(table::replace(session, table).await?.map(|done| (table.name.clone(), done))) }.boxed()
    });
    let replaced: Vec<_> = replaced.await?.into_iter().flatten().collect();

    // Only after all of them are changed: concurrent changes would keep a table's previous rows.
    former::wait_until_removable(session, odoo).await?;
    let mut changed: BTreeSet<TableName> = catch.changed;
    changed.extend(replaced.iter().map(|(name, _)| name.clone()));
    changed.extend(emptied.iter().map(|(name, _)| (*name).clone()));
    let attachment = TableName { schema: odoo.into(), name: "ir_attachment".into(), is_odoos: true };
    changed.extend((!attachments.replaced.is_empty()).then_some(attachment));
    let changed: Vec<_> = changed.into_iter().collect();
    for_each(&sessions, &changed, |session, table| former::rewrite(session, table).boxed()).await?;
    former::refresh_views(session).await?;
    former::clear_statistics(session).await?;

    let originals: Vec<Left> =
        for_each(&sessions, &plan.tables, |session, table| table::remains(session, table).boxed())
            .await?
            .into_iter()
            .flatten()
            .collect();
    if !originals.is_empty() {
        return Err(AnonymizeError::NotAnonymous(originals));
    }
    postgres::resume_row_security(session, &hiding).await?;
    let mut tables: Vec<_> = replaced.into_iter().map(|(_, done)| done).collect();
    tables.sort_by(|one, other| one.table.cmp(&other.table));
    Ok(Anonymized {
        seeded: settings.seed.is_some(),
        tables,
        emptied: emptied.into_iter().map(|(name, rows)| EmptiedTable { table: name.to_string(), rows }).collect(),
        attachments,
        kept: settings.keep.clone(),
        net: catch.report,
        addresses_left: catch.addresses,
        user_mappings_removed: mappings.iter().map(outside::Mapping::name).collect(),
        administrator: administrator(session, &schema).await?,
        duration: started.elapsed(),
    })
}

/// Applies a function to every item, in all sessions in parallel; the first items first.
async fn for_each<'a, T, R>(
    sessions: &'a [Session],
    items: &'a [T],
    work: impl Fn(&'a Session, &'a T) -> BoxFuture<'a, Result<R, PostgresError>>,
) -> Result<Vec<R>, PostgresError> {
    let waiting = Mutex::new(items.iter());
    let done = Mutex::new(Vec::new());
    let worker = async |session| {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(item) = next else { return Ok::<_, PostgresError>(()) };
            let one = work(session, item).await?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
    };
    futures::future::try_join_all(sessions.iter().map(worker)).await?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Returns the query for the id of `base.user_admin`.
fn user_admin(schema: &Schema) -> String {
    let names = schema.table("ir_model_data");
    format!("SELECT res_id FROM {names} WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users'")
}

/// Gives the administrator the login `admin`, if no user has it: another login would become a fake,
/// and the operator could not know it.
async fn name_administrator(session: &Session, schema: &Schema) -> Result<(), PostgresError> {
    let (users, admin) = (schema.table("res_users"), user_admin(schema));
    let statement = format!(
        "UPDATE {users} SET login = 'admin' WHERE id IN ({admin}) AND NOT EXISTS (SELECT FROM {users} WHERE login = 'admin')"
    );
    let renamed = session.execute(&statement, &[]).await;
    renamed.map_err(session.failed("give the administrator the login `admin`")).map(|_| ())
}

async fn administrator(session: &Session, schema: &Schema) -> Result<Option<String>, PostgresError> {
    let (users, admin) = (schema.table("res_users"), user_admin(schema));
    let query = format!(
        "SELECT login::text FROM {users} WHERE id IN ({admin}) OR login = 'admin' ORDER BY login <> 'admin' LIMIT 1"
    );
    let row = session.query_opt(&query, &[]).await.map_err(session.failed("look up the administrator"))?;
    Ok(row.map(|row| row.get(0)))
}

#[cfg(test)]
mod tests;

/// How the people in a copy are replaced by fakes: `anonymize = true`, or the section
/// `[target.NAME.anonymize]`.
#[derive(Debug, Clone, Default)]
pub struct Anonymize {
    /// `table.column`: columns in addition to those that the program knows, or another kind of fake
    /// for one of these.
    pub columns: Vec<(String, Fake)>,
    /// `table.column`: columns that stay as they are.
    pub keep: Vec<String>,
    /// Models whose attachments become placeholders, in addition to those that the program knows.
    pub attachments: Vec<String>,
    /// Models whose attachments stay.
    pub keep_attachments: Vec<String>,
    /// The source of the key; `None`: a random key for each restore.
    pub seed: Option<Secret>,
}
