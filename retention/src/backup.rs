//! What retention must know of a backup.

use std::fmt;

use jiff::Timestamp;

/// One backup, as far as retention is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Unique within its instance.
    pub id: String,
    /// The instance it is a backup of.
    pub instance: String,
    /// The moment whose state it holds.
    pub created_at: Timestamp,
    /// A person said that it stays.
    pub pinned: bool,
    /// A verification of it has passed.
    pub proven: bool,
    /// It finished with warnings, such as attachments whose files are missing.
    pub warned: bool,
    /// How much it holds.
    pub figures: Figures,
}

impl Backup {
    /// Returns a backup that is neither pinned nor proven, has no warnings and no known figures.
    pub fn new(id: impl Into<String>, instance: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id: id.into(),
            instance: instance.into(),
            created_at,
            pinned: false,
            proven: false,
            warned: false,
            figures: Figures::default(),
        }
    }
}

/// How much a backup holds. A figure that was not taken is `None`, and is then compared with
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows of all tables.
    pub rows: Option<u64>,
    /// Attachments covered.
    pub attachments: Option<u64>,
    /// Bytes of the database and the attachments before compression. Not the bytes that this backup
    /// added to the repository: those fall to almost nothing on a quiet day.
    pub bytes: Option<u64>,
}

impl Figures {
    /// Returns the value of one figure, if it was taken.
    pub fn get(&self, figure: Figure) -> Option<u64> {
        match figure {
            Figure::Rows => self.rows,
            Figure::Attachments => self.attachments,
            Figure::Bytes => self.bytes,
        }
    }
}

/// One of the figures in [`Figures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Figure {
    /// Rows of all tables.
    Rows,
    /// Attachments covered.
    Attachments,
    /// Bytes before compression.
    Bytes,
}

impl Figure {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Figure; 3] = [Figure::Rows, Figure::Attachments, Figure::Bytes];
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Figure::Rows => "rows",
            Figure::Attachments => "attachments",
            Figure::Bytes => "bytes",
        })
    }
}
