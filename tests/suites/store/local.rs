//! Tests what only a folder does: permissions, temporary files, a full disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engine::store::{LocalStore, Mode, Store, StoreConfig, StoreErrorKind};
use tempfile::TempDir;

use crate::body::{body, content, failing, fed};
use crate::cases::{key, keys, race};

const MIB: usize = 1024 * 1024;

pub(crate) async fn open() -> (Arc<dyn Store>, TempDir) {
    let folder = TempDir::new().unwrap();
    let config = StoreConfig::Local { path: folder.path().join("new/repository") };
    (engine::store::open(&config, true).await.unwrap(), folder)
}

/// Returns the relative names of all paths under `folder`.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn folders_are_0700_and_files_0600() {
    let (store, folder) = open().await;
    store.put(&key("production/x/object"), body("x"), Mode::Replace).await.unwrap();
    store.put(&key("production/x/other"), body("x"), Mode::CreateNew).await.unwrap();
    let mut seen = 0;
    for path in everything(folder.path()) {
        let metadata = path.metadata().unwrap();
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 6);
}

#[tokio::test]
async fn missing_folder_is_reported_not_created() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("not-mounted");
    let refused = LocalStore::open(root.clone(), false).await.unwrap_err();
    assert!(matches!(*refused.kind, StoreErrorKind::NoSuchPlace(_)), "{refused}");

    let store: Arc<dyn Store> = Arc::new(LocalStore::open(root.clone(), true).await.unwrap());
    fs::remove_dir(&root).unwrap();
    let put = store.put(&key("a/b"), body("x"), Mode::Replace).await.unwrap_err();
    let get = store.get(&key("a/b"), None).await.err().unwrap();
    let head = store.head(&key("a/b")).await.unwrap_err();
    let delete = store.delete(&key("a/b")).await.unwrap_err();
    for refused in [put, get, head, delete] {
        assert!(matches!(*refused.kind, StoreErrorKind::NoSuchPlace(_)), "{refused}");
    }
    assert!(!root.exists());
}

#[tokio::test]
async fn links_and_dotfiles_are_no_objects() {
    let (store, folder) = open().await;
    let root = folder.path().join("new/repository");
    store.put(&key("a/object"), body("x"), Mode::Replace).await.unwrap();
    fs::write(folder.path().join("outside"), "outside").unwrap();
    fs::write(root.join("a/.tmp-left"), "left").unwrap();
    fs::write(root.join(".hidden"), "hidden").unwrap();
    fs::write(root.join("not a key"), "foreign").unwrap();
    symlink(folder.path().join("outside"), root.join("a/link")).unwrap();
    symlink(&root, root.join("loop")).unwrap();
    assert_eq!(keys(&store, None).await, ["a/object"]);
    assert_eq!(store.head(&key("a/link")).await.unwrap(), None);
    let refused = store.get(&key("a/link"), None).await.err().unwrap();
    assert!(matches!(*refused.kind, StoreErrorKind::NotFound), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn delete_keeps_folder_of_running_put() {
    let (store, _folder) = open().await;
    let workers = (0..8).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..300 {
                let key = key(&format!("a/b/c/{worker}-{round}"));
                store.put(&key, body("x"), Mode::Replace).await.unwrap();
                store.delete(&key).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert!(keys(&store, None).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_large_creators_wins() {
    let (store, _folder) = open().await;
    assert_eq!(race(&store, 8, 8 * MIB).await.len(), 1);
}

#[tokio::test]
async fn delete_removes_emptied_folders() {
    let (store, folder) = open().await;
    let root = folder.path().join("new/repository");
    for name in ["production/x/1", "production/x/2", "production/y/1"] {
        store.put(&key(name), body("x"), Mode::Replace).await.unwrap();
    }
    store.delete(&key("production/x/1")).await.unwrap();
    assert!(root.join("production/x").exists());
    store.delete(&key("production/x/2")).await.unwrap();
    assert!(!root.join("production/x").exists() && root.join("production/y").exists());
    store.delete(&key("production/y/1")).await.unwrap();
    assert!(everything(&root).is_empty() && root.exists());
}

#[tokio::test]
async fn interrupted_put_removes_temporary_file() {
    let (store, folder) = open().await;
    let (sender, running) = fed();
    let put = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("dropped"), running, Mode::Replace).await }
    });
    for _ in 0..8 {
        sender.send(Ok(content(MIB, 1).into())).await.unwrap();
    }
    let root = folder.path().join("new/repository");
    assert_eq!(everything(&root).len(), 1, "the temporary file is where the test looks");
    put.abort();
    // Another thread removes it.
    let gone = async {
        while !everything(&root).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.unwrap();
}

#[tokio::test]
async fn sweep_removes_leftovers_of_killed_process() {
    let (store, folder) = open().await;
    let root = folder.path().join("new/repository");
    store.put(&key("production/object"), body("x"), Mode::Replace).await.unwrap();
    let old = SystemTime::now() - Duration::from_secs(7200);
    for name in ["production/.tmp-old", ".tmp-older", "production/.tmp-young", "production/.other"] {
        let file = fs::File::create(root.join(name)).unwrap();
        if !name.ends_with("young") {
            file.set_modified(old).unwrap();
        }
    }
    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), [".tmp-older", "production/.tmp-old"]);
    assert!(root.join("production/.tmp-young").exists() && root.join("production/.other").exists());
    assert_eq!(keys(&store, None).await, ["production/object"]);
}

