//! Objects of a backup, made anew from what else there is.

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use tokio_util::io::{ReaderStream, StreamReader};

use super::Repair;
use super::put_back::{in_a_sentence, put_back};
use crate::error::Error;
use crate::filestore::{
    Listed, ListedFrame, frames, is_intact, lacking, list_again, read_list, write_end, write_frame, write_list,
};
use crate::manifest::{DatabaseContent, Manifest, StoredObject, Volume};
use crate::postgres::count_rows;
use crate::progress::Task;
use crate::repository::{Repository, damage_by_reading, damage_by_store};
use crate::store::{Key, Store};
use crate::stream::{Body, CHUNK, Level, body_of, consume, decode, encode, produce};

/// What an object is to a backup.
pub(super) enum Role<'a> {
    Volume(&'a Volume),
    /// The list of a volume.
    List(&'a Volume),
    /// The list of tables.
    Tables(&'a DatabaseContent),
    /// The list of attachments.
    Attachments,
    /// The dump, or the list of removed files.
    Other,
}

/// What the object of this key is to a backup.
pub(super) fn role<'a>(manifest: &'a Manifest, key: &Key) -> Option<Role<'a>> {
    let database = &manifest.database;
    for volume in &manifest.filestore.volumes {
        if volume.object.key == *key {
            return Some(Role::Volume(volume));
        }
        if volume.list.key == *key {
            return Some(Role::List(volume));
        }
    }
    if database.rows.as_ref().is_some_and(|rows| rows.list.key == *key) {
        return Some(Role::Tables(database));
    }
    if manifest.attachments.as_ref().is_some_and(|attachments| attachments.list.key == *key) {
        return Some(Role::Attachments);
    }
    manifest.objects().any(|object| object.key == *key).then_some(Role::Other)
}

/// Makes an object anew and puts it back: says what it was made from, or why that could not be done.
pub(super) async fn make_anew(repair: &Repair<'_>, role: &Role<'_>) -> Result<Result<&'static str, String>, Error> {
    let (object, body, from) = match role {
        Role::List(volume) => (&volume.list, list_of(repair.repository, volume).await?, "its volume"),
        Role::Tables(database) => match &database.rows {
            Some(rows) => (&rows.list, tables_of(repair.repository, database).await?, "the dump"),
            None => return Ok(Err("the rows were not counted".to_owned())),
        },
        Role::Volume(volume) => {
            let body = volume_from(repair, volume).await?;
            (&volume.object, body, "what is left of it and the instance's filestore")
        }
        Role::Attachments | Role::Other => {
            return Ok(Err("only a copy in another repository could replace it".to_owned()));
        }
    };
    match body {
        Ok(body) => Ok(put_back(repair, object, body).await?.map(|()| from)),
        Err(why) => Ok(Err(why)),
    }
}

/// A volume's list, from the volume.
async fn list_of(repository: &Repository, volume: &Volume) -> Result<Result<Body, String>, Error> {
    let object = &volume.object;
    let stored = match repository.store().get(&object.key, None).await {
        Ok(stored) => stored,
        Err(error) => return damage_by_store(error).map(|damage| Err(format!("its volume: {}", damage.reason))),
    };
    let listed = consume(stored, |stored| {
        let (files, found) = list_again(stored)?;
        Ok((write_list(&files, Level::default())?.0, found))
    });
    match listed.await {
        Ok((list, found)) if found == object.stored => Ok(Ok(body_of(list))),
        Ok(_) => Ok(Err("its volume is damaged as well".to_owned())),
        Err(error) => damage_by_reading(&object.key, error).map(|damage| Err(format!("its volume: {}", damage.reason))),
    }
}

