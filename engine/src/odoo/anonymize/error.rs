//! Why a copy could not be made anonymous.

use std::fmt;
use std::io;

use crate::filestore::FilestoreError;
use crate::postgres::PostgresError;

/// A failure to make a copy anonymous. The copy then never gets the target's name.
#[derive(Debug, thiserror::Error)]
pub enum AnonymizeError {
    /// A statement, or the connection.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// What of it is personal is not known.
    #[error("the database is not Odoo's")]
    NotOdoo,
    /// The configuration names a column that is not there.
    #[error("`{key}` names {name}, and there is no such column{}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    NoSuchColumn {
        /// `columns` or `keep`.
        key: &'static str,
        /// As the configuration has it.
        name: String,
        /// The column whose name is nearest to it.
        suggestion: Option<String>,
    },
    /// `keep` names what would not have been replaced.
    #[error("`keep` names {name}, which would stay as it is anyway")]
    NothingToKeep {
        /// As the configuration has it.
        name: String,
    },
    /// The configuration names a model that is not there.
    #[error("`{key}` names the model {name}, and there is none{}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    NoSuchModel {
        /// `attachments` or `keep`.
        key: &'static str,
        /// As the configuration has it.
        name: String,
        /// The model whose name is nearest to it.
        suggestion: Option<String>,
    },
    /// The copy's filestore.
    #[error(transparent)]
    Filestore(#[from] FilestoreError),
    /// Whoever wrote to the filestore ended before it was done.
    #[error("unable to write placeholders")]
    Interrupted(#[source] io::Error),
    /// A column that cannot hold the fake that the configuration wants in it.
    #[error("`columns` wants a fake of the kind `{kind}` in {name}, which is of the type {column_type}{}", if *.not_null { " and may not be NULL" } else { "" })]
    Unsuitable {
        /// The column.
        name: String,
        /// The kind's word.
        kind: &'static str,
        /// PostgreSQL's name of the column's type.
        column_type: String,
        /// Whether it may not be NULL.
        not_null: bool,
    },
    /// A random number could not be had.
    #[error("unable to make a random number: {0}")]
    Random(getrandom::Error),
    /// The server keeps what was replaced, for somebody who might want to see it.
    #[error(
        "the server still keeps the rows that were replaced: a transaction of another session began before that and has not ended"
    )]
    Held,
    /// Text that is not what the database's encoding, or UTF-8, takes for text.
    #[error("the copy contains text that is not UTF-8, which cannot be searched for people: {}", .0.join(", "))]
    NotUtf8(Vec<String>),
    /// After all was replaced, something was found that is no fake.
    #[error("the copy is not anonymous: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotAnonymous(Vec<Left>),
}

/// A column in which something was found that should not be there. The values themselves are not
/// told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Left {
    /// `res_partner.email`
    pub column: String,
    /// Rows in which it was found.
    pub rows: u64,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        write!(f, "{} ({} {rows})", self.column, self.rows)
    }
}

impl AnonymizeError {
    /// How an operator mends it, where that can be said.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Postgres(error) => return error.hint(),
            Self::NotOdoo => "remove `anonymize` from the target's section to restore it as it is".into(),
            Self::NoSuchColumn { .. } => {
                "write it as `table.column`, by the names that PostgreSQL has: res_partner, not res.partner".into()
            }
            Self::NoSuchModel { .. } => "write it as Odoo does: res.partner, not res_partner".into(),
            Self::Filestore(error) => return error.hint(),
            Self::NothingToKeep { .. } => "see docs/anonymization.md for the columns that are replaced".into(),
            Self::Unsuitable { .. } => {
                "use `date` for dates, `empty` for any column that may be NULL, and the others for text".into()
            }
            Self::Random(_) | Self::Interrupted(_) => return None,
            Self::Held => {
                "find the oldest xmin in pg_stat_activity, pg_prepared_xacts and pg_replication_slots; a dump on a standby with hot_standby_feedback has one as well".into()
            }
            Self::NotUtf8(_) => {
                "let `sql` in the target's section change it, or change it at the source, for example by `UPDATE res_partner SET name = convert_from(convert(convert_to(name, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')` for the rows that are in Latin-1; else restore without `anonymize`".into()
            }
            Self::NotAnonymous(_) => {
                "look at those tables in the original: a trigger or a rule of the database may have written it".into()
            }
        })
    }
}
