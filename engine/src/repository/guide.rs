//! Stores the instructions for a restore without this program next to the backups.

use crate::store::{Key, Mode, Store, StoreError, StoreErrorKind, read_document};
use crate::stream::body_of;

/// `docs/restore-by-hand.md`, included so that the two texts cannot differ.
const TEXT: &str = include_str!("../../../docs/restore-by-hand.md");

/// The name in the repository's root.
const NAME: &str = "RESTORE.txt";

/// Stores the guide if it is missing. An existing one is kept, because the operator may have
/// written it.
///
/// # Errors
/// [`StoreError`]
pub async fn store_guide(store: &dyn Store) -> Result<(), StoreError> {
    match store.put(&key(), body_of(TEXT), Mode::CreateNew).await {
        Err(error) if !matches!(*error.kind, StoreErrorKind::AlreadyExists) => Err(error),
        _ => Ok(()),
    }
}

/// Replaces the guide of an earlier version by this one's. Returns whether the guide is this
/// version's: one that does not begin with the same title is the operator's, and is kept. With
/// `dry_run`, changes nothing.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn replace_guide(store: &dyn Store, dry_run: bool) -> Result<bool, StoreError> {
    let title = TEXT.lines().next().unwrap_or_default();
    match read_document(store, &key()).await {
        Ok(guide) if guide == TEXT.as_bytes() => return Ok(true),
        Ok(guide) if !guide.starts_with(title.as_bytes()) => return Ok(false),
        Err(error) if !matches!(*error.kind, StoreErrorKind::NotFound) => return Err(error),
        _ => {}
    }
    if !dry_run {
        store.put(&key(), body_of(TEXT), Mode::Replace).await?;
    }
    Ok(true)
}

fn key() -> Key {
    #[expect(clippy::expect_used, reason = "a constant")]
    Key::new(NAME).expect("a valid key")
}
