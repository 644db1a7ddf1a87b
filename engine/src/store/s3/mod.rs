//! Stores objects in an S3-compatible bucket. Only this folder knows the AWS SDK.

mod clock;
mod connect;
mod errors;
mod get;
mod list;
mod order;
mod put;
mod schedule;
mod sweep;
mod upload;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use futures::stream::{BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::task::TaskTracker;

use self::clock::ServerClock;
use super::{Action, Key, Mode, Object, Store, StoreError, StoreErrorKind};
use crate::backoff::Backoff;
use crate::store::S3Config;
use crate::stream::Body;

/// How objects are sent to and read from S3. The default suits servers from the next room to AWS.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Bytes of an upload's parts. Parts are larger if the upload is expected to have more than 900
    /// of them. AWS needs at least 5 MiB.
    pub part_size: usize,
    /// Whether parts are never larger than `part_size`, even if there are then more than the server
    /// accepts.
    pub part_size_is_fixed: bool,
    /// How many parts of one upload are sent at a time.
    pub parallel: usize,
    /// Bytes of memory for parts in transit. Large parts lower `parallel` instead of exceeding it,
    /// down to one part.
    pub in_flight: usize,
    /// Attempts for an ordinary request.
    pub attempts: u32,
    /// Attempts for a part of an upload, and for a broken download: hours of work may depend on
    /// them.
    pub persistent_attempts: u32,
    /// The pause before the second attempt. It doubles up to 20 seconds, and a random part of it is
    /// taken.
    pub backoff: Duration,
    /// How long a server may take to answer a request, besides what its body takes at `slowest`;
    /// also how long it may take to send the next bytes of an object.
    pub patience: Duration,
    /// Sending fewer bytes per second counts as stalled.
    pub slowest: u64,
    /// The bytes per second that must arrive while an object is read, averaged over `patience`. A
    /// slower download continues over another connection, and fails after `persistent_attempts` of
    /// them. The limit is low, because several objects may share a slow line.
    pub least: u64,
}

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

impl S3Settings {
    /// Returns the pauses between attempts that the SDK does not make.
    fn pauses(&self) -> Backoff {
        Backoff::new(self.backoff, 2, LONGEST_PAUSE)
    }
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            part_size: 8 * 1024 * 1024,
            part_size_is_fixed: false,
            parallel: 4,
            in_flight: 64 * 1024 * 1024,
            attempts: 5,
            persistent_attempts: 8,
            backoff: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            slowest: 32 * 1024,
            least: 4 * 1024,
        }
    }
}

const KIB: usize = 1024;

/// A bucket, or a prefix in it, as a store.
///
/// With the default settings, all [`Store::put`]s together have at most 64 MiB in transit, or one
/// part if that is larger. Each of them also fills a part: 8 MiB, or a nine-hundredth of the
/// expected size of a larger object. Reading takes the memory that the connection buffers.
///
/// [`Mode::CreateNew`] refuses existing objects on every server. Whether exactly one of several
/// concurrent creations succeeds depends on the server. For bodies of one part, AWS, SeaweedFS and
/// Ceph RGW guarantee it, and Garage does not. For longer bodies only AWS guarantees it: SeaweedFS
/// 4.48 checks first and then completes, and Ceph RGW ignores the condition. So locks must not rely
/// on it.
#[derive(Clone)]
pub struct S3Store {
    inner: Arc<Inner>,
}

/// Shared by what outlives a call: bodies that resume, uploads that are aborted in the background.
struct Inner {
    client: Client,
    bucket: String,
    /// Empty, or with a slash at the end.
    prefix: String,
    /// For messages, if it is not AWS's own.
    endpoint: Option<String>,
    settings: S3Settings,
    /// What all uploads together may have in transit, in KiB. Volumes and the dump are stored at
    /// the same time.
    budget: Arc<Semaphore>,
    /// Set once the bucket was seen: a 404 without a body does not say whether the bucket or the
    /// object is missing.
    bucket_seen: OnceCell<()>,
    /// Uploads that are being aborted in the background. The tracker is closed from the start, so
    /// it can be waited for at any time.
    aborting: TaskTracker,
    clock: ServerClock,
}

