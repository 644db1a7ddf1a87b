//! What `prune --repack` says of volumes.

use engine::prune::{Repacked, RepackedVolume};
use serde_json::{Value, json};

use crate::table::{bytes, plural, table};

/// What was or would be written anew, for programs.
pub(super) fn repacked_document(repacked: &Repacked) -> Value {
    let volumes = repacked.volumes.iter().map(|volume| {
        json!({
            "volume": volume.key,
            "stored_bytes": volume.stored_bytes,
            "files": volume.files.0,
            "needed_files": volume.files.1,
            "bytes": volume.bytes.0,
            "needed_bytes": volume.bytes.1,
            "saves_bytes": volume.saves,
            "by": volume.by,
        })
    });
    let damage = repacked.damage.iter().map(|damage| json!({ "object": damage.key, "reason": damage.reason }));
    json!({
        "volumes": volumes.collect::<Vec<_>>(),
        "backups": repacked.backups,
        "unchanged": repacked.unchanged,
        "damage": damage.collect::<Vec<_>>(),
        "left": repacked.left,
    })
}

/// The same for people.
pub(super) fn repacked_text(repacked: &Repacked, dry_run: bool) -> String {
    let mut text = String::new();
    let rows = repacked.volumes.iter().map(|volume| {
        let name = volume.key.as_str().split_once('/').map_or("", |(_, name)| name);
        let left = if dry_run || volume.by.is_some() { "" } else { "left as it is" };
        let (size, saves) = (bytes(volume.stored_bytes), bytes(volume.saves));
        vec![name.to_owned(), size, needed(volume), saves, left.to_owned()]
    });
    if !repacked.volumes.is_empty() {
        text.push_str(&table(&["VOLUME", "SIZE", "NEEDED", "SAVES", ""], &[1, 2, 3], rows));
    }
    let done = repacked.volumes.iter().filter(|volume| dry_run || volume.by.is_some());
    let (number, saved) = done.fold((0, 0), |(number, saved), volume| (number + 1, saved + volume.saves));
    let (volumes, saved) = (plural(number, "volume"), bytes(saved));
    text.push_str(&match (&repacked.left, dry_run) {
        (Some(why), _) => format!("no volume was looked at: {why}\n"),
        (None, true) => format!("{volumes} would be written anew, saving about {saved}\n"),
        (None, false) if number == 0 => "no volume was written anew\n".to_owned(),
        (None, false) => {
            let backups = plural(repacked.backups.len() as u64, "backup");
            format!(
                "{volumes} written anew for {backups}; once the grace period is over, a prune frees {saved} by that\n"
            )
        }
    });
    text
}

/// How much of a volume is needed.
fn needed(volume: &RepackedVolume) -> String {
    let (all, needed) = volume.bytes;
    let percent = u128::from(needed) * 100 / u128::from(all.max(1));
    format!("{percent} %")
}
