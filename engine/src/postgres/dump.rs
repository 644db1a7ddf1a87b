//! pg_dump as a stream.

use std::process::Stdio;

use tokio::process::Command;

use super::process::{Running, body_of};
use super::{Endpoint, PostgresError, Tool};
use crate::stream::Body;

/// Dumps a database in pg_dump's custom format, uncompressed (zstd does that better and faster), as of an exported snapshot.
///
/// The body ends in `Ok` only where pg_dump succeeded.
///
/// # Errors
/// [`PostgresError::Run`]; what fails later fails the body.
pub fn dump(tool: &Tool, endpoint: &Endpoint, snapshot: &str) -> Result<Body, PostgresError> {
    let mut command = Command::new(&tool.path);
    command.args(["--format=custom", "--compress=0", "--no-password", "--encoding=UTF8"]);
    command.arg(format!("--snapshot={snapshot}"));
    endpoint.pass_to(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    body_of(Running::start(&mut command, endpoint.to_string())?)
}
