//! `odoo-backup pin` and `unpin`

use engine::run::Run;
use serde_json::json;

use super::chosen::{Chosen, load, only_instance, open};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

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
    let document = json!({ "instance": backup.instance, "backup": backup.id, "pinned": true, "note": pin.note });
    Ok(output.result(&document, || format!("{backup} is pinned"), Exit::Success))
}

/// Unpins a backup, so that the policy applies again.
pub(super) async fn unpin(config: Chosen<'_>, selector: &str, run: &Run, output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backup = repository.resolve(selector, only_instance(&config)).await?;
    let was_pinned = repository.unpin(&backup, run).await?;
    let document =
        json!({ "instance": backup.instance, "backup": backup.id, "pinned": false, "was_pinned": was_pinned });
    let text = || match was_pinned {
        true => format!("{backup} is no longer pinned"),
        false => format!("{backup} was not pinned"),
    };
    Ok(output.result(&document, text, Exit::Success))
}
