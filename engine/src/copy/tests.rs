use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{Timestamp, ToSpan};
use tempfile::TempDir;

use super::*;
use crate::manifest::Manifest;
use crate::prune::tests::killed::mortal;
use crate::prune::tests::{INSTANCE, USUAL, assert_sound, at, days, ids, keys, store_backup};
use crate::repository::LockError;

/// Two repositories, of which the first has backups.
struct Pair {
    folder: TempDir,
    backups: Vec<Manifest>,
}

impl Pair {
    async fn with_days(number: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["from", "to"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let backups = days(&at(&folder.path().join("from")).await, &vec![USUAL; number]).await;
        at(&folder.path().join("to")).await;
        Self { folder, backups }
    }

    fn path(&self, repository: &str) -> PathBuf {
        self.folder.path().join(repository)
    }

    async fn from(&self) -> Repository {
        at(&self.path("from")).await
    }

    async fn to(&self) -> Repository {
        at(&self.path("to")).await
    }

    fn names(&self) -> Vec<BackupRef> {
        self.backups.iter().map(Manifest::backup).collect()
    }

    async fn copy(&self) -> Result<Copied, Error> {
        copy(&self.from().await, &self.to().await, &self.names(), &Run::default()).await
    }

    /// Returns a file in the folder of the newest backup.
    fn file(&self, repository: &str, name: &str) -> PathBuf {
        self.file_of(repository, self.backups.len() - 1, name)
    }

    fn file_of(&self, repository: &str, backup: usize, name: &str) -> PathBuf {
        self.path(repository).join(INSTANCE).join(self.backups[backup].id.as_str()).join(name)
    }
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn duplicate(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

/// Returns whether the copy failed because the destination has a different object of this name.
fn is_another(result: Result<Copied, Error>, name: &str) -> bool {
    match result {
        Err(Error::Verb { source, .. }) => {
            matches!(*source, Error::Repository(RepositoryError::Another { key, .. }) if key.name() == name)
        }
        _ => false,
    }
}

#[tokio::test]
async fn copy_stores_only_missing_objects() {
    let mut pair = Pair::with_days(4).await;
    let copied = pair.copy().await.unwrap();
    assert_eq!(copied.backups, pair.names());
    // A dump, a volume and its list for each backup, however many reference the volume.
    assert_eq!((copied.objects, copied.there, copied.damaged.len()), (12, 0, 0));
    assert_eq!(keys(&pair.from().await).await, keys(&pair.to().await).await, "also no locks are left");
    assert_sound(&pair.to().await).await;
    for manifest in &pair.backups {
        let copy = pair.to().await.verified_manifest(&manifest.backup()).await.unwrap();
        assert_eq!(copy, *manifest);
    }

    let again = pair.copy().await.unwrap();
    assert_eq!((again.objects, again.bytes, again.there, again.backups.len()), (0, 0, 4, 0));
    let next = store_backup(&pair.from().await, Timestamp::now(), pair.backups.last(), USUAL).await.unwrap();
    pair.backups.push(next);
    assert_eq!(pair.copy().await.unwrap().objects, 3);
}

#[tokio::test]
async fn newer_skips_backups_removed_there() {
    let pair = Pair::with_days(4).await;
    let (from, to, run) = (pair.from().await, pair.to().await, Run::default());
    assert_eq!(newer(&from, &to, None).await.unwrap(), pair.names());
    assert_eq!(newer(&from, &to, Some("other")).await.unwrap(), []);
    copy(&from, &to, &pair.names()[1..3], &run).await.unwrap();
    assert_eq!(newer(&from, &to, Some(INSTANCE)).await.unwrap(), pair.names()[3..]);
}

#[tokio::test]
async fn killed_copy_is_finished_by_next() {
    let pair = Pair::with_days(2).await;
    let expected = keys(&pair.from().await).await;
    // Either store may stop answering.
    for dying in ["from", "to"] {
        let mut refused = 0;
        for requests in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            ["from", "to"].into_iter().for_each(|name| duplicate(&pair.path(name), &path(name)));
            let (from, to) = match dying {
                "from" => (mortal(&path("from"), requests).await, at(&path("to")).await),
                _ => (at(&path("from")).await, mortal(&path("to"), requests).await),
            };
            let survived = copy(&from, &to, &pair.names(), &Run::default()).await.is_ok();
            let (from, to) = (at(&path("from")).await, at(&path("to")).await);
            let there = ids(&to).await;
            assert!(
                pair.names().iter().map(|backup| &backup.id).zip(&there).all(|(a, b)| a == b),
                "{dying} {requests}"
            );
            assert_sound(&to).await;
            for repository in [&from, &to] {
                for claim in repository.claims(None).await.unwrap() {
                    repository.remove_claim(&claim).await.unwrap();
                }
            }
            let again = copy(&from, &to, &pair.names(), &Run::default()).await.unwrap();
            assert_eq!(again.there, there.len() as u64, "{dying} {requests}");
            assert_sound(&to).await;
            assert_eq!(keys(&to).await, expected, "{dying} {requests}");
            refused += 1;
            if survived {
                break;
            }
        }
        assert!(refused > 15, "{dying} {refused}");
    }
}

#[tokio::test]
async fn damaged_backup_is_reported_others_copied() {
    let pair = Pair::with_days(5).await;
    // The volume of the second day, which the third and the fourth backup reference too.
    let volume = pair.file_of("from", 1, "filestore-0001.tar.zst");
    damage(&volume);
    let copied = pair.copy().await.unwrap();
    let names = pair.names();
    assert_eq!(copied.backups, [names[0].clone(), names[4].clone()]);
    let left_out: Vec<_> = copied.damaged.iter().map(|left| left.backup.clone()).collect();
    assert_eq!(left_out, names[1..4]);
    for left in &copied.damaged {
        assert!(volume.ends_with(left.damage[0].key.as_str()), "{:?}", left.damage);
        assert!(left.damage[0].reason.contains("damaged"), "{:?}", left.damage);
    }
    assert!(!pair.file_of("to", 1, "filestore-0001.tar.zst").exists());
    assert_sound(&pair.to().await).await;

    // The same is true of a missing volume, and of a manifest that contradicts its checksums.
    fs::remove_file(&volume).unwrap();
    damage(&pair.file_of("from", 2, "manifest.json"));
    let copied = pair.copy().await.unwrap();
    let reasons: Vec<_> = copied.damaged.iter().map(|left| left.damage[0].reason.clone()).collect();
    assert!(reasons[0].contains("missing") && reasons[1].contains("digest"), "{reasons:?}");
}

#[tokio::test]
async fn concurrent_copies_exclude_each_other() {
    let pair = Pair::with_days(2).await;
    let (to, run) = (pair.to().await, Run::default());
    for purpose in [Purpose::Copy, Purpose::Backup] {
        let lock = to.lock(INSTANCE, purpose, &run).await.unwrap();
        match pair.copy().await.unwrap_err() {
            Error::Verb { source, .. } => {
                assert!(
                    matches!(*source, Error::Repository(RepositoryError::Lock(LockError::Held { .. }))),
                    "{source}"
                );
            }
            other => panic!("{other}"),
        }
        lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
    }
    // Of two at once, one copies. The other is refused, or finds nothing to do.
    let (one, other) = tokio::join!(pair.copy(), pair.copy());
    let done: usize = [one, other].into_iter().flatten().map(|copied| copied.backups.len()).sum();
    assert_eq!(done, 2);
    assert_sound(&to).await;
    assert_eq!(keys(&pair.from().await).await, keys(&to).await);
}

#[tokio::test]
async fn different_backup_there_stays_untouched() {
    // A backup of the same id of another instance.
    let pair = Pair::with_days(1).await;
    let created_at = pair.backups[0].created_at;
    store_backup(&pair.to().await, created_at, None, crate::prune::tests::Shape { bytes: 7, warned: true })
        .await
        .unwrap();
    let before = fs::read(pair.file("to", "manifest.json")).unwrap();
    assert!(is_another(pair.copy().await, "manifest.json"));
    assert_eq!(fs::read(pair.file("to", "manifest.json")).unwrap(), before);

    // An object there that no backup names. An interrupted copy may have left it intact, and it is
    // used. A different one is refused.
    for (is_damaged, name) in [(false, "database.dump.zst"), (true, "database.dump.zst"), (true, "SHA256SUMS")] {
        let pair = Pair::with_days(1).await;
        let file = pair.file("to", name);
        duplicate(&pair.file("from", name), &file);
        if is_damaged {
            damage(&file);
            let before = fs::read(&file).unwrap();
            assert!(is_another(pair.copy().await, name));
            assert_eq!(fs::read(&file).unwrap(), before);
            assert_eq!(ids(&pair.to().await).await, []);
        } else {
            assert_eq!(pair.copy().await.unwrap().objects, 2);
        }
    }
}

#[tokio::test]
async fn lost_object_there_is_copied_again() {
    let pair = Pair::with_days(2).await;
    pair.copy().await.unwrap();
    let (gone, short) = (pair.file("to", "database.dump.zst"), pair.file("to", "filestore-0001.tar.zst"));
    fs::remove_file(&gone).unwrap();
    fs::write(&short, b"short").unwrap();
    let copied = pair.copy().await.unwrap();
    assert_eq!((copied.objects, copied.there), (2, 2));
    assert_sound(&pair.to().await).await;
    assert_eq!(fs::read(&short).unwrap(), fs::read(pair.file("from", "filestore-0001.tar.zst")).unwrap());
}

#[tokio::test]
async fn backup_removed_meanwhile_is_skipped() {
    let pair = Pair::with_days(1).await;
    let later = pair.backups[0].created_at.checked_add(1.minute()).unwrap();
    let names = [pair.names(), vec![BackupRef::new(INSTANCE, BackupId::new(later))]].concat();
    let copied = copy(&pair.from().await, &pair.to().await, &names, &Run::default()).await.unwrap();
    assert_eq!(copied.backups, pair.names());
}

#[tokio::test]
async fn quarantined_backup_is_not_copied() {
    let pair = Pair::with_days(4).await;
    let (from, to, names) = (pair.from().await, pair.to().await, pair.names());
    copy(&from, &to, &names[..2], &Run::default()).await.unwrap();
    to.quarantine(&names[1]).await.unwrap();
    from.quarantine(&names[2]).await.unwrap();
    assert_eq!(newer(&from, &to, None).await.unwrap(), names[2..], "what is quarantined there is not new");
    let before = keys(&to).await;
    let copied = pair.copy().await.unwrap();
    let aside: Vec<_> = copied.set_aside.iter().map(|left| (left.backup.clone(), left.there)).collect();
    assert_eq!(aside, [(names[1].clone(), true), (names[2].clone(), false)]);
    assert_eq!((copied.backups, copied.there, copied.damaged.len()), (names[3..].to_vec(), 1, 0));
    let after = keys(&to).await;
    assert!(before.iter().all(|key| after.contains(key)));
    assert!(copied.set_aside[1].to_string().ends_with("quarantined in the source repository"));
    assert_sound(&to).await;
}

#[tokio::test]
async fn forecast_counts_what_copy_stores() {
    let pair = Pair::with_days(4).await;
    let (from, to) = (pair.from().await, pair.to().await);
    copy(&from, &to, &pair.names()[..1], &Run::default()).await.unwrap();
    // The second backup cannot be copied, and others share its volume.
    fs::remove_file(pair.file_of("from", 1, "filestore-0001.tar.zst")).unwrap();
    let before = (keys(&from).await, keys(&to).await);
    let forecast = forecast(&from, &to, &pair.names(), &Run::default()).await.unwrap();
    assert_eq!((keys(&from).await, keys(&to).await), before);
    let copied = pair.copy().await.unwrap();
    let figures = |copied: &Copied| {
        let damaged: Vec<_> = copied.damaged.iter().map(|left_out| left_out.backup.clone()).collect();
        (copied.backups.clone(), copied.there, damaged)
    };
    assert_eq!(figures(&forecast), figures(&copied));
    assert_eq!((forecast.there, forecast.damaged.len()), (1, 3), "{forecast:?}");
}

#[tokio::test]
async fn forecast_of_intact_source_counts_objects() {
    let pair = Pair::with_days(3).await;
    let forecast = forecast(&pair.from().await, &pair.to().await, &pair.names(), &Run::default()).await.unwrap();
    let copied = pair.copy().await.unwrap();
    assert_eq!((forecast.objects, forecast.bytes), (copied.objects, copied.bytes));
    assert_eq!((forecast.backups, copied.backups.len()), (copied.backups, 3));
}
