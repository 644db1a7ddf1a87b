//! Asks Odoo's own program what it would run: `odoo-bin neutralize --stdout`. Its SQL then runs in
//! the one transaction.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::error::NeutralizeError;
use super::{FIRST_SERIES, Sql};
use crate::odoo::Neutralize;
use crate::odoo::facts::OdooFacts;
use crate::postgres::Endpoint;
use crate::process_group::ProcessGroup;

/// What Odoo prints before its SQL and after it. Without both, the output is incomplete or
/// something else.
const BEGIN: &str = "BEGIN;";
const COMMIT: &str = "COMMIT;";

/// How much of its stderr is shown.
const LINES: usize = 15;

/// Time limit for its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time limit for printing its SQL, for which it reads files and lists the installed modules.
const LIMIT: Duration = Duration::from_mins(10);

/// Checks that the program runs, and knows how to neutralize.
pub(super) async fn check(program: &Path, source: &OdooFacts) -> Result<(), NeutralizeError> {
    let failed = |source| NeutralizeError::Run { program: program.into(), source };
    let mut command = Command::new(program);
    command.arg("--version").env_remove("ODOO_RC").env_remove("OPENERP_SERVER");
    let output = run(command, PATIENCE).await.map_err(failed)?;
    let refused =
        |what: String| NeutralizeError::OdooFailed { program: program.into(), what, said: said(&output.stderr) };
    if !output.status.success() {
        return Err(refused(format!("--version failed ({})", output.status)));
    }
    // `Odoo Server 17.0`. A custom wrapper may print anything.
    let printed = String::from_utf8_lossy(&output.stdout);
    let Some(version) = printed.trim().strip_prefix("Odoo Server ") else { return Ok(()) };
    let version = version.split(['-', '+']).next().unwrap_or_default();
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    match major {
        Some(major) if major < FIRST_SERIES => {
            Err(refused(format!("is Odoo {version}, which does not know `neutralize`")))
        }
        Some(_) if version != source.series => {
            Err(refused(format!("is Odoo {version}, and the backup is of {}", source.series)))
        }
        _ => Ok(()),
    }
}

/// Runs a program to its end, with all that it starts. Returns what it wrote.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] if it takes longer than `limit`. Its whole group is then killed, as
/// after a drop.
async fn run(mut command: Command, limit: Duration) -> io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ProcessGroup::prepare(&mut command);
    let child = command.spawn()?;
    let led = ProcessGroup::of(&child);
    let mut work = std::pin::pin!(child.wait_with_output());
    // Dropped before the child, because it is declared later.
    let group = led;
    let output = tokio::time::timeout(limit, &mut work).await.map_err(|_| too_long(limit))??;
    group.leave();
    Ok(output)
}

fn too_long(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("it did not end within {} s", limit.as_secs()))
}

/// Returns the end of what it wrote.
fn said(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let said = lines[lines.len().saturating_sub(LINES)..].join("; ");
    if said.is_empty() { "it wrote no error".into() } else { said }
}

/// Returns the SQL that Odoo would run on the database.
pub(super) async fn ask(program: &Path, settings: &Neutralize, endpoint: &Endpoint) -> Result<Sql, NeutralizeError> {
    let failed = |source| NeutralizeError::Run { program: program.into(), source };
    // Odoo creates a missing data folder; it must not do so where the target's Odoo has it.
    let folder = tempfile::Builder::new().prefix(".odoo-backup-").tempdir().map_err(failed)?;
    // For its owner only. The password is not in it: libpq reads it from the environment, like
    // host, port and role.
    let mut conf = tempfile::Builder::new().suffix(".conf").tempfile_in(&folder).map_err(failed)?;
    let addons: Vec<_> = settings.addons_path.iter().map(|path| path.display().to_string()).collect();
    let addons = if addons.is_empty() { String::new() } else { format!("addons_path = {}\n", addons.join(",")) };
    let text = format!(
        "[options]\n{addons}data_dir = {}\ndb_sslmode = {}\nlogfile = False\nlist_db = False\n",
        folder.path().display(),
        endpoint.sslmode.as_str()
    );
    conf.write_all(text.as_bytes()).and_then(|()| conf.flush()).map_err(failed)?;
    let mut command = Command::new(program);
    command.arg("neutralize").arg("-c").arg(conf.path()).arg("-d").arg(&endpoint.database).arg("--stdout");
    endpoint.pass_to(&mut command);
    command.env_remove("ODOO_RC").env_remove("OPENERP_SERVER");
    let output = run(command, LIMIT).await.map_err(failed)?;
    let refused =
        |what: String| NeutralizeError::OdooFailed { program: program.into(), what, said: said(&output.stderr) };
    if !output.status.success() {
        return Err(refused(format!("failed ({})", output.status)));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let between = printed.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(COMMIT));
    let text = between.ok_or_else(|| refused("printed something other than its neutralization".into()))?;
    Ok(Sql { name: "odoo_bin".into(), origin: format!("what {} printed", program.display()), text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn slow_program_is_killed() {
        let mut command = Command::new("sh");
        // The child has stdout open as well, so that the output does not end.
        command.args(["-c", "sleep 600 & echo begun; wait"]);
        let error = run(command, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "it did not end within 1 s");
    }

    #[tokio::test]
    async fn ended_program_returns_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo SQL; echo log >&2; exit 3"]);
        let output = run(command, LIMIT).await.unwrap();
        let said = (&*output.stdout, &*output.stderr, output.status.code());
        assert_eq!(said, (&b"SQL\n"[..], &b"log\n"[..], Some(3)));
    }
}
