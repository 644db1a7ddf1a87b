//! An instance's backups, and what retention does with them.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use engine::error::explain;
use engine::manifest::{FilestoreFindings, FindingCounts, Manifest, StoredObject};
use engine::odoo::Attachment;
use engine::prune::{Decision, Hold, Verdict};
use engine::repository::{BackupId, BackupRef, Pin, Proof, Repository};
use engine::run::Run;
use engine::store::Key;
use engine::stream::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Path, Query, limited};
use super::instances::instance;
use super::problem::HttpProblem;
use crate::facts::{BackupFacts, DamagedBackup, InstanceFacts, reasons};

/// Backups in one answer: by default, and at most.
const BACKUPS: (usize, usize) = (400, 1000);
/// Attachments in one answer: by default, and at most.
const FILES: (usize, usize) = (100, 1000);
/// Names of each kind of finding; `show --json` has all.
const FINDINGS: usize = 100;

/// What is known of an instance's backups.
fn facts(api: &Api, name: &str) -> Result<Arc<InstanceFacts>, HttpProblem> {
    instance(&api.handle.config(), name)?;
    let known = api.facts.known();
    known.instance(name).cloned().ok_or_else(|| HttpProblem::unread(known.error.as_ref()))
}

/// Which backups are shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BackupPage {
    /// How many at most; 400 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Older than this id: `next` of the page before.
    before: Option<String>,
}

/// Backups, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Backups {
    /// The backups of this page.
    backups: Vec<BackupFacts>,
    /// `before` of the next page; null on the last page.
    #[schema(required = true)]
    next: Option<BackupId>,
    /// The backups whose manifest cannot be read, whatever the page.
    damaged: Vec<DamagedBackup>,
    /// When the repository was read.
    refreshed_at: Timestamp,
}

/// Backups, newest first.
#[utoipa::path(
    get, path = "/api/v1/instances/{name}/backups", operation_id = "list_backups",
    params(("name" = String, Path, description = "The instance"), BackupPage),
    responses((status = 200, description = "A page of backups", body = Backups), HttpProblem),
)]
pub(super) async fn backups(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(page): Query<BackupPage>,
) -> Result<Json<Backups>, HttpProblem> {
    let facts = facts(&api, &name)?;
    // An id begins with its time; one that is gone by now still says where the page ends.
    let older =
        |backup: &&BackupFacts| page.before.as_ref().is_none_or(|before| backup.brief.id.as_str() < before.as_str());
    let limit = limited(page.limit, BACKUPS)?;
    let mut backups: Vec<_> = facts.backups.iter().filter(older).take(limit + 1).cloned().collect();
    let has_more = backups.len() > limit;
    backups.truncate(limit);
    Ok(Json(Backups {
        next: backups.last().filter(|_| has_more).map(|last| last.brief.id.clone()),
        backups,
        damaged: facts.damaged.clone(),
        refreshed_at: facts.refreshed_at,
    }))
}

/// What is known of a backup, and its manifest, compared with its checksums.
pub(super) async fn look_up(
    api: &Api,
    name: &str,
    id: &str,
) -> Result<(BackupFacts, Repository, Manifest), HttpProblem> {
    let facts = facts(api, name)?;
    let listed =
        facts.backup(id).ok_or_else(|| HttpProblem::not_found(format!("backup {name}/{id} that can be read")))?;
    let repository = api.handle.repository().await?;
    let manifest = repository.verified_manifest(&BackupRef::new(name, listed.brief.id.clone())).await?;
    Ok((listed.clone(), repository, manifest))
}

/// A backup, with what its manifest, its pin and its proof say.
#[derive(Serialize, ToSchema)]
pub(super) struct BackupDetail {
    #[serde(flatten)]
    listed: BackupFacts,
    /// When and why it was pinned; null where it is not pinned.
    #[schema(required = true)]
    pin: Option<Pin>,
    /// The proof as it is stored; null if no restored copy was compared with the backup.
    #[schema(required = true)]
    proof_record: Option<Proof>,
    /// The PostgreSQL server that it came from.
    server: Server,
    /// Version of the pg_dump that made the dump.
    pg_dump: String,
    /// What was wrong with the files at the source.
    findings: FindingsShown,
    /// What a restore of it reads.
    objects: Vec<ObjectShown>,
}

/// A PostgreSQL server.
#[derive(Serialize, ToSchema)]
struct Server {
    /// Its version.
    version: String,
}

/// An object of the repository.
#[derive(Serialize, ToSchema)]
struct ObjectShown {
    /// Its name within the repository.
    key: Key,
    /// Its length.
    stored_bytes: u64,
    /// SHA-256 of what is stored.
    sha256: Digest,
}

