//! The repositories of the configuration: whether they can be reached, and what they hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use config::{Config, MAIN, explain};
use engine::error::Explanation;
use engine::repository::{BackupId, DamagedObject, Repository, Surveyed};
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::Api;
use super::facts::{REFRESH, changed};
use super::problem::HttpProblem;
use crate::agenda::Job;
use crate::journal::{RunId, RunOutcome, RunRecord};

/// How long a repository may take to be counted.
const PATIENCE: Duration = Duration::from_mins(10);
/// A look may take this part of the time at most: in a large bucket a listing is thousands of
/// requests.
const SHARE: u32 = 20;
/// The shortest pause between two looks. Runs that end together cause one.
const PAUSE: Duration = Duration::from_secs(2);
/// Damaged objects of one repository in an answer.
const DAMAGED: usize = 100;

/// What was last seen of each repository, by name.
#[derive(Default)]
pub(super) struct Surveys(Mutex<Arc<BTreeMap<String, SeenRepository>>>);

/// What was last seen of a repository.
#[derive(Debug, Clone)]
struct SeenRepository {
    location: String,
    /// When it last answered, and what it held then.
    held: Option<(Timestamp, Arc<Held>)>,
    /// Why it does not answer.
    error: Option<Explanation>,
}

/// What a repository held.
#[derive(Debug)]
struct Held {
    bytes: u64,
    instances: BTreeMap<String, Surveyed>,
    unreadable: Vec<Explanation>,
}

impl Surveys {
    fn seen(&self) -> Arc<BTreeMap<String, SeenRepository>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Api {
    /// Looks at every repository.
    async fn survey(&self) {
        let config = self.handle.config();
        let before = self.surveys.seen();
        let mut seen = BTreeMap::new();
        // One after the other: no request waits for them.
        for (name, place) in config.repositories() {
            let location = place.location();
            let counted = tokio::time::timeout(PATIENCE, async {
                let repository = match name {
                    MAIN => self.handle.repository().await?,
                    _ => Repository::at(place).await?,
                };
                repository.survey().await
            });
            let (held, error) = match counted.await {
                Ok(Ok(survey)) => {
                    let unreadable = survey.unreadable.iter().map(|error| explain(error)).collect();
                    let held = Held { bytes: survey.bytes, instances: survey.instances, unreadable };
                    (Some((self.handle.now(), Arc::new(held))), None)
                }
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => explain(&error),
                        _ => no_answer(PATIENCE),
                    };
                    let before = before.get(name).filter(|before| before.location == location);
                    (before.and_then(|before| before.held.clone()), Some(error))
                }
            };
            seen.insert(name.to_owned(), SeenRepository { location, held, error });
        }
        *self.surveys.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(seen);
    }
}

/// Returns the explanation for a place that did not answer in time.
pub(super) fn no_answer(within: Duration) -> Explanation {
    Explanation {
        message: format!("there was no answer within {} seconds", within.as_secs()),
        causes: Vec::new(),
        hint: None,
        obstacles: Vec::new(),
    }
}

/// Looks at the repositories again and again, until `ended`.
pub(super) async fn keep(api: &Api, ended: &CancellationToken) {
    let mut events = api.handle.subscribe();
    let work = async {
        loop {
            let began = Instant::now();
            api.survey().await;
            tokio::time::sleep(PAUSE.max(began.elapsed() * SHARE)).await;
            // What happened in the meantime is waiting.
            if let Ok(None) = tokio::time::timeout(REFRESH, changed(&mut events)).await {
                return;
            }
            while events.try_recv().is_ok() {}
        }
    };
    ended.run_until_cancelled(work).await;
}

/// Every repository.
#[derive(Serialize, ToSchema)]
pub(super) struct Repositories {
    /// The repositories: the main one, then the others by name.
    repositories: Vec<RepositoryDocument>,
}

/// A repository.
#[derive(Serialize, ToSchema)]
#[schema(as = Repository)]
struct RepositoryDocument {
    /// Its name; `main` for the one of `[repository]`.
    name: String,
    /// Where it is.
    location: String,
    /// When backups are copied to it; null for the main one.
    #[schema(required = true)]
    copied: Option<Copying>,
    /// Whether it answered when it was last looked at; null until it was.
    #[schema(required = true)]
    reachable: Option<bool>,
    /// Why it did not answer; null where it did.
    #[schema(required = true)]
    error: Option<Explanation>,
    /// What it held when it last answered; null where it never did.
    #[schema(required = true)]
    content: Option<RepositoryContent>,
    /// The latest check of any of its instances that this daemon ran; null where there is none. The
    /// daemon checks only the main repository: `data_read_at` also knows checks of others.
    #[schema(required = true)]
    last_check: Option<LastCheck>,
}

/// When backups are copied to a repository.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Copying {
    /// After each backup.
    AfterBackup,
    /// Only when an operator or another program runs `copy`.
    Manually,
}

