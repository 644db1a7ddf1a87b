//! Decides what to do with each file, by what the snapshot names, what earlier volumes contain, and
//! what is on disk.

use std::collections::BTreeSet;

use super::name::{FileName, FileNames};

/// A file that an earlier volume contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its length in bytes.
    pub size: u64,
    /// When it was last modified, in seconds since 1970.
    pub mtime: u64,
    /// The earlier volume that contains it.
    pub volume: u32,
    /// Whether its time of modification would show a later change.
    dated: bool,
    /// Whether an earlier volume contains another version of it.
    overrides: bool,
    /// Whether it was already damaged when it was stored.
    suspect: bool,
    /// Whether it is still part of the backup: not replaced, and not gone.
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not yet seen on disk.
    Unseen,
    /// Unchanged: it need not be stored again.
    Kept,
    /// A new version of it is being stored.
    Replaced,
}

/// The granularity of modification times in seconds: they are recorded in seconds, and FAT has only
/// even ones. Within it, two changes of a file look like one.
const COARSEST_MTIME: u64 = 2;

impl Held {
    /// Returns a file of a volume's list. `begun` is when the backup of that volume started, in
    /// seconds since 1970, if that is known.
    pub fn new(size: u64, mtime: u64, volume: u32, begun: Option<u64>) -> Self {
        let dated = begun.is_some_and(|begun| mtime.saturating_add(COARSEST_MTIME) <= begun);
        Self { size, mtime, volume, dated, overrides: false, suspect: false, state: State::Unseen }
    }
}

impl FileNames<Held> {
    /// Returns the latest version of each file in the volumes. Their lists come in the order of the
    /// volumes.
    pub fn of_volumes(files: impl IntoIterator<Item = (FileName, Held)>) -> Self {
        Self::of_versions(files, |held| held.overrides = true)
    }
}

/// Whether a file on disk must be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// An earlier volume has it.
    Keep,
    /// No earlier volume has it, or not in its current version.
    Store,
    /// An earlier volume has the name and size. The content must be read and compared with the name
    /// nevertheless.
    Verify,
}

/// The names of one backup's files. The walk fills it, and the result is read once the walk ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The names in the snapshot's attachments, and whether each was seen on disk.
    named: FileNames<bool>,
    held: FileNames<Held>,
    reread: bool,
    unreferenced: (u64, Vec<String>),
    damaged: Vec<String>,
    rescued: Vec<String>,
    changed: Vec<String>,
    unreadable: Vec<String>,
    skipped: Vec<String>,
    /// How many files of the snapshot are on disk, could not be read, and are in no earlier volume.
    unread: u64,
}

/// How many names are recorded of a kind that may be numerous and is harmless.
const NAMES_WRITTEN_DOWN: usize = 1000;

/// The result of the walk, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The number and the bytes of files from earlier volumes that are part of the backup.
    pub kept: (u64, u64),
    /// Named by the snapshot, not on disk, and in no earlier volume.
    pub missing: Vec<String>,
    /// Not on disk, or damaged there, but recovered from an earlier volume, which the backup
    /// references.
    pub rescued: Vec<String>,
    /// Content that does not match the name: on disk, or in an earlier volume if the file is no
    /// longer on disk.
    pub damaged: Vec<String>,
    /// The length changed while they were read.
    pub changed: Vec<String>,
    /// On disk, but could not be read, with the reason.
    pub unreadable: Vec<String>,
    /// On disk, but neither file nor folder.
    pub skipped: Vec<String>,
    /// How many files that the snapshot names are on disk.
    pub seen: u64,
    /// How many of those could not be read, and have no intact version in an earlier volume.
    pub unread: u64,
    /// On disk, but not named by the snapshot: how many, and the first of them.
    pub unreferenced: (u64, Vec<String>),
    /// The earlier volumes that contain any of the files.
    pub volumes: BTreeSet<u32>,
    /// Files in those volumes, perhaps in a replaced version, that are no longer part of the
    /// backup: neither named nor on disk.
    pub removed: Vec<FileName>,
}

impl Ledger {
    /// Creates a ledger with the names of the snapshot's attachments and the files of earlier
    /// volumes.
    pub(crate) fn new(named: FileNames<bool>, held: FileNames<Held>, reread: bool) -> Self {
        Self { named, held, reread, ..Self::default() }
    }

