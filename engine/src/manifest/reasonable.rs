//! Refuses manifests that this program cannot have written, before anything relies on them.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{Error, SeqAccess, Visitor};

use super::findings::SHORTEST_LINE as SHORTEST_FINDING;
use super::{BackupRef, DumpVolume, DumpVolumes, FORMAT_1, Manifest};
use crate::dump::MOST_VOLUMES;
use crate::store::{Key, is_segment};

/// The largest number in a manifest: 8 PiB, which every JSON reader represents exactly.
const LARGEST: u64 = 1 << 53;

/// The most names in one list of a manifest. A manifest of the greatest length has no room for
/// more.
const MOST_NAMES: usize = 500_000;

/// From this many names on, they must have the usual length: otherwise a short manifest would take
/// much memory.
const FEW_NAMES: usize = 10_000;
const SHORTEST_AVERAGE: usize = 16;

/// The most bytes of header, names and padding for each file in a volume's tar archive, and of its
/// end.
const LARGEST_OVERHEAD: u64 = 16 * 1024;
const LARGEST_END: u64 = 1024 * 1024;

/// The shortest line of a volume's list, in bytes.
const SHORTEST_LINE: u64 = 120;

/// The most bytes of a volume's list, which is kept in memory, and of the other lists, which are
/// not.
const LARGEST_VOLUME_LIST: u64 = 256 * 1024 * 1024;
const LARGEST_LIST: u64 = 4 * 1024 * 1024 * 1024;

/// Reads a list of names, in no more memory than the names of a real list take.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of names")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<String>, A::Error> {
            let (mut names, mut bytes) = (Vec::new(), 0);
            while let Some(name) = seq.next_element::<String>()? {
                bytes += name.len();
                names.push(name);
                if names.len() > MOST_NAMES || names.len() > FEW_NAMES && bytes < names.len() * SHORTEST_AVERAGE {
                    return Err(A::Error::custom("a list of names is longer than it can be"));
                }
            }
            Ok(names)
        }
    }
    deserializer.deserialize_seq(Names)
}

impl Manifest {
    /// Returns what is wrong with a manifest that could be parsed, if this program cannot have
    /// written it.
    pub(crate) fn unreasonable(&self) -> Option<String> {
        self.nameless()
            .or_else(|| self.too_large())
            .or_else(|| self.named_twice())
            .or_else(|| self.contradiction())
            .or_else(|| self.strange_dump())
            .or_else(|| self.strange_findings())
            .or_else(|| self.encrypted())
            .or_else(|| self.elsewhere())
    }

    /// Returns a message if the instance's name cannot be a folder of a repository.
    fn nameless(&self) -> Option<String> {
        (!is_segment(&self.instance)).then(|| format!("{:?} cannot be the name of an instance", self.instance))
    }

    /// Returns a message if a number is too large, so that sums could overflow.
    fn too_large(&self) -> Option<String> {
        let content = &self.filestore;
        let sizes = self.objects().flat_map(|object| [object.plain.size, object.stored.size]);
        let sizes = sizes.chain([self.database.dump.plain().size]);
        let volumes = content.volumes.iter().flat_map(|volume| [volume.files, volume.bytes]);
        let findings = content.counts_of_findings().total().unwrap_or(u64::MAX);
        let files = [content.files, content.bytes, content.new_files, content.new_bytes, findings];
        let rows = self.database.rows.iter().flat_map(|rows| [rows.tables, rows.rows, rows.large_objects]);
        let all = sizes.chain(volumes).chain(files).chain(rows).try_fold(0_u64, |sum, number| sum.checked_add(number));
        let mut volumes = content.volumes.iter().map(|volume| &volume.list);
        let of_volume = volumes.find(|list| list.plain.size > LARGEST_VOLUME_LIST);
        if let Some(list) = of_volume.or_else(|| self.lists().find(|list| list.plain.size > LARGEST_LIST)) {
            return Some(format!("the list {} is larger than any backup's can be", list.key));
        }
        match all {
            Some(sum) if sum <= LARGEST => None,
            _ => Some("it states sizes that are larger than any backup has".to_owned()),
        }
    }

