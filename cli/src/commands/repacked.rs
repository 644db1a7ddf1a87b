//! Formats the volumes that `prune --repack` rewrote.

use engine::prune::{Repacked, RepackedVolume};

use crate::table::{bytes, plural, table};

/// Returns the text on volumes that were or would be repacked.
pub(super) fn repacked_text(repacked: &Repacked, dry_run: bool) -> String {
    let mut text = String::new();
    let rows = repacked.volumes.iter().map(|volume| {
        let name = volume.key.as_str().split_once('/').map_or("", |(_, name)| name);
        let left = if dry_run || volume.by.is_some() { "" } else { "not repacked" };
        let (size, saves) = (bytes(volume.stored_bytes), bytes(volume.saves));
        vec![name.to_owned(), size, needed(volume), saves, left.to_owned()]
    });
    if !repacked.volumes.is_empty() {
        text.push_str(&table(&["VOLUME", "SIZE", "NEEDED", "SAVES", "NOTES"], &[1, 2, 3], rows));
    }
    let done = repacked.volumes.iter().filter(|volume| dry_run || volume.by.is_some());
    let (number, saved) = done.fold((0, 0), |(number, saved), volume| (number + 1, saved + volume.saves));
    let (volumes, saved) = (plural(number, "volume"), bytes(saved));
    text.push_str(&match (&repacked.left, dry_run) {
        (Some(why), _) => format!("no volumes repacked: {why}\n"),
        (None, true) => format!("{volumes} would be repacked, saving about {saved}\n"),
        (None, false) if number == 0 => "no volumes repacked\n".to_owned(),
        (None, false) => {
            let backups = plural(repacked.backups.len() as u64, "backup");
            format!("{volumes} repacked for {backups}; after the grace period, a prune frees {saved}\n")
        }
    });
    text
}

/// Returns the share of a volume that backups need.
fn needed(volume: &RepackedVolume) -> String {
    let (all, needed) = (volume.bytes, volume.needed_bytes);
    let percent = u128::from(needed) * 100 / u128::from(all.max(1));
    format!("{percent} %")
}
