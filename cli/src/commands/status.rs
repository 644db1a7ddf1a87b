//! `odoo-backup status`: what is running, what comes next, and problems. Reads the repository and
//! the daemon's state folder, so that it works without a daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, explain};
use daemon::InstanceView;
use daemon::agenda::entries;
use daemon::condition::{Backups, Condition, ConditionReason, ReasonKind, Severity, of_repository};
use daemon::facts::{InstanceFacts, Known};
use daemon::journal::{History, RunRecord, is_in_use, obstacle};
use daemon::metrics::{Textfile, textfile};
use daemon::notify::standings;
use daemon::view::{JobView, Standing};
use engine::error::Explanation;
use engine::manifest::Manifest;
use engine::prune::forecast;
use engine::repository::{BackupId, Listing, Repository, RepositoryError};
use engine::text::one_line;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use super::runs::state_dir;
use crate::exit::Exit;
use crate::new_file::publish;
use crate::output::Output;
use crate::table::{plural, problems_found, time};

/// A problem of an instance, or of no particular one.
struct Problem {
    instance: Option<String>,
    reason: ConditionReason,
}

impl Problem {
    fn severity(&self) -> Severity {
        self.reason.severity()
    }
}

/// Everything that the command reports.
struct Found {
    /// `None` if it could not be determined.
    daemon_runs: Option<bool>,
    instances: Vec<InstanceView>,
    /// What the repository shows of the instances of the configuration.
    known: Known,
    conditions: BTreeMap<String, Condition>,
    newest: BTreeMap<String, Manifest>,
    running: Vec<RunRecord>,
    notifiers: Vec<Standing>,
    problems: Vec<Problem>,
    /// Whether the repository and the daemon's state could be read, and all of them.
    is_complete: bool,
}

/// Reports the status. Writes the metrics to `file`, whatever could be read: former values would
/// look like news.
pub(super) async fn status(
    chosen: Chosen<'_>,
    nagios: bool,
    file: Option<&Path>,
    output: Output,
) -> Result<Exit, Failure> {
    let found = look_around(chosen, output).await;
    let written = file.map_or(Ok(()), |file| publish(file, &metrics(found.as_ref().ok().map(|(_, found)| found))));
    let (config, found) = match (found, written) {
        (Ok(found), written) => {
            written?;
            found
        }
        (Err(failure), written) => {
            if let Err(error) = written {
                output.warning(&explain(&error).to_string());
            }
            return Err(failure);
        }
    };
    let worst = found.problems.iter().map(|problem| problem.reason.severity()).max().unwrap_or(Severity::Ok);
    let document = StatusDocument::of(&config, &found, worst);
    // Plugins of Nagios end in 1 for a warning and in 2 for a critical problem.
    let exit = match (worst, nagios) {
        (Severity::Ok, _) => Exit::Success,
        (Severity::Warning, false) => Exit::Warnings,
        (Severity::Failed, false) | (Severity::Warning, true) => Exit::Failed,
        (Severity::Failed, true) => Exit::Usage,
    };
    Ok(output.result(&document, || if nagios { plugin_text(&found, worst) } else { text(&found) }, exit))
}

/// What `status` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(super) struct StatusDocument {
    /// Whether nothing is wrong.
    well: bool,
    /// The daemon.
    daemon: DaemonStatus,
    /// The instances of the configuration.
    instances: Vec<InstanceStatus>,
    /// The runs that have not ended.
    running: Vec<RunRecord>,
    /// The notifiers, and whether they work.
    notifiers: Vec<Standing>,
    /// What is wrong.
    problems: Vec<ProblemDocument>,
}

/// The daemon, as others see it.
#[derive(Debug, Serialize, ToSchema)]
struct DaemonStatus {
    /// Whether it runs; null where that is unknown.
    #[schema(required = true)]
    running: Option<bool>,
    /// Its state folder.
    #[schema(required = true, value_type = Option<String>)]
    state_dir: Option<PathBuf>,
}

/// An instance.
#[derive(Debug, Serialize, ToSchema)]
struct InstanceStatus {
    /// Its name.
    name: String,
    /// How it is doing, and why.
    #[schema(required = true)]
    condition: Option<Condition>,
    /// Its newest backup; null where there is none, or none is known.
    #[schema(required = true)]
    newest_backup: Option<NewestBackup>,
    /// How old its newest good backup may become; null: as old as it likes.
    #[schema(required = true, minimum = 0)]
    stale_after_seconds: Option<i64>,
    /// Its jobs: a backup always, others where they have a schedule or ran.
    jobs: Vec<JobView>,
}