    fn named_twice(&self) -> Option<String> {
        let mut seen: HashSet<&Key> = HashSet::new();
        let twice = self.objects().find(|object| !seen.insert(&object.key))?;
        Some(format!("it names {} twice", twice.key))
    }

    /// Returns a message if figures of a volume contradict each other.
    fn contradiction(&self) -> Option<String> {
        let wrong = self.filestore.volumes.iter().find(|volume| {
            let archive = volume.files.saturating_mul(LARGEST_OVERHEAD).saturating_add(volume.bytes + LARGEST_END);
            volume.object.plain.size > archive || volume.files > volume.list.plain.size / SHORTEST_LINE
        })?;
        let (files, bytes) = (wrong.files, wrong.bytes);
        Some(format!("the sizes that it states of {} do not fit {files} files of {bytes} bytes", wrong.object.key))
    }

    /// Returns a message if the backup is encrypted.
    fn encrypted(&self) -> Option<String> {
        (!self.keys.is_empty()).then(|| "it is encrypted, and this version of odoo-backup cannot read that".to_owned())
    }

    /// Returns a message if the parts of the dump do not fit each other.
    fn strange_dump(&self) -> Option<String> {
        let Some(DumpVolumes { map, volumes, chain, .. }) = self.database.dump.volumes() else {
            let is_known = self.format == FORMAT_1;
            return (!is_known).then(|| format!("a dump in one object is not of format {}", self.format));
        };
        let Some(own) = volumes.last() else { return Some("its dump has no volume".to_owned()) };
        let folder = self.backup().folder();
        let of_chain = |key: &Key| BackupRef::of_object(key).is_some_and(|backup| backup.id >= *chain);
        let is_elsewhere = |volume: &DumpVolume| {
            let [object, index] = [&volume.object.key, &volume.index.key].map(BackupRef::of_object);
            object != index || !of_chain(&volume.object.key)
        };
        let lists = volumes.iter().map(|volume| &volume.index).chain([map]);
        if self.format == FORMAT_1 {
            Some("a dump in volumes is not of format 1".to_owned())
        } else if volumes.len() > MOST_VOLUMES || !volumes.is_sorted_by(|one, next| one.n < next.n) {
            Some("the volumes of its dump are too many, or not in order".to_owned())
        } else if [&own.object, &own.index, map].into_iter().any(|object| !object.key.is_under(&folder)) {
            Some("its own volume, index or map is not in its folder".to_owned())
        } else if volumes.iter().any(is_elsewhere) {
            Some("a volume of its dump does not belong to its chain".to_owned())
        } else if (*chain == self.id) != (volumes.len() == 1 && own.n == 1) {
            Some("it does not agree with itself on whether its dump is a full one".to_owned())
        } else {
            let large = lists.into_iter().find(|list| list.plain.size > LARGEST_VOLUME_LIST)?;
            Some(format!("the list {} is larger than any backup's can be", large.key))
        }
    }

    /// Returns a message if the findings are not those of its format, or are too many for their
    /// list.
    fn strange_findings(&self) -> Option<String> {
        let content = &self.filestore;
        let (named, listed) = (content.findings.is_some(), content.found.is_some());
        if listed != (self.format > FORMAT_1) || named && listed {
            return Some(format!("what it says of damaged files is not of format {}", self.format));
        }
        let list = content.list_of_findings()?;
        let counts = content.counts_of_findings();
        let names = counts.total().map_or(u64::MAX, |total| total - counts.unreferenced);
        if list.plain.size > LARGEST_VOLUME_LIST {
            Some(format!("the list {} is larger than any backup's can be", list.key))
        } else if names > list.plain.size / SHORTEST_FINDING {
            Some(format!("the sizes that it states of {} do not fit {names} files", list.key))
        } else {
            None
        }
    }

