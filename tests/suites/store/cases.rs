//! What every store must do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::store::{Key, Mode, Store, StoreErrorKind};
use futures::{StreamExt, TryStreamExt, future, stream};
use tokio::task::JoinSet;

use crate::PART;
use crate::body::{body, content, drain, failing, fed};

type Shared = Arc<dyn Store>;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) async fn keys(store: &Shared, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(key);
    let objects: Vec<_> = store.list(prefix.as_ref()).try_collect().await.unwrap();
    objects.into_iter().map(|object| object.key.to_string()).collect()
}

async fn read(store: &Shared, key: &Key) -> Vec<u8> {
    drain(store.get(key, None).await.unwrap()).await.unwrap()
}

/// Reads to the end, at whatever point the error appears.
async fn read_error(store: &Shared, key: &Key) -> StoreErrorKind {
    match store.get(key, None).await {
        Err(error) => *error.kind,
        Ok(_) => panic!("{key} can be read"),
    }
}

pub(crate) async fn content_survives_round_trip(store: Shared) {
    for size in [0, 1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART, 3 * PART + 17] {
        let key = key(&format!("production/20261121T020003Z-3f9c/{size}.bin"));
        let content = content(size, 1);
        let before = jiff::Timestamp::now();
        assert_eq!(store.put(&key, body(content.clone()), Mode::Replace).await.unwrap(), size as u64);
        assert!(read(&store, &key).await == content, "{size} bytes came back changed");

        let object = store.head(&key).await.unwrap().unwrap();
        assert_eq!((object.key.as_str(), object.size), (key.as_str(), size as u64));
        // S3 rounds to seconds, and the clock of a file system lags by a tick.
        let off = object.modified.duration_since(before).as_secs_f64();
        assert!((-2.0..60.0).contains(&off), "written {off} s after its put began");
        let folder = Key::new(key.as_str().rsplit_once('/').unwrap().0).unwrap();
        assert_eq!(store.list(Some(&folder)).try_collect::<Vec<_>>().await.unwrap(), [object]);
        assert!(store.list(Some(&key)).try_collect::<Vec<_>>().await.unwrap().is_empty(), "it is no folder");

        store.delete(&key).await.unwrap();
        assert_eq!(store.head(&key).await.unwrap(), None);
    }
    assert!(keys(&store, None).await.is_empty());
}

pub(crate) async fn ranges_are_read_exactly(store: Shared) {
    let key = key("ranged");
    let content = content(2 * PART + 100, 2);
    store.put(&key, body(content.clone()), Mode::Replace).await.unwrap();
    let end = content.len();
    for range in [0..1, 0..end, PART - 1..PART + 1, end - 1..end, 5..2 * PART] {
        let got = store.get(&key, Some(range.start as u64..range.end as u64)).await.unwrap();
        assert!(drain(got).await.unwrap() == content[range.clone()], "{range:?}");
    }
    for (start, stop) in [(0, 0), (7, 7), (end, end + 1), (end - 1, end + 1), (end + 5, end + 6)] {
        let Err(error) = store.get(&key, Some(start as u64..stop as u64)).await else { panic!("{start}..{stop}") };
        // An object that is shorter than it should be is damaged.
        assert_eq!(error.is_of_object(), start < stop, "{start}..{stop}: {error}");
    }
}

pub(crate) async fn missing_objects_are_not_found(store: Shared) {
    store.put(&key("there/object"), body("x"), Mode::Replace).await.unwrap();
    for missing in ["missing", "missing/below", "there", "there/object/below", "there/objec", "there/object2"] {
        let missing = key(missing);
        assert_eq!(store.head(&missing).await.unwrap(), None, "{missing}");
        assert!(matches!(read_error(&store, &missing).await, StoreErrorKind::NotFound), "{missing}");
        store.delete(&missing).await.unwrap();
    }
    assert_eq!(keys(&store, None).await, ["there/object"]);
    assert!(keys(&store, Some("missing")).await.is_empty());
}

