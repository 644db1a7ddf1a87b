//! Uploads an object in parts, several at a time. If it fails, nothing stays on the server.

use std::mem;
use std::sync::Arc;

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};

use super::put::{Attempt, Standing, content_md5, sizes_differ};
use super::schedule::{MOST_PARTS, Parts, parallel};
use super::{Inner, errors};
use crate::store::fill::fill;
use crate::store::{Mode, StoreErrorKind};
use crate::stream::Body;

type PartResult = Result<CompletedPart, StoreErrorKind>;

/// A multipart upload that was started. If it is dropped before it is completed, it is aborted in
/// the background.
pub(super) struct Upload {
    store: Arc<Inner>,
    attempt: Attempt,
    parts: Parts,
    id: String,
    open: bool,
    /// Parts in transit. They must end before the upload is aborted: a part that arrives later
    /// would stay on the server.
    sending: JoinSet<PartResult>,
    sent: Vec<CompletedPart>,
    size: u64,
}

impl Upload {
    pub(super) async fn begin(store: &Arc<Inner>, attempt: Attempt, parts: Parts) -> Result<Self, StoreErrorKind> {
        let begun = store
            .client
            .create_multipart_upload()
            .bucket(&store.bucket)
            .key(store.name(&attempt.key))
            .set_metadata(Some(attempt.metadata()))
            .send()
            .await
            .map_err(|error| store.kind(error))?;
        let id = begun
            .upload_id
            .ok_or_else(|| StoreErrorKind::Corrupt("the server started an upload without an id".into()))?;
        let (store, sending) = (store.clone(), JoinSet::new());
        Ok(Self { store, attempt, parts, id, open: true, sending, sent: Vec::new(), size: 0 })
    }

    /// Sends `first`, `next` and, unless the body has `ended`, the rest of the body. Then completes
    /// the upload. Returns the object's size.
    pub(super) async fn send(
        &mut self,
        first: Bytes,
        mut next: BytesMut,
        mut ended: bool,
        body: &mut Body,
    ) -> Result<u64, StoreErrorKind> {
        self.send_part(1, first).await?;
        let mut number = 2;
        loop {
            let last = mem::take(&mut next);
            if !last.is_empty() {
                self.send_part(number, last.freeze()).await?;
                number += 1;
            }
            if ended {
                break;
            }
            ended = self.fill_part(body, &mut next, number).await?;
        }
        while let Some(part) = self.sending.join_next().await {
            self.take(part)?;
        }
        self.complete().await?;
        Ok(self.size)
    }

    /// Reads the next part. Notices failed parts meanwhile, because the producer may be slow and
    /// its work in vain.
    async fn fill_part(&mut self, body: &mut Body, buffer: &mut BytesMut, number: i32) -> Result<bool, StoreErrorKind> {
        let size = self.parts.size(number);
        loop {
            tokio::select! {
                ended = fill(body, buffer, size) => return ended.map_err(StoreErrorKind::Source),
                Some(part) = self.sending.join_next() => self.take(part)?,
            }
        }
    }

    /// Starts to send a part as soon as there is room for it.
    async fn send_part(&mut self, number: i32, content: Bytes) -> Result<(), StoreErrorKind> {
        if number > MOST_PARTS {
            return Err(StoreErrorKind::Other(format!(
                "the object is too large: S3 accepts {MOST_PARTS} parts, at most {} bytes",
                self.size
            )));
        }
        let settings = &self.store.settings;
        let room = parallel(content.len(), settings.parallel, settings.in_flight);
        while self.sending.len() >= room {
            if let Some(part) = self.sending.join_next().await {
                self.take(part)?;
            }
        }
        self.size += content.len() as u64;
        let budget = self.store.budget.clone();
        let share = self.store.share(content.len());
        let room =
            budget.acquire_many_owned(share).await.map_err(|closed| StoreErrorKind::Other(closed.to_string()))?;
        let (store, name, id) = (self.store.clone(), self.store.name(&self.attempt.key), self.id.clone());
        self.sending.spawn(async move {
            // Released when the part was sent.
            let _room = room;
            let size = content.len();
            let request = store.client.upload_part().bucket(&store.bucket).key(name).upload_id(id);
            let sent = request
                .part_number(number)
                .content_md5(content_md5(&content).await?)
                .body(content.into())
                .customize()
                .config_override(store.sending(size))
                .send()
                .await
                .map_err(|error| store.kind(error))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
        });
        Ok(())
    }

