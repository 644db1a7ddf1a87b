//! What Odoo's own tables say in a copy.

use std::collections::HashSet;

use super::{Check, Notes, RestoredCopy, Subject};
use crate::error::Error;
use crate::manifest::{AttachmentContent, Findings};
use crate::merged::Merged;
use crate::odoo::{OdooFacts, Schema, attachments, odoo_facts};
use crate::postgres::{PostgresError, Session};

/// The checks that only a database of Odoo's can have.
pub(super) async fn check(copy: &RestoredCopy<'_>, session: &Session, files: &Merged) -> Result<Vec<Check>, Error> {
    let mut checks = Vec::new();
    if let Some(odoo) = &copy.manifest.odoo {
        checks.push(check_modules(session, odoo).await?);
        checks.push(check_users(session).await?);
    }
    if let Some(content) = &copy.manifest.attachments {
        checks.push(check_attachments(session, content, files, &copy.manifest.filestore.findings).await?);
    }
    Ok(checks)
}

async fn check_modules(session: &Session, expected: &OdooFacts) -> Result<Check, PostgresError> {
    let mut findings = Notes::default();
    let Some(found) = odoo_facts(session).await? else {
        findings.add("it has no ir_module_module and ir_attachment");
        return Ok(Check::of(Subject::Modules, 0, "not Odoo's".into(), findings, Notes::default()));
    };
    if found.series != expected.series {
        findings.add(format!("its series is {:?}, and {:?} was backed up", found.series, expected.series));
    }
    if found.database_uuid != expected.database_uuid {
        findings.add("its database.uuid is another one");
    }
    for (name, version) in &expected.modules {
        match found.modules.get(name) {
            Some(found) if found == version => {}
            Some(found) => findings.add(format!("{name} is installed in {found:?}, and was backed up in {version:?}")),
            None => findings.add(format!("{name} is not installed")),
        }
    }
    for name in found.modules.keys().filter(|name| !expected.modules.contains_key(*name)) {
        findings.add(format!("{name} is installed, and was not when it was backed up"));
    }
    let number = expected.modules.len() as u64;
    let summary = format!("Odoo {}, {number} installed modules", expected.series);
    Ok(Check::of(Subject::Modules, number, summary, findings, Notes::default()))
}

async fn check_users(session: &Session) -> Result<Check, PostgresError> {
    let schema = Schema::find(session).await?;
    let table = schema.map_or_else(|| "res_users".into(), |schema| schema.table("res_users"));
    let query = format!("SELECT count(*) FROM {table} WHERE active AND share IS NOT TRUE");
    let row = session.query_one(&query, &[]).await.map_err(session.failed("look for internal users"))?;
    let users = row.get::<_, i64>(0).unsigned_abs();
    let mut findings = Notes::default();
    if users == 0 {
        findings.add("there is no active internal user, so that nobody could log in");
    }
    Ok(Check::of(Subject::Users, users, format!("{users} active internal users"), findings, Notes::default()))
}

async fn check_attachments(
    session: &Session,
    expected: &AttachmentContent,
    files: &Merged,
    at_source: &Findings,
) -> Result<Check, Error> {
    let (mut lines, inventory) = attachments(session).await?;
    let read = tokio::io::copy(&mut lines, &mut tokio::io::sink()).await;
    read.map_err(|source| Error::Io { action: "read the restored attachments".into(), source })?;
    let (counts, named) = inventory.take();
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    let wanted = expected.counts;
    for (what, found, expected) in [
        ("attachments", counts.rows, wanted.rows),
        ("files that they name", counts.files, wanted.files),
        ("attachments in the database", counts.in_database, wanted.in_database),
        ("attachments elsewhere", counts.elsewhere, wanted.elsewhere),
        ("links", counts.links, wanted.links),
    ] {
        if found != expected {
            findings.add(format!("there are {found} {what}, and {expected} were backed up"));
        }
    }
    let unreadable = at_source.unreadable.iter().filter_map(|line| line.split_once(": ")).map(|(path, _)| path);
    let lost = at_source.missing.iter().chain(&at_source.deleted).chain(&at_source.skipped);
    let lost: HashSet<&str> = lost.map(String::as_str).chain(unreadable).collect();
    for (name, _) in named.iter() {
        if files.get(&name).is_some() {
            continue;
        }
        let name = name.to_string();
        let notes = if lost.contains(name.as_str()) { &mut known } else { &mut findings };
        notes.add(format!("{name} is named by an attachment and not in the backup"));
    }
    let summary = format!(
        "{} attachments, which name {} files of the backup",
        counts.rows,
        counts.files.saturating_sub(known.count)
    );
    Ok(Check::of(Subject::Attachments, counts.rows, summary, findings, known))
}
