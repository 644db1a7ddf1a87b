mod at_once;
mod forecast;
pub(crate) mod killed;
mod listing;
mod repack;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ::retention::Zone;
use futures::TryStreamExt;
use jiff::{SignedDuration, ToSpan};

use super::*;
use crate::check::{CheckOptions, check};
use crate::instance::Retention;
use crate::manifest::{CHECKSUMS, FilestoreContent, MANIFEST, Manifest, StoredObject, Volume, made_up};
use crate::postgres::{Database, Tools};
use crate::progress::Task;
use crate::repository::{ProofOccasion, ProofOutcome, member};
use crate::store::{Key, LocalStore, Mode};
use crate::stream::{Level, body_of, encode};
use crate::verify::Depth;

pub(crate) const INSTANCE: &str = "production";
const DRY: PruneOptions = PruneOptions { dry_run: true, accept_shrunk: false, repack: false };

/// Returns an instance with this retention, written as in a configuration.
fn instance(retention: &str) -> Instance {
    let mut instance = Instance::new(INSTANCE, Database::named("x"), "/f".into());
    let Retention { policy, grace_period, repack, repack_limit } = &mut instance.retention;
    policy.timezone = Some(Zone::utc());
    for line in retention.lines().filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once(" = ").unwrap();
        let value = value.trim_matches('\'');
        match key {
            "keep_last" => policy.keep_last = value.parse().unwrap(),
            "daily" => policy.daily = value.parse().unwrap(),
            "weekly" => policy.weekly = value.parse().unwrap(),
            "monthly" => policy.monthly = value.parse().unwrap(),
            "stop_if_stale" => policy.stop_if_stale = Some(value.parse().unwrap()),
            "hold_if_shrunk" => policy.hold_if_shrunk = value.parse().unwrap(),
            "grace" => *grace_period = Some(value.parse().unwrap()),
            "repack" => *repack = value.parse().unwrap(),
            "repack_below" => *repack_limit = Some(value.parse().unwrap()),
            other => panic!("the tests set no {other}"),
        }
    }
    instance
}

/// Returns an instance that keeps the newest ten.
pub(crate) fn few() -> Instance {
    instance("keep_last = 10")
}

/// Returns an instance that keeps the newest three.
fn three() -> Instance {
    instance("keep_last = 3\ndaily = 0\nweekly = 0\nmonthly = 0")
}

pub(crate) async fn at(folder: &Path) -> Repository {
    let store = Arc::new(LocalStore::open(folder.to_owned(), false).await.unwrap());
    match Repository::open(store.clone()).await {
        Ok(repository) => repository,
        Err(_) => Repository::init(store, Timestamp::now()).await.unwrap(),
    }
}

/// The properties of a made-up backup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) bytes: u64,
    pub(crate) warned: bool,
}

pub(crate) const USUAL: Shape = Shape { bytes: 1000, warned: false };

/// Returns a backup with its own dump and volume, which also references the last two volumes of
/// `previous`.
pub(crate) async fn store_backup(
    repository: &Repository,
    created_at: Timestamp,
    previous: Option<&Manifest>,
    shape: Shape,
) -> Result<Manifest, Error> {
    let draft = repository.begin(INSTANCE, created_at);
    let add = async |name: &str| -> Result<StoredObject, Error> {
        let content = encode(body_of(vec![7; 1000]), Level::default(), 0, Task::default());
        Ok(draft.add(name, content).await?.0)
    };
    let mut object = add("database.dump.zst").await?;
    object.plain.size = shape.bytes;
    let own = Volume {
        files: 0,
        bytes: 0,
        object: add("filestore-0001.tar.zst").await?,
        list: add("filestore-0001.files.zst").await?,
        replaces: None,
    };
    let earlier = previous.map(|manifest| manifest.filestore.volumes.as_slice()).unwrap_or_default();
    let volumes = earlier[earlier.len().saturating_sub(2)..].iter().cloned().chain([own]).collect();
    let manifest = Manifest {
        created_at,
        filestore: FilestoreContent { volumes, ..FilestoreContent::default() },
        warnings: if shape.warned { vec!["a file is missing".into()] } else { Vec::new() },
        ..made_up::manifest(INSTANCE, draft.id(), object)
    };
    draft.commit(&manifest).await?;
    Ok(manifest)
}

