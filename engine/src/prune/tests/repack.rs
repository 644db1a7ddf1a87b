//! Tests repacking: every backup keeps its content, whatever happens meanwhile.

mod at_once;
mod copied;
mod interrupted;

use std::collections::BTreeMap;

use super::*;
use crate::backup_files::BackupFiles;
use crate::filestore::{made_up, read_files};
use crate::repository::Quarantined;

/// The files of a filestore by path.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

const REPACK: PruneOptions = PruneOptions { dry_run: false, accept_shrunk: false, repack: true };

/// Returns an instance that keeps the newest two, and unreferenced objects for a second.
pub(super) fn two() -> Instance {
    instance("keep_last = 2\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = '1 second'\nhold_if_shrunk = '100%'")
}

/// Returns the path and content of a file on a day. Every third file has a name that proves
/// nothing, and changes.
fn file(number: usize, day: usize) -> (String, Vec<u8>) {
    let day = if number.is_multiple_of(3) { day } else { 0 };
    let path = match number % 3 {
        0 => format!("odd/{number}"),
        _ => format!("{number:02x}/{number:02x}{}", "a".repeat(38)),
    };
    (path, (0..1000 + number).map(|i| ((i * (number + 3) + day * 7) % 251) as u8).collect())
}

/// Returns the filestore of a day. Each day, some files of the first day are gone, and a few are
/// new.
pub(super) fn files(day: usize) -> Files {
    let changed = |number: usize| file(number, if number < 9 { day } else { 0 });
    (day * 7..40).map(changed).chain((0..day).map(|number| file(100 + number, 0))).collect()
}

/// Returns all files of a backup, combined as a restore does.
pub(super) async fn contents(repository: &Repository, manifest: &Manifest) -> Files {
    let merged = Arc::new(BackupFiles::of(repository, manifest).await.unwrap());
    let mut all = Files::new();
    for (volume, index) in manifest.filestore.volumes.iter().zip(0..) {
        let merged = merged.clone();
        let files = repository.read(&volume.object, move |archive| {
            let mut files = Files::new();
            read_files(archive, |path, size, content| {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                if merged.takes(path, index, size)? {
                    files.insert(path.to_owned(), bytes);
                }
                Ok(())
            })?;
            Ok(files)
        });
        all.extend(files.await.unwrap());
    }
    let bytes: usize = all.values().map(Vec::len).sum();
    assert_eq!((all.len() as u64, bytes as u64), (manifest.filestore.files, manifest.filestore.bytes));
    all
}

/// Returns all files in a backup's volumes, by volume.
async fn held(repository: &Repository, manifest: &Manifest) -> Vec<(Volume, Files)> {
    let mut held = Vec::new();
    for volume in &manifest.filestore.volumes {
        let files = repository.read(&volume.object, |archive| {
            let mut files = Files::new();
            read_files(archive, |path, _, content| {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                files.insert(path.to_owned(), bytes);
                Ok(())
            })?;
            Ok(files)
        });
        held.push((volume.clone(), files.await.unwrap()));
    }
    held
}

/// Returns a backup of these files made as `backup` does, referencing the volumes of `previous`.
pub(super) async fn store_files(
    repository: &Repository,
    created_at: Timestamp,
    previous: Option<&Manifest>,
    files: &Files,
) -> Result<Manifest, Error> {
    let draft = repository.begin(INSTANCE, created_at);
    let plain = |bytes: Vec<u8>| encode(body_of(bytes), Level::default(), 0, Task::default());
    let (object, ()) = draft.add("database.dump.zst", plain(vec![7; 1000])).await?;
    let earlier = match previous {
        Some(previous) => held(repository, previous).await,
        None => Vec::new(),
    };
    let mut latest: Files = earlier.iter().flat_map(|(_, files)| files.clone()).collect();
    let new: Files = files
        .iter()
        .filter(|(path, bytes)| latest.get(*path) != Some(bytes))
        .map(|(p, b)| (p.clone(), b.clone()))
        .collect();
    let mut volumes: Vec<Volume> = earlier.into_iter().map(|(volume, _)| volume).collect();
    let new_files = new.len() as u64;
    if !new.is_empty() {
        latest.extend(new.clone());
        let (object, written) = draft.add("filestore-0001.tar.zst", made_up::volume(new)).await?;
        let (list, ()) = draft.add("filestore-0001.files.zst", written.list).await?;
        volumes.push(Volume { files: written.files, bytes: written.bytes, object, list, replaces: None });
    }
    let removed: String =
        latest.keys().filter(|path| !files.contains_key(*path)).map(|path| format!("{path}\0")).collect();
    let removed = match removed.is_empty() {
        true => None,
        false => Some(draft.add("filestore-removed.zst", plain(removed.into_bytes())).await?.0),
    };
    let bytes = files.values().map(|bytes| bytes.len() as u64).sum();
    let filestore = FilestoreContent {
        files: files.len() as u64,
        bytes,
        new_files,
        volumes,
        removed,
        ..FilestoreContent::default()
    };
    let manifest = Manifest { created_at, filestore, ..made_up_manifest(&draft, object) };
    draft.commit(&manifest).await?;
    Ok(manifest)
}

