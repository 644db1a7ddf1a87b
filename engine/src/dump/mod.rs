//! Stores a dump as what is new in it, and puts a dump together from the volumes of several
//! backups.
//!
//! A dump is cut into *chunks* by its content. What an earlier *volume* of the chain has is only
//! referenced. What is new is appended to the backup's own volume, which is compressed in *frames*.
//! The *index* of a volume lists both. The *map* of a backup lists the *segments* of volumes that
//! are its dump:
//!
//! ```text
//! write: pg_dump → chunks → known? ─ yes → map
//!                             └──── no ──→ map, volume: zstd frames → store
//! read:  map → frames of volumes → SHA-256 → zstd → SHA-256 of the dump
//! ```
//!
//! This module knows neither manifests nor the repository. `docs/decisions/0017-dump-volumes.md`
//! has the formats and the reasons.

mod base;
mod choose;
mod chunks;
mod index;
mod known;
#[cfg(test)]
mod made_up;
mod map;
mod read;
mod write;

pub use base::{Base, Continued};
pub use choose::{Built, FullReason, MOST_VOLUMES, full_reason, kept};
pub use chunks::{ChunkKey, Chunker};
pub use index::{Frames, Index, Lengths, read_index};
pub use known::Known;
pub use map::{Segment, VolumeSize, needs, read_map};
pub use read::{DamagedVolume, Dump, Open, StoredVolume, read_dump};
pub use write::{WrittenDump, write_dump};

#[cfg(test)]
mod tests;
