//! How a copy is anonymized.

use super::Fake;
use crate::secret::Secret;

/// How the people in a copy are replaced by fakes: `anonymize = true`, or the section
/// `[target.NAME.anonymize]`.
#[derive(Debug, Clone, Default)]
pub struct Anonymize {
    /// `table.column`: columns in addition to those that the program knows, or another kind of fake
    /// for one of these.
    pub columns: Vec<(String, Fake)>,
    /// `table.column`: columns that stay as they are.
    pub keep: Vec<String>,
    /// Models whose attachments become placeholders, in addition to those that the program knows.
    pub attachments: Vec<String>,
    /// Models whose attachments stay.
    pub keep_attachments: Vec<String>,
    /// The source of the key; `None`: a random key for each restore.
    pub seed: Option<Secret>,
}
