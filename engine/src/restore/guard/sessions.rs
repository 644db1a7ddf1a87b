//! Sessions on the database to replace that the role may not end, such as a superuser's monitoring.

use std::time::{Duration, Instant};

use super::Obstacle;
use crate::postgres::{self, ForeignSession, PostgresError, Session, ending_of_sessions, sessions_text};

/// Pause between two checks.
const PAUSE: Duration = Duration::from_millis(250);

/// Returns the obstacle for other sessions on a database, if there are any.
pub(in crate::restore) async fn of_others(
    server: &Session,
    database: &str,
    wait: Option<Duration>,
) -> Result<Option<Obstacle>, PostgresError> {
    // A session that its client has just closed stays listed for a moment.
    let sessions = wait_for_end(server, database, Duration::from_secs(2)).await?;
    if sessions.is_empty() {
        return Ok(None);
    }
    let role = &server.endpoint().user;
    let message = format!(
        "the database {database:?} has sessions that the role {role:?} may not end: {}",
        sessions_text(&sessions)
    );
    Ok(Some(Obstacle::new("sessions", message, ending_of_sessions(&sessions, wait))))
}

/// Waits until they have ended, at most this long. Returns those that have not.
pub(in crate::restore) async fn wait_for_end(
    server: &Session,
    database: &str,
    patience: Duration,
) -> Result<Vec<ForeignSession>, PostgresError> {
    let started = Instant::now();
    loop {
        let sessions = postgres::foreign_sessions(server, database).await?;
        if sessions.is_empty() || started.elapsed() >= patience {
            return Ok(sessions);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
