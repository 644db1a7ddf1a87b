//! Writes what is new in a dump as a volume, with its index and the map of the dump.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};

use bytes::{Bytes, BytesMut};

use super::base::Base;
use super::chunks::Cutter;
use super::index::IndexWriter;
use super::map::{MapWriter, Segment};
use crate::progress::Task;
use crate::stream::{
    BLOCK, Body, ChunkReader, ChunkWriter, Compressors, Digest, DigestWriter, Encoded, Fingerprint, Level, Packed,
    Running, transform,
};

/// What is known of a dump once its new volume was read to the end. `Packed` describes the
/// volume.
pub struct WrittenDump {
    /// The whole dump.
    pub dump: Fingerprint,
    /// How many segments its map has.
    pub segments: u64,
    /// The numbers of the volumes in it.
    pub used: BTreeSet<u32>,
    /// The index of the new volume.
    pub index: Encoded,
    /// The map of the dump.
    pub map: Encoded,
}

/// Writes the chunks of `dump` that `base` lacks as a volume, in zstd frames of 2 MiB.
///
/// If nothing is known, the volume is the dump. If nothing is new, it is one empty frame. `threads`
/// compressors run, at least one. The bytes of the dump advance `task`.
///
/// Must be called within a tokio runtime.
pub fn write_dump(dump: Body, base: Base, level: Level, threads: u32, task: Task) -> Encoded<WrittenDump> {
    let (body, outcome) = transform(dump, BLOCK, move |blocks, out| {
        thread::scope(|scope| {
            let is_full = base.known.is_empty();
            let volume = Volume::start(scope, out, level, threads, is_full)?;
            let (index, map) = (IndexWriter::new(), MapWriter::new()?);
            Writer { base, volume, index, map, is_full, cut: 0, last: None }.run(scope, blocks, &task)
        })
    });
    Encoded { body, outcome }
}

struct Writer<'a> {
    base: Base,
    volume: Volume<'a>,
    index: IndexWriter,
    map: MapWriter,
    /// Whether nothing is known: the blocks of the dump are those of the volume.
    is_full: bool,
    /// The bytes of a full dump that were cut.
    cut: u64,
    /// The index of the chunk that was found last.
    last: Option<usize>,
}

impl Writer<'_> {
    fn run<'scope>(
        mut self,
        scope: &'scope Scope<'scope, '_>,
        mut blocks: ChunkReader,
        task: &Task,
    ) -> io::Result<Packed<WrittenDump>> {
        let whole = Fingerprinter::start(scope)?;
        let mut cutter = Cutter::new(&self.base.chunker);
        while let Some(block) = blocks.next_chunk()? {
            whole.update(block.clone())?;
            cutter.push(&block, |chunk| self.append(chunk))?;
            if self.is_full {
                self.volume.append_block(&block, &mut self.index)?;
            }
            task.advance(block.len() as u64);
        }
        cutter.finish(|chunk| self.append(chunk))?;
        let Self { base, volume, mut index, map, .. } = self;
        let (plain, stored) = volume.finish(&mut index)?;
        let (map, segments, used) = map.finish()?;
        let index = index.finish(base.chunker, base.key)?;
        let dump = whole.finish()?;
        let plain = plain.unwrap_or(dump);
        Ok(Packed { plain, stored, value: WrittenDump { dump, segments, used, index, map } })
    }

    /// Appends a chunk to the dump, and to the volume unless it is known.
    fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        let (digest, length) = (self.base.key.digest(chunk), chunk.len() as u64);
        if self.is_full {
            self.map.push(Segment { volume: self.base.number, offset: self.cut, length })?;
            self.cut += length;
            self.index.chunk(chunk.len() as u32, digest);
            return Ok(());
        }
        if self.map.has_room()
            && let Some(found) = self.base.known.find(digest, length, self.last)
        {
            self.last = Some(found.index);
            return self.map.push(Segment { volume: found.volume, offset: found.offset, length });
        }
        self.map.push(Segment { volume: self.base.number, offset: self.volume.position(), length })?;
        self.index.chunk(chunk.len() as u32, digest);
        self.volume.append(chunk, &mut self.index)
    }
}

