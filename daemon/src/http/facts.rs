//! What is known of the repository: read after each run and every few minutes, and shown from
//! memory however often it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::{Config, InstanceConfig, explain};
use engine::error::{Error, Explanation};
use engine::manifest::Brief;
use engine::prune::{Decision, Plan, Verdict, forecast, frees};
use engine::repository::{BackupId, Evidence, Flaw, Listing, ProofName, ProofOutcome, Repository};
use engine::verify::Depth;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::Api;
use crate::condition::{Backups, Condition};
use crate::journal::RunRecord;
use crate::view::{Event, InstanceView};

/// How often all of it is read, because other processes change the repository.
pub(super) const REFRESH: Duration = Duration::from_mins(5);
/// With many instances less often, because a list costs a request for each.
const REFRESH_PER_INSTANCE: Duration = Duration::from_secs(3);

/// What was last read, and the receivers of news about it.
#[derive(Default)]
pub(super) struct Facts {
    known: watch::Sender<Arc<Known>>,
    /// One reads at a time.
    reading: Mutex<()>,
}

/// What is known of the repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Where it is; `None` until it was opened.
    pub(super) location: Option<String>,
    /// When it was last read without a failure.
    pub(super) refreshed_at: Option<Timestamp>,
    /// Why the last attempt to read it failed.
    pub(super) error: Option<Explanation>,
    /// What is known of each instance that was read.
    instances: BTreeMap<String, Arc<InstanceFacts>>,
}

impl Known {
    pub(super) fn instance(&self, name: &str) -> Option<&Arc<InstanceFacts>> {
        self.instances.get(name)
    }

    /// Returns the condition of an instance, by its runs and by what is known here.
    pub(super) fn condition(&self, view: &InstanceView, now: Timestamp) -> Condition {
        let shown = self.instance(&view.name).map(|facts| &facts.shown);
        Condition::of(view, shown, self.error.as_ref(), now)
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = (&str, &InstanceFacts)> {
        self.instances.iter().map(|(name, facts)| (name.as_str(), &**facts))
    }
}

/// What is known about an instance's backups.
#[derive(Debug)]
pub(super) struct InstanceFacts {
    /// When that was read.
    pub(super) refreshed_at: Timestamp,
    /// Newest first.
    pub(super) backups: Vec<BackupFacts>,
    /// Those whose manifest cannot be read.
    pub(super) damaged: Vec<DamagedBackup>,
    /// What all of it takes in the repository.
    pub(super) bytes: u64,
    /// What retention says of them.
    pub(super) plan: Result<Plan, Explanation>,
    /// The bytes that are free once a backup that goes, and all older ones that go, are gone.
    pub(super) frees: BTreeMap<BackupId, u64>,
    /// What the instance's condition depends on.
    pub(super) shown: Backups,
}

/// A backup, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Backup)]
pub(super) struct BackupFacts {
    #[serde(flatten)]
    pub(super) brief: Brief,
    /// Files that the source has lost.
    pub(super) missing_files: usize,
    /// Whether it is kept until it is unpinned.
    pub(super) pinned: bool,
    /// What a restored copy has shown of it.
    #[schema(required = true)]
    pub(super) proof: Option<ProofFacts>,
    /// Its problems, in sentences; empty for a good backup.
    pub(super) flaws: Vec<String>,
    /// Whether it is dated in the future.
    #[serde(skip)]
    pub(super) is_future: bool,
    /// Whether what it needs is known to be damaged.
    #[serde(skip)]
    pub(super) is_damaged: bool,
    /// Whether it stays; null if the policy cannot be applied.
    #[schema(required = true)]
    pub(super) keep: Option<bool>,
    /// Why it stays.
    pub(super) kept_by: Vec<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Proof)]
pub(super) struct ProofFacts {
    pub(super) at: Timestamp,
    pub(super) depth: Depth,
    pub(super) outcome: ProofOutcome,
    #[serde(skip)]
    pub(super) name: ProofName,
}

/// A backup whose manifest cannot be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct DamagedBackup {
    pub(super) id: BackupId,
    pub(super) error: Explanation,
}

impl InstanceFacts {
    pub(super) fn backup(&self, id: &str) -> Option<&BackupFacts> {
        self.backups.iter().find(|backup| backup.brief.id.as_str() == id)
    }

    /// Returns the newest verified backup.
    pub(super) fn newest_proven(&self) -> Option<(&BackupFacts, &ProofFacts)> {
        let good = self.backups.iter().filter(|backup| backup.flaws.is_empty());
        let mut proven = good.filter_map(|backup| Some((backup, backup.proof.as_ref()?)));
        proven.find(|(_, proof)| proof.outcome == ProofOutcome::Passed)
    }

    async fn read(repository: &Repository, instance: &InstanceConfig, now: Timestamp) -> Result<Self, Error> {
        let listing = repository.list(Some(&instance.instance.name)).await?;
        let plan = match forecast(repository, &instance.instance, &listing).await {
            Ok(plan) => Ok(plan),
            Err(Error::Plan(error)) => Err(explain(&Error::Plan(error))),
            Err(error) => return Err(error),
        };
        let damaged = listing.damaged.iter();
        let damaged =
            damaged.map(|damaged| DamagedBackup { id: damaged.backup.id.clone(), error: explain(&damaged.error) });
        let frees = match &plan {
            Ok(plan) if plan.removals().next().is_some() => {
                let doomed: Vec<BackupId> = plan.removals().filter_map(|going| going.id.parse().ok()).collect();
                frees(&listing.backups.iter().collect::<Vec<_>>(), &doomed)
            }
            _ => BTreeMap::new(),
        };
        let shown = Backups::of(&instance.instance.name, &listing).with_plan(plan.as_ref());
        Ok(Self {
            refreshed_at: now,
            shown,
            damaged: damaged.collect(),
            bytes: listing.bytes,
            backups: backups(listing, plan.as_ref().ok()),
            plan,
            frees,
        })
    }
}

