//! Loads the rows of an archive in several parallel sessions.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use futures::future::try_join_all;
use tokio::sync::{Mutex, mpsc};

use crate::postgres::archive::{ArchiveError, ArchiveTables, DumpedTable, TableData};
use crate::postgres::{Endpoint, PostgresError, Qualified, Session, Tuning, connect, quote};

/// A table with fewer bytes is loaded by one session, while others load the next ones. Each session
/// needs as much memory.
const LARGE: usize = 4 * 1024 * 1024;

/// The memory of all sessions together, if they are so many that each must use less.
const IN_MEMORY: usize = 64 * 1024 * 1024;

/// With so many sessions a large table is split among them. With fewer, one loads all of it and
/// [freezes](Share::frozen) it. While files are unpacked on the same two processors, a second
/// session would gain less than the indexes lose by rows that are not frozen.
const SPLIT_AMONG: usize = 3;

/// What several may take from.
type Shared<T> = Arc<Mutex<mpsc::Receiver<T>>>;

/// A table, or a part of one, for a session to load.
struct Share {
    table: DumpedTable,
    /// Batches of its rows; the session that locks it takes the next.
    rows: Shared<Bytes>,
    /// Whether rows are written as if they had always existed (`COPY FREEZE`), which saves index
    /// builds and the first vacuum the check of who wrote them. Only a session that emptied the
    /// table in the same transaction may do so.
    frozen: bool,
}

/// Loads the rows of all tables into a database that has only the empty tables.
///
/// # Errors
/// [`PostgresError`], [`PostgresError::Read`] where the archive of `subject` cannot be read; the
/// database is then in an undefined state and should be dropped.
pub(crate) async fn load_rows(
    endpoint: &Endpoint,
    tuning: &Tuning,
    archive: &mut ArchiveTables,
    subject: &str,
) -> Result<(), PostgresError> {
    let sessions = try_join_all((0..tuning.jobs()).map(|_| begin(endpoint, tuning))).await?;
    let Some(session) = sessions.first() else { return Ok(()) };
    let freezable = if sessions.len() < SPLIT_AMONG { freezable(session).await? } else { HashSet::new() };
    let (queue, shares) = mpsc::channel(1);
    let shares = Arc::new(Mutex::new(shares));
    let loading = try_join_all(sessions.iter().map(async |session| {
        while let Some(share) = next(&shares).await {
            load(session, share).await?;
        }
        Ok(())
    }));
    let handing_out = hand_out(archive, queue, &freezable, sessions.len(), subject);
    let loaded = tokio::try_join!(handing_out, loading).map(drop);
    match loaded {
        // Damaged bytes may look like anything before the digest of all of them can be compared.
        Err(error) if may_be_damage(&error) => {
            archive.read_to_end().await.map_err(|source| unreadable(subject, source))?;
            Err(error)
        }
        other => other,
    }
}

/// Opens a session with the settings of pg_restore's own.
async fn begin(endpoint: &Endpoint, tuning: &Tuning) -> Result<Session, PostgresError> {
    let session = connect(endpoint).await?;
    let settings = format!(
        "{}; SET client_encoding = 'UTF8'; SET search_path = ''; SET row_security = off; SET xmloption = content",
        tuning.statements()
    );
    session.batch_execute(&settings).await.map_err(session.failed("set up the session"))?;
    Ok(session)
}

