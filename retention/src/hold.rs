//! Why nothing at all is removed.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::{
    backup::{Backup, Figure},
    policy::Policy,
    setting::{Age, Percent},
};

/// A reason to remove nothing, whatever the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The newest backup is too old: the schedule is broken, and the history must not pay for it.
    Stale {
        /// The id of the newest backup.
        newest: String,
        /// How old it is.
        age: SignedDuration,
        /// How old it may be.
        limit: Age,
    },
    /// A figure of the newest backup is too far below what it was before it fell: something may
    /// have been lost, and the backups from before may be the only ones that have it.
    Shrunk {
        /// Which figure.
        figure: Figure,
        /// The id of the last backup before the fall.
        before: String,
        /// The figure in that backup.
        was: u64,
        /// The id of the first backup after the fall.
        after: String,
        /// The newest backup: the one to accept.
        newest: String,
        /// The figure in the newest backup.
        is: u64,
        /// How far it may fall.
        limit: Percent,
    },
}

impl Hold {
    /// Returns what a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Hold::Stale { .. } => {
                "find out why no newer backup was made; after the next backup, old ones are removed again".to_owned()
            }
            Hold::Shrunk { before, newest, .. } => format!(
                "if the data was removed on purpose, accept the figures of backup {newest}; \
                 if not, backup {before} is the last that has it"
            ),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Stale { newest, age, limit } => {
                write!(f, "the newest backup, {newest}, is {} old, more than {limit}", roughly(*age))
            }
            Hold::Shrunk { figure, before, was, after, newest, is, limit } => {
                write!(
                    f,
                    "{figure} fell from {was} in backup {before} to {is} in backup {newest}, by more than {limit}"
                )?;
                if after != newest {
                    write!(f, " (first seen in backup {after})")?;
                }
                Ok(())
            }
        }
    }
}

/// Formats an age: whole days from two days on, else whole hours or minutes.
fn roughly(age: SignedDuration) -> String {
    match (age.as_hours(), age.as_mins()) {
        (hours @ 48.., _) => format!("{} days", hours / 24),
        (hours @ 2.., _) => format!("{hours} hours"),
        (_, minutes) => format!("{minutes} minutes"),
    }
}

/// Returns whether the newest of `backups` (newest first, none in the future) is older than the
/// policy or the schedule allows.
pub(crate) fn stale(
    policy: &Policy,
    backups: &[&Backup],
    now: Timestamp,
    interval: Option<SignedDuration>,
) -> Option<Hold> {
    let newest = backups.first()?;
    let limit = policy.stop_if_stale.or_else(|| interval?.checked_mul(3)?.try_into().ok())?;
    let oldest_allowed = limit.before(now, policy.zone().rules())?;
    (newest.created_at < oldest_allowed).then(|| Hold::Stale {
        newest: newest.id.clone(),
        age: now.duration_since(newest.created_at),
        limit,
    })
}

/// Returns which figures fell too far between two neighbours of `backups` (newest first, none in
/// the future) and have not come back since.
///
/// All neighbours are looked at and not the newest two alone, because the next backup after a loss
/// has the same low figures: the hold must last until a person has spoken, not until the next
/// night. `accepted` is the date of the backup whose figures a person accepted; falls up to it are
/// settled.
pub(crate) fn shrunk(policy: &Policy, backups: &[&Backup], accepted: Option<Timestamp>) -> Vec<Hold> {
    let limit = policy.hold_if_shrunk;
    let fall = |figure: Figure| {
        let known: Vec<(&Backup, u64)> =
            backups.iter().filter_map(|backup| Some((*backup, backup.figures.get(figure)?))).collect();
        let &(newest, is) = known.first()?;
        known.windows(2).find_map(|pair| {
            let [(after, low), (before, was)] = *pair else { return None };
            let settled = accepted.is_some_and(|accepted| before.created_at < accepted);
            let fell = limit.exceeded_by_fall(was, low) && limit.exceeded_by_fall(was, is);
            (fell && !settled).then(|| Hold::Shrunk {
                figure,
                before: before.id.clone(),
                was,
                after: after.id.clone(),
                newest: newest.id.clone(),
                is,
                limit,
            })
        })
    };
    Figure::ALL.into_iter().filter_map(fall).collect()
}

#[cfg(test)]
mod tests;