/// The list of tables, from the dump.
async fn tables_of(repository: &Repository, database: &DatabaseContent) -> Result<Result<Body, String>, Error> {
    let object = &database.object;
    let stored = match repository.store().get(&object.key, None).await {
        Ok(stored) => stored,
        Err(error) => return damage_by_store(error).map(|damage| Err(format!("the dump: {}", damage.reason))),
    };
    let (mut dump, counts) = count_rows(decode(stored, object.plain, object.stored, Task::default()));
    if let Err(error) = tokio::io::copy(&mut dump, &mut tokio::io::sink()).await {
        return damage_by_reading(&object.key, error).map(|damage| Err(format!("the dump: {}", damage.reason)));
    }
    let counts = match counts.get() {
        Ok(counts) => counts,
        Err(reason) => return Ok(Err(format!("the rows of the dump cannot be counted: {reason}"))),
    };
    let lines = counts.lines().map_err(crate::repository::RepositoryError::Json)?;
    Ok(Ok(encode(body_of(lines), Level::default(), 0, Task::default()).body))
}

/// A part of a volume.
enum Part {
    /// As it is stored.
    Stored(ListedFrame),
    /// Made anew from the filestore.
    Live(ListedFrame),
    /// The archive's end.
    End,
}

/// A volume, from those of its frames that are whole, and from the files of the others where the filestore still has them.
async fn volume_from(repair: &Repair<'_>, volume: &Volume) -> Result<Result<Body, String>, Error> {
    let (repository, object) = (repair.repository, &volume.object);
    let listed =
        repository.examine(&volume.list, Task::default(), |list| read_list(list).collect::<io::Result<Vec<Listed>>>());
    let frames = match listed.await? {
        Ok(listed) => frames(listed),
        Err(damage) => return Ok(Err(format!("its list: {}", damage.reason))),
    };
    let Some(frames) = frames else { return Ok(Err("its list does not describe it".to_owned())) };
    let size = repository.store().head(&object.key).await?.map_or(0, |found| found.size);
    let mut parts = Vec::new();
    let mut missing: Vec<String> = Vec::new();
    for frame in frames {
        if size >= frame.end && is_stored_intact(repository, object, &frame).await? {
            parts.push(Part::Stored(frame));
            continue;
        }
        let Some(root) = repair.filestore.map(Path::to_owned) else {
            return Ok(Err("the instance's filestore is not on this machine".to_owned()));
        };
        let wanted = frame.clone();
        let looked = tokio::task::spawn_blocking(move || lacking(&root, &wanted)).await.map_err(io::Error::from);
        match looked.flatten() {
            Ok(lacking) => missing.extend(lacking),
            Err(error) => return Ok(Err(in_a_sentence(&error))),
        }
        parts.push(Part::Live(frame));
    }
    if let Some(first) = missing.first() {
        let (first, number) = (first.escape_debug(), missing.len());
        return Ok(Err(format!("{number} of its files are no longer in the filestore as they were: {first}, …")));
    }
    parts.push(Part::End);
    let (store, key) = (repository.store().clone(), object.key.clone());
    let root: Option<Arc<Path>> = repair.filestore.map(Arc::from);
    let bodies = futures::stream::iter(parts).then(move |part| open(store.clone(), key.clone(), root.clone(), part));
    let chunks = bodies.map_ok(|body| ReaderStream::with_capacity(body, CHUNK)).try_flatten();
    Ok(Ok(Box::pin(StreamReader::new(chunks))))
}

async fn is_stored_intact(repository: &Repository, object: &StoredObject, frame: &ListedFrame) -> Result<bool, Error> {
    let stored = match repository.store().get(&object.key, Some(frame.start..frame.end)).await {
        Ok(stored) => stored,
        Err(error) => return damage_by_store(error).map(|_| false),
    };
    let frame = frame.clone();
    match consume(stored, move |stored| is_intact(stored, &frame)).await {
        Ok(intact) => Ok(intact),
        Err(error) => damage_by_reading(&object.key, error).map(|_| false),
    }
}

async fn open(store: Arc<dyn Store>, key: Key, root: Option<Arc<Path>>, part: Part) -> io::Result<Body> {
    match (part, root) {
        (Part::Stored(frame), _) => store.get(&key, Some(frame.start..frame.end)).await.map_err(io::Error::other),
        (Part::Live(frame), Some(root)) => Ok(produce(move |out| write_frame(out, Level::default(), &root, &frame)).0),
        (Part::Live(_), None) => Err(io::Error::other("there is no filestore to read from")),
        (Part::End, _) => Ok(produce(|out| write_end(out, Level::default())).0),
    }
}