    /// Records a file that is on disk, and returns what to do with it.
    pub(crate) fn see(&mut self, path: &str, size: u64, mtime: u64) -> Decision {
        let name = FileName::new(path);
        match self.named.get_mut(&name) {
            Some(seen) => *seen = true,
            None => {
                self.unreferenced.0 += 1;
                if self.unreferenced.1.len() < NAMES_WRITTEN_DOWN {
                    self.unreferenced.1.push(path.to_owned());
                }
            }
        }
        let Some(held) = self.held.get_mut(&name) else { return Decision::Store };
        let proven_by_name = matches!(name, FileName::Sha1(_));
        let same = held.size == size && !held.suspect && (proven_by_name || held.dated && held.mtime == mtime);
        let decision = match (same, self.reread) {
            (true, false) => Decision::Keep,
            (true, true) if proven_by_name => Decision::Verify,
            // If the name proves nothing, the current content is as good as any.
            (true, true) => Decision::Store,
            // The name says what the content must be. It must be read, so that a damaged file does
            // not replace an intact one.
            (false, _) if proven_by_name => Decision::Verify,
            (false, _) => Decision::Store,
        };
        held.state = if decision == Decision::Store { State::Replaced } else { State::Kept };
        decision
    }

    /// Records that an earlier volume contains a file that was already damaged.
    pub(crate) fn suspect(&mut self, path: &str) {
        if let Some(held) = self.held.get_mut(&FileName::new(path)) {
            held.suspect = true;
        }
    }

    /// Records the result of verifying a file that an earlier volume has. Returns whether it
    /// replaces that version: only if it matches its name and the earlier one does not.
    pub(crate) fn verified(&mut self, path: &str, size: u64, as_named: bool) -> bool {
        let Some(held) = self.held.get_mut(&FileName::new(path)) else { return as_named };
        let held_is_sound = !held.suspect && (!as_named || held.size == size);
        if as_named && !held_is_sound {
            held.state = State::Replaced;
        }
        if !as_named {
            self.damaged(path, held_is_sound);
        }
        as_named && !held_is_sound
    }

    /// Records that a file was gone when it was to be read.
    pub(crate) fn vanished(&mut self, path: &str) {
        let name = FileName::new(path);
        if let Some(seen) = self.named.get_mut(&name) {
            *seen = false;
        }
        if let Some(held) = self.held.get_mut(&name) {
            held.state = State::Unseen;
        }
    }

    /// Records that a file exists and cannot be read.
    pub(crate) fn unreadable(&mut self, path: &str, reason: &dyn std::fmt::Display) {
        self.unreadable.push(format!("{path}: {reason}"));
        let name = FileName::new(path);
        let held = self.held.get_mut(&name);
        if self.named.get(&name).is_some() && held.as_ref().is_none_or(|held| held.suspect) {
            self.unread += 1;
        }
        // The file is not in the backup, but must not look like one that Odoo removed.
        if let Some(held) = held {
            held.state = State::Kept;
            let names = if held.suspect { &mut self.damaged } else { &mut self.rescued };
            names.push(path.to_owned());
        }
    }

    /// Records that a file's content does not match its name. `rescued` means that an earlier
    /// version is kept.
    pub(crate) fn damaged(&mut self, path: &str, rescued: bool) {
        self.damaged.push(path.to_owned());
        if rescued {
            self.rescued.push(path.to_owned());
        }
    }

    /// Records that a file's length changed while it was read.
    pub(crate) fn changed(&mut self, path: &str) {
        self.changed.push(path.to_owned());
    }

    /// Records something that is neither file nor folder.
    pub(crate) fn skipped(&mut self, path: &str) {
        self.skipped.push(path.to_owned());
    }

