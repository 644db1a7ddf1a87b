//! Reads objects back.

use std::collections::{BTreeMap, HashMap};
use std::io;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::ReadBack;
use super::known::remember;
use super::rotation::{Candidate, Rotation};
use super::sample::Sample;
use super::structure::Survey;
use crate::cause;
use crate::dump::{DamagedVolume, read_index};
use crate::error::{Error, explain};
use crate::filestore::{compare, read_list};
use crate::manifest::{DumpVolume, Manifest, StoredObject, Volume};
use crate::postgres::{self, Tools};
use crate::progress::Task;
use crate::repository::{Damage, Examined, Repository, RepositoryError, or_damage, speaks_of_object};
use crate::run::Run;
use crate::store::Key;
use crate::stream::{Digest, Malformed};

/// How many objects are read at once.
const PARALLEL_READS: usize = 2;

/// The damage found by reading objects, by the key and the digest that was expected.
#[derive(Debug, Default)]
pub(super) struct ReadFindings(HashMap<(Key, Digest), Vec<Damage>>);

impl ReadFindings {
    /// Returns the damage of an object, compared with what a manifest says of it.
    pub(super) fn of(&self, object: &StoredObject) -> &[Damage] {
        self.0.get(&name_of(object)).map_or(&[], Vec::as_slice)
    }

    /// Returns whether an object was read.
    pub(super) fn have_read(&self, key: &Key) -> bool {
        self.0.keys().any(|(read, _)| read == key)
    }
}

fn name_of(object: &StoredObject) -> (Key, Digest) {
    (object.key.clone(), object.stored.sha256)
}

