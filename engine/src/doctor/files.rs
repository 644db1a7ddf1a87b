//! Tries whether a filestore belongs to the database.

use std::path::Path;

use super::{TrialFindings, TrialOutcome};
use crate::error::Error;
use crate::filestore::{FileNames, check_path};
use crate::odoo::{AttachmentCounts, attachments};
use crate::postgres::Session;

/// Number of files that are looked for, evenly spread over all names.
const SAMPLE: usize = 1000;

/// Looks for the files that the attachments reference, and for content stored outside every
/// filestore.
pub(super) async fn try_attachments(session: &Session, filestore: &Path, findings: &mut TrialFindings) {
    let Some((counts, named)) = findings.attempt("attachments", read(session)).await else { return };
    if counts.elsewhere > 0 {
        let detail = match counts.elsewhere {
            1 => "the content of 1 attachment is in another storage, such as a bucket: it is in no backup".to_owned(),
            many => {
                format!("the content of {many} attachments is in another storage, such as a bucket: it is in no backup")
            }
        };
        let hint = "back up that storage separately, or move the attachments to the filestore".to_owned();
        findings.add("attachments", TrialOutcome::Warning, detail, Some(hint));
    }
    let names: Vec<_> = named.iter().step_by(named.len().div_ceil(SAMPLE).max(1)).map(|(name, _)| name).collect();
    let missing = names.iter().filter(|name| !is_there(filestore, &name.to_string())).count();
    let (looked, folder) = (names.len(), filestore.display());
    let hint = "check `data_dir` or `filestore` in the configuration, and `data_dir` in odoo.conf: the folder may be \
                another database's, or its disk may not be mounted";
    match missing {
        0 if looked == 0 => findings.ok("attachments", "no attachment has a file"),
        0 => findings.ok("attachments", format!("checked {looked} of their {} files: all exist", counts.files)),
        missing if missing * 2 > looked => {
            let detail = format!("{missing} of {looked} files that the attachments reference are not in {folder}");
            findings.failed("attachments", detail, hint);
        }
        missing => {
            let detail = format!("{missing} of {looked} files that the attachments reference are not in {folder}");
            findings.add("attachments", TrialOutcome::Warning, detail, Some(hint.to_owned()));
        }
    }
}

async fn read(session: &Session) -> Result<(AttachmentCounts, FileNames<bool>), Error> {
    let (mut lines, inventory) = attachments(session).await?;
    let failed = |source| Error::Io { action: "read the attachments".into(), source };
    tokio::io::copy(&mut lines, &mut tokio::io::sink()).await.map_err(failed)?;
    Ok(inventory.take())
}

fn is_there(filestore: &Path, name: &str) -> bool {
    check_path(name.as_bytes()).is_ok() && filestore.join(name).is_file()
}
