//! Examines the folders that the program writes to: their owner, its permissions, and what their
//! file systems lack.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::{Finding, Subjects, TrialFindings, TrialOutcome};
use crate::cause;
use crate::error::{Error, explain};
use crate::folder;
use crate::repository::Listing;
use crate::store::StoreConfig;

/// Entries of a repository that are examined.
const MOST_ENTRIES: usize = 100_000;

/// Reports folders that may not be read: they hide backups.
pub(super) fn report_unreadable(listing: &Listing, findings: &mut TrialFindings) {
    for unreadable in &listing.unreadable {
        let explanation = explain(unreadable);
        let text = explanation.to_string();
        findings.add("list", TrialOutcome::Failed, text, explanation.hint);
    }
}

/// Examines the owner of a repository's folder and of its content, and its file system.
pub(super) fn try_folder(root: &Path, findings: &mut TrialFindings) {
    warn_of_owner(root)
        .into_iter()
        .for_each(|(text, hint)| findings.add("owner", TrialOutcome::Warning, text, Some(hint)));
    let mut foreign = None;
    if let Ok(found) = root.metadata() {
        foreign = find_foreign(root, found.uid());
        if let Some(path) = &foreign {
            let owner = folder::owner_text(found.uid(), found.gid());
            let text = format!(
                "{} does not belong to {}, the owner of the repository",
                path.display(),
                folder::user_name(found.uid())
            );
            let hint = format!("run `sudo chown -R {owner} {}`", root.display());
            findings.add("owner", TrialOutcome::Failed, text, Some(hint));
        }
    }
    if foreign.is_none() {
        findings.ok("owner", "all files belong to one user");
    }
    match folder::lacks(root) {
        Ok(lacks) if lacks.is_empty() => findings.ok("file system", "supports everything needed"),
        Ok(lacks) => lacks.into_iter().for_each(|text| {
            let hint = "use a Linux file system such as ext4 or XFS".to_owned();
            findings.add("file system", TrialOutcome::Warning, text, Some(hint));
        }),
        Err(source) => drop(
            findings
                .tried::<()>("file system", Err(Error::Io { action: format!("write in {}", root.display()), source })),
        ),
    }
}

/// Returns the warning about a repository's folder that another user owns or can write to, with a
/// hint.
pub fn warn_of_owner(root: &Path) -> Option<(String, String)> {
    let found = root.metadata().ok()?;
    let own = rustix::process::geteuid().as_raw();
    let shown = root.display();
    if ![0, own].contains(&found.uid()) {
        let owner = folder::user_name(found.uid());
        let text = format!("{shown} belongs to {owner}, who can change every backup in it");
        return Some((text, format!("run odoo-backup as {owner}, or give the folder to the user who runs it")));
    }
    (found.mode() & 0o022 != 0).then(|| {
        let text = format!(
            "other users may write to {shown} (mode {:04o}), and so change every backup",
            found.mode() & 0o7777
        );
        (text, format!("`chmod go-w {shown}`"))
    })
}

/// Returns the first file or folder in a repository that another user owns.
pub(super) fn find_foreign(root: &Path, owner: u32) -> Option<PathBuf> {
    let mut folders = vec![root.to_owned()];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            looked += 1;
            if looked > MOST_ENTRIES {
                return None;
            }
            let Ok(found) = entry.metadata() else { continue };
            if found.uid() != owner {
                return Some(entry.path());
            }
            if found.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    None
}

/// Returns what the daemon will be unable to write to, as the current user: repositories in
/// folders, its state, and the folders for restores and drills. A hardened service may write to few
/// folders.
pub fn unwritable(subjects: &Subjects) -> Vec<Finding> {
    let mut findings = TrialFindings::default();
    for (subject, place) in &subjects.repositories {
        findings.subject.clone_from(subject);
        if let StoreConfig::Local { path } = place {
            try_writing(path, &mut findings);
        }
    }
    for target in &subjects.targets {
        findings.subject = format!("target {}", target.name);
        if let Some(above) = target.filestore.parent() {
            try_writing(above, &mut findings);
        }
    }
    findings.all
}

/// Tries whether files can be created in a folder, or in its nearest existing ancestor.
pub(super) fn try_writing(folder: &Path, findings: &mut TrialFindings) -> bool {
    let Some(there) = folder.ancestors().find(|above| above.is_dir()) else { return true };
    let Err(error) = rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) else { return true };
    let error = io::Error::from(error);
    let hint = folder::hint_of(&error, there)
        .unwrap_or_else(|| "run odoo-backup as the user that Odoo runs as, or as root".into());
    findings.failed("write", format!("unable to write in {}: {}", there.display(), cause::line(&error)), hint);
    false
}
