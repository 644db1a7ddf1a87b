//! Why a backup is kept or removed, in words for the table that `prune` prints.

use std::fmt;

use crate::{
    period::{Period, Tier},
    setting::Age,
};

/// One reason to keep a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A person said that it stays.
    Pinned,
    /// Its date is in the future, so no rule can judge it.
    Future,
    /// It is the newest.
    Newest,
    /// It is the newest whose verification has passed.
    NewestProven,
    /// It does not depend on the last full dump, of which nothing was read back yet.
    BeforeUnreadChain,
    /// A rule of the policy, applied to all backups.
    Rule(Rule),
    /// A rule of the policy, applied to the backups without warnings as though there were no
    /// others. Given only where the same rule, applied to all backups, does not keep it.
    RuleAmongClean(Rule),
    /// No rule keeps it, but nothing at all is removed at present: see
    /// [`Plan::holds`](crate::Plan::holds).
    Held,
}

/// A rule of a [`Policy`](crate::Policy) that keeps a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is one of the `keep_last` newest.
    Last,
    /// It is younger than `keep_within`.
    Within(Age),
    /// It has the slot of this period.
    Slot(Period),
    /// It is the oldest of all, and this tier has slots left.
    Oldest(Tier),
}

/// Why one rule of the policy does not keep a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is not one of the `keep_last` newest.
    Last(u32),
    /// It is older than `keep_within`.
    Within(Age),
    /// Another backup has the slot of its period.
    Slot {
        /// The period.
        period: Period,
        /// The id of the backup that has the slot.
        by: String,
    },
    /// All slots of the tier are those of later periods.
    Before {
        /// The tier.
        tier: Tier,
        /// How many slots it has.
        slots: u32,
    },
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Miss::Last(number) => write!(f, "before the last {number}"),
            Miss::Within(age) => write!(f, "not within {age}"),
            Miss::Slot { period, by } => write!(f, "{} {period} keeps {by}", period.tier()),
            Miss::Before { tier, slots } => write!(f, "before the {slots} {tier}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Pinned => f.write_str("pinned"),
            Reason::Future => f.write_str("dated in the future"),
            Reason::Newest => f.write_str("newest"),
            Reason::NewestProven => f.write_str("newest proven"),
            Reason::BeforeUnreadChain => f.write_str("newest before the last full dump, which nothing has read back"),
            Reason::Rule(rule) => write!(f, "{rule}"),
            Reason::RuleAmongClean(rule) => write!(f, "{rule} among those without warnings"),
            Reason::Held => f.write_str("held"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Last => f.write_str("last"),
            Rule::Within(age) => write!(f, "within {age}"),
            Rule::Slot(period) => write!(f, "{} {period}", period.tier()),
            Rule::Oldest(tier) => write!(f, "oldest, {tier} slots left"),
        }
    }
}
