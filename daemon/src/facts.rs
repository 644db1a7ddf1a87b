//! What is known of the repository and of each instance's backups, as of one reading. The API, the
//! metrics and `odoo-backup status` show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::explain;
use engine::error::Explanation;
use engine::manifest::{Brief, Manifest};
use engine::prune::{Decision, Plan, Verdict, frees};
use engine::repository::{BackupId, Evidence, Flaw, Listing, ProofName, ProofOutcome};
use engine::verify::Depth;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::condition::{Backups, Condition};
use crate::view::InstanceView;

/// What is known of the repository.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Where it is; `None` until it was opened.
    pub location: Option<String>,
    /// When it was last read without a failure.
    pub refreshed_at: Option<Timestamp>,
    /// Why the last attempt to read it failed.
    pub error: Option<Explanation>,
    /// What is known of each instance that was read.
    pub(crate) instances: BTreeMap<String, Arc<InstanceFacts>>,
}

impl Known {
    /// Returns what a reading of a repository found.
    pub fn of(location: String, at: Timestamp, instances: BTreeMap<String, InstanceFacts>) -> Self {
        let instances = instances.into_iter().map(|(name, facts)| (name, Arc::new(facts))).collect();
        Self { location: Some(location), refreshed_at: Some(at), error: None, instances }
    }

    /// Returns what is known after the first attempt to read the repository failed.
    pub fn unread(error: Explanation) -> Self {
        Self { error: Some(error), ..Self::default() }
    }

    /// Returns what is known of an instance; `None` if it was not read.
    pub fn instance(&self, name: &str) -> Option<&Arc<InstanceFacts>> {
        self.instances.get(name)
    }

    /// Returns the condition of an instance, by its runs and by what is known here.
    pub fn condition(&self, view: &InstanceView, now: Timestamp) -> Condition {
        let shown = self.instance(&view.name).map(|facts| &facts.shown);
        Condition::of(view, shown, self.error.as_ref(), now)
    }

    /// Returns what is known of each instance, by their names.
    pub fn instances(&self) -> impl Iterator<Item = (&str, &InstanceFacts)> {
        self.instances.iter().map(|(name, facts)| (name.as_str(), &**facts))
    }
}

/// What is known about an instance's backups.
#[derive(Debug)]
pub struct InstanceFacts {
    /// When that was read.
    pub refreshed_at: Timestamp,
    /// Newest first.
    pub backups: Vec<BackupFacts>,
    /// Those whose manifest cannot be read.
    pub damaged: Vec<DamagedBackup>,
    /// What all of it takes in the repository.
    pub bytes: u64,
    /// What retention says of them.
    pub plan: Result<Plan, Explanation>,
    /// The bytes that are free once a backup that goes, and all older ones that go, are gone.
    pub frees: BTreeMap<BackupId, u64>,
    /// What the instance's condition depends on.
    pub shown: Backups,
}

/// A backup, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Backup)]
pub struct BackupFacts {
    /// What its manifest says.
    #[serde(flatten)]
    pub brief: Brief,
    /// Files that the source has lost.
    pub missing_files: u64,
    /// Whether it is kept until it is unpinned.
    pub pinned: bool,
    /// What a restored copy has shown of it.
    #[schema(required = true)]
    pub proof: Option<ProofFacts>,
    /// Its problems, in sentences; empty for a good backup.
    pub flaws: Vec<String>,
    /// Whether it is dated in the future.
    #[serde(skip)]
    pub is_future: bool,
    /// Whether what it needs is known to be damaged.
    #[serde(skip)]
    pub is_damaged: bool,
    /// Whether it stays; null if the policy cannot be applied.
    #[schema(required = true)]
    pub keep: Option<bool>,
    /// Why it stays.
    pub kept_by: Vec<String>,
}

/// What a restored copy has shown of a backup.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Proof)]
pub struct ProofFacts {
    /// When.
    pub at: Timestamp,
    /// How much was compared.
    pub depth: Depth,
    /// What it showed.
    pub outcome: ProofOutcome,
    /// Its name in the repository.
    #[serde(skip)]
    pub name: ProofName,
}

/// A backup whose manifest cannot be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DamagedBackup {
    /// Its id.
    pub id: BackupId,
    /// Why its manifest cannot be read.
    pub error: Explanation,
}

impl InstanceFacts {
    /// Returns the backup with this id.
    pub fn backup(&self, id: &str) -> Option<&BackupFacts> {
        self.backups.iter().find(|backup| backup.brief.id.as_str() == id)
    }

    /// Returns the newest verified backup.
    pub fn newest_proven(&self) -> Option<(&BackupFacts, &ProofFacts)> {
        let good = self.backups.iter().filter(|backup| backup.flaws.is_empty());
        let mut proven = good.filter_map(|backup| Some((backup, backup.proof.as_ref()?)));
        proven.find(|(_, proof)| proof.outcome == ProofOutcome::Passed)
    }

    /// Returns what a listing shows of an instance: `shown`, and what retention says of it, its
    /// plan or why there is none.
    pub fn of(
        instance: &str,
        listing: &Listing,
        shown: Backups,
        plan: Result<Plan, Explanation>,
        now: Timestamp,
    ) -> Self {
        let own: Vec<&Manifest> = listing.backups.iter().filter(|backup| backup.instance == instance).collect();
        let damaged = listing.damaged.iter().filter(|damaged| damaged.backup.instance == instance);
        let damaged =
            damaged.map(|damaged| DamagedBackup { id: damaged.backup.id.clone(), error: explain(&damaged.error) });
        let frees = match &plan {
            Ok(plan) if plan.removals().next().is_some() => {
                let doomed: Vec<BackupId> = plan.removals().filter_map(|going| going.id.parse().ok()).collect();
                frees(&own, &doomed)
            }
            _ => BTreeMap::new(),
        };
        Self {
            refreshed_at: now,
            shown: shown.with_plan(plan.as_ref()),
            damaged: damaged.collect(),
            bytes: listing.bytes.get(instance).copied().unwrap_or_default(),
            backups: backups(&own, listing, plan.as_ref().ok()),
            plan,
            frees,
        }
    }
}

fn backups(own: &[&Manifest], listing: &Listing, plan: Option<&Plan>) -> Vec<BackupFacts> {
    let decisions = plan.into_iter().flat_map(|plan| &plan.decisions);
    let decisions: BTreeMap<&str, &Decision> = decisions.map(|decision| (decision.id.as_str(), decision)).collect();
    let newest_first = own.iter().rev();
    let backups = newest_first.map(|&manifest| {
        let name = manifest.backup();
        let decision = decisions.get(manifest.id.as_str());
        let flaws = listing.flaws(manifest);
        BackupFacts {
            is_future: flaws.contains(&Flaw::Future),
            is_damaged: flaws.iter().any(|flaw| matches!(flaw, Flaw::Damaged(_))),
            flaws: flaws.iter().map(ToString::to_string).collect(),
            brief: manifest.into(),
            missing_files: manifest.filestore.counts_of_findings().missing,
            pinned: listing.pinned.contains(&name),
            proof: listing.evidence.get(&name).map(ProofFacts::of),
            keep: decision.map(|decision| decision.verdict != Verdict::Remove),
            kept_by: decision.map(|decision| reasons(decision)).unwrap_or_default(),
        }
    });
    backups.collect()
}

/// Returns why retention keeps a backup, in words; none if it does not.
pub(crate) fn reasons(decision: &Decision) -> Vec<String> {
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
