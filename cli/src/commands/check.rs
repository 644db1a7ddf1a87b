//! `odoo-backup check`

use std::collections::BTreeSet;

use engine::check::{CheckOptions, Checked};
use engine::config::Config;
use engine::repository::{BackupId, Repository};
use engine::run::Run;
use engine::store::Key;
use serde_json::{Value, json};

use super::{Chosen, Failure, load, only_instance, open, tools};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural};

/// Checks the named backups, or all.
pub(super) async fn check(
    config: Chosen<'_>,
    selectors: &[String],
    read_data: bool,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let backups = chosen(&config, &repository, selectors).await?;
    let options = CheckOptions { read_data, tools: tools(&config) };
    let checked = engine::check::check(&repository, &backups, &options, run).await?;
    let sound = checked.iter().all(|backup| backup.damage.is_empty());
    let document = json!({
        "sound": sound,
        "read_data": read_data,
        "backups": checked.iter().map(document).collect::<Vec<_>>(),
    });
    if checked.is_empty() {
        output.warning("there are no backups to check");
    }
    let exit = if sound { Exit::Success } else { Exit::Damage };
    Ok(output.result(&document, || text(&checked, read_data), exit))
}

async fn chosen(
    config: &Config,
    repository: &Repository,
    selectors: &[String],
) -> Result<Vec<(String, BackupId)>, Failure> {
    if selectors.is_empty() {
        return Ok(repository.names(None).await?);
    }
    let mut chosen = BTreeSet::new();
    for selector in selectors {
        chosen.insert(repository.resolve(selector, only_instance(config)).await?);
    }
    Ok(chosen.into_iter().collect())
}

fn document(checked: &Checked) -> Value {
    let damage = checked.damage.iter().map(|damage| json!({ "object": damage.key, "reason": damage.reason }));
    json!({
        "id": checked.id,
        "instance": checked.instance,
        "objects": checked.objects,
        "bytes": checked.bytes,
        "sound": checked.damage.is_empty(),
        "damage": damage.collect::<Vec<_>>(),
    })
}

/// An object's name, with its folder only where that is another backup's.
fn name_in<'a>(backup: &Checked, key: &'a Key) -> &'a str {
    if key.is_under(&backup.id.key(&backup.instance)) { key.name() } else { key.as_str() }
}

fn text(checked: &[Checked], read_data: bool) -> String {
    let mut text = String::new();
    for backup in checked {
        let (instance, id) = (&backup.instance, &backup.id);
        if backup.damage.is_empty() {
            let (objects, size) = (plural(backup.objects, "object"), bytes(backup.bytes));
            let depth = if read_data { "every byte read, every digest right" } else { "all there, of the right size" };
            text.push_str(&format!("sound    {instance}/{id}: {objects}, {size}, {depth}\n"));
        }
        for damage in &backup.damage {
            text.push_str(&format!("DAMAGED  {instance}/{id}: {}: {}\n", name_in(backup, &damage.key), damage.reason));
        }
    }
    let damaged = checked.iter().filter(|backup| !backup.damage.is_empty()).count();
    let all = plural(checked.len() as u64, "backup");
    text.push_str(&match damaged {
        0 => format!("{all} checked, no damage found\n"),
        damaged => format!("{all} checked, {damaged} damaged\n"),
    });
    text
}