/// Returns a backup for each of the last days, the oldest first, each referencing earlier ones.
pub(crate) async fn days(repository: &Repository, shapes: &[Shape]) -> Vec<Manifest> {
    let now = Timestamp::now();
    let mut all: Vec<Manifest> = Vec::new();
    for (i, shape) in shapes.iter().enumerate() {
        let ago = i64::try_from(shapes.len() - 1 - i).unwrap() * 24;
        let created_at = now.checked_sub((ago + 1).hours()).unwrap();
        all.push(store_backup(repository, created_at, all.last(), *shape).await.unwrap());
    }
    all
}

/// Makes all files in the folder two days old.
pub(crate) fn age(folder: &Path) {
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => age(&entry),
            false => File::options().write(true).open(entry).unwrap().set_modified(long_ago).unwrap(),
        }
    }
}

pub(crate) async fn keys(repository: &Repository) -> Vec<String> {
    repository.store().list(None).map_ok(|object| object.key.to_string()).try_collect().await.unwrap()
}

pub(crate) async fn ids(repository: &Repository) -> Vec<BackupId> {
    repository.names(Some(INSTANCE)).await.unwrap().into_iter().map(|backup| backup.id).collect()
}

/// Asserts that every existing backup has everything it needs.
pub(crate) async fn assert_sound(repository: &Repository) {
    let names = repository.names(None).await.unwrap();
    let options = CheckOptions { read_data: None, tools: Tools::new(None) };
    for checked in check(repository, &names, &options, &Run::default()).await.unwrap().backups {
        assert_eq!(checked.damage, [], "{}", checked.backup);
    }
}

async fn pruned(repository: &Repository, instance: &Instance, options: PruneOptions) -> Pruned {
    prune(repository, instance, options, &Run::default()).await.unwrap()
}

#[tokio::test]
async fn prune_keeps_shared_objects() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 6]).await;
    let before = keys(&repository).await;
    let planned = pruned(&repository, &three(), DRY).await;
    assert_eq!(planned.plan.removals().count(), 3);
    assert_eq!(keys(&repository).await, before, "a dry run changes nothing, and leaves no lock");

    let young = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert_eq!((young.backups.len(), young.objects), (3, 3), "the checksums go with the manifests");
    assert_eq!(ids(&repository).await, all[3..].iter().map(|manifest| manifest.id.clone()).collect::<Vec<_>>());
    assert_sound(&repository).await;

    age(folder.path());
    let second = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert_eq!((second.backups.len(), second.objects, second.young), (0, young.young, 0));
    assert_eq!(second.bytes + young.bytes, planned.frees.values().sum::<u64>() - manifest_bytes(&all[..3]));
    assert_sound(&repository).await;
    // The oldest kept backup references volumes of the two before it, which are otherwise gone.
    let left: Vec<_> = keys(&repository).await.into_iter().filter(|key| key.contains(all[1].id.as_str())).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!keys(&repository).await.iter().any(|key| key.contains(all[0].id.as_str())));
    let third = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert_eq!(third, Removed::default());
}

/// Returns the bytes of the manifests. A removal frees them, but not as unreferenced objects.
fn manifest_bytes(gone: &[Manifest]) -> u64 {
    gone.iter().map(|manifest| manifest.to_bytes().unwrap().len() as u64).sum()
}

