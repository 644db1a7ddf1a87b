//! Copies objects from one store to another.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use crate::error::Error;
use crate::manifest::StoredObject;
use crate::progress::Task;
use crate::repository::{Damage, damage_by_reading, damage_by_store};
use crate::run::Run;
use crate::store::{Action, Mode, Store, StoreError, StoreErrorKind};
use crate::stream::verified;

/// How many objects are in transit at once: enough that the next starts while one ends.
const PARALLEL: usize = 4;

/// The result for an object.
pub(super) enum Outcome {
    /// It is stored completely in the other store.
    Stored(StoredObject),
    /// It differs from the manifest, and was not stored.
    Damaged(Damage),
}

/// Copies objects from one store to another. A damaged object does not prevent the others.
pub(super) async fn bring(
    (from, to): (&Arc<dyn Store>, &Arc<dyn Store>),
    name: &str,
    objects: Vec<(StoredObject, Mode)>,
    run: &Run,
) -> Result<Vec<Outcome>, Error> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = objects.iter().map(|(object, _)| object.stored.size).sum();
    let task = run.progress.task(name, Some(bytes));
    let brought = futures::stream::iter(objects)
        .map(|(object, mode)| bring_one(from, to, object, mode, task.clone()))
        .buffer_unordered(PARALLEL);
    brought.try_collect().await
}

async fn bring_one(
    from: &Arc<dyn Store>,
    to: &Arc<dyn Store>,
    object: StoredObject,
    mode: Mode,
    task: Task,
) -> Result<Outcome, Error> {
    let body = match from.get(&object.key, None).await {
        Ok(body) => body,
        Err(error) => return damage_by_store(error).map(Outcome::Damaged),
    };
    match to.put_sized(&object.key, verified(body, object.stored, task), mode, object.stored.size).await {
        Ok(size) if size == object.stored.size => Ok(Outcome::Stored(object)),
        Ok(size) => {
            let reason = format!("{size} bytes arrived of {}", object.stored.size);
            let (location, kind) = (to.location(), Box::new(StoreErrorKind::Corrupt(reason)));
            Err(StoreError { action: Action::Put, key: Some(object.key), location, kind }.into())
        }
        Err(StoreError { action, key, location, kind }) => match *kind {
            StoreErrorKind::Source(error) => damage_by_reading(&object.key, error).map(Outcome::Damaged),
            kind => Err(StoreError { action, key, location, kind: Box::new(kind) }.into()),
        },
    }
}
