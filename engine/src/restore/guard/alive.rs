//! Tells whether an existing database is in use.

use super::{Obstacle, force};
use crate::error::explain;
use crate::odoo::{self, LastWrite, OdooFacts, odoo_facts};
use crate::postgres::{self, Endpoint, PostgresError, Session};

/// Returns why a database must not be replaced by a copy of the one with this `database.uuid`. A
/// neutralized copy may be, even in use. Nothing that looks like production may, and nothing that
/// belongs to another program.
pub(in crate::restore) async fn or_foreign(source_uuid: Option<&str>, place: &Endpoint, hint: String) -> Vec<Obstacle> {
    let look = async |session: &Session| {
        Ok(match odoo_facts(session).await? {
            Some(facts) => signs_of_life(session, &facts, source_uuid).await?,
            None => foreign(session).await?,
        })
    };
    or_unknown(place, hint, look).await
}

/// Returns why a database must not be swapped for its previous state.
pub(in crate::restore) async fn obstacles(place: &Endpoint, hint: String) -> Vec<Obstacle> {
    let look = async |session: &Session| {
        Ok(match odoo_facts(session).await? {
            Some(facts) => signs_of_life(session, &facts, None).await?,
            None => Vec::new(),
        })
    };
    or_unknown(place, hint, look).await
}

/// Returns the obstacles that `look` finds. A database that cannot be examined may be anything.
async fn or_unknown(
    place: &Endpoint,
    hint: String,
    look: impl AsyncFnOnce(&Session) -> Result<Vec<Obstacle>, PostgresError>,
) -> Vec<Obstacle> {
    let looked = async {
        let session = postgres::connect(place).await?;
        // An upgrade of modules locks tables for long.
        let begin = "BEGIN READ ONLY; SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '60s'";
        session.batch_execute(begin).await.map_err(session.failed("look at the database"))?;
        let found = look(&session).await?;
        session.batch_execute("ROLLBACK").await.map_err(session.failed("look at the database"))?;
        Ok(found)
    };
    looked.await.unwrap_or_else(|error: PostgresError| {
        let (name, why) = (&place.database, explain(&error));
        let message = format!("the database {name:?} exists, and could not be examined: {why}");
        vec![Obstacle::new("production", message, hint)]
    })
}

async fn signs_of_life(
    session: &Session,
    facts: &OdooFacts,
    source_uuid: Option<&str>,
) -> Result<Vec<Obstacle>, PostgresError> {
    if odoo::is_neutralized(session).await? {
        return Ok(Vec::new());
    }
    let name = &session.endpoint().database;
    let mut obstacles = Vec::new();
    let mut refuse = |found: String, hint: String| {
        let message = format!("the database {name:?} is not neutralized, and {found}");
        obstacles.push(Obstacle::new("production", message, hint));
    };
    if let Some(uuid) = source_uuid.filter(|uuid| facts.database_uuid.as_deref() == Some(*uuid)) {
        let found = format!("has the source's own database.uuid, {uuid}: it is the original, or a live copy of it");
        refuse(found, force(name));
    }
    let quiet = || format!("stop the programs that use it, if it may be replaced; {}", force(name));
    let sessions = odoo::sessions(session).await?;
    if !sessions.is_empty() {
        refuse(format!("is in use by {}", sessions.join(", ")), quiet());
    }
    if let Some(LastWrite { table, minutes_ago }) = odoo::last_write(session).await? {
        refuse(format!("was written to {minutes_ago} minutes ago, in {table}"), quiet());
    }
    Ok(obstacles)
}

async fn foreign(session: &Session) -> Result<Vec<Obstacle>, PostgresError> {
    let (name, tables) = (&session.endpoint().database, foreign_tables(session).await?);
    let message = format!(
        "the database {name:?} is not an Odoo database and has {tables} tables: it may belong to another program"
    );
    let obstacle = Obstacle::new("foreign", message, force(name));
    Ok(if tables == 0 { Vec::new() } else { vec![obstacle] })
}

/// Counts the tables that neither the server nor an extension created.
async fn foreign_tables(session: &Session) -> Result<i64, PostgresError> {
    let query = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')";
    let counted = session.query_one(query, &[]).await;
    counted.map(|row| row.get(0)).map_err(session.failed("count the tables"))
}