impl From<&StoredObject> for ObjectShown {
    fn from(object: &StoredObject) -> Self {
        Self { key: object.key.clone(), stored_bytes: object.stored.size, sha256: object.stored.sha256 }
    }
}

/// What was wrong with the files at the source, by path; the first hundred of each kind. The lists
/// are empty if `unreadable_list` is not null.
#[derive(Serialize, ToSchema)]
#[schema(as = Findings)]
struct FindingsShown {
    /// An attachment names them, and the source has lost them.
    missing: Vec<String>,
    /// Deleted between the snapshot and the reading.
    deleted: Vec<String>,
    /// Their content does not match their SHA-1 name.
    damaged: Vec<String>,
    /// They changed while they were read.
    changed: Vec<String>,
    /// They could not be read.
    unreadable: Vec<String>,
    /// Missing, damaged or unreadable, and recovered from an earlier backup.
    rescued: Vec<String>,
    /// Neither files nor folders, and not backed up.
    skipped: Vec<String>,
    /// How many files no attachment names. They are in the backup.
    unreferenced: u64,
    /// How many there are of each kind.
    counts: FindingCounts,
    /// Why the names cannot be read; null where they can be.
    #[schema(required = true)]
    unreadable_list: Option<String>,
}

impl FindingsShown {
    /// Reads the findings of a backup.
    async fn of(repository: &Repository, manifest: &Manifest) -> Self {
        let counts = manifest.filestore.counts_of_findings();
        let (all, unreadable_list) = match repository.findings(manifest).await {
            Ok(all) => (all, None),
            Err(error) => (FilestoreFindings::default(), Some(explain(&error).to_string())),
        };
        let first = |names: &[String]| names.iter().take(FINDINGS).cloned().collect();
        Self {
            missing: first(&all.missing),
            deleted: first(&all.deleted),
            damaged: first(&all.damaged),
            changed: first(&all.changed),
            unreadable: first(&all.unreadable),
            rescued: first(&all.rescued),
            skipped: first(&all.skipped),
            unreferenced: counts.unreferenced,
            counts,
            unreadable_list,
        }
    }
}

/// A backup.
#[utoipa::path(
    get, path = "/api/v1/instances/{name}/backups/{id}", operation_id = "show_backup",
    params(("name" = String, Path, description = "The instance"), ("id" = String, Path, description = "The backup's id")),
    responses((status = 200, description = "The backup", body = BackupDetail), HttpProblem),
)]
pub(super) async fn backup(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<BackupDetail>, HttpProblem> {
    let (mut listed, repository, manifest) = look_up(&api, &name, &id).await?;
    let pin = repository.pins(&name).await?.remove(&manifest.id);
    let proof_record = match &listed.proof {
        Some(proof) => Some(repository.proof(&proof.name).await?),
        None => None,
    };
    listed.pinned = pin.is_some();
    Ok(Json(BackupDetail {
        pin,
        proof_record,
        server: Server { version: manifest.server.version.clone() },
        pg_dump: manifest.database.pg_dump.clone(),
        findings: FindingsShown::of(&repository, &manifest).await,
        objects: manifest.objects().map(ObjectShown::from).collect(),
        listed,
    }))
}

/// Which attachments are shown.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilePage {
    /// A text in their name, model or path, in any case.
    #[serde(default)]
    like: String,
    /// A text in their name, in any case.
    #[serde(default)]
    name: String,
    /// The model of their record: `account.move`.
    model: Option<String>,
    /// The id of their record.
    record: Option<i64>,
    /// The one of this id.
    attachment: Option<i64>,
    /// How many to skip.
    #[serde(default)]
    offset: usize,
    /// How many at most; 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl FilePage {
    /// Returns whether an attachment is asked for; `like` and `name` are in lower case.
    fn wants(&self, attachment: &Attachment) -> bool {
        self.attachment.is_none_or(|id| id == attachment.id)
            && self.model.as_ref().is_none_or(|model| attachment.model.as_ref() == Some(model))
            && self.record.is_none_or(|record| attachment.record == Some(record))
            && (self.name.is_empty() || attachment.name.to_lowercase().contains(&self.name))
            && attachment.is_like(&self.like)
    }
}

/// Attachments of a backup, in the order of their ids.
#[derive(Serialize, ToSchema)]
pub(super) struct Files {
    /// The attachments of this page.
    files: Vec<Attachment>,
    /// How many there are on all pages.
    count: usize,
    /// `offset` of the next page; null on the last page.
    #[schema(required = true)]
    next: Option<usize>,
}

