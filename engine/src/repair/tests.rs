use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::TryStreamExt;
use harness::project::{INSTANCE, Project};
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::backup::{BackupOptions, backup};
use crate::check::check;
use crate::instance::made_up;
use crate::manifest::Manifest;
use crate::store::faulty::{Fault, FaultyStore};
use crate::store::{LocalStore, StoreErrorKind};
use crate::stream::Level;

/// Three backups, each with its own object of each kind.
struct Fixture {
    project: Project,
    pristine: TempDir,
    ids: Vec<BackupId>,
}

async fn open(folder: &Path) -> Repository {
    let store = LocalStore::open(folder.to_owned(), false).await.unwrap();
    Repository::open(Arc::new(store)).await.unwrap()
}

impl Fixture {
    /// Returns a fixture with a file of this many bytes in each backup.
    async fn with_files_of(size: u32) -> Self {
        let project = Project::start().await;
        let instance = made_up::instance(&project);
        let pristine = tempfile::tempdir().unwrap();
        let store = LocalStore::open(pristine.path().to_owned(), false).await.unwrap();
        let repository = Repository::init(Arc::new(store), Timestamp::now()).await.unwrap();
        let files = project.filestore();
        for number in 0..3 {
            project.write_settled(&format!("gone-{number}"), "gone");
        }
        let mut ids = Vec::new();
        for number in 0..3_u8 {
            let large: Vec<u8> = (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ number).collect();
            project.write_settled(&format!("large-{number}"), large);
            project.write_settled(&format!("small-{number}"), [number; 100]);
            fs::remove_file(files.join(format!("gone-{number}"))).unwrap();
            project.cluster().execute(INSTANCE, &format!("CREATE TABLE more_{number} AS SELECT {number} AS n"));
            project.cluster().execute(INSTANCE, "UPDATE ir_attachment SET name = name || '!'");
            // A recreated object must be compressed at the level of the original, whatever that
            // was.
            let level = Level::new(if ids.is_empty() { 7 } else { 1 }).unwrap();
            let options = BackupOptions { parallel_volumes: 1, level, ..BackupOptions::default() };
            ids.push(backup(&repository, &instance, options, &Run::default()).await.unwrap().id);
        }
        Self { project, pristine, ids }
    }

    /// Returns a copy to be damaged.
    async fn copy(&self) -> (TempDir, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(self.pristine.path().join(".")).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        let repository = open(folder.path()).await;
        (folder, repository)
    }

    fn path(&self, folder: &TempDir, backup: usize, name: &str) -> PathBuf {
        folder.path().join(self.backup(backup).folder().as_str()).join(name)
    }

    fn backup(&self, index: usize) -> BackupRef {
        BackupRef::new(INSTANCE, self.ids[index].clone())
    }

    async fn manifest(&self, index: usize) -> Manifest {
        open(self.pristine.path()).await.verified_manifest(&self.backup(index)).await.unwrap()
    }

    async fn repair(&self, repository: &Repository, dry_run: bool) -> Repaired {
        let filestore = self.project.filestore();
        repair(repository, INSTANCE, Some(&filestore), &options(dry_run), &Run::default()).await.unwrap()
    }
}

/// Returns what an object of the second backup is called in the third.
fn of_next(name: &str) -> String {
    name.replace("-0002", "-0003")
}

fn options(dry_run: bool) -> RepairOptions {
    RepairOptions { dry_run, read_data: None, tools: Tools::new(None), others: Vec::new() }
}

async fn checked(repository: &Repository, read_data: Option<Sample>) -> CheckReport {
    let names = repository.names(None).await.unwrap();
    let options = CheckOptions { read_data, tools: Tools::new(None) };
    check(repository, &names, &options, &Run::default()).await.unwrap()
}

async fn read_all(repository: &Repository) -> CheckReport {
    checked(repository, Some(Sample::ALL)).await
}

/// Checks all backups. Objects that were found damaged by reading are read again.
async fn look(repository: &Repository) -> CheckReport {
    checked(repository, Some(Sample::DAMAGED_BEFORE)).await
}

