//! The attachments of an Odoo database, as of a snapshot.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use super::readable::{Readable, text_of};
use crate::filestore::{FileName, FileNames};
use crate::postgres::{PostgresError, Session};
use crate::stream::{Body, body_of};

/// A line of a backup's list of attachments: enough to find a file by its usual name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// `ir_attachment.id`
    pub id: i64,
    /// Its name as users see it: `invoice.pdf`.
    pub name: String,
    /// Model of its record: `account.move`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// That record's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<i64>,
    /// The field whose value it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// Its file's path within the filestore, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub path: Option<String>,
    /// Length of its content in bytes, as Odoo recorded it.
    #[serde(default)]
    #[schema(required = true)]
    pub size: u64,
}

impl Attachment {
    /// Returns whether its name, its model or its path contains `text`, which is in lower case.
    pub fn is_like(&self, text: &str) -> bool {
        let texts = [Some(&self.name), self.model.as_ref(), self.path.as_ref()];
        texts.into_iter().flatten().any(|own| own.to_lowercase().contains(text))
    }
}

/// How many attachments there are, and where their content is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttachmentCounts {
    /// Rows of `ir_attachment`.
    pub rows: u64,
    /// Different files of the filestore that they reference. Rows with the same content share one.
    pub files: u64,
    /// Rows whose content is in the database itself.
    pub in_database: u64,
    /// Rows whose content is in another storage: a bucket, a cloud.
    pub elsewhere: u64,
    /// Rows that only link to an address.
    pub links: u64,
}

/// The summary, collected while the rows pass.
#[derive(Debug, Default)]
struct Gathered {
    counts: AttachmentCounts,
    named: Vec<FileName>,
}

/// The rows' summary, available after their [`Body`] was read to its end.
#[derive(Debug, Clone, Default)]
pub struct Inventory(Arc<Mutex<Gathered>>);

impl Inventory {
    /// Returns the counts, and the referenced files.
    pub fn take(&self) -> (AttachmentCounts, FileNames<bool>) {
        let gathered = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let named: FileNames<bool> = gathered.named.into_iter().map(|name| (name, false)).collect();
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
            // Odoo's own storages in a bucket, and those of the community, write a scheme or a type
            // of their own.
            (_, Some(_)) => gathered.counts.elsewhere += 1,
            ("binary", None) => gathered.counts.in_database += u64::from(in_database),
            ("url", None) => gathered.counts.links += 1,
            (_, None) => gathered.counts.elsewhere += 1,
        }
    }
}

/// The columns that are read as text.
const TEXTS: [&str; 5] = ["name", "res_model", "res_field", "store_fname", "type"];

/// Reads all attachments, in the session's current transaction, as a list of one [`Attachment`] per
/// line; none where the table may not be read.
///
/// # Errors
/// [`PostgresError::Query`]; what fails later fails the body.
pub async fn attachments(session: &Session) -> Result<(Body, Inventory), PostgresError> {
    let failed = || session.failed("read the attachments");
    let inventory = Inventory::default();
    let Some(mut table) = Readable::find(session, "ir_attachment").await? else {
        return Ok((body_of(""), inventory));
    };
    table.prefer_utf8(session, &TEXTS).await?;
    let [name, model, field, path, kind] = TEXTS.map(|column| table.bytes(column));
    let query = format!(
        "SELECT coalesce({}, 0), {name}, {model}, {}, {field}, {path}, {kind}, {}, {} FROM {} ORDER BY 1",
        table.integer("id"),
        table.integer("res_id"),
        table.integer("file_size"),
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
        name: text_of(row, 1).unwrap_or_default(),
        model: text_of(row, 2),
        record: row.get(3),
        field: text_of(row, 4),
        path: None,
        size: row.get::<_, Option<i64>>(7).and_then(|size| size.try_into().ok()).unwrap_or(0),
    };
    let kind = text_of(row, 6).unwrap_or_else(|| "binary".to_owned());
    inventory.note(&kind, row.get(8), &mut attachment, text_of(row, 5));
    let mut line = serde_json::to_vec(&attachment)?;
    line.push(b'\n');
    Ok(line)
}

/// Returns which of these files the database references now, outside of any snapshot.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn still_named(session: &Session, paths: &[String]) -> Result<Vec<String>, PostgresError> {
    let Some(table) = Readable::find(session, "ir_attachment").await? else { return Ok(Vec::new()) };
    let path = table.text("store_fname");
    let query = format!("SELECT DISTINCT {path} FROM {} WHERE {path} = ANY($1::text[])", table.sql);
    let rows = session.query(&query, &[&paths]).await.map_err(session.failed("look up attachments again"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
