//! The files of a copy.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::RestoredCopy;
use super::at_source::AtSource;
use crate::backup_files::BackupFiles;
use crate::error::Error;
use crate::filestore::{Wrong, look_at};
use crate::folder::OpenFolder;
use crate::manifest::{Check, Depth, Notes, Subject};
use crate::text::{counted, size};

/// Checks every file of the backup. Returns the check, and what the files are.
pub(super) async fn check(
    copy: &RestoredCopy<'_>,
    depth: Depth,
    at_source: Arc<AtSource>,
) -> Result<(Check, BackupFiles), Error> {
    let expected = BackupFiles::of(copy.repository, copy.manifest).await?;
    let root = match copy.filestore.exists() {
        true => Some(
            OpenFolder::open(copy.filestore)
                .map_err(|source| Error::Io { action: format!("open {}", copy.filestore.display()), source })?,
        ),
        false => None,
    };
    // The thread ends soon after its caller is gone.
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let looked = tokio::task::spawn_blocking(move || {
        let (mut findings, mut known) = (Notes::default(), Notes::default());
        let (mut files, mut bytes, mut unclear) = (0_u64, 0_u64, 0_u64);
        for (name, located) in expected.files() {
            if stop.is_cancelled() {
                break;
            }
            files += 1;
            bytes += located.size;
            let looked = match &root {
                Some(root) => look_at(root, &name, located.size, depth == Depth::Full),
                None => Err(Wrong::Missing),
            };
            if let Err(wrong) = looked {
                let name = name.to_string();
                let notes = match wrong.is_content().then(|| at_source.was_damaged(&name)) {
                    Some(Some(true)) => &mut known,
                    Some(None) => {
                        unclear += 1;
                        continue;
                    }
                    Some(Some(false)) | None => &mut findings,
                };
                notes.add(format!("{name} {wrong}"));
            }
        }
        let how = match depth {
            Depth::Quick => "all of the recorded length",
            Depth::Full => "read back, all of the recorded length and SHA-1",
        };
        let summary = format!("{} of {}, {how}", counted(files, "file"), size(bytes));
        let check = match unclear {
            1.. if findings.is_none() => {
                at_source.skipped(Subject::Files, &format!("{} damaged in the copy", counted(unclear, "file")))
            }
            _ => Check::of(Subject::Files, files, summary, findings, known),
        };
        (check, expected)
    });
    let failed =
        |error: tokio::task::JoinError| Error::Io { action: "look at the restored files".into(), source: error.into() };
    looked.await.map_err(failed)
}