/// The newest backup of an instance.
#[derive(Debug, Serialize, ToSchema)]
struct NewestBackup {
    /// Its id.
    id: BackupId,
    /// The moment that it shows.
    created_at: Timestamp,
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemDocument {
    /// How bad it is.
    severity: ProblemSeverity,
    /// What is wrong, in a word that programs may rely on.
    reason: ReasonKind,
    /// The instance; null where it is wrong with all of them.
    #[schema(required = true)]
    instance: Option<String>,
    /// What is wrong, in a sentence.
    message: String,
}

/// How bad something is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ProblemSeverity {
    /// A person should look; it can wait.
    Warning,
    /// Something is not as it must be.
    Critical,
}

impl StatusDocument {
    fn of(config: &Config, found: &Found, worst: Severity) -> Self {
        let instances = found.instances.iter().map(|instance| InstanceStatus {
            name: instance.name.clone(),
            condition: found.conditions.get(&instance.name).cloned(),
            newest_backup: found
                .newest
                .get(&instance.name)
                .map(|newest| NewestBackup { id: newest.id.clone(), created_at: newest.created_at }),
            stale_after_seconds: instance.stale_after_seconds,
            jobs: instance.jobs.clone(),
        });
        Self {
            well: worst == Severity::Ok,
            daemon: DaemonStatus { running: found.daemon_runs, state_dir: config.daemon.state_dir.clone() },
            instances: instances.collect(),
            running: found.running.clone(),
            notifiers: found.notifiers.clone(),
            problems: found.problems.iter().map(ProblemDocument::of).collect(),
        }
    }
}

impl ProblemDocument {
    fn of(Problem { instance, reason }: &Problem) -> Self {
        let severity = match reason.severity() {
            Severity::Ok | Severity::Warning => ProblemSeverity::Warning,
            Severity::Failed => ProblemSeverity::Critical,
        };
        Self { severity, reason: reason.kind, instance: instance.clone(), message: reason.message.clone() }
    }
}

async fn look_around(chosen: Chosen<'_>, output: Output) -> Result<(Config, Found), Failure> {
    let config = load(chosen, output)?.into_config();
    let found = find_out(&config).await?;
    Ok((config, found))
}

/// Returns the metrics for node_exporter.
fn metrics(found: Option<&Found>) -> String {
    let seen = found.map(|found| Textfile {
        instances: &found.instances,
        notifiers: &found.notifiers,
        known: &found.known,
        daemon_runs: found.daemon_runs == Some(true),
        is_complete: found.is_complete,
    });
    textfile(seen.as_ref(), Timestamp::now())
}

async fn find_out(config: &Config) -> Result<Found, Failure> {
    let (now, agenda) = (Timestamp::now(), entries(config));
    let mut problems = Vec::new();
    let mut problem =
        |kind, message: String| problems.push(Problem { instance: None, reason: ConditionReason::new(kind, message) });
    let folder = state_dir(config)?;
    let (history, daemon_runs) = match (History::read(folder), is_in_use(folder)) {
        (Ok(history), Ok(in_use)) => (history, Some(in_use)),
        (Err(error), _) | (_, Err(error)) => {
            problem(
                ReasonKind::StateUnreadable,
                format!("unable to read the history of the daemon: {}", explain(&error)),
            );
            (History::default(), None)
        }
    };
    if daemon_runs == Some(false) && !agenda.is_empty() {
        // A running daemon is not found if its folder was moved.
        let why = match folder.exists() {
            true => String::new(),
            false => format!(
                ": the state folder {} does not exist; no daemon has run here, or the folder was moved",
                folder.display()
            ),
        };
        problem(ReasonKind::DaemonDown, format!("the daemon is not running, but there are schedules{why}"));
    }
    if let Some(obstacle) = obstacle(folder) {
        problem(ReasonKind::StateUnwritable, obstacle);
    }
    let notifiers = standings(config, folder);
    let state_is_read = daemon_runs.is_some() && notifiers.is_ok();
    let notifiers = notifiers.unwrap_or_else(|error| {
        problem(ReasonKind::StateUnreadable, format!("unable to read the state of the notifiers: {}", explain(&error)));
        Vec::new()
    });
    for fails in notifiers.iter().filter_map(|notifier| notifier.problem.as_ref()) {
        problem(ReasonKind::NotifierFailing, fails.clone());
    }
    // Runs of a daemon that is not running have ended with it.
    let running: Vec<_> =
        history.runs().filter(|run| run.ended_at.is_none() && daemon_runs == Some(true)).cloned().collect();
    let running_id =
        |instance: &str, job| running.iter().find(|run| run.instance == instance && run.job == job).map(|run| run.id);
    let instances = daemon::view::instances(config, &agenda, &history, running_id, now);
    let (of_all, newest, known, others) = match look(config, now).await {
        Ok(Seen { listing, known, others }) => (of_repository(&listing), newest(&listing), known, others),
        Err(error) => {
            let unread = ConditionReason::new(ReasonKind::RepositoryUnread, error.to_string());
            (vec![unread], BTreeMap::new(), Known::unread(error), BTreeMap::new())
        }
    };
    let has_gaps = of_all.iter().any(|reason| reason.kind == ReasonKind::FolderUnreadable)
        || known.instances().any(|(_, facts)| !facts.shown.unreadable_folders.is_empty());
    let is_complete = state_is_read && known.error.is_none() && !has_gaps;
    problems.extend(of_all.into_iter().map(|reason| Problem { instance: None, reason }));
    let conditions: BTreeMap<String, Condition> =
        instances.iter().map(|instance| (instance.name.clone(), known.condition(instance, now))).collect();
    // Backups of instances that left the configuration must be intact, too.
    let others = others.into_iter().map(|(name, backups)| (name, backups.reasons()));
    let all = conditions.iter().map(|(name, condition)| (name.clone(), condition.reasons.clone())).chain(others);
    for (name, reasons) in all {
        let own = reasons.into_iter().filter(|reason| !reason.kind.is_of_repository());
        problems.extend(own.map(|reason| Problem { instance: Some(name.clone()), reason }));
    }
    Ok(Found { daemon_runs, instances, known, conditions, newest, running, notifiers, problems, is_complete })
}

