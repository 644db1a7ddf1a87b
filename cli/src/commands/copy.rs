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

/// What the command line asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopyRequest<'a> {
    /// The backups; none: those that are newer than the newest one there.
    pub(super) selectors: &'a [String],
    pub(super) to: &'a str,
    /// Whether to copy all that are missing there.
    pub(super) all: bool,
    pub(super) dry_run: bool,
}

/// Copies backups from the named repository, or the first, to another one.
pub(super) async fn copy(
    config: Chosen<'_>,
    CopyRequest { selectors, to, all, dry_run }: CopyRequest<'_>,
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
    let copied = match dry_run {
        true => engine::copy::forecast(&from, &there, &backups, run).await?,
        false => engine::copy::copy(&from, &there, &backups, run).await?,
    };
    warn(&copied, output);
    let exit = exit_of(&copied);
    let document = CopyRunDocument { dry_run, copy: CopyDocument { repository: to.to_owned(), copied } };
    let text = if dry_run { dry_text } else { text };
    Ok(output.result(&document, || text(to, &document.copy.copied), exit))
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
#[schema(as = CopyRun)]
pub(super) struct CopyRunDocument {
    /// Whether nothing was copied.
    dry_run: bool,
    #[serde(flatten)]
    copy: CopyDocument,
}

/// A copy of backups.
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
    text.push_str(&rest(copied));
    text
}

/// Returns the text on what a copy would do.
fn dry_text(to: &str, copied: &Copied) -> String {
    let mut text = String::new();
    for backup in &copied.backups {
        text.push_str(&format!("{to}: would copy {backup}\n"));
    }
    let backups = plural(copied.backups.len() as u64, "backup");
    let (objects, size) = (plural(copied.objects, "object"), bytes(copied.bytes));
    text.push_str(&format!("{to}: {backups} would be copied, {objects} ({size}) would be stored"));
    text.push_str(&rest(copied));
    text
}

/// Returns the end of the line: what is not copied, and why.
fn rest(copied: &Copied) -> String {
    let mut text = String::new();
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
