//! `odoo-backup status`: what runs, what comes next, what is wrong. From the repository and the daemon's state folder, so that it works
//! without a daemon, too.

use std::collections::BTreeMap;

use daemon::agenda::{Job, entries};
use daemon::journal::{History, Outcome, RunRecord, is_in_use};
use daemon::notify::standings;
use daemon::staleness::Since;
use daemon::view::Standing;
use daemon::{InstanceView, JobView};
use engine::config::Config;
use engine::error::explain;
use engine::manifest::Manifest;
use engine::repository::{Flaw, Listing, Repository};
use engine::text::one_line;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use super::runs::{result, state_dir};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{plural, time};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// A person should look.
    Warning,
    /// Something is not as it must be.
    Critical,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct Problem {
    severity: Severity,
    instance: Option<String>,
    message: String,
}

/// What there is to be said.
struct Found {
    /// `None` where it could not be found out.
    daemon_runs: Option<bool>,
    instances: Vec<InstanceView>,
    newest: BTreeMap<String, Manifest>,
    running: Vec<RunRecord>,
    notifiers: Vec<Standing>,
    problems: Vec<Problem>,
}

/// Says how things are.
pub(super) async fn status(chosen: Chosen<'_>, nagios: bool, output: Output) -> Result<Exit, Failure> {
    let config = load(chosen, output)?.into_config();
    let found = find_out(&config).await?;
    let worst = found.problems.iter().map(|problem| problem.severity).max();
    let document = json!({
        "well": worst.is_none(),
        "daemon": { "running": found.daemon_runs, "state_dir": config.daemon.state_dir },
        "instances": found.instances.iter().map(|instance| json!({
            "name": instance.name,
            "newest_backup": found.newest.get(&instance.name).map(|newest| json!({ "id": newest.id, "created_at": newest.created_at })),
            "stale_after_seconds": instance.stale_after_seconds,
            "jobs": instance.jobs,
        })).collect::<Vec<_>>(),
        "running": found.running,
        "notifiers": found.notifiers,
        "problems": found.problems,
    });
    // A plugin's 1 and 2 are a warning and an error; ours are an error and wrong usage.
    let exit = match (worst, nagios) {
        (None, _) => Exit::Success,
        (Some(Severity::Warning), false) => Exit::Warnings,
        (Some(Severity::Critical), false) | (Some(Severity::Warning), true) => Exit::Failed,
        (Some(Severity::Critical), true) => Exit::Usage,
    };
    Ok(output.result(&document, || if nagios { plugin_text(&found, worst) } else { text(&found) }, exit))
}

async fn find_out(config: &Config) -> Result<Found, Failure> {
    let (now, agenda) = (Timestamp::now(), entries(config));
    let mut problems = Vec::new();
    let mut problem = |severity, instance: Option<&str>, message: String| {
        problems.push(Problem { severity, instance: instance.map(Into::into), message });
    };
    let folder = state_dir(config)?;
    let (history, daemon_runs) = match (History::read(folder), is_in_use(folder)) {
        (Ok(history), Ok(in_use)) => (history, Some(in_use)),
        (Err(error), _) | (_, Err(error)) => {
            problem(Severity::Warning, None, format!("what the daemon did is unknown: {}", explain(&error)));
            (History::default(), None)
        }
    };
    if daemon_runs == Some(false) && !agenda.is_empty() {
        problem(Severity::Warning, None, "the daemon does not run, and there are schedules".to_owned());
    }
    let notifiers = standings(config, folder).unwrap_or_else(|error| {
        problem(Severity::Warning, None, format!("how notifiers fare is unknown: {}", explain(&error)));
        Vec::new()
    });
    for fails in notifiers.iter().filter_map(|notifier| notifier.problem.as_ref()) {
        problem(Severity::Warning, None, fails.clone());
    }
    // What a daemon that is no more has begun has ended with it.
    let running: Vec<_> =
        history.runs().filter(|run| run.ended_at.is_none() && daemon_runs == Some(true)).cloned().collect();
    let goes_on =
        |instance: &str, job| running.iter().find(|run| run.instance == instance && run.job == job).map(|run| run.id);
    let listing = match list(config).await {
        Ok(listing) => Some(listing),
        Err(error) => {
            problem(Severity::Critical, None, explain(&error).to_string());
            None
        }
    };
    // By the repository's clock where this machine's is wrong: set back, it would make a backup young again.
    let today = listing.as_ref().map_or(now, |listing| listing.clocks.now());
    for (instance, message) in listing.as_ref().map(wrongs).unwrap_or_default() {
        problem(Severity::Critical, instance.as_deref(), message);
    }
    let newest = listing.as_ref().map(newest).unwrap_or_default();
    let newest_good = listing.as_ref().map(Listing::newest_good).unwrap_or_default();
    let instances = daemon::view::instances(config, &agenda, &history, goes_on, now);
    for instance in &instances {
        let name = Some(instance.name.as_str());
        for job in &instance.jobs {
            if let Some(message) = failed(job) {
                problem(Severity::Critical, name, message);
            }
        }
        let backup = newest.get(&instance.name);
        let good = newest_good.get(instance.name.as_str());
        let is_missing = listing.is_some() && goes_on(&instance.name, Job::Backup).is_none();
        match good {
            Some(good) => {
                if let Some(staleness) = instance.staleness(Since::Backup(good.created_at), today) {
                    problem(Severity::Critical, name, staleness.to_string());
                }
            }
            None if is_missing && backup.is_some() => {
                problem(Severity::Critical, name, "none of its backups is good".to_owned());
            }
            None if is_missing => problem(Severity::Critical, name, "there is no backup".to_owned()),
            None => {}
        }
        if let Some((backup, warnings)) = backup.map(|backup| (backup, backup.all_warnings()))
            && !warnings.is_empty()
        {
            let (id, number) = (&backup.id, plural(warnings.len() as u64, "warning"));
            problem(
                Severity::Warning,
                name,
                format!("the newest backup, {id}, was made with {number}: {}", warnings.join("; ")),
            );
        }
    }
    for unreadable in listing.iter().flat_map(|listing| &listing.unreadable) {
        problem(Severity::Critical, None, explain(unreadable).with_hint());
    }
    for damaged in listing.iter().flat_map(|listing| &listing.damaged) {
        problem(Severity::Critical, Some(&damaged.instance), explain(&damaged.error).to_string());
    }
    Ok(Found { daemon_runs, instances, newest, running, notifiers, problems })
}

