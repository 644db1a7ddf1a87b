//! `odoo-backup list`

mod text;

use config::explain;
use engine::error::Explanation;
use engine::manifest::Manifest;
use engine::repository::{BackupRef, Damaged, Evidence, Flaw, Listing, ProofName};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::missing::by_journal;
use super::show::BackupDocument;
use crate::exit::Exit;
use crate::output::Output;

/// Lists backups, also of instances that are no longer in the configuration.
pub(super) async fn list(config: Chosen<'_>, names: &[String], long: bool, output: Output) -> Result<Exit, Failure> {
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
    let document = ListDocument {
        backups: listing.backups.iter().map(|backup| Listed::of(backup, &listing)).collect(),
        damaged: listing.damaged.iter().map(DamagedDocument::of).collect(),
        alarms: listing.alarms.iter().map(|alarm| format!("{}: {}", alarm.instance, alarm.message)).collect(),
        unreadable: listing.unreadable.iter().map(|error| explain(error)).collect(),
        set_aside: listing.set_aside.iter().map(ToString::to_string).collect(),
    };
    let is_damaged = !listing.damaged.is_empty() || !listing.damage.is_empty();
    let exit = match (!is_damaged, listing.alarms.is_empty() && listing.unreadable.is_empty()) {
        (false, _) => Exit::Damage,
        // Unreadable backups are neither intact nor damaged.
        (true, false) => Exit::Failed,
        (true, true) => Exit::Success,
    };
    Ok(output.result(&document, || text::text(&listing, names, long), exit))
}

/// What `list` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = List)]
pub(super) struct ListDocument {
    /// The backups, by instance and from the oldest to the newest.
    backups: Vec<Listed>,
    /// The backups whose manifest cannot be read.
    damaged: Vec<DamagedDocument>,
    /// What is wrong with what the repository lists, in sentences.
    alarms: Vec<String>,
    /// The folders that cannot be read.
    unreadable: Vec<Explanation>,
    /// The backups that a repair has quarantined, as `INSTANCE/ID`.
    set_aside: Vec<String>,
}

/// A backup in the list.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    #[serde(flatten)]
    backup: BackupDocument,
    /// Whether it is kept until it is unpinned.
    pinned: bool,
    /// When a restored copy was what had been backed up; null where that is not so, or something
    /// speaks against the backup.
    #[schema(required = true)]
    proven: Option<Timestamp>,
    /// Whether it is dated in the future.
    future: bool,
    /// What speaks against it, in sentences; empty where it is good.
    flaws: Vec<String>,
    /// The proof that counts; null where nothing was proven or refuted.
    #[schema(required = true)]
    proof: Option<ProofName>,
}

impl Listed {
    fn of(backup: &Manifest, listing: &Listing) -> Self {
        let (evidence, flaws) = (evidence(backup, listing), listing.flaws(backup));
        let proven = evidence.and_then(Evidence::proven).filter(|_| flaws.is_empty());
        Self {
            backup: BackupDocument::of(backup, backup.filestore.names_of_findings().cloned()),
            pinned: is_pinned(backup, listing),
            proven: proven.map(|proof| proof.at),
            future: flaws.contains(&Flaw::Future),
            flaws: flaws.iter().map(ToString::to_string).collect(),
            proof: evidence.map(Evidence::name).cloned(),
        }
    }
}

/// A backup whose manifest cannot be read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Damaged)]
struct DamagedDocument {
    #[serde(flatten)]
    backup: BackupRef,
    /// Why it cannot be read.
    error: Explanation,
}

impl DamagedDocument {
    fn of(damaged: &Damaged) -> Self {
        Self { backup: damaged.backup.clone(), error: explain(&damaged.error) }
    }
}

fn is_pinned(backup: &Manifest, listing: &Listing) -> bool {
    listing.pinned.contains(&backup.backup())
}

fn evidence<'a>(backup: &Manifest, listing: &'a Listing) -> Option<&'a Evidence> {
    listing.evidence.get(&backup.backup())
}
