//! `odoo-backup pin` and `unpin`

use engine::repository::BackupId;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance, open};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// What `pin` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pin)]
pub(super) struct PinDocument {
    /// The instance.
    instance: String,
    /// The backup's id.
    backup: BackupId,
    /// That it is pinned: always true.
    pinned: bool,
    /// The note; null without one.
    #[schema(required = true)]
    note: Option<String>,
}

/// What `unpin` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unpin)]
pub(super) struct UnpinDocument {
    /// The instance.
    instance: String,
    /// The backup's id.
    backup: BackupId,
    /// That it is pinned: always false.
    pinned: bool,
    /// Whether it was pinned before.
    was_pinned: bool,
}

/// Pins a backup, so that no policy removes it.
pub(super) async fn pin(
    config: Chosen<'_>,
    selector: &str,
    note: Option<String>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backup = repository.resolve(selector, only_instance(&config)).await?;
    let pin = repository.pin(&backup, note, run).await?;
    let document =
        PinDocument { instance: backup.instance.clone(), backup: backup.id.clone(), pinned: true, note: pin.note };
    Ok(output.result(&document, || format!("{backup} is pinned"), Exit::Success))
}

/// Unpins a backup, so that the policy applies again.
pub(super) async fn unpin(config: Chosen<'_>, selector: &str, run: &Run, output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backup = repository.resolve(selector, only_instance(&config)).await?;
    let was_pinned = repository.unpin(&backup, run).await?;
    let document =
        UnpinDocument { instance: backup.instance.clone(), backup: backup.id.clone(), pinned: false, was_pinned };
    let text = || match was_pinned {
        true => format!("{backup} is no longer pinned"),
        false => format!("{backup} was not pinned"),
    };
    Ok(output.result(&document, text, Exit::Success))
}