    /// Returns the result, once the walk is over and everything was stored.
    pub(crate) fn settle(self) -> Settled {
        let mut settled = Settled {
            unreferenced: self.unreferenced,
            damaged: self.damaged,
            rescued: self.rescued,
            changed: self.changed,
            unreadable: self.unreadable,
            skipped: self.skipped,
            seen: self.named.iter().filter(|(_, seen)| **seen).count() as u64,
            unread: self.unread,
            ..Settled::default()
        };
        let gone = |name: &FileName| self.named.get(name).is_none();
        let is_removed = |name: &FileName, held: &Held| held.state == State::Unseen && gone(name);
        for (name, held) in self.held.iter() {
            if held.state != State::Replaced && !is_removed(&name, held) {
                settled.kept.0 += 1;
                settled.kept.1 += held.size;
                settled.volumes.insert(held.volume);
            }
        }
        // A volume that the backup does not reference needs no removal, except where an earlier
        // volume has a version of the file.
        let may_return = |held: &Held| held.overrides || settled.volumes.contains(&held.volume);
        let removed = self.held.iter().filter(|(name, held)| is_removed(name, held) && may_return(held));
        settled.removed = removed.map(|(name, _)| name).collect();
        for (name, _) in self.named.iter().filter(|(_, seen)| !**seen) {
            let names = match self.held.get(&name) {
                None => &mut settled.missing,
                // A file that was damaged when it was stored recovers nothing. The next backup must
                // know that it is damaged, too.
                Some(held) if held.suspect => &mut settled.damaged,
                Some(_) => &mut settled.rescued,
            };
            names.push(name.to_string());
        }
        for names in [&mut settled.rescued, &mut settled.damaged, &mut settled.changed, &mut settled.unreadable] {
            names.sort();
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aa/aa39a3ee5e6b4b0d3255bfef95601890afd80709";
    const B: &str = "bb/bb39a3ee5e6b4b0d3255bfef95601890afd80709";
    const C: &str = "cc/cc39a3ee5e6b4b0d3255bfef95601890afd80709";

    fn ledger(named: &[&str], held: &[(&str, u64)], reread: bool) -> Ledger {
        let named = named.iter().map(|path| (FileName::new(path), false)).collect();
        let held = held.iter().map(|(path, size)| (FileName::new(path), Held::new(*size, 1, 0, Some(3)))).collect();
        Ledger::new(named, held, reread)
    }

    #[test]
    fn named_file_with_size_is_kept() {
        let mut ledger = ledger(&[A, B], &[(A, 10)], false);
        assert_eq!(ledger.see(A, 10, 999), Decision::Keep);
        assert_eq!(ledger.see(B, 20, 1), Decision::Store);
        let settled = ledger.settle();
        assert_eq!(settled, Settled { kept: (1, 10), seen: 2, volumes: [0].into(), ..Settled::default() });
    }

    #[test]
    fn unproven_name_needs_same_time() {
        let held = [("x", 10), ("y", 10), ("z", 10)];
        let mut ledger = ledger(&[], &held, false);
        assert_eq!(ledger.see("x", 10, 1), Decision::Keep);
        assert_eq!(ledger.see("y", 10, 2), Decision::Store);
        assert_eq!(ledger.see("z", 11, 1), Decision::Store);
        assert_eq!(ledger.settle().kept, (1, 10));
    }

    #[test]
    fn too_recent_mtime_proves_nothing() {
        for (begun, expected) in [(Some(12), Decision::Keep), (Some(11), Decision::Store), (None, Decision::Store)] {
            let held = ["x", A].map(|path| (FileName::new(path), Held::new(5, 10, 0, begun)));
            let mut ledger = Ledger::new(FileNames::default(), held.into_iter().collect(), false);
            assert_eq!(ledger.see("x", 5, 10), expected, "{begun:?}");
            assert_eq!(ledger.see(A, 5, 10), Decision::Keep, "its name identifies its content");
        }
    }

    #[test]
    fn changed_size_or_reread_is_verified() {
        assert_eq!(ledger(&[A], &[(A, 10)], false).see(A, 9, 1), Decision::Verify);
        let mut reread = ledger(&[A], &[(A, 10), ("x", 10)], true);
        assert_eq!(reread.see(A, 10, 1), Decision::Verify);
        assert_eq!(reread.see("x", 10, 1), Decision::Store);
        assert!(!reread.verified(A, 10, true), "the earlier version is as good");
        assert_eq!(reread.settle().kept, (1, 10));
        let mut other_size = ledger(&[A], &[(A, 10)], false);
        assert_eq!(other_size.see(A, 9, 1), Decision::Verify);
        assert!(other_size.verified(A, 9, true), "the earlier version cannot be right");
        assert_eq!(other_size.settle().kept, (0, 0));
    }

    #[test]
    fn suspect_file_is_replaced_once_repaired() {
        let mut still = ledger(&[A], &[(A, 10)], false);
        still.suspect(A);
        assert_eq!(still.see(A, 10, 1), Decision::Verify);
        assert!(!still.verified(A, 10, false));
        let settled = still.settle();
        assert_eq!((settled.damaged, settled.rescued.len(), settled.kept.0), (vec![A.to_owned()], 0, 1));
        let mut repaired = ledger(&[A], &[(A, 10)], false);
        repaired.suspect(A);
        assert_eq!(repaired.see(A, 10, 1), Decision::Verify);
        assert!(repaired.verified(A, 10, true));
        assert_eq!(repaired.settle().kept, (0, 0));

        for is_there in [false, true] {
            let mut lost = ledger(&[A], &[(A, 10)], false);
            lost.suspect(A);
            if is_there {
                lost.see(A, 10, 1);
                lost.unreadable(A, &"it is on fire");
            }
            let settled = lost.settle();
            assert_eq!((settled.damaged, settled.rescued.len()), (vec![A.to_owned()], 0), "not on disk, or unreadable");
            assert_eq!((settled.missing.len(), settled.kept.0), (0, 1));
        }
    }

    #[test]
    fn missing_removed_and_unreferenced_are_distinct() {
        let mut ledger = ledger(&[A, B], &[(B, 10), (C, 10), ("x", 1)], false);
        assert_eq!(ledger.see("x", 1, 1), Decision::Keep);
        let settled = ledger.settle();
        assert_eq!(settled.missing, [A]);
        assert_eq!(settled.rescued, [B]);
        assert_eq!(settled.removed, [FileName::new(C)]);
        assert_eq!(settled.unreferenced, (1, vec!["x".to_owned()]));
        assert_eq!(settled.kept, (2, 11), "the recovered file is part of the backup");
    }

    #[test]
    fn volume_without_files_is_dropped() {
        let held = [(FileName::new(A), Held::new(1, 1, 0, Some(3))), (FileName::new(B), Held::new(2, 1, 1, Some(3)))];
        let mut ledger = Ledger::new(FileNames::default(), held.into_iter().collect(), false);
        assert_eq!(ledger.see(B, 2, 1), Decision::Keep);
        let settled = ledger.settle();
        assert_eq!((settled.volumes, settled.removed), ([1].into(), vec![]));
    }

    #[test]
    fn dropped_volume_reveals_no_older_version() {
        for path in ["x", C] {
            let files = [(path, 0), (A, 0), (path, 1), (B, 1)];
            let held = files.map(|(path, volume)| (FileName::new(path), Held::new(1, 1, volume, Some(3))));
            let mut ledger = Ledger::new(FileNames::default(), FileNames::of_volumes(held), false);
            assert_eq!(ledger.see(A, 1, 1), Decision::Keep);
            let settled = ledger.settle();
            assert_eq!((settled.volumes, settled.removed), ([0].into(), vec![FileName::new(path)]));
        }
    }

    #[test]
    fn unread_counts_files_without_copy() {
        let mut ledger = ledger(&[A, B], &[(B, 10)], false);
        for (path, size) in [(A, 10), (B, 11), ("x", 1)] {
            ledger.see(path, size, 1);
            ledger.unreadable(path, &"permission denied");
        }
        let settled = ledger.settle();
        assert_eq!((settled.seen, settled.unread), (2, 1), "B is in a volume, and no attachment names x");
        assert_eq!(settled.rescued, [B]);
    }

    #[test]
    fn file_gone_before_reading_is_ignored() {
        let mut ledger = ledger(&[A, B], &[(B, 10)], false);
        assert_eq!(ledger.see(A, 10, 1), Decision::Store);
        assert_eq!(ledger.see(B, 11, 1), Decision::Verify);
        ledger.vanished(A);
        ledger.vanished(B);
        let settled = ledger.settle();
        assert_eq!((settled.missing, settled.rescued), (vec![A.to_owned()], vec![B.to_owned()]));
    }
}
