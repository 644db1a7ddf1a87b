//! pg_restore, from a file or a stream.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

use super::process::Running;
use super::{ArchiveToc, Endpoint, PostgresError, Tool};
use crate::stream::Body;

/// Where the archive comes from.
pub enum ArchiveSource {
    /// A file, which several jobs can read at once.
    File(PathBuf),
    /// A stream, which one job reads.
    Stream(Body),
}

/// Restores an archive into an empty database, which then belongs to the endpoint's role. The first error ends it.
///
/// A stream must have been read to an `Ok` end for this to return `Ok`.
///
/// # Errors
/// [`PostgresError`]; the database is then in an undefined state and should be dropped.
pub async fn restore(
    tool: &Tool,
    endpoint: &Endpoint,
    toc: &ArchiveToc,
    source: ArchiveSource,
    jobs: u32,
    scratch: &Path,
) -> Result<(), PostgresError> {
    let failed = |source: io::Error| PostgresError::Run { program: tool.path.clone(), source };
    let mut list = tempfile::Builder::new().prefix("toc-").tempfile_in(scratch).map_err(failed)?;
    list.write_all(toc.restorable().as_bytes()).map_err(failed)?;
    let mut command = Command::new(&tool.path);
    command
        .args(["--format=custom", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"])
        .arg(use_list(list.path()))
        // A plain name would be read as a connection string where it holds an equals sign.
        .arg(format!("--dbname=dbname='{}'", endpoint.database.replace('\\', r"\\").replace('\'', r"\'")));
    endpoint.pass_to(&mut command);
    command.stdout(Stdio::null());
    let subject = endpoint.to_string();
    match source {
        ArchiveSource::File(path) => {
            command.arg(format!("--jobs={jobs}")).arg(path).stdin(Stdio::null());
            Running::start(&mut command, subject)?.wait().await?;
        }
        ArchiveSource::Stream(body) => {
            command.stdin(Stdio::piped());
            let mut running = Running::start(&mut command, subject)?;
            let stdin = running.child.stdin.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
            let fed = feed(body, stdin).await;
            match fed {
                // The source's failure is the cause, whatever pg_restore makes of half an archive.
                Err(error) => return Err(failed(error)),
                Ok(()) => running.wait().await?,
            };
        }
    }
    Ok(())
}

pub(super) fn use_list(path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from("--use-list=");
    argument.push(path);
    argument
}

/// Copies to the end of the body. pg_restore stops reading where it fails, or before the very end where it needs no more:
/// the rest is then read all the same, because only the end says that the body was whole.
pub(super) async fn feed(mut body: Body, stdin: ChildStdin) -> io::Result<()> {
    let mut stdin = Some(stdin);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = body.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if let Some(pipe) = &mut stdin
            && pipe.write_all(&buffer[..read]).await.is_err()
        {
            stdin = None;
        }
    }
}
