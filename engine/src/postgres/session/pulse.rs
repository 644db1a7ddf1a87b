//! Signs of life of a server while no byte is counted: it builds an index, or changes a large
//! table.

use std::convert::Infallible;
use std::time::Duration;

use crate::postgres::Session;
use crate::progress::Progress;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(1);

/// A session that waits for a lock, or for data from this program, does not work.
const WORKS: &str = "SELECT $1::text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity
    WHERE datname = $1::text AND state = 'active' AND coalesce(wait_event_type, '') NOT IN ('Lock', 'Client'))";

/// Does `work`, and reports progress each time that the server says that a session works in
/// `database`, or, if that is `None`, each time that it answers. `session` must be free for these
/// questions.
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
        // If the connection is lost, the work itself reports it.
        if let Ok(row) = session.query_one(WORKS, &[&database]).await
            && row.get(0)
        {
            progress.beat();
        }
    }
}
