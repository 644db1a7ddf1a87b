//! Instances without a backup in the repository, although the daemon made some.

use config::{Config, MAIN};
use daemon::agenda::Job;
use daemon::journal::{History, RunOutcome};
use engine::repository::{Alarm, Repository};

use super::chosen::Loaded;

/// Returns an alarm for each instance that is not `shown`, although the daemon's journal records a
/// backup. Returns nothing if the journal cannot be read.
pub(super) fn by_journal(
    config: &Loaded<'_>,
    repository: &Repository,
    is_wanted: impl Fn(&str) -> bool,
    shown: impl Fn(&str) -> bool,
) -> Vec<Alarm> {
    match config.chosen() {
        MAIN => of(config, repository, is_wanted, shown),
        // The journal records backups in the first repository only.
        _ => Vec::new(),
    }
}

fn of(
    config: &Config,
    repository: &Repository,
    is_wanted: impl Fn(&str) -> bool,
    shown: impl Fn(&str) -> bool,
) -> Vec<Alarm> {
    let Some(history) = config.daemon.state_dir.as_deref().and_then(|folder| History::read(folder).ok()) else {
        return Vec::new();
    };
    let since = repository.description().created_at;
    let missing = config.instances.keys().filter(|name| is_wanted(name) && !shown(name));
    let alarms = missing.filter_map(|name| {
        let mut runs = history.runs().rev().filter(|run| run.instance == *name && run.job == Job::Backup);
        let made = runs.find_map(|run| match (&run.outcome, run.ended_at) {
            (Some(RunOutcome::Done { backup: Some(id), .. }), Some(at)) if at > since => Some((id, run.id)),
            _ => None,
        });
        let (id, run) = made?;
        let message =
            format!("the repository lists no backup of it, but there were some: run {run} of the daemon made {id}");
        Some(Alarm { instance: name.clone(), message })
    });
    alarms.collect()
}