/// Returns the tables that may be emptied before they are filled: not those that an extension has
/// filled already. Only ordinary tables support `FREEZE`.
async fn freezable(session: &Session) -> Result<HashSet<Qualified>, PostgresError> {
    /// PostgreSQL's own access method by its number, and the value of servers before 12, which know
    /// no other.
    const HEAP: &str = "(2, 0)";
    let query = format!(
        "SELECT nspname::text, relname::text
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
         WHERE relkind = 'r' AND relam IN {HEAP} AND NOT EXISTS (
             SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
    );
    let rows = session.query(&query, &[]).await.map_err(session.failed("list the tables"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Reads the archive, and gives its tables to free sessions.
async fn hand_out(
    archive: &mut ArchiveTables,
    queue: mpsc::Sender<Share>,
    freezable: &HashSet<Qualified>,
    sessions: usize,
    subject: &str,
) -> Result<(), PostgresError> {
    let least_large = LARGE.min(IN_MEMORY / sessions.max(1));
    let gone = || unreadable(subject, io::ErrorKind::BrokenPipe.into());
    while let Some(TableData::Begin(table)) = next_of(archive, subject).await? {
        let mut first = Vec::new();
        let mut size = 0;
        while size < least_large
            && let Some(TableData::Rows(rows)) = next_of(archive, subject).await?
        {
            size += rows.len();
            first.push(rows);
        }
        if first.is_empty() {
            continue;
        }
        let large = size >= least_large;
        // Only a session that loads the entry's own table may empty it: rows loaded through a
        // partitioned table go to other tables too.
        let frozen = large && freezable.contains(&table.name) && loaded_by(&table.copy).as_ref() == Some(&table.name);
        let (sender, rows) = mpsc::channel(first.len());
        let rows = Arc::new(Mutex::new(rows));
        for batch in first {
            sender.send(batch).await.map_err(|_| gone())?;
        }
        let shares = if large && !frozen { sessions } else { 1 };
        for _ in 0..shares {
            let share = Share { table: table.clone(), rows: rows.clone(), frozen };
            queue.send(share).await.map_err(|_| gone())?;
        }
        drop(rows);
        while large && let Some(TableData::Rows(rows)) = next_of(archive, subject).await? {
            sender.send(rows).await.map_err(|_| gone())?;
        }
    }
    Ok(())
}

async fn next_of(archive: &mut ArchiveTables, subject: &str) -> Result<Option<TableData>, PostgresError> {
    archive.next().await.map_err(|error| match error {
        ArchiveError::Io(source) => unreadable(subject, source),
        ArchiveError::Misunderstood(reason) => PostgresError::Archive { subject: subject.to_owned(), reason },
    })
}

async fn next<T>(shared: &Shared<T>) -> Option<T> {
    shared.lock().await.recv().await
}

async fn load(session: &Session, share: Share) -> Result<(), PostgresError> {
    let Share { table, rows, frozen } = share;
    let (schema, name) = &table.name;
    let failed = || session.failed(format!("load the rows of {schema}.{name}"));
    if frozen {
        let empty = format!("BEGIN; TRUNCATE ONLY {}.{}", quote(schema), quote(name));
        session.batch_execute(&empty).await.map_err(failed())?;
    }
    let sink = session.copy_in(&table.copy_statement(frozen)).await.map_err(failed())?;
    let mut sink = std::pin::pin!(sink);
    loop {
        let mut source = rows.lock().await;
        let Some(mut batch) = source.recv().await else { break };
        // All pieces of a row take the same way.
        while !batch.ends_with(b"\n")
            && let Some(rest) = source.recv().await
        {
            sink.send(std::mem::replace(&mut batch, rest)).await.map_err(failed())?;
        }
        drop(source);
        sink.send(batch).await.map_err(failed())?;
    }
    sink.finish().await.map_err(failed())?;
    if frozen {
        session.batch_execute("COMMIT").await.map_err(failed())?;
    }
    Ok(())
}

/// Returns the table in a `COPY`. It may differ from the table of the entry: pg_dump loads
/// partitions through their partitioned table if rows may belong to another partition in another
/// database.
fn loaded_by(copy: &str) -> Option<Qualified> {
    let (schema, rest) = identifier(copy.strip_prefix("COPY ")?)?;
    let (name, _) = identifier(rest.strip_prefix('.')?)?;
    Some((schema, name))
}

/// Returns the identifier at the start of a text, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        name.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, behind)),
        }
    }
}

fn unreadable(subject: &str, source: io::Error) -> PostgresError {
    PostgresError::Read { subject: subject.to_owned(), source }
}

/// Returns whether the archive may be the cause: it is not understood, or the server does not
/// understand its content.
fn may_be_damage(error: &PostgresError) -> bool {
    match error {
        PostgresError::Archive { .. } => true,
        // Class 22: data exception
        PostgresError::Query { source, .. } => source.code().is_some_and(|code| code.code().starts_with("22")),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
