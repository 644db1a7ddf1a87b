//! Puts a dump together from the frames of its volumes.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use tokio::io::AsyncReadExt;
use tokio_util::io::StreamReader;
use zstd::bulk::Decompressor;

use super::choose::MOST_VOLUMES;
use super::index::{Frame, Frames};
use super::map::Segment;
use crate::progress::Task;
use crate::store::Key;
use crate::stream::{Body, CHUNK, Digest, Fingerprint, Malformed, Mismatch, Running, transform};

/// A gap of this many stored bytes is read and dropped: a new request would take longer.
const SMALL_GAP: u64 = 2 * 1024 * 1024;

/// A volume has other bytes than its index says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is damaged: {reason}")]
pub struct DamagedVolume {
    /// The volume.
    pub key: Key,
    /// What is wrong with it.
    pub reason: String,
}

/// A volume that a dump needs.
#[derive(Debug, Clone)]
pub struct StoredVolume {
    /// Its number in the map.
    pub number: u32,
    /// Its object.
    pub key: Key,
    /// Its frames, by its index.
    pub frames: Frames,
}

/// How a dump is put together. Map and indexes must have been verified before.
#[derive(Debug)]
pub struct Dump {
    volumes: Vec<StoredVolume>,
    segments: Vec<Segment>,
    /// The last frame of each volume that is needed.
    last: Vec<usize>,
    whole: Fingerprint,
}

impl Dump {
    /// Combines the parts of a dump with the fingerprint `whole`.
    ///
    /// # Errors
    /// `Malformed` if the parts do not fit each other
    pub fn new(volumes: Vec<StoredVolume>, segments: Vec<Segment>, whole: Fingerprint) -> io::Result<Self> {
        if volumes.len() > MOST_VOLUMES {
            return Err(Malformed(format!("a dump of {} volumes: more than {MOST_VOLUMES}", volumes.len())).into());
        }
        let mut dump = Self { last: vec![0; volumes.len()], volumes, segments, whole };
        let mut bytes = 0_u64;
        for Segment { volume, offset, length } in &dump.segments {
            let slot = dump.slot(*volume).ok_or_else(|| outside(*volume))?;
            let frames = &dump.volumes[slot].frames;
            let end = offset.checked_add(*length).filter(|end| *length > 0 && *end <= frames.plain());
            let (last, _) = frames.locate(end.ok_or_else(|| outside(*volume))? - 1);
            dump.last[slot] = dump.last[slot].max(last);
            bytes = bytes.saturating_add(*length);
        }
        if bytes != whole.size {
            return Err(Malformed(format!("the map has {bytes} bytes, the dump {}", whole.size)).into());
        }
        Ok(dump)
    }

    /// Returns how many stored bytes [`read_dump`] uses: a frame that is needed again after another
    /// one of its volume counts again.
    pub fn stored_bytes(self: &Arc<Self>) -> u64 {
        let fetched = Steps::of(self).filter(|step| step.fetch.is_some());
        fetched.map(|step| step.frame.stored.end - step.frame.stored.start).sum()
    }

    /// Returns the volumes of which [`read_dump`] uses every frame.
    pub fn whole_volumes(self: &Arc<Self>) -> Vec<Key> {
        let mut used: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.volumes.len()];
        for step in Steps::of(self) {
            used[step.slot].extend(step.fetch);
        }
        let volumes = self.volumes.iter().zip(used).filter(|(volume, used)| used.len() == volume.frames.len());
        volumes.map(|(volume, _)| volume.key.clone()).collect()
    }

    fn slot(&self, number: u32) -> Option<usize> {
        self.volumes.iter().position(|volume| volume.number == number)
    }

    fn damaged(&self, slot: usize, reason: String) -> io::Error {
        let key = self.volumes[slot].key.clone();
        io::Error::new(io::ErrorKind::InvalidData, DamagedVolume { key, reason })
    }
}

fn outside(volume: u32) -> io::Error {
    Malformed(format!("the map names bytes that volume {volume} does not have")).into()
}

/// The next bytes of a dump: a part of one frame.
struct Step {
    slot: usize,
    frame: Frame,
    /// The frame's index, if it is not the one of its volume that was used last.
    fetch: Option<usize>,
    within: Range<usize>,
}

/// Walks a dump from its first byte to its last. Who fetches and who decompresses walk alike.
struct Steps {
    dump: Arc<Dump>,
    segment: usize,
    /// Bytes of the segment that were passed.
    passed: u64,
    current: Vec<Option<usize>>,
}

impl Steps {
    fn of(dump: &Arc<Dump>) -> Self {
        Self { dump: dump.clone(), segment: 0, passed: 0, current: vec![None; dump.volumes.len()] }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let segment = self.dump.segments.get(self.segment)?;
        let slot = self.dump.slot(segment.volume)?;
        let (index, start) = self.dump.volumes[slot].frames.locate(segment.offset + self.passed);
        let frame = self.dump.volumes[slot].frames.get(index)?;
        let left = segment.length - self.passed;
        let length = left.min((frame.plain - start) as u64);
        if length == left {
            (self.segment, self.passed) = (self.segment + 1, 0);
        } else {
            self.passed += length;
        }
        let fetch = Some(index).filter(|index| self.current[slot].replace(*index) != Some(*index));
        Some(Step { slot, frame, fetch, within: start..start + length as usize })
    }
}

