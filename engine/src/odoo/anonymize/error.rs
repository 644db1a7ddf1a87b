//! Why a copy could not be anonymized.

use std::fmt;
use std::io;

use crate::filestore::FilestoreError;
use crate::postgres::PostgresError;
use crate::text::counted;

/// A failed anonymization. The copy then never gets the target's name.
#[derive(Debug, thiserror::Error)]
pub enum AnonymizeError {
    /// A statement, or the connection.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// It is unknown which of its data is personal.
    #[error("the database is not Odoo's")]
    NotOdoo,
    /// The configuration names a column that does not exist.
    #[error("`{key}` names {name}, and there is no such column{}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    NoSuchColumn {
        /// `columns` or `keep`.
        key: &'static str,
        /// As the configuration has it.
        name: String,
        /// The column with the most similar name.
        suggestion: Option<String>,
    },
    /// `keep` names what would not be replaced.
    #[error("`keep` names {name}, which would stay as it is anyway")]
    NothingToKeep {
        /// As the configuration has it.
        name: String,
    },
    /// The configuration names a model that does not exist.
    #[error("`{key}` names the model {name}, and there is none{}", suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    NoSuchModel {
        /// `attachments` or `keep`.
        key: &'static str,
        /// As the configuration has it.
        name: String,
        /// The model with the most similar name.
        suggestion: Option<String>,
    },
    /// The copy's filestore.
    #[error(transparent)]
    Filestore(#[from] FilestoreError),
    /// The thread that writes to the filestore ended too early.
    #[error("unable to write placeholders")]
    Interrupted(#[source] io::Error),
    /// A column that cannot contain the configured fake.
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
    /// There was no random number.
    #[error("unable to make a random number: {0}")]
    Random(getrandom::Error),
    /// The server keeps the replaced rows, for a transaction that could still read them.
    #[error(
        "the server still keeps the rows that were replaced: a transaction of another session began before that and has not ended"
    )]
    Held,
    /// Text that is invalid in the database's encoding or in UTF-8.
    #[error("the copy contains text that is not UTF-8, which cannot be searched for people: {}", .0.join(", "))]
    NotUtf8(Vec<String>),
    /// After the replacement, something was found that is not a fake.
    #[error("the copy is not anonymous: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    NotAnonymous(Vec<Left>),
}

/// A column with a value that should not be there. The values themselves are not shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Left {
    /// `res_partner.email`
    pub column: String,
    /// Number of such rows.
    pub rows: u64,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.column, counted(self.rows, "row"))
    }
}

impl AnonymizeError {
    /// Returns how the operator can fix it, if known.
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
