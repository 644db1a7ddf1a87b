use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::check::{CheckOptions, Sample, check_all};
use crate::manifest::{StoredObject, made_up};
use crate::postgres::Tools;
use crate::progress::Task;
use crate::prune::{PruneOptions, prune};
use crate::repository::{BackupId, Listing, Repository};
use crate::run::Run;
use crate::store::faulty::FaultyStore;
use crate::store::{Action, Key, LocalStore};
use crate::stream::{Level, body_of, encode};
use jiff::Timestamp;

/// A repository whose reads are counted, and a folder for its cache.
struct Fixture {
    repository: Repository,
    reads: Arc<AtomicUsize>,
    store: tempfile::TempDir,
    cache: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let (store, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let inner = LocalStore::open(store.path().to_owned(), false).await.unwrap();
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = reads.clone();
        let fault = move |action, _: &Key| {
            counted.fetch_add(usize::from(action == Action::Get), Ordering::Relaxed);
            None
        };
        let store_with_count = Arc::new(FaultyStore { inner, fault });
        let repository = Repository::init(store_with_count, Timestamp::now()).await.unwrap();
        let repository = repository.with_cache(Some(&cache.path().join("deep/er")));
        Self { repository, reads, store, cache }
    }

    /// Stores a backup. Its dump represents any object that is read repeatedly.
    async fn backup(&self, instance: &str) -> (BackupId, StoredObject) {
        let draft = self.repository.begin(instance, Timestamp::now());
        let content = encode(body_of("a volume's list"), Level::default(), 0, Task::default());
        let object = draft.add("database.dump.zst", content).await.unwrap().0;
        draft.commit(&made_up::manifest(instance, draft.id(), object.clone())).await.unwrap();
        (draft.id().clone(), object)
    }

    /// Returns the names in the listing, and how many objects were read for it.
    async fn list(&self) -> (Vec<String>, usize) {
        let before = self.reads();
        let Listing { backups, damaged, .. } = self.repository.list(None).await.unwrap();
        assert!(damaged.is_empty(), "{damaged:?}");
        (backups.iter().map(|backup| backup.id.to_string()).collect(), self.reads() - before)
    }

    async fn read(&self, object: &StoredObject) -> (String, usize) {
        let before = self.reads();
        let read = self.repository.read_cached(object, |mut bytes| {
            let mut text = String::new();
            bytes.read_to_string(&mut text).map(|_| text)
        });
        (read.await.unwrap(), self.reads() - before)
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Returns the repository's part of the cache.
    fn folder(&self) -> PathBuf {
        self.cache.path().join("deep/er").join(&self.repository.description().id)
    }

    /// Returns the entries, by name.
    fn entries(&self) -> Vec<PathBuf> {
        let mut entries: Vec<_> = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    }
}

#[tokio::test]
async fn cached_manifest_is_not_read_again() {
    let fixture = Fixture::new().await;
    let mut expected = Vec::new();
    for instance in ["production", "shop", "production"] {
        expected.push(fixture.backup(instance).await.0.to_string());
    }
    assert_eq!(fixture.list().await, (expected.clone(), 3));
    assert_eq!(fixture.list().await, (expected.clone(), 0));
    let (fourth, object) = fixture.backup("production").await;
    expected.push(fourth.to_string());
    assert_eq!(fixture.list().await, (expected.clone(), 1));

    assert_eq!(fixture.read(&object).await, ("a volume's list".to_owned(), 1));
    assert_eq!(fixture.read(&object).await, ("a volume's list".to_owned(), 0));

    let manifests = fixture.folder().join("production.manifests");
    let kept = || CachedManifests::unpack(&fs::read(&manifests).unwrap()).unwrap().len();
    assert_eq!(kept(), 3);
    fs::remove_dir_all(fixture.store.path().join("production").join(&expected[0])).unwrap();
    assert_eq!(fixture.list().await, (expected[1..].to_vec(), 0));
    assert_eq!(kept(), 2);
}

#[tokio::test]
async fn replaced_manifest_is_read_again() {
    let fixture = Fixture::new().await;
    let (id, _) = fixture.backup("production").await;
    fixture.list().await;
    let path = fixture.store.path().join("production").join(id.as_str()).join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\": \"0\"", "\"version\": \"1\"")).unwrap();
    let listing = fixture.repository.list(None).await.unwrap();
    assert_eq!(listing.backups[0].server.version, "1");
    fs::write(&path, "{}").unwrap();
    assert_eq!(fixture.repository.list(None).await.unwrap().damaged.len(), 1);
}

