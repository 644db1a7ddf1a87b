//! `odoo-backup forget`

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use engine::error::Error;
use engine::prune::{Forgotten, Removed, forecast_forget};
use engine::repository::{BackupId, BackupRef};
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance, open};
use super::failure::Failure;
use super::prune::removed_text;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::bytes;

/// The grace period of an instance that is not in the configuration.
const GRACE: Duration = Duration::from_hours(24);

/// What `forget` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forget)]
pub(super) struct ForgetDocument {
    /// Whether nothing was removed.
    dry_run: bool,
    /// The instance.
    instance: String,
    /// The backup's id.
    backup: BackupId,
    /// What was removed.
    removed: Removed,
    /// What the removal would free; null without a dry run, and where that is not known.
    #[schema(required = true)]
    frees_bytes: Option<u64>,
}

/// Says what `forget` would do.
pub(super) async fn dry_run(config: Chosen<'_>, selector: &str, run: &Run, output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backup = repository.resolve_with_set_aside(selector, only_instance(&config)).await?;
    let spelt_out = is_spelt_out(selector, &backup);
    let Forgotten { in_use, frees_bytes } = forecast_forget(&repository, &backup, spelt_out, run).await?;
    let text = match (in_use, frees_bytes) {
        (true, _) => format!("{backup} would not be removed: another process reads it\n"),
        (false, Some(freed)) => format!("{backup} would be removed, freeing {}\n", bytes(freed)),
        (false, None) => {
            format!("{backup} would be removed; unable to tell what that frees: its manifest cannot be read\n")
        }
    };
    let in_use_ids = if in_use { vec![backup.id.clone()] } else { Vec::new() };
    let removed = Removed { in_use: in_use_ids, ..Removed::default() };
    let BackupRef { instance, id: backup } = backup;
    let document = ForgetDocument { dry_run: true, instance, backup, removed, frees_bytes };
    let exit = if in_use { Exit::Warnings } else { Exit::Success };
    Ok(output.result(&document, || text, exit))
}

/// Returns whether the operator gave the whole id.
fn is_spelt_out(selector: &str, backup: &BackupRef) -> bool {
    selector == backup.id.as_str() || selector == backup.to_string()
}

/// Removes one backup after a confirmation.
pub(super) async fn forget(
    config: Chosen<'_>,
    selector: &str,
    yes: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backup = repository.resolve_with_set_aside(selector, only_instance(&config)).await?;
    let name = backup.to_string();
    if !yes {
        confirm(&name, output)?;
    }
    let spelt_out = is_spelt_out(selector, &backup);
    let grace = config
        .instances
        .get(&backup.instance)
        .map_or(GRACE, |instance| config.kept_there(instance).instance.retention.grace());
    let removed = engine::prune::forget(&repository, &backup, spelt_out, grace, run).await?;
    if !removed.in_use.is_empty() {
        output.warning(&format!("{name} was not removed: another process reads it; try again when that has finished"));
    }
    let BackupRef { instance, id: backup } = backup;
    let document = ForgetDocument { dry_run: false, instance, backup, removed, frees_bytes: None };
    let exit = if document.removed.in_use.is_empty() { Exit::Success } else { Exit::Warnings };
    Ok(output.result(&document, || removed_text(&document.instance, &document.removed, grace), exit))
}

/// Asks for confirmation on a terminal. Without a terminal, `--yes` is required.
fn confirm(name: &str, output: Output) -> Result<(), Failure> {
    let refused =
        |message: String, exit, hint: &str| Failure { error: message.into(), exit, hint: Some(hint.to_owned()) };
    if output.is_json() || !std::io::stdin().is_terminal() {
        let message = format!("unable to remove {name}: not confirmed");
        return Err(refused(message, Exit::Usage, "run the command on a terminal, or add --yes"));
    }
    eprint!("Remove the backup {name} permanently? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|source| Error::Io { action: "read the answer".into(), source })?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused(format!("{name} was not removed: not confirmed"), Exit::Failed, "answer y to remove it")),
    }
}
