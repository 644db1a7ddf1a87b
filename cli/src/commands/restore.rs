//! `odoo-backup restore`

mod dry_run;
mod target;

use std::path::{Path, PathBuf};
use std::time::Duration;

use daemon::sources::{Done, WantedBackup};
use daemon::work::Jobs;
use engine::error::Error;
use engine::hooks::{self, About, Outcome};
use engine::manifest::Manifest;
use engine::odoo::{Anonymized, Means, Neutralized};
use engine::postgres::Endpoint;
use engine::repository::{BackupId, Repository, Selector};
use engine::restore::{Former, RestoreOptions, Restored, Target, TargetIdentity, Undone};
use engine::run::Run;
use engine::verify::Depth;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

#[cfg(test)]
pub(super) use self::dry_run::DryRunDocument;
use self::target::find_target;
use super::chosen::{Chosen, load, only_instance};
use super::failure::Failure;
use super::proofs;
use super::report::{ReportFile, ReportPage};
use super::verification::verified;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// What the command line asks for.
pub(super) struct RestoreRequest<'a> {
    /// A selector; `None`: the latest.
    pub(super) backup: Option<&'a str>,
    pub(super) target: &'a str,
    /// The argument of [`Jobs::of`].
    pub(super) jobs: Option<u32>,
    /// How much is read to verify the copy.
    pub(super) depth: Depth,
    pub(super) drop_previous: bool,
    /// The value of `--force-production`.
    pub(super) force_production: Option<&'a str>,
    pub(super) report: Option<&'a Path>,
    /// How long to wait for sessions that the role may not terminate.
    pub(super) wait: Option<Duration>,
    /// Whether everyone who can write to the repository is trusted with the target's server.
    pub(super) trusted: bool,
    /// Whether to leave out indexes, constraints and triggers that cannot be created.
    pub(super) skip_failed_post_data: bool,
    pub(super) dry_run: bool,
}

/// What `restore` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Restore)]
pub(super) struct RestoreDocument {
    /// The backup's id.
    backup: BackupId,
    /// The instance that it is of.
    instance: String,
    /// The moment that it shows.
    created_at: Timestamp,
    /// The name of the repository that it was read from.
    repository: String,
    /// Why repositories before it and newer backups were passed over, in sentences.
    passed_over: Vec<String>,
    /// The target.
    target: String,
    /// Whose place the copy takes.
    identity: TargetIdentity,
    /// How long it took.
    seconds: f64,
    #[serde(flatten)]
    restored: Restored,
}

/// What `restore --undo` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Undo)]
pub(super) struct UndoDocument {
    /// The target.
    target: String,
    /// Its database.
    database: String,
    /// Its filestore.
    #[schema(value_type = String)]
    filestore: PathBuf,
    #[serde(flatten)]
    undone: Undone,
}