fn made_up_manifest(draft: &crate::repository::Draft, object: StoredObject) -> Manifest {
    crate::manifest::made_up::manifest(INSTANCE, draft.id(), object)
}

/// Returns a backup for each of the last days.
pub(super) async fn days_of_files(repository: &Repository, days: usize) -> Vec<(Manifest, Files)> {
    store_days(repository, &(0..days).collect::<Vec<_>>()).await
}

/// Returns a backup of each of these days' files, the last one dated a day ago.
pub(super) async fn store_days(repository: &Repository, days: &[usize]) -> Vec<(Manifest, Files)> {
    let mut all: Vec<(Manifest, Files)> = Vec::new();
    for (place, day) in days.iter().enumerate() {
        let ago = i64::try_from(days.len() - place).unwrap() * 24;
        let created_at = Timestamp::now().checked_sub(ago.hours()).unwrap();
        let files = files(*day);
        let previous = all.last().map(|(manifest, _)| manifest);
        let manifest = store_files(repository, created_at, previous, &files).await.unwrap();
        assert!(contents(repository, &manifest).await == files);
        all.push((manifest, files));
    }
    all
}

pub(super) async fn manifest(repository: &Repository, id: &BackupId) -> Manifest {
    repository.verified_manifest(&BackupRef::new(INSTANCE, id.clone())).await.unwrap()
}

/// Asserts that each of these backups that still exists has its content, compared byte by byte.
pub(super) async fn assert_as_before(repository: &Repository, backups: &[(Manifest, Files)]) {
    let there = ids(repository).await;
    for (before, files) in backups.iter().filter(|(manifest, _)| there.contains(&manifest.id)) {
        let now = manifest(repository, &before.id).await;
        assert!(now.is_same_backup(before), "{}", before.id);
        assert!(contents(repository, &now).await == *files, "{}", before.id);
    }
}

/// Asserts that nothing is damaged, by reading everything. The dumps are not real dumps.
pub(super) async fn assert_whole(repository: &Repository) {
    assert_sound(repository).await;
    for id in ids(repository).await {
        let manifest = manifest(repository, &id).await;
        for object in manifest.objects() {
            let read = repository.examine(object, Task::default(), |plain| std::io::copy(plain, &mut std::io::sink()));
            assert_eq!(read.await.unwrap().damage(), None);
        }
    }
}

