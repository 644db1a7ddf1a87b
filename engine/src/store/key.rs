//! Defines the names of objects.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A relative path of one or more segments joined by `/`. It is safe as a path and as an S3 key.
///
/// Segments contain only ASCII letters, digits and `-._`, and are not empty. They do not start with
/// a dot, because such names are temporary files of the local store. Only a `Key` can reach a
/// store, so a name from outside cannot leave the repository.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String, description = "The name of an object of the repository.")]
pub struct Key(String);

/// A text that is not a [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a valid object name: segments of letters, digits, '-', '_' and '.', not starting with '.', joined by '/'"
)]
pub struct InvalidKey(String);

impl Key {
    /// S3 allows 1024 bytes; this leaves room for the store's prefix.
    const MAX_LEN: usize = 700;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`InvalidKey`] if a segment is empty, starts with a dot or contains another character, or if
    /// the whole is too long
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let valid = text.len() <= Self::MAX_LEN && text.split('/').all(is_segment);
        if valid { Ok(Self(text)) } else { Err(InvalidKey(text)) }
    }

    /// Returns this key with further segments.
    ///
    /// # Errors
    /// Those of [`Key::new`].
    pub fn join(&self, rest: &str) -> Result<Self, InvalidKey> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the segments, the first one first.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns whether this key is `prefix`, or is in it as in a folder.
    pub fn is_under(&self, prefix: &Key) -> bool {
        self.0.strip_prefix(&prefix.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Returns whether `text` may be one segment of a [`Key`]. Instance names follow the same rule.
pub fn is_segment(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn repository_names_are_valid_keys() {
        for text in ["repository.json", "production/20261121T020003Z-3f9c/filestore-0001.tar.zst"] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn unsafe_names_are_no_keys() {
        for text in ["", "/", "a/", "/a", "a//b", "..", "a/../b", ".hidden", "a/.tmp", "a b", "a\\b", "ä", "a\nb", "a*"]
        {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
        assert!(Key::new("a".repeat(701)).is_err());
    }

    #[test]
    fn key_is_under_folder_only() {
        let folder = Key::new("a/b").unwrap();
        assert!(Key::new("a/b/c").unwrap().is_under(&folder));
        assert!(folder.is_under(&folder));
        assert!(!Key::new("a/bc").unwrap().is_under(&folder));
    }
}
