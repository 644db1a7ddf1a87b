//! `odoo-backup notify`

use std::collections::BTreeSet;

use daemon::notify::{Preview, Tried, try_all};
use engine::error::Error;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::plural;

/// What `notify test` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotifyTest)]
pub(super) struct NotifyDocument {
    /// What became of each message.
    messages: Vec<Tried>,
    /// How many were not taken.
    failed: usize,
}

/// Sends a test message of each kind to the named notifiers, or to all. A dry run prints them.
pub(super) async fn test(
    chosen: Chosen<'_>,
    names: &[String],
    is_dry_run: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(chosen, output)?.into_config();
    for name in names {
        config.notifier(name)?;
    }
    let wanted: BTreeSet<_> = names.iter().collect();
    let is_wanted = |notifier: &config::NotifyConfig| wanted.is_empty() || wanted.contains(&notifier.name);
    let trial = try_all(&config, is_wanted, is_dry_run);
    let Some(tried) = run.cancel.run_until_cancelled(trial).await else { return Err(Error::Interrupted.into()) };
    let failed = tried.iter().filter(|tried| tried.error.is_some()).count();
    let document = NotifyDocument { messages: tried, failed };
    let text = || {
        let tried = &document.messages;
        let mut text: String = tried.iter().map(line).collect();
        if tried.is_empty() {
            text.push_str("the configuration has no [[notify]]: no notifications are sent\n");
        } else if failed > 0 {
            text.push_str(&format!("{} of {} not accepted\n", failed, plural(tried.len() as u64, "message")));
        }
        text
    };
    let exit = if failed > 0 { Exit::Failed } else { Exit::Success };
    Ok(output.result(&document, text, exit))
}

fn line(tried: &Tried) -> String {
    let Tried { notifier, channel, message, preview, error } = tried;
    match error {
        None if preview.is_some() => {
            format!("{notifier} ({channel}): {message}: not sent\n{}", preview.as_ref().map(shown).unwrap_or_default())
        }
        None => format!("{notifier} ({channel}): {message}: accepted\n"),
        Some(error) => {
            let hint = error.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
            format!("{notifier} ({channel}): {message}: {error}{hint}\n")
        }
    }
}

/// Writes what would be sent, indented.
fn shown(preview: &Preview) -> String {
    let to = format!("To: {}", preview.to);
    let head = std::iter::once(to.as_str()).chain(preview.headers.iter().map(String::as_str));
    let lines = head.chain([""]).chain(preview.body.trim_end().lines());
    lines.map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
