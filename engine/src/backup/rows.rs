//! The row counts of a backup.

use super::earlier::Earlier;
use crate::error::Error;
use crate::manifest::{FORMAT_1, RowContent};
use crate::postgres::{Misunderstood, RowCounts};
use crate::repository::Draft;

/// What was stored of the row counts, and the warnings.
#[derive(Default)]
pub(super) struct StoredRows {
    pub(super) content: Option<RowContent>,
    pub(super) warning: Option<String>,
}

/// Stores the list of tables and their rows. A dump whose rows could not be counted is as good as
/// any other: this is a warning.
pub(super) async fn store_rows(
    draft: &Draft,
    counts: Result<RowCounts, Misunderstood>,
    earlier: &Earlier<'_>,
) -> Result<StoredRows, Error> {
    let counts = match counts {
        Ok(counts) => counts,
        Err(reason) => {
            let warning = format!("unable to count the rows of the dump, so a restore cannot compare them: {reason}");
            return Ok(StoredRows { content: None, warning: Some(warning) });
        }
    };
    let lines = counts.lines().map_err(crate::repository::RepositoryError::Json)?;
    let former = match earlier.repository.description().format {
        FORMAT_1 => None,
        _ => earlier.latest.as_ref().and_then(|latest| latest.database.rows.as_ref()).map(|rows| &rows.list),
    };
    let former = former.filter(|list| earlier.reason_against([*list]).is_none()).cloned();
    let list = draft.add_list("tables.zst", lines, former).await?;
    let content = RowContent {
        tables: counts.tables.len() as u64,
        rows: counts.tables.iter().map(|table| table.rows).sum(),
        large_objects: counts.large_objects,
        list,
    };
    Ok(StoredRows { content: Some(content), warning: None })
}
