//! `check`: whether what the manifests name is there, and, if asked, every byte of it.
//!
//! Damage is a finding, not an error: the check goes on and names all of it. An error is what keeps it from looking.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as StdError;
use std::io;

use futures::TryStreamExt;

use crate::error::{Error, explain};
use crate::filestore::{Listed, read_files, read_list};
use crate::manifest::{CHECKSUMS, MANIFEST, Manifest, StoredObject, Volume, read_checksums};
use crate::postgres::{self, PostgresError, Tools};
use crate::progress::Task;
use crate::repository::{BackupId, Repository, RepositoryError, member};
use crate::run::Run;
use crate::store::{Key, StoreError, StoreErrorKind, read_document};
use crate::stream::{DecodeReader, Digest, DigestReader, Fingerprint, consume, decode};

/// How deep a check goes.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Read every byte back and compare every digest, rather than looking at sizes only.
    pub read_data: bool,
    /// Where pg_restore is looked for.
    pub tools: Tools,
}

/// What was found of one backup.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The instance it is of.
    pub instance: String,
    /// Its name.
    pub id: BackupId,
    /// Objects that it stands on, those of earlier backups included.
    pub objects: u64,
    /// Their stored size in bytes, together.
    pub bytes: u64,
    /// What is wrong with it; empty where it is sound.
    pub damage: Vec<Damage>,
}

/// Something that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The object.
    pub key: Key,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// Checks backups, each by instance and id. An object that several of them stand on is read once.
///
/// # Errors
/// As the cause of [`Error::Verb`], what kept it from looking: the store is not available, pg_restore is missing.
pub async fn check(
    repository: &Repository,
    backups: &[(String, BackupId)],
    options: &CheckOptions,
    run: &Run,
) -> Result<Vec<Checked>, Error> {
    let work = async {
        let mut checker = Checker { repository, options, run, sizes: BTreeMap::new(), read: HashMap::new() };
        let mut checked = Vec::new();
        for (instance, id) in backups {
            let found = checker.check(instance, id).await?;
            // One that was pruned under the check's eyes is no damage.
            let manifest = member(&id.key(instance), MANIFEST);
            if found.damage.is_empty() || repository.store().head(&manifest).await?.is_some() {
                checked.push(found);
            }
        }
        Ok(checked)
    };
    run.until_cancelled(work).await.map_err(|error| error.during(format!("check {}", repository.store().location())))
}

struct Checker<'a> {
    repository: &'a Repository,
    options: &'a CheckOptions,
    run: &'a Run,
    /// Sizes of the objects of the instances that were listed.
    sizes: BTreeMap<String, HashMap<Key, u64>>,
    /// What was found of the objects that were read, each as what it was held against.
    read: HashMap<(Key, Digest), Option<Damage>>,
}