/// A volume in the making.
struct Volume<'a> {
    compressors: Compressors<(Vec<u8>, Digest)>,
    /// What follows the last full frame.
    pending: BytesMut,
    /// The bytes of full frames.
    position: u64,
    /// What was appended. `None` if that is the whole dump, which is fingerprinted anyway.
    plain: Option<Running>,
    stored: DigestWriter<&'a mut ChunkWriter>,
}

impl<'a> Volume<'a> {
    fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        out: &'a mut ChunkWriter,
        level: Level,
        threads: u32,
        is_whole_dump: bool,
    ) -> io::Result<Self> {
        let digest = |frame: Vec<u8>| {
            let digest = Digest::of(&frame);
            (frame, digest)
        };
        Ok(Self {
            compressors: Compressors::start(scope, level, threads, digest)?,
            pending: BytesMut::new(),
            position: 0,
            plain: (!is_whole_dump).then(Running::default),
            stored: DigestWriter::new(out),
        })
    }

    /// Returns how many bytes were appended.
    fn position(&self) -> u64 {
        self.position + self.pending.len() as u64
    }

    fn append(&mut self, mut chunk: &[u8], index: &mut IndexWriter) -> io::Result<()> {
        while !chunk.is_empty() {
            if self.pending.capacity() == 0 {
                self.pending.reserve(BLOCK);
            }
            let (first, rest) = chunk.split_at(chunk.len().min(BLOCK - self.pending.len()));
            self.pending.extend_from_slice(first);
            chunk = rest;
            if self.pending.len() == BLOCK {
                self.compress(index)?;
            }
        }
        Ok(())
    }

    /// Appends a block. One that is a whole frame is not copied.
    fn append_block(&mut self, block: &Bytes, index: &mut IndexWriter) -> io::Result<()> {
        match self.pending.is_empty() && block.len() == BLOCK {
            true => self.compress_block(block.clone(), index),
            false => self.append(block, index),
        }
    }

    /// Ends the current frame.
    fn compress(&mut self, index: &mut IndexWriter) -> io::Result<()> {
        let block = std::mem::take(&mut self.pending).freeze();
        self.compress_block(block, index)
    }

    fn compress_block(&mut self, block: Bytes, index: &mut IndexWriter) -> io::Result<()> {
        let due = self.compressors.deal(block.clone())?;
        self.position += block.len() as u64;
        if let Some(plain) = &mut self.plain {
            plain.update(&block);
        }
        due.map_or(Ok(()), |frame| store(&mut self.stored, frame, index))
    }

    /// Stores what is left. Returns the fingerprints of the volume before and after compression.
    fn finish(mut self, index: &mut IndexWriter) -> io::Result<(Option<Fingerprint>, Fingerprint)> {
        if !self.pending.is_empty() || self.position() == 0 {
            self.compress(index)?;
        }
        while let Some(frame) = self.compressors.take()? {
            store(&mut self.stored, frame, index)?;
        }
        Ok((self.plain.map(Running::fingerprint), self.stored.finish().1))
    }
}

fn store(out: &mut impl Write, (frame, digest): (Vec<u8>, Digest), index: &mut IndexWriter) -> io::Result<()> {
    index.frame(frame.len() as u32, digest);
    out.write_all(&frame)
}

/// How many blocks may wait for their fingerprint.
const WAITING: usize = 2;

/// A thread that fingerprints the whole dump, while another one cuts it.
struct Fingerprinter<'scope> {
    blocks: SyncSender<Bytes>,
    thread: ScopedJoinHandle<'scope, Fingerprint>,
}

impl<'scope> Fingerprinter<'scope> {
    fn start(scope: &'scope Scope<'scope, '_>) -> io::Result<Self> {
        let (blocks, to_do) = sync_channel::<Bytes>(WAITING);
        let thread = thread::Builder::new().name("sha256".into()).spawn_scoped(scope, move || {
            let mut running = Running::default();
            to_do.iter().for_each(|block| running.update(&block));
            running.fingerprint()
        })?;
        Ok(Self { blocks, thread })
    }

    fn update(&self, block: Bytes) -> io::Result<()> {
        self.blocks.send(block).map_err(|_| gone())
    }

    fn finish(self) -> io::Result<Fingerprint> {
        drop(self.blocks);
        self.thread.join().map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("the fingerprint thread ended")
}
