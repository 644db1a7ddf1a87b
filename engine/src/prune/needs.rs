//! Computes how much of a volume the backups of an instance still need.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use retention::Percent;

use crate::error::Error;
use crate::filestore::{FileName, FileNames, read_list};
use crate::manifest::{Manifest, StoredObject, Volume, removed_paths};
use crate::repository::{Examined, Repository, or_damage};
use crate::store::Key;
use crate::stream::{ChunkReader, DecodeReader};

/// A volume, and what is needed of it.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) volume: Volume,
    /// Whether each file is needed, in the order of the volume's list.
    pub(super) needed: Vec<bool>,
    /// How many files are needed.
    pub(super) files: u64,
    /// Their bytes together.
    pub(super) bytes: u64,
}

/// Returns the volumes of which `manifests` need less than `below`, ordered by key. For a damaged
/// list it returns the damage, because what is needed is then unknown.
///
/// # Errors
/// Any error of the store
pub(super) async fn little_needed(
    repository: &Repository,
    manifests: &[Manifest],
    below: Percent,
) -> Result<Examined<Vec<Need>>, Error> {
    let candidates = candidates(manifests, below);
    let is_one = |volume: &Volume| candidates.contains_key(&volume.object.key);
    let manifests: Vec<&Manifest> =
        manifests.iter().filter(|manifest| manifest.filestore.volumes.iter().any(is_one)).collect();
    let mut contents = match Contents::of(repository, candidates.values()).await? {
        Examined::Intact(contents) => contents,
        Examined::Damaged(damage) => return Ok(Examined::Damaged(damage)),
    };
    let mut needs: BTreeMap<&Key, Vec<bool>> = BTreeMap::new();
    for manifest in manifests {
        let taken = match contents.taken_by(repository, manifest).await? {
            Examined::Intact(taken) => taken,
            Examined::Damaged(damage) => return Ok(Examined::Damaged(damage)),
        };
        for (volume, index) in manifest.filestore.volumes.iter().zip(0..) {
            let Some((key, _)) = candidates.get_key_value(&volume.object.key) else { continue };
            let files = contents.files(&volume.list);
            let needed = needs.entry(key).or_insert_with(|| vec![false; files.len()]);
            for (needed, file) in needed.iter_mut().zip(files) {
                *needed |= taken.get(*file as usize) == Some(&Some(index));
            }
        }
    }
    let needs = needs.into_iter().filter_map(|(key, needed)| {
        let volume = candidates.get(key)?;
        let taken = || contents.sizes(&volume.list).iter().zip(&needed).filter(|(_, needed)| **needed);
        let (files, bytes) = (taken().count() as u64, taken().map(|(size, _)| size).sum());
        let need = Need { volume: (*volume).clone(), needed, files, bytes };
        // No backup would name a volume of which nothing is needed.
        (files > 0 && below.is_undercut(need.bytes, need.volume.bytes)).then_some(need)
    });
    Ok(Examined::Intact(needs.collect()))
}

/// Returns the volumes of which little may be needed, judged by the manifests alone. A backup can
/// lack at most the difference between its volumes' bytes and its files' bytes. So if nothing was
/// ever removed, no list is read.
fn candidates(manifests: &[Manifest], below: Percent) -> BTreeMap<Key, &Volume> {
    let mut candidates: BTreeMap<Key, &Volume> = BTreeMap::new();
    let mut others: HashSet<&Key> = HashSet::new();
    for manifest in manifests {
        let content = &manifest.filestore;
        let held: u64 = content.volumes.iter().map(|volume| volume.bytes).sum();
        let spare = held.saturating_sub(content.bytes);
        for volume in &content.volumes {
            let key = &volume.object.key;
            let known = *candidates.entry(key.clone()).or_insert(volume);
            let is_same = (&known.object, &known.list) == (&volume.object, &volume.list);
            if !is_same || !below.is_undercut(volume.bytes.saturating_sub(spare), volume.bytes) {
                others.insert(key);
            }
        }
    }
    candidates.retain(|key, _| !others.contains(key));
    candidates
}