/// Restores a backup, or the latest, into a target.
pub(super) async fn restore(
    config: Chosen<'_>,
    wanted: RestoreRequest<'_>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let named = config.config;
    let config = load(config, output)?;
    let protected = config.protected();
    let (mut target, identity) = find_target(&config, wanted.target, wanted.force_production)?;
    target.trusted |= wanted.trusted;
    let instance = target.instance.as_deref().or_else(|| only_instance(&config));
    let backup = WantedBackup { selector: wanted.backup.unwrap_or("latest"), instance };
    let tell = |text: &str| output.warning(text);
    let Jobs { database: jobs, volumes: parallel_volumes } = Jobs::of(wanted.jobs);
    let options = RestoreOptions {
        jobs,
        parallel_volumes,
        depth: wanted.depth,
        drop_previous: wanted.drop_previous,
        identity,
        wait: wanted.wait,
        skip_failed_post_data: wanted.skip_failed_post_data,
    };
    // Those of an instance are for its backups.
    let hooks = config.target_hooks.get(&target.name).cloned().unwrap_or_default();
    if wanted.dry_run {
        let examine = async |_: Repository, manifest: Manifest| {
            let examine =
                async |_: &Run| engine::restore::examine(&protected, &manifest, &target, identity, wanted.wait).await;
            run.unless_stalled(config.stall_timeout(Some(&manifest.instance)), examine).await
        };
        let done = config.sources()?.with_first_intact(backup, run, &tell, examine).await?;
        return Ok(dry_run::show(&done, &target, &hooks, output));
    }
    let report = ReportFile::create(wanted.report)?;
    let restore = async |repository: Repository, manifest: Manifest| {
        let restore =
            async |run: &Run| engine::restore::restore(&repository, &manifest, &target, &protected, options, run).await;
        let restored = run.unless_stalled(config.stall_timeout(Some(&manifest.instance)), restore).await?;
        Ok((restored, repository.store().location()))
    };
    let sources = config.sources()?;
    let section = format!("target.{}", target.name);
    let named_instance = Selector::parse(backup.selector).instance.or(instance);
    let about = About { section: &section, instance: named_instance, target: Some(&target.name) };
    // On the heap: it is large.
    let work = Box::pin(sources.with_first_intact(backup, run, &tell, restore));
    let ended = |result: Result<&Done<(Restored, String)>, &Error>| match result {
        Ok(Done { manifest, passed_over, result: (restored, _), .. }) => {
            let is_clean = passed_over.is_empty() && restored.warnings.is_empty();
            hooks::Done::with(&manifest.instance, Some(manifest.id.clone()), is_clean)
        }
        Err(_) => hooks::Done::without_backup(Outcome::Failed),
    };
    let (done, hook_warnings) = hooks.around(about, run, work, ended).await?;
    let Done { manifest, repository, passed_over, result: (mut restored, location) } = done;
    restored.warnings.extend(hook_warnings);
    let mut document = RestoreDocument {
        backup: manifest.id.clone(),
        instance: manifest.instance.clone(),
        created_at: manifest.created_at,
        repository,
        passed_over,
        target: target.name.clone(),
        identity,
        seconds: restored.timings.total.as_secs_f64(),
        restored,
    };
    if let Some(file) = report {
        let restored = &document.restored;
        let report = ReportPage {
            title: format!("Restore of {}/{} to {}", manifest.instance, manifest.id, target.name),
            manifest: &manifest,
            location: &location,
            copy: vec![
                ("Target", target.name.clone()),
                ("Restored to", Endpoint::resolve(&target.database).to_string()),
                ("Filestore", restored.filestore.path.display().to_string()),
                ("Previous state", kept(restored.former.as_ref()).unwrap_or_else(|| "none, or removed".into())),
            ],
            verification: &restored.verification,
            neutralized: restored.neutralized.as_ref(),
            anonymized: restored.anonymized.as_ref(),
            timings: &restored.timings,
            proof: restored.proof.as_ref(),
            warnings: &restored.warnings,
        };
        let failed = file.write(&report, &document);
        document.restored.warnings.extend(failed);
    }
    let Restored { database, filestore, jobs, timings, proof, verification, neutralized, .. } = &document.restored;
    let Restored { anonymized, former, warnings, .. } = &document.restored;
    let text = || {
        format!(
            "{target}: restored {instance}/{id} of {created}
  database      {database:?}
  filestore     {files} ({size}) in {filestore}
  digests       all match the manifest
{verified}  neutralized   {neutral}
{anonymous}{former}  time          {took} with {jobs}
  proof         {proof}
",
            target = target.name,
            instance = manifest.instance,
            id = manifest.id,
            created = time(manifest.created_at),
            files = plural(filestore.files, "file"),
            size = bytes(filestore.bytes),
            filestore = filestore.path.display(),
            verified = verified(verification),
            former = former_text(former.as_ref(), &target, identity, named),
            jobs = plural(u64::from(*jobs), "job"),
            took = proofs::took(timings),
            proof = proofs::stored(proof.as_ref()),
            neutral = neutral(neutralized.as_ref(), identity),
            anonymous = anonymized.as_ref().map(anonymous).unwrap_or_default(),
        )
    };
    let exit = if document.passed_over.is_empty() { Exit::Success } else { Exit::Warnings };
    Ok(output.result(&document, text, warned(warnings, output).and(exit)))
}

