//! The dummy mail server, which leads nowhere.

use tokio_postgres::error::SqlState;

use super::Applied;
use super::statements::DUMMY;
use crate::odoo::tables::Tables;
use crate::postgres::{PostgresError, Session};

/// Its values, for the existing columns.
const VALUES: &[(&str, &str)] = &[
    ("name", "'neutralization - disable emails'"),
    ("smtp_host", "'invalid'"),
    ("smtp_port", "1025"),
    ("smtp_encryption", "'none'"),
    ("smtp_authentication", "'login'"),
    ("active", "true"),
];

/// The result.
pub(super) enum Dummy {
    Added(Applied),
    /// There is already an active one, which leads nowhere, too.
    NotNeeded,
    /// Why there is none, and the consequence.
    Impossible(String),
}

/// Adds one if no server is active.
pub(super) async fn add(session: &Session, tables: &Tables) -> Result<Dummy, PostgresError> {
    let failed = || session.failed("add a dummy mail server");
    let impossible = |why: &str| {
        Dummy::Impossible(format!(
            "unable to add a dummy mail server ({why}): without one Odoo sends through `smtp_server` of its odoo.conf or environment, so set none for the copy"
        ))
    };
    if !tables.have(DUMMY.table, DUMMY.columns) {
        return Ok(impossible("ir_mail_server has no column smtp_host"));
    }
    let values: Vec<_> = VALUES.iter().filter(|(column, _)| tables.have(DUMMY.table, &[column])).collect();
    let columns: Vec<_> = values.iter().map(|(column, _)| *column).collect();
    let values: Vec<_> = values.iter().map(|(_, value)| *value).collect();
    let table = tables.schema.table(DUMMY.table);
    let statement = format!(
        "INSERT INTO {table} ({}) SELECT {} WHERE NOT EXISTS (SELECT FROM {table} WHERE active)",
        columns.join(", "),
        values.join(", ")
    );
    session.batch_execute("SAVEPOINT dummy").await.map_err(failed())?;
    let added = session.execute(&statement, &[]).await;
    let end = if added.is_ok() { "RELEASE dummy" } else { "ROLLBACK TO dummy; RELEASE dummy" };
    session.batch_execute(end).await.map_err(failed())?;
    match added {
        Ok(0) => Ok(Dummy::NotNeeded),
        Ok(rows) => Ok(Dummy::Added(Applied { area: DUMMY.area, about: DUMMY.about, table: DUMMY.table, rows })),
        // A column of another module, required for a server.
        Err(error) if error.code() == Some(&SqlState::NOT_NULL_VIOLATION) => {
            let column = error.as_db_error().and_then(|error| error.column()).unwrap_or("another column");
            Ok(impossible(&format!("ir_mail_server requires {column}")))
        }
        Err(error) => Err(failed()(error)),
    }
}
