//! `odoo-backup forget`

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use engine::error::Error;
use engine::prune::Removed;
use engine::repository::BackupId;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance, open};
use super::failure::Failure;
use super::prune::removed_text;
use crate::exit::Exit;
use crate::output::Output;

/// The grace period of an instance that is not in the configuration.
const GRACE: Duration = Duration::from_hours(24);

/// What `forget` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Forget)]
pub(super) struct ForgetDocument {
    /// The instance.
    instance: String,
    /// The backup's id.
    backup: BackupId,
    /// What was removed.
    removed: Removed,
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
    let spelt_out = selector == backup.id.as_str() || selector == name;
    let grace = config
        .instances
        .get(&backup.instance)
        .map_or(GRACE, |instance| config.kept_there(instance).instance.retention.grace());
    let removed = engine::prune::forget(&repository, &backup, spelt_out, grace, run).await?;
    if !removed.in_use.is_empty() {
        output.warning(&format!("{name} was not removed: another process reads it; try again when that has finished"));
    }
    let document = ForgetDocument { instance: backup.instance, backup: backup.id, removed };
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
