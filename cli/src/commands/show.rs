//! `odoo-backup show`, and the descriptions of a backup that all commands use.

use config::Config;
use engine::error::explain;
use engine::manifest::{
    BackupId, Brief, DatabaseBrief, FilestoreBrief, FilestoreContent, FilestoreFindings, FindingCounts, ImportedFrom,
    Manifest, StoredDump,
};
use engine::odoo::AttachmentCounts;
use engine::postgres::SourceFacts;
use engine::repository::{Pin, Repository};
use engine::text::one_line;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::latest::find;
use super::proofs;
use super::proofs::ProofDocument;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, count, plural, table, time};

/// Shows one backup.
pub(super) async fn show(config: Chosen<'_>, selector: &str, output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let manifest = find(&repository, selector, &config, output).await?;
    let pin = repository.pins(&manifest.instance).await?.remove(&manifest.id);
    let seen = proofs::Seen::of(&repository, &manifest).await?;
    let flaws = repository.flaws(&manifest).await?;
    let full_again = full_again(&manifest, &config);
    let findings = findings(&repository, &manifest, output).await;
    let names = findings.as_ref().map(named).unwrap_or_default();
    let document = ShowDocument {
        backup: BackupDocument::of(&manifest, findings),
        pinned: pin.is_some(),
        pin_note: pin.as_ref().and_then(|pin| pin.note.clone()),
        proven: seen.proven().filter(|_| flaws.is_empty()),
        proof: seen.document(),
        flaws: flaws.iter().map(ToString::to_string).collect(),
        full_again_after: full_again,
        manifest: manifest.clone(),
    };
    flaws.iter().for_each(|flaw| output.warning(&format!("{}/{}: {flaw}", manifest.instance, manifest.id)));
    Ok(output.result(&document, || text(&manifest, full_again, &names, pin.as_ref(), &seen), Exit::Success))
}

/// What `show` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Show)]
pub(super) struct ShowDocument {
    #[serde(flatten)]
    backup: BackupDocument,
    /// The manifest as it is stored; `docs/repository-format.md` describes it.
    #[schema(value_type = Object, additional_properties)]
    manifest: Manifest,
    /// Whether it is kept until it is unpinned.
    pinned: bool,
    /// The note of the pin; null without one.
    #[schema(required = true)]
    pin_note: Option<String>,
    /// When a restored copy was what had been backed up; null where that is not so, or something
    /// speaks against the backup.
    #[schema(required = true)]
    proven: Option<Timestamp>,
    /// The proof; null where nothing was proven or refuted.
    #[schema(required = true)]
    proof: Option<ProofDocument>,
    /// What speaks against it, in sentences; empty where it is good.
    flaws: Vec<String>,
    /// After this, a backup that continues its chain stores the dump in full again; null where the
    /// dump is stored whole, or the instance is not configured.
    #[schema(required = true)]
    full_again_after: Option<Timestamp>,
}

/// A backup in brief. Sizes are bytes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backup)]
pub(super) struct BackupDocument {
    /// Its id.
    id: BackupId,
    /// The instance.
    instance: String,
    /// The moment that it shows.
    created_at: Timestamp,
    /// When its last object was stored.
    finished_at: Timestamp,
    /// `17.0`; null where the database is not Odoo's.
    #[schema(required = true)]
    odoo_series: Option<String>,
    /// The dump.
    database: DatabaseBrief,
    /// The files.
    filestore: FilestoreDocument,
    /// How many attachments there are; null where the database is not Odoo's.
    #[schema(required = true)]
    attachments: Option<AttachmentCounts>,
    /// What its own objects take in the repository: what it did not share with an earlier backup.
    stored_bytes: u64,
    /// The file that it was made from; null where that was a running instance.
    #[schema(required = true)]
    imported: Option<ImportedFrom>,
    /// What a person should know about it.
    warnings: Vec<String>,
}

/// The files of a backup.
#[derive(Debug, Serialize, ToSchema)]
struct FilestoreDocument {
    #[serde(flatten)]
    brief: FilestoreBrief,
    /// How many files had something wrong with them.
    finding_counts: FindingCounts,
    /// Which files had something wrong with them, by path. Null in lists for backups of format 2,
    /// and where the names cannot be read.
    #[schema(required = true)]
    findings: Option<FilestoreFindings>,
}

