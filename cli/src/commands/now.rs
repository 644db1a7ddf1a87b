//! `odoo-backup now`

use std::time::Instant;

use config::{MAIN, explain};
use daemon::follow::{PruneIn, Stored, follow};
use engine::backup::{BackupOptions, backup};
use engine::copy::Copied;
use engine::error::Error;
use engine::manifest::Manifest;
use engine::run::Run;
use serde_json::{Value, json};

use super::chosen::{Chosen, instances, load, open};
use super::failure::{Failure, failed_one};
use super::show::{covers, document, new_files};
use super::{copy, prune};
use crate::exit::Exit;
use crate::output::{Output, error_document};
use crate::table::{bytes, plural};

/// The options of `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NowOptions {
    /// Read every file, also those that earlier backups contain.
    pub(super) reread: bool,
    /// Back up even if most of the files are missing.
    pub(super) accept_missing: bool,
    /// Prune the instance after a good backup.
    pub(super) prune: bool,
    /// Back up even if the database is not the one of the latest backup.
    pub(super) accept_new_identity: bool,
}

/// Backs up one instance after the other. If one fails, the others are still backed up.
pub(super) async fn now(
    config: Chosen<'_>,
    names: &[String],
    NowOptions { reread, accept_missing, prune, accept_new_identity }: NowOptions,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let instances = instances(&config, names)?;
    let repository = open(&config).await?;
    let (mut backups, mut errors, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Success;
    for instance in instances {
        let options =
            BackupOptions { reread, accept_missing, accept_new_identity, ..BackupOptions::of(&instance.instance) };
        let started = Instant::now();
        let timeout = instance.routine.stall_timeout;
        let made = run.unless_stalled(timeout, async |run| backup(&repository, &instance.instance, options, run).await);
        match made.await {
            Ok(manifest) => {
                let seconds = started.elapsed().as_secs_f64();
                for warning in &manifest.warnings {
                    output.warning(&format!("{}: {warning}", instance.instance.name));
                }
                if !manifest.warnings.is_empty() {
                    exit = exit.and(Exit::Warnings);
                }
                texts.push(text(&manifest, seconds));
                let mut document = timed_document(&manifest, seconds);
                let stored = Stored { repository: &repository, name: config.chosen(), manifest: &manifest };
                let followed = follow(&config, stored, instance, prune, run).await;
                if config.chosen() == MAIN {
                    let copies = Copies::of(&manifest, followed.copies, output);
                    exit = exit.and(copies.exit);
                    document["copies"] = json!(copies.documents);
                    texts.push(copies.text);
                }
                if prune && exit != Exit::Interrupted {
                    let pruned = Prunes::of(followed.prunes, output);
                    exit = exit.and(pruned.exit);
                    document["pruned"] = json!(pruned.documents);
                    texts.push(pruned.text);
                }
                backups.push(document);
                if exit == Exit::Interrupted {
                    break;
                }
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
    Ok(output.result(&json!({ "backups": backups, "errors": errors }), || texts.concat(), exit))
}

/// The results of copying a backup.
struct Copies {
    documents: Vec<Value>,
    text: String,
    exit: Exit,
}

impl Copies {
    /// Prints warnings about failures.
    fn of(made: &Manifest, done: Vec<(String, Result<Copied, Error>)>, output: Output) -> Self {
        let mut copies = Self { documents: Vec::new(), text: String::new(), exit: Exit::Success };
        for (to, copied) in done {
            let exit = match copied {
                Ok(copied) => {
                    copy::warn(&copied, output);
                    copies.documents.push(copy::document(&to, &copied));
                    copies.text.push_str(&copy::text(&to, &copied));
                    copy::exit_of(&copied)
                }
                Err(error) => {
                    let why = explain(&error);
                    output.warning(&format!(
                        "{}: not copied to {to}: {why}; the next backup copies it, too",
                        made.instance
                    ));
                    copies.documents.push(copy::failed_document(&to, &error));
                    if error.is_interruption() { Exit::Interrupted } else { Exit::Warnings }
                }
            };
            copies.exit = copies.exit.and(exit);
        }
        copies
    }
}

/// The results of the prunes after a backup.
struct Prunes {
    documents: Vec<Value>,
    text: String,
    exit: Exit,
}

impl Prunes {
    /// Prints warnings about failures. The backup itself is complete, and the next prune catches
    /// up.
    fn of(done: Vec<PruneIn>, output: Output) -> Self {
        let mut all = Self { documents: Vec::new(), text: String::new(), exit: Exit::Success };
        for one in done {
            let PruneIn { repository, instance, pruned, swept, .. } = &one;
            let place = if repository == MAIN { String::new() } else { format!(" in {repository}") };
            for warning in one.warnings() {
                output.warning(&format!("{}{place}: {warning}", instance.instance.name));
                all.exit = all.exit.and(Exit::Warnings);
            }
            let mut document = match pruned {
                Ok(pruned) => {
                    all.text.push_str(&prune::done_text(instance, &place, pruned));
                    prune::document(instance, pruned)
                }
                Err(error) => {
                    if error.is_interruption() {
                        all.exit = Exit::Interrupted;
                    }
                    json!({ "instance": instance.instance.name, "error": error_document(&explain(error), Exit::Warnings) })
                }
            };
            document["repository"] = json!(repository);
            document["swept"] = json!(swept);
            all.documents.push(document);
        }
        all
    }
}

fn timed_document(manifest: &Manifest, seconds: f64) -> Value {
    let mut document = document(manifest);
    document["seconds"] = json!(seconds);
    document["bytes_per_second"] = json!(rate(manifest, seconds));
    document
}

/// Returns the source bytes per second, whether they had to be stored or not.
fn rate(manifest: &Manifest, seconds: f64) -> f64 {
    (manifest.database.object.plain.size + manifest.filestore.bytes) as f64 / seconds
}

fn text(manifest: &Manifest, seconds: f64) -> String {
    let filestore = &manifest.filestore;
    format!(
        "{instance}: backup {id} complete{warned}
  covers        {covers}
  database      {plain} dumped
  filestore     {size} in {files}, {new}
  stored        {stored} in {seconds:.1} s ({rate}/s)
",
        instance = manifest.instance,
        id = manifest.id,
        covers = covers(manifest),
        plain = bytes(manifest.database.object.plain.size),
        size = bytes(filestore.bytes),
        files = plural(filestore.files, "file"),
        new = new_files(filestore),
        warned = if manifest.warnings.is_empty() { "" } else { ", with warnings" },
        stored = bytes(manifest.stored_bytes()),
        rate = bytes(rate(manifest, seconds) as u64),
    )
}
