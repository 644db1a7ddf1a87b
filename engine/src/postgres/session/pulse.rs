//! Signs of life of a server that works for us while no byte is counted: it makes an index, or
//! changes a large table.

use std::convert::Infallible;
use std::time::Duration;

use crate::postgres::Session;
use crate::progress::Progress;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);

/// What waits for a lock, or for what we send, does not work.
const WORKS: &str = "SELECT $1::text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity
    WHERE datname = $1::text AND state = 'active' AND coalesce(wait_event_type, '') NOT IN ('Lock', 'Client'))";

/// Does `work`, and reports that it lives each time that the server of `session`, which must be
/// free to be asked, says that a session works in `database`; where that is `None`, each time that
/// it answers.
pub(crate) async fn with_pulse<T>(
    session: &Session,
    database: Option<&str>,
    progress: &Progress,
    work: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        done = work => done,
        never = pulse(session, database, progress) => match never {},
    }
}

async fn pulse(session: &Session, database: Option<&str>, progress: &Progress) -> Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        // Of a connection that is lost the work itself tells.
        if let Ok(row) = session.query_one(WORKS, &[&database]).await
            && row.get(0)
        {
            progress.beat();
        }
    }
}
