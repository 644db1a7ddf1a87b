//! Replaces the content of attachments of people's records by placeholders, and removes files that
//! no row references any more.

use serde::Serialize;
use sha1::{Digest as _, Sha1};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::columns::TableName;
use super::error::AnonymizeError;
use super::table::WithoutTriggers;
use crate::filestore::{FileName, FileNames, FilestoreError, NewFilestore, remove_others};
use crate::odoo::Anonymize;
use crate::odoo::tables::Tables;
use crate::postgres::{PostgresError, Session, quote};
use crate::text::nearest;

/// Models whose attachments are replaced, as one of PostgreSQL's regular expressions.
pub(super) const MODELS: &str = r"^(res\.(partner|users|partner\.bank)|hr\..*|crm\.lead|account\.(move|invoice|payment|bank\.statement|bank\.statement\.line)|sale\.order|purchase\.order|stock\.picking|pos\.order|mail\.(?!template).*|discuss\..*|whatsapp\.message|snailmail\.letter|calendar\.event|project\.(project|task|update)|helpdesk\.ticket|repair\.order|fleet\..*|sign\..*|documents\.document|knowledge\.article|note\.note|event\.registration|survey\.user_input.*|payment\.(transaction|token)|approval\.request|base_import\.import)$";

/// Models of which uploads are replaced, while their own pictures stay.
pub(super) const UPLOADS_OF: &str = r"^product\.(template|product|document)$";

/// The replacement of a content.
struct Placeholder {
    /// The MIME types that it replaces: one of PostgreSQL's regular expressions. The first match
    /// counts.
    for_types: &'static str,
    mimetype: &'static str,
    content: &'static [u8],
}

const PLACEHOLDERS: &[Placeholder] = &[
    Placeholder {
        for_types: "^image/svg",
        mimetype: "image/svg+xml",
        content: include_bytes!("placeholders/image.svg"),
    },
    Placeholder { for_types: "^image/", mimetype: "image/png", content: include_bytes!("placeholders/image.png") },
    Placeholder {
        for_types: "^application/pdf$",
        mimetype: "application/pdf",
        content: include_bytes!("placeholders/page.pdf"),
    },
    Placeholder { for_types: "^text/html$", mimetype: "text/html", content: b"<p>Anonymized</p>\n" },
    Placeholder { for_types: "/json$", mimetype: "application/json", content: b"{}\n" },
    Placeholder { for_types: "", mimetype: "text/plain", content: b"Anonymized\n" },
];

/// The changes to attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct AnonymizedAttachments {
    /// Rows of `ir_attachment` with replaced content, by model; the model of uploads without a
    /// record is empty.
    pub replaced: Vec<AttachmentsOf>,
    /// Rows whose content stays.
    pub left: Vec<AttachmentsOf>,
    /// Removed files, which no row references any more.
    pub files_removed: u64,
    /// Their total length in bytes.
    pub bytes_removed: u64,
    /// Placeholders.
    pub files_added: u64,
    /// Their total length in bytes.
    pub bytes_added: u64,
}

/// Attachments of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AttachmentsOf {
    /// `res.partner`
    pub model: String,
    /// Rows.
    pub rows: u64,
}

