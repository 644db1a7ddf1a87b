//! Aborts uploads that no process will finish.

use std::time::{Duration, SystemTime};

use super::{Inner, errors};
use crate::store::StoreErrorKind;

impl Inner {
    /// Aborts uploads that were started at least `older_than` ago. Returns the names of their
    /// objects.
    ///
    /// A server that cannot list uploads (s3s-fs, old gateways) counts as having none.
    pub(super) async fn sweep(&self, older_than: Duration) -> Result<Vec<String>, StoreErrorKind> {
        // The earlier clock counts: one that is ahead would make a current upload look old.
        let now = SystemTime::now();
        let now = self.clock.now().map_or(now, |server| SystemTime::from(server).min(now));
        let limit = now.checked_sub(older_than);
        let limit = limit.and_then(|limit| limit.duration_since(SystemTime::UNIX_EPOCH).ok());
        let Some(limit) = limit.map(|limit| limit.as_secs_f64()) else {
            return Ok(Vec::new());
        };
        let mut stale = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(&self.prefix);
            let request = request.set_key_marker(key_marker.take()).set_upload_id_marker(id_marker.take());
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) if errors::is_not_implemented(&error) => return Ok(Vec::new()),
                Err(error) => return Err(self.kind(error)),
            };
            for upload in page.uploads() {
                let (Some(name), Some(id), Some(begun)) = (upload.key(), upload.upload_id(), upload.initiated()) else {
                    continue;
                };
                // Some servers accept only folders as a prefix.
                if name.starts_with(&self.prefix) && begun.as_secs_f64() <= limit {
                    stale.push((name.to_owned(), id.to_owned()));
                }
            }
            key_marker = page.next_key_marker;
            id_marker = page.next_upload_id_marker;
            if page.is_truncated != Some(true) || key_marker.is_none() {
                break;
            }
        }
        let mut removed = Vec::new();
        for (name, id) in stale {
            let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(&name).upload_id(id);
            match request.send().await {
                Ok(_) => removed.push(name.strip_prefix(&self.prefix).unwrap_or(&name).to_owned()),
                // It was finished or aborted after it was listed.
                Err(error) if errors::is_missing(&error) => {}
                Err(error) => return Err(self.kind(error)),
            }
        }
        Ok(removed)
    }
}