impl BackupDocument {
    /// Returns a backup in brief. The names of findings are read separately.
    pub(super) fn of(manifest: &Manifest, findings: Option<FilestoreFindings>) -> Self {
        let brief = Brief::from(manifest);
        Self {
            id: brief.id,
            instance: brief.instance,
            created_at: brief.created_at,
            finished_at: brief.finished_at,
            odoo_series: brief.odoo_series,
            database: brief.database,
            filestore: FilestoreDocument {
                brief: brief.filestore,
                finding_counts: manifest.filestore.counts_of_findings(),
                findings,
            },
            attachments: brief.attachments,
            stored_bytes: brief.stored_bytes,
            imported: brief.imported,
            warnings: brief.warnings,
        }
    }
}

/// Returns the findings of a backup by name. If they cannot be read, that is a warning: the backup
/// may be good all the same.
pub(super) async fn findings(
    repository: &Repository,
    manifest: &Manifest,
    output: Output,
) -> Option<FilestoreFindings> {
    let read = repository.findings(manifest).await;
    read.inspect_err(|error| output.warning(&format!("{}: {}", manifest.instance, explain(error)))).ok()
}

/// Returns a line for each kind of finding, with the first names.
fn named(findings: &FilestoreFindings) -> String {
    let kinds: [(&str, &[String]); 7] = [
        ("missing", &findings.missing),
        ("deleted", &findings.deleted),
        ("damaged", &findings.damaged),
        ("changed", &findings.changed),
        ("unreadable", &findings.unreadable),
        ("recovered", &findings.rescued),
        ("skipped", &findings.skipped),
    ];
    let found = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    found.map(|(kind, names)| format!("  {kind:<12}  {}\n", first(names))).collect()
}

