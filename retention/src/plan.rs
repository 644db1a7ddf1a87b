//! The decision.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    backup::Backup,
    hold::{self, Hold},
    policy::{Policy, PolicyError},
    reason::{Miss, Reason, Rule},
    rules,
};

/// What the plan depends on in addition to the policy and the backups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The time. Backups dated later are in the future.
    pub now: Timestamp,
    /// The longest time between two runs of the instance's schedule, if it has one: where the
    /// policy does not set `stop_if_stale`, nothing is removed while the newest backup is older
    /// than three times this.
    pub interval: Option<SignedDuration>,
    /// `created_at` of the newest backup whose figures a person has accepted. It settles that
    /// backup's fall and all before, also when the backup itself has been removed since.
    pub figures_accepted: Option<Timestamp>,
    /// The id of the newest backup that does not depend on the last full dump, while nothing has
    /// read that back.
    pub before_unread_chain: Option<String>,
}

impl Situation {
    /// Returns a situation without a schedule and accepted figures.
    pub fn at(now: Timestamp) -> Self {
        Self { now, interval: None, figures_accepted: None, before_unread_chain: None }
    }
}

/// What to do with the backups of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One for each backup, from the newest to the oldest; of one date, in falling order of their
    /// ids.
    pub decisions: Vec<Decision>,
    /// Why nothing at all is removed; empty if nothing stands against it.
    pub holds: Vec<Hold>,
    /// The ids of the backups dated in the future, from the latest to the earliest.
    pub future: Vec<String>,
}

impl Plan {
    /// Returns the backups to remove, from the newest to the oldest. None while a hold stands.
    pub fn removals(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| decision.verdict == Verdict::Remove)
    }

    /// Returns the backups to keep, from the newest to the oldest.
    pub fn kept(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|decision| decision.verdict != Verdict::Remove)
    }
}

/// What to do with one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The backup's id.
    pub id: String,
    /// The backup's date.
    pub created_at: Timestamp,
    /// Keep or remove.
    pub verdict: Verdict,
    /// Why no rule keeps it, by the rules of the policy. Empty if it stays.
    pub misses: Vec<Miss>,
}

/// Keep or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep {
        /// All reasons, and at least one: pinned, the guarantees, then the rules from the shortest
        /// period to the longest.
        reasons: Vec<Reason>,
    },
    /// No rule keeps it, and no hold stands.
    Remove,
}

/// No plan can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The policy is not one to follow.
    #[error("unable to plan the retention")]
    Policy(#[from] PolicyError),
    /// Backups of several instances: each has its own policy and its own slots.
    #[error("unable to plan the retention of instances {first:?} and {second:?} together")]
    SeveralInstances {
        /// One of the instances.
        first: String,
        /// Another.
        second: String,
    },
    /// The list names a backup twice, so it cannot be a list of what is there.
    #[error("unable to plan the retention of instance {instance:?}: backup {id} is listed twice")]
    ListedTwice {
        /// The instance.
        instance: String,
        /// The id.
        id: String,
    },
}

impl PlanError {
    /// Returns how to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            PlanError::Policy(error) => error.hint(),
            PlanError::SeveralInstances { .. } => "plan each instance separately",
            PlanError::ListedTwice { .. } => "read the list of backups again",
        }
    }
}

/// Decides for each of `backups`, all of one instance and in any order, whether to keep it. See the
/// [crate] for the rules.
///
/// # Errors
/// If the policy would keep nothing, if the backups are of several instances, or if one is listed
/// twice.
pub fn plan(policy: &Policy, backups: &[Backup], situation: &Situation) -> Result<Plan, PlanError> {
    policy.validate()?;
    check_list(backups)?;

    let mut ordered: Vec<&Backup> = backups.iter().collect();
    ordered.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let (future, present) = ordered.split_at(ordered.partition_point(|backup| backup.created_at > situation.now));
    let clean: Vec<&Backup> = present.iter().copied().filter(|backup| !backup.warned).collect();

    let mut reasons = Reasons::default();
    for backup in ordered.iter().filter(|backup| backup.pinned) {
        reasons.add(backup, Reason::Pinned);
    }
    for backup in future {
        reasons.add(backup, Reason::Future);
    }
    if let Some(newest) = present.first() {
        reasons.add(newest, Reason::Newest);
    }
    if let Some(proven) = present.iter().find(|backup| backup.proven) {
        reasons.add(proven, Reason::NewestProven);
    }
    if let Some(before) = present.iter().find(|backup| situation.before_unread_chain.as_ref() == Some(&backup.id)) {
        reasons.add(before, Reason::BeforeUnreadChain);
    }
    rules::apply(policy, present, |backup, rule| reasons.add(backup, Reason::Rule(rule)));
    rules::apply(policy, &clean, |backup, rule| reasons.add_among_clean(backup, rule));

    let mut holds: Vec<Hold> = hold::stale(policy, present, situation.now, situation.interval).into_iter().collect();
    holds.extend(hold::shrunk(policy, present, situation.figures_accepted));
    if !holds.is_empty() {
        for backup in &ordered {
            reasons.hold(backup);
        }
    }

    let misses = rules::misses(policy, present);
    Ok(Plan {
        decisions: ordered.iter().map(|backup| reasons.decide(backup, &misses)).collect(),
        holds,
        future: future.iter().map(|backup| backup.id.clone()).collect(),
    })
}

fn check_list(backups: &[Backup]) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    for backup in backups {
        let first = &backups[0].instance;
        if backup.instance != *first {
            return Err(PlanError::SeveralInstances { first: first.clone(), second: backup.instance.clone() });
        }
        if !seen.insert(&backup.id) {
            return Err(PlanError::ListedTwice { instance: first.clone(), id: backup.id.clone() });
        }
    }
    Ok(())
}

/// The reasons found so far, by the backup's id.
#[derive(Default)]
struct Reasons<'a>(BTreeMap<&'a str, Vec<Reason>>);

impl<'a> Reasons<'a> {
    fn add(&mut self, backup: &'a Backup, reason: Reason) {
        self.0.entry(&backup.id).or_default().push(reason);
    }

    fn add_among_clean(&mut self, backup: &'a Backup, rule: Rule) {
        let known = self.0.entry(&backup.id).or_default();
        if !known.contains(&Reason::Rule(rule)) {
            known.push(Reason::RuleAmongClean(rule));
        }
    }

    fn hold(&mut self, backup: &'a Backup) {
        let known = self.0.entry(&backup.id).or_default();
        if known.is_empty() {
            known.push(Reason::Held);
        }
    }

    fn decide(&mut self, backup: &Backup, misses: &impl Fn(&Backup) -> Vec<Miss>) -> Decision {
        let (verdict, misses) = match self.0.remove(backup.id.as_str()) {
            Some(reasons) => (Verdict::Keep { reasons }, Vec::new()),
            None => (Verdict::Remove, misses(backup)),
        };
        Decision { id: backup.id.clone(), created_at: backup.created_at, verdict, misses }
    }
}

#[cfg(test)]
mod tests;