#[tokio::test]
async fn rules_pins_and_warnings_keep_backups() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let warned = Shape { warned: true, ..USUAL };
    let all = days(&repository, &[USUAL, USUAL, USUAL, warned, warned, warned]).await;
    repository.pin(&all[0].backup(), Some("before the upgrade".into()), &Run::default()).await.unwrap();
    let one = instance("keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0");
    let kept: Vec<String> = pruned(&repository, &one, DRY)
        .await
        .plan
        .kept()
        .map(|decision| match &decision.verdict {
            Verdict::Keep { reasons } => reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Verdict::Remove => unreachable!(),
        })
        .collect();
    assert_eq!(kept, ["newest, last", "last among those without warnings", "pinned"]);
    pruned(&repository, &one, PruneOptions::default()).await;
    assert_eq!(ids(&repository).await, [&all[0], &all[2], &all[5]].map(|manifest| manifest.id.clone()));
    assert_eq!(repository.pins(INSTANCE).await.unwrap()[&all[0].id].note.as_deref(), Some("before the upgrade"));
    let listing = repository.list(None).await.unwrap();
    assert!(listing.pinned.contains(&all[0].backup()));
    assert!(repository.unpin(&all[0].backup(), &Run::default()).await.unwrap());
    assert!(!repository.unpin(&all[0].backup(), &Run::default()).await.unwrap());
    assert_eq!(pruned(&repository, &one, PruneOptions::default()).await.removed.backups, [all[0].id.clone()]);
    assert_sound(&repository).await;
    let gone = repository.pin(&all[0].backup(), None, &Run::default()).await.unwrap_err();
    assert!(matches!(gone, RepositoryError::NoSuchBackup { .. }), "{gone}");
}

#[tokio::test]
async fn newest_proven_backup_stays() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 6]).await;
    let seen = async |of: &Manifest, outcome| {
        let proof = repository.prepare_proof(of, ProofOccasion::Drill, outcome, Depth::Quick).await.unwrap();
        repository.store_proof(&proof).await.unwrap();
    };
    for of in &all[..3] {
        seen(of, ProofOutcome::Passed).await;
    }
    // Another copy of the same backup failed verification.
    seen(&all[2], ProofOutcome::Failed).await;
    age(folder.path());
    let one = instance("keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0");
    pruned(&repository, &one, PruneOptions::default()).await;
    assert_eq!(ids(&repository).await, [&all[1], &all[5]].map(|manifest| manifest.id.clone()));
    let proofs = repository.proofs(INSTANCE).await.unwrap();
    assert_eq!(proofs.keys().collect::<Vec<_>>(), [&all[1].id]);
    seen(&all[5], ProofOutcome::Passed).await;
    pruned(&repository, &one, PruneOptions::default()).await;
    assert_eq!(ids(&repository).await, [all[5].id.clone()]);
    assert_sound(&repository).await;
}

#[tokio::test]
async fn shrunken_figures_hold_until_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let small = Shape { bytes: 500, ..USUAL };
    days(&repository, &[USUAL, USUAL, USUAL, USUAL, small, small]).await;
    let held = pruned(&repository, &three(), PruneOptions::default()).await;
    assert!(matches!(held.plan.holds[..], [Hold::Shrunk { was: 1000, is: 500, .. }]), "{:?}", held.plan.holds);
    assert_eq!((held.removed, ids(&repository).await.len()), (Removed::default(), 6));
    let accept = PruneOptions { accept_shrunk: true, ..PruneOptions::default() };
    let dry = pruned(&repository, &three(), PruneOptions { dry_run: true, ..accept }).await;
    assert_eq!((dry.plan.removals().count(), repository.accepted(INSTANCE).await.unwrap()), (3, None));
    assert_eq!(pruned(&repository, &three(), accept).await.removed.backups.len(), 3);
    assert!(repository.accepted(INSTANCE).await.unwrap().is_some());
    let later = pruned(&repository, &three(), accept).await;
    assert_eq!((later.plan.holds.len(), later.accepted), (0, None), "settled for good");
}

#[tokio::test]
async fn stalled_schedule_removes_no_history() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    days(&repository, &[USUAL; 5]).await;
    let one = "keep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0";
    let strict = instance(&format!("{one}\nstop_if_stale = '30 minutes'"));
    let mut scheduled = instance(one);
    scheduled.interval = Some(SignedDuration::from_mins(10));
    for held in [&strict, &scheduled] {
        let held = pruned(&repository, held, PruneOptions::default()).await;
        assert!(matches!(held.plan.holds[..], [Hold::Stale { .. }]));
        assert_eq!(ids(&repository).await.len(), 5);
    }
    // Less than three times the longest interval of its schedule has passed.
    scheduled.interval = Some(SignedDuration::from_hours(1));
    assert_eq!(pruned(&repository, &scheduled, PruneOptions::default()).await.removed.backups.len(), 4);
}

