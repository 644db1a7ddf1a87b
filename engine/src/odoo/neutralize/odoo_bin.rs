//! Odoo's own program, asked what it would run: `odoo-bin neutralize --stdout`, so that its SQL runs in the one transaction with ours.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::Sql;
use super::error::NeutralizeError;
use crate::config::Neutralize;
use crate::postgres::Endpoint;

/// What Odoo prints in front of its SQL and behind it. Without both it printed half of it, or something else.
const BEGIN: &str = "BEGIN;";
const COMMIT: &str = "COMMIT;";

/// How much of its stderr is shown.
const LINES: usize = 15;

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
    let refused = |what: String| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let said = lines[lines.len().saturating_sub(LINES)..].join("; ");
        let said = if said.is_empty() { "it said nothing".into() } else { said };
        NeutralizeError::OdooFailed { program: program.into(), what, said }
    };
    if !output.status.success() {
        return Err(refused(format!("failed ({})", output.status)));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let between = printed.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(COMMIT));
    let text = between.ok_or_else(|| refused("printed something else than its neutralization".into()))?;
    Ok(Sql { name: "odoo_bin".into(), origin: format!("what {} printed", program.display()), text: text.into() })
}
