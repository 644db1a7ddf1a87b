use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::*;
use crate::stream::body_of;

async fn open() -> (LocalStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (LocalStore::open(folder.path().to_owned(), false).await.unwrap(), folder)
}

/// Records when its end was reported.
struct Watched(Body, Arc<AtomicBool>);

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = self.0.as_mut().poll_read(cx, buf);
        self.1.fetch_or(polled.is_ready() && buf.filled().len() == before, Ordering::SeqCst);
        polled
    }
}

#[tokio::test]
async fn dropped_put_stores_nothing_later() {
    let (store, folder) = open().await;
    let key = Key::new("production/id/manifest.json").unwrap();
    let mut dropped = 0;
    while dropped < 20 {
        let ended = Arc::<AtomicBool>::default();
        let body: Body = Box::pin(Watched(body_of(vec![7; PIECE]), ended.clone()));
        let mut put = store.put(&key, body, Mode::CreateNew);
        let stored = loop {
            let polled = futures::poll!(put.as_mut());
            if polled.is_ready() || ended.load(Ordering::SeqCst) {
                break polled.is_ready();
            }
            tokio::task::yield_now().await;
        };
        // The thread has all data, and flushes it to the disk now.
        drop(put);
        store.delete(&key).await.unwrap();
        store.settle().await;
        assert_eq!(store.head(&key).await.unwrap(), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no temporary file and no folder either");
        dropped += u32::from(!stored);
    }
}

#[tokio::test]
async fn failed_put_removes_its_folders() {
    let (store, folder) = open().await;
    let (body, _) = crate::stream::produce::<(), _>(|_| Err(io::Error::other("pg_dump was killed")));
    store.put(&Key::new("production/id/database").unwrap(), body, Mode::CreateNew).await.unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // Objects of other backups stay.
    store.put(&Key::new("production/other/database").unwrap(), body_of("x"), Mode::CreateNew).await.unwrap();
    store.put(&Key::new("production/other/database").unwrap(), body_of("y"), Mode::CreateNew).await.unwrap_err();
    assert!(folder.path().join("production/other/database").exists());
}