fn backups(listing: Listing, plan: Option<&Plan>) -> Vec<BackupFacts> {
    let decisions = plan.into_iter().flat_map(|plan| &plan.decisions);
    let decisions: BTreeMap<&str, &Decision> = decisions.map(|decision| (decision.id.as_str(), decision)).collect();
    let newest_first = listing.backups.iter().rev();
    let backups = newest_first.map(|manifest| {
        let name = manifest.backup();
        let decision = decisions.get(manifest.id.as_str());
        let flaws = listing.flaws(manifest);
        BackupFacts {
            is_future: flaws.contains(&Flaw::Future),
            is_damaged: flaws.iter().any(|flaw| matches!(flaw, Flaw::Damaged(_))),
            flaws: flaws.iter().map(ToString::to_string).collect(),
            brief: manifest.into(),
            missing_files: manifest.filestore.findings.missing.len(),
            pinned: listing.pinned.contains(&name),
            proof: listing.evidence.get(&name).map(ProofFacts::of),
            keep: decision.map(|decision| decision.verdict != Verdict::Remove),
            kept_by: decision.map(|decision| reasons(decision)).unwrap_or_default(),
        }
    });
    backups.collect()
}

/// Returns why retention keeps a backup, in words; none if it does not.
pub(super) fn reasons(decision: &Decision) -> Vec<String> {
    match &decision.verdict {
        Verdict::Keep { reasons } => reasons.iter().map(ToString::to_string).collect(),
        Verdict::Remove => Vec::new(),
    }
}

impl ProofFacts {
    fn of(evidence: &Evidence) -> Self {
        let name = evidence.name();
        Self { at: name.at, depth: name.depth, outcome: name.outcome, name: name.clone() }
    }
}

impl Facts {
    pub(super) fn known(&self) -> Arc<Known> {
        self.known.borrow().clone()
    }

    /// Returns a receiver that is notified after each reading.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<Known>> {
        self.known.subscribe()
    }
}

impl Api {
    /// Reads the backups of one instance, or of all. If that fails, the former state stays, next to
    /// the failure.
    pub(super) async fn refresh(&self, only: Option<&str>) {
        let facts = &self.facts;
        let _one_at_a_time = facts.reading.lock().await;
        let config = self.handle.config();
        let mut known = Known::clone(&facts.known());
        known.error = match self.read(&config, only, &mut known).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!("unable to read the repository: {error}");
                Some(error)
            }
        };
        known.instances.retain(|name, _| config.instances.contains_key(name));
        facts.known.send_replace(Arc::new(known));
    }

    async fn read(&self, config: &Config, only: Option<&str>, known: &mut Known) -> Result<(), Explanation> {
        let repository = self.handle.repository().await.map_err(|error| explain(&error))?;
        known.location = Some(repository.store().location());
        // One after the other: the manifests of one are in memory at a time.
        for instance in
            config.instances.values().filter(|instance| only.is_none_or(|only| only == instance.instance.name))
        {
            let facts = InstanceFacts::read(&repository, instance, self.handle.now()).await;
            let facts = facts.map_err(|error| explain(&error))?;
            known.instances.insert(instance.instance.name.clone(), Arc::new(facts));
        }
        known.refreshed_at = Some(self.handle.now());
        Ok(())
    }
}

/// Keeps it known, until `ended`.
pub(super) async fn keep(api: &Api, ended: &CancellationToken) {
    let mut events = api.handle.subscribe();
    let work = async {
        api.refresh(None).await;
        loop {
            let instances = u32::try_from(api.handle.config().instances.len()).unwrap_or(u32::MAX);
            let pause = REFRESH.max(REFRESH_PER_INSTANCE.saturating_mul(instances));
            let event = tokio::time::timeout(pause, changed(&mut events)).await;
            match event {
                Ok(Some(Changed::By(run))) => {
                    // First: the event about the repository says that both are up to date.
                    if let Some(target) = &run.target {
                        api.refresh_target(target).await;
                    }
                    api.refresh(Some(&run.instance)).await;
                }
                Ok(None) => return,
                Ok(Some(Changed::Anything)) | Err(_) => api.refresh(None).await,
            }
        }
    };
    ended.run_until_cancelled(work).await;
}

/// What may have changed.
pub(super) enum Changed {
    /// What a run of this kind changes.
    By(Box<RunRecord>),
    /// Any instance and any target.
    Anything,
}

/// Waits for what may have changed the repository or a target; `None` at the end of events.
pub(super) async fn changed(events: &mut tokio::sync::broadcast::Receiver<Event>) -> Option<Changed> {
    loop {
        return match events.recv().await {
            Ok(Event::Ended { run }) => Some(Changed::By(Box::new(run))),
            Ok(Event::Reloaded) | Err(RecvError::Lagged(_)) => Some(Changed::Anything),
            Err(RecvError::Closed) => None,
            Ok(_) => continue,
        };
    }
}
