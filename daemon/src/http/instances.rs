//! Instances, their backups, and what retention does with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use config::{Config, InstanceConfig};
use engine::manifest::Manifest;
use engine::odoo::Attachment;
use engine::prune::Verdict;
use engine::repository::{BackupId, BackupRef, Repository};
use engine::run::Run;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::extract::{Path, Query, limited};
use super::facts::{BackupFacts, DamagedBackup, InstanceFacts, Known, reasons};
use super::problem::Problem;
use super::runs::RunView;
use crate::condition::{Condition, InstanceState};
use crate::view::{InstanceView, JobView};

/// Backups of one answer, where nothing is said, and at most.
const BACKUPS: (usize, usize) = (400, 1000);
/// Attachments of one answer, where nothing is said, and at most.
const FILES: (usize, usize) = (100, 1000);
/// Names of each kind of finding; the manifest has all.
const FINDINGS: usize = 100;

/// `GET /api/v1/status`
pub(super) async fn status(State(api): State<Api>) -> Json<Value> {
    let state_error = api.handle.state_trouble().await;
    let (handle, known) = (&api.handle, api.facts.known());
    let runs: Vec<_> = handle.live().into_iter().map(RunView::from).collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "began_at": handle.began_at(),
        "now": handle.now(),
        "stopping": handle.stopping().is_cancelled(),
        "max_concurrent": handle.config().daemon.max_concurrent,
        "runs": runs,
        "notifiers": handle.notifiers(),
        "state_error": state_error,
        "repository": {
            "location": known.location,
            "refreshed_at": known.refreshed_at,
            "bytes": known.instances().map(|(_, facts)| facts.bytes).sum::<u64>(),
            "backups": known.instances().map(|(_, facts)| facts.backups.len()).sum::<usize>(),
            "error": known.error,
        },
    }))
}

/// An instance, as lists show it.
#[derive(Serialize)]
pub(super) struct InstanceDocument {
    name: String,
    state: InstanceState,
    condition: Condition,
    problems: Vec<String>,
    newest_backup: Option<BackupFacts>,
    newest_proof: Option<Value>,
    backups: usize,
    damaged: usize,
    stored_bytes: u64,
    retention: String,
    prunes: bool,
    stale_after_seconds: Option<i64>,
    jobs: Vec<JobView>,
}

impl InstanceDocument {
    fn new(instance: &InstanceConfig, view: InstanceView, known: &Known, now: Timestamp) -> Self {
        let facts = known.instance(&instance.instance.name);
        let condition = known.condition(&view, now);
        let newest_proof = facts.and_then(|facts| facts.newest_proven()).map(|(backup, proof)| {
            json!({ "backup": backup.brief.id, "created_at": backup.brief.created_at, "at": proof.at, "depth": proof.depth })
        });
        Self {
            name: view.name,
            state: condition.state(),
            problems: condition.reasons.iter().map(|reason| reason.message.clone()).collect(),
            condition,
            newest_backup: facts.and_then(|facts| facts.backups.first().cloned()),
            newest_proof,
            backups: facts.map_or(0, |facts| facts.backups.len()),
            damaged: facts.map_or(0, |facts| facts.damaged.len()),
            stored_bytes: facts.map_or(0, |facts| facts.bytes),
            retention: instance.instance.retention.policy.to_string(),
            prunes: instance.prune,
            stale_after_seconds: view.stale_after_seconds,
            jobs: view.jobs,
        }
    }
}

fn documents(api: &Api) -> impl Iterator<Item = InstanceDocument> {
    let (config, known, now) = (api.handle.config(), api.facts.known(), api.handle.now());
    let views = api.handle.instances().into_iter();
    views.filter_map(move |view| {
        let instance = config.instances.get(&view.name)?;
        Some(InstanceDocument::new(instance, view, &known, now))
    })
}

/// `GET /api/v1/instances`
pub(super) async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "instances": documents(&api).collect::<Vec<_>>() }))
}

/// `GET /api/v1/instances/{name}`
pub(super) async fn show(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<InstanceDocument>, Problem> {
    instance(&api.handle.config(), &name)?;
    let mut documents = documents(&api);
    // Taken out of the configuration at this moment.
    let gone = || Problem::not_found(format!("instance {name:?}"));
    documents.find(|document| document.name == name).map(Json).ok_or_else(gone)
}

/// The instance of this name.
pub(super) fn instance<'a>(config: &'a Config, name: &str) -> Result<&'a InstanceConfig, Problem> {
    Ok(config.instance(name)?)
}