/// A separate small file system.
struct Tmpfs(TempDir);

impl Tmpfs {
    /// Mounts one. `None` if this process may not mount.
    fn mount(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(folder.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn full_disk_is_reported_without_leftovers() {
    let Some(disk) = Tmpfs::mount("4m") else {
        eprintln!("skipped: a full disk needs the privilege to mount a tmpfs");
        return;
    };
    let root = disk.0.path().join("repository");
    let store: Arc<dyn Store> = Arc::new(LocalStore::open(root.clone(), true).await.unwrap());
    store.put(&key("sound"), body(content(MIB, 1)), Mode::Replace).await.unwrap();
    for mode in [Mode::Replace, Mode::CreateNew] {
        let full = store.put(&key("large/object"), body(content(8 * MIB, 2)), mode).await.unwrap_err();
        assert!(matches!(*full.kind, StoreErrorKind::Full(_)), "{full}");
        assert_eq!(keys(&store, None).await, ["sound"]);
        assert!(everything(&root).iter().all(|path| !path.is_file() || path.ends_with("sound")));
    }
    // An idle producer does not delay the error.
    let (sender, running) = fed();
    let put = tokio::spawn(async move { store.put(&key("large"), running, Mode::Replace).await });
    while sender.send(Ok(content(MIB, 3).into())).await.is_ok() {}
    assert!(matches!(*put.await.unwrap().unwrap_err().kind, StoreErrorKind::Full(_)));
}

#[tokio::test]
async fn read_only_disk_is_denied() {
    let Some(disk) = Tmpfs::mount("4m") else {
        eprintln!("skipped: a read-only disk needs the privilege to mount a tmpfs");
        return;
    };
    let store = LocalStore::open(disk.0.path().to_owned(), false).await.unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().unwrap();
    assert!(remounted.success());
    let denied = store.put(&key("object"), body("x"), Mode::Replace).await.unwrap_err();
    assert!(matches!(*denied.kind, StoreErrorKind::ReadOnly(_)), "{denied}");
}

#[tokio::test]
async fn body_failing_at_once_leaves_nothing() {
    let (store, folder) = open().await;
    store.put(&key("a/b/c"), failing(Vec::new()), Mode::CreateNew).await.unwrap_err();
    assert!(everything(folder.path()).iter().all(|path| path.is_dir()));
}