#[tokio::test]
async fn unreadable_manifest_stops_removal() {
    let damage: [fn(&Path); 3] = [
        |folder| fs::write(folder.join(MANIFEST), "{\"format\": 1}").unwrap(),
        |folder| fs::write(folder.join(MANIFEST), "{\"format\": 99}").unwrap(),
        |folder| fs::remove_file(folder.join("SHA256SUMS")).unwrap(),
    ];
    for damage in damage {
        let folder = tempfile::tempdir().unwrap();
        let repository = at(folder.path()).await;
        let all = days(&repository, &[USUAL; 6]).await;
        damage(&folder.path().join(all[1].backup().folder().as_str()));
        age(folder.path());
        let before = keys(&repository).await;
        let done = pruned(&repository, &three(), PruneOptions::default()).await;
        assert_eq!((done.damaged.len(), &done.removed), (1, &Removed::default()));
        // Other backups may be forgotten, but their objects may also belong to the unreadable one.
        let grace = Duration::from_hours(24);
        let forgotten = forget(&repository, &all[0].backup(), false, grace, &Run::default()).await.unwrap();
        assert!(forgotten.objects_left.unwrap().contains("cannot be read"));
        assert_eq!(keys(&repository).await.len(), before.len() - 2, "the manifest and its checksums");
        forget(&repository, &all[1].backup(), false, grace, &Run::default()).await.unwrap();
        assert_eq!(pruned(&repository, &three(), PruneOptions::default()).await.removed.backups.len(), 1);
        assert_sound(&repository).await;
    }
}

#[tokio::test]
async fn backup_being_read_stays() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 6]).await;
    age(folder.path());
    let run = Run::default();
    let lock = repository.lock_to_read(&all[1].backup(), &run).await.unwrap().unwrap();
    let done = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert_eq!((done.backups.len(), &done.in_use), (2, &vec![all[1].id.clone()]));
    assert_sound(&repository).await;
    // What the reader's backup needs is unknown, because it was removed before this run started.
    for name in [MANIFEST, CHECKSUMS] {
        repository.store().delete(&all[1].backup().object(name)).await.unwrap();
    }
    let done = pruned(&repository, &three(), PruneOptions::default()).await.removed;
    assert!(done.objects_left.is_some() && done.objects == 0, "{done:?}");
    lock.finish(Ok::<_, RepositoryError>(())).await.unwrap();
    assert!(pruned(&repository, &three(), PruneOptions::default()).await.removed.objects > 0);
    assert_sound(&repository).await;
}

#[tokio::test]
async fn quarantined_backup_keeps_its_objects() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 6]).await;
    repository.quarantine(&all[2].backup()).await.unwrap();
    age(folder.path());
    assert_eq!(pruned(&repository, &three(), PruneOptions::default()).await.removed.backups.len(), 2);
    let left = keys(&repository).await;
    assert!(all[2].objects().all(|object| left.contains(&object.key.to_string())), "{left:?}");
    let folder_of_it = all[2].backup().folder();
    let (aside, manifest) = (member(&folder_of_it, "set-aside.json"), member(&folder_of_it, MANIFEST));
    let bytes = crate::store::read_document(&**repository.store(), &aside).await.unwrap();
    repository.store().put(&manifest, body_of(bytes), Mode::CreateNew).await.unwrap();
    repository.store().delete(&aside).await.unwrap();
    assert_sound(&repository).await;
    assert!(ids(&repository).await.contains(&all[2].id), "it is one again");
    repository.quarantine(&all[2].backup()).await.unwrap();
    for key in [aside, member(&folder_of_it, CHECKSUMS)] {
        repository.store().delete(&key).await.unwrap();
    }
    assert!(pruned(&repository, &three(), PruneOptions::default()).await.removed.objects > 0);
    assert!(!keys(&repository).await.iter().any(|key| key.ends_with(&format!("{}/database.dump.zst", all[2].id))));
    assert_sound(&repository).await;
}

