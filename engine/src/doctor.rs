//! `doctor`: tries everything that a backup and a restore will need, and reports what is missing
//! and how to fix it.

mod drill;
mod files;
mod findings;
pub mod fix;
mod hooks;
mod places;
pub mod service;
mod subjects;

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tokio::io::AsyncReadExt;

pub use self::places::{unwritable, warn_of_owner};
pub use self::subjects::Subjects;

use self::findings::{PATIENCE, TrialFindings};
use crate::error::{Error, explain};
use crate::filestore::{self, Batches, FilestoreError, Ledger};
use crate::instance::Instance;
use crate::manifest::FORMAT;
use crate::odoo::{Schema, odoo_facts};
use crate::postgres::{self, Database, Endpoint, Session, Tools};
use crate::repository::Repository;
use crate::restore::{FORCEABLE, Obstacle, Target, TargetIdentity, altered_members, before_restore, check_movable};
use crate::store::{self, Key, Mode, Store, StoreConfig, StoreErrorKind};
use crate::stream::body_of;
use crate::text::counted;

/// Outcome of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrialOutcome {
    /// No problem.
    Ok,
    /// It works, but needs attention.
    Warning,
    /// It will not work.
    Failed,
    /// It is unknown.
    Unknown,
}

/// One thing that was tried.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// What it is about: `repository`, `instance production`.
    pub subject: String,
    /// What was tried: `connect`.
    #[schema(value_type = String)]
    pub trial: Cow<'static, str>,
    /// How it went.
    pub outcome: TrialOutcome,
    /// What was found, or why it failed.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
}

/// Tries everything that a configuration names. What does not answer is a finding, and other trials
/// that would ask it are skipped.
pub async fn doctor(subjects: &Subjects) -> Vec<Finding> {
    let mut findings = TrialFindings::default();
    findings.begin("configuration", PATIENCE);
    findings.ok("read", subjects.configuration.display().to_string());
    for warning in &subjects.warnings {
        findings.add("read", TrialOutcome::Warning, warning.clone(), None);
    }
    for (subject, place) in &subjects.repositories {
        findings.begin(subject, PATIENCE);
        try_repository(place, &mut findings).await;
    }
    for instance in &subjects.instances {
        findings.begin(format!("instance {}", instance.name), subjects.patience(Some(&instance.name)));
        if try_instance(instance, &mut findings).await {
            try_identity(subjects, instance, &mut findings).await;
        }
        hooks::try_hooks(subjects, &mut findings);
    }
    for target in &subjects.targets {
        findings.begin(format!("target {}", target.name), subjects.patience(target.instance.as_deref()));
        try_target(subjects, target, &mut findings).await;
        hooks::try_hooks(subjects, &mut findings);
    }
    for (instance, place) in &subjects.drills {
        findings.begin(format!("drill of {instance}"), subjects.patience(Some(instance)));
        drill::try_place(subjects, instance, place, &mut findings).await;
    }
    findings.all
}

async fn try_repository(place: &StoreConfig, findings: &mut TrialFindings) {
    let Some(store) = findings.attempt("open", store::open(place, false)).await else { return };
    if let Some(repository) = findings.attempt("open", Repository::open(store.clone())).await {
        let description = repository.description();
        let advice = match description.format {
            FORMAT => "",
            _ => " (`odoo-backup upgrade`: dumps then cost only what changed)",
        };
        let (format, created) = (description.format, description.created_at);
        let detail = format!("{}, format {format}{advice}, created {created:.0}", store.location());
        findings.ok("open", detail);
        try_backups(&repository, findings).await;
    }
    if let StoreConfig::Local { path } = place {
        places::try_folder(path, findings);
    }
    if let Some(create_only) = findings.attempt("write, read, delete", try_store(&*store)).await {
        findings.ok("write, read, delete", "all three succeed");
        if !create_only {
            let detail = "the server ignores If-None-Match: it lets one writer overwrite another's object";
            let hint = "let only one odoo-backup write to the repository at a time; then this does no harm";
            findings.add("create-only", TrialOutcome::Warning, detail.into(), Some(hint.into()));
        }
    }
}

