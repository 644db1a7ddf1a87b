//! An archive as plain SQL.

use std::io::{self, Write};
use std::process::Stdio;

use tokio::process::Command;

use super::process::{Running, body_of_fed};
use super::restore::{feed, use_list};
use crate::postgres::{ArchiveToc, PostgresError, Section, Tool};
use crate::stream::Body;

/// Returns the script that `pg_dump --no-owner --no-privileges` would have written, made by
/// pg_restore while the archive streams. Comments on extensions are left out, as in a restore.
///
/// The body ends in `Ok` only if the archive did and pg_restore succeeded.
///
/// # Errors
/// [`PostgresError::Run`]; what fails later fails the body.
pub fn script(tool: &Tool, toc: &ArchiveToc, mut archive: Body, subject: &str) -> Result<Body, PostgresError> {
    let failed = |source: io::Error| PostgresError::Run { program: tool.path.clone(), source };
    let mut list = tempfile::Builder::new().prefix(".odoo-backup-toc-").tempfile().map_err(failed)?;
    list.write_all(toc.restorable(Section::All).as_bytes()).map_err(failed)?;
    let mut command = Command::new(&tool.path);
    command
        .args(["--format=custom", "--file=-", "--no-owner", "--no-privileges"])
        .arg(use_list(list.path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = Running::start(&mut command, subject)?;
    let stdin = running.child.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
    body_of_fed(running, async move {
        feed(&mut archive, stdin).await?;
        // It may not need the very end, which alone shows that the archive was intact.
        tokio::io::copy(&mut archive, &mut tokio::io::sink()).await?;
        // A small archive fits into the pipe: pg_restore may not even have started to read the
        // list.
        Ok(list)
    })
}