/// What a repository holds.
#[derive(Serialize, ToSchema)]
struct RepositoryContent {
    /// When that was seen.
    looked_at: Timestamp,
    /// The bytes that all its objects take.
    bytes: u64,
    /// How many backups it has.
    backups: usize,
    /// How many backups a repair has quarantined.
    quarantined: usize,
    /// The moment that its newest backup shows; null where it has none.
    #[schema(required = true)]
    newest_backup_at: Option<Timestamp>,
    /// When a check last read objects of any instance back, also one of the command line; null
    /// where none did.
    #[schema(required = true)]
    data_read_at: Option<Timestamp>,
    /// The instances that have backups in it.
    instances: Vec<InstanceInRepository>,
    /// The objects that are known to be damaged; the first hundred.
    damaged: Vec<DamagedIn>,
    /// Folders that cannot be read. The figures lack what they contain.
    unreadable: Vec<Explanation>,
}

/// What a repository holds of an instance.
#[derive(Serialize, ToSchema)]
struct InstanceInRepository {
    /// The instance.
    name: String,
    /// Whether the configuration has it.
    configured: bool,
    /// How many backups it has there.
    backups: usize,
    /// How many of its backups a repair has quarantined.
    quarantined: usize,
    /// The bytes that its objects take.
    bytes: u64,
    /// Its newest backup; null where all are quarantined.
    #[schema(required = true)]
    newest_backup: Option<BackupId>,
    /// The moment that the newest shows.
    #[schema(required = true)]
    newest_backup_at: Option<Timestamp>,
    /// How many objects are known to be damaged; null where the record of damage cannot be read.
    #[schema(required = true)]
    damaged: Option<usize>,
    /// The latest check that this daemon ran; null where there is none, and in every repository
    /// but the main one.
    #[schema(required = true)]
    last_check: Option<LastCheck>,
    /// When a check last read objects of it back (`check --read-data`), also one of the command
    /// line, by the repository's clock; null where none did.
    #[schema(required = true)]
    data_read_at: Option<Timestamp>,
}

/// A damaged object in a repository.
#[derive(Serialize, ToSchema)]
struct DamagedIn {
    /// The instance.
    instance: String,
    #[serde(flatten)]
    object: DamagedObject,
}

/// A check that has ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct LastCheck {
    /// The run.
    run: RunId,
    /// The instance whose backups were checked.
    instance: String,
    /// When it ended.
    at: Timestamp,
    /// How it ended.
    outcome: RunOutcome,
}

impl LastCheck {
    fn of(run: &RunRecord) -> Option<Self> {
        let (at, outcome) = run.ended_at.zip(run.outcome.clone())?;
        Some(Self { run: run.id, instance: run.instance.clone(), at, outcome })
    }
}

impl RepositoryContent {
    fn of((looked_at, held): &(Timestamp, Arc<Held>), config: &Config, checks: &BTreeMap<String, LastCheck>) -> Self {
        let at = |held: &Surveyed| held.newest.as_ref().and_then(BackupId::created_at);
        let instance = |(name, held): (&String, &Surveyed)| InstanceInRepository {
            name: name.clone(),
            configured: config.instances.contains_key(name),
            backups: held.backups,
            quarantined: held.quarantined,
            bytes: held.bytes,
            newest_backup: held.newest.clone(),
            newest_backup_at: at(held),
            damaged: held.damaged.as_ref().map(Vec::len),
            last_check: checks.get(name).cloned(),
            data_read_at: held.data_read_at,
        };
        let damaged = held.instances.iter().flat_map(|(name, held)| {
            let objects = held.damaged.iter().flatten();
            objects.map(|object| DamagedIn { instance: name.clone(), object: object.clone() })
        });
        Self {
            looked_at: *looked_at,
            bytes: held.bytes,
            backups: held.instances.values().map(|held| held.backups).sum(),
            quarantined: held.instances.values().map(|held| held.quarantined).sum(),
            newest_backup_at: held.instances.values().filter_map(at).max(),
            data_read_at: held.instances.values().filter_map(|held| held.data_read_at).max(),
            instances: held.instances.iter().map(instance).collect(),
            damaged: damaged.take(DAMAGED).collect(),
            unreadable: held.unreadable.clone(),
        }
    }
}

/// Every repository, as it was last looked at.
#[utoipa::path(
    get, path = "/api/v1/repositories", operation_id = "list_repositories",
    responses((status = 200, description = "The repositories", body = Repositories), HttpProblem),
)]
pub(super) async fn list(State(api): State<Api>) -> Json<Repositories> {
    let (config, seen) = (api.handle.config(), api.surveys.seen());
    let views = api.handle.instances().into_iter();
    let checks = views.filter_map(|view| {
        let check = view.jobs.iter().find(|job| job.job == Job::Check)?;
        let last = LastCheck::of(check.ended()?)?;
        Some((view.name, last))
    });
    let (checks, none) = (checks.collect::<BTreeMap<_, _>>(), BTreeMap::new());
    let repositories = config.repositories().map(|(name, place)| {
        let seen = seen.get(name).filter(|seen| seen.location == place.location());
        let checks = if name == MAIN { &checks } else { &none };
        RepositoryDocument {
            name: name.to_owned(),
            location: place.location(),
            copied: config.copies.get(name).map(|copy| match copy.after_backup {
                true => Copying::AfterBackup,
                false => Copying::Manually,
            }),
            reachable: seen.map(|seen| seen.error.is_none()),
            error: seen.and_then(|seen| seen.error.clone()),
            content: seen.and_then(|seen| Some(RepositoryContent::of(seen.held.as_ref()?, &config, checks))),
            last_check: checks.values().max_by_key(|check| check.run).cloned(),
        }
    });
    Json(Repositories { repositories: repositories.collect() })
}
