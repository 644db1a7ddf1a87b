//! What the systemd service of odoo-backup will be able to do: its user and its sandbox, as its
//! unit says.

mod sandbox;
mod unit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use self::sandbox::Reach;
pub use self::unit::ServiceUnit;
use super::{Finding, Subjects, TrialFindings, TrialOutcome};
use crate::filestore;
use crate::folder;
use crate::hooks::Hooks;
use crate::store::StoreConfig;

/// Returns what an installed service will be unable to do because of its sandbox.
pub fn try_service(unit: &ServiceUnit, subjects: &Subjects) -> Vec<Finding> {
    let mut findings = TrialFindings::default();
    findings.begin(format!("service {}", unit.name), Duration::ZERO);
    let user = unit.user.as_deref().unwrap_or("root");
    findings.ok("unit", format!("{}, as {user}", unit.path.display()));
    for path in read(unit, subjects) {
        if sandbox::reach(unit, &path) == Reach::Hidden {
            let hint = format!("move it, or allow it: {}", allow(unit, "BindReadOnlyPaths", &path));
            findings.failed("read", format!("its sandbox hides {}", path.display()), hint);
        }
    }
    let written = written(unit, subjects);
    let mut refused = 0;
    for path in &written {
        let shown = path.display();
        let (detail, hint) = match sandbox::reach(unit, path) {
            Reach::Write => continue,
            Reach::Absent(named) => {
                let owner = unit.user.as_deref().map(|user| format!("-o {user} ")).unwrap_or_default();
                let named = named.display();
                (
                    format!("{named} does not exist: when the service starts, its sandbox makes {shown} read-only"),
                    format!("create it: `sudo install -d {owner}-m 700 {named}`"),
                )
            }
            Reach::Read => (format!("its sandbox makes {shown} read-only"), allow(unit, "ReadWritePaths", path)),
            Reach::Hidden => (format!("its sandbox hides {shown}"), allow(unit, "BindPaths", path)),
        };
        refused += 1;
        findings.failed("write", detail, hint);
    }
    if refused == 0 {
        let folders: Vec<_> = written.iter().map(|path| path.display().to_string()).collect();
        findings.ok("write", format!("its sandbox allows {}", listed(&folders)));
    }
    findings.all
}

fn listed(folders: &[String]) -> String {
    if folders.is_empty() { "everything needed".into() } else { folders.join(", ") }
}

fn allow(unit: &ServiceUnit, key: &str, path: &Path) -> String {
    format!("run `sudo systemctl edit {}` and add `[Service]` and `{key}={}`", unit.name, path.display())
}

/// Returns the folders and files that the service reads.
fn read(unit: &ServiceUnit, subjects: &Subjects) -> Vec<PathBuf> {
    let filestores = subjects.instances.iter().map(|instance| instance.filestore.clone());
    let hooks = subjects.hooks.values().flat_map(Hooks::listed).map(|(_, command)| command.program.clone());
    filestores.filter(|path| filestore::is_known(path)).chain([unit.config.clone()]).chain(hooks).collect()
}

/// Returns the folders that the service writes to: repositories, and for the daemon those of
/// restores and drills.
fn written(unit: &ServiceUnit, subjects: &Subjects) -> Vec<PathBuf> {
    let repositories = subjects.repositories.iter().filter_map(|(_, place)| match place {
        StoreConfig::Local { path } => Some(path.clone()),
        StoreConfig::S3(_) => None,
    });
    let targets = subjects.targets.iter().chain(subjects.drills.iter().map(|(_, place)| place));
    let parents = targets.filter_map(|target| target.filestore.parent().map(Path::to_owned));
    let parents = parents.filter(|path| unit.is_daemon && filestore::is_known(path));
    let mut all: Vec<_> = repositories.chain(parents).collect();
    all.sort();
    all.dedup();
    all
}

/// Returns the finding about a service whose user cannot be tried.
pub fn untried(unit: &ServiceUnit, why: &str) -> Finding {
    let user = unit.user.as_deref().unwrap_or("root");
    Finding {
        subject: format!("service {}", unit.name),
        trial: "user".into(),
        outcome: TrialOutcome::Unknown,
        detail: format!("could not tell what {user} may do: {why}"),
        hint: Some(format!("run `sudo -u {user} odoo-backup doctor`")),
    }
}

/// Returns the finding about the user who did all checks.
pub fn tried(unit: &ServiceUnit) -> Finding {
    let user = unit.user.as_deref().unwrap_or("root");
    Finding {
        subject: format!("service {}", unit.name),
        trial: "user".into(),
        outcome: TrialOutcome::Ok,
        detail: format!("all checks above were made as {user}"),
        hint: None,
    }
}

/// Returns whether this process runs as the service's user.
pub fn is_own_user(unit: &ServiceUnit) -> bool {
    let own = folder::user_name(rustix::process::geteuid().as_raw());
    unit.user.as_deref().unwrap_or("root") == own
}

#[cfg(test)]
mod tests;
