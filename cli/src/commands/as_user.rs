//! Runs this program again as another user, for what root cannot see or do as that user can.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::process::{Output, Stdio};
use std::time::Duration;

use engine::folder::home_of;
use tokio::process::Command;

/// Set for the program as another user, which must not begin this again.
const AS_USER: &str = "ODOO_BACKUP_AS_USER";

/// Returns whether [`run_as`] started this process.
pub(super) fn is_asked() -> bool {
    std::env::var_os(AS_USER).is_some()
}

/// Runs this program as `user`, with these variables besides those of a log-in. Returns what it
/// printed, or in a sentence why it could not be run. Only root may do that.
pub(super) async fn run_as(
    user: &str,
    variables: &BTreeMap<String, String>,
    arguments: &[&OsStr],
    patience: Duration,
) -> Result<Output, String> {
    let home = home_of(user).ok_or_else(|| format!("there is no user {user}"))?;
    let program = std::env::current_exe().map_err(|error| engine::cause::line(&error))?;
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program).args(arguments).env_clear();
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("HOME", home).env("USER", user).env("LOGNAME", user).envs(variables).env(AS_USER, "1");
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(patience, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(format!("unable to run runuser: {}", engine::cause::line(&error))),
        Err(_) => Err(format!("no answer within {} minutes", patience.as_secs() / 60)),
    }
}