/// What the repository shows.
struct Seen {
    listing: Listing,
    /// Of the instances of the configuration.
    known: Known,
    /// Of other instances.
    others: BTreeMap<String, Backups>,
}

async fn look(config: &Config, now: Timestamp) -> Result<Seen, Explanation> {
    let (repository, listing) = list(config).await.map_err(|error| explain(&error))?;
    let mut others = Backups::by_instance(&listing);
    let mut instances = BTreeMap::new();
    for (name, instance) in &config.instances {
        let shown = others.remove(name).unwrap_or_else(|| Backups::of(name, &listing));
        let plan = forecast(&repository, &instance.instance, &listing).await.map_err(|error| explain(&error));
        instances.insert(name.clone(), InstanceFacts::of(name, &listing, shown, plan, now));
    }
    let known = Known::of(repository.store().location(), now, instances);
    Ok(Seen { listing, known, others })
}

async fn list(config: &Config) -> Result<(Repository, Listing), RepositoryError> {
    let repository = Repository::at(&config.repository).await?;
    let listing = repository.list(None).await?;
    Ok((repository, listing))
}

/// Returns the newest backup of each instance.
fn newest(listing: &Listing) -> BTreeMap<String, Manifest> {
    // The list begins with the oldest, so that the newest replaces it in the map.
    listing.backups.iter().map(|backup| (backup.instance.clone(), backup.clone())).collect()
}

fn text(found: &Found) -> String {
    let daemon = match found.daemon_runs {
        Some(true) => "running",
        Some(false) => "not running",
        None => "unknown",
    };
    let mut text = format!("daemon: {daemon}\n");
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
    let (problems, warnings) = found.problems.iter().fold((0, 0), |(problems, warnings), one| match one.severity() {
        Severity::Failed => (problems + 1, warnings),
        Severity::Ok | Severity::Warning => (problems, warnings + 1),
    });
    text.push_str(&problems_found(problems, warnings));
    text
}

fn line(problem: &Problem) -> String {
    let severity = match problem.reason.severity() {
        Severity::Ok | Severity::Warning => "warning",
        Severity::Failed => "critical",
    };
    let instance = problem.instance.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
    format!("{severity}: {instance}{}", one_line(&problem.reason.message))
}

/// Formats one line as the guidelines of the Monitoring Plugins require: the state, then the
/// reasons.
fn plugin_text(found: &Found, worst: Severity) -> String {
    let state = match worst {
        Severity::Ok => "OK",
        Severity::Warning => "WARNING",
        Severity::Failed => "CRITICAL",
    };
    let mut problems: Vec<_> = found.problems.iter().collect();
    problems.sort_by_key(|problem| std::cmp::Reverse(problem.reason.severity()));
    let said: Vec<_> = problems.into_iter().map(line).collect();
    let said = match said.as_slice() {
        [] => plural(found.instances.len() as u64, "instance") + ", no problems found",
        said => said.join("; "),
    };
    // Text after a bar would count as performance data.
    format!("ODOO-BACKUP {state} - {}\n", said.replace(['|', '\n'], " "))
}
