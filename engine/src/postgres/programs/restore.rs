//! pg_restore, from a file or a stream.

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

use super::process::Running;
use crate::postgres::{ArchiveToc, Endpoint, PostgresError, Session, Tool, Tuning, connect, server_major};
use crate::stream::Body;

/// pg_restore sets `transaction_timeout` since this major version; older servers do not know the
/// setting.
const SETS_TRANSACTION_TIMEOUT: u32 = 17;

/// The part of an archive that is restored, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Everything.
    All,
    /// Extensions, and what they need.
    Extensions,
    /// Everything else.
    BehindExtensions,
    /// Tables, types, functions: everything that must exist before the data.
    PreData,
    /// All data.
    Data,
    /// Data other than rows: the values of sequences, and large objects.
    DataWithoutRows,
    /// Indexes, constraints, triggers, and whatever is best created after the data.
    PostData,
}

impl Section {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::All | Self::BehindExtensions => &[],
            Self::Extensions | Self::PreData => &["--section=pre-data"],
            Self::Data | Self::DataWithoutRows => &["--section=data"],
            Self::PostData => &["--section=post-data"],
        }
    }
}

/// A restore of an archive into an empty database, which then belongs to the endpoint's role.
///
/// The first error ends it, except when pg_restore sets what an older server does not know: then
/// other errors fail it at the end. The database is then in an undefined state and should be
/// dropped.
pub(crate) struct Restoring<'a> {
    /// The pg_restore.
    pub tool: &'a Tool,
    /// The database.
    pub endpoint: &'a Endpoint,
    /// The content of the archive.
    pub toc: &'a ArchiveToc,
    /// Settings of the sessions.
    pub tuning: &'a Tuning,
    /// A private folder.
    pub scratch: &'a Path,
    /// Whether everything goes to the database's own tablespace, wherever it was.
    pub without_tablespaces: bool,
}

impl Restoring<'_> {
    /// Restores from a file, which several jobs can read in parallel.
    ///
    /// # Errors
    /// [`PostgresError`]
    pub(crate) async fn file(&self, path: &Path, section: Section) -> Result<(), PostgresError> {
        let (mut command, expected, _list) = self.command(section).await?;
        command.arg(format!("--jobs={}", self.tuning.jobs())).arg(path).stdin(Stdio::null());
        Running::start_expecting(&mut command, self.endpoint.to_string(), expected)?.wait().await.map(drop)
    }

    /// Restores from a stream, which one job reads. Returns `Ok` only if the stream was read to an
    /// `Ok` end, except for [`Section::Extensions`], which needs only its start.
    ///
    /// # Errors
    /// [`PostgresError`]
    pub(crate) async fn stream(&self, mut body: Body, section: Section) -> Result<(), PostgresError> {
        let (mut command, expected, _list) = self.command(section).await?;
        command.stdin(Stdio::piped());
        let mut running = Running::start_expecting(&mut command, self.endpoint.to_string(), expected)?;
        let stdin = running.child.stdin.take().ok_or_else(|| self.failed(io::ErrorKind::BrokenPipe.into()))?;
        let unread = |source| PostgresError::Read { subject: "the dump".to_owned(), source };
        // The source's failure is the cause, whatever pg_restore reports about half an archive.
        feed(&mut body, stdin).await.map_err(unread)?;
        // After an early failure, reading the rest for an hour would not help.
        running.wait().await?;
        if section == Section::Extensions {
            return Ok(());
        }
        tokio::io::copy(&mut body, &mut tokio::io::sink()).await.map_err(unread)?;
        Ok(())
    }

    /// Returns a command that still needs the archive's place, the lines of stderr to expect, and
    /// the list that it reads.
    async fn command(
        &self,
        section: Section,
    ) -> Result<(Command, fn(&str) -> bool, tempfile::NamedTempFile), PostgresError> {
        let (mut command, list, session) = self.lenient_command(section).await?;
        let foreign_setting =
            self.tool.major >= SETS_TRANSACTION_TIMEOUT && server_major(&session).await? < SETS_TRANSACTION_TIMEOUT;
        if foreign_setting {
            return Ok((command, is_about_transaction_timeout, list));
        }
        command.arg("--exit-on-error");
        Ok((command, |_| false, list))
    }

    /// Returns a command as [`Self::command`] does that continues after an error.
    pub(in crate::postgres) async fn lenient_command(
        &self,
        section: Section,
    ) -> Result<(Command, tempfile::NamedTempFile, Session), PostgresError> {
        let Self { tool, endpoint, .. } = *self;
        let mut list =
            tempfile::Builder::new().prefix("toc-").tempfile_in(self.scratch).map_err(|error| self.failed(error))?;
        list.write_all(self.toc.restorable(section).as_bytes()).map_err(|error| self.failed(error))?;
        let mut command = Command::new(&tool.path);
        command
            .args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"])
            .arg(use_list(list.path()))
            // A plain name that contains an equals sign would be read as a connection string.
            .arg(format!("--dbname={}", endpoint.connection_string()));
        command.args(section.arguments());
        command.args(self.without_tablespaces.then_some("--no-tablespaces"));
        let session = connect(endpoint).await?;
        session.pass_to(&mut command, Some(self.tuning.options()));
        command.stdout(Stdio::null());
        Ok((command, list, session))
    }

    fn failed(&self, source: io::Error) -> PostgresError {
        PostgresError::Run { program: self.tool.path.clone(), source }
    }
}

/// Returns whether a line of pg_restore's stderr says that `SET transaction_timeout = 0` failed, or
/// counts the errors at the end.
fn is_about_transaction_timeout(line: &str) -> bool {
    // Jobs write in parallel, and these words separately.
    let mut said = line.trim_start();
    while let Some(rest) = said.strip_prefix("pg_restore:").or_else(|| said.strip_prefix("error:")) {
        said = rest.trim_start();
    }
    // The server's own words may be in any language.
    said.is_empty()
        || said.starts_with("could not execute query: ") && said.contains("transaction_timeout")
        || said == "Command was: SET transaction_timeout = 0;"
        || said.starts_with("warning: errors ignored on restore: ")
}

pub(in crate::postgres) fn use_list(path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from("--use-list=");
    argument.push(path);
    argument
}

/// Copies until the body's end, or until pg_restore stops reading: because it failed, or before the
/// very end because it needs no more.
pub(in crate::postgres) async fn feed(body: &mut Body, mut stdin: ChildStdin) -> io::Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = body.read(&mut buffer).await?;
        if read == 0 || stdin.write_all(&buffer[..read]).await.is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_about_transaction_timeout as expected;

    #[test]
    fn only_timeout_setting_is_excused() {
        let text = "\
pg_restore:pg_restore:  error: error: could not execute query: FEHLER:  nicht erkannter Konfigurationsparameter »transaction_timeout«
Command was: SET transaction_timeout = 0;
 error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"
Command was: SET transaction_timeout = 0;
pg_restore: warning: errors ignored on restore: 2";
        assert!(text.lines().all(expected));
        let others = [
            "pg_restore: error: could not execute query: ERROR:  relation \"res_users\" does not exist",
            "Command was: CREATE INDEX i ON t USING btree (a);",
            "Command was: SET transaction_timeout = 0; DROP TABLE t;",
            "pg_restore: error: could not read from input file: end of file",
            "pg_restore: error: a worker process died unexpectedly",
            "transaction_timeout",
        ];
        for line in others {
            assert!(!expected(line), "{line}");
        }
    }
}
