//! What restic documents of `forget`, and a plain second reading of its rule.

use jiff::{
    Span,
    civil::{Date, Weekday, date},
};
use proptest::prelude::*;
use retention::{Backup, Period, Reason, Rule, Situation, Tier, Zone, plan};

use crate::{backup_at, dates_kept, one_a_day, policy, properties::policies};

/// "Suppose you have only made one backup every Sunday for 12 weeks. Then `forget --keep-daily 4`
/// will keep the last four snapshots, for the last four Sundays."
#[test]
fn only_days_with_backup_count() {
    let zone = Zone::utc();
    let sundays: Vec<Date> = date(2019, 9, 1).series(Span::new().days(7)).take(12).collect();
    let backups: Vec<Backup> = sundays.iter().map(|&day| backup_at(day, "11:00", zone.rules())).collect();
    let plan = plan(&policy("daily = 4"), &backups, &Situation::at(backups[11].created_at)).unwrap();
    assert_eq!(
        dates_kept(&plan, zone.rules()),
        [date(2019, 11, 17), date(2019, 11, 10), date(2019, 11, 3), date(2019, 10, 27)]
    );
}

/// "Suppose you make one backup every day for 100 years. Then
/// `forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 75` would keep the most
/// recent 7 daily snapshots and 4 last-day-of-the-week ones (since the 7 dailies already include 1
/// weekly). Additionally, 12 or 11 last-day-of-the-month snapshots will be kept … And finally 75 or
/// 74 last-day-of-the-year snapshots."
#[test]
fn hundred_years_of_daily_backups() {
    let zone = Zone::utc();
    let backups = one_a_day(date(1927, 1, 1), date(2026, 11, 21), "02:00", zone.rules());
    assert_eq!(backups.len(), 36_485);
    let policy = policy("daily = 7\nweekly = 5\nmonthly = 12\nyearly = 75");
    let plan = plan(&policy, &backups, &Situation::at(backups.last().unwrap().created_at)).unwrap();

    let newest = date(2026, 11, 21);
    assert_eq!(newest.weekday(), Weekday::Saturday);
    let mut expected: Vec<Date> = (0..7).map(|ago| newest.saturating_sub(Span::new().days(ago))).collect();
    // The Sunday of 15 November is among the seven days, and the week of the newest is not over.
    expected.extend([date(2026, 11, 8), date(2026, 11, 1), date(2026, 10, 25)]);
    expected.extend((1..=10).map(|month| date(2026, month, 1).last_of_month()));
    expected.push(date(2025, 12, 31));
    expected.extend((1952..=2024).map(|year| date(year, 12, 31)));
    expected.sort_unstable_by(|a, b| b.cmp(a));
    expected.dedup();
    assert_eq!(dates_kept(&plan, zone.rules()), expected);
}

/// "If there are not enough snapshots to keep one for each duration related option, the oldest
/// snapshot is kept additionally."
#[test]
fn oldest_stays_while_slots_remain() {
    let zone = Zone::utc();
    let oldest = |last: Date| {
        let backups = one_a_day(date(2026, 9, 10), last, "02:00", zone.rules());
        let plan = plan(&policy("monthly = 3"), &backups, &Situation::at(backups.last().unwrap().created_at)).unwrap();
        dates_kept(&plan, zone.rules()).pop().unwrap()
    };
    assert_eq!(oldest(date(2026, 9, 20)), date(2026, 9, 10));
    assert_eq!(oldest(date(2026, 10, 31)), date(2026, 9, 10));
    assert_eq!(oldest(date(2026, 11, 1)), date(2026, 9, 30), "three months have taken the slots");
}

/// Returns what restic's rule keeps of `backups` for one tier: a walk from the newest to the oldest
/// that remembers the period it was in last, counts down, and takes the very last backup too if
/// anything is left to count.
fn walk(tier: Tier, mut left: u32, zone: &Zone, newest_first: &[Backup]) -> Vec<(String, Rule)> {
    let mut kept = Vec::new();
    let mut previous: Option<Period> = None;
    for (index, backup) in newest_first.iter().enumerate() {
        let period = tier.period(backup.created_at, zone.rules());
        if left == 0 {
            break;
        }
        if previous != Some(period) {
            kept.push((backup.id.clone(), Rule::Slot(period)));
            left -= 1;
        } else if index + 1 == newest_first.len() {
            kept.push((backup.id.clone(), Rule::Oldest(tier)));
        }
        previous = Some(period);
    }
    kept
}

proptest! {
    #[test]
    fn rules_match_simple_walk(
        policy in policies(),
        mut hours in prop::collection::vec(0i64..20_000, 0..60),
    ) {
        hours.sort_unstable_by(|a, b| b.cmp(a));
        hours.dedup();
        let start = date(2025, 1, 1).at(0, 30, 0, 0).in_tz("UTC").unwrap().timestamp();
        let backups: Vec<Backup> =
            hours.iter().map(|&hours| crate::backup(start + jiff::SignedDuration::from_hours(hours))).collect();
        let now = start + jiff::SignedDuration::from_hours(20_000);
        let plan = plan(&policy, &backups, &Situation::at(now)).unwrap();
        for tier in Tier::ALL {
            let found: Vec<(String, Rule)> = crate::properties::rules_of(&plan)
                .filter_map(|(id, reason)| match reason {
                    Reason::Rule(rule @ Rule::Slot(period)) if period.tier() == tier => Some((id, rule)),
                    Reason::Rule(rule @ Rule::Oldest(of)) if of == tier => Some((id, rule)),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(found, walk(tier, policy.slots(tier), policy.zone(), &backups));
        }
    }
}
