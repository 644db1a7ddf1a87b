//! What a manifest says of the database: its dump, and the rows in it.

use serde::{Deserialize, Serialize};

use super::{BackupId, StoredObject};
use crate::stream::Fingerprint;

/// The dump of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseContent {
    /// The database's name at its source.
    pub name: String,
    /// The version of the pg_dump that made it: `15.18 (Debian 15.18-0+deb12u1)`. An older
    /// pg_restore may not read it.
    pub pg_dump: String,
    /// pg_dump's custom format, which is itself uncompressed.
    #[serde(flatten)]
    pub dump: StoredDump,
    /// How many rows it contains. `None` if they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowContent>,
}

impl DatabaseContent {
    /// Returns the major version of pg_dump. pg_restore must be at least as new.
    pub fn pg_dump_major(&self) -> u32 {
        let digits: String = self.pg_dump.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }
}

/// How a dump is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub enum StoredDump {
    /// Format 1: in one object, with zstd.
    Whole(StoredObject),
    /// Format 2: in the volumes of its chain.
    Volumes(Box<DumpVolumes>),
}

/// A dump that is put together from the volumes of several backups; see [`crate::dump`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpVolumes {
    /// The whole dump.
    pub dump: Fingerprint,
    /// The map: of which parts of which volumes the dump consists.
    pub map: StoredObject,
    /// The volumes that the map names, in the order of their numbers. The last is the backup's own.
    pub volumes: Vec<DumpVolume>,
    /// The full backup with which its chain begins: itself, if it is full.
    pub chain: BackupId,
}

/// A volume of dumps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpVolume {
    /// Its number in maps.
    pub n: u32,
    /// What is new in the dump of the backup that made it, in zstd frames.
    pub object: StoredObject,
    /// The list of its frames and chunks, in zstd.
    pub index: StoredObject,
}

impl StoredDump {
    /// Returns the fingerprint of the whole dump before compression.
    pub fn plain(&self) -> Fingerprint {
        match self {
            Self::Whole(object) => object.plain,
            Self::Volumes(volumes) => volumes.dump,
        }
    }

    /// Returns all objects that it is read from.
    pub fn objects(&self) -> impl Iterator<Item = &StoredObject> {
        let (whole, volumes) = match self {
            Self::Whole(object) => (Some(object), None),
            Self::Volumes(volumes) => (None, Some(volumes)),
        };
        let parts = volumes.into_iter().flat_map(|stored| {
            let volumes = stored.volumes.iter().flat_map(|volume| [&volume.object, &volume.index]);
            volumes.chain([&stored.map])
        });
        whole.into_iter().chain(parts)
    }

    /// Returns how many of its bytes no earlier backup has.
    pub fn new_bytes(&self) -> u64 {
        match self {
            Self::Whole(object) => object.plain.size,
            Self::Volumes(stored) => stored.volumes.last().map_or(0, |own| own.object.plain.size),
        }
    }

    /// Returns the full backup with which the chain of a dump in volumes begins.
    pub fn chain(&self) -> Option<&BackupId> {
        self.volumes().map(|stored| &stored.chain)
    }

    /// Returns the object that stands for the dump: the whole of it, or its map.
    pub fn main(&self) -> &StoredObject {
        match self {
            Self::Whole(object) => object,
            Self::Volumes(volumes) => &volumes.map,
        }
    }

    /// Returns the volumes. `None` if the dump is stored whole.
    pub fn volumes(&self) -> Option<&DumpVolumes> {
        match self {
            Self::Whole(_) => None,
            Self::Volumes(volumes) => Some(volumes),
        }
    }
}

/// The fields of both formats.
#[derive(Clone, Serialize, Deserialize)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<StoredObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dump: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    map: Option<StoredObject>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<DumpVolume>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<BackupId>,
}

impl From<StoredDump> for Fields {
    fn from(dump: StoredDump) -> Self {
        match dump {
            StoredDump::Whole(object) => {
                Self { object: Some(object), dump: None, map: None, volumes: Vec::new(), chain: None }
            }
            StoredDump::Volumes(stored) => {
                let DumpVolumes { dump, map, volumes, chain } = *stored;
                Self { object: None, dump: Some(dump), map: Some(map), volumes, chain: Some(chain) }
            }
        }
    }
}

impl TryFrom<Fields> for StoredDump {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        match fields {
            Fields { object: Some(object), dump: None, map: None, volumes, chain: None } if volumes.is_empty() => {
                Ok(Self::Whole(object))
            }
            Fields { object: None, dump: Some(dump), map: Some(map), volumes, chain: Some(chain) } => {
                Ok(Self::Volumes(Box::new(DumpVolumes { dump, map, volumes, chain })))
            }
            _ => Err("a dump is either `object`, or `dump`, `map`, `volumes` and `chain`"),
        }
    }
}

/// The rows of a dump, counted while it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowContent {
    /// The number of tables whose data it contains.
    pub tables: u64,
    /// Their rows together.
    pub rows: u64,
    /// The number of large objects.
    pub large_objects: u64,
    /// The list of the tables, one JSON object per line, in zstd; see `crate::postgres::TableRows`.
    pub list: StoredObject,
}
