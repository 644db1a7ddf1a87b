//! Stores the instructions for a restore without this program next to the backups.

use crate::store::{Key, Mode, Store, StoreError, StoreErrorKind};
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
    #[expect(clippy::expect_used, reason = "a constant")]
    let key = Key::new(NAME).expect("a valid key");
    match store.put(&key, body_of(TEXT), Mode::CreateNew).await {
        Err(error) if !matches!(*error.kind, StoreErrorKind::AlreadyExists) => Err(error),
        _ => Ok(()),
    }
}