#[tokio::test]
async fn cache_never_hides_missing_manifest() {
    let fixture = Fixture::new().await;
    let (id, _) = fixture.backup("production").await;
    fixture.list().await;
    let path = fixture.store.path().join("production").join(id.as_str()).join("manifest.json");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"version\": \"0\"", "\"version\": \"1\"")).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    // A bit that flips on a disk changes neither size nor time.
    assert_eq!(fixture.list().await.1, 0);
    let error =
        fixture.repository.verified_manifest(&crate::repository::BackupRef::new("production", id)).await.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
}

#[tokio::test]
async fn check_reads_only_changed_manifests() {
    let fixture = Fixture::new().await;
    let first = fixture.backup("production").await.0;
    fixture.list().await;
    fixture.backup("production").await;
    let check = async |read_data| {
        let options = CheckOptions { read_data, tools: Tools::new(None) };
        let before = fixture.reads();
        let report = check_all(&fixture.repository, None, &options, &Run::default()).await.unwrap();
        assert_eq!(report.backups.len(), 2);
        (report.damaged_objects(), fixture.reads() - before)
    };
    assert_eq!(check(None).await, (vec![], 3), "the first manifest is cached");
    assert_eq!(check(None).await, (vec![], 0));
    assert_eq!(fixture.list().await.1, 0);
    assert_eq!(check(None).await, (vec![], 0), "a listing keeps the cache");
    let plan = crate::prune::tests::few();
    let before = fixture.reads();
    let options = PruneOptions { dry_run: true, ..PruneOptions::default() };
    prune(&fixture.repository, &plan, options, &Run::default()).await.unwrap();
    assert_eq!(fixture.reads() - before, 1, "it reads whether figures were accepted");

    // Replaced checksums are read. If they disagree with the manifest, both are read twice: they
    // may just be changing.
    let sums = fixture.store.path().join("production").join(first.as_str()).join("SHA256SUMS");
    let sound = fs::read(&sums).unwrap();
    fs::write(&sums, "").unwrap();
    let (damaged, reads) = check(None).await;
    assert_eq!((damaged.len(), damaged[0].key.name(), reads), (1, "SHA256SUMS", 6), "and the known damage");
    fs::write(&sums, &sound).unwrap();
    assert_eq!(check(None).await.0, []);

    // A bit that flips on a disk changes neither size nor time. `check --read-data` finds it, and
    // prune does not trust the cache.
    let manifest = sums.with_file_name("manifest.json");
    let modified = fs::metadata(&manifest).unwrap().modified().unwrap();
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"version\": \"0\"", "\"version\": \"1\"")).unwrap();
    File::options().write(true).open(&manifest).unwrap().set_modified(modified).unwrap();
    assert_eq!(check(None).await, (vec![], 0));
    assert_eq!(check(Some(Sample::DAMAGED_BEFORE)).await.0[0].key.name(), "manifest.json");
    let pruned = prune(&fixture.repository, &plan, PruneOptions::default(), &Run::default()).await.unwrap();
    assert_eq!(pruned.damaged.len(), 1);
}

