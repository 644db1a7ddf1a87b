//! Describes sessions of others.

use std::time::Duration;

use crate::postgres::ForeignSession;

/// Returns their owners: `postgres (superuser, pid 4711)`.
pub(crate) fn sessions_text(sessions: &[ForeignSession]) -> String {
    let one = |session: &ForeignSession| {
        let rank = if session.is_superusers { "superuser, " } else { "" };
        format!("{} ({rank}pid {})", session.role, session.pid)
    };
    sessions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns how they can be ended.
pub(crate) fn ending_of_sessions(sessions: &[ForeignSession], wait: Option<Duration>) -> String {
    if let Some(wait) = wait {
        return format!("the restore waits up to {} s for them to end before the swap", wait.as_secs());
    }
    let pids: Vec<_> = sessions.iter().map(|session| session.pid.to_string()).collect();
    let grant = match sessions.iter().any(|session| session.is_superusers) {
        true => "",
        false => ", or GRANT pg_signal_backend to the role",
    };
    format!(
        "end them as a superuser (`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({})`){grant}, or add `--wait SECONDS` to wait for their end before the swap",
        pids.join(", ")
    )
}
