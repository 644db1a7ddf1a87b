//! Compares a file with what is known of it.

use std::fmt;
use std::io;

use super::content::Content;
use super::name::FileName;
use crate::cause;
use crate::folder::{EntryKind, OpenFolder};

/// What is wrong with a file.
#[derive(Debug)]
pub enum Wrong {
    /// It does not exist.
    Missing,
    /// It has the first length in bytes, and should have the second.
    Size(u64, u64),
    /// Its content does not match the SHA-1 in its name.
    Content,
    /// It cannot be read.
    Unreadable(io::Error),
}

impl Wrong {
    /// Returns whether only its content is wrong.
    pub fn is_content(&self) -> bool {
        matches!(self, Self::Content)
    }
}

impl fmt::Display for Wrong {
    /// Completes a sentence that starts with the file's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Size(found, expected) => write!(f, "has {found} bytes, and should have {expected}"),
            Self::Content => f.write_str("has content that does not match its name"),
            Self::Unreadable(error) => write!(f, "cannot be read: {}", cause::line(error)),
        }
    }
}

/// Checks that a file below `root` is a plain file of this length in bytes. With `read`, also
/// checks that it has the SHA-1 in its name, if there is one.
///
/// # Errors
/// [`Wrong`]
pub fn look_at(root: &OpenFolder, name: &FileName, size: u64, read: bool) -> Result<(), Wrong> {
    let path = name.to_string();
    if !read {
        return match root.look(&path) {
            Ok(None) => Err(Wrong::Missing),
            Err(error) => Err(Wrong::Unreadable(error)),
            Ok(Some(found)) if found.kind != EntryKind::File => {
                Err(Wrong::Unreadable(io::Error::other("it is not a plain file")))
            }
            Ok(Some(found)) if found.size != size => Err(Wrong::Size(found.size, size)),
            Ok(Some(_)) => Ok(()),
        };
    }
    let content = Content::open(root, &path).map_err(Wrong::Unreadable)?.ok_or(Wrong::Missing)?;
    if content.size != size {
        return Err(Wrong::Size(content.size, size));
    }
    let seen = content.read(name, |_| Ok(())).map_err(Wrong::Unreadable)?;
    match seen {
        seen if seen.changed => Err(Wrong::Unreadable(io::Error::other("it ended early, or changed meanwhile"))),
        seen if !seen.as_named => Err(Wrong::Content),
        _ => Ok(()),
    }
}