/// Lists the backups, and reports problems of them or of the list.
async fn try_backups(repository: &Repository, findings: &mut TrialFindings) {
    let Some(listing) = findings.attempt("list", repository.list(None)).await else { return };
    places::report_unreadable(&listing, findings);
    let mut wrong: Vec<String> =
        listing.alarms.iter().map(|alarm| format!("{}: {}", alarm.instance, alarm.message)).collect();
    let damaged = listing.damaged.iter().map(|damaged| explain(&damaged.error).to_string());
    wrong.extend(damaged);
    let named = |backup: &crate::manifest::Manifest| format!("{}/{}", backup.instance, backup.id);
    for backup in &listing.backups {
        wrong.extend(listing.flaws(backup).into_iter().map(|flaw| format!("{}: {flaw}", named(backup))));
    }
    if let Some(disagreement) = listing.clocks.disagreement() {
        findings.failed(
            "clock",
            disagreement,
            "set the clock of this machine or of the repository's server, and keep it right with NTP",
        );
    }
    match wrong.as_slice() {
        [] if !listing.unreadable.is_empty() => {}
        [] => {
            let newest = listing.backups.iter().max_by_key(|backup| backup.created_at);
            let newest = newest.map(|backup| format!(", the latest {} of {:.0}", named(backup), backup.created_at));
            let number = counted(listing.backups.len() as u64, "backup");
            findings.ok("list", number + &newest.unwrap_or_default());
        }
        wrong => {
            const SHOWN: usize = 5;
            let more = wrong.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            let hint = "run `odoo-backup check` for details; `odoo-backup repair` repairs damage, `odoo-backup forget` removes a backup";
            findings.failed("list", format!("{shown}{more}"), hint);
        }
    }
}

/// Compares an instance's database with that of its latest backup.
async fn try_identity(subjects: &Subjects, instance: &Instance, findings: &mut TrialFindings) {
    // A repository that cannot be opened has findings of its own.
    let Some(Ok(repository)) = findings.quietly(subjects.open_main()).await else { return };
    let compared = crate::backup::compare_identity(&repository, instance);
    let Some(warnings) = findings.attempt("database", compared).await else { return };
    for warning in warnings {
        findings.add("database", TrialOutcome::Warning, warning, None);
    }
}

/// Writes, reads and deletes an object under a unique name. Returns whether create-only writes
/// work.
async fn try_store(store: &dyn Store) -> Result<bool, Error> {
    let number = getrandom::u64().map_err(crate::repository::RepositoryError::from)?;
    #[expect(clippy::expect_used, reason = "a constant with digits behind it")]
    let key = Key::new(format!("doctor-{number:016x}")).expect("a valid key");
    let content = b"odoo-backup doctor wrote this, and should have deleted it\n";
    store.put(&key, body_of(content), Mode::CreateNew).await?;
    let result = async {
        let mut read = Vec::new();
        let failed = |source| Error::Io { action: format!("read {key}"), source };
        store.get(&key, None).await?.read_to_end(&mut read).await.map_err(failed)?;
        if read != content {
            return Err(failed(std::io::Error::other("the bytes read differ from those written")));
        }
        match store.put(&key, body_of(content), Mode::CreateNew).await {
            Ok(_) => Ok(false),
            Err(error) if matches!(*error.kind, StoreErrorKind::AlreadyExists) => Ok(true),
            Err(error) => Err(error.into()),
        }
    };
    let result = result.await;
    store.delete(&key).await?;
    result
}

/// Tries an instance. Returns whether its database can be queried.
async fn try_instance(instance: &Instance, findings: &mut TrialFindings) -> bool {
    let session = try_connection(&instance.database, findings).await;
    if let Some(session) = &session
        && try_database(session, &instance.database, findings).await
        && filestore::is_known(&instance.filestore)
    {
        files::try_attachments(session, &instance.filestore, findings).await;
    }
    match try_filestore(&instance.filestore) {
        Ok(detail) => findings.ok("filestore", detail),
        Err(error) => drop(findings.tried::<()>("filestore", Err(error))),
    }
    session.is_some()
}

async fn try_connection(database: &Database, findings: &mut TrialFindings) -> Option<Session> {
    let session = findings.attempt("connect", postgres::connect(&Endpoint::resolve(database))).await?;
    findings.ok("connect", session.endpoint().to_string());
    Some(session)
}