async fn keys(repository: &Repository) -> BTreeSet<String> {
    let listed = repository.store().list(None).map_ok(|object| object.key.to_string());
    // What checks recorded stays, or is removed with the damage.
    let is_noted = |key: &String| key.ends_with("check.json") || key.ends_with("damage.json");
    listed.try_filter(move |key| std::future::ready(!is_noted(key))).try_collect().await.unwrap()
}

/// Damages an object. Also gets another object of its kind.
type Damage = fn(&Path, &Path);

fn truncate(path: &Path, _: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

fn flip(path: &Path, _: &Path) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let (mut byte, middle) = ([0], file.metadata().unwrap().len() / 2);
    file.read_exact_at(&mut byte, middle).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], middle).unwrap();
}

fn delete(path: &Path, _: &Path) {
    fs::remove_file(path).unwrap();
}

fn swap(path: &Path, other: &Path) {
    let (one, two) = (fs::read(path).unwrap(), fs::read(other).unwrap());
    assert_ne!(one, two, "{}", path.display());
    fs::write(path, two).unwrap();
    fs::write(other, one).unwrap();
}

/// The expected end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Repaired,
    Quarantined,
    Left,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repair_handles_every_kind_of_damage() {
    let fixture = Fixture::with_files_of(10_000).await;
    let damages: [(&str, Damage); 4] =
        [("truncated", truncate), ("flipped", flip), ("deleted", delete), ("swapped", swap)];
    let kinds = [
        ("database-0002.zst", End::Quarantined),
        ("database-0002.index.zst", End::Quarantined),
        ("database.map.zst", End::Quarantined),
        ("tables.zst", End::Repaired),
        ("attachments.zst", End::Left),
        ("filestore-0001.tar.zst", End::Repaired),
        ("filestore-0001.files.zst", End::Repaired),
        ("filestore-removed.zst", End::Quarantined),
        ("SHA256SUMS", End::Repaired),
        ("manifest.json", End::Quarantined),
    ];
    for ((name, usually), (how, damage)) in kinds.into_iter().flat_map(|kind| damages.map(|damage| (kind, damage))) {
        let case = format!("{name} {how}");
        let (folder, repository) = fixture.copy().await;
        damage(&fixture.path(&folder, 1, name), &fixture.path(&folder, 2, &of_next(name)));
        let before = keys(&repository).await;
        let report = read_all(&repository).await;
        if (name, how) == ("manifest.json", "deleted") {
            assert!(report.is_sound() && !report.unnamed.is_empty(), "{case}: such a backup does not exist");
            continue;
        }
        // Of two documents that disagree, the manifest is reported.
        let swapped_sums = (name, how) == ("SHA256SUMS", "swapped");
        let named = if swapped_sums { "manifest.json" } else { name };
        let key = fixture.backup(1).object(named);
        let damaged = report.damaged_objects();
        let found = damaged.iter().find(|damaged| damaged.key == key);
        let found = found.unwrap_or_else(|| panic!("{case}: {damaged:?}"));
        let shared = fixture.manifest(2).await.objects().any(|object| object.key == key);
        let hit: Vec<_> = found.backups.iter().map(|backup| backup.id.clone()).collect();
        assert_eq!(hit, fixture.ids[1..if shared { 3 } else { 2 }], "{case}");

        let repaired = fixture.repair(&repository, false).await;
        let end = if swapped_sums { End::Quarantined } else { usually };
        let is_both = how == "swapped";
        let all = is_both || shared && end == End::Quarantined;
        let affected = &fixture.ids[1..if all { 3 } else { 2 }];
        let after = keys(&repository).await;
        // What was read before and not changed since is not read again.
        let report = if end == End::Repaired { read_all(&repository).await } else { look(&repository).await };
        let sound: Vec<_> =
            report.backups.iter().filter(|backup| backup.damage.is_empty()).map(|backup| &backup.backup.id).collect();
        match end {
            End::Repaired => {
                assert_eq!(repaired.mended.len(), 1 + usize::from(is_both), "{case}: {repaired:?}");
                assert_eq!((sound.len(), after.len()), (3, before.len() + usize::from(how == "deleted")), "{case}");
            }
            End::Quarantined => {
                assert_eq!(repaired.set_aside, affected, "{case}: {repaired:?}");
                assert!(report.is_sound() && sound.contains(&&fixture.ids[0]), "{case}");
                assert_eq!(
                    (sound.len(), after.len()),
                    (3 - affected.len(), before.len()),
                    "{case}: nothing is deleted"
                );
                assert_eq!((report.set_aside.len(), report.unnamed.len()), (affected.len(), 0), "{case}");
            }
            End::Left => {
                assert_eq!((&repaired.left[..], repaired.set_aside.len()), (affected, 0), "{case}: {repaired:?}");
                assert_eq!(sound.len(), 3 - affected.len(), "{case}");
            }
        }
        for key in &after {
            let is_document = ["set-aside.json", "manifest.json"].iter().any(|name| key.ends_with(name));
            assert!(is_document || before.contains(key) || how == "deleted", "{case}: {key}");
        }
    }
}