    fn take(&mut self, part: Result<PartResult, JoinError>) -> Result<(), StoreErrorKind> {
        let part = part.map_err(|dead| StoreErrorKind::Io(std::io::Error::other(dead)))??;
        self.sent.push(part);
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), StoreErrorKind> {
        self.sent.sort_unstable_by_key(CompletedPart::part_number);
        // Ceph RGW and Garage ignore the condition of this request. So this checks once more after
        // the long upload.
        if self.attempt.mode.creates() && self.store.look(&self.attempt.key).await?.is_some() {
            return Err(StoreErrorKind::AlreadyExists);
        }
        let mut outcome = Ok(());
        for condition in self.attempt.conditions() {
            outcome = self.request_completion(*condition).await;
            if !outcome.as_ref().is_err_and(errors::is_not_implemented) {
                break;
            }
        }
        // This is checked in either case. A request sent again after a lost answer gets "no such
        // upload", and a server may report an upload as complete after it lost parts.
        let standing = self.store.standing(&self.attempt, self.size).await;
        match (outcome, standing?) {
            (_, Standing::Ours) => {}
            (Ok(()), Standing::Unnamed(stored)) if stored == self.size => {}
            (Ok(()), Standing::Unnamed(stored)) => return Err(sizes_differ(self.size, stored)),
            // This upload was stored, and another process replaced it since. With `CreateNew` that
            // is no success: the server ignored the condition.
            (Ok(()), Standing::Anothers) if self.attempt.mode == Mode::Replace => {}
            (Ok(()), Standing::Anothers) => return Err(StoreErrorKind::AlreadyExists),
            (Ok(()), Standing::Nothing) => {
                return Err(StoreErrorKind::Other(
                    "the server called the upload complete, but the object is not there".into(),
                ));
            }
            (Err(error), _) => return Err(self.store.kind(error)),
        }
        self.open = false;
        Ok(())
    }

    async fn request_completion(&self, condition: Option<&str>) -> Result<(), SdkError<CompleteMultipartUploadError>> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.sent.clone())).build();
        self.store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.store.name(&self.attempt.key))
            .upload_id(&self.id)
            .multipart_upload(parts)
            .set_if_none_match(condition.map(str::to_owned))
            .customize()
            .config_override(self.store.completing())
            .send()
            .await
            .map(|_| ())
    }

    /// Aborts the upload, and frees what the server keeps of it.
    pub(super) async fn abort(mut self) {
        self.sending.shutdown().await;
        abort(&self.store, self.store.name(&self.attempt.key), &self.id).await;
        self.open = false;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Outside a runtime the program is about to end, and the sweep cleans up.
        if let Ok(runtime) = Handle::try_current() {
            let (store, name, id) = (self.store.clone(), self.store.name(&self.attempt.key), mem::take(&mut self.id));
            let mut sending = mem::take(&mut self.sending);
            let aborting = store.aborting.token();
            runtime.spawn(async move {
                sending.shutdown().await;
                abort(&store, name, &id).await;
                drop(aborting);
            });
        }
    }
}

/// Ignores failures: the caller already has one to report, a second would hide it, and the sweep
/// cleans up.
async fn abort(store: &Inner, name: String, id: &str) {
    let request = store.client.abort_multipart_upload().bucket(&store.bucket).key(&name).upload_id(id);
    match request.customize().config_override(store.clearing()).send().await {
        Ok(_) => {}
        // The server keeps nothing of it any more.
        Err(error) if errors::is_missing(&error) => {}
        Err(error) => {
            tracing::warn!(object = name, reason = %store.kind(error), "an unfinished upload stays until the next sweep")
        }
    }
}