/// Warns of a superuser, who can do everything on the server's machine, as can everyone who makes
/// one run code.
fn try_role(session: &Session, findings: &mut TrialFindings) {
    if session.is_superuser() {
        let hint = "let Odoo and the backup connect as the owner of the database, or create the role of deploy/postgresql/backup-role.sql";
        let detail = format!("{:?} is a superuser: a backup does not need these rights", session.endpoint().user);
        findings.add("role", TrialOutcome::Warning, detail, Some(hint.into()));
    }
}

/// Tries what a backup reads. Returns whether the database is Odoo's.
async fn try_database(session: &Session, database: &Database, findings: &mut TrialFindings) -> bool {
    try_role(session, findings);
    let Some(server) = findings.attempt("server", postgres::server_facts(session)).await else { return false };
    findings.ok("server", format!("PostgreSQL {}", server.version));
    try_tool("pg_dump", server.major(), database, findings).await;
    let odoo = findings.attempt("Odoo", odoo_facts(session)).await;
    let is_odoo = matches!(odoo, Some(Some(_)));
    match odoo {
        Some(Some(odoo)) => {
            findings.ok("Odoo", format!("series {}, {}", odoo.series, counted(odoo.modules.len() as u64, "module")))
        }
        Some(None) => {
            let reason = findings.attempt("Odoo", Schema::reason_not_odoo(session)).await.flatten();
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            let hint = Some("check `database`".into());
            findings.add("Odoo", TrialOutcome::Warning, format!("the database is not Odoo's{reason}"), hint);
        }
        None => {}
    }
    let unreadable = "SELECT coalesce(string_agg(c.oid::regclass::text, ', '), '') FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'm', 'S') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
          AND NOT has_table_privilege(c.oid, 'SELECT')";
    let row = async { session.query_one(unreadable, &[]).await.map_err(session.failed("check for unreadable tables")) };
    let Some(row) = findings.attempt("read every table", row).await else { return is_odoo };
    let tables: String = row.get(0);
    if tables.is_empty() {
        findings.ok("read every table", "the role may");
    } else {
        let hint = format!(
            "use the owner of the database, or GRANT pg_read_all_data TO {}",
            postgres::quote(&session.endpoint().user)
        );
        findings.failed("read every table", format!("the role may not read {tables}"), hint);
    }
    try_row_security(session, findings).await;
    is_odoo
}

/// Tries whether policies hide rows from the role: pg_dump then fails rather than omit them.
async fn try_row_security(session: &Session, findings: &mut TrialFindings) {
    let hidden = "SELECT coalesce(pg_catalog.string_agg(c.oid::pg_catalog.regclass::pg_catalog.text, ', '), '')
        FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)";
    let row = async { session.query_one(hidden, &[]).await.map_err(session.failed("check row-level security")) };
    let Some(row) = findings.attempt("read every row", row).await else { return };
    let tables: String = row.get(0);
    if !tables.is_empty() {
        let role = postgres::quote(&session.endpoint().user);
        let hint = format!("run ALTER ROLE {role} BYPASSRLS, or back up as the owner of the tables or a superuser");
        findings.failed("read every row", format!("row-level security hides rows of {tables} from the role"), hint);
    }
}

async fn try_tool(program: &'static str, major: u32, database: &Database, findings: &mut TrialFindings) {
    let tools = Tools::new(database.pg_path.as_deref());
    if let Some(tool) = findings.attempt(program, tools.find(program, major)).await {
        findings.ok(program, tool.to_string());
    }
}

/// Lists the folder and reads the first byte of a file.
fn try_filestore(folder: &Path) -> Result<String, FilestoreError> {
    filestore::known(folder)?;
    let mut batches = Batches::new(folder, Ledger::default());
    batches.begin()?;
    let first = batches.next_batch()?;
    if let Some(file) = first.as_ref().and_then(|batch| batch.first()) {
        let path = folder.join(&file.path);
        let read = File::open(&path).and_then(|mut file| file.read(&mut [0; 1]));
        read.map_err(|source| FilestoreError::Io { action: "read", path, source })?;
    }
    let found = if first.is_some() { "readable" } else { "readable, and empty" };
    Ok(format!("{}, {found}", folder.display()))
}