impl Checker<'_> {
    async fn check(&mut self, instance: &str, id: &BackupId) -> Result<Checked, Error> {
        let mut checked =
            Checked { instance: instance.to_owned(), id: id.clone(), objects: 0, bytes: 0, damage: Vec::new() };
        let manifest = match self.repository.verified_manifest(instance, id).await {
            Ok(manifest) => manifest,
            Err(error) => {
                checked.damage.push(self.damage_of_document(instance, id, error)?);
                return Ok(checked);
            }
        };
        checked.objects = manifest.objects().count() as u64;
        checked.bytes = manifest.objects().map(|object| object.stored.size).sum();
        self.list(instance).await?;
        let sizes = &self.sizes[instance];
        checked.damage.extend(manifest.objects().filter_map(|object| wrong_size(object, sizes)));
        checked.damage.extend(self.wrong_checksums(&manifest).await?);
        if self.options.read_data {
            let unsound: Vec<_> = checked.damage.iter().map(|damage| damage.key.clone()).collect();
            checked.damage.extend(self.read_database(&manifest, &unsound).await?);
            for volume in &manifest.filestore.volumes {
                checked.damage.extend(self.read_volume(volume, &unsound).await?);
            }
            for object in manifest.lists() {
                checked.damage.extend(self.read_other(object, &unsound).await?);
            }
        }
        checked.damage.sort();
        checked.damage.dedup();
        Ok(checked)
    }

    /// What the failure to read a manifest says of it; an error where it says nothing of it.
    fn damage_of_document(&self, instance: &str, id: &BackupId, error: RepositoryError) -> Result<Damage, Error> {
        match error {
            RepositoryError::Damaged { key, reason, .. } => Ok(Damage { key, reason }),
            RepositoryError::Store(error) => damage_by_store(error),
            RepositoryError::NewerFormat { .. } => {
                Ok(Damage { key: member(&id.key(instance), MANIFEST), reason: error.to_string() })
            }
            other => Err(other.into()),
        }
    }

    async fn list(&mut self, instance: &str) -> Result<(), Error> {
        if self.sizes.contains_key(instance) {
            return Ok(());
        }
        let prefix = Key::new(instance).ok();
        let listed = self.repository.store().list(prefix.as_ref()).map_ok(|object| (object.key, object.size));
        let sizes: HashMap<_, _> = listed.try_collect().await?;
        self.sizes.insert(instance.to_owned(), sizes);
        Ok(())
    }

    /// `SHA256SUMS` must say of each object what the manifest says: by it people without this program verify theirs.
    async fn wrong_checksums(&self, manifest: &Manifest) -> Result<Option<Damage>, Error> {
        let folder = manifest.id.key(&manifest.instance);
        let key = member(&folder, CHECKSUMS);
        let listed = read_checksums(&read_document(&**self.repository.store(), &key).await?);
        let own = manifest.objects().filter(|object| object.key.is_under(&folder));
        let wrong: Vec<_> = own
            .filter(|object| listed.get(object.key.name()) != Some(&object.stored.sha256))
            .map(|object| object.key.name())
            .collect();
        let reason = || format!("it does not hold the manifest's digest of {}", wrong.join(", "));
        Ok((!wrong.is_empty()).then(|| Damage { key, reason: reason() }))
    }

    /// Reads the dump back, and lets pg_restore read its table of contents.
    async fn read_database(&mut self, manifest: &Manifest, unsound: &[Key]) -> Result<Option<Damage>, Error> {
        let object = &manifest.database.object;
        if let Some(found) = self.known(object, unsound) {
            return Ok(found);
        }
        let task = self.run.progress.task(object.key.as_str(), Some(object.stored.size));
        let found = match self.read_to_end(object, task).await? {
            None => self.unreadable_archive(manifest).await?,
            damage => damage,
        };
        self.read.insert((object.key.clone(), object.stored.sha256), found.clone());
        Ok(found)
    }

    async fn unreadable_archive(&self, manifest: &Manifest) -> Result<Option<Damage>, Error> {
        let object = &manifest.database.object;
        let tool = self.options.tools.find("pg_restore", manifest.database.pg_dump_major()).await?;
        let body = match self.repository.store().get(&object.key, None).await {
            Ok(body) => body,
            Err(error) => return damage_by_store(error).map(Some),
        };
        let archive = decode(body, object.plain, object.stored, Task::default());
        match postgres::read_toc(&tool, archive, object.key.as_str()).await {
            Ok(_) => Ok(None),
            Err(error @ PostgresError::Failed { .. }) => {
                Ok(Some(Damage { key: object.key.clone(), reason: error.to_string() }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a volume back, and holds each of its files against the volume's list.
    async fn read_volume(&mut self, volume: &Volume, unsound: &[Key]) -> Result<Option<Damage>, Error> {
        if let Some(found) = self.known(&volume.object, unsound).or_else(|| self.known(&volume.list, unsound)) {
            return Ok(found);
        }
        let found = self.compare_with_list(volume).await?;
        self.read.insert((volume.object.key.clone(), volume.object.stored.sha256), found.clone());
        Ok(found)
    }

    async fn read_other(&mut self, object: &StoredObject, unsound: &[Key]) -> Result<Option<Damage>, Error> {
        if let Some(found) = self.known(object, unsound) {
            return Ok(found);
        }
        let found = self.read_to_end(object, Task::default()).await?;
        self.read.insert((object.key.clone(), object.stored.sha256), found.clone());
        Ok(found)
    }

    async fn compare_with_list(&self, volume: &Volume) -> Result<Option<Damage>, Error> {
        let (list, object) = (&volume.list, &volume.object);
        let body = match self.repository.store().get(&list.key, None).await {
            Ok(body) => body,
            Err(error) => return damage_by_store(error).map(Some),
        };
        let (plain, stored) = (list.plain, list.stored);
        let listed = consume(body, move |bytes| {
            read_list(DecodeReader::new(bytes, plain, stored)?).map(|listed| listed.map(fingerprint_of)).collect()
        });
        let files = match listed.await {
            Ok(files) => files,
            Err(error) => return damage(&list.key, error).map(Some),
        };
        let body = match self.repository.store().get(&object.key, None).await {
            Ok(body) => body,
            Err(error) => return damage_by_store(error).map(Some),
        };
        let task = self.run.progress.task(object.key.as_str(), Some(object.stored.size));
        let (plain, stored) = (object.plain, object.stored);
        let compared =
            consume(body, move |bytes| compare(DecodeReader::new(task.reader(bytes), plain, stored)?, files));
        match compared.await {
            Ok(None) => Ok(None),
            Ok(Some(reason)) => Ok(Some(Damage { key: object.key.clone(), reason })),
            Err(error) => damage(&object.key, error).map(Some),
        }
    }

    /// What is known already of an object: it was read for another backup, or it need not be read to know that it is damaged.
    fn known(&self, object: &StoredObject, unsound: &[Key]) -> Option<Option<Damage>> {
        match self.read.get(&(object.key.clone(), object.stored.sha256)) {
            Some(found) => Some(found.clone()),
            None => unsound.contains(&object.key).then_some(None),
        }
    }

    async fn read_to_end(&self, object: &StoredObject, task: Task) -> Result<Option<Damage>, Error> {
        let body = match self.repository.store().get(&object.key, None).await {
            Ok(body) => body,
            Err(error) => return damage_by_store(error).map(Some),
        };
        let (plain, stored) = (object.plain, object.stored);
        let read = consume(body, move |bytes| {
            io::copy(&mut DecodeReader::new(task.reader(bytes), plain, stored)?, &mut io::sink())
        });
        match read.await {
            Ok(_) => Ok(None),
            Err(error) => damage(&object.key, error).map(Some),
        }
    }
}

fn wrong_size(object: &StoredObject, sizes: &HashMap<Key, u64>) -> Option<Damage> {
    let expected = object.stored.size;
    let reason = match sizes.get(&object.key) {
        None => "it is missing".to_owned(),
        Some(size) if *size != expected => format!("it has {size} bytes, and should have {expected}"),
        Some(_) => return None,
    };
    Some(Damage { key: object.key.clone(), reason })
}

/// What a store's failure says of an object; an error where it says nothing of it.
fn damage_by_store(error: StoreError) -> Result<Damage, Error> {
    match (&error.key, &*error.kind) {
        (Some(key), StoreErrorKind::NotFound) => Ok(Damage { key: key.clone(), reason: "it is missing".into() }),
        (Some(key), kind) if error.is_of_object() => Ok(Damage { key: key.clone(), reason: kind.to_string() }),
        _ => Err(error.into()),
    }
}

/// What the failure to read an object says of it; an error where it speaks of the way to it instead.
fn damage(key: &Key, error: io::Error) -> Result<Damage, Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.get_ref().map(|inner| inner as &(dyn StdError + 'static));
    while let Some(current) = cause {
        if current.downcast_ref::<StoreError>().is_some_and(|error| !error.is_of_object()) {
            return Err(Error::Io { action: format!("read {key}"), source: error });
        }
        cause = current.source();
    }
    let explanation = explain(&error);
    let reason = explanation.causes.last().unwrap_or(&explanation.message).clone();
    Ok(Damage { key: key.clone(), reason })
}

fn fingerprint_of(listed: Listed) -> (String, Fingerprint) {
    (listed.path, Fingerprint { size: listed.size, sha256: listed.sha256 })
}

/// What is wrong with an archive by its list.
fn compare(archive: impl io::Read, mut listed: HashMap<String, Fingerprint>) -> io::Result<Option<String>> {
    let mut wrong: Vec<String> = Vec::new();
    read_files(archive, |path, _, content| {
        let mut content = DigestReader::new(content);
        io::copy(&mut content, &mut io::sink())?;
        match listed.remove(path) {
            Some(expected) if expected == content.fingerprint() => {}
            Some(_) => wrong.push(format!("{path} is not what the list says")),
            None => wrong.push(format!("{path} is not in the list")),
        }
        Ok(())
    })?;
    wrong.extend(listed.into_keys().map(|path| format!("{path} is in the list only")));
    wrong.sort();
    Ok((!wrong.is_empty()).then(|| wrong.join("; ")))
}

#[cfg(test)]
mod tests;