/// Prunes until the former volumes are gone, which takes their grace period.
pub(super) async fn prune_until_clear(repository: &Repository) {
    while pruned(repository, &two(), PruneOptions::default()).await.removed.young > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Returns all keys that a backup needs.
async fn needed(repository: &Repository) -> std::collections::BTreeSet<String> {
    let mut all = std::collections::BTreeSet::new();
    for id in ids(repository).await {
        let manifest = manifest(repository, &id).await;
        all.extend(crate::repository::layout::needed(&manifest).map(|key| key.to_string()));
    }
    all
}

/// Asserts that the repository contains only what a backup needs, and `repository.json`.
pub(super) async fn assert_clear(repository: &Repository) {
    let there = keys(repository).await.into_iter().filter(|key| key != "repository.json");
    assert_eq!(there.collect::<std::collections::BTreeSet<_>>(), needed(repository).await);
}

#[tokio::test]
async fn sparse_volume_is_repacked_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days_of_files(&repository, 5).await;
    age(folder.path());
    let first = &all[0].0.filestore.volumes[0];
    let before = keys(&repository).await;

    let planned = pruned(&repository, &two(), PruneOptions { dry_run: true, ..REPACK }).await.repacked.unwrap();
    assert_eq!(keys(&repository).await, before);
    let [volume] = &planned.volumes[..] else { panic!("{planned:?}") };
    assert_eq!((&volume.key, volume.by.as_ref()), (&first.object.key, None));
    assert_eq!((volume.files, volume.needed_files, volume.bytes), (40, 19, first.bytes));
    assert_eq!(volume.needed_bytes, (21..40).map(|number| file(number, 0).1.len() as u64).sum::<u64>());
    assert_eq!(volume.stored_bytes, first.object.stored.size + first.list.stored.size);

    let done = pruned(&repository, &two(), REPACK).await;
    let repacked = done.repacked.unwrap();
    assert_eq!((done.removed.backups.len(), &repacked.backups), (3, &ids(&repository).await));
    let [volume] = &repacked.volumes[..] else { panic!("{repacked:?}") };
    let by = volume.by.clone().unwrap();
    assert_eq!((repacked.damage.len(), repacked.unchanged.len(), repacked.left.as_ref()), (0, 0, None));
    let newest = manifest(&repository, &all[4].0.id).await;
    let [small, ..] = &newest.filestore.volumes[..] else { panic!() };
    assert_eq!((&small.object.key, small.files), (&by, 19));
    assert_eq!(volume.saves, volume.stored_bytes - small.object.stored.size - small.list.stored.size);
    assert!(volume.saves > volume.stored_bytes / 3, "{volume:?}");
    assert_as_before(&repository, &all).await;
    assert_whole(&repository).await;

    // Its date is old, but its grace period has just started.
    age(folder.path());
    let patient = instance("keep_last = 2\ndaily = 0\nweekly = 0\nmonthly = 0\nhold_if_shrunk = '100%'");
    let waiting = pruned(&repository, &patient, REPACK).await;
    assert_eq!((waiting.removed.objects, waiting.removed.young), (0, 2));
    assert_eq!(waiting.repacked.unwrap(), Repacked::default(), "once is enough");
    assert!(keys(&repository).await.contains(&first.object.key.to_string()));
    prune_until_clear(&repository).await;
    assert_clear(&repository).await;
    assert_as_before(&repository, &all).await;
    assert_whole(&repository).await;
}

#[tokio::test]
async fn repack_setting_and_threshold_apply() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days_of_files(&repository, 5).await;
    let with = |more: &str| {
        instance(&format!("keep_last = 2\ndaily = 0\nweekly = 0\nmonthly = 0\nhold_if_shrunk = '100%'\n{more}"))
    };
    assert_eq!(pruned(&repository, &with(""), PruneOptions::default()).await.repacked, None);
    // 19 of 40 files are needed.
    let little = pruned(&repository, &with("repack = true\nrepack_below = '30%'"), PruneOptions::default()).await;
    assert_eq!(little.repacked, Some(Repacked::default()));
    let done = pruned(&repository, &with("repack = true"), PruneOptions::default()).await.repacked.unwrap();
    assert_eq!((done.volumes.len(), done.backups.len()), (1, 2));
    assert_as_before(&repository, &all).await;
}

#[tokio::test]
async fn pinned_or_quarantined_needs_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days_of_files(&repository, 5).await;
    repository.pin(&all[0].0.backup(), None, &Run::default()).await.unwrap();
    let pinned = pruned(&repository, &two(), REPACK).await.repacked.unwrap();
    assert_eq!(pinned, Repacked::default(), "the first needs all of its volume");
    repository.unpin(&all[0].0.backup(), &Run::default()).await.unwrap();
    repository.quarantine(&all[0].0.backup()).await.unwrap();
    let listed = repository.listed(INSTANCE).await.unwrap();
    let aside: Quarantined = repository.quarantined(&listed).await.unwrap();
    assert!(aside.keeps(&all[0].0.filestore.volumes[0].object.key));
    assert_eq!(pruned(&repository, &two(), REPACK).await.repacked.unwrap(), Repacked::default());
    assert_as_before(&repository, &all).await;
}

