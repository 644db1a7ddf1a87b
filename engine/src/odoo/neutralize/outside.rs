//! What leads out of a database in addition to Odoo: roles of other servers, and jobs of extensions
//! that run without Odoo.

use super::Applied;
use super::assertions::Assertion;
use crate::postgres::{PostgresError, Session, quote};

/// A mapping of a role to one of another server, with its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::odoo) struct Mapping {
    /// Its number, which no other mapping of the database gets.
    pub(super) number: u32,
    server: String,
    role: String,
}

impl Mapping {
    /// Returns its name: `odoo@warehouse`.
    pub(in crate::odoo) fn name(&self) -> String {
        format!("{}@{}", self.role, self.server)
    }
}

/// Tables of extensions that run SQL by the clock, and the column that says whether a job is
/// active.
const JOBS: &[(&str, &str)] = &[("cron.job", "active"), ("pgagent.pga_job", "jobenabled"), ("timetable.chain", "live")];

/// Lists the mappings. Every role may see that they exist, but only their server's owner may see
/// their content.
pub(in crate::odoo) async fn mappings(session: &Session) -> Result<Vec<Mapping>, PostgresError> {
    let query = "SELECT umid, srvname::text, usename::text FROM pg_catalog.pg_user_mappings ORDER BY 2, 3";
    let rows = session.query(query, &[]).await.map_err(session.failed("look for mappings to other servers"))?;
    Ok(rows.iter().map(|row| Mapping { number: row.get(0), server: row.get(1), role: row.get(2) }).collect())
}

/// Removes the mappings: without one a foreign table can be neither read nor changed. This comes
/// first, because SQL of modules could otherwise change data on the original's other servers.
pub(in crate::odoo) async fn remove(session: &Session, mappings: &[Mapping]) -> Result<(), PostgresError> {
    for mapping in mappings {
        // The view uses this name for the mapping of all roles; no role can have it.
        let role = if mapping.role == "public" { "PUBLIC".into() } else { quote(&mapping.role) };
        let statement = format!("DROP USER MAPPING FOR {role} SERVER {}", quote(&mapping.server));
        let dropped = session.batch_execute(&statement).await;
        dropped.map_err(session.failed(format!("remove the user mapping {}", mapping.name())))?;
    }
    Ok(())
}

/// Asserts that none of these exists any more. Others may be the operator's own, for the copy.
pub(super) async fn no_former_mappings(session: &Session, former: &[u32]) -> Result<Assertion, PostgresError> {
    let left = mappings(session).await?;
    let left = left.iter().filter(|mapping| former.contains(&mapping.number)).map(Mapping::name);
    let assertion = Assertion::of("no role and password for another server", left.collect());
    Ok(Assertion { applies: !former.is_empty(), ..assertion })
}

async fn tables_of_jobs(session: &Session) -> Result<Vec<(&'static str, &'static str)>, PostgresError> {
    let query = "SELECT n.nspname::text || '.' || c.relname::text, a.attname::text FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND a.atttypid = 'pg_catalog.bool'::pg_catalog.regtype
           AND n.nspname IN ('cron', 'pgagent', 'timetable')";
    let rows = session.query(query, &[]).await.map_err(session.failed("look for jobs of extensions"))?;
    let there: Vec<(&str, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(JOBS.iter().filter(|job| there.contains(job)).copied().collect())
}

/// Makes jobs of extensions inactive.
pub(super) async fn stop_jobs(session: &Session) -> Result<Vec<Applied>, PostgresError> {
    let mut applied = Vec::new();
    for (table, column) in tables_of_jobs(session).await? {
        let statement = format!("UPDATE {table} SET {column} = false WHERE {column} IS DISTINCT FROM false");
        let rows = session.execute(&statement, &[]).await;
        let rows = rows.map_err(session.failed(format!("stop the jobs in {table}")))?;
        let about = "jobs of extensions inactive";
        applied.extend((rows > 0).then_some(Applied { area: "scheduled actions", about, table, rows }));
    }
    Ok(applied)
}

/// Asserts that none of them is active.
pub(super) async fn no_active_jobs(session: &Session) -> Result<Assertion, PostgresError> {
    let (tables, mut found) = (tables_of_jobs(session).await?, Vec::new());
    for (table, column) in &tables {
        let query = format!("SELECT count(*) FROM {table} WHERE {column} IS DISTINCT FROM false");
        let row = session.query_one(&query, &[]).await;
        let rows: i64 = row.map_err(session.failed(format!("look for active jobs in {table}")))?.get(0);
        if rows > 0 {
            found.push(format!("{table} ({rows})"));
        }
    }
    let assertion = Assertion::of("no active job of an extension (pg_cron, pgAgent, pg_timetable)", found);
    Ok(Assertion { applies: !tables.is_empty(), ..assertion })
}

/// Returns what can still lead outside, and what only the operator can judge.
pub(super) async fn warnings(session: &Session) -> Result<Vec<String>, PostgresError> {
    let query = "SELECT coalesce((SELECT string_agg(srvname::text, ', ' ORDER BY srvname) FROM pg_catalog.pg_foreign_server), ''),
             EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'dblink')";
    let row = session.query_one(query, &[]).await.map_err(session.failed("look for other servers"))?;
    let (servers, dblink): (String, bool) = (row.get(0), row.get(1));
    let mut warnings = Vec::new();
    if !servers.is_empty() {
        warnings.push(format!(
            "the copy has foreign servers ({servers}): their user mappings were removed, so that foreign tables cannot be read; some kinds of servers need no mapping"
        ));
    }
    if dblink {
        warnings.push(
            "the copy has the extension dblink: functions of the database can connect to other servers, with passwords in their own text".into(),
        );
    }
    Ok(warnings)
}
