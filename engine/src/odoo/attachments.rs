//! What the attachments of an Odoo database name, as of a snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::io::StreamReader;

use super::{Schema, Table};
use crate::filestore::{FileName, Names};
use crate::postgres::{PostgresError, Session};
use crate::stream::{Body, body_of};

/// A line of a backup's list of attachments: enough to find a file by what people call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// `ir_attachment.id`
    pub id: i64,
    /// Its name as people see it: `invoice.pdf`.
    pub name: String,
    /// Model of the record that it belongs to: `account.move`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// That record's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<i64>,
    /// The field that it is the value of, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Its file's path within the filestore, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Length of its content in bytes, as Odoo has written it down.
    #[serde(default)]
    pub size: u64,
}

impl Attachment {
    /// Whether its name, its model or its path holds `text`, which is in lower case.
    pub fn is_like(&self, text: &str) -> bool {
        let texts = [Some(&self.name), self.model.as_ref(), self.path.as_ref()];
        texts.into_iter().flatten().any(|own| own.to_lowercase().contains(text))
    }
}

/// How many attachments there are, and where their content is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentCounts {
    /// Rows of `ir_attachment`.
    pub rows: u64,
    /// Different files of the filestore that they name. Rows with the same content share one.
    pub files: u64,
    /// Rows whose content is in the database itself.
    pub in_database: u64,
    /// Rows whose content is in another storage: a bucket, a cloud.
    pub elsewhere: u64,
    /// Rows that only link to an address.
    pub links: u64,
}

/// What the rows say, gathered while they pass by.
#[derive(Debug, Default)]
struct Gathered {
    counts: AttachmentCounts,
    named: Vec<FileName>,
}

/// The rows' summary, to be had once their [`Body`] was read to its end.
#[derive(Debug, Clone, Default)]
pub struct Inventory(Arc<Mutex<Gathered>>);

impl Inventory {
    /// Counts, and the files that are named.
    pub fn take(&self) -> (AttachmentCounts, Names<bool>) {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let named: Names<bool> = gathered.named.into_iter().map(|name| (name, false)).collect();
        (AttachmentCounts { files: named.len() as u64, ..gathered.counts }, named)
    }

    fn note(&self, kind: &str, in_database: bool, attachment: &mut Attachment, store_fname: Option<String>) {
        let mut gathered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gathered.counts.rows += 1;
        match (kind, store_fname.filter(|name| !name.is_empty())) {
            ("binary", Some(path)) if !path.contains("://") => {
                gathered.named.push(FileName::new(&path));
                attachment.path = Some(path);
            }
            // Odoo's own storages in a bucket, and those of the community, write a scheme or a type of their own.
            (_, Some(_)) => gathered.counts.elsewhere += 1,
            ("binary", None) => gathered.counts.in_database += u64::from(in_database),
            ("url", None) => gathered.counts.links += 1,
            (_, None) => gathered.counts.elsewhere += 1,
        }
    }
}

/// Reads all attachments, in the transaction that the session is in, as a list of one [`Attachment`] a line; none where the table is
/// not to be read.
///
/// # Errors
/// [`PostgresError::Query`]; what fails later fails the body.
pub async fn attachments(session: &Session) -> Result<(Body, Inventory), PostgresError> {
    let failed = || session.failed("read the attachments");
    let inventory = Inventory::default();
    let Some(table) = table(session).await? else { return Ok((body_of(""), inventory)) };
    // Older series and databases of other origin lack one or the other column.
    let or_null =
        |name: &str, cast: &str| if table.has(name) { format!("{name}::{cast}") } else { format!("NULL::{cast}") };
    let query = format!(
        "SELECT id::bigint, {}, {}, {}, {}, {}, coalesce({}, 'binary'), {}, {} FROM {} ORDER BY id",
        or_null("name", "text"),
        or_null("res_model", "text"),
        or_null("res_id", "bigint"),
        or_null("res_field", "text"),
        or_null("store_fname", "text"),
        or_null("type", "text"),
        or_null("file_size", "bigint"),
        if table.has("db_datas") { "db_datas IS NOT NULL" } else { "false" },
        table.sql,
    );
    let none: [&(dyn ToSql + Sync); 0] = [];
    let rows = session.query_raw(&query, none).await.map_err(failed())?;
    let gathered = inventory.clone();
    let error = Arc::new(Mutex::new(Some(session.failed("read the attachments"))));
    let lines = rows.map(move |row| match row {
        Ok(row) => Ok(bytes::Bytes::from(line(&row, &gathered)?)),
        Err(source) => {
            let failed = error.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(failed.map_or_else(
                || std::io::Error::other("reading the attachments had failed already"),
                |failed| std::io::Error::other(failed(source)),
            ))
        }
    });
    Ok((Box::pin(StreamReader::new(Box::pin(lines))), inventory))
}

fn line(row: &Row, inventory: &Inventory) -> std::io::Result<Vec<u8>> {
    let mut attachment = Attachment {
        id: row.get(0),
        name: row.get::<_, Option<String>>(1).unwrap_or_default(),
        model: row.get(2),
        record: row.get(3),
        field: row.get(4),
        path: None,
        size: row.get::<_, Option<i64>>(7).unwrap_or(0).unsigned_abs(),
    };
    inventory.note(row.get(6), row.get(8), &mut attachment, row.get(5));
    let mut line = serde_json::to_vec(&attachment)?;
    line.push(b'\n');
    Ok(line)
}

/// Which of these files the database names now, outside of any snapshot.
///
/// # Errors
/// [`PostgresError::Query`]
pub async fn still_named(session: &Session, paths: &[String]) -> Result<Vec<String>, PostgresError> {
    let table = table(session).await?.filter(|table| table.has("store_fname"));
    let Some(table) = table else { return Ok(Vec::new()) };
    let query =
        format!("SELECT DISTINCT store_fname::text FROM {} WHERE store_fname::text = ANY($1::text[])", table.sql);
    let rows = session.query(&query, &[&paths]).await.map_err(session.failed("look up attachments again"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The attachments' table, where it may be read.
async fn table(session: &Session) -> Result<Option<Table>, PostgresError> {
    match Schema::find(session).await? {
        Some(schema) => Ok(schema.look(session, "ir_attachment").await?.table()),
        None => Ok(None),
    }
}
