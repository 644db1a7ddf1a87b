//! `odoo-backup list`

use config::explain;
use engine::manifest::Manifest;
use engine::repository::{BackupRef, Evidence, Flaw, Listing};
use serde_json::{Value, json};

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::missing::by_journal;
use super::proofs;
use super::show::document;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, count, plural, table, time};

/// Lists backups, also of instances that are no longer in the configuration.
pub(super) async fn list(config: Chosen<'_>, names: &[String], output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let mut listing = Listing::default();
    match names {
        [] => listing = repository.list(None).await?,
        names => {
            for name in names {
                listing.extend(repository.list(Some(name)).await?);
            }
        }
    }
    let shows = |name: &str| {
        let alarms = listing.alarms.iter().map(|alarm| &alarm.instance);
        let damaged = listing.damaged.iter().map(|damaged| &damaged.backup.instance);
        let set_aside = listing.set_aside.iter().map(|backup| &backup.instance);
        let backups = listing.backups.iter().map(|backup| &backup.instance);
        backups.chain(damaged).chain(set_aside).chain(alarms).any(|instance| instance == name)
    };
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|wanted| wanted == name);
    let missing = by_journal(&config, &repository, is_wanted, shows);
    listing.alarms.extend(missing);
    for alarm in &listing.alarms {
        output.warning(&format!("{}: {}", alarm.instance, alarm.message));
    }
    listing.clocks.disagreement().iter().for_each(|text| output.warning(text));
    for backup in &listing.backups {
        for flaw in listing.flaws(backup).iter().filter(|flaw| **flaw != Flaw::Refuted) {
            output.warning(&format!("{}/{}: {flaw}", backup.instance, backup.id));
        }
    }
    for damaged in &listing.damaged {
        output.warning(&damaged.error.to_string());
    }
    for unreadable in &listing.unreadable {
        output.warning(&explain(unreadable).with_hint());
    }
    let document = json!({
        "backups": listing.backups.iter().map(|backup| in_list(backup, &listing)).collect::<Vec<_>>(),
        "damaged": listing.damaged.iter().map(damaged_document).collect::<Vec<_>>(),
        "alarms": listing.alarms.iter().map(|alarm| format!("{}: {}", alarm.instance, alarm.message)).collect::<Vec<_>>(),
        "unreadable": listing.unreadable.iter().map(|error| json!(explain(error))).collect::<Vec<_>>(),
        "set_aside": listing.set_aside.iter().map(BackupRef::to_string).collect::<Vec<_>>(),
    });
    let is_damaged = !listing.damaged.is_empty() || !listing.damage.is_empty();
    let exit = match (!is_damaged, listing.alarms.is_empty() && listing.unreadable.is_empty()) {
        (false, _) => Exit::Damage,
        // Unreadable backups are neither intact nor damaged.
        (true, false) => Exit::Failed,
        (true, true) => Exit::Success,
    };
    Ok(output.result(&document, || text(&listing, names), exit))
}

fn in_list(backup: &Manifest, listing: &Listing) -> Value {
    let mut document = document(backup);
    let evidence = evidence(backup, listing);
    document["pinned"] = json!(is_pinned(backup, listing));
    let flaws = listing.flaws(backup);
    let proven = evidence.and_then(Evidence::proven).filter(|_| flaws.is_empty());
    document["proven"] = json!(proven.map(|proof| proof.at));
    document["future"] = json!(flaws.contains(&Flaw::Future));
    document["flaws"] = json!(flaws.iter().map(ToString::to_string).collect::<Vec<_>>());
    document["proof"] = json!(evidence.map(Evidence::name));
    document
}

/// Returns the result of the latest verification, unless damage was found since.
fn proven(backup: &Manifest, listing: &Listing) -> String {
    let flaws = listing.flaws(backup);
    if flaws.iter().any(|flaw| matches!(flaw, Flaw::Damaged(_))) {
        "DAMAGED".to_owned()
    } else if flaws.contains(&Flaw::Future) {
        "FUTURE".to_owned()
    } else {
        proofs::brief(evidence(backup, listing))
    }
}

fn is_pinned(backup: &Manifest, listing: &Listing) -> bool {
    listing.pinned.contains(&backup.backup())
}

/// Returns the last column: whether the backup is pinned, and how many warnings it has.
fn notes(backup: &Manifest, listing: &Listing) -> String {
    let pinned = is_pinned(backup, listing).then(|| "pinned".to_owned());
    let warnings = match backup.all_warnings().len() {
        0 => None,
        number => Some(plural(number as u64, "warning")),
    };
    pinned.into_iter().chain(warnings).collect::<Vec<_>>().join(", ")
}

fn evidence<'a>(backup: &Manifest, listing: &'a Listing) -> Option<&'a Evidence> {
    listing.evidence.get(&backup.backup())
}

fn damaged_document(damaged: &engine::repository::Damaged) -> Value {
    json!({ "instance": damaged.backup.instance, "id": damaged.backup.id, "error": explain(&damaged.error) })
}

fn text(listing: &Listing, names: &[String]) -> String {
    let mut text = backups_text(listing, names);
    for BackupRef { instance, id } in &listing.set_aside {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&format!("quarantined by a repair: {instance}/{id}\n"));
    }
    text
}

fn backups_text(listing: &Listing, names: &[String]) -> String {
    match (listing.backups.is_empty(), listing.damaged.len(), names) {
        (false, ..) => {}
        (true, 0, _) if !listing.alarms.is_empty() => return "no backups, although there were some".to_owned(),
        (true, 0, []) => return "no backups yet; `odoo-backup now` creates one".to_owned(),
        (true, 0, names) => return format!("no backups of {}", names.join(", ")),
        (true, damaged, _) => return format!("no readable backups; {} damaged", plural(damaged as u64, "backup")),
    }
    let header =
        ["INSTANCE", "BACKUP", "CREATED", "ODOO", "DATABASE", "FILES", "FILESTORE", "STORED", "VERIFIED", "NOTES"];
    let rows = listing.backups.iter().map(|backup| {
        vec![
            backup.instance.clone(),
            backup.id.to_string(),
            time(backup.created_at),
            backup
                .odoo
                .as_ref()
                .map_or("-", |odoo| if odoo.series.is_empty() { "?" } else { odoo.series.as_str() })
                .to_owned(),
            bytes(backup.database.object.plain.size),
            count(backup.filestore.files),
            bytes(backup.filestore.bytes),
            bytes(backup.stored_bytes()),
            proven(backup, listing),
            notes(backup, listing),
        ]
    });
    table(&header, &[4, 5, 6, 7], rows)
}
