//! Recreates objects of a backup from other objects.

use std::io;
use std::path::Path;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use tokio_util::io::{ReaderStream, StreamReader};

use super::Repair;
use super::put_back::{in_a_sentence, put_back};
use crate::error::Error;
use crate::filestore::{
    ListForm, ListLine, ListedFrame, frames, is_intact, lacking, list_again, possible_levels, read_lines, write_end,
    write_frame, write_list,
};
use crate::manifest::{Manifest, StoredObject, Volume};
use crate::postgres::count_rows;
use crate::progress::Task;
use crate::repository::{Examined, Repository, damage_by_reading, damage_by_store, or_damage};
use crate::store::{Key, Store};
use crate::stream::{Body, CHUNK, Level, body_of, consume, encode_list, produce};

/// What an object is in a backup.
pub(super) enum Role<'a> {
    Volume(&'a Volume),
    /// The list of a volume.
    List(&'a Volume),
    /// The list of tables.
    Tables(&'a Manifest),
    /// The list of attachments.
    Attachments,
    /// A part of the dump, or the list of removed files.
    Other,
}

/// Returns what the object of this key is in a backup.
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
        return Some(Role::Tables(manifest));
    }
    if manifest.attachments.as_ref().is_some_and(|attachments| attachments.list.key == *key) {
        return Some(Role::Attachments);
    }
    manifest.objects().any(|object| object.key == *key).then_some(Role::Other)
}

/// Recreates an object and stores it. Returns what it was recreated from, or why that was not
/// possible.
pub(super) async fn recreate(repair: &Repair<'_>, role: &Role<'_>) -> Result<Result<&'static str, String>, Error> {
    let one = |body: Result<Body, String>| body.map(|body| vec![body]);
    let (object, candidates, from) = match role {
        Role::List(volume) => (&volume.list, lists_of(repair.repository, volume).await?, "its volume"),
        Role::Tables(manifest) => match &manifest.database.rows {
            Some(rows) => (&rows.list, one(tables_of(repair.repository, manifest).await?), "the dump"),
            None => return Ok(Err("the rows were not counted".to_owned())),
        },
        Role::Volume(volume) => {
            let candidates = volume_from(repair, volume).await?;
            (&volume.object, candidates, "what is left of it and the instance's filestore")
        }
        Role::Attachments | Role::Other => {
            return Ok(Err("only an intact copy in another repository could replace it".to_owned()));
        }
    };
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(why) => return Ok(Err(why)),
    };
    let mut refused = "its files no longer compress to the same bytes".to_owned();
    for body in candidates {
        match put_back(repair, object, body).await? {
            Ok(()) => return Ok(Ok(from)),
            Err(why) => refused = why,
        }
    }
    Ok(Err(refused))
}

/// Returns a volume's list, recreated from the volume, in each of its forms.
async fn lists_of(repository: &Repository, volume: &Volume) -> Result<Result<Vec<Body>, String>, Error> {
    let object = &volume.object;
    let stored = match repository.store().get(&object.key, None).await {
        Ok(stored) => stored,
        Err(error) => return damage_by_store(error).map(|damage| Err(format!("its volume: {}", damage.reason))),
    };
    let bounds = volume.bounds();
    let listed = consume(stored, move |stored| {
        let (lines, found) = list_again(stored, bounds)?;
        let lists = [ListForm::FramesAndFiles, ListForm::Files].map(|form| write_list(&lines, form));
        let lists: io::Result<Vec<_>> = lists.into_iter().map(|list| Ok(list?.0)).collect();
        Ok((lists?, found))
    });
    match listed.await {
        Ok((lists, found)) if found == object.stored => Ok(Ok(lists.into_iter().map(body_of).collect())),
        Ok(_) => Ok(Err("its volume is damaged as well".to_owned())),
        Err(error) => damage_by_reading(&object.key, error).map(|damage| Err(format!("its volume: {}", damage.reason))),
    }
}