#[tokio::test]
async fn damaged_frame_needs_its_files_only() {
    // More than one frame.
    let fixture = Fixture::with_files_of(9 << 20).await;
    let (folder, repository) = fixture.copy().await;
    let volume = fixture.path(&folder, 1, "filestore-0001.tar.zst");
    let sound = fs::read(&volume).unwrap();
    flip(&volume, &volume);
    read_all(&repository).await;
    let (small, large) = (fixture.project.filestore().join("small-1"), fixture.project.filestore().join("large-1"));
    fs::remove_file(&small).unwrap();
    let dry = fixture.repair(&repository, true).await;
    assert_eq!((dry.mended.len(), dry.beyond.len()), (1, 0), "{dry:?}");
    assert_ne!(fs::read(&volume).unwrap(), sound, "a dry run stores nothing");
    let content = fs::read(&large).unwrap();
    fs::write(&large, content.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    let dry = fixture.repair(&repository, true).await;
    assert!(dry.beyond[0].why.contains("1 of its files are no longer"), "{dry:?}");
    assert_eq!(dry.set_aside, fixture.ids[1..], "it reports what it would do");
    assert_eq!(repository.names(None).await.unwrap().len(), 3);
    fs::write(&large, content).unwrap();
    assert_eq!(fixture.repair(&repository, false).await.mended.len(), 1);
    assert_eq!(fs::read(&volume).unwrap(), sound);
    assert!(read_all(&repository).await.is_sound());
}

#[tokio::test]
async fn killed_repair_is_finished_by_next() {
    let fixture = Fixture::with_files_of(10_000).await;
    let (damaged, repository) = fixture.copy().await;
    delete(&fixture.path(&damaged, 1, "filestore-0001.files.zst"), Path::new(""));
    delete(&fixture.path(&damaged, 0, "SHA256SUMS"), Path::new(""));
    delete(&fixture.path(&damaged, 2, "database-0003.zst"), Path::new(""));
    drop(repository);
    for requests in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(damaged.path().join(".")).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        let left = AtomicUsize::new(requests);
        let fault = move |_, _: &Key| {
            let alive = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            (!alive).then(|| Fault::Refused(StoreErrorKind::Unavailable("killed".into())))
        };
        let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
        let filestore = fixture.project.filestore();
        let survived = match Repository::open(Arc::new(FaultyStore { inner, fault })).await {
            Ok(mortal) => repair(&mortal, INSTANCE, Some(&filestore), &options(false), &Run::default()).await.is_ok(),
            Err(_) => false,
        };
        let repository = open(folder.path()).await;
        for claim in repository.claims(None).await.unwrap() {
            repository.remove_claim(&claim).await.unwrap();
        }
        for id in &fixture.ids {
            let there = async |name| {
                repository.store().head(&BackupRef::new(INSTANCE, id.clone()).object(name)).await.unwrap().is_some()
            };
            assert!(there("manifest.json").await || there("set-aside.json").await, "after {requests} requests");
        }
        fixture.repair(&repository, false).await;
        let ids: Vec<_> = repository.names(None).await.unwrap().into_iter().map(|backup| backup.id).collect();
        assert_eq!(ids, fixture.ids[..2], "after {requests} requests");
        assert!(look(&repository).await.is_sound());
        if survived {
            assert!(read_all(&repository).await.is_sound() && requests > 20);
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repair_takes_copies_from_other_repositories() {
    let fixture = Fixture::with_files_of(10_000).await;
    let names = [
        "database-0002.zst",
        "database-0002.index.zst",
        "database.map.zst",
        "attachments.zst",
        "filestore-removed.zst",
        "filestore-0001.tar.zst",
        "SHA256SUMS",
        "manifest.json",
    ];
    for (name, damage) in names.into_iter().flat_map(|name| [flip, swap].map(|damage| (name, damage))) {
        let (folder, repository) = fixture.copy().await;
        let (damaged, lacking) = (fixture.copy().await, fixture.copy().await);
        fs::remove_file(fixture.path(&lacking.0, 1, name)).unwrap();
        flip(&fixture.path(&damaged.0, 1, name), Path::new(""));
        damage(&fixture.path(&folder, 1, name), &fixture.path(&folder, 2, &of_next(name)));
        read_all(&repository).await;
        // There is no filestore, and any repository may have the object.
        let repaired = async |others: &[&Repository], dry_run| {
            let names = ["lacking", "damaged", "sound"].map(str::to_owned);
            let others = names.into_iter().zip(others.iter().map(|other| (*other).clone())).collect();
            let options = RepairOptions { others, ..options(dry_run) };
            repair(&repository, INSTANCE, None, &options, &Run::default()).await.unwrap()
        };
        let (sound, pristine) = fixture.copy().await;
        let dry = repaired(&[&lacking.1, &damaged.1, &pristine], true).await;
        assert!(!dry.mended.is_empty() && dry.beyond.is_empty(), "{name}: {dry:?}");
        assert!(!look(&repository).await.is_sound(), "{name}: a dry run stores nothing");
        let done = repaired(&[&lacking.1, &damaged.1, &pristine], false).await;
        let from_copy = done.mended.iter().any(|one| one.from == "the copy in sound");
        assert!(from_copy || name == "SHA256SUMS", "{name}: {done:?}");
        assert_eq!((done.beyond.len(), done.set_aside.len(), done.left.len()), (0, 0, 0), "{name}: {done:?}");
        assert!(look(&repository).await.is_sound(), "{name}");
        let (repaired, sound) = (fixture.path(&folder, 1, name), fixture.path(&sound, 1, name));
        assert_eq!(fs::read(repaired).unwrap(), fs::read(sound).unwrap());
    }
}

#[tokio::test]
async fn repair_without_copy_quarantines() {
    let fixture = Fixture::with_files_of(10_000).await;
    let (folder, repository) = fixture.copy().await;
    let (other, others) = fixture.copy().await;
    delete(&fixture.path(&folder, 1, "database.map.zst"), Path::new(""));
    flip(&fixture.path(&other, 1, "database.map.zst"), Path::new(""));
    // For the last backup, neither document shows that the copy is of it.
    // Half of it is no document, whatever the byte in its middle belongs to.
    truncate(&fixture.path(&folder, 2, "manifest.json"), Path::new(""));
    delete(&fixture.path(&folder, 2, "SHA256SUMS"), Path::new(""));
    let options = RepairOptions { others: vec![("other".into(), others)], ..options(false) };
    let done = repair(&repository, INSTANCE, None, &options, &Run::default()).await.unwrap();
    assert_eq!((done.mended.len(), &done.set_aside[..]), (0, &fixture.ids[1..]), "{done:?}");
}
