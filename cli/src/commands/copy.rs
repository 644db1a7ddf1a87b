//! `odoo-backup copy`, and the texts about copies.

use std::collections::BTreeSet;

use engine::copy::{Copied, newer};
use engine::repository::BackupRef;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance, open, open_named};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural};

/// A copy of a repository to itself.
#[derive(Debug, thiserror::Error)]
#[error("unable to copy the repository {0} to itself")]
struct ToItself(String);

/// Copies backups from the named repository, or the first, to another one.
pub(super) async fn copy(
    config: Chosen<'_>,
    selectors: &[String],
    to: &str,
    all: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    config.repository(to)?;
    if to == config.chosen() {
        let hint = Some("name the source with --repository and the destination with --to".to_owned());
        return Err(Failure { error: Box::new(ToItself(to.to_owned())), exit: Exit::Usage, hint });
    }
    let from = open(&config).await?;
    let there = open_named(&config, to).await??;
    let backups = match selectors {
        [] if all => from.names_with_set_aside(None).await?,
        [] => newer(&from, &there, None).await?,
        selectors => {
            let mut chosen = BTreeSet::new();
            for selector in selectors {
                chosen.insert(from.resolve_with_set_aside(selector, only_instance(&config)).await?);
            }
            chosen.into_iter().collect()
        }
    };
    let copied = engine::copy::copy(&from, &there, &backups, run).await?;
    warn(&copied, output);
    let exit = exit_of(&copied);
    let document = CopyDocument { repository: to.to_owned(), copied };
    Ok(output.result(&document, || text(to, &document.copied), exit))
}

/// Returns the exit code for a copy.
pub(super) fn exit_of(copied: &Copied) -> Exit {
    match (&copied.damaged[..], &copied.set_aside[..]) {
        ([], []) => Exit::Success,
        ([], _) => Exit::Warnings,
        _ => Exit::Damage,
    }
}

/// Warns of backups that were not copied because they are damaged or quarantined.
pub(super) fn warn(copied: &Copied, output: Output) {
    copied.damaged.iter().for_each(|left_out| output.warning(&left_out.to_string()));
    copied.set_aside.iter().for_each(|left_aside| output.warning(&left_aside.to_string()));
}

/// What `copy` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Copy)]
pub(super) struct CopyDocument {
    /// The name of the repository that was copied to.
    pub(super) repository: String,
    #[serde(flatten)]
    pub(super) copied: Copied,
}

/// Returns the text on a copy.
pub(super) fn text(to: &str, copied: &Copied) -> String {
    let mut text = String::new();
    for BackupRef { instance, id } in &copied.backups {
        text.push_str(&format!("{to}: copied {instance}/{id}\n"));
    }
    let backups = plural(copied.backups.len() as u64, "backup");
    let (objects, size) = (plural(copied.objects, "object"), bytes(copied.bytes));
    text.push_str(&format!("{to}: {backups} copied, {objects} ({size}) stored"));
    if copied.there > 0 {
        text.push_str(&format!(", {} already there", plural(copied.there, "backup")));
    }
    if !copied.damaged.is_empty() {
        text.push_str(&format!(", {} damaged and not copied", plural(copied.damaged.len() as u64, "backup")));
    }
    if !copied.set_aside.is_empty() {
        text.push_str(&format!(", {} quarantined and not copied", plural(copied.set_aside.len() as u64, "backup")));
    }
    text.push('\n');
    text
}
