//! `odoo-backup now`

use std::time::Instant;

use config::{MAIN, explain};
use daemon::follow::{Followed, PruneIn, Stored, follow};
use engine::backup::{BackupOptions, backup};
use engine::copy::Copied;
use engine::error::Error;
use engine::hooks::{About, Done, Outcome};
use engine::manifest::{FilestoreFindings, Manifest};
use engine::run::{Run, Stalled};
use serde::Serialize;
use tokio::sync::OnceCell;
use utoipa::ToSchema;

use super::chosen::{Chosen, instances, load, open};
use super::copy::{self, CopyDocument};
use super::failure::{FailedOne, Failure, failed_one};
use super::prune::{self, PrunedDocument};
use super::show::{BackupDocument, covers, findings, new_files, new_of_dump};
use crate::exit::Exit;
use crate::output::{ErrorDocument, Output};
use crate::table::{bytes, plural};

/// The options of `now`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NowOptions {
    /// Read every file, also those that earlier backups contain.
    pub(super) full: bool,
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
    NowOptions { full, reread, accept_missing, prune, accept_new_identity }: NowOptions,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let instances = instances(&config, names)?;
    // Opened for the first instance, because its hook may mount it.
    let opened = OnceCell::new();
    let (mut backups, mut errors, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = Exit::Success;
    for instance in instances {
        let options = BackupOptions {
            full,
            reread,
            accept_missing,
            accept_new_identity,
            ..BackupOptions::of(&instance.instance)
        };
        // On the heap: it is large.
        let work = Box::pin(async {
            let repository = opened.get_or_try_init(|| open(&config)).await.map_err(NotMade::NoRepository)?;
            let started = Instant::now();
            let work = async |run: &Run| backup(repository, &instance.instance, options, run).await;
            let manifest = run.unless_stalled(instance.routine.stall_timeout, work).await?;
            let seconds = started.elapsed().as_secs_f64();
            let stored = Stored { repository, name: config.chosen(), manifest: &manifest };
            let followed = follow(&config, stored, instance, prune, run).await;
            let findings = findings(repository, &manifest, output).await;
            Ok(Complete { manifest, findings, seconds, followed })
        });
        let section = format!("instance.{}", instance.name());
        let about = About { section: &section, instance: Some(instance.name()), target: None };
        let made = instance.hooks.around(about, run, work, |made| match made {
            Ok(made) => Done::with(instance.name(), Some(made.manifest.id.clone()), made.is_clean()),
            Err(_) => Done::without_backup(Outcome::Failed),
        });
        match made.await {
            Ok((Complete { manifest, findings, seconds, followed }, hook_warnings)) => {
                for warning in &manifest.warnings {
                    output.warning(&format!("{}: {warning}", instance.instance.name));
                }
                texts.push(text(&manifest, seconds));
                let mut document = Made::of(&manifest, findings, seconds);
                if config.chosen() == MAIN {
                    let copies = Copies::of(&manifest, followed.copies, output);
                    exit = exit.and(copies.exit);
                    document.copies = Some(copies.documents);
                    texts.push(copies.text);
                }
                if prune && exit != Exit::Interrupted {
                    let pruned = Prunes::of(followed.prunes, output);
                    exit = exit.and(pruned.exit);
                    document.pruned = Some(pruned.documents);
                    texts.push(pruned.text);
                }
                for warning in &hook_warnings {
                    output.warning(&format!("{}: {warning}", instance.instance.name));
                }
                if !manifest.warnings.is_empty() || !hook_warnings.is_empty() {
                    exit = exit.and(Exit::Warnings);
                }
                document.hook_warnings = hook_warnings;
                backups.push(document);
            }
            Err(NotMade::NoRepository(failure)) => return Err(failure),
            Err(NotMade::Failed(error)) => {
                let (failed, document) = failed_one(&instance.instance.name, &error, output);
                exit = exit.and(failed);
                errors.push(document);
            }
        }
        if exit == Exit::Interrupted {
            break;
        }
    }
    Ok(output.result(&NowDocument { backups, errors }, || texts.concat(), exit))
}

/// A backup that was made, and what followed it.
struct Complete {
    manifest: Manifest,
    /// The findings by name, if they can be read.
    findings: Option<FilestoreFindings>,
    seconds: f64,
    followed: Followed,
}

impl Complete {
    fn is_clean(&self) -> bool {
        self.manifest.warnings.is_empty() && self.followed.is_clean()
    }
}

/// Why there is no backup of an instance.
enum NotMade {
    /// The repository cannot be opened, for any instance.
    NoRepository(Failure),
    /// Another reason.
    Failed(Error),
}

