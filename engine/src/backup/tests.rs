mod interrupted;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use futures::TryStreamExt;
use harness::project::{INSTANCE, Project};

use super::*;
use crate::instance::made_up;
use crate::manifest::MANIFEST;
use crate::store::faulty::FaultyStore;
use crate::store::{Action, Key, LocalStore, Store};

/// Backs up a made-up instance, and stops it when the object of this name is about to be stored.
/// Returns the result, and the repository's objects other than its description.
async fn stopped_at(project: &Project, name: &'static str) -> (Result<Manifest, Error>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
    let run = Run::default();
    let cancel = run.cancel.clone();
    let fault = move |action, key: &Key| {
        if action == Action::Put && key.name() == name {
            cancel.cancel();
        }
        None
    };
    let store: Arc<dyn Store> = Arc::new(FaultyStore { inner, fault });
    let repository = Repository::init(store.clone(), Timestamp::now()).await.unwrap();
    let result = backup(&repository, &made_up::instance(project), BackupOptions::default(), &run).await;
    let keys = store.list(None).map_ok(|object| object.key.name().to_owned());
    let mut left: Vec<_> = keys.try_collect().await.unwrap();
    left.retain(|name| name != "repository.json");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), if left.is_empty() { 1 } else { 2 }, "folders and all");
    (result, left)
}

#[tokio::test]
async fn stopped_backup_leaves_nothing_or_everything() {
    let project = Project::start().await;
    for name in ["database-0001.zst", "database.map.zst", "filestore-0001.tar.zst"] {
        let (result, left) = stopped_at(&project, name).await;
        assert!(result.unwrap_err().is_interruption());
        assert!(left.is_empty(), "{left:?}");
    }
    let (result, left) = stopped_at(&project, MANIFEST).await;
    assert_eq!(left.len(), result.unwrap().objects().count() + 2);
}

#[tokio::test]
async fn manifest_counts_skipped_files() {
    let project = Project::start().await;
    for i in 0..25 {
        symlink("/dev/null", project.filestore().join(format!("link{i:02}"))).unwrap();
    }
    let (result, _) = stopped_at(&project, "nothing").await;
    let manifest = result.unwrap();
    assert_eq!(manifest.filestore.counts_of_findings().skipped, 25);
    assert_eq!(manifest.warnings, ["25 paths neither file nor folder, and not backed up"]);
    let stored = serde_json::to_string(&manifest).unwrap();
    assert!(!stored.contains("link00"), "{stored}");
}
