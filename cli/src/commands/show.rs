//! `odoo-backup show`, and the descriptions of a backup that all commands use.

use engine::manifest::{Brief, FilestoreContent, Manifest};
use engine::odoo::AttachmentCounts;
use engine::postgres::SourceFacts;
use engine::repository::Pin;
use engine::text::one_line;
use serde_json::{Value, json};

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::latest::find;
use super::proofs;
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
    let mut document = document(&manifest);
    document["manifest"] = json!(manifest);
    document["pinned"] = json!(pin.is_some());
    document["pin_note"] = json!(pin.as_ref().and_then(|pin| pin.note.as_ref()));
    document["proven"] = json!(seen.proven());
    document["proof"] = seen.document();
    let flaws = repository.flaws(&manifest).await?;
    if !flaws.is_empty() {
        document["proven"] = json!(null);
    }
    document["flaws"] = json!(flaws.iter().map(ToString::to_string).collect::<Vec<_>>());
    flaws.iter().for_each(|flaw| output.warning(&format!("{}/{}: {flaw}", manifest.instance, manifest.id)));
    Ok(output.result(&document, || text(&manifest, pin.as_ref(), &seen), Exit::Success))
}

/// Returns a short document on a backup. All sizes are in bytes.
pub(super) fn document(manifest: &Manifest) -> Value {
    let mut document = json!(Brief::from(manifest));
    document["filestore"]["findings"] = json!(manifest.filestore.findings);
    document
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
        (counts.in_database, "in the database"),
        (counts.elsewhere, "in another storage (not in this backup)"),
        (counts.links, "links"),
    ] {
        if number > 0 {
            text.push_str(&format!("; {} {what}", count(number)));
        }
    }
    text
}

fn text(manifest: &Manifest, pin: Option<&Pin>, seen: &proofs::Seen) -> String {
    let database = &manifest.database;
    let filestore = &manifest.filestore;
    let mut text = format!(
        "{instance}/{id}
  created       {created}, finished {finished}
  covers        {covers}
  database      {plain} dumped by pg_dump {pg_dump}, {stored} stored
  filestore     {size} in {files}, {new}; references {volumes}, {own} of its own
",
        instance = manifest.instance,
        id = manifest.id,
        created = time(manifest.created_at),
        finished = time(manifest.finished_at),
        covers = covers(manifest),
        plain = bytes(database.object.plain.size),
        pg_dump = one_line(&database.pg_dump),
        stored = bytes(database.object.stored.size),
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
    if filestore.findings.unreferenced > 0 {
        let unreferenced = plural(filestore.findings.unreferenced, "file");
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
    let rows = manifest
        .objects()
        .map(|object| vec![object.key.to_string(), bytes(object.stored.size), object.stored.sha256.to_string()]);
    text.push('\n');
    text.push_str(&table(&["OBJECT", "STORED", "SHA-256"], &[1], rows));
    text
}
