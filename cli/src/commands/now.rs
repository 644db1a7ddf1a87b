//! `odoo-backup now`

use std::time::Instant;

use engine::backup::{BackupOptions, backup};
use engine::config::{Config, MAIN};
use engine::copy::after_backup;
use engine::error::explain;
use engine::manifest::Manifest;
use engine::repository::Repository;
use engine::run::Run;
use serde_json::{Value, json};

use super::show::{covers, document, new_files};
use super::{Chosen, Failure, copy, failed_one, instances, load, open};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural};

/// Backs up one instance after the other. One that fails does not keep the others from being tried.
pub(super) async fn now(
    config: Chosen<'_>,
    names: &[String],
    reread: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let instances = instances(&config, names)?;
    let repository = open(&config).await?;
    let (mut backups, mut errors, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Success;
    for instance in instances {
        let options = BackupOptions { reread, ..BackupOptions::of(instance) };
        let started = Instant::now();
        match backup(&repository, instance, options, run).await {
            Ok(manifest) => {
                let seconds = started.elapsed().as_secs_f64();
                for warning in &manifest.warnings {
                    output.warning(&format!("{}: {warning}", instance.name));
                }
                if !manifest.warnings.is_empty() && exit == Exit::Success {
                    exit = Exit::Warnings;
                }
                texts.push(text(&manifest, seconds));
                let mut document = timed_document(&manifest, seconds);
                if config.chosen() == MAIN {
                    let copies = copies(&config, &repository, &manifest, run, output).await;
                    exit = exit.max(copies.exit);
                    document["copies"] = json!(copies.documents);
                    texts.push(copies.text);
                }
                backups.push(document);
                if exit == Exit::Interrupted {
                    break;
                }
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
    Ok(output.result(&json!({ "backups": backups, "errors": errors }), || texts.concat(), exit))
}

/// What became of the copies of a backup.
struct Copies {
    documents: Vec<Value>,
    text: String,
    exit: Exit,
}

/// Copies a backup to the repositories that want it. Where that fails, the backup is there all the same, and the next run goes on.
async fn copies(config: &Config, from: &Repository, made: &Manifest, run: &Run, output: Output) -> Copies {
    let mut copies = Copies { documents: Vec::new(), text: String::new(), exit: Exit::Success };
    for (to, copied) in after_backup(config, from, made, run).await {
        let exit = match copied {
            Ok(copied) => {
                copy::warn(&copied, output);
                copies.documents.push(copy::document(&to, &copied));
                copies.text.push_str(&copy::text(&to, &copied));
                copy::exit_of(&copied)
            }
            Err(error) => {
                let why = explain(&error);
                output.warning(&format!("{}: no copy in {to}: {why}; the next one makes up for it", made.instance));
                copies.documents.push(copy::failed_document(&to, &error));
                if error.is_interruption() { Exit::Interrupted } else { Exit::Warnings }
            }
        };
        copies.exit = copies.exit.max(exit);
    }
    copies
}

fn timed_document(manifest: &Manifest, seconds: f64) -> Value {
    let mut document = document(manifest);
    document["seconds"] = json!(seconds);
    document["bytes_per_second"] = json!(rate(manifest, seconds));
    document
}

/// Bytes of the source per second, whether they had to be stored or not.
fn rate(manifest: &Manifest, seconds: f64) -> f64 {
    (manifest.database.object.plain.size + manifest.filestore.bytes) as f64 / seconds
}

fn text(manifest: &Manifest, seconds: f64) -> String {
    let filestore = &manifest.filestore;
    format!(
        "{instance}: backup {id}{warned}
  covers     {covers}
  database   {plain} dumped
  filestore  {size} in {files}, {new}
  stored     {stored} in {seconds:.1} s ({rate}/s)
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
