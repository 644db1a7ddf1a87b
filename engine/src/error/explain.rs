//! Errors in the form that operators and programs read, with hints.

use std::error::Error as StdError;

use super::{Error, ImportError, Obstacle, RestoreError};
use crate::cause;
use crate::dump::DamagedVolume;
use crate::filestore::FilestoreError;
use crate::odoo::{AnonymizeError, NeutralizeError};
use crate::postgres::PostgresError;
use crate::repository::RepositoryError;
use crate::seal::{RecipientsError, SealError};
use crate::sign::{SignError, SignersError};
use crate::store::StoreError;
use crate::stream::Mismatch;

/// An error as it is shown to operators and programs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Explanation {
    /// What failed.
    pub message: String,
    /// Why, from the nearest cause to the root.
    pub causes: Vec<String>,
    /// What to do about it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
    /// The reasons for refusing a restore, one by one; empty for other errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<Obstacle>,
}

impl Explanation {
    /// Returns one line that includes the hint, for warnings, which have no other place for it.
    pub fn with_hint(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{self}{hint}")
    }
}

impl std::fmt::Display for Explanation {
    /// Writes one line: what failed, and why.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))?;
        let separators = std::iter::once(": ").chain(std::iter::repeat("; "));
        separators.zip(&self.obstacles).try_for_each(|(separator, one)| write!(f, "{separator}{}", one.message))
    }
}

/// Explains an error and its causes. The hint nearest to the root is the most exact one.
pub fn explain(error: &(dyn StdError + 'static)) -> Explanation {
    explain_with(error, |_| None)
}

/// Explains an error as [`explain`] does; `further` knows the hints of errors that are defined
/// above this crate.
pub fn explain_with(
    error: &(dyn StdError + 'static),
    further: impl Fn(&(dyn StdError + 'static)) -> Option<String>,
) -> Explanation {
    let (mut hint, mut obstacles) = (None, Vec::new());
    for error in cause::row(error) {
        hint = hint_of(error).or_else(|| further(error)).or(hint);
        if let Some(Error::Refused { obstacles: found }) = as_verbs(error) {
            obstacles.clone_from(found);
        }
    }
    let mut texts = cause::texts(error);
    let message = texts.remove(0);
    Explanation { message, causes: texts, hint, obstacles }
}

fn as_verbs<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    // `downcast_ref` treats a boxed error as another type.
    error.downcast_ref::<Error>().or_else(|| error.downcast_ref::<Box<Error>>().map(Box::as_ref))
}

/// What can be done about an object that differs from what was stored.
const DAMAGED: &str = "run `odoo-backup check --read-data` to see what is damaged; `odoo-backup repair` fixes it if another repository has it intact; else restore an earlier backup (`odoo-backup list`)";

fn hint_of(error: &(dyn StdError + 'static)) -> Option<String> {
    let of_verb = as_verbs(error);
    let hints: [Option<String>; 14] = [
        of_verb.and_then(Error::hint),
        error.downcast_ref::<RepositoryError>().and_then(RepositoryError::hint),
        error.downcast_ref::<StoreError>().and_then(StoreError::hint),
        error.downcast_ref::<PostgresError>().and_then(PostgresError::hint),
        error.downcast_ref::<FilestoreError>().and_then(FilestoreError::hint),
        error.downcast_ref::<NeutralizeError>().and_then(NeutralizeError::hint),
        error.downcast_ref::<AnonymizeError>().and_then(AnonymizeError::hint),
        error.downcast_ref::<RestoreError>().and_then(RestoreError::hint),
        error.downcast_ref::<ImportError>().and_then(ImportError::hint),
        error.downcast_ref::<SealError>().and_then(SealError::hint),
        error.downcast_ref::<RecipientsError>().map(RecipientsError::hint),
        error.downcast_ref::<SignError>().and_then(SignError::hint),
        error.downcast_ref::<SignersError>().and_then(SignersError::hint),
        (error.is::<Mismatch>() || error.is::<DamagedVolume>()).then(|| DAMAGED.into()),
    ];
    hints.into_iter().flatten().next()
}
