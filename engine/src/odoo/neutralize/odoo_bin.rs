//! Odoo's own program, asked what it would run: `odoo-bin neutralize --stdout`, so that its SQL runs in the one transaction with ours.

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::NeutralizeError;
use super::{FIRST_SERIES, Sql};
use crate::odoo::Neutralize;
use crate::odoo::facts::OdooFacts;
use crate::postgres::Endpoint;

/// What Odoo prints in front of its SQL and behind it. Without both it printed half of it, or something else.
const BEGIN: &str = "BEGIN;";
const COMMIT: &str = "COMMIT;";

/// How much of its stderr is shown.
const LINES: usize = 15;

/// How long it may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the program runs at all, and knows how to neutralize.
pub(super) async fn check(program: &Path, source: &OdooFacts) -> Result<(), NeutralizeError> {
    let failed = |source| NeutralizeError::Run { program: program.into(), source };
    let mut command = Command::new(program);
    command.arg("--version").env_remove("ODOO_RC").env_remove("OPENERP_SERVER");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
    };
    let refused =
        |what: String| NeutralizeError::OdooFailed { program: program.into(), what, said: said(&output.stderr) };
    if !output.status.success() {
        return Err(refused(format!("--version failed ({})", output.status)));
    }
    // `Odoo Server 17.0`. A wrapper of somebody's own may print anything.
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

/// The end of what it wrote.
fn said(stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let said = lines[lines.len().saturating_sub(LINES)..].join("; ");
    if said.is_empty() { "it said nothing".into() } else { said }
}

/// The SQL that Odoo would run on the database.
pub(super) async fn ask(program: &Path, settings: &Neutralize, endpoint: &Endpoint) -> Result<Sql, NeutralizeError> {
    let failed = |source| NeutralizeError::Run { program: program.into(), source };
    // Odoo makes its data folder where there is none; not where the target's Odoo has it.
    let folder = tempfile::Builder::new().prefix(".odoo-backup-").tempdir().map_err(failed)?;
    // For its owner alone. The password is not in it: libpq takes it from the environment, as it does host, port and role.
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
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.output().await.map_err(failed)?;
    let refused =
        |what: String| NeutralizeError::OdooFailed { program: program.into(), what, said: said(&output.stderr) };
    if !output.status.success() {
        return Err(refused(format!("failed ({})", output.status)));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let between = printed.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(COMMIT));
    let text = between.ok_or_else(|| refused("printed something else than its neutralization".into()))?;
    Ok(Sql { name: "odoo_bin".into(), origin: format!("what {} printed", program.display()), text: text.into() })
}
