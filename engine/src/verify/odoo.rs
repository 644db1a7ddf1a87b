//! What Odoo's own tables say in a copy.

use super::at_source::AtSource;
use super::{RestoredCopy, were};
use crate::backup_files::BackupFiles;
use crate::error::Error;
use crate::manifest::{AttachmentContent, Check, Notes, Subject};
use crate::odoo::{OdooFacts, attachments, is_series, odoo_facts};
use crate::postgres::Session;
use crate::text::counted;

/// Makes the checks that need an Odoo database.
pub(super) async fn check(
    copy: &RestoredCopy<'_>,
    session: &Session,
    files: &BackupFiles,
    at_source: &AtSource,
) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    if let Some(odoo) = &copy.manifest.odoo {
        let found = odoo_facts(session).await?;
        checks.push(check_modules(found.as_ref(), odoo));
        checks.push(check_users(found.as_ref().and_then(|found| found.internal_users), odoo.internal_users));
    }
    if let Some(content) = &copy.manifest.attachments {
        checks.push(check_attachments(session, content, files, at_source).await?);
    }
    Ok(checks)
}

fn check_modules(found: Option<&OdooFacts>, expected: &OdooFacts) -> Check {
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    let Some(found) = found else {
        findings.add("it has no ir_module_module and ir_attachment");
        return Check::of(Subject::Modules, 0, "not Odoo's".into(), findings, known);
    };
    // If the source did not record its series, there is none to compare.
    if is_series(&expected.series) && found.series != expected.series {
        findings.add(format!("its series is {:?}, and {:?} was backed up", found.series, expected.series));
    }
    if found.database_uuid != expected.database_uuid {
        findings.add("its database.uuid differs");
    }
    for (name, version) in &expected.modules {
        match found.modules.get(name) {
            Some(found) if found == version => {}
            Some(found) => {
                findings.add(format!("{name} is installed in version {found:?}, and was backed up in {version:?}"))
            }
            None => findings.add(format!("{name} is not installed")),
        }
    }
    for name in found.modules.keys().filter(|name| !expected.modules.contains_key(*name)) {
        findings.add(format!("{name} is installed, and was not when it was backed up"));
    }
    // Backups of earlier versions of this program do not record what was pending.
    for (name, module) in &found.pending {
        let state = &module.state;
        match expected.pending.get(name) {
            Some(expected) if expected.state != *state => {
                findings.add(format!("{name} is {state:?}, and was {:?} when it was backed up", expected.state));
            }
            _ => known.add(format!("{name} is {state:?}")),
        }
    }
    for name in expected.pending.keys().filter(|name| !found.pending.contains_key(*name)) {
        findings.add(format!("{name} was to be installed, upgraded or removed, and is not"));
    }
    let number = expected.modules.len() as u64;
    let series = if expected.series.is_empty() { "of an unknown series" } else { &expected.series };
    let summary = format!("Odoo {series}, {}", counted(number, "installed module"));
    Check::of(Subject::Modules, number, summary, findings, known)
}

/// Compares active users. A lack of them is a fault of the copy only if the source had some.
fn check_users(found: Option<u64>, expected: Option<u64>) -> Check {
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    let no_users = "there is no active internal user, so no user can sign in";
    match (found, expected) {
        (Some(0), Some(1..)) => findings.add(no_users),
        (Some(0), Some(0) | None) => known.add(format!("{no_users}, as at the source")),
        (None, Some(_)) => findings.add("its res_users cannot be read, but could be when it was backed up"),
        (None, None) => known.add("there is no res_users that could be read, as at the source"),
        (Some(_), _) => {}
    }
    let users = found.unwrap_or(0);
    Check::of(Subject::Users, users, counted(users, "active internal user"), findings, known)
}

async fn check_attachments(
    session: &Session,
    expected: &AttachmentContent,
    files: &BackupFiles,
    at_source: &AtSource,
) -> Result<Check, Error> {
    let (mut lines, inventory) = attachments(session).await?;
    let read = tokio::io::copy(&mut lines, &mut tokio::io::sink()).await;
    read.map_err(|source| Error::Io { action: "read the restored attachments".into(), source })?;
    let (counts, named) = inventory.take();
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    let wanted = expected.counts;
    for (what, found, expected) in [
        ("attachments", counts.rows, wanted.rows),
        ("referenced files", counts.files, wanted.files),
        ("attachments in the database", counts.in_database, wanted.in_database),
        ("attachments elsewhere", counts.elsewhere, wanted.elsewhere),
        ("links", counts.links, wanted.links),
    ] {
        if found != expected {
            findings.add(format!("{what}: the copy has {found}, and {} backed up", were(expected)));
        }
    }
    let mut unclear = 0;
    for (name, _) in named.iter() {
        if files.get(&name).is_some() {
            continue;
        }
        let name = name.to_string();
        let notes = match at_source.lacked(&name) {
            Some(true) => &mut known,
            Some(false) => &mut findings,
            None => {
                unclear += 1;
                continue;
            }
        };
        notes.add(format!("{name} is referenced by an attachment but not in the backup"));
    }
    if unclear > 0 && findings.is_none() {
        let lacking = format!("{} not in the backup", counted(unclear, "referenced file"));
        return Ok(at_source.skipped(Subject::Attachments, &lacking));
    }
    let of_backup = counted(counts.files.saturating_sub(known.count), "file");
    let summary = format!("{}, with {of_backup} of the backup", counted(counts.rows, "attachment"));
    Ok(Check::of(Subject::Attachments, counts.rows, summary, findings, known))
}