async fn try_target(subjects: &Subjects, target: &Target, findings: &mut TrialFindings) {
    let place = Endpoint::resolve(&target.database);
    if let Some(server) = findings.attempt("connect", postgres::connect_maintenance(&place)).await {
        findings.ok("connect", server.endpoint().to_string());
        try_target_server(&server, target, findings).await;
        if filestore::is_known(&target.filestore) {
            try_guard(subjects, target, &server, findings).await;
        }
        try_members(subjects, target, &server, findings).await;
    }
    try_target_folder(target, findings);
}

/// Tries whether the target's role may change the functions of extensions to those of the target's
/// instance, if that can be queried.
async fn try_members(subjects: &Subjects, target: &Target, server: &Session, findings: &mut TrialFindings) {
    let Some(instance) = target.instance.as_deref().and_then(|name| subjects.instance(name)) else { return };
    let looked = async {
        let session = postgres::connect(&Endpoint::resolve(&instance.database)).await.ok()?;
        let members = postgres::read_members(&session, &[], usize::MAX).await.ok()?;
        let can = postgres::abilities(server).await.ok()?;
        altered_members(&members, &server.endpoint().user, &can)
    };
    if let Some(Obstacle { message, hint, .. }) = findings.quietly(looked).await {
        findings.add("extensions", TrialOutcome::Warning, message, Some(hint));
    }
}

/// Tries whether the present state may be replaced. This can change within an hour, when users
/// start to work with it.
async fn try_guard(subjects: &Subjects, target: &Target, server: &Session, findings: &mut TrialFindings) {
    let uuid = findings.quietly(uuid_of_source(subjects, target)).await;
    let protected = subjects.protected();
    let looked = before_restore(&protected, uuid.as_deref(), target, TargetIdentity::Copy, server);
    let Some(obstacles) = findings.attempt("replace", looked).await else { return };
    if obstacles.is_empty() {
        findings.ok("replace", "a restore would be accepted");
    }
    for Obstacle { check, message, hint } in obstacles {
        // What can be forced may be intended.
        let outcome = if FORCEABLE.contains(&&*check) { TrialOutcome::Warning } else { TrialOutcome::Failed };
        findings.add("replace", outcome, format!("a restore would be refused: {message}"), Some(hint));
    }
}

/// Returns `None` if the target's instance cannot be queried, which its own findings report.
async fn uuid_of_source(subjects: &Subjects, target: &Target) -> Option<String> {
    let instance = subjects.instance(target.instance.as_deref()?)?;
    let session = postgres::connect(&Endpoint::resolve(&instance.database)).await.ok()?;
    odoo_facts(&session).await.ok()??.database_uuid
}

async fn try_target_server(server: &Session, target: &Target, findings: &mut TrialFindings) {
    if let Some(facts) = findings.attempt("server", postgres::server_facts(server)).await {
        try_tool("pg_restore", facts.major(), &target.database, findings).await;
    }
    match findings.attempt("create databases", postgres::abilities(server)).await.map(|can| can.creates_databases) {
        Some(true) => findings.ok("create databases", "the role may"),
        Some(false) => {
            let role = postgres::quote(&server.endpoint().user);
            findings.failed("create databases", "the role may not", format!("ALTER ROLE {role} CREATEDB"));
        }
        None => {}
    }
    let name = &target.database.name;
    match findings.attempt("database", postgres::find_database(server, name)).await {
        Some(Some(there)) if !there.is_own => {
            let detail = format!("{name:?} belongs to {:?} and could not be replaced", there.owner);
            findings.failed("database", detail, format!("set `user` of the target to {:?}", there.owner));
        }
        Some(Some(_)) => {
            findings.ok("database", format!("{name:?} exists; a restore keeps the previous state for undo"))
        }
        Some(None) => findings.ok("database", format!("{name:?} is free")),
        None => {}
    }
}

fn try_target_folder(target: &Target, findings: &mut TrialFindings) {
    let folder = &target.filestore;
    if findings.tried("filestore", filestore::known(folder)).is_none() {
        return;
    }
    if findings.tried("filestore", check_movable(folder)).is_none() {
        return;
    }
    let found = if folder.exists() { "exists; a restore keeps the previous state for undo" } else { "is free" };
    let Some(above) = folder.ancestors().skip(1).find(|above| above.is_dir()) else { return };
    if places::try_writing(above, findings) {
        findings.ok("filestore", format!("{} {found}; {} can be written", folder.display(), above.display()));
    }
}