/// What is known of an instance's backups.
fn facts(api: &Api, name: &str) -> Result<Arc<InstanceFacts>, Problem> {
    instance(&api.handle.config(), name)?;
    let known = api.facts.known();
    known.instance(name).cloned().ok_or_else(|| Problem::unread(known.error.as_ref()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupPage {
    limit: Option<usize>,
    before: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Backups {
    backups: Vec<BackupFacts>,
    next: Option<BackupId>,
    damaged: Vec<DamagedBackup>,
    refreshed_at: Timestamp,
}

/// `GET /api/v1/instances/{name}/backups`
pub(super) async fn backups(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(page): Query<BackupPage>,
) -> Result<Json<Backups>, Problem> {
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

/// What is known of a backup, and its manifest, held against its checksums.
async fn look_up(api: &Api, name: &str, id: &str) -> Result<(BackupFacts, Repository, Manifest), Problem> {
    let facts = facts(api, name)?;
    let listed = facts.backup(id).ok_or_else(|| Problem::not_found(format!("backup {name}/{id} that can be read")))?;
    let repository = api.handle.repository().await?;
    let manifest = repository.verified_manifest(&BackupRef::new(name, listed.brief.id.clone())).await?;
    Ok((listed.clone(), repository, manifest))
}

/// `GET /api/v1/instances/{name}/backups/{id}`
pub(super) async fn backup(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let (listed, repository, manifest) = look_up(&api, &name, &id).await?;
    let pin = repository.pins(&name).await?.remove(&manifest.id);
    let proof = match &listed.proof {
        Some(proof) => Some(repository.proof(&proof.name).await?),
        None => None,
    };
    let objects = manifest.objects().map(|object| {
        json!({ "key": object.key, "stored_bytes": object.stored.size, "sha256": object.stored.sha256.to_string() })
    });
    let objects: Vec<_> = objects.collect();
    let mut document = json!(listed);
    document["pinned"] = json!(pin.is_some());
    document["pin"] = json!(pin);
    document["proof_record"] = json!(proof);
    document["server"] = json!({ "version": manifest.server.version });
    document["pg_dump"] = json!(manifest.database.pg_dump);
    document["findings"] = findings(&manifest);
    document["objects"] = json!(objects);
    Ok(Json(document))
}

fn findings(manifest: &Manifest) -> Value {
    let all = &manifest.filestore.findings;
    let lists = [
        ("missing", &all.missing),
        ("deleted", &all.deleted),
        ("damaged", &all.damaged),
        ("changed", &all.changed),
        ("unreadable", &all.unreadable),
        ("rescued", &all.rescued),
        ("skipped", &all.skipped),
    ];
    let lists = lists
        .into_iter()
        .map(|(kind, names)| (kind.to_owned(), json!(names.iter().take(FINDINGS).collect::<Vec<_>>())));
    let mut findings: BTreeMap<String, Value> = lists.collect();
    findings.insert("unreferenced".to_owned(), json!(all.unreferenced));
    json!(findings)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePage {
    #[serde(default)]
    like: String,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// `GET /api/v1/instances/{name}/backups/{id}/files`
pub(super) async fn files(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    Query(page): Query<FilePage>,
) -> Result<Json<Value>, Problem> {
    let limit = limited(page.limit, FILES)?;
    let (_, repository, manifest) = look_up(&api, &name, &id).await?;
    let (like, offset) = (page.like.to_lowercase(), page.offset);
    // Read to its end, which alone says that it is whole; no more is kept than is asked for.
    let found = Arc::new(Mutex::new((0_usize, Vec::new())));
    let kept = found.clone();
    let keep = move |attachment: Attachment| {
        if attachment.is_like(&like) {
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
    Ok(Json(json!({ "files": files, "count": count, "next": next })))
}

/// `GET /api/v1/instances/{name}/retention`
pub(super) async fn retention(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Value>, Problem> {
    let (config, facts) = (api.handle.config(), facts(&api, &name)?);
    let instance = instance(&config, &name)?;
    let plan = facts.plan.as_ref().map_err(|error| Problem::invalid(error.to_string()))?;
    let holds = plan.holds.iter().map(|hold| json!({ "message": hold.to_string(), "hint": hold.hint() }));
    let mut decisions: Vec<_> = plan.decisions.iter().collect();
    decisions.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let backups = decisions.into_iter().map(|decision| {
        json!({
            "id": decision.id,
            "created_at": decision.created_at,
            "keep": decision.verdict != Verdict::Remove,
            "kept_by": reasons(decision),
        })
    });
    Ok(Json(json!({
        "instance": name,
        "policy": instance.instance.retention.policy.to_string(),
        "prunes": instance.prune,
        "holds": holds.collect::<Vec<_>>(),
        "backups": backups.collect::<Vec<_>>(),
        "future": plan.future,
        "damaged": facts.damaged,
    })))
}

/// `GET /api/v1/targets`
pub(super) async fn targets(State(api): State<Api>) -> Json<Value> {
    let config = api.handle.config();
    let targets = config.targets.values().map(|target| {
        json!({
            "name": target.name,
            "instance": target.instance,
            "database": target.database.name,
            "filestore": target.filestore,
            "neutralize": target.neutralize.is_some(),
        })
    });
    Json(json!({ "targets": targets.collect::<Vec<_>>() }))
}