/// Opens bytes of a volume. Its errors, and those of the body, go to the reader of the dump.
pub type Open = Arc<dyn Fn(&Key, Range<u64>) -> BoxFuture<'static, io::Result<Body>> + Send + Sync>;

/// Returns a dump. Each frame is compared with its digest before zstd sees it, and the end is
/// reported only if the whole dump has its fingerprint. Frames that were read advance `task`.
///
/// A failure of `open` is returned unchanged; what differs from the indexes is a [`DamagedVolume`];
/// a dump with another fingerprint is a `Mismatch`.
///
/// Must be called within a tokio runtime.
pub fn read_dump(dump: Arc<Dump>, open: Open, task: Task) -> Body {
    transform(fetch(&dump, open), CHUNK, move |mut frames, out| {
        let mut whole = Running::default();
        let mut decoder = Decompressor::new()?;
        let mut plain: Vec<Vec<u8>> = vec![Vec::new(); dump.volumes.len()];
        let mut stored = Vec::new();
        for step in Steps::of(&dump) {
            let plain = &mut plain[step.slot];
            if let Some(index) = step.fetch {
                stored.resize((step.frame.stored.end - step.frame.stored.start) as usize, 0);
                frames.read_exact(&mut stored)?;
                task.advance(stored.len() as u64);
                verify(&step.frame, &stored)
                    .and_then(|()| decompress(&mut decoder, &step.frame, &stored, plain))
                    .map_err(|reason| dump.damaged(step.slot, format!("frame {index}: {reason}")))?;
            }
            let bytes = &plain[step.within];
            whole.update(bytes);
            out.write_all(bytes)?;
        }
        if frames.read(&mut [0])? != 0 {
            return Err(io::Error::other("more frames came than were asked for"));
        }
        match whole.fingerprint() {
            found if found == dump.whole => Ok(()),
            found => {
                let mismatch = Mismatch::Plain { expected: dump.whole, found };
                Err(io::Error::new(io::ErrorKind::InvalidData, mismatch))
            }
        }
    })
    .0
}

fn verify(frame: &Frame, stored: &[u8]) -> Result<(), String> {
    match Digest::of(stored) {
        found if found == frame.sha256 => Ok(()),
        found => Err(format!("expected SHA-256 {}, read {found}", frame.sha256)),
    }
}

fn decompress(decoder: &mut Decompressor<'_>, frame: &Frame, stored: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
    plain.clear();
    plain.reserve_exact(frame.plain);
    // It writes no more than the capacity, whatever the frame says.
    decoder.decompress_to_buffer(stored, plain).map_err(|error| format!("it cannot be decompressed: {error}"))?;
    match plain.len() {
        length if length == frame.plain => Ok(()),
        length => Err(format!("it has {length} bytes before compression, and should have {}", frame.plain)),
    }
}

/// Returns the stored frames of a dump, in the order in which they are used.
fn fetch(dump: &Arc<Dump>, open: Open) -> Body {
    let open_volumes = dump.volumes.iter().map(|_| None).collect();
    let fetcher = Fetcher { dump: dump.clone(), steps: Steps::of(dump), open, bodies: open_volumes };
    let frames = stream::try_unfold(fetcher, |mut fetcher| async move {
        Ok::<_, io::Error>(fetcher.next().await?.map(|frame| (frame, fetcher)))
    });
    Box::pin(StreamReader::new(Box::pin(frames)))
}

struct Fetcher {
    dump: Arc<Dump>,
    steps: Steps,
    open: Open,
    /// An open body of each volume, and the position in the volume of its next byte.
    bodies: Vec<Option<(Body, u64)>>,
}

impl Fetcher {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let Some(Step { slot, frame, .. }) = self.steps.by_ref().find(|step| step.fetch.is_some()) else {
            return Ok(None);
        };
        let Range { start, end } = frame.stored;
        let (mut body, at) = match self.bodies[slot].take() {
            Some((body, at)) if at <= start && start - at <= SMALL_GAP => (body, at),
            _ => {
                // Bodies cannot be shared between threads, so nothing borrows `self` meanwhile.
                let opening = self.open(slot, start);
                (opening.await?, start)
            }
        };
        let mut bytes = Vec::with_capacity((end - at) as usize);
        (&mut body).take(end - at).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 != end - at {
            return Err(self.dump.damaged(slot, "it is shorter than its index says".to_owned()));
        }
        self.bodies[slot] = Some((body, end)).filter(|_| end < self.end(slot));
        Ok(Some(Bytes::from(bytes).slice((start - at) as usize..)))
    }

    fn open(&self, slot: usize, start: u64) -> BoxFuture<'static, io::Result<Body>> {
        (self.open)(&self.dump.volumes[slot].key, start..self.end(slot))
    }

    /// Returns where the last frame of a volume ends that is needed.
    fn end(&self, slot: usize) -> u64 {
        self.dump.volumes[slot].frames.get(self.dump.last[slot]).map_or(0, |frame| frame.stored.end)
    }
}

#[cfg(test)]
mod tests;
