//! Checks what the installed service will be able to do: all checks are made as its user.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use engine::doctor::service::{ServiceUnit, is_own_user, tried, try_service, untried};
use engine::doctor::{Finding, Subjects, TrialOutcome};
use engine::folder::home_of;
use serde::Deserialize;
use tokio::process::Command;

/// Longer than all checks of a configuration take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Set for the checks as another user, which must not begin this again.
const AS_USER: &str = "ODOO_BACKUP_DOCTOR_AS_USER";

/// Runs all checks, as the user of the installed service if that can be done, and checks the
/// service itself.
pub(super) async fn findings(subjects: &Subjects) -> Vec<Finding> {
    let own = || engine::doctor::doctor(subjects);
    let unit = if std::env::var_os(AS_USER).is_some() { None } else { ServiceUnit::installed(Path::new("/")) };
    let Some(unit) = unit.filter(|unit| unit.is_for(&subjects.configuration)) else { return own().await };
    let (mut findings, user) = if is_own_user(&unit) {
        (own().await, tried(&unit))
    } else if !rustix::process::geteuid().is_root() {
        (own().await, untried(&unit, "only root can try it"))
    } else {
        match as_user(&unit, &subjects.configuration).await {
            Ok(findings) => (findings, tried(&unit)),
            // The first thing to fix, because the service would not even start.
            Err(Obstacle::Found(failed)) => {
                let findings = [vec![*failed], own().await, try_service(&unit, subjects)];
                return findings.concat();
            }
            Err(Obstacle::Unknown(why)) => (own().await, untried(&unit, &why)),
        }
    };
    findings.push(user);
    findings.extend(try_service(&unit, subjects));
    findings
}

/// Why there are no findings of the service's user.
enum Obstacle {
    /// It cannot do what it must, which is a finding.
    Found(Box<Finding>),
    /// It could not be tried.
    Unknown(String),
}

/// What `doctor --json` prints, as far as it is needed.
#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    Checked { findings: Vec<Finding> },
    Failed { error: PrintedError },
}

#[derive(Deserialize)]
struct PrintedError {
    message: String,
    hint: Option<String>,
}

/// Runs `doctor` as the user of the service, with the variables that the service has.
async fn as_user(unit: &ServiceUnit, configuration: &Path) -> Result<Vec<Finding>, Obstacle> {
    let unknown = |why: String| Obstacle::Unknown(why);
    let user = unit.user.as_deref().unwrap_or("root");
    let Some(home) = home_of(user) else { return Err(unknown(format!("there is no user {user}"))) };
    let program = std::env::current_exe().map_err(|error| unknown(error.to_string()))?;
    let configuration = std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_owned());
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
        ("HOME".to_owned(), home),
        ("USER".to_owned(), user.to_owned()),
        ("LOGNAME".to_owned(), user.to_owned()),
        (AS_USER.to_owned(), "1".to_owned()),
    ]);
    variables.extend(unit.environment.clone());
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program).arg("--config").arg(&configuration).args(["doctor", "--json"]);
    command.env_clear().envs(variables).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(unknown(format!("unable to run runuser: {}", engine::cause::line(&error)))),
        Err(_) => return Err(unknown(format!("no answer within {} minutes", PATIENCE.as_secs() / 60))),
    };
    match serde_json::from_slice(&output.stdout) {
        Ok(Printed::Checked { findings }) => Ok(findings),
        Ok(Printed::Failed { error }) => Err(Obstacle::Found(Box::new(Finding {
            subject: format!("service {}", unit.name),
            trial: "user".into(),
            outcome: TrialOutcome::Failed,
            detail: format!("as {user}: {}", error.message),
            hint: match error.message.starts_with("unable to read the configuration file") {
                true => Some(format!("let {user} read it: `sudo chown {user} {}`", configuration.display())),
                false => error.hint,
            },
        }))),
        Err(_) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().unwrap_or("it printed nothing").to_owned();
            Err(unknown(format!("unable to run {user}'s checks: {said}")))
        }
    }
}