impl From<Error> for NotMade {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stalled> for NotMade {
    fn from(stalled: Stalled) -> Self {
        Self::Failed(stalled.into())
    }
}

/// What `now` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Now)]
pub(super) struct NowDocument {
    /// The backups that were made.
    backups: Vec<Made>,
    /// Why instances could not be backed up.
    errors: Vec<FailedOne>,
}

/// A backup that was made, and what followed it.
#[derive(Debug, Serialize, ToSchema)]
struct Made {
    #[serde(flatten)]
    backup: BackupDocument,
    /// How long it took.
    seconds: f64,
    /// Bytes of the source per second, whether they had to be stored or not.
    bytes_per_second: f64,
    /// Hooks that failed after the backup, in sentences.
    hook_warnings: Vec<String>,
    /// What became of its copies. Absent where another repository was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    copies: Option<Vec<CopyTried>>,
    /// What became of the prunes behind it. Absent without `--prune`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pruned: Option<Vec<PruneTried>>,
}

impl Made {
    fn of(manifest: &Manifest, findings: Option<FilestoreFindings>, seconds: f64) -> Self {
        let bytes_per_second = rate(manifest, seconds);
        Self {
            backup: BackupDocument::of(manifest, findings),
            seconds,
            bytes_per_second,
            hook_warnings: Vec::new(),
            copies: None,
            pruned: None,
        }
    }
}

/// What became of a copy.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum CopyTried {
    /// It was made.
    Done(CopyDocument),
    /// It failed.
    Failed {
        /// The name of the repository that was to be copied to.
        repository: String,
        /// Why it failed.
        error: ErrorDocument,
    },
}

/// What became of a prune.
#[derive(Debug, Serialize, ToSchema)]
struct PruneTried {
    /// The name of the repository.
    repository: String,
    /// Leftovers of interrupted runs that were removed.
    swept: Vec<String>,
    #[serde(flatten)]
    outcome: PruneOutcome,
}

/// Whether a prune was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there are few, and they are printed")]
enum PruneOutcome {
    /// It was.
    Done(PrunedDocument),
    /// It failed.
    Failed {
        /// The instance.
        instance: String,
        /// Why it failed.
        error: ErrorDocument,
    },
}

/// The results of copying a backup.
struct Copies {
    documents: Vec<CopyTried>,
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
                    copies.text.push_str(&copy::text(&to, &copied));
                    let exit = copy::exit_of(&copied);
                    copies.documents.push(CopyTried::Done(CopyDocument { repository: to, copied }));
                    exit
                }
                Err(error) => {
                    let why = explain(&error);
                    output.warning(&format!(
                        "{}: not copied to {to}: {why}; the next backup copies it, too",
                        made.instance
                    ));
                    let failed = ErrorDocument::new(&why, Exit::Warnings);
                    copies.documents.push(CopyTried::Failed { repository: to, error: failed });
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
    documents: Vec<PruneTried>,
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
            let outcome = match pruned {
                Ok(pruned) => {
                    all.text.push_str(&prune::done_text(instance, &place, pruned));
                    PruneOutcome::Done(PrunedDocument::of(instance, pruned, None))
                }
                Err(error) => {
                    if error.is_interruption() {
                        all.exit = Exit::Interrupted;
                    }
                    let error = ErrorDocument::new(&explain(error), Exit::Warnings);
                    PruneOutcome::Failed { instance: instance.instance.name.clone(), error }
                }
            };
            all.documents.push(PruneTried { repository: repository.clone(), swept: swept.clone(), outcome });
        }
        all
    }
}

/// Returns the source bytes per second, whether they had to be stored or not.
fn rate(manifest: &Manifest, seconds: f64) -> f64 {
    (manifest.database.dump.plain().size + manifest.filestore.bytes) as f64 / seconds
}

fn text(manifest: &Manifest, seconds: f64) -> String {
    let filestore = &manifest.filestore;
    format!(
        "{instance}: backup {id} complete{warned}
  covers        {covers}
  database      {plain} dumped{new_of_dump}
  filestore     {size} in {files}, {new}
  stored        {stored} in {seconds:.1} s ({rate}/s)
",
        instance = manifest.instance,
        id = manifest.id,
        covers = covers(manifest),
        plain = bytes(manifest.database.dump.plain().size),
        new_of_dump = new_of_dump(&manifest.database.dump),
        size = bytes(filestore.bytes),
        files = plural(filestore.files, "file"),
        new = new_files(filestore),
        warned = if manifest.warnings.is_empty() { "" } else { ", with warnings" },
        stored = bytes(manifest.stored_bytes()),
        rate = bytes(rate(manifest, seconds) as u64),
    )
}
