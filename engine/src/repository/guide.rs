//! How to restore without this program, kept where it will be needed: beside the backups.

use crate::store::{Key, Mode, Store, StoreError, StoreErrorKind};
use crate::stream::body_of;

/// `docs/restore-by-hand.md`: one text, so that the two cannot differ.
const TEXT: &str = include_str!("../../../docs/restore-by-hand.md");

/// Its name in the repository's root.
const NAME: &str = "RESTORE.txt";

/// Stores it where it is missing. One that is there is left as it is: it may be an operator's own.
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