/// The attachments of a backup, in the order of their ids.
#[utoipa::path(
    get, path = "/api/v1/instances/{name}/backups/{id}/files", operation_id = "list_files",
    params(
        ("name" = String, Path, description = "The instance"),
        ("id" = String, Path, description = "The backup's id"),
        FilePage,
    ),
    responses((status = 200, description = "A page of attachments", body = Files), HttpProblem),
)]
pub(super) async fn files(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    Query(mut page): Query<FilePage>,
) -> Result<Json<Files>, HttpProblem> {
    let limit = limited(page.limit, FILES)?;
    let (_, repository, manifest) = look_up(&api, &name, &id).await?;
    (page.like, page.name) = (page.like.to_lowercase(), page.name.to_lowercase());
    let offset = page.offset;
    // Read to its end, because only then is the list known to be intact. Keeps one page.
    let found = Arc::new(Mutex::new((0_usize, Vec::new())));
    let kept = found.clone();
    let keep = move |attachment: Attachment| {
        if page.wants(&attachment) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.0 >= offset && kept.1.len() < limit {
                kept.1.push(attachment);
            }
            kept.0 += 1;
        }
        Ok(())
    };
    engine::fetch::attachments(&repository, &manifest, keep, &Run::default()).await?;
    let (count, files) = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let next = Some(offset.saturating_add(files.len())).filter(|next| *next < count);
    Ok(Json(Files { files, count, next }))
}

/// What the next prune keeps and removes, and why.
#[derive(Serialize, ToSchema)]
pub(super) struct Retention {
    /// The instance.
    instance: String,
    /// Its retention policy.
    policy: String,
    /// The policy as a sentence.
    sentence: String,
    /// Whether each good backup is followed by a prune.
    prunes: bool,
    /// Why nothing at all is removed; empty if backups may be removed.
    holds: Vec<HoldShown>,
    /// How many backups the next prune removes.
    removes: usize,
    /// The bytes that this frees.
    frees_bytes: u64,
    /// The backups, newest first.
    backups: Vec<Kept>,
    /// The backups dated in the future, from the latest to the earliest.
    #[schema(value_type = Vec<BackupId>)]
    future: Vec<String>,
    /// The backups whose manifest cannot be read.
    damaged: Vec<DamagedBackup>,
}

/// Why nothing is removed.
#[derive(Serialize, ToSchema)]
#[schema(as = Hold)]
struct HoldShown {
    /// What was found.
    message: String,
    /// What to do about it.
    hint: String,
}

impl From<&Hold> for HoldShown {
    fn from(hold: &Hold) -> Self {
        Self { message: hold.to_string(), hint: hold.hint() }
    }
}

/// What retention does with a backup.
#[derive(Serialize, ToSchema)]
struct Kept {
    /// Its id.
    #[schema(value_type = BackupId)]
    id: String,
    /// The moment that it shows.
    created_at: Timestamp,
    /// Whether it stays.
    keep: bool,
    /// Why it stays.
    kept_by: Vec<String>,
    /// Why it goes; null where it stays.
    #[schema(required = true)]
    reason: Option<String>,
    /// The bytes that are free once it and all older ones that go are gone; null where it stays.
    #[schema(required = true)]
    frees_bytes: Option<u64>,
}

impl Kept {
    fn of(decision: &Decision, facts: &InstanceFacts) -> Self {
        let goes = decision.verdict == Verdict::Remove;
        let freed = || facts.frees.iter().find(|(id, _)| id.as_str() == decision.id).map(|(_, bytes)| *bytes);
        Self {
            id: decision.id.clone(),
            created_at: decision.created_at,
            keep: !goes,
            kept_by: reasons(decision),
            reason: goes.then(|| {
                let misses: Vec<String> = decision.misses.iter().map(ToString::to_string).collect();
                format!("no rule keeps it: {}", misses.join("; "))
            }),
            frees_bytes: freed().filter(|_| goes),
        }
    }
}

/// What the next prune keeps and removes, and why.
#[utoipa::path(
    get, path = "/api/v1/instances/{name}/retention", operation_id = "retention",
    params(("name" = String, Path, description = "The instance")),
    responses((status = 200, description = "What the next prune keeps and removes", body = Retention), HttpProblem),
)]
pub(super) async fn retention(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Retention>, HttpProblem> {
    let (config, facts) = (api.handle.config(), facts(&api, &name)?);
    let instance = instance(&config, &name)?;
    let plan = facts.plan.as_ref().map_err(|error| HttpProblem::invalid(error.to_string()))?;
    let mut decisions: Vec<_> = plan.decisions.iter().collect();
    decisions.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok(Json(Retention {
        policy: instance.instance.retention.policy.to_string(),
        sentence: instance.instance.retention.policy.sentence(),
        removes: plan.removals().count(),
        frees_bytes: facts.frees.values().sum(),
        prunes: instance.prune,
        holds: plan.holds.iter().map(HoldShown::from).collect(),
        backups: decisions.into_iter().map(|decision| Kept::of(decision, &facts)).collect(),
        future: plan.future.clone(),
        damaged: facts.damaged.clone(),
        instance: name,
    }))
}
