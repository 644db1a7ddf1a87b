//! The list of backups as a table for each instance, with totals.

use engine::manifest::{Brief, Manifest};
use engine::repository::{BackupRef, Flaw, Listing};

use super::{evidence, is_pinned};
use crate::commands::proofs;
use crate::table::{bytes, count, day, plural, table, time};

/// Returns what `list` prints. `long` shows every column.
pub(super) fn text(listing: &Listing, names: &[String], long: bool) -> String {
    let mut text = backups_text(listing, names, long);
    for BackupRef { instance, id } in &listing.set_aside {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("quarantined by a repair: {instance}/{id}\n"));
    }
    text
}

fn backups_text(listing: &Listing, names: &[String], long: bool) -> String {
    match (listing.backups.is_empty(), listing.damaged.len(), names) {
        (false, ..) => {}
        (true, 0, _) if !listing.alarms.is_empty() => return "no backups, although there were some".to_owned(),
        (true, 0, []) => return "no backups yet; `odoo-backup now` creates one".to_owned(),
        (true, 0, names) => return format!("no backups of {}", names.join(", ")),
        (true, damaged, _) => return format!("no readable backups; {} damaged", plural(damaged as u64, "backup")),
    }
    let mut backups: Vec<&Manifest> = listing.backups.iter().collect();
    backups.sort_by_key(|backup| backup.backup());
    let groups: Vec<&[&Manifest]> = backups.chunk_by(|one, next| one.instance == next.instance).collect();
    let mut text = String::new();
    for group in &groups {
        let columns: Vec<&Column> = COLUMNS.iter().filter(|column| long || !column.long).collect();
        let header: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let right: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].right).collect();
        let rows = group.iter().map(|backup| {
            let row = Row { manifest: backup, brief: Brief::from(*backup), listing };
            columns.iter().map(|column| (column.cell)(&row)).collect()
        });
        let total = format!("{}, {}", plural(group.len() as u64, "backup"), total(group));
        text.push_str(&format!("{}\n{}{total}\n\n", group[0].instance, table(&header, &right, rows)));
    }
    if groups.len() > 1 {
        let (number, instances) = (plural(backups.len() as u64, "backup"), groups.len());
        text.push_str(&format!("{number} of {instances} instances, {}\n", total(&backups)));
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

/// Returns what backups take, and from when to when they are.
fn total(backups: &[&Manifest]) -> String {
    let stored = bytes(backups.iter().map(|backup| backup.stored_bytes()).sum());
    let moments = || backups.iter().map(|backup| backup.created_at);
    let days = [moments().min(), moments().max()].map(|moment| moment.map(day).unwrap_or_default());
    match &days {
        [first, last] if first == last => format!("{stored} stored, {first}"),
        [first, last] => format!("{stored} stored, {first} to {last}"),
    }
}

/// What a cell is made of.
struct Row<'a> {
    manifest: &'a Manifest,
    brief: Brief,
    listing: &'a Listing,
}

/// A column of the table.
struct Column {
    name: &'static str,
    /// Whether only `--long` shows it.
    long: bool,
    /// Whether it is aligned right.
    right: bool,
    cell: fn(&Row<'_>) -> String,
}

const COLUMNS: [Column; 18] = [
    short("BACKUP", false, |row| row.brief.id.to_string()),
    short("CREATED", false, |row| time(row.brief.created_at)),
    long("TOOK", true, |row| {
        let took = row.brief.finished_at.duration_since(row.brief.created_at);
        format!("{:.1} s", took.as_secs_f64())
    }),
    short("ODOO", false, |row| match (&row.manifest.odoo, &row.brief.odoo_series) {
        (None, _) => "-".to_owned(),
        (Some(_), series) => series.clone().unwrap_or_else(|| "?".to_owned()),
    }),
    long("POSTGRESQL", false, |row| row.manifest.server.version.split(' ').next().unwrap_or_default().to_owned()),
    short("DATABASE", true, |row| bytes(row.brief.database.dump_bytes)),
    long("TABLES", true, |row| counted(row.brief.database.tables)),
    long("ROWS", true, |row| counted(row.brief.database.rows)),
    long("ATTACHMENTS", true, |row| counted(row.brief.attachments.map(|attachments| attachments.rows))),
    short("FILES", true, |row| count(row.brief.filestore.files)),
    short("FILESTORE", true, |row| bytes(row.brief.filestore.bytes)),
    long("NEW FILES", true, |row| count(row.brief.filestore.new_files)),
    long("NEW", true, |row| bytes(row.brief.filestore.new_bytes)),
    long("VOLUMES", true, |row| count(row.brief.filestore.volumes as u64)),
    short("STORED", true, |row| bytes(row.brief.stored_bytes)),
    short("VERIFIED", false, |row| verified(row.manifest, row.listing)),
    long("PROGRAM", false, |row| row.manifest.program.clone()),
    short("NOTES", false, notes),
];

const fn short(name: &'static str, right: bool, cell: fn(&Row<'_>) -> String) -> Column {
    Column { name, long: false, right, cell }
}

const fn long(name: &'static str, right: bool, cell: fn(&Row<'_>) -> String) -> Column {
    Column { name, long: true, right, cell }
}

fn counted(number: Option<u64>) -> String {
    number.map_or_else(|| "-".to_owned(), count)
}

/// Returns the result of the latest verification, unless damage was found since.
fn verified(backup: &Manifest, listing: &Listing) -> String {
    let flaws = listing.flaws(backup);
    if flaws.iter().any(|flaw| matches!(flaw, Flaw::Damaged(_))) {
        "DAMAGED".to_owned()
    } else if flaws.contains(&Flaw::Future) {
        "FUTURE".to_owned()
    } else {
        proofs::brief(evidence(backup, listing))
    }
}

/// Returns the last column: whether the backup is pinned or imported, and its number of warnings.
fn notes(row: &Row<'_>) -> String {
    let pinned = is_pinned(row.manifest, row.listing).then(|| "pinned".to_owned());
    let imported = row.brief.imported.as_ref().map(|_| "imported".to_owned());
    let warnings = match row.brief.warnings.len() {
        0 => None,
        number => Some(plural(number as u64, "warning")),
    };
    pinned.into_iter().chain(imported).chain(warnings).collect::<Vec<_>>().join(", ")
}