pub(crate) async fn create_new_refuses_existing_object(store: Shared) {
    for size in [10, 3 * PART] {
        let key = key(&format!("once-{size}"));
        let first = content(size, 3);
        store.put(&key, body(first.clone()), Mode::CreateNew).await.unwrap();
        for second in [content(10, 4), content(3 * PART, 4), first.clone()] {
            let refused = store.put(&key, body(second), Mode::CreateNew).await.unwrap_err();
            assert!(matches!(*refused.kind, StoreErrorKind::AlreadyExists), "{refused}");
        }
        assert!(read(&store, &key).await == first);
        store.put(&key, body("replaced"), Mode::Replace).await.unwrap();
        assert_eq!(read(&store, &key).await, b"replaced");
    }
    assert!(store.sweep(Duration::ZERO).await.unwrap().is_empty());
}

pub(crate) async fn one_of_many_creators_wins(store: Shared) {
    assert_eq!(race(&store, 16, 100).await.len(), 1);
}

/// Lets many tasks create the same object. Returns the ones whose creation succeeded. The object is
/// then the complete one of a winner.
pub(crate) async fn race(store: &Shared, racers: u64, size: usize) -> Vec<u64> {
    let key = key("locks/production");
    let mut racing = JoinSet::new();
    for racer in 0..racers {
        let (store, key) = (store.clone(), key.clone());
        racing.spawn(async move {
            let (sender, body) = fed();
            let put = tokio::spawn(async move { store.put(&key, body, Mode::CreateNew).await });
            let content = content(size, racer);
            let (head, tail) = content.split_at(size / 2);
            // A late task may be refused before it has sent anything.
            let _ = sender.send(Ok(Bytes::copy_from_slice(head))).await;
            let _ = sender.send(Ok(Bytes::copy_from_slice(tail))).await;
            drop(sender);
            (racer, put.await.unwrap())
        });
    }
    let (won, lost): (Vec<_>, Vec<_>) = racing.join_all().await.into_iter().partition(|(_, put)| put.is_ok());
    let winners: Vec<_> = won.iter().map(|(racer, _)| *racer).collect();
    for (_, put) in lost {
        let refused = put.unwrap_err();
        assert!(matches!(*refused.kind, StoreErrorKind::AlreadyExists), "{refused}");
    }
    let stored = read(store, &key).await;
    assert!(winners.iter().any(|winner| stored == content(size, *winner)), "{winners:?}");
    assert!(store.sweep(Duration::ZERO).await.unwrap().is_empty());
    winners
}

pub(crate) async fn failed_body_leaves_nothing(store: Shared) {
    let key = key("production/failed");
    for size in [0, 1, PART, PART + 1, 5 * PART] {
        let failed = store.put(&key, failing(content(size, 5)), Mode::Replace).await.unwrap_err();
        let StoreErrorKind::Source(cause) = &*failed.kind else {
            panic!("{failed}");
        };
        assert_eq!(cause.to_string(), "pg_dump was killed");
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert!(keys(&store, None).await.is_empty());
        assert!(store.sweep(Duration::ZERO).await.unwrap().is_empty(), "{size} bytes left something behind");
    }
    store.put(&key, body("sound"), Mode::Replace).await.unwrap();
    store.put(&key, failing(content(5 * PART, 5)), Mode::Replace).await.unwrap_err();
    assert_eq!(read(&store, &key).await, b"sound");
}

pub(crate) async fn dropped_put_leaves_nothing(store: Shared) {
    let key = key("production/dropped");
    for pieces in [1, 2, 6] {
        let (sender, body) = fed();
        let put = tokio::spawn({
            let (store, key) = (store.clone(), key.clone());
            async move { store.put(&key, body, Mode::Replace).await }
        });
        for _ in 0..pieces {
            sender.send(Ok(content(PART, 6).into())).await.unwrap();
        }
        // The last piece was read once there is room for another.
        let _room = sender.reserve().await.unwrap();
        put.abort();
        assert!(put.await.unwrap_err().is_cancelled());
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert!(keys(&store, None).await.is_empty());
    }
}

