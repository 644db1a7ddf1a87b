//! `odoo-backup prune`

use std::time::Duration;

use engine::config::Instance;
use engine::error::explain;
use engine::prune::{Decision, Hold, PruneOptions, Pruned, Removed, Repacked, Verdict};
use engine::run::Run;
use serde_json::{Value, json};

use super::repacked::{repacked_document, repacked_text};
use super::{Chosen, Failure, failed_one, instances, load, open};
use crate::exit::Exit;
use crate::output::{Output, error_document};
use crate::table::{bytes, count, plural, table, time};

/// Prunes one instance after the other. One that fails does not keep the others from being pruned.
pub(super) async fn prune(
    config: Chosen<'_>,
    names: &[String],
    options: PruneOptions,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let instances: Vec<Instance> =
        instances(&config, names)?.into_iter().map(|instance| config.kept_there(instance)).collect();
    let repository = open(&config).await?;
    let (mut documents, mut errors, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Success;
    for instance in &instances {
        match engine::prune::prune(&repository, instance, options, run).await {
            Ok(pruned) => {
                warn(&instance.name, &pruned, output);
                if exit != Exit::Failed {
                    exit = exit.max(exit_of(&pruned));
                }
                documents.push(document(instance, &pruned));
                texts.push(text(instance, &pruned, options.dry_run));
            }
            Err(error) => {
                let (failed, document) = failed_one(&instance.name, &error, output);
                exit = failed;
                errors.push(document);
                if exit == Exit::Interrupted {
                    break;
                }
            }
        }
    }
    let mut swept = Vec::new();
    if !options.dry_run && exit != Exit::Interrupted {
        let grace = instances.iter().map(|instance| instance.retention.grace()).max().unwrap_or(Duration::MAX);
        match engine::prune::sweep(&repository, grace).await {
            Ok(names) => swept = names,
            Err(error) => {
                exit = Exit::Failed;
                output.explanation(&explain(&error));
                errors.push(error_document(&explain(&error), exit));
            }
        }
        if !swept.is_empty() {
            texts.push(format!("removed {} of interrupted runs\n", plural(swept.len() as u64, "leftover")));
        }
    }
    let document = json!({ "dry_run": options.dry_run, "instances": documents, "swept": swept, "errors": errors });
    Ok(output.result(&document, || texts.join("\n"), exit))
}

fn exit_of(pruned: &Pruned) -> Exit {
    let of_rest = match (&pruned.damaged[..], &pruned.plan.holds[..], &pruned.removed.in_use[..]) {
        ([], [], []) => Exit::Success,
        ([], ..) => Exit::Warnings,
        _ => Exit::Damage,
    };
    let of_volumes = match &pruned.repacked {
        Some(repacked) if !repacked.damage.is_empty() => Exit::Damage,
        Some(repacked) if !repacked.unchanged.is_empty() => Exit::Warnings,
        _ => Exit::Success,
    };
    of_rest.max(of_volumes)
}

fn warn(instance: &str, pruned: &Pruned, output: Output) {
    for hold in &pruned.plan.holds {
        let accept = match hold {
            Hold::Shrunk { .. } => format!(" (`odoo-backup prune {instance} --accept-shrunk`)"),
            Hold::Stale { .. } => String::new(),
        };
        output.warning(&format!("{instance}: nothing is removed: {hold}; {}{accept}", hold.hint()));
    }
    for damaged in &pruned.damaged {
        let (id, error) = (&damaged.id, explain(&damaged.error));
        output.warning(&format!(
            "{instance}: nothing is removed, for what {id} needs is not known: {error}; mend it, or `odoo-backup forget {instance}/{id}`"
        ));
    }
    for id in &pruned.plan.future {
        output.warning(&format!("{instance}: {id} is dated in the future: some clock was wrong"));
    }
    for id in &pruned.removed.in_use {
        output.warning(&format!("{instance}: {id} is being read and was left for the next run"));
    }
    for warning in pruned.repacked.iter().flat_map(Repacked::warnings) {
        output.warning(&format!("{instance}: {warning}"));
    }
}

fn document(instance: &Instance, pruned: &Pruned) -> Value {
    let backups = pruned.plan.decisions.iter().map(|decision| {
        json!({
            "id": decision.id,
            "created_at": decision.created_at,
            "keep": decision.verdict != Verdict::Remove,
            "reasons": reasons(decision),
            "frees_bytes": frees(pruned, decision),
        })
    });
    json!({
        "instance": instance.name,
        "policy": instance.retention.policy.to_string(),
        "holds": pruned.plan.holds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "accepted": pruned.accepted,
        "backups": backups.collect::<Vec<_>>(),
        "damaged": pruned.damaged.iter().map(|damaged| json!({
            "id": damaged.id,
            "error": explain(&damaged.error),
        })).collect::<Vec<_>>(),
        "removed": removed_document(&pruned.removed),
        "repacked": pruned.repacked.as_ref().map(repacked_document),
    })
}

fn reasons(decision: &Decision) -> Vec<String> {
    match &decision.verdict {
        Verdict::Keep { reasons } => reasons.iter().map(ToString::to_string).collect(),
        Verdict::Remove => Vec::new(),
    }
}

fn frees(pruned: &Pruned, decision: &Decision) -> Option<u64> {
    pruned.frees.iter().find(|(id, _)| id.as_str() == decision.id).map(|(_, bytes)| *bytes)
}

/// What was removed, for programs.
pub(super) fn removed_document(removed: &Removed) -> Value {
    json!({
        "backups": removed.backups,
        "in_use": removed.in_use,
        "objects": removed.objects,
        "bytes": removed.bytes,
        "young_objects": removed.young,
        "objects_left": removed.objects_left,
    })
}

fn text(instance: &Instance, pruned: &Pruned, dry_run: bool) -> String {
    let name = &instance.name;
    let mut text = format!("{name}: {}\n", instance.retention.policy);
    let rows = pruned.plan.decisions.iter().map(|decision| {
        let (verdict, why) = match &decision.verdict {
            Verdict::Keep { .. } => ("keep", reasons(decision).join(", ")),
            Verdict::Remove => ("remove", "no rule keeps it".to_owned()),
        };
        let frees = frees(pruned, decision).map(bytes).unwrap_or_default();
        vec![decision.id.clone(), time(decision.created_at), frees, verdict.to_owned(), why]
    });
    if !pruned.plan.decisions.is_empty() {
        text.push_str(&table(&["BACKUP", "CREATED", "FREES", "", "WHY"], &[2], rows));
    }
    if let Some(id) = &pruned.accepted {
        let accepted = if dry_run { "would be accepted" } else { "are accepted from now on" };
        text.push_str(&format!("the figures of {id} {accepted}\n"));
    }
    text.push_str(&match dry_run {
        true => {
            let bytes = bytes(pruned.frees.values().sum());
            format!("{} would be removed, freeing {bytes}\n", plural(pruned.frees.len() as u64, "backup"))
        }
        false => removed_text(name, &pruned.removed),
    });
    if let Some(repacked) = &pruned.repacked {
        text.push_str(&repacked_text(repacked, dry_run));
    }
    text
}

/// What was removed, for people.
pub(super) fn removed_text(instance: &str, removed: &Removed) -> String {
    let mut text = format!(
        "{instance}: {} removed, {} deleted, {} freed\n",
        plural(removed.backups.len() as u64, "backup"),
        plural(removed.objects, "object"),
        bytes(removed.bytes),
    );
    if removed.young > 0 {
        let young = count(removed.young);
        text.push_str(&format!("{young} more objects that nothing names are young yet; a later prune deletes them\n"));
    }
    if let Some(why) = &removed.objects_left {
        text.push_str(&format!("no objects were deleted: {why}\n"));
    }
    text
}
