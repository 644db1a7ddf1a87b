//! The rules of the policy, applied to a list of backups.

use std::collections::{HashMap, hash_map::Entry};

use jiff::tz::TimeZone;

use crate::{
    backup::Backup,
    period::{Period, Tier},
    policy::Policy,
    reason::{Miss, Rule},
};

/// Calls `keep` for each backup and each rule that keeps it. `backups` are ordered from the newest
/// to the oldest.
pub(crate) fn apply<'a>(policy: &Policy, backups: &[&'a Backup], mut keep: impl FnMut(&'a Backup, Rule)) {
    let (Some(newest), Some(oldest)) = (backups.first(), backups.last()) else { return };
    let zone = policy.zone().rules();

    for backup in backups.iter().take(policy.keep_last as usize) {
        keep(backup, Rule::Last);
    }
    if let Some(age) = policy.keep_within {
        // No such moment: the age reaches back before all time, and so keeps all.
        let since = age.before(newest.created_at, zone);
        for backup in backups.iter().take_while(|backup| since.is_none_or(|since| backup.created_at > since)) {
            keep(backup, Rule::Within(age));
        }
    }
    for tier in Tier::ALL {
        let slots = policy.slots(tier) as usize;
        if slots == 0 {
            continue;
        }
        let periods = last_of_each(tier, zone, backups);
        for (period, backup) in periods.iter().take(slots) {
            keep(backup, Rule::Slot(*period));
        }
        let oldest_has_slot = periods.last().is_some_and(|(_, backup)| backup.id == oldest.id);
        if periods.len() < slots && !oldest_has_slot {
            keep(oldest, Rule::Oldest(tier));
        }
    }
}

/// Returns a function that says why no rule keeps a backup that [`apply`] has not named, by the
/// rules from the shortest period to the longest. `backups` are those of [`apply`].
pub(crate) fn misses<'a>(policy: &'a Policy, backups: &[&'a Backup]) -> impl Fn(&Backup) -> Vec<Miss> + 'a {
    let zone = policy.zone().rules();
    let tiers = Tier::ALL.into_iter().filter(|tier| policy.slots(*tier) > 0).map(|tier| {
        let slots = policy.slots(tier);
        let chosen: HashMap<Period, &Backup> =
            last_of_each(tier, zone, backups).into_iter().take(slots as usize).collect();
        (tier, slots, chosen)
    });
    let tiers: Vec<_> = tiers.collect();
    move |backup| {
        let last = (policy.keep_last > 0).then_some(Miss::Last(policy.keep_last));
        let within = policy.keep_within.map(Miss::Within);
        let slots = tiers.iter().map(|&(tier, slots, ref chosen)| {
            let period = tier.period(backup.created_at, zone);
            match chosen.get(&period) {
                Some(by) => Miss::Slot { period, by: by.id.clone() },
                None => Miss::Before { tier, slots },
            }
        });
        last.into_iter().chain(within).chain(slots).collect()
    }
}

/// Returns the backup that represents each period: the newest without warnings, or else the newest.
/// Periods come in the order of their newest backup, the newest first.
///
/// A period's backups need not be neighbours: where clocks went back at one minute past midnight
/// (America/St_Johns until 2011), an hour of Saturday lies within Sunday.
fn last_of_each<'a>(tier: Tier, zone: &TimeZone, backups: &[&'a Backup]) -> Vec<(Period, &'a Backup)> {
    let mut chosen: Vec<(Period, &Backup)> = Vec::new();
    let mut places = HashMap::new();
    for &backup in backups {
        let period = tier.period(backup.created_at, zone);
        match places.entry(period) {
            Entry::Vacant(place) => {
                place.insert(chosen.len());
                chosen.push((period, backup));
            }
            Entry::Occupied(place) => {
                let (_, present) = &mut chosen[*place.get()];
                if present.warned && !backup.warned {
                    *present = backup;
                }
            }
        }
    }
    chosen
}
