//! `odoo-backup check`

use std::collections::BTreeSet;

use config::Config;
use daemon::sources::tools;
use engine::check::{CheckOptions, CheckReport, Checked, DamagedObject, ReadBack, Sample, Unnamed, check_all};
use engine::repository::{BackupRef, Flaw, Repository};
use engine::run::Run;
use engine::text::one_line;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance, open};
use super::failure::Failure;
use super::missing::by_journal;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, count, plural, time};

/// Checks the selected backups, or all backups of the named instances, or all backups.
pub(super) async fn check(
    config: Chosen<'_>,
    selectors: &[String],
    instances: &[String],
    read_data: Option<Sample>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let options = CheckOptions { read_data, tools: tools(&config) };
    let report = match (selectors, instances) {
        ([], []) => check_all(&repository, None, &options, run).await?,
        ([], [instance]) => check_all(&repository, Some(instance), &options, run).await?,
        _ => {
            let backups = chosen(&config, &repository, selectors, instances).await?;
            engine::check::check(&repository, &backups, &options, run).await?
        }
    };
    let mut report = report;
    if selectors.is_empty() {
        let shows = |name: &str| {
            let backups = report.backups.iter().map(|checked| &checked.backup.instance);
            backups.chain(report.set_aside.iter().map(|backup| &backup.instance)).any(|instance| instance == name)
        };
        let is_wanted = |name: &str| instances.is_empty() || instances.iter().any(|wanted| wanted == name);
        // The journal adds nothing where the repository itself shows that backups are missing.
        if report.alarms.is_empty() {
            let missing = by_journal(&config, &repository, is_wanted, shows);
            report.alarms.extend(missing.into_iter().map(|alarm| format!("{}: {}", alarm.instance, alarm.message)));
        }
    }
    if report.backups.is_empty() {
        output.warning("no backups to check");
    }
    let exit = match (report.is_sound(), report.alarms.is_empty() && report.future.is_empty()) {
        (false, _) => Exit::Damage,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Success,
    };
    Ok(output.result(&CheckDocument::of(&report, read_data), || text(&report, read_data), exit))
}

async fn chosen(
    config: &Config,
    repository: &Repository,
    selectors: &[String],
    instances: &[String],
) -> Result<Vec<BackupRef>, Failure> {
    let mut chosen = BTreeSet::new();
    for instance in instances {
        chosen.extend(repository.names(Some(instance)).await?);
    }
    for selector in selectors {
        chosen.insert(repository.resolve(selector, only_instance(config)).await?);
    }
    Ok(chosen.into_iter().collect())
}

/// What `check` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckReport)]
pub(super) struct CheckDocument {
    /// Whether no damage was found.
    sound: bool,
    /// Whether every object was to be read back.
    read_data: bool,
    /// How much was read back; null where nothing was to be.
    #[schema(required = true)]
    read: Option<ReadBack>,
    /// What was found of each backup.
    backups: Vec<CheckedDocument>,
    /// The objects that are damaged.
    damaged: Vec<DamagedObject>,
    /// The backups that are dated in the future, as `INSTANCE/ID`.
    future: Vec<String>,
    /// What is wrong with the repository as a whole, in sentences.
    alarms: Vec<String>,
    /// The backups that a repair has quarantined, as `INSTANCE/ID`. They are not checked.
    set_aside: Vec<String>,
    /// Objects that no backup needs, by instance. They are no damage.
    unnamed: Vec<Unnamed>,
}

/// What was found of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Checked)]
struct CheckedDocument {
    #[serde(flatten)]
    checked: Checked,
    /// Whether no damage was found.
    sound: bool,
}

impl CheckDocument {
    fn of(report: &CheckReport, read_data: Option<Sample>) -> Self {
        let backups = report.backups.iter();
        let backups =
            backups.map(|checked| CheckedDocument { sound: checked.damage.is_empty(), checked: checked.clone() });
        Self {
            sound: report.is_sound(),
            read_data: read_data == Some(Sample::ALL),
            read: report.read,
            backups: backups.collect(),
            damaged: report.damaged_objects(),
            future: report.future.iter().map(BackupRef::to_string).collect(),
            alarms: report.alarms.clone(),
            set_aside: report.set_aside.iter().map(BackupRef::to_string).collect(),
            unnamed: report.unnamed.clone(),
        }
    }
}

fn names(damaged: &DamagedObject) -> Vec<String> {
    damaged.backups.iter().map(BackupRef::to_string).collect()
}

fn text(report: &CheckReport, read_data: Option<Sample>) -> String {
    let depth = if read_data == Some(Sample::ALL) {
        "all data read, every digest correct"
    } else {
        "all present, sizes correct"
    };
    let mut text = String::new();
    for checked in report.backups.iter().filter(|checked| checked.damage.is_empty()) {
        let (objects, size) = (plural(checked.objects, "object"), bytes(checked.bytes));
        text.push_str(&format!("intact        {}: {objects}, {size}, {depth}\n", checked.backup));
    }
    for damaged in report.damaged_objects() {
        text.push_str(&format!("DAMAGED       {}: {}\n", damaged.key, one_line(&damaged.reasons.join("; "))));
        text.push_str(&format!("              affects {}\n", names(&damaged).join(", ")));
    }
    for BackupRef { instance, id } in &report.future {
        text.push_str(&format!("FUTURE        {instance}/{id}: {}\n", Flaw::Future));
    }
    for alarm in &report.alarms {
        text.push_str(&format!("MISSING       {alarm}\n"));
    }
    for BackupRef { instance, id } in &report.set_aside {
        text.push_str(&format!("quarantined   {instance}/{id}: quarantined by a repair, not checked\n"));
    }
    for unnamed in &report.unnamed {
        let (objects, size) = (plural(unnamed.objects, "object"), bytes(unnamed.bytes));
        text.push_str(&format!("unreferenced  {}: {objects}, {size}\n", unnamed.instance));
    }
    if let Some(read) = report.read.filter(|_| read_data != Some(Sample::ALL)) {
        text.push_str(&sample_text(&read));
    }
    let damaged = report.backups.iter().filter(|backup| !backup.damage.is_empty()).count();
    let all = plural(report.backups.len() as u64, "backup");
    text.push_str(&match damaged {
        0 => format!("{all} checked, no damage found\n"),
        damaged => format!("{all} checked, {damaged} damaged\n"),
    });
    text
}

fn sample_text(read: &ReadBack) -> String {
    let (now, all) = (bytes(read.bytes), bytes(read.of_bytes));
    let before = match (read.never_read, read.oldest) {
        (0, Some(oldest)) => format!("everything was read since {}", time(oldest)),
        (never, _) => format!("{} of {} not read yet", count(never), plural(read.of_objects, "object")),
    };
    format!("read          {now} of {all}, every digest compared; {before}\n")
}