#[tokio::test]
async fn damaged_cache_entry_is_replaced() {
    let fixture = Fixture::new().await;
    let (id, object) = fixture.backup("production").await;
    let (listed, read) = ((vec![id.to_string()], 1), ("a volume's list".to_owned(), 1));
    fixture.list().await;
    fixture.read(&object).await;
    let damages: [fn(&Path); 6] = [
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, vec![0; 1_000_000]).unwrap(),
        |path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        },
        |path| {
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
        |path| fs::remove_dir_all(path.parent().unwrap()).unwrap(),
    ];
    for damage in damages {
        let entries = fixture.entries();
        assert_eq!(entries.len(), 2, "{entries:?}");
        entries.iter().filter(|path| path.exists()).for_each(|path| damage(path));
        assert_eq!((fixture.list().await, fixture.read(&object).await), (listed.clone(), read.clone()));
        assert_eq!((fixture.list().await.1, fixture.read(&object).await.1), (0, 0), "it was repaired");
    }
}

#[tokio::test]
async fn unwritable_folder_disables_cache() {
    let fixture = Fixture::new().await;
    let (id, object) = fixture.backup("production").await;
    fs::write(fixture.cache.path().join("deep"), "a file where a folder should be").unwrap();
    for _ in 0..2 {
        assert_eq!(fixture.list().await, (vec![id.to_string()], 1));
        assert_eq!(fixture.read(&object).await.1, 1);
    }
}

#[tokio::test]
async fn damaged_object_is_not_cached() {
    let fixture = Fixture::new().await;
    let (_, object) = fixture.backup("production").await;
    let path = fixture.store.path().join(object.key.as_str());
    let sound = fs::read(&path).unwrap();
    fs::write(&path, vec![0; sound.len()]).unwrap();
    let read = fixture.repository.read_cached(&object, |mut bytes| io::copy(&mut bytes, &mut io::sink()));
    read.await.unwrap_err();
    fs::write(&path, sound).unwrap();
    assert_eq!(fixture.read(&object).await.0, "a volume's list");
}

#[tokio::test]
async fn cache_entries_are_private() {
    let fixture = Fixture::new().await;
    fixture.backup("production").await;
    fixture.list().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&fixture.folder()), mode(&fixture.entries()[0])), (0o700, 0o600));
}

#[tokio::test]
async fn cache_can_be_shared_by_processes() {
    let fixture = Arc::new(Fixture::new().await);
    let (_, object) = fixture.backup("production").await;
    for _ in 0..4 {
        fixture.backup("production").await;
    }
    let expected = fixture.list().await.0;
    let sharing = (0..8).map(|number| {
        let (fixture, object, expected) = (fixture.clone(), object.clone(), expected.clone());
        tokio::spawn(async move {
            for round in 0..20 {
                if (number + round) % 4 == 0 {
                    let _ = fs::remove_dir_all(fixture.folder());
                }
                assert_eq!(fixture.list().await.0, expected);
                assert_eq!(fixture.read(&object).await.0, "a volume's list");
            }
        })
    });
    futures::future::try_join_all(sharing).await.unwrap();
}

#[test]
fn unused_cache_entries_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let digest = Digest::of(b"");
    for name in [format!("{digest}.object"), "shop.manifests".into(), ".tmp-x".into(), "mine.txt".into()] {
        let path = folder.path().join(&name);
        let file = File::create(&path).unwrap();
        for (age, left) in [(UNUSED - SAME_USE, true), (UNUSED + SAME_USE, name == "mine.txt")] {
            file.set_modified(now - age).unwrap();
            remove_unused(folder.path(), now).unwrap();
            assert_eq!(path.exists(), left, "{name}");
        }
    }
    // Reading counts as use.
    let path = folder.path().join("shop.manifests");
    File::create(&path).unwrap().set_modified(now - 2 * SAME_USE).unwrap();
    read(&path, u64::MAX).unwrap();
    assert!(fs::metadata(&path).unwrap().modified().unwrap() >= now);
}

#[test]
fn invalid_repository_id_disables_cache() {
    for id in ["", "..", "../../../../../../../../etc/passwd", "/etc/ssl/0123456789abcdef012345"] {
        assert!(Cache::new(Path::new("/cache"), id).is_none(), "{id}");
    }
    assert!(Cache::new(Path::new("/cache"), "9a1c3f0d5b7e42681c0f9d3e7a5b2c48").is_some());
}