/// Checks the models in the configuration against those of the database.
pub(super) async fn check(
    session: &Session,
    tables: &Tables,
    settings: &Anonymize,
    odoo: &str,
) -> Result<(), AnonymizeError> {
    let added = settings.attachments.iter().map(|name| ("attachments", name));
    let kept = settings.keep_attachments.iter().map(|name| ("keep", name));
    let named: Vec<_> = added.chain(kept).collect();
    if named.is_empty() {
        return Ok(());
    }
    let mut models = Vec::new();
    for (table, column) in [("ir_model", "model"), ("ir_attachment", "res_model")] {
        if tables.have(table, &[column]) {
            let query = format!("SELECT DISTINCT {column}::text FROM {}.{table} WHERE {column} <> ''", quote(odoo));
            let rows = session.query(&query, &[]).await.map_err(session.failed("list the models"))?;
            models.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
    }
    match named.into_iter().find(|(_, name)| !models.contains(name)) {
        Some((key, name)) => {
            let suggestion = nearest(name, models.iter().map(String::as_str)).map(Into::into);
            Err(AnonymizeError::NoSuchModel { key, name: name.clone(), suggestion })
        }
        None => Ok(()),
    }
}

/// Replaces the content in the rows and in the filestore.
pub(super) async fn replace(
    session: &Session,
    tables: &Tables,
    filestore: NewFilestore,
    settings: &Anonymize,
    odoo: &str,
) -> Result<AnonymizedAttachments, AnonymizeError> {
    let table = format!("{}.ir_attachment", quote(odoo));
    let columns =
        ["res_model", "res_field", "type", "url", "db_datas", "store_fname", "checksum", "file_size", "mimetype"];
    if !tables.have("ir_attachment", &columns) {
        return Ok(AnonymizedAttachments::default());
    }
    let placeholders: Vec<_> = PLACEHOLDERS.iter().map(|one| (one, sha1(one.content))).collect();
    let types: Vec<_> = placeholders.iter().map(|(one, _)| one.for_types).collect();
    let mimetypes: Vec<_> = placeholders.iter().map(|(one, _)| one.mimetype).collect();
    let sha1s: Vec<_> = placeholders.iter().map(|(_, sha1)| sha1.as_str()).collect();
    let sizes: Vec<_> = placeholders.iter().map(|(one, _)| one.content.len() as i64).collect();
    // Content in a bucket is not read from there any more; a link leads nowhere.
    let statement = format!(
        "UPDATE {table} a SET
             store_fname = CASE WHEN a.type = 'url' THEN a.store_fname ELSE left(p.sha1, 2) || '/' || p.sha1 END,
             checksum = CASE WHEN a.type = 'url' THEN a.checksum ELSE p.sha1 END,
             file_size = CASE WHEN a.type = 'url' THEN a.file_size ELSE p.size END,
             mimetype = CASE WHEN a.type = 'url' THEN a.mimetype ELSE p.mimetype END,
             url = CASE WHEN a.type = 'url' THEN pg_temp.fake_url(a.url) WHEN a.type = 'binary' THEN a.url END,
             type = CASE WHEN a.type = 'url' THEN 'url' ELSE 'binary' END,
             db_datas = NULL
         FROM unnest($5::text[], $6::text[], $7::text[], $8::bigint[]) WITH ORDINALITY AS p (types, mimetype, sha1, size, number)
         WHERE {CHOSEN} AND p.number = (
             SELECT min(number) FROM unnest($5::text[]) WITH ORDINALITY AS t (types, number) WHERE coalesce(a.mimetype, '') ~ t.types)"
    );
    let (replaced, left) = counts(session, settings, &table).await?;
    let failed = || session.failed("replace attachments by placeholders");
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
        [&MODELS, &settings.attachments, &settings.keep_attachments, &UPLOADS_OF, &types, &mimetypes, &sha1s, &sizes];
    let name = TableName { schema: odoo.into(), name: "ir_attachment".into(), is_odoos: true };
    let quiet = WithoutTriggers::begin(session, &name).await?;
    session.execute(&statement, &parameters).await.map_err(failed())?;
    quiet.commit().await?;
    let named =
        session.query(&format!("SELECT DISTINCT store_fname::text FROM {table} WHERE store_fname <> ''"), &[]).await;
    let named: FileNames<bool> = named.map_err(failed())?.iter().map(|row| (FileName::new(row.get(0)), true)).collect();

    let contents: Vec<_> =
        placeholders.iter().map(|(one, sha1)| (format!("{}/{sha1}", &sha1[..2]), one.content)).collect();
    // The thread ends soon after its caller is gone.
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let work = tokio::task::spawn_blocking(move || {
        let mut done = AnonymizedAttachments::default();
        for (path, content) in contents {
            if named.get(&FileName::new(&path)).is_some() && filestore.add_small(&path, content)? {
                done.files_added += 1;
                done.bytes_added += content.len() as u64;
            }
        }
        let removed = remove_others(filestore.folder(), &named, &stop)?;
        filestore.sync()?;
        (done.files_removed, done.bytes_removed) = (removed.files, removed.bytes);
        Ok::<_, FilestoreError>(done)
    });
    let done = work.await.map_err(|error| AnonymizeError::Interrupted(error.into()))??;
    Ok(AnonymizedAttachments { replaced, left, ..done })
}

/// The rows: `$1` is the pattern, `$2` what is added to it, `$3` what is taken from it, `$4` the
/// pattern of models of which only uploads count. Uploads without a record are personal as well;
/// Odoo's own files, which have none either, have an address.
const CHOSEN: &str = "NOT coalesce(a.res_model = ANY($3::text[]), false) AND CASE
    WHEN coalesce(a.res_model, '') IN ('', '0') THEN coalesce(a.url, '') = '' OR a.type = 'url' AND a.url ~ '^https?://'
    ELSE a.res_model ~ $1 OR a.res_model = ANY($2::text[]) OR a.res_model ~ $4 AND a.res_field IS NULL END";

fn sha1(content: &[u8]) -> String {
    FileName::Sha1(Sha1::digest(content).into()).to_string().split_off(3)
}

/// Counts the rows that are replaced and that stay, by model.
async fn counts(
    session: &Session,
    settings: &Anonymize,
    table: &str,
) -> Result<(Vec<AttachmentsOf>, Vec<AttachmentsOf>), PostgresError> {
    let query = format!("SELECT coalesce(a.res_model, ''), count(*), {CHOSEN} FROM {table} a GROUP BY 1, 3 ORDER BY 1");
    let rows = session.query(&query, &[&MODELS, &settings.attachments, &settings.keep_attachments, &UPLOADS_OF]).await;
    let rows = rows.map_err(session.failed("count attachments"))?;
    let (mut replaced, mut left) = (Vec::new(), Vec::new());
    for row in &rows {
        let one = AttachmentsOf { model: row.get(0), rows: row.get::<_, i64>(1).unsigned_abs() };
        if row.get(2) { replaced.push(one) } else { left.push(one) }
    }
    Ok((replaced, left))
}
