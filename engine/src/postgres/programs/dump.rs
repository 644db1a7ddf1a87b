//! pg_dump as a stream.

use std::process::Stdio;

use tokio::process::Command;

use super::process::{Running, body_of};
use crate::postgres::{PostgresError, Session, Tool};
use crate::stream::Body;

/// Dumps the session's database in pg_dump's custom format, uncompressed (zstd does that better and
/// faster), as of a snapshot that the session has exported.
///
/// `encoding` is the database's own, so that nothing is converted and nothing fails to convert. A
/// database in `SQL_ASCII` accepts any bytes as text, and other encodings have bytes without an
/// equivalent in UTF-8.
///
/// The body ends in `Ok` only if pg_dump succeeded.
///
/// # Errors
/// [`PostgresError::Run`]; what fails later fails the body.
pub fn dump(tool: &Tool, session: &Session, snapshot: &str, encoding: &str) -> Result<Body, PostgresError> {
    let mut command = Command::new(&tool.path);
    command.args(["--format=custom", "--compress=0", "--no-password"]);
    command.arg(format!("--encoding={encoding}"));
    command.arg(format!("--snapshot={snapshot}"));
    command.arg(format!("--dbname={}", session.endpoint().connection_string()));
    session.pass_to(&mut command, None);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    body_of(Running::start(&mut command, session.endpoint().to_string())?)
}
