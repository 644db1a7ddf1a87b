//! `odoo-backup repair`

use std::collections::BTreeSet;

use config::{MAIN, explain};
use daemon::sources::tools;
use engine::check::Sample;
use engine::repair::{Beyond, Mended, RepairOptions, Repaired};
use engine::repository::{BackupId, Repository};
use engine::run::Run;
use engine::text::one_line;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, Loaded, load, open, open_named};
use super::failure::{FailedOne, Failure, failed_one};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::plural;

/// Repairs one instance after the other. If one fails, the others are still repaired.
pub(super) async fn repair(
    config: Chosen<'_>,
    names: &[String],
    read_data: Option<Sample>,
    dry_run: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let instances: BTreeSet<String> = match names {
        [] => repository.names(None).await?.into_iter().map(|backup| backup.instance).collect(),
        names => names.iter().cloned().collect(),
    };
    let (others, are_all) = others(&config, output).await?;
    let options = RepairOptions { dry_run, read_data, tools: tools(&config), others };
    let (mut documents, mut errors, mut text) = (Vec::new(), Vec::new(), String::new());
    let mut exit = if are_all { Exit::Success } else { Exit::Warnings };
    for name in &instances {
        let filestore = config.instances.get(name).map(|instance| instance.instance.filestore.as_path());
        let filestore = filestore.filter(|folder| engine::filestore::is_known(folder));
        match engine::repair::repair(&repository, name, filestore, &options, run).await {
            Ok(repaired) => {
                exit = exit.and(exit_of(&repaired));
                text.push_str(&text_of(name, &repaired, dry_run));
                documents.push(RepairedDocument { instance: name.clone(), repaired });
            }
            Err(error) => {
                let (failed, document) = failed_one(name, &error, output);
                exit = exit.and(failed);
                errors.push(document);
                if exit == Exit::Interrupted {
                    break;
                }
            }
        }
    }
    if instances.is_empty() {
        output.warning("no backups to repair");
    }
    let document = RepairDocument { dry_run, instances: documents, errors };
    Ok(output.result(&document, || text, exit))
}

/// Opens the other repositories of the configuration. Returns them by name, and whether all opened.
///
/// A repository that does not open may have intact copies of what is quarantined without it, so it
/// is reported.
async fn others(config: &Loaded<'_>, output: Output) -> Result<(Vec<(String, Repository)>, bool), Failure> {
    let (mut others, mut are_all) = (Vec::new(), true);
    for name in std::iter::once(MAIN).chain(config.copies.keys().map(String::as_str)) {
        if name == config.chosen() {
            continue;
        }
        match open_named(config, name).await? {
            Ok(repository) => others.push((name.to_owned(), repository)),
            Err(error) => {
                are_all = false;
                output.warning(&format!("no objects are recreated from the repository {name}: {}", explain(&error)));
            }
        }
    }
    Ok((others, are_all))
}

fn exit_of(repaired: &Repaired) -> Exit {
    match (&repaired.left[..], &repaired.set_aside[..]) {
        ([], []) => Exit::Success,
        ([], _) => Exit::Warnings,
        _ => Exit::Damage,
    }
}

/// What `repair` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Repair)]
pub(super) struct RepairDocument {
    /// Whether nothing was stored.
    dry_run: bool,
    /// What became of each instance.
    instances: Vec<RepairedDocument>,
    /// Why instances could not be repaired.
    errors: Vec<FailedOne>,
}

/// What became of an instance's damage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RepairedInstance)]
struct RepairedDocument {
    /// The instance.
    instance: String,
    #[serde(flatten)]
    repaired: Repaired,
}

fn text_of(instance: &str, repaired: &Repaired, dry_run: bool) -> String {
    let mut text = String::new();
    let word = if dry_run { "repairable" } else { "repaired  " };
    for Mended { key, reasons, from } in &repaired.mended {
        let can_be = if dry_run { "can be recreated" } else { "recreated" };
        text.push_str(&format!("{word}  {key}: {}; {can_be} from {from}\n", one_line(&reasons.join("; "))));
    }
    for Beyond { key, reasons, why, .. } in &repaired.beyond {
        text.push_str(&format!(
            "DAMAGED     {key}: {}; cannot be recreated: {}\n",
            one_line(&reasons.join("; ")),
            one_line(why)
        ));
    }
    let mut each = |ids: &[BackupId], what: &str| {
        ids.iter().for_each(|id| text.push_str(&format!("{what} {instance}/{id}\n")));
    };
    each(&repaired.set_aside, if dry_run { "would be quarantined:" } else { "quarantined:" });
    each(&repaired.left, "still damaged:");
    let checked = plural(repaired.backups, "backup");
    let found = repaired.mended.len() + repaired.beyond.len();
    text.push_str(&match found {
        0 => format!("{instance}: {checked} checked, no damage found\n"),
        _ => {
            let repairable = if dry_run { "can be repaired" } else { "repaired" };
            format!(
                "{instance}: {checked} checked, {} of {} {repairable}\n",
                repaired.mended.len(),
                plural(found as u64, "damaged object")
            )
        }
    });
    text
}
