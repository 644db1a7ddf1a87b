//! Tests copies between two repositories, of which one was repacked.

use super::*;
use crate::copy::{Copied, copy};
use crate::manifest::write_both_checksums;
use crate::store::read_document;

struct Pair {
    _folders: [tempfile::TempDir; 2],
    from: Repository,
    to: Repository,
}

impl Pair {
    async fn new() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (from, to) = (at(folders[0].path()).await, at(folders[1].path()).await);
        Self { _folders: folders, from, to }
    }

    async fn copy_all(&self) -> Copied {
        let all = self.from.names(None).await.unwrap();
        copy(&self.from, &self.to, &all, &Run::default()).await.unwrap()
    }
}

#[tokio::test]
async fn copy_brings_new_volumes_to_destination() {
    let pair = Pair::new().await;
    let mut all = days_of_files(&pair.from, 5).await;
    pair.copy_all().await;
    for repository in [&pair.from, &pair.to] {
        pruned(repository, &two(), PruneOptions::default()).await;
    }
    pruned(&pair.from, &two(), REPACK).await;
    let latest = manifest(&pair.from, &all[4].0.id).await;
    let next = store_files(&pair.from, Timestamp::now(), Some(&latest), &files(5)).await.unwrap();
    all.push((next, files(5)));
    let copied = pair.copy_all().await;
    assert_eq!((copied.backups.len(), copied.there, copied.damaged.len()), (1, 2, 0));
    assert_as_before(&pair.to, &all).await;
    assert_whole(&pair.to).await;

    let three =
        instance("keep_last = 3\ndaily = 0\nweekly = 0\nmonthly = 0\ngrace = '1 second'\nhold_if_shrunk = '100%'");
    let before = keys(&pair.to).await;
    let followed = pruned(&pair.to, &three, REPACK).await.repacked.unwrap();
    assert_eq!(followed.backups.len(), 2);
    assert!(keys(&pair.to).await.iter().all(|key| before.contains(key)), "nothing is written there");
    while pruned(&pair.to, &three, PruneOptions::default()).await.removed.young > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_clear(&pair.to).await;
    assert_as_before(&pair.to, &all).await;
    assert_whole(&pair.to).await;
    let again = pair.copy_all().await;
    assert_eq!((again.backups.len(), again.there, again.objects), (0, 3, 0));
}

#[tokio::test]
async fn copy_to_repacked_destination_is_complete() {
    let pair = Pair::new().await;
    let mut all = days_of_files(&pair.from, 5).await;
    pair.copy_all().await;
    pruned(&pair.to, &two(), REPACK).await;
    prune_until_clear(&pair.to).await;
    let former = &all[4].0.filestore.volumes[0].object.key;
    assert!(!keys(&pair.to).await.contains(&former.to_string()));
    let next = store_files(&pair.from, Timestamp::now(), Some(&all[4].0), &files(5)).await.unwrap();
    let backup = next.backup();
    all.push((next, files(5)));
    let copied = copy(&pair.from, &pair.to, &[backup], &Run::default()).await.unwrap();
    assert_eq!((copied.backups.len(), copied.damaged.len()), (1, 0));
    assert_as_before(&pair.to, &all).await;
    assert_whole(&pair.to).await;
}

#[tokio::test]
async fn copy_settles_interrupted_repacks_checksums() {
    let pair = Pair::new().await;
    let (manifest, files) = days_of_files(&pair.from, 1).await.remove(0);
    let key = manifest.backup().object("SHA256SUMS");
    let sums = read_document(&**pair.from.store(), &key).await.unwrap();
    let settled = String::from_utf8(sums.clone()).unwrap();
    let both = write_both_checksums(&settled, &manifest.checksums(b"another"));
    pair.from.store().put(&key, body_of(both.into_bytes()), Mode::Replace).await.unwrap();
    assert_whole(&pair.from).await;
    pair.copy_all().await;
    assert_eq!(read_document(&**pair.to.store(), &key).await.unwrap(), sums);
    assert_as_before(&pair.to, &[(manifest, files)]).await;
}