/// Backups of an instance that are named one by one.
const NAMED: usize = 3;

/// What is wrong with what the repository shows, by instance. What restores have shown is said by the runs that restored.
fn wrongs(listing: &Listing) -> Vec<(Option<String>, String)> {
    let mut wrongs: Vec<_> = listing.clocks.disagreement().map(|text| (None, text)).into_iter().collect();
    wrongs.extend(listing.alarms.iter().map(|alarm| (Some(alarm.instance.clone()), alarm.message.clone())));
    let mut flawed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for backup in listing.backups.iter().rev() {
        for flaw in listing.flaws(backup).iter().filter(|flaw| **flaw != Flaw::Refuted) {
            flawed.entry(&backup.instance).or_default().push(format!("{}: {flaw}", backup.id));
        }
    }
    for (instance, flaws) in flawed {
        let more = flaws.len().saturating_sub(NAMED);
        let named = flaws.into_iter().take(NAMED);
        let more = (more > 0).then(|| format!("{more} more of its backups are not good"));
        wrongs.extend(named.chain(more).map(|message| (Some(instance.to_owned()), message)));
    }
    wrongs
}

async fn list(config: &Config) -> Result<Listing, engine::repository::RepositoryError> {
    Repository::at(&config.repository).await?.list(None).await
}

/// The newest backup of each instance.
fn newest(listing: &Listing) -> BTreeMap<String, Manifest> {
    // Oldest first, so that the last one stays.
    listing.backups.iter().map(|backup| (backup.instance.clone(), backup.clone())).collect()
}

/// What the job's latest run failed for, unless one has gone well since.
fn failed(job: &JobView) -> Option<String> {
    let failure = job.latest_failure.as_ref()?;
    let since = job.latest_success.as_ref().is_some_and(|success| success.id > failure.id);
    let what = match failure.outcome {
        // It is caught up.
        Some(Outcome::Lost) if job.running.is_some() => return None,
        _ => result(failure),
    };
    (!since).then(|| format!("the latest {} (run {}, {}) {what}", job.job, failure.id, time(failure.began_at)))
}

fn text(found: &Found) -> String {
    let daemon = match found.daemon_runs {
        Some(true) => "the daemon runs",
        Some(false) => "the daemon does not run",
        None => "whether the daemon runs is unknown",
    };
    let mut text = format!("{daemon}\n");
    for instance in &found.instances {
        let newest = found.newest.get(&instance.name);
        let newest = newest.map_or("none".to_owned(), |newest| format!("{} ({})", time(newest.created_at), newest.id));
        text.push_str(&format!("{}\n  newest backup  {newest}\n", instance.name));
        for job in instance.jobs.iter().filter(|job| job.schedule.is_some()) {
            let next = job.next.map_or("never".to_owned(), |slot| time(slot.begins));
            text.push_str(&format!("  next {:9} {next}\n", job.job.as_str()));
        }
    }
    for run in &found.running {
        text.push_str(&format!("running: {}, run {}, since {}\n", run.what(), run.id, time(run.began_at)));
    }
    for problem in &found.problems {
        text.push_str(&format!("{}\n", line(problem)));
    }
    if found.problems.is_empty() {
        text.push_str("all is well\n");
    }
    text
}

fn line(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Warning => "warning",
        Severity::Critical => "WRONG",
    };
    let instance = problem.instance.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    format!("{severity}: {instance}{}", one_line(&problem.message))
}

/// As the guidelines of the Monitoring Plugins have it: the state, then in a line why.
fn plugin_text(found: &Found, worst: Option<Severity>) -> String {
    let state = match worst {
        None => "OK",
        Some(Severity::Warning) => "WARNING",
        Some(Severity::Critical) => "CRITICAL",
    };
    let mut problems: Vec<_> = found.problems.iter().collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    let said: Vec<_> = problems.into_iter().map(line).collect();
    let said = match said.as_slice() {
        [] => plural(found.instances.len() as u64, "instance") + ", all is well",
        said => said.join("; "),
    };
    // What stands behind a bar would be taken for figures.
    format!("ODOO-BACKUP {state} - {}\n", said.replace(['|', '\n'], " "))
}
