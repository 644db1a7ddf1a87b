//! Locks out Odoo's collector of unneeded files while the filestore is read.
//!
//! The collector takes a `SHARE` lock on `ir_attachment` before it removes files; `ROW EXCLUSIVE`
//! conflicts with that, and with no other reader or writer. Writers queue behind a waiting
//! collector. From series 17.0 on it waits at most ten seconds and retries the next day. In older
//! series it would wait, and the writers with it, for the whole backup: there it is not locked out
//! unless the configuration says so.

use super::Schema;
use crate::postgres::{PostgresError, Session, connect};

/// The first series whose collector is known to stop waiting.
const FIRST_PATIENT_SERIES: u32 = 17;

/// How long to wait for a collector that runs when the backup starts.
const PATIENCE: &str = "SET LOCAL lock_timeout = '30s'";

/// Whether Odoo's collector of unneeded files is locked out during a backup (`hold_filestore_gc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldCollector {
    /// Locked out where it is safe: the series, the role and the server allow it.
    Auto,
    /// Locked out; otherwise the backup fails.
    Always,
    /// Not locked out.
    Never,
}

impl HoldCollector {
    /// Every setting, in the order of the reference.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// Returns its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// The lock, while this value lives.
#[derive(Debug)]
pub(crate) struct CollectorHold(Session);

impl CollectorHold {
    /// Releases the lock.
    ///
    /// # Errors
    /// [`PostgresError::Query`]: the connection was lost, and the lock with it, at an unknown time.
    pub(crate) async fn release(self) -> Result<(), PostgresError> {
        self.0.batch_execute("ROLLBACK").await.map_err(self.0.failed("release the lock on ir_attachment"))
    }
}

/// Locks the collector out, if the setting and the database allow it. `Ok(Err(reason))`: it was not
/// done, and why.
///
/// Must come before the snapshot: a file that the snapshot references then exists until the lock is
/// released.
///
/// # Errors
/// [`PostgresError`] if the setting requires it.
pub(crate) async fn hold_collector(
    session: &Session,
    setting: HoldCollector,
) -> Result<Result<CollectorHold, String>, PostgresError> {
    if setting == HoldCollector::Never {
        return Ok(Err("the configuration says so".into()));
    }
    if setting == HoldCollector::Auto
        && let Some(reason) = reason_not_to(session).await?
    {
        return Ok(Err(reason));
    }
    let lock = async {
        let holder = connect(session.endpoint()).await?;
        let table = Schema::find(&holder).await?.map(|schema| schema.table("ir_attachment"));
        // If there is no such table, the server says so.
        let table = table.unwrap_or_else(|| "ir_attachment".into());
        let query = "SELECT pg_is_in_recovery()";
        let row = holder.query_one(query, &[]).await.map_err(holder.failed("lock ir_attachment"))?;
        if row.get(0) {
            return Err(PostgresError::Standby { server: session.endpoint().to_string() });
        }
        let statement = format!("BEGIN; {PATIENCE}; LOCK TABLE {table} IN ROW EXCLUSIVE MODE");
        holder.batch_execute(&statement).await.map_err(holder.failed("lock ir_attachment"))?;
        Ok(CollectorHold(holder))
    };
    match lock.await {
        Ok(hold) => Ok(Ok(hold)),
        Err(error) if setting == HoldCollector::Always => Err(error),
        Err(error) => Ok(Err(crate::cause::line(&error))),
    }
}

async fn reason_not_to(session: &Session) -> Result<Option<String>, PostgresError> {
    let failed = || session.failed("check whether the collector can be locked out");
    let Some(table) = Schema::find(session).await?.map(|schema| schema.table("ir_attachment")) else {
        return Ok(Some("the database is not Odoo's".into()));
    };
    let query = "SELECT pg_is_in_recovery(), to_regclass($1) IS NOT NULL,
                        coalesce(has_table_privilege(to_regclass($1), 'INSERT, UPDATE, DELETE'), false)";
    let row = session.query_one(query, &[&table]).await.map_err(failed())?;
    let (standby, odoo, may_lock): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if !odoo {
        return Ok(Some("the database is not Odoo's".into()));
    }
    if standby {
        return Ok(Some("the server is a hot standby".into()));
    }
    if !may_lock {
        return Ok(Some("the role may not write ir_attachment, which the lock needs".into()));
    }
    let Some(series) = super::odoo_facts(session).await?.map(|facts| facts.series) else {
        return Ok(Some("the database is not Odoo's, or its tables are not read".into()));
    };
    let major: u32 = series.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    let too_old = match series.is_empty() {
        true => "the Odoo series is unknown: its collector may make writers wait".to_owned(),
        false => {
            format!("in series {series} a waiting collector would make writers wait for as long as the backup takes")
        }
    };
    Ok((major < FIRST_PATIENT_SERIES).then_some(too_old))
}