/// Returns the list of tables, recreated from the dump.
async fn tables_of(repository: &Repository, manifest: &Manifest) -> Result<Result<Body, String>, Error> {
    let dump = async { repository.dump(manifest).await?.open(Task::default()).await };
    let map = manifest.database.dump.main();
    let dump = match or_damage(dump.await)? {
        Examined::Intact(dump) => dump,
        Examined::Damaged(damage) => return Ok(Err(format!("the dump: {}", damage.reason))),
    };
    let (mut dump, counts) = count_rows(dump);
    if let Err(error) = tokio::io::copy(&mut dump, &mut tokio::io::sink()).await {
        return damage_by_reading(&map.key, error).map(|damage| Err(format!("the dump: {}", damage.reason)));
    }
    let counts = match counts.get() {
        Ok(counts) => counts,
        Err(reason) => return Ok(Err(format!("the rows of the dump cannot be counted: {reason}"))),
    };
    let lines = counts.lines().map_err(crate::repository::RepositoryError::Json)?;
    Ok(Ok(encode_list(body_of(lines)).body))
}

/// A part of a volume.
#[derive(Clone)]
enum Part {
    /// A frame as it is stored.
    Stored(ListedFrame),
    /// A frame recreated from the filestore.
    Live(ListedFrame),
    /// The archive's end.
    End,
}

impl Part {
    /// Returns the first byte after it in the volume.
    fn end(&self) -> u64 {
        match self {
            Self::Stored(frame) | Self::Live(frame) => frame.end,
            Self::End => 0,
        }
    }
}

/// Returns candidates for a volume, made from its intact frames and, for the other frames, from
/// files that the filestore still has. One of them may have the original bytes.
async fn volume_from(repair: &Repair<'_>, volume: &Volume) -> Result<Result<Vec<Body>, String>, Error> {
    let (repository, object) = (repair.repository, &volume.object);
    let bounds = volume.bounds();
    let listed = repository.examine(&volume.list, Task::default(), move |list| {
        read_lines(list, bounds).collect::<io::Result<Vec<ListLine>>>()
    });
    let frames = match listed.await? {
        Examined::Intact(listed) => frames(listed),
        Examined::Damaged(damage) => return Ok(Err(format!("its list: {}", damage.reason))),
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
    let root: Option<Arc<Path>> = repair.filestore.map(Arc::from);
    let end = object.stored.size.saturating_sub(parts.last().map_or(0, Part::end));
    let levels = match levels_of_live(root.clone(), &parts, end).await {
        Ok(levels) => levels,
        Err(error) => return Ok(Err(in_a_sentence(&error))),
    };
    parts.push(Part::End);
    let candidates = levels.into_iter().map(|level| {
        let (store, key, root) = (repository.store().clone(), object.key.clone(), root.clone());
        let source = move |part| open(store.clone(), key.clone(), root.clone(), level, part);
        let bodies = futures::stream::iter(parts.clone()).then(source);
        let chunks = bodies.map_ok(|body| ReaderStream::with_capacity(body, CHUNK)).try_flatten();
        Box::pin(StreamReader::new(chunks)) as Body
    });
    Ok(Ok(candidates.collect()))
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

/// Returns the levels at which the recreated parts, and the last `end` bytes, may have been
/// compressed.
async fn levels_of_live(root: Option<Arc<Path>>, parts: &[Part], end: u64) -> io::Result<Vec<Level>> {
    let live = parts.iter().filter_map(|part| match part {
        Part::Live(frame) => Some(frame.clone()),
        Part::Stored(_) | Part::End => None,
    });
    let live: Vec<ListedFrame> = live.collect();
    let found = tokio::task::spawn_blocking(move || possible_levels(root.as_deref(), &live, end)).await;
    found.map_err(io::Error::from).flatten()
}

async fn open(store: Arc<dyn Store>, key: Key, root: Option<Arc<Path>>, level: Level, part: Part) -> io::Result<Body> {
    match (part, root) {
        (Part::Stored(frame), _) => store.get(&key, Some(frame.start..frame.end)).await.map_err(io::Error::other),
        (Part::Live(frame), Some(root)) => Ok(produce(move |out| write_frame(out, level, &root, &frame)).0),
        (Part::Live(_), None) => Err(io::Error::other("there is no filestore to read from")),
        (Part::End, _) => Ok(produce(move |out| write_end(out, level)).0),
    }
}