pub(crate) async fn replacing_is_atomic(store: Shared) {
    let key = key("replaced");
    let versions = [content(1000, 7), content(PART + 1, 8)];
    store.put(&key, body(versions[0].clone()), Mode::Replace).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..2 {
        let (store, key, versions) = (store.clone(), key.clone(), versions.clone());
        writers.spawn(async move {
            for round in 0..10 {
                let version = versions[(writer + round) % 2].clone();
                store.put(&key, body(version), Mode::Replace).await.unwrap();
            }
        });
    }
    let mut reads = 0;
    while !writers.is_empty() || reads == 0 {
        tokio::select! {
            Some(written) = writers.join_next() => written.unwrap(),
            got = store.get(&key, None) => {
                // A body may report that its object is gone, but it must not mix two objects.
                if let Ok(got) = drain(got.unwrap()).await {
                    assert!(versions.contains(&got), "{} bytes that no task wrote", got.len());
                    reads += 1;
                }
            }
        }
    }
}

pub(crate) async fn parallel_puts_do_not_mix(store: Shared) {
    let puts = (0..24).map(|number| {
        let store = store.clone();
        async move {
            let size = [10, PART, 2 * PART + 1][number % 3];
            let key = key(&format!("production/{}/{number}", number % 5));
            store.put(&key, body(content(size, number as u64)), Mode::CreateNew).await.unwrap();
            assert!(read(&store, &key).await == content(size, number as u64));
        }
    });
    future::join_all(puts).await;
    assert_eq!(keys(&store, None).await.len(), 24);
}

pub(crate) async fn parallel_puts_and_deletes_succeed(store: Shared) {
    // A local store removes folders that a delete empties, but never one that a put needs.
    let workers = (0..4).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..25 {
                let key = key(&format!("a/b/c/{worker}-{round}"));
                store.put(&key, body("x"), Mode::Replace).await.unwrap();
                store.delete(&key).await.unwrap();
            }
        })
    });
    for worker in future::join_all(workers).await {
        worker.unwrap();
    }
    assert!(keys(&store, None).await.is_empty());
}

pub(crate) async fn list_is_sorted_under_prefix(store: Shared) {
    let mut all = vec![
        "a/b/c",
        "a/b/c-d/e",
        "a/b/d",
        "a/b-c/d",
        "a/b.c/d",
        "a/bc",
        "a/b0/x",
        "a/B/x",
        "a-b/1",
        "a.b/1",
        "a0",
        "a_b/1",
        "b/1",
        "repository.json",
    ];
    all.reverse();
    for name in &all {
        store.put(&key(name), body(*name), Mode::Replace).await.unwrap();
    }
    all.sort_unstable();
    assert_eq!(keys(&store, None).await, all);
    for prefix in ["a", "a/b", "a/b/c", "a/bc", "a/b-c", "a-b", "repository.json", "re", "z"] {
        let under: Vec<_> = all.iter().filter(|name| name.starts_with(&format!("{prefix}/"))).collect();
        assert_eq!(keys(&store, Some(prefix)).await.iter().collect::<Vec<_>>(), under, "{prefix}");
    }
}

pub(crate) async fn list_returns_all_pages(store: Shared) {
    let mut all: Vec<_> = (0..1100).map(|number| format!("many/{}/{number:04}", number % 3)).collect();
    let puts = all.iter().map(|name| {
        let store = store.clone();
        async move { store.put(&key(name), body("x"), Mode::Replace).await }
    });
    stream::iter(puts).buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    all.sort_unstable();
    assert_eq!(keys(&store, Some("many")).await, all);
    assert_eq!(keys(&store, Some("many/1")).await.len(), 367);
    // A caller that stops early requests no further pages.
    let first: Vec<_> = store.list(None).take(3).try_collect().await.unwrap();
    assert_eq!(first[2].key.as_str(), all[2]);
}

pub(crate) async fn recent_foreign_leftovers_survive_sweep(store: Shared) {
    let (sender, running) = fed();
    let put = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("running"), running, Mode::CreateNew).await }
    });
    for _ in 0..4 {
        sender.send(Ok(content(PART, 9).into())).await.unwrap();
    }
    assert!(store.sweep(Duration::from_secs(3600)).await.unwrap().is_empty());
    drop(sender);
    assert_eq!(put.await.unwrap().unwrap(), 4 * PART as u64);
}
