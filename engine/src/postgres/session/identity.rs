//! Tells whether two connections lead to the same server.

use crate::postgres::{PostgresError, Session};

/// The relation of two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerSameness {
    /// The same server.
    Same,
    /// Different, but one may be a standby of the other.
    Related,
    /// Two servers, each with its own data.
    Different,
}

/// Compares servers themselves instead of their hosts, which can be spelt in many ways: both are
/// the same if one sees a lock taken on the other. `system_identifier` identifies standbys, which
/// share it with their primary; alone it would also match a copy of the data folder.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn same_server(one: &Session, other: &Session) -> Result<ServerSameness, PostgresError> {
    let failed = |session: &Session| session.failed("compare the servers");
    let query = "SELECT floor(random() * 9e15)::bigint";
    let key: i64 = one.query_one(query, &[]).await.map_err(failed(one))?.get(0);
    let sees = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
                   AND (classid::bigint << 32) | objid::bigint = $1), pg_is_in_recovery()";
    // A transaction's lock, because a pooler may give each transaction another connection.
    one.batch_execute(&format!("BEGIN READ ONLY; SELECT pg_advisory_xact_lock({key})")).await.map_err(failed(one))?;
    let compared = async {
        let own = one.query_one(sees, &[&key]).await.map_err(failed(one))?;
        let others = other.query_one(sees, &[&key]).await.map_err(failed(other))?;
        let identifiers = (identifier(one).await, identifier(other).await);
        Ok(match (own.get::<_, bool>(0), others.get::<_, bool>(0)) {
            (true, true) => ServerSameness::Same,
            // Two servers that both write have separate data.
            (true, false) if !own.get::<_, bool>(1) && !others.get::<_, bool>(1) => ServerSameness::Different,
            _ => match identifiers {
                (Some(one), Some(other)) if one != other => ServerSameness::Different,
                _ => ServerSameness::Related,
            },
        })
    };
    let compared = compared.await;
    one.batch_execute("ROLLBACK").await.map_err(failed(one))?;
    compared
}

/// Returns `None` if the role may not ask, as with some cloud providers.
async fn identifier(session: &Session) -> Option<String> {
    let allowed = "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')";
    if !session.query_one(allowed, &[]).await.ok()?.get::<_, bool>(0) {
        return None;
    }
    Some(session.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await.ok()?.get(0))
}
