//! `odoo-backup files`

use std::sync::{Arc, Mutex, PoisonError};

use engine::odoo::Attachment;
use engine::repository::BackupId;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open};
use super::failure::Failure;
use super::latest::find;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, table};

/// What `files` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Files)]
pub(super) struct FilesDocument {
    /// The backup's id.
    backup: BackupId,
    /// The instance.
    instance: String,
    /// The attachments, in the order of their ids.
    attachments: Vec<Attachment>,
}

/// Lists the attachments of a backup whose name, model or path contains a text.
pub(super) async fn files(
    config: Chosen<'_>,
    selector: &str,
    like: Option<&str>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let repository = open(&config).await?;
    let manifest = find(&repository, selector, &config, output).await?;
    let like = like.unwrap_or_default().to_lowercase();
    let found = Arc::new(Mutex::new(Vec::new()));
    let kept = found.clone();
    let keep = move |attachment: Attachment| {
        if attachment.is_like(&like) {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(attachment);
        }
        Ok(())
    };
    engine::fetch::attachments(&repository, &manifest, keep, run).await?;
    let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let document = FilesDocument { backup: manifest.id, instance: manifest.instance, attachments: found };
    Ok(output.result(&document, || text(&document.attachments), Exit::Success))
}

fn text(found: &[Attachment]) -> String {
    if found.is_empty() {
        return "no matching attachments".to_owned();
    }
    let rows = found.iter().map(|attachment| {
        let record = match (&attachment.model, attachment.record) {
            (Some(model), Some(id)) => format!("{model},{id}"),
            (Some(model), None) => model.clone(),
            (None, _) => "-".to_owned(),
        };
        // A name is data and must not control the terminal.
        let name = attachment.name.escape_debug().to_string();
        let path = attachment.path.clone().unwrap_or_else(|| "-".to_owned());
        vec![attachment.id.to_string(), name, record, bytes(attachment.size), path]
    });
    table(&["ID", "NAME", "RECORD", "SIZE", "PATH"], &[0, 3], rows)
}
