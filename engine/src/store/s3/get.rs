//! Reads an object to its end, over connections that may break.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::{ByteStream, ByteStreamError};
use bytes::Bytes;
use futures::stream;
use tokio::time::Instant;
use tokio_util::io::StreamReader;

use super::list::length;
use super::{Inner, S3Settings, errors};
use crate::store::{Action, Key, StoreErrorKind};
use crate::stream::Body;

/// An object, or a range of it, that is being read.
struct Reading {
    store: Arc<Inner>,
    key: Key,
    content: ByteStream,
    /// The positions of the next and the last byte in the object.
    at: u64,
    end: u64,
    /// Identifies the version of the object. A server that sends none cannot resume it.
    etag: Option<String>,
    /// Broken connections since the last byte arrived.
    breaks: u32,
    rate: Rate,
}

/// How fast bytes arrive, in consecutive windows of waiting. Any byte would reset a timeout, so one
/// byte a second could keep a reader for ever.
#[derive(Debug, Default)]
struct Rate {
    waited: Duration,
    bytes: u64,
    /// Consecutive windows that were too slow.
    slow: u32,
}

impl Rate {
    /// Records a wait and the bytes that it brought. Returns a reason if a window is over in which
    /// too little came.
    fn note(&mut self, waited: Duration, bytes: usize, settings: &S3Settings) -> Option<String> {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < settings.patience {
            return None;
        }
        let Self { waited, bytes, slow } = std::mem::take(self);
        if bytes as f64 >= settings.least as f64 * waited.as_secs_f64() {
            return None;
        }
        self.slow = slow + 1;
        Some(format!("only {bytes} bytes came in {} seconds", waited.as_secs()))
    }
}

pub(super) async fn open(store: &Arc<Inner>, key: &Key, range: Option<Range<u64>>) -> Result<Body, StoreErrorKind> {
    if let Some(range) = &range
        && range.is_empty()
    {
        return Err(StoreErrorKind::Other(format!(
            "bytes {}..{} were requested, which is an empty range",
            range.start, range.end
        )));
    }
    let answer = store.request(key, range.clone(), None).await?;
    let range = match range {
        Some(range) if answer.length < range.end - range.start => {
            let (start, end, length) = (range.start, range.end, answer.length);
            let text = format!("bytes {start}..{end} were requested, the server has {length} of them");
            return Err(StoreErrorKind::Corrupt(text));
        }
        // A server that ignores the range sends the object from its start.
        Some(range) if answer.length != range.end - range.start => {
            return Err(StoreErrorKind::Other(format!(
                "bytes {}..{} were requested, the server sends {}",
                range.start, range.end, answer.length
            )));
        }
        Some(range) => range,
        None => 0..answer.length,
    };
    let reading = Reading {
        store: store.clone(),
        key: key.clone(),
        content: answer.content,
        at: range.start,
        end: range.end,
        etag: answer.etag,
        breaks: 0,
        rate: Rate::default(),
    };
    let pieces = stream::try_unfold(reading, |mut reading| async move {
        match reading.next().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, reading))),
            Err(kind) => Err(io::Error::other(reading.store.error(Action::Get, Some(&reading.key), kind))),
        }
    });
    Ok(Box::pin(StreamReader::new(Box::pin(pieces))))
}

impl Reading {
    /// Returns the next bytes, or `None` only after the last one.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreErrorKind> {
        while self.at < self.end {
            // Only the wait for the server counts, not the time that the consumer takes.
            let began = Instant::now();
            let next = tokio::time::timeout(self.store.settings.patience, self.content.next()).await;
            let why = match next.unwrap_or_else(|_| Some(Err(stalled()))) {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) => {
                    self.at += piece.len() as u64;
                    self.breaks = 0;
                    if self.at > self.end {
                        return Err(StoreErrorKind::Unavailable("the server sent more than it announced".into()));
                    }
                    let slow = self.rate.note(began.elapsed(), piece.len(), &self.store.settings);
                    if let Some(why) = slow.filter(|_| self.at < self.end) {
                        self.give_up_slow(&why)?;
                        // Another connection may reach a healthy server, and the bytes so far are
                        // kept.
                        self.resume(why).await?;
                    }
                    return Ok(Some(piece));
                }
                Some(Err(error)) => errors::innermost(&error),
                None => "the connection ended early".to_owned(),
            };
            self.resume(why).await?;
        }
        Ok(None)
    }

    fn give_up_slow(&self, why: &str) -> Result<(), StoreErrorKind> {
        if self.rate.slow < self.store.settings.persistent_attempts {
            return Ok(());
        }
        let connections = self.rate.slow;
        Err(StoreErrorKind::Unavailable(format!("{why}, and no more over {connections} connections in a row")))
    }

    /// Continues where the bytes stopped, in the same version of the object.
    async fn resume(&mut self, why: String) -> Result<(), StoreErrorKind> {
        self.breaks += 1;
        let Some(etag) = &self.etag else {
            return Err(StoreErrorKind::Unavailable(why));
        };
        if self.breaks >= self.store.settings.persistent_attempts {
            return Err(StoreErrorKind::Unavailable(format!("{why}; gave up after {} attempts", self.breaks)));
        }
        tracing::debug!(key = %self.key, at = self.at, why, "the connection broke; reading continues");
        tokio::time::sleep(self.store.settings.pauses().after(self.breaks - 1)).await;
        let answer = self.store.request(&self.key, Some(self.at..self.end), Some(etag)).await;
        let answer = match answer {
            Err(StoreErrorKind::AlreadyExists) => return Err(replaced()),
            answer => answer?,
        };
        // Garage ignores `If-Match`. A server that ignores the range sends the object from its
        // start.
        if answer.etag.as_ref() != Some(etag) {
            return Err(replaced());
        }
        if answer.length != self.end - self.at {
            return Err(StoreErrorKind::Unavailable(format!(
                "{} bytes are missing, the server sends {}",
                self.end - self.at,
                answer.length
            )));
        }
        self.content = answer.content;
        Ok(())
    }
}

fn stalled() -> ByteStreamError {
    io::Error::new(io::ErrorKind::TimedOut, "no more bytes came").into()
}

fn replaced() -> StoreErrorKind {
    StoreErrorKind::Other("the object was replaced while it was read".into())
}

struct Answer {
    content: ByteStream,
    length: u64,
    etag: Option<String>,
}

impl Inner {
    async fn request(
        &self,
        key: &Key,
        range: Option<Range<u64>>,
        etag: Option<&str>,
    ) -> Result<Answer, StoreErrorKind> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.name(key));
        let answer = request
            .set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)))
            .set_if_match(etag.map(str::to_owned))
            .send()
            .await
            .map_err(|error| self.kind(error))?;
        Ok(Answer { length: length(answer.content_length)?, content: answer.body, etag: answer.e_tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trickle_counts_as_slow() {
        let settings = S3Settings { patience: Duration::from_secs(30), least: 1000, ..S3Settings::default() };
        let second = Duration::from_secs(1);
        let mut rate = Rate::default();
        let slow = (0..90).filter(|_| rate.note(second, 1, &settings).is_some()).count();
        assert_eq!((slow, rate.slow), (3, 3));
        assert_eq!(rate.note(29 * second, 1_000_000, &settings), None);
        assert_eq!(rate.note(second, 1, &settings), None);
        assert_eq!(rate.slow, 0, "a fast window resets the count");
    }
}