/// Brings back the state of a target from before the last restore.
pub(super) async fn undo(
    config: Chosen<'_>,
    target: &str,
    force_production: Option<&str>,
    wait: Option<Duration>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let named = config.config;
    let config = load(config, output)?;
    let (target, identity) = find_target(&config, target, force_production)?;
    let protected = config.protected();
    let undo = async |run: &Run| engine::restore::undo(&protected, &target, identity, wait, run).await;
    let undone = run.unless_stalled(config.stall_timeout(target.instance.as_deref()), undo).await?;
    let document = UndoDocument {
        target: target.name.clone(),
        database: target.database.name.clone(),
        filestore: target.filestore.clone(),
        undone,
    };
    let Undone { former, warnings, .. } = &document.undone;
    let text = || {
        format!("{}: previous state restored\n{}", target.name, former_text(former.as_ref(), &target, identity, named))
    };
    Ok(output.result(&document, text, warned(warnings, output)))
}

/// Prints the warnings, and returns the exit code for them.
pub(super) fn warned(warnings: &[String], output: Output) -> Exit {
    warnings.iter().for_each(|warning| output.warning(warning));
    if warnings.is_empty() { Exit::Success } else { Exit::Warnings }
}

/// Formats where the previous state is kept, and the command that brings it back.
///
/// `named`: the configuration that the command line names.
fn former_text(former: Option<&Former>, target: &Target, identity: TargetIdentity, named: Option<&Path>) -> String {
    let Some(kept) = kept(former) else { return String::new() };
    let force = match identity {
        TargetIdentity::Copy => String::new(),
        TargetIdentity::Production => format!(" --force-production {}", target.database.name),
    };
    let to = &target.name;
    let config = named.map(|path| format!(" --config {}", in_shell(path))).unwrap_or_default();
    format!("  previous      {kept}\n  to undo       odoo-backup{config} restore --undo --to {to}{force}\n")
}

/// Quotes a path for a shell if necessary.
fn in_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// Returns the names of the kept database and filestore.
fn kept(former: Option<&Former>) -> Option<String> {
    let Former { database, filestore } = former?;
    let database = database.as_ref().map(|name| format!("{name:?}"));
    let filestore = filestore.as_ref().map(|folder| folder.display().to_string());
    Some(database.into_iter().chain(filestore).collect::<Vec<_>>().join(", "))
}

/// Formats a neutralization in a line: where the SQL came from, and the assertions.
pub(super) fn neutral(neutralized: Option<&Neutralized>, identity: TargetIdentity) -> String {
    let Some(report) = neutralized else {
        return match identity {
            TargetIdentity::Copy => "no: the copy sends mail and runs scheduled actions like its original".into(),
            TargetIdentity::Production => {
                "NO: this is production, with its identity, mail and scheduled actions".into()
            }
        };
    };
    let means = match report.means {
        Means::OdooBin => "by Odoo's own neutralization and odoo-backup".into(),
        Means::Modules => {
            format!("by the SQL of {} and odoo-backup", plural(report.modules.len() as u64, "module"))
        }
        Means::Own => "by the statements of odoo-backup".into(),
    };
    let (passed, others) = report.asserted();
    let others = match others {
        0 => String::new(),
        others => format!(", {others} not applicable"),
    };
    format!("{means}; {} passed{others}; database.uuid {}", plural(passed as u64, "assertion"), report.database_uuid)
}

/// Formats an anonymization in a line: how much was replaced.
fn anonymous(report: &Anonymized) -> String {
    let (values, columns) = report.totals();
    let emptied = match report.emptied.len() as u64 {
        0 => String::new(),
        tables => format!("; {} emptied", plural(tables, "table")),
    };
    let found: u64 = report.net.replaced.iter().map(|one| one.rows).sum();
    let others = match report.net.replaced.len() as u64 {
        0 => String::new(),
        columns => format!("; {} in {}", plural(found, "row"), plural(columns, "other column")),
    };
    let attachments: u64 = report.attachments.replaced.iter().map(|of| of.rows).sum();
    format!(
        "  anonymized    {} in {} of {}{others}{emptied}; {}; {:.1} s\n",
        plural(values, "value"),
        plural(columns as u64, "column"),
        plural(report.tables.len() as u64, "table"),
        plural(attachments, "attachment"),
        report.duration.as_secs_f64(),
    )
}
