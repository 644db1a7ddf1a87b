//! Whether two connections lead to the same server.

use crate::postgres::{PostgresError, Session};

/// What two servers are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sameness {
    /// One and the same.
    Same,
    /// Not the same, but one may be a standby of the other.
    Related,
    /// Two servers, each with its own data.
    Different,
}

/// Compares servers by what they are, not by how their hosts are spelt, which can be done in many
/// ways: a lock that is taken on the one is seen by the other exactly where both are one.
/// `system_identifier` tells standbys, which share it with their primary; by itself it would take a
/// copy that was made of the data folder for the original.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn same_server(one: &Session, other: &Session) -> Result<Sameness, PostgresError> {
    let failed = |session: &Session| session.failed("compare the servers");
    let query = "SELECT floor(random() * 9e15)::bigint";
    let key: i64 = one.query_one(query, &[]).await.map_err(failed(one))?.get(0);
    let sees = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
                   AND (classid::bigint << 32) | objid::bigint = $1), pg_is_in_recovery()";
    // A transaction's lock, because what stands in between may give each transaction another
    // connection.
    one.batch_execute(&format!("BEGIN READ ONLY; SELECT pg_advisory_xact_lock({key})")).await.map_err(failed(one))?;
    let compared = async {
        let own = one.query_one(sees, &[&key]).await.map_err(failed(one))?;
        let others = other.query_one(sees, &[&key]).await.map_err(failed(other))?;
        let identifiers = (identifier(one).await, identifier(other).await);
        Ok(match (own.get::<_, bool>(0), others.get::<_, bool>(0)) {
            (true, true) => Sameness::Same,
            // Two that both write have each their own data.
            (true, false) if !own.get::<_, bool>(1) && !others.get::<_, bool>(1) => Sameness::Different,
            _ => match identifiers {
                (Some(one), Some(other)) if one != other => Sameness::Different,
                _ => Sameness::Related,
            },
        })
    };
    let compared = compared.await;
    one.batch_execute("ROLLBACK").await.map_err(failed(one))?;
    compared
}

/// `None` where the role may not ask, which some providers of servers see to.
async fn identifier(session: &Session) -> Option<String> {
    let allowed = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    if !session.query_one(allowed, &[]).await.ok()?.get::<_, bool>(0) {
        return None;
    }
    Some(session.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await.ok()?.get(0))
}