    /// Returns a message if the manifest names an object outside its own backup and earlier backups
    /// of its instance: a prune keeps no other objects for it.
    fn elsewhere(&self) -> Option<String> {
        let instance = Key::new(self.instance.as_str()).ok()?;
        let is_right =
            |key: &Key| key.is_under(&instance) && BackupRef::of_object(key).is_some_and(|backup| backup.id <= self.id);
        let wrong = self.objects().find(|object| !is_right(&object.key))?;
        Some(format!("it names {}, which belongs neither to it nor to an earlier backup of its instance", wrong.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::BackupId;
    use crate::manifest::{FilestoreContent, FilestoreFindings, StoredDump, StoredObject, Volume, made_up};
    use crate::stream::Fingerprint;

    fn id() -> BackupId {
        "20261121T020003Z-3f9c".parse().unwrap()
    }

    fn object(key: &str, size: u64) -> StoredObject {
        let fingerprint = Fingerprint { size, ..Fingerprint::of(b"") };
        StoredObject { key: Key::new(key).unwrap(), plain: fingerprint, stored: fingerprint }
    }

    fn volume(number: u32) -> Volume {
        let key = |kind: &str| format!("shop/{}/filestore-{number:04}.{kind}.zst", id());
        let (object, list) = (object(&key("tar"), 4096), object(&key("files"), 400));
        Volume { files: 2, bytes: 100, object, list, replaces: None }
    }

    fn manifest(volumes: Vec<Volume>) -> Manifest {
        let mut manifest = made_up::manifest("shop", &id(), object(&format!("shop/{}/database.dump.zst", id()), 7));
        manifest.filestore = FilestoreContent { volumes, ..FilestoreContent::default() };
        manifest
    }

    #[test]
    fn ordinary_manifest_is_reasonable() {
        assert_eq!(manifest(vec![volume(1), volume(2)]).unreasonable(), None);
    }

    #[test]
    fn forged_figures_are_unreasonable() {
        let [mut size, mut sum, mut files, mut archive, mut later, mut other, mut list, mut name] =
            std::array::from_fn(|_| manifest(vec![volume(1), volume(2)]));
        size.filestore.volumes[0].object.plain.size = u64::MAX;
        sum.filestore.bytes = LARGEST;
        files.filestore.volumes[0].files = 4;
        archive.filestore.volumes[1].object.plain.size = 2 << 20;
        later.filestore.volumes[0].object.key = Key::new("shop/20261121T020004Z-0000/x.tar.zst").unwrap();
        other.database.dump = StoredDump::Whole(object(&format!("else/{}/database.dump.zst", id()), 7));
        list.filestore.volumes[1].list.plain.size = LARGEST_VOLUME_LIST + 1;
        name.instance = "shop~".into();
        let twice = manifest(vec![volume(1), volume(1)]);
        let said = [size, sum, files, archive, later, other, list, twice, name]
            .map(|manifest| manifest.unreasonable().unwrap());
        let parts = [
            "larger than",
            "larger than",
            "do not fit",
            "do not fit",
            "belongs neither to",
            "belongs neither to",
            "larger than",
            "twice",
            "cannot be the name",
        ];
        for (said, part) in said.iter().zip(parts) {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn very_many_short_names_are_refused() {
        let read = |name: &str, count: usize| {
            let names = vec![format!("{name:?}"); count].join(",");
            serde_json::from_str::<FilestoreFindings>(&format!("{{\"missing\": [{names}]}}"))
        };
        assert_eq!(read("a", FEW_NAMES).unwrap().missing.len(), FEW_NAMES);
        assert!(read("a", FEW_NAMES + 1).is_err());
        let long = "da/da39a3ee5e6b4b0d3255bfef95601890afd80709";
        assert_eq!(read(long, FEW_NAMES * 2).unwrap().missing.len(), FEW_NAMES * 2);
        assert!(read(long, MOST_NAMES + 1).is_err());
    }
}
