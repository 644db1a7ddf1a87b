//! Stores an object: a short one in one request, a long one in parts.
//!
//! What is sent is in memory, so it can be sent again. `Content-MD5` protects it in transit. This
//! is S3's oldest checksum: every common server accepts it, with and without TLS. Servers that
//! verify any checksum verify this one (SeaweedFS does, and ignores the signature's SHA-256). It
//! detects faulty memory and networks; TLS and the manifest's SHA-256 protect against more.

use std::collections::HashMap;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_types::base64;
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use std::sync::Arc;

use super::schedule::Parts;
use super::upload::Upload;
use super::{Inner, errors};
use crate::store::fill::fill;
use crate::store::{Key, Mode, StoreErrorKind};
use crate::stream::Body;

/// The user metadata that names the `put` of an object.
const PUT_ID: &str = "put-id";

/// One `put`, with a random id that the object carries.
///
/// A request that is sent again after its answer was lost meets its own result: "the object exists
/// already", or "no such upload". The id shows whether the object is its own.
pub(super) struct Attempt {
    id: String,
    pub(super) key: Key,
    pub(super) mode: Mode,
}

impl Attempt {
    fn new(key: &Key, mode: Mode) -> Result<Self, StoreErrorKind> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| StoreErrorKind::Other(format!("unable to get random numbers: {error}")))?;
        Ok(Self { id: format!("{:032x}", u128::from_be_bytes(random)), key: key.clone(), mode })
    }

    pub(super) fn metadata(&self) -> HashMap<String, String> {
        HashMap::from([(PUT_ID.to_owned(), self.id.clone())])
    }

    /// Returns the values of `If-None-Match` to try in order: `*` first, and none if the server
    /// does not know the header.
    ///
    /// Backblaze B2 answers 501 to that header; there, only the HEAD before the put, or the
    /// caller's listing, protects existing objects.
    pub(super) fn conditions(&self) -> &'static [Option<&'static str>] {
        match self.mode {
            Mode::CreateNew | Mode::CreateAbsent => &[Some("*"), None],
            Mode::Replace => &[None],
        }
    }
}

/// The object under a key, as a `put` sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This `put` stored it completely.
    Ours,
    /// Another process stored it.
    Anothers,
    /// An object of this size without the id of a `put`: another program stored it, or the server
    /// keeps no metadata.
    Unnamed(u64),
    Nothing,
}

impl Inner {
    pub(super) async fn put(
        self: &Arc<Self>,
        key: &Key,
        mut body: Body,
        mode: Mode,
        expected: u64,
    ) -> Result<u64, StoreErrorKind> {
        // This spares the producer's work. On Garage and other servers, which ignore the condition,
        // it is the only protection of existing objects.
        if mode == Mode::CreateNew && self.look(key).await?.is_some() {
            return Err(StoreErrorKind::AlreadyExists);
        }
        let attempt = Attempt::new(key, mode)?;
        let mut first = BytesMut::new();
        let mut second = BytesMut::new();
        let parts = Parts::new(&self.settings, expected);
        let mut ended = part(&mut body, &mut first, parts.size(1)).await?;
        if !ended {
            ended = part(&mut body, &mut second, parts.size(2)).await?;
        }
        if second.is_empty() {
            return self.put_whole(&attempt, first.freeze()).await;
        }
        let mut upload = Upload::begin(self, attempt, parts).await?;
        match upload.send(first.freeze(), second, ended, &mut body).await {
            Ok(size) => Ok(size),
            Err(kind) => {
                upload.abort().await;
                Err(kind)
            }
        }
    }

    async fn put_whole(&self, attempt: &Attempt, content: Bytes) -> Result<u64, StoreErrorKind> {
        let size = content.len() as u64;
        let md5 = content_md5(&content).await?;
        let mut outcome = Ok(());
        for condition in attempt.conditions() {
            outcome = self.put_object(attempt, content.clone(), &md5, *condition).await;
            if !outcome.as_ref().is_err_and(errors::is_not_implemented) {
                break;
            }
        }
        let Err(error) = outcome else {
            return Ok(size);
        };
        match self.kind(error) {
            StoreErrorKind::AlreadyExists if self.standing(attempt, size).await? == Standing::Ours => Ok(size),
            kind => Err(kind),
        }
    }

    async fn put_object(
        &self,
        attempt: &Attempt,
        content: Bytes,
        md5: &str,
        condition: Option<&str>,
    ) -> Result<(), SdkError<PutObjectError>> {
        let size = content.len();
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(self.name(&attempt.key))
            .set_metadata(Some(attempt.metadata()))
            .set_if_none_match(condition.map(str::to_owned))
            .content_md5(md5)
            .body(content.into())
            .customize()
            .config_override(self.sending(size))
            .send()
            .await
            .map(|_| ())
    }

    /// Finds out whose object is under the attempt's key. It is an error if this attempt's object
    /// has another size than `size`.
    pub(super) async fn standing(&self, attempt: &Attempt, size: u64) -> Result<Standing, StoreErrorKind> {
        let Some(found) = self.look(&attempt.key).await? else {
            return Ok(Standing::Nothing);
        };
        let stored = super::list::length(found.content_length())?;
        match found.metadata().and_then(|metadata| metadata.get(PUT_ID)) {
            None => Ok(Standing::Unnamed(stored)),
            Some(id) if *id != attempt.id => Ok(Standing::Anothers),
            Some(_) if stored == size => Ok(Standing::Ours),
            Some(_) => Err(sizes_differ(size, stored)),
        }
    }
}

async fn part(body: &mut Body, buffer: &mut BytesMut, size: usize) -> Result<bool, StoreErrorKind> {
    fill(body, buffer, size).await.map_err(StoreErrorKind::Source)
}

pub(super) fn sizes_differ(sent: u64, stored: u64) -> StoreErrorKind {
    StoreErrorKind::Corrupt(format!("{sent} bytes were sent, the server has {stored}"))
}

/// Returns the value of the header `Content-MD5` for these bytes.
pub(super) async fn content_md5(content: &Bytes) -> Result<String, StoreErrorKind> {
    let content = content.clone();
    // This takes some ten milliseconds for a part, too long for a thread of the runtime.
    let digest = tokio::task::spawn_blocking(move || base64::encode(Md5::digest(&content))).await;
    digest.map_err(|dead| StoreErrorKind::Io(std::io::Error::other(dead)))
}