/// Returns the first names of a list.
fn first(names: &[String]) -> String {
    const SHOWN: usize = 3;
    // A name is data. Characters that could manipulate a terminal or a log are escaped.
    let shown = names.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Describes in a line what a backup covers.
pub(super) fn covers(manifest: &Manifest) -> String {
    let odoo = match (&manifest.odoo, &manifest.attachments) {
        (Some(odoo), Some(attachments)) => {
            let series = if odoo.series.is_empty() { "of unknown series" } else { &odoo.series };
            format!("Odoo {}, {}", one_line(series), plural(attachments.counts.rows, "attachment"))
        }
        _ => "not an Odoo database".to_owned(),
    };
    let server = manifest.server.version.split(' ').next().unwrap_or_default();
    let server = one_line(server);
    format!("database {:?} (PostgreSQL {server}, {odoo}) and its filestore", manifest.database.name)
}

/// Describes how much of the filestore no earlier backup contains.
pub(super) fn new_files(filestore: &FilestoreContent) -> String {
    match filestore.new_files {
        0 => "nothing new".to_owned(),
        all if all == filestore.files => "all new".to_owned(),
        some => format!("{} in {} new", bytes(filestore.new_bytes), plural(some, "file")),
    }
}

/// Returns how many of the referenced volumes were written for this backup.
fn own_volumes(manifest: &Manifest) -> u64 {
    let own = manifest.backup().folder();
    manifest.filestore.volumes.iter().filter(|volume| volume.object.key.is_under(&own)).count() as u64
}

/// Describes in a line where the content of the attachments is.
fn attachments(counts: &AttachmentCounts) -> String {
    let mut text = format!("{}, referencing {}", count(counts.rows), plural(counts.files, "file"));
    for (number, what) in [
        (counts.in_database, format!("{} in the database", count(counts.in_database))),
        (counts.elsewhere, format!("{} in another storage (not in this backup)", count(counts.elsewhere))),
        (counts.links, plural(counts.links, "link")),
    ] {
        if number > 0 {
            text.push_str(&format!("; {what}"));
        }
    }
    text
}

/// Returns when the chain of a backup's dump ends by the configuration.
fn full_again(manifest: &Manifest, config: &Config) -> Option<Timestamp> {
    let instance = &config.instances.get(&manifest.instance)?.instance;
    let begun = manifest.database.dump.chain()?.created_at()?;
    instance.full_every.after(begun, instance.retention.policy.zone().rules())
}

/// Returns what of a dump is new and what it is based on.
pub(super) fn new_of_dump(dump: &StoredDump) -> String {
    match dump.volumes() {
        None => String::new(),
        Some(stored) if stored.volumes.len() == 1 => ", in full".to_owned(),
        Some(_) => format!(", {} new", bytes(dump.new_bytes())),
    }
}

fn based_on(manifest: &Manifest, full_again: Option<Timestamp>) -> String {
    let Some(stored) = manifest.database.dump.volumes() else { return String::new() };
    let again = full_again.map(|after| format!("; the dump is full again after {}", time(after))).unwrap_or_default();
    let new = bytes(manifest.database.dump.new_bytes());
    match stored.volumes.len() {
        1 => format!("\n  dump          stored in full{again}"),
        volumes => {
            let volumes = plural(volumes as u64, "volume");
            format!("\n  dump          {new} new, based on {volumes} since the full backup {}{again}", stored.chain)
        }
    }
}

fn text(
    manifest: &Manifest,
    full_again: Option<Timestamp>,
    names: &str,
    pin: Option<&Pin>,
    seen: &proofs::Seen,
) -> String {
    let database = &manifest.database;
    let filestore = &manifest.filestore;
    let mut text = format!(
        "{instance}/{id}
  created       {created}, finished {finished}
  covers        {covers}
  database      {plain} dumped by pg_dump {pg_dump}, {stored} stored{based}
  filestore     {size} in {files}, {new}; references {volumes}, {own} of its own
",
        instance = manifest.instance,
        id = manifest.id,
        created = time(manifest.created_at),
        finished = time(manifest.finished_at),
        covers = covers(manifest),
        plain = bytes(database.dump.plain().size),
        pg_dump = one_line(&database.pg_dump),
        stored = bytes(manifest.stored_dump_bytes()),
        based = based_on(manifest, full_again),
        size = bytes(filestore.bytes),
        files = plural(filestore.files, "file"),
        new = new_files(filestore),
        volumes = plural(filestore.volumes.len() as u64, "volume"),
        own = count(own_volumes(manifest)),
    );
    if let Some(pin) = pin {
        // Everyone who can write to the repository can change a note.
        let note = pin.note.as_deref().map(|note| format!(": {}", note.escape_debug())).unwrap_or_default();
        text.push_str(&format!("  pinned        kept until unpinned{note}\n"));
    }
    if let Some(imported) = &manifest.imported {
        // The file is foreign: its content is not trusted.
        let by = imported.odoo.as_deref().map(|odoo| format!(", written by Odoo {}", odoo.escape_debug()));
        let (file, when) = (imported.file.escape_debug(), time(imported.imported_at));
        text.push_str(&format!("  imported      from {file}, {when}{}\n", by.unwrap_or_default()));
    }
    if let Some(rows) = &database.rows {
        text.push_str(&format!("  rows          {} in {}\n", count(rows.rows), plural(rows.tables, "table")));
    }
    if let Some(content) = &manifest.attachments {
        text.push_str(&format!("  attachments   {}\n", attachments(&content.counts)));
    }
    let unreferenced = filestore.counts_of_findings().unreferenced;
    if unreferenced > 0 {
        let unreferenced = plural(unreferenced, "file");
        text.push_str(&format!("  unreferenced  {unreferenced} that no attachment references\n"));
    }
    if let Some(odoo) = &manifest.odoo {
        let modules = plural(odoo.modules.len() as u64, "installed module");
        let uuid = one_line(odoo.database_uuid.as_deref().unwrap_or("none"));
        text.push_str(&format!("  odoo          {modules}, database.uuid {uuid}\n"));
    }
    for special in manifest.source.iter().flat_map(SourceFacts::described) {
        text.push_str(&format!("  also has      {special}\n"));
    }
    text.push_str(&seen.text());
    for warning in &manifest.all_warnings() {
        text.push_str(&format!("  warning       {}\n", one_line(warning)));
    }
    text.push_str(names);
    let rows = manifest
        .objects()
        .map(|object| vec![object.key.to_string(), bytes(object.stored.size), object.stored.sha256.to_string()]);
    text.push('\n');
    text.push_str(&table(&["OBJECT", "STORED", "SHA-256"], &[1], rows));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attachment_has_singular() {
        let counts = AttachmentCounts { rows: 2, files: 1, in_database: 0, elsewhere: 0, links: 1 };
        assert_eq!(attachments(&counts), "2, referencing 1 file; 1 link");
        let counts = AttachmentCounts { links: 5, in_database: 2, ..counts };
        assert_eq!(attachments(&counts), "2, referencing 1 file; 2 in the database; 5 links");
    }
}
