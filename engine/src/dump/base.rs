//! What a backup's dump is based on.

use std::io::{self, Read};

use super::choose::FullReason;
use super::chunks::{ChunkKey, Chunker};
use super::index::{Lengths, read_index_with};
use super::known::Known;
use crate::stream::Malformed;

/// The chunks of earlier volumes, and how the chain cuts and knows them.
pub struct Base {
    pub(super) known: Known,
    pub(super) chunker: Chunker,
    pub(super) key: ChunkKey,
    /// The number of the volume to be written.
    pub(super) number: u32,
}

impl Base {
    /// Begins a chain: a full backup of a dump of about `bytes`.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn full(bytes: u64) -> Result<Self, getrandom::Error> {
        let (chunker, key) = (Chunker::for_dump(bytes), ChunkKey::draw()?);
        Ok(Self { known: Known::default(), chunker, key, number: 1 })
    }

    /// Returns the number of the volume to be written.
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// A base in the making that continues a chain. The volumes to build upon are [added](Self::add).
pub struct Continued {
    known: Known,
    /// How the chain cuts and knows chunks, by the first index.
    chain: Option<(Chunker, ChunkKey)>,
    number: u32,
}

impl Continued {
    /// Begins with nothing known, after volumes with numbers up to `last`.
    pub fn after(last: u32) -> Self {
        Self { known: Known::default(), chain: None, number: last.saturating_add(1) }
    }

    /// Adds the volume `number` by its index. On an error, and if the caller finds later that the
    /// index is not what the manifest says, the base must not be used.
    ///
    /// # Errors
    /// Those of `index`; `Malformed` if it is no index of such a volume, or one of another chain
    /// than that of the volumes before; [`io::ErrorKind::OutOfMemory`]
    pub fn add(&mut self, number: u32, index: impl Read, lengths: Lengths) -> io::Result<()> {
        let known = std::cell::RefCell::new(&mut self.known);
        let begin = |chunks| known.borrow_mut().begin(number, chunks);
        let read = read_index_with(index, lengths, begin, |(length, digest)| known.borrow_mut().push(length, digest))?;
        let chain = (read.chunker, read.key);
        match self.chain.get_or_insert_with(|| chain.clone()) {
            same if *same == chain => Ok(()),
            _ => Err(Malformed("it belongs to another chain of backups".to_owned()).into()),
        }
    }

    /// Returns the base for a dump of about `bytes`, or why the next backup must be full.
    ///
    /// # Errors
    /// [`FullReason::Nothing`], [`FullReason::Chunker`]
    pub fn finish(self, bytes: u64) -> Result<Base, FullReason> {
        let (chunker, key) = self.chain.ok_or(FullReason::Nothing)?;
        match chunker.suits(bytes) {
            true => Ok(Base { known: self.known, chunker, key, number: self.number }),
            false => Err(FullReason::Chunker),
        }
    }
}
