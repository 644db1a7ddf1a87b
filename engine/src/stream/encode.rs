//! Encodes an object: fingerprint, compress, fingerprint again.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use bytes::Bytes;

use super::digest::Running;
use super::frame::FrameMaker;
use super::produce::transform;
use super::{Body, ChunkReader, ChunkWriter, DigestWriter, Fingerprint, Outcome};
use crate::progress::Task;

/// A zstd compression level from 1 to 19. Higher levels need more memory to read than `zstd -d`
/// allows by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(i32);

impl Level {
    /// Returns a level, or `None` if there is no such level.
    pub fn new(level: i32) -> Option<Self> {
        (1..=19).contains(&level).then_some(Self(level))
    }

    /// The level of the lists stored next to dump and volumes. It never changes, so a recreated
    /// list has the same bytes as the lost one.
    pub(crate) const OF_LISTS: Self = Self(3);

    /// Returns all levels, the likeliest first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let usual = Self::default();
        [usual].into_iter().chain((1..=19).map(Self).filter(move |level| *level != usual))
    }

    pub(super) fn get(self) -> i32 {
        self.0
    }
}

impl Default for Level {
    /// Returns level 2. A dump is 3 to 4 % larger than at zstd's own default, 3, and takes a fifth
    /// to a quarter less processor time.
    fn default() -> Self {
        Self(2)
    }
}

/// A stream to be stored.
pub struct Encoded<T = ()> {
    /// What is to be stored.
    pub body: Body,
    /// What is known of it once the body was read to its end.
    pub outcome: Outcome<Packed<T>>,
}

/// The fingerprints of a stream before and after compression, and what else its producer found out.
#[derive(Debug)]
pub struct Packed<T = ()> {
    /// Before compression.
    pub plain: Fingerprint,
    /// After compression, as stored.
    pub stored: Fingerprint,
    /// What else its producer found out.
    pub value: T,
}

/// How much of a stream becomes one frame. Smaller frames compress worse (by half a percent at half
/// the size), larger ones take memory.
pub(crate) const BLOCK: usize = 2 * 1024 * 1024;

/// Compresses a body into consecutive zstd frames, with `threads` compressors (at least one) and
/// one thread for fingerprints.
///
/// The plain bytes advance `task`.
pub fn encode(body: Body, level: Level, threads: u32, task: Task) -> Encoded {
    let (body, outcome) = transform(body, BLOCK, move |plain, out| {
        thread::scope(|scope| compress(scope, plain, out, level, threads, &task))
    });
    Encoded { body, outcome }
}

/// Compresses a list that is stored next to dump and volumes.
pub fn encode_list(body: Body) -> Encoded {
    encode(body, Level::OF_LISTS, 0, Task::default())
}

/// Hands the blocks to the compressors in turn, and takes the frames back in the same order.
fn compress<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut blocks: ChunkReader,
    out: &mut ChunkWriter,
    level: Level,
    threads: u32,
    task: &Task,
) -> io::Result<Packed> {
    let mut compressors = Compressors::start(scope, level, threads, |frame| frame)?;
    let (mut plain, mut stored) = (Running::default(), DigestWriter::new(out));
    let mut next = blocks.next_chunk()?;
    if next.is_none() {
        // An empty stream has a frame too: no bytes at all would not be zstd.
        compressors.deal(Bytes::new())?;
    }
    while let Some(block) = next {
        let length = block.len();
        if let Some(frame) = compressors.deal(block.clone())? {
            stored.write_all(&frame)?;
        }
        plain.update(&block);
        task.advance(length as u64);
        next = blocks.next_chunk()?;
    }
    while let Some(frame) = compressors.take()? {
        stored.write_all(&frame)?;
    }
    Ok(Packed { plain: plain.fingerprint(), stored: stored.finish().1, value: () })
}

/// How many blocks a compressor may have that were not taken back as frames: one in progress, and
/// the next.
const AHEAD: usize = 2;

/// Threads that compress blocks into frames, in turn.
pub(crate) struct Compressors<T> {
    threads: Vec<FrameThread<T>>,
    dealt: usize,
    taken: usize,
}

impl<T: Send + 'static> Compressors<T> {
    /// Starts `threads` of them, at least one. Each also does `finish` with its frames.
    pub(crate) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        level: Level,
        threads: u32,
        finish: fn(Vec<u8>) -> T,
    ) -> io::Result<Self> {
        let start = |_| FrameThread::start(scope, level, finish);
        Ok(Self { threads: (0..threads.max(1)).map(start).collect::<io::Result<_>>()?, dealt: 0, taken: 0 })
    }

    /// Hands out a block. Returns the oldest frame if every thread has enough to do: it waits until
    /// that is made.
    pub(crate) fn deal(&mut self, block: Bytes) -> io::Result<Option<T>> {
        let is_full = self.dealt - self.taken == AHEAD * self.threads.len();
        let due = if is_full { self.take()? } else { None };
        self.turn(self.dealt).blocks.send(block).map_err(|_| gone())?;
        self.dealt += 1;
        Ok(due)
    }

    /// Returns the oldest frame that was not taken, or `None` if there is none.
    pub(crate) fn take(&mut self) -> io::Result<Option<T>> {
        if self.taken == self.dealt {
            return Ok(None);
        }
        let frame = self.turn(self.taken).frames.recv().map_err(|_| gone())??;
        self.taken += 1;
        Ok(Some(frame))
    }

    fn turn(&self, count: usize) -> &FrameThread<T> {
        &self.threads[count % self.threads.len()]
    }
}

/// A thread that compresses each block into a frame. It ends when this is dropped.
struct FrameThread<T> {
    blocks: SyncSender<Bytes>,
    frames: Receiver<io::Result<T>>,
}

impl<T: Send + 'static> FrameThread<T> {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, level: Level, finish: fn(Vec<u8>) -> T) -> io::Result<Self> {
        let (blocks, to_do) = sync_channel::<Bytes>(AHEAD);
        let (done, frames) = sync_channel(AHEAD);
        let mut maker = FrameMaker::new(level)?;
        thread::Builder::new().name("zstd".into()).spawn_scoped(scope, move || {
            for block in to_do {
                let mut frame = Vec::new();
                let made = maker.make(&block, &mut frame);
                // Freed before the frame is handed on, so that the next one can use its memory.
                drop(block);
                if done.send(made.map(|()| finish(frame))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { blocks, frames })
    }
}

/// Returns the error for a compressor that panicked. The scope that it runs in panics too.
fn gone() -> io::Error {
    io::Error::other("the compressor thread ended")
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::stream::body_of;

    async fn encoded(plain: Vec<u8>, threads: u32) -> (Vec<u8>, Packed) {
        let Encoded { mut body, outcome } = encode(body_of(plain), Level::default(), threads, Task::default());
        let mut stored = Vec::new();
        body.read_to_end(&mut stored).await.unwrap();
        (stored, outcome.get().unwrap())
    }

    #[tokio::test]
    async fn threads_compress_as_one_does() {
        for length in [0, 1, BLOCK, BLOCK + 1, 9 * BLOCK + 7] {
            let plain: Vec<u8> = (0..length).map(|i| (i / 1000 % 251) as u8).collect();
            let (stored, packed) = encoded(plain.clone(), 3).await;
            assert!(zstd::decode_all(stored.as_slice()).unwrap() == plain, "{length}");
            assert_eq!(packed.plain, Fingerprint::of(&plain));
            assert_eq!(packed.stored, Fingerprint::of(&stored));
            assert!(encoded(plain, 0).await.0 == stored);
        }
    }
}
