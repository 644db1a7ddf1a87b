//! `odoo-backup prune`

use std::time::Duration;

use config::{InstanceConfig, explain};
use engine::error::Explanation;
use engine::prune::{Decision, PruneOptions, Pruned, Removed, Repacked, Then, Verdict};
use engine::repository::BackupId;
use engine::run::Run;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, instances, load, open};
use super::failure::{FailedOne, Failure, failed_one};
use super::repacked::repacked_text;
use crate::exit::Exit;
use crate::output::{ErrorDocument, Output};
use crate::table::{bytes, count, length, plural, table, time};

/// Prunes one instance after the other. If one fails, the others are still pruned.
pub(super) async fn prune(
    config: Chosen<'_>,
    names: &[String],
    options: PruneOptions,
    as_of: Option<Timestamp>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let instances: Vec<InstanceConfig> =
        instances(&config, names)?.into_iter().map(|instance| config.kept_there(instance)).collect();
    let repository = open(&config).await?;
    let (mut documents, mut errors, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Success;
    for instance in &instances {
        let then = as_of.map(|at| expected(instance, at)).transpose()?;
        let pruned = match &then {
            None => engine::prune::prune(&repository, &instance.instance, options, run).await,
            Some(then) => engine::prune::forecast_at(&repository, &instance.instance, options, then, run).await,
        };
        match pruned {
            Ok(pruned) => {
                warn(&instance.instance.name, &pruned, output);
                exit = exit.and(exit_of(&pruned));
                documents.push(PrunedDocument::of(instance, &pruned, then.as_ref()));
                texts.push(text(instance, &pruned, options.dry_run, then.as_ref()));
            }
            Err(error) => {
                let (failed, document) = failed_one(&instance.instance.name, &error, output);
                exit = exit.and(failed);
                errors.push(document);
                if exit == Exit::Interrupted {
                    break;
                }
            }
        }
    }
    let mut swept = Vec::new();
    if !options.dry_run && exit != Exit::Interrupted {
        let grace = instances.iter().map(|instance| instance.instance.retention.grace()).max().unwrap_or(Duration::MAX);
        match engine::prune::sweep(&repository, grace).await {
            Ok(names) => swept = names,
            Err(error) => {
                exit = exit.and(Exit::Failed);
                output.explanation(&explain(&error));
                errors.push(FailedOne { instance: None, error: ErrorDocument::new(&explain(&error), Exit::Failed) });
            }
        }
        if !swept.is_empty() {
            texts.push(format!("removed {} of interrupted runs\n", plural(swept.len() as u64, "temporary file")));
        }
    }
    let document = PruneDocument { dry_run: options.dry_run, as_of, instances: documents, swept, errors };
    Ok(output.result(&document, || texts.join("\n"), exit))
}

/// A moment that is too far away for the schedule.
#[derive(Debug, thiserror::Error)]
#[error("unable to plan for {at}: the schedule of {instance} makes more than {} backups until then", count(MOST_EXPECTED as u64))]
struct TooFar {
    instance: String,
    at: Timestamp,
}

/// How many backups that do not exist yet a plan may have.
const MOST_EXPECTED: usize = 100_000;

/// Returns the backups that the schedule of an instance makes until a moment.
fn expected(instance: &InstanceConfig, at: Timestamp) -> Result<Then, Failure> {
    let routine = &instance.routine;
    let coming = routine.backup.iter().flat_map(|schedule| schedule.upcoming(Timestamp::now(), &routine.zone));
    let expected: Vec<_> = coming.take_while(|moment| *moment <= at).take(MOST_EXPECTED + 1).collect();
    if expected.len() > MOST_EXPECTED {
        let error = Box::new(TooFar { instance: instance.instance.name.clone(), at });
        return Err(Failure { error, exit: Exit::Usage, hint: Some("name an earlier DATE".to_owned()) });
    }
    Ok(Then { at, expected })
}

fn exit_of(pruned: &Pruned) -> Exit {
    let of_rest = match (&pruned.damaged[..], &pruned.plan.holds[..], &pruned.removed.in_use[..]) {
        ([], [], []) if pruned.removed.doubtful.is_empty() => Exit::Success,
        ([], ..) => Exit::Warnings,
        _ => Exit::Damage,
    };
    let of_volumes = match &pruned.repacked {
        Some(repacked) if !repacked.damage.is_empty() => Exit::Damage,
        Some(repacked) if !repacked.unchanged.is_empty() => Exit::Warnings,
        _ => Exit::Success,
    };
    of_rest.and(of_volumes)
}

fn warn(instance: &str, pruned: &Pruned, output: Output) {
    for warning in pruned.warnings(instance) {
        output.warning(&format!("{instance}: {warning}"));
    }
    for (id, doubt) in &pruned.removed.doubtful {
        output.warning(&format!("{instance}: {id} was not removed: {doubt}"));
    }
    for id in &pruned.removed.in_use {
        output
            .warning(&format!("{instance}: {id} was not removed: another process reads it; the next prune removes it"));
    }
}

/// What `prune` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prune)]
pub(super) struct PruneDocument {
    /// Whether nothing was removed.
    dry_run: bool,
    /// The moment that the plan is for; null for now.
    #[schema(required = true)]
    as_of: Option<Timestamp>,
    /// What was decided and done, by instance.
    instances: Vec<PrunedDocument>,
    /// Leftovers of interrupted runs that were removed.
    swept: Vec<String>,
    /// Why instances could not be pruned.
    errors: Vec<FailedOne>,
}

/// What was decided and done for an instance.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pruned)]
pub(super) struct PrunedDocument {
    /// The instance.
    instance: String,
    /// Its retention policy.
    policy: String,
    /// Why nothing at all is removed; empty where nothing speaks against it.
    holds: Vec<String>,
    /// The newest backup, if the operator accepted its figures; else null.
    #[schema(required = true)]
    accepted: Option<BackupId>,
    /// How many further backups the plan assumes, because the schedule makes them until `as_of`.
    expected_backups: usize,
    /// What becomes of each backup.
    backups: Vec<DecisionDocument>,
    /// The backups whose manifest cannot be read.
    damaged: Vec<DamagedDocument>,
    /// What was removed.
    removed: Removed,
    /// What was done to volumes of which little is needed; null without `--repack`.
    #[schema(required = true)]
    repacked: Option<Repacked>,
}

/// What becomes of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
struct DecisionDocument {
    /// Its id.
    #[schema(value_type = BackupId)]
    id: String,
    /// The moment that it shows.
    created_at: Timestamp,
    /// Whether it stays.
    keep: bool,
    /// Why it stays, or by each rule why not.
    reasons: Vec<String>,
    /// What its removal frees; null where it stays, or that is not known.
    #[schema(required = true)]
    frees_bytes: Option<u64>,
}

/// A backup whose manifest cannot be read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DamagedManifest)]
struct DamagedDocument {
    /// Its id.
    id: BackupId,
    /// Why it cannot be read.
    error: Explanation,
}

impl PrunedDocument {
    /// Returns what was decided and done.
    pub(super) fn of(instance: &InstanceConfig, pruned: &Pruned, then: Option<&Then>) -> Self {
        let backups = pruned.plan.decisions.iter().map(|decision| DecisionDocument {
            id: decision.id.clone(),
            created_at: decision.created_at,
            keep: decision.verdict != Verdict::Remove,
            reasons: reasons(decision),
            frees_bytes: frees(pruned, decision),
        });
        let damaged = pruned.damaged.iter();
        let damaged = damaged.map(|one| DamagedDocument { id: one.backup.id.clone(), error: explain(&one.error) });
        Self {
            instance: instance.instance.name.clone(),
            policy: instance.instance.retention.policy.to_string(),
            holds: pruned.plan.holds.iter().map(ToString::to_string).collect(),
            accepted: pruned.accepted.clone(),
            expected_backups: then.map_or(0, |then| then.expected.len()),
            backups: backups.collect(),
            damaged: damaged.collect(),
            removed: pruned.removed.clone(),
            repacked: pruned.repacked.clone(),
        }
    }
}

fn reasons(decision: &Decision) -> Vec<String> {
    match &decision.verdict {
        Verdict::Keep { reasons } => reasons.iter().map(ToString::to_string).collect(),
        Verdict::Remove => decision.misses.iter().map(ToString::to_string).collect(),
    }
}

fn frees(pruned: &Pruned, decision: &Decision) -> Option<u64> {
    pruned.frees.iter().find(|(id, _)| id.as_str() == decision.id).map(|(_, bytes)| *bytes)
}

fn text(instance: &InstanceConfig, pruned: &Pruned, dry_run: bool, then: Option<&Then>) -> String {
    let name = &instance.instance.name;
    let mut text = format!("{name}: {}\n", instance.instance.retention.policy);
    if let Some(then) = then {
        text.push_str(&assumption(instance, then));
    }
    let rows = pruned.plan.decisions.iter().map(|decision| {
        let (verdict, why) = match &decision.verdict {
            Verdict::Keep { .. } => ("keep", reasons(decision).join(", ")),
            Verdict::Remove => ("remove", reasons(decision).join(", ")),
        };
        let frees = frees(pruned, decision).map(bytes).unwrap_or_default();
        vec![decision.id.clone(), time(decision.created_at), frees, verdict.to_owned(), why]
    });
    if !pruned.plan.decisions.is_empty() {
        text.push_str(&table(&["BACKUP", "CREATED", "FREES", "ACTION", "REASON"], &[2], rows));
    }
    if let Some(id) = &pruned.accepted {
        let accepted = if dry_run { "would be accepted" } else { "is accepted from now on" };
        text.push_str(&format!("the size of {id} {accepted}\n"));
    }
    text.push_str(&match dry_run {
        true => {
            let bytes = bytes(pruned.frees.values().sum());
            format!("{} would be removed, freeing {bytes}\n", plural(pruned.frees.len() as u64, "backup"))
        }
        false => removed_text(name, &pruned.removed, instance.instance.retention.grace()),
    });
    if let Some(repacked) = &pruned.repacked {
        text.push_str(&repacked_text(repacked, dry_run));
    }
    text
}

/// Returns the text on what a plan for another moment assumes.
fn assumption(instance: &InstanceConfig, then: &Then) -> String {
    let at = time(then.at);
    let more = match (&instance.routine.backup, then.expected.len()) {
        _ if then.at <= Timestamp::now() => "with the backups from before that still exist".to_owned(),
        (None, _) => "without further backups, because the configuration has no schedule".to_owned(),
        (Some(_), 0) => "without further backups, because the schedule makes none until then".to_owned(),
        (Some(schedule), number) => {
            format!("with {} by the schedule {schedule}", plural(number as u64, "further backup"))
        }
    };
    format!("as of {at}, {more}\n")
}

/// Returns the text on a prune after a backup. `place` names the repository if it is not the first.
pub(super) fn done_text(instance: &InstanceConfig, place: &str, pruned: &Pruned) -> String {
    let name = format!("{}{place}", instance.instance.name);
    let mut text = String::new();
    for id in &pruned.removed.backups {
        text.push_str(&format!("{name}: removed {id}: no rule keeps it ({})\n", instance.instance.retention.policy));
    }
    for id in &pruned.removed.in_use {
        text.push_str(&format!("{name}: {id} was not removed: another process reads it; the next prune removes it\n"));
    }
    text.push_str(&removed_text(&name, &pruned.removed, instance.instance.retention.grace()));
    if let Some(repacked) = &pruned.repacked {
        text.push_str(&repacked_text(repacked, false));
    }
    text
}

/// Returns the text on what was removed.
pub(super) fn removed_text(instance: &str, removed: &Removed, grace: Duration) -> String {
    let mut text = format!(
        "{instance}: {} removed, {} deleted, {} freed\n",
        plural(removed.backups.len() as u64, "backup"),
        plural(removed.objects, "object"),
        bytes(removed.bytes),
    );
    if removed.young > 0 {
        let (young, size) = (plural(removed.young, "object"), bytes(removed.young_bytes));
        let grace = length(grace);
        let them = if removed.young == 1 { "it" } else { "them" };
        text.push_str(&format!(
            "{young} ({size}) not referenced by any backup, but younger than the grace period of {grace} (`grace`); a later prune deletes {them}\n"
        ));
    }
    if let Some(why) = &removed.objects_left {
        text.push_str(&format!("no objects deleted: {why}\n"));
    }
    text
}
