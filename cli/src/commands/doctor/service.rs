//! Checks what the installed service will be able to do: all checks are made as its user.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use engine::doctor::service::{ServiceUnit, is_own_user, tried, try_service, untried};
use engine::doctor::{Finding, Subjects, TrialOutcome};
use serde::Deserialize;

use crate::commands::as_user::{is_asked, run_as};

/// Longer than all checks of a configuration take.
const PATIENCE: Duration = Duration::from_mins(10);

/// Runs all checks, as the user of the installed service if that can be done, and checks the
/// service itself.
pub(super) async fn findings(subjects: &Subjects) -> Vec<Finding> {
    let own = || engine::doctor::doctor(subjects);
    let unit = if is_asked() { None } else { ServiceUnit::installed(Path::new("/")) };
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
    let configuration = std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_owned());
    let arguments = [OsStr::new("--config"), configuration.as_os_str(), OsStr::new("doctor"), OsStr::new("--json")];
    let output = run_as(user, &unit.environment, &arguments, PATIENCE).await.map_err(unknown)?;
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