#[tokio::test]
async fn reader_keeps_former_volume() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days_of_files(&repository, 5).await;
    age(folder.path());
    let (before, files) = &all[4];
    let lock = repository.lock_to_read(&before.backup(), &Run::default()).await.unwrap().unwrap();
    pruned(&repository, &two(), REPACK).await;
    // The reader still uses the former volume, which stays beyond its grace period while it is
    // read.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    pruned(&repository, &two(), PruneOptions::default()).await;
    assert!(contents(&repository, before).await == *files);
    // The reader then stores a proof of the backup.
    let proof =
        repository.prepare_proof(before, ProofOccasion::Drill, ProofOutcome::Passed, Depth::Quick).await.unwrap();
    repository.store_proof(&proof).await.unwrap();
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
    prune_until_clear(&repository).await;
    assert!(!keys(&repository).await.contains(&before.filestore.volumes[0].object.key.to_string()));
    assert_as_before(&repository, &all).await;
}

#[tokio::test]
async fn damaged_volume_is_reported_and_kept() {
    for name in ["filestore-0001.tar.zst", "filestore-0001.files.zst"] {
        let folder = tempfile::tempdir().unwrap();
        let repository = at(folder.path()).await;
        let all = days_of_files(&repository, 5).await;
        let path = folder.path().join(all[0].0.backup().folder().as_str()).join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        pruned(&repository, &two(), PruneOptions::default()).await;
        let before = keys(&repository).await;
        let repacked = pruned(&repository, &two(), REPACK).await.repacked.unwrap();
        let [damage] = &repacked.damage[..] else { panic!("{repacked:?}") };
        assert!(damage.key.as_str().ends_with(name), "{damage:?}");
        assert_eq!(repacked.backups.len(), 0);
        assert!(keys(&repository).await.iter().all(|key| before.contains(key)), "nothing was left");
    }
}

#[tokio::test]
async fn unknown_manifest_fields_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days_of_files(&repository, 5).await;
    let change = |id: &BackupId, from: &str, to: &str| {
        let folder = folder.path().join(BackupRef::new(INSTANCE, id.clone()).folder().as_str());
        let former = fs::read_to_string(folder.join(MANIFEST)).unwrap();
        let next = former.replacen(from, to, 1);
        assert_ne!(former, next);
        let digest = |text: &str| crate::stream::Digest::of(text.as_bytes()).to_string();
        let sums = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
        fs::write(folder.join("SHA256SUMS"), sums.replace(&digest(&former), &digest(&next))).unwrap();
        fs::write(folder.join(MANIFEST), next).unwrap();
    };
    change(&all[3].0.id, "{\n  \"format\"", "{\n  \"later\": {\"a\": [1]},\n  \"format\"");
    change(&all[4].0.id, "\"volumes\": [\n      {\n", "\"volumes\": [\n      {\n        \"shape\": \"round\",\n");
    let done = pruned(&repository, &two(), REPACK).await.repacked.unwrap();
    assert_eq!((&done.backups, &done.unchanged), (&vec![all[3].0.id.clone()], &vec![all[4].0.id.clone()]));
    assert_eq!(done.volumes[0].saves, 0, "the former volume stays");
    let text = fs::read_to_string(folder.path().join(all[3].0.backup().folder().as_str()).join(MANIFEST)).unwrap();
    assert!(text.contains("\"later\": {\"a\": [1]},\n") && text.contains("\"replaces\""), "{text}");
    assert_as_before(&repository, &all).await;
    assert_whole(&repository).await;
    let before = keys(&repository).await;
    assert_eq!(pruned(&repository, &two(), REPACK).await.repacked.unwrap().unchanged.len(), 1);
    assert!(keys(&repository).await.iter().all(|key| before.contains(key)), "it is not written again");
}

#[tokio::test]
async fn late_backup_of_former_volume_survives() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let mut all = days_of_files(&repository, 5).await;
    let stale = all[4].0.clone();
    pruned(&repository, &two(), REPACK).await;
    // This is as if the backup had lost its lock while it slept: it references the volumes of the
    // former latest backup.
    let late = store_files(&repository, Timestamp::now(), Some(&stale), &files(5)).await.unwrap();
    all.push((late, files(5)));
    age(folder.path());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_as_before(&repository, &all).await;
    let number = keys(&repository).await.len();
    let followed = pruned(&repository, &two(), REPACK).await;
    assert_eq!(followed.repacked.unwrap().backups, [all[5].0.id.clone()]);
    assert!(keys(&repository).await.len() < number, "no volume was written for it");
    assert_as_before(&repository, &all).await;
    assert_whole(&repository).await;
    prune_until_clear(&repository).await;
    assert_clear(&repository).await;
    assert_as_before(&repository, &all).await;
}
