//! The policy: how many backups of which age to keep.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    period::Tier,
    setting::{Age, Percent, Zone},
};

/// How many backups to keep. The default is that of Odoo.sh: 7 daily, 4 weekly and 3 monthly.
///
/// Each setting that a configuration leaves out has its default: who writes `daily = 30` keeps the
/// weekly and monthly ones as well, and writes `monthly = 0` to be rid of them. The other way
/// round, one added line would take a history away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The newest so many, whatever their dates. Default 0.
    pub keep_last: u32,
    /// All that are younger than this when the newest was made. Reckoned from the newest and not
    /// from now, so that they do not age away while no new ones are made. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Age>,
    /// The last of each of so many hours. Default 0.
    pub hourly: u32,
    /// The last of each of so many days. Default 7.
    pub daily: u32,
    /// The last of each of so many weeks of ISO 8601, which begin on Monday. Default 4.
    pub weekly: u32,
    /// The last of each of so many months. Default 3.
    pub monthly: u32,
    /// The last of each of so many years. Default 0.
    pub yearly: u32,
    /// Where days begin. `None` leaves it to the caller, who knows the instance's zone (see
    /// [`Policy::zone`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<Zone>,
    /// Remove nothing while the newest backup is older than this. `None`: three times the interval
    /// of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_if_stale: Option<Age>,
    /// Remove nothing while the figures of the newest backup are lower by more than this than those
    /// before they fell. Default 30 %; 100 switches the check off, for nothing falls by more than
    /// all.
    pub hold_if_shrunk: Percent,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            keep_last: 0,
            keep_within: None,
            hourly: 0,
            daily: 7,
            weekly: 4,
            monthly: 3,
            yearly: 0,
            timezone: None,
            stop_if_stale: None,
            hold_if_shrunk: Percent::of(30),
        }
    }
}

impl Policy {
    /// Returns the policy with no rule at all, as a base to set some on. Refused as it is.
    pub fn empty() -> Self {
        Self { daily: 0, weekly: 0, monthly: 0, ..Self::default() }
    }

    /// Returns how many periods of this tier have a slot.
    pub fn slots(&self, tier: Tier) -> u32 {
        match tier {
            Tier::Hourly => self.hourly,
            Tier::Daily => self.daily,
            Tier::Weekly => self.weekly,
            Tier::Monthly => self.monthly,
            Tier::Yearly => self.yearly,
        }
    }

    /// Returns the zone in which days begin: UTC if none is set.
    pub fn zone(&self) -> &Zone {
        static UTC: Zone = Zone::utc();
        self.timezone.as_ref().unwrap_or(&UTC)
    }

    /// Returns the policy in sentences: "Keeps 7 daily, 4 weekly, 3 monthly. Days begin in the zone
    /// Europe/Brussels."
    pub fn sentence(&self) -> String {
        format!("Keeps {}. Days begin in the zone {}.", self.kept(), self.zone())
    }

    /// Returns what the rules keep, in words.
    fn kept(&self) -> String {
        let last = (self.keep_last > 0).then(|| format!("the last {}", self.keep_last));
        let within = self.keep_within.as_ref().map(|age| format!("all within {age}"));
        let tiers = Tier::ALL.into_iter().filter(|tier| self.slots(*tier) > 0);
        let rules = last.into_iter().chain(within).chain(tiers.map(|tier| format!("{} {tier}", self.slots(tier))));
        let rules: Vec<String> = rules.collect();
        if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") }
    }

    /// Refuses a policy that would keep nothing.
    ///
    /// # Errors
    /// [`PolicyError::KeepsNothing`] if no rule keeps any backup. The guarantees, such as that the
    /// newest stays, are no policy.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let keeps_some =
            self.keep_last > 0 || self.keep_within.is_some() || Tier::ALL.iter().any(|&tier| self.slots(tier) > 0);
        if keeps_some { Ok(()) } else { Err(PolicyError::KeepsNothing) }
    }
}

/// As in "7 daily, 4 weekly, 3 monthly; days of Europe/Brussels".
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; days of {}", self.kept(), self.zone())
    }
}

/// A policy that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// No rule keeps any backup.
    #[error("the retention policy would keep nothing: its counts are all 0, and keep_within is not set")]
    KeepsNothing,
}

impl PolicyError {
    /// Returns how to fix it.
    pub fn hint(&self) -> &'static str {
        match self {
            PolicyError::KeepsNothing => "set at least one of them, as in daily = 7",
        }
    }
}

#[cfg(test)]
mod tests;