impl S3Store {
    /// Creates a client for the bucket that `config` names. Sends no request, unless AWS's own
    /// chain of credentials needs one.
    ///
    /// # Errors
    /// [`StoreErrorKind::Other`] if no region is known
    pub async fn open(config: &S3Config) -> Result<Self, StoreError> {
        let settings = match config.part_size {
            Some(part_size) => S3Settings { part_size, part_size_is_fixed: true, ..S3Settings::default() },
            None => S3Settings::default(),
        };
        Self::open_with(config, settings).await
    }

    /// Does the same as [`S3Store::open`], with other settings.
    ///
    /// # Errors
    /// Those of [`S3Store::open`].
    pub async fn open_with(config: &S3Config, settings: S3Settings) -> Result<Self, StoreError> {
        let prefix = match config.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let bucket = config.bucket.clone();
        let clock = ServerClock::default();
        let client = match connect::client(config, &settings, clock.clone()).await {
            Ok(client) => client,
            Err(kind) => {
                return Err(StoreError {
                    action: Action::Open,
                    key: None,
                    location: location(&bucket, &prefix),
                    kind: Box::new(kind),
                });
            }
        };
        let endpoint = config.endpoint.clone();
        let aborting = TaskTracker::new();
        aborting.close();
        let budget = Arc::new(Semaphore::new(settings.in_flight.div_ceil(KIB)));
        let inner =
            Inner { client, bucket, prefix, endpoint, settings, budget, bucket_seen: OnceCell::new(), aborting, clock };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Inner {
    /// Returns the share of the budget that a part takes. A part larger than the budget takes all
    /// of it.
    fn share(&self, part: usize) -> u32 {
        u32::try_from(part.min(self.settings.in_flight).div_ceil(KIB)).unwrap_or(u32::MAX)
    }

    /// Returns the key as the bucket contains it.
    fn name(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    fn error(&self, action: Action, key: Option<&Key>, kind: StoreErrorKind) -> StoreError {
        StoreError { action, key: key.cloned(), location: location(&self.bucket, &self.prefix), kind: Box::new(kind) }
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreErrorKind> {
        let request = self.client.delete_object().bucket(&self.bucket).key(self.name(key));
        match request.send().await.map_err(|error| self.kind(error)) {
            // AWS answers 204 if the object does not exist. Some other servers report that.
            Ok(_) | Err(StoreErrorKind::NotFound) => Ok(()),
            Err(kind) => Err(kind),
        }
    }
}

#[async_trait]
impl Store for S3Store {
    async fn put(&self, key: &Key, body: Body, mode: Mode) -> Result<u64, StoreError> {
        self.put_sized(key, body, mode, 0).await
    }

    async fn put_sized(&self, key: &Key, body: Body, mode: Mode, expected: u64) -> Result<u64, StoreError> {
        let put = self.inner.put(key, body, mode, expected).await;
        put.map_err(|kind| self.inner.error(Action::Put, Some(key), kind))
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreError> {
        let body = get::open(&self.inner, key, range).await;
        body.map_err(|kind| self.inner.error(Action::Get, Some(key), kind))
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        let object = self.inner.head(key).await;
        object.map_err(|kind| self.inner.error(Action::Head, Some(key), kind))
    }

    fn list<'a>(&'a self, prefix: Option<&Key>) -> BoxStream<'a, Result<Object, StoreError>> {
        list::list(&self.inner, prefix.cloned())
            .map(|object| object.map_err(|kind| self.inner.error(Action::List, None, kind)))
            .boxed()
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let deleted = self.inner.delete(key).await;
        deleted.map_err(|kind| self.inner.error(Action::Delete, Some(key), kind))
    }

    async fn settle(&self) {
        self.inner.aborting.wait().await;
    }

    async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreError> {
        let swept = self.inner.sweep(older_than).await;
        swept.map_err(|kind| self.inner.error(Action::Sweep, None, kind))
    }

    async fn clock(&self) -> Option<Timestamp> {
        self.inner.clock.now()
    }

    fn location(&self) -> String {
        location(&self.inner.bucket, &self.inner.prefix)
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client's own output would contain its whole configuration.
        f.debug_struct("S3Store")
            .field("location", &self.location())
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// Returns where a bucket is.
pub(super) fn location(bucket: &str, prefix: &str) -> String {
    format!("s3://{bucket}/{prefix}").trim_end_matches('/').to_owned()
}
