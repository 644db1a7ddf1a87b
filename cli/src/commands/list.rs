//! `odoo-backup list`

use std::path::Path;

use engine::error::explain;
use engine::repository::Listing;
use serde_json::{Value, json};

use super::show::document;
use super::{Failure, load, open};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, count, table, time};

/// Lists backups, also of instances that the configuration no longer has.
pub(super) async fn list(config: Option<&Path>, names: &[String], output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let mut listing = Listing::default();
    match names {
        [] => listing = repository.list(None).await?,
        names => {
            for name in names {
                let of_one = repository.list(Some(name)).await?;
                listing.backups.extend(of_one.backups);
                listing.damaged.extend(of_one.damaged);
            }
        }
    }
    for damaged in &listing.damaged {
        output.warning(&damaged.error.to_string());
    }
    let document = json!({
        "backups": listing.backups.iter().map(document).collect::<Vec<_>>(),
        "damaged": listing.damaged.iter().map(damaged_document).collect::<Vec<_>>(),
    });
    output.result(&document, || text(&listing));
    Ok(if listing.damaged.is_empty() { Exit::Success } else { Exit::Damage })
}

fn damaged_document(damaged: &engine::repository::Damaged) -> Value {
    json!({ "instance": damaged.instance, "id": damaged.id, "error": explain(&damaged.error) })
}

fn text(listing: &Listing) -> String {
    if listing.backups.is_empty() {
        return "no backups yet; `odoo-backup now` makes one".to_owned();
    }
    let header = ["INSTANCE", "BACKUP", "CREATED", "ODOO", "DATABASE", "FILES", "FILESTORE", "STORED"];
    let rows = listing.backups.iter().map(|backup| {
        vec![
            backup.instance.clone(),
            backup.id.to_string(),
            time(backup.created_at),
            backup.odoo.as_ref().map_or("-", |odoo| odoo.series.as_str()).to_owned(),
            bytes(backup.database.object.plain.size),
            count(backup.filestore.files),
            bytes(backup.filestore.bytes),
            bytes(backup.stored_bytes()),
        ]
    });
    table(&header, &[4, 5, 6, 7], rows)
}