#[tokio::test]
async fn quarantined_backup_can_be_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    repository.quarantine(&all[1].backup()).await.unwrap();
    age(folder.path());
    let (run, id) = (Run::default(), &all[1].id);
    repository.pin(&all[0].backup(), None, &run).await.unwrap();
    let name = format!("{INSTANCE}/{id}");
    assert!(repository.resolve(&name, None).await.is_err());
    assert_eq!(repository.resolve_with_set_aside(&name, None).await.unwrap().id, *id);
    assert_eq!(repository.list(None).await.unwrap().set_aside, [all[1].backup()]);
    let removed = forget(&repository, &all[1].backup(), false, Duration::from_hours(24), &run).await.unwrap();
    assert_eq!(
        (removed.backups, removed.objects),
        (vec![id.clone()], 2),
        "the dump and the checksums: the volume is shared"
    );
    assert_eq!(repository.list(None).await.unwrap().set_aside, []);
    assert_eq!(ids(&repository).await, [&all[0], &all[2], &all[3]].map(|manifest| manifest.id.clone()));
    assert_sound(&repository).await;
}

#[tokio::test]
async fn foreign_objects_stay_leftovers_go() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 4]).await;
    let strange = ["production/notes/why.txt", "production/20261101T000000Z-0000/README.txt", "other/readme.zst"];
    let crashed =
        ["database.dump.zst", "filestore-0001.tar.zst"].map(|name| format!("production/20261101T000000Z-0000/{name}"));
    let own_but_unnamed = format!("{}/filestore-0009.tar.zst", all[3].backup().folder());
    let crashed = crashed.iter().map(String::as_str);
    for key in strange.iter().copied().chain(crashed).chain([own_but_unnamed.as_str()]) {
        repository.store().put(&Key::new(key).unwrap(), body_of("x"), Mode::CreateNew).await.unwrap();
    }
    let before = keys(&repository).await.len();
    let few = few();
    assert_eq!(pruned(&repository, &few, PruneOptions::default()).await.removed.young, 3);
    age(folder.path());
    assert_eq!(pruned(&repository, &few, PruneOptions::default()).await.removed.objects, 3);
    let left = keys(&repository).await;
    assert!(strange.iter().all(|key| left.contains(&(*key).to_owned())) && left.len() == before - 3, "{left:?}");
}

#[tokio::test]
async fn forget_protects_pinned_and_only_backup() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    let all = days(&repository, &[USUAL; 2]).await;
    let run = Run::default();
    let forget = async |manifest: &Manifest, spelt_out| {
        forget(&repository, &manifest.backup(), spelt_out, Duration::ZERO, &run).await
    };
    repository.pin(&all[0].backup(), None, &run).await.unwrap();
    let refused = forget(&all[0], true).await.unwrap_err();
    assert!(format!("{:?}", crate::error::explain(&refused)).contains("unpin production/"), "{refused}");
    repository.unpin(&all[0].backup(), &run).await.unwrap();
    assert_eq!(forget(&all[0], false).await.unwrap().objects, 2, "the dump and the checksums: the volume is shared");
    assert_sound(&repository).await;
    let refused = forget(&all[1], false).await.unwrap_err();
    assert!(format!("{:?}", crate::error::explain(&refused)).contains("whole id"), "{refused}");
    assert!(forget(&all[1], true).await.unwrap().objects > 0);
    assert_eq!(keys(&repository).await, ["repository.json"]);
}

#[tokio::test]
async fn sweep_spares_running_backup() {
    let folder = tempfile::tempdir().unwrap();
    let repository = at(folder.path()).await;
    days(&repository, &[USUAL]).await;
    let temporary = folder.path().join("production/.tmp-0123456789abcdef");
    fs::write(&temporary, "half").unwrap();
    let day = Duration::from_hours(24);
    assert_eq!(sweep(&repository, day).await.unwrap().len(), 0, "it is young");
    age(folder.path());
    let backup = repository.lock(INSTANCE, Purpose::Backup, &Run::default()).await.unwrap();
    assert_eq!(sweep(&repository, day).await.unwrap().len(), 0, "a backup may be writing it");
    backup.finish(Ok::<_, RepositoryError>(())).await.unwrap();
    assert_eq!(sweep(&repository, day).await.unwrap().len(), 1);
    assert!(!temporary.exists());
    assert_sound(&repository).await;
}
