//! Tells whether the role has more privileges than the repository's writers may be trusted with.

use super::Preflight;
use crate::error::Obstacle;
use crate::postgres::{PostgresError, Session, is_powerful};
use crate::restore::Target;

/// Refuses a role that may run programs on its server or read its files: a dump runs code during
/// the restore, with these privileges.
pub(in crate::restore) async fn look(
    target: &Target,
    server: &Session,
    found: &mut Preflight,
) -> Result<(), PostgresError> {
    if target.trusted || !is_powerful(server).await? {
        return Ok(());
    }
    let role = &server.endpoint().user;
    let message = format!(
        "the role {role:?} can run programs or read files on its server, and so could everyone who can write to the repository"
    );
    let hint = "set `user` to a role that is not a superuser; or, if you trust everyone who can write to the repository, add --trusted, or set `trusted = true` for the daemon";
    found.obstacles.push(Obstacle::new("trust", message, hint));
    Ok(())
}
