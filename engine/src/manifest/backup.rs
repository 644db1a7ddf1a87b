//! Names a backup in a repository.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupId, CHECKSUMS, MANIFEST, Manifest, SET_ASIDE};
use crate::store::Key;
use crate::stream::Digest;

/// A backup of an instance: `production/20261121T020003Z-3f9c`. Sorts by instance, then by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub struct BackupRef {
    /// The instance's name.
    pub instance: String,
    /// The backup's id, unique within the instance.
    pub id: BackupId,
}

impl BackupRef {
    /// Names a backup of an instance.
    pub fn new(instance: impl Into<String>, id: BackupId) -> Self {
        Self { instance: instance.into(), id }
    }

    /// Returns the backup whose folder directly contains an object, or `None` for every other
    /// object.
    pub(crate) fn of_object(key: &Key) -> Option<Self> {
        let mut segments = key.segments();
        let (instance, id, _) = (segments.next()?, segments.next()?, segments.next()?);
        segments.next().is_none().then(|| Some(Self::new(instance, id.parse().ok()?)))?
    }

    /// Returns the folder of its objects.
    pub fn folder(&self) -> Key {
        #[expect(clippy::expect_used, reason = "an instance's name and an id are checked where they are made")]
        Key::new(format!("{}/{}", self.instance, self.id)).expect("two segments of a key")
    }

    /// Returns the key of an object in its folder, by a name that this program uses.
    pub fn object(&self, name: &str) -> Key {
        #[expect(clippy::expect_used, reason = "this program chooses the names")]
        self.folder().join(name).expect("a segment of a key")
    }

    /// Returns the key of its manifest. The backup exists if the manifest does.
    pub fn manifest(&self) -> Key {
        self.object(MANIFEST)
    }

    /// Returns the key of its checksums.
    pub fn checksums(&self) -> Key {
        self.object(CHECKSUMS)
    }

    /// Returns the key of the manifest while the backup is quarantined.
    pub(crate) fn quarantined_manifest(&self) -> Key {
        self.object(SET_ASIDE)
    }
}

/// Another backup of the same instance, as it was when a manifest named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupLink {
    /// Its id.
    pub id: BackupId,
    /// SHA-256 of its `manifest.json`. A repack may have changed the manifest since.
    pub manifest: Digest,
}

impl fmt::Display for BackupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.instance, self.id)
    }
}

impl Manifest {
    /// Returns the backup that it describes.
    pub fn backup(&self) -> BackupRef {
        BackupRef::new(self.instance.as_str(), self.id.clone())
    }
}