/// The files of volumes, each as a number for its path. Paths outside the candidates have no
/// number, and are skipped.
struct Contents {
    numbers: Arc<FileNames<u32>>,
    /// How many numbers are in use.
    count: usize,
    /// By the key of the list, which may also be a list of removed paths.
    files: HashMap<Key, Vec<u32>>,
    /// The sizes of the candidates' files, by the key of the list.
    sizes: HashMap<Key, Vec<u64>>,
}

impl Contents {
    async fn of<'a>(
        repository: &Repository,
        candidates: impl Iterator<Item = &'a &'a Volume>,
    ) -> Result<Examined<Self>, Error> {
        let (mut lists, mut sizes) = (Vec::new(), HashMap::new());
        for volume in candidates {
            let bounds = volume.bounds();
            let read = repository.read_cached(&volume.list, move |list| {
                let files = read_list(list, bounds).map(|file| file.map(|file| (FileName::new(&file.path), file.size)));
                files.collect::<io::Result<(Vec<FileName>, Vec<u64>)>>()
            });
            let key = &volume.list.key;
            match or_damage(read.await)? {
                Examined::Intact((names, of)) => {
                    lists.push((key.clone(), names));
                    sizes.insert(key.clone(), of);
                }
                Examined::Damaged(damage) => return Ok(Examined::Damaged(damage)),
            }
        }
        // A name that is in several lists keeps one of the numbers. The other numbers are not used.
        let named = lists.iter().flat_map(|(_, names)| names).cloned().zip(0_u32..);
        let (numbers, count) = (named.collect::<FileNames<u32>>(), lists.iter().map(|(_, names)| names.len()).sum());
        let number = |names: Vec<FileName>| names.iter().filter_map(|name| numbers.get(name).copied()).collect();
        let files = lists.into_iter().map(|(key, names)| (key, number(names))).collect();
        Ok(Examined::Intact(Self { numbers: Arc::new(numbers), count, files, sizes }))
    }

    /// Returns from which volume a backup takes each file, by the volume's position in the
    /// manifest.
    async fn taken_by(
        &mut self,
        repository: &Repository,
        manifest: &Manifest,
    ) -> Result<Examined<Vec<Option<u32>>>, Error> {
        let content = &manifest.filestore;
        for volume in &content.volumes {
            let bounds = volume.bounds();
            let paths = move |list| read_list(list, bounds).map(|file| Ok(file?.path));
            if let Examined::Damaged(damage) = self.learn(repository, &volume.list, paths).await? {
                return Ok(Examined::Damaged(damage));
            }
        }
        if let Some(removed) = &content.removed
            && let Examined::Damaged(damage) = self.learn(repository, removed, removed_paths).await?
        {
            return Ok(Examined::Damaged(damage));
        }
        let mut taken = vec![None; self.count];
        let lists = content.volumes.iter().map(|volume| &volume.list).zip((0..).map(Some));
        for (list, volume) in lists.chain(content.removed.iter().map(|removed| (removed, None))) {
            for file in self.files(list) {
                if let Some(taken) = taken.get_mut(*file as usize) {
                    *taken = volume;
                }
            }
        }
        Ok(Examined::Intact(taken))
    }

    /// Reads a list of paths, unless it was read already.
    async fn learn<P: Iterator<Item = io::Result<String>>>(
        &mut self,
        repository: &Repository,
        list: &StoredObject,
        paths: impl FnOnce(DecodeReader<ChunkReader>) -> P + Send + 'static,
    ) -> Result<Examined<()>, Error> {
        if self.files.contains_key(&list.key) {
            return Ok(Examined::Intact(()));
        }
        let numbers = self.numbers.clone();
        let read = repository.read_cached(list, move |list| {
            let numbers = paths(list).map(|path| Ok(numbers.get(&FileName::new(&path?)).copied()));
            numbers.filter_map(Result::transpose).collect::<io::Result<Vec<u32>>>()
        });
        match or_damage(read.await)? {
            Examined::Intact(files) => self.files.insert(list.key.clone(), files),
            Examined::Damaged(damage) => return Ok(Examined::Damaged(damage)),
        };
        Ok(Examined::Intact(()))
    }

    fn files(&self, list: &StoredObject) -> &[u32] {
        self.files.get(&list.key).map_or(&[], Vec::as_slice)
    }

    fn sizes(&self, list: &StoredObject) -> &[u64] {
        self.sizes.get(&list.key).map_or(&[], Vec::as_slice)
    }
}
