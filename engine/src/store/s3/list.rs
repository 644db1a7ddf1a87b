//! Lists objects, and looks up one of them.

use std::collections::VecDeque;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use futures::stream::{self, Stream};
use jiff::Timestamp;

use super::order::Reorder;
use super::{Inner, errors};
use crate::store::{Key, Object, StoreErrorKind};

impl Inner {
    pub(super) async fn head(&self, key: &Key) -> Result<Option<Object>, StoreErrorKind> {
        let Some(found) = self.look(key).await? else {
            return Ok(None);
        };
        Ok(Some(Object {
            key: key.clone(),
            size: length(found.content_length())?,
            modified: time(found.last_modified())?,
        }))
    }

    /// Returns what HEAD says of an object. Returns `None` if the bucket exists and the object does
    /// not.
    pub(super) async fn look(&self, key: &Key) -> Result<Option<HeadObjectOutput>, StoreErrorKind> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.name(key));
        match request.send().await {
            Ok(found) => {
                // From now on, a 404 is about the object.
                let _ = self.bucket_seen.set(());
                Ok(Some(found))
            }
            Err(error) if errors::is_missing(&error) => {
                self.bucket_seen.get_or_try_init(|| self.see_bucket()).await.map(|()| None)
            }
            Err(error) => Err(self.kind(error)),
        }
    }

    async fn see_bucket(&self) -> Result<(), StoreErrorKind> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Err(error) if errors::is_missing(&error) => {
                Err(StoreErrorKind::NoSuchPlace(format!("the bucket {:?}", self.bucket)))
            }
            Err(error) => match self.kind(error) {
                // A role that may read objects may not always ask about the bucket.
                StoreErrorKind::Denied(_) => Ok(()),
                kind => Err(kind),
            },
            Ok(_) => Ok(()),
        }
    }
}

/// A listing in progress.
struct Listing<'a> {
    store: &'a Inner,
    prefix: Option<Key>,
    order: Reorder,
    ready: VecDeque<Object>,
    next: Next,
}

/// What to request next, when everything received was yielded.
enum Next {
    Page(Option<String>),
    Nothing,
}

pub(super) fn list(store: &Inner, prefix: Option<Key>) -> impl Stream<Item = Result<Object, StoreErrorKind>> + Send {
    let listing =
        Listing { store, order: Reorder::new(prefix.as_ref()), ready: VecDeque::new(), next: Next::Page(None), prefix };
    stream::try_unfold(listing, |mut listing| async move {
        loop {
            if let Some(object) = listing.ready.pop_front() {
                return Ok(Some((object, listing)));
            }
            match std::mem::replace(&mut listing.next, Next::Nothing) {
                Next::Page(token) => listing.page(token).await?,
                Next::Nothing => return Ok(None),
            }
        }
    })
}

impl Listing<'_> {
    async fn page(&mut self, token: Option<String>) -> Result<(), StoreErrorKind> {
        let store = self.store;
        // With its slash, it is a folder without its neighbours: `a/b` would find `a/bc`.
        let folder = self.prefix.as_ref().map_or_else(|| store.prefix.clone(), |key| format!("{}/", store.name(key)));
        let request = store.client.list_objects_v2().bucket(&store.bucket).prefix(folder);
        let page = request.set_continuation_token(token.clone()).send().await.map_err(|error| store.kind(error))?;
        for entry in page.contents() {
            let name = entry.key().and_then(|name| name.strip_prefix(&store.prefix));
            // Another program stored a name that is not a key of this program.
            let Some(key) = name.and_then(|name| Key::new(name).ok()) else {
                continue;
            };
            let object = Object { key, size: length(entry.size())?, modified: time(entry.last_modified())? };
            self.ready.extend(self.order.push(object));
        }
        self.next = match (page.is_truncated().unwrap_or(false), page.next_continuation_token()) {
            (false, _) => Next::Nothing,
            (true, Some(next)) if token.as_deref() != Some(next) => Next::Page(Some(next.to_owned())),
            // Stopping here would look like the end, and asking again would not end.
            (true, _) => {
                return Err(StoreErrorKind::Other(
                    "the listing is incomplete, but does not say where it continues".into(),
                ));
            }
        };
        if matches!(self.next, Next::Nothing) {
            self.ready.extend(self.order.finish());
        }
        Ok(())
    }
}

/// Returns a length as S3 reports it.
pub(super) fn length(reported: Option<i64>) -> Result<u64, StoreErrorKind> {
    reported
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| StoreErrorKind::Other("the server does not say how long the object is".into()))
}

fn time(reported: Option<&DateTime>) -> Result<Timestamp, StoreErrorKind> {
    reported
        .and_then(|time| Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok())
        .ok_or_else(|| StoreErrorKind::Other("the server does not say when the object was written".into()))
}