/// What is read at once.
enum Unit<'a> {
    /// A whole dump or its map, and whether pg_restore can read the table of contents.
    Dump(&'a Manifest),
    /// A volume of dumps and its index, which are compared with each other.
    DumpVolume(&'a DumpVolume),
    /// A volume and its list, which are compared with each other.
    Volume(&'a Volume),
    List(&'a StoredObject),
}

impl Unit<'_> {
    /// Returns the object that identifies the unit, and the one that is read with it.
    fn objects(&self) -> (&StoredObject, Option<&StoredObject>) {
        match self {
            Self::Dump(manifest) => (manifest.database.dump.main(), None),
            Self::DumpVolume(volume) => (&volume.object, Some(&volume.index)),
            Self::Volume(volume) => (&volume.object, Some(&volume.list)),
            Self::List(object) => (object, None),
        }
    }
}

/// Reads a sample of what the manifests name, except objects that the survey found damaged.
pub(super) async fn read_back(
    repository: &Repository,
    surveys: &[Survey],
    sample: Sample,
    tools: &Tools,
    run: &Run,
) -> Result<(ReadFindings, ReadBack), Error> {
    let candidates: Vec<_> = surveys.iter().flat_map(candidates).collect();
    let instances = surveys.iter().map(|survey| survey.instance());
    let mut rotation = Rotation::load(repository, instances).await?;
    let chosen = rotation.choose(&candidates, sample);
    let mut findings = ReadFindings::default();
    // Collected first: a closure in the stream would keep the future from being a task of its own
    // (rust-lang/rust#102211).
    let reads: Vec<_> = chosen
        .iter()
        .map(|candidate| async {
            let mut damage = read_unit(repository, &candidate.what, tools, run).await?;
            if let Some(Damage { key, reason }) = damage.first() {
                // Memory, a cable or a server may be faulty. One read is not enough to call a
                // backup damaged.
                tracing::warn!(%key, reason, "the object looks damaged; reading it again");
                damage = read_unit(repository, &candidate.what, tools, run).await?;
            }
            Ok::<_, Error>((*candidate, damage))
        })
        .collect();
    let mut reading = futures::stream::iter(reads).buffer_unordered(PARALLEL_READS);
    while let Some((candidate, damage)) = reading.try_next().await? {
        rotation.note(candidate, damage.is_empty());
        if !damage.is_empty() {
            remember(repository, &candidate.instance, &damage, run).await;
        }
        let (first, second) = candidate.what.objects();
        for object in std::iter::once(first).chain(second) {
            let own = damage.iter().filter(|damage| damage.key == object.key);
            findings.0.insert(name_of(object), own.cloned().collect());
        }
    }
    drop(reading);
    let summary = rotation.summary(&candidates, &chosen);
    let is_there = |instance: &str, key: &Key| {
        surveys.iter().any(|survey| survey.instance() == instance && survey.listed.has(key))
    };
    rotation.store(repository, is_there, sample, run).await;
    Ok((findings, summary))
}

/// Returns everything that an instance's manifests name, once each.
fn candidates(survey: &Survey) -> impl Iterator<Item = Candidate<Unit<'_>>> {
    let mut units: BTreeMap<(Key, String), Unit<'_>> = BTreeMap::new();
    for backup in &survey.backups {
        let Some(manifest) = &backup.manifest else { continue };
        let parts = manifest.database.dump.volumes().into_iter().flat_map(|stored| &stored.volumes);
        let dump = std::iter::once(Unit::Dump(manifest)).chain(parts.map(Unit::DumpVolume));
        let volumes = manifest.filestore.volumes.iter().map(Unit::Volume);
        for unit in dump.chain(volumes).chain(manifest.lists().map(Unit::List)) {
            let (first, second) = unit.objects();
            // Objects that are missing or have another size are already known to be damaged.
            let is_there = |object: &StoredObject| survey.listed.holds(object);
            if is_there(first) && second.is_none_or(is_there) {
                units.insert((first.key.clone(), first.stored.sha256.to_string()), unit);
            }
        }
    }
    units.into_iter().map(|((key, _), unit)| {
        let (first, second) = unit.objects();
        let bytes = first.stored.size + second.map_or(0, |second| second.stored.size);
        let stored = survey.listed.get(&key).map_or(Timestamp::MIN, |object| object.modified);
        let partner = second.map(|second| second.key.clone());
        Candidate { instance: survey.instance().to_owned(), key, partner, bytes, stored, what: unit }
    })
}

async fn read_unit(repository: &Repository, unit: &Unit<'_>, tools: &Tools, run: &Run) -> Result<Vec<Damage>, Error> {
    let (object, _) = unit.objects();
    let task = match unit {
        Unit::List(_) => Task::default(),
        Unit::Dump(_) | Unit::DumpVolume(_) | Unit::Volume(_) => {
            run.progress.task(object.key.as_str(), Some(object.plain.size))
        }
    };
    match unit {
        Unit::List(object) => Ok(read_to_end(repository, object, task).await?.into_iter().collect()),
        Unit::Dump(manifest) => Ok(match read_to_end(repository, object, task).await? {
            None => unreadable_archive(repository, manifest, tools).await?.into_iter().collect(),
            Some(damage) => vec![damage],
        }),
        Unit::DumpVolume(volume) => read_dump_volume(repository, volume, task).await,
        Unit::Volume(volume) => read_volume(repository, volume, task).await,
    }
}

async fn read_to_end(repository: &Repository, object: &StoredObject, task: Task) -> Result<Option<Damage>, Error> {
    Ok(repository.examine(object, task, |plain| io::copy(plain, &mut io::sink())).await?.damage())
}

/// Makes pg_restore read the table of contents of a dump whose bytes match. Returns the damage if
/// it cannot.
async fn unreadable_archive(
    repository: &Repository,
    manifest: &Manifest,
    tools: &Tools,
) -> Result<Option<Damage>, Error> {
    let object = manifest.database.dump.main();
    let tool = tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
    let opened = async {
        let dump = repository.dump(manifest).await?;
        Ok((dump.open(Task::default()).await?, dump))
    };
    let (archive, dump) = match or_damage(opened.await)? {
        Examined::Intact(opened) => opened,
        Examined::Damaged(damage) => return Ok(Some(damage)),
    };
    match postgres::read_toc(&tool, archive, dump.name()).await {
        Ok(_) => Ok(None),
        Err(error) if error.is_verdict() || speaks_of_object(&error) => {
            let volume = cause::row(&error).find_map(|error| error.downcast_ref::<DamagedVolume>());
            let key = volume.map_or_else(|| object.key.clone(), |volume| volume.key.clone());
            Ok(Some(Damage { key, reason: explain(&error).to_string() }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads a volume of dumps and its index, and compares each frame with the index.
pub(super) async fn read_dump_volume(
    repository: &Repository,
    volume: &DumpVolume,
    task: Task,
) -> Result<Vec<Damage>, Error> {
    let lengths = volume.lengths();
    let index = repository.examine(&volume.index, Task::default(), move |index| read_index(index, lengths)).await?;
    let index = match index {
        Examined::Intact(index) => index,
        Examined::Damaged(of_index) => {
            let of_volume = read_to_end(repository, &volume.object, task).await?;
            return Ok(of_volume.into_iter().chain([of_index]).collect());
        }
    };
    let Some(reader) = repository.volume(volume, index.frames).map_err(|source| reading(&volume.index, source))? else {
        // It has no bytes, so no dump needs a frame of it.
        return Ok(read_to_end(repository, &volume.object, task).await?.into_iter().collect());
    };
    let read = async {
        let mut plain = reader.open(task.clone()).await?;
        let copied = tokio::io::copy(&mut plain, &mut tokio::io::sink()).await;
        copied.map_err(|source| reading(&volume.object, source))
    };
    let Examined::Damaged(damage) = or_damage(read.await)? else { return Ok(Vec::new()) };
    // A frame differs from the index. The volume's own digest tells which of the two is wrong.
    Ok(match read_to_end(repository, &volume.object, task).await? {
        Some(_) => vec![damage],
        None => {
            let reason = format!("it does not describe its volume: {}", damage.reason);
            vec![Damage { key: volume.index.key.clone(), reason }]
        }
    })
}

fn reading(object: &StoredObject, source: io::Error) -> RepositoryError {
    RepositoryError::Read { key: object.key.clone(), source }
}

/// Reads a volume and its list, and compares each of the files with the list.
pub(super) async fn read_volume(repository: &Repository, volume: &Volume, task: Task) -> Result<Vec<Damage>, Error> {
    let bounds = volume.bounds();
    let listed = repository.examine(&volume.list, Task::default(), move |list| {
        let mut files = HashMap::new();
        for listed in read_list(list, bounds) {
            let (path, fingerprint) = listed?.fingerprint();
            if files.insert(path, fingerprint).is_some() {
                return Err(Malformed("it lists a file twice".to_owned()).into());
            }
        }
        Ok(files)
    });
    let object = &volume.object;
    let files = match listed.await? {
        Examined::Intact(files) => files,
        // Whether the volume is intact decides whether its list can be recreated.
        Examined::Damaged(of_list) => {
            let of_volume = read_to_end(repository, object, task).await?;
            return Ok(of_volume.into_iter().chain([of_list]).collect());
        }
    };
    let compared = repository.examine(object, task, |archive| compare(archive, files));
    let wrong = match compared.await? {
        Examined::Intact(None) => return Ok(Vec::new()),
        Examined::Intact(Some(reason)) => Damage { key: object.key.clone(), reason },
        Examined::Damaged(damage) => damage,
    };
    Ok(vec![wrong])
}
