//! Years of backups, pruned as they come.

use jiff::{
    Span, Timestamp,
    civil::{Date, Weekday, date},
};
use retention::{Backup, Policy, Situation, Zone, plan};

use crate::{backup_at, dates_kept, policy};

/// A backup every night, pruned at once. Calls `see` after each night with what is left, the newest
/// first.
fn nights(policy: &Policy, first: Date, last: Date, mut see: impl FnMut(Date, &[Date])) {
    let zone = policy.zone().rules();
    let mut left: Vec<Backup> = Vec::new();
    for night in first.series(Span::new().days(1)).take_while(|night| *night <= last) {
        left.push(backup_at(night, "02:30", zone));
        let now: Timestamp = left.last().unwrap().created_at;
        let plan = plan(policy, &left, &Situation::at(now)).unwrap();
        left.retain(|backup| plan.kept().any(|decision| decision.id == backup.id));
        see(night, &dates_kept(&plan, zone));
    }
}

/// Returns what the default policy means, said without reference to how it is done.
fn odoo_sh(night: Date, first: Date) -> Vec<Date> {
    let days = (0..7).map(|ago| night.saturating_sub(Span::new().days(ago)));
    let sunday_before = night.nth_weekday(-1, Weekday::Sunday).unwrap();
    let past_sundays = if night.weekday() == Weekday::Sunday { 4 } else { 3 };
    let weeks = (0..past_sundays).map(|ago| {
        let newest = if night.weekday() == Weekday::Sunday { night } else { sunday_before };
        newest.saturating_sub(Span::new().weeks(ago))
    });
    let months = (1..3).map(|ago| night.first_of_month().saturating_sub(Span::new().months(ago)).last_of_month());
    let mut dates: Vec<Date> = days.chain(weeks).chain(months).filter(|date| *date >= first).collect();
    dates.sort_unstable_by(|a, b| b.cmp(a));
    dates.dedup();
    dates
}

#[test]
fn default_policy_over_six_years() {
    // 2020 and 2026 have a week 53; every March and October has a night in which 02:30 is skipped
    // or comes twice.
    let policy = Policy { timezone: Some("Europe/Brussels".parse().unwrap()), ..Policy::default() };
    let first = date(2020, 11, 5);
    let full = date(2021, 1, 1);
    let mut most = 0;
    nights(&policy, first, date(2027, 1, 31), |night, left| {
        let mut expected = odoo_sh(night, first);
        if night < full && !expected.contains(&first) {
            expected.push(first);
        }
        assert_eq!(left, expected, "after the night of {night}");
        most = most.max(left.len());
    });
    assert_eq!(most, 12, "on a Sunday: 7 days, 3 more Sundays and the ends of 2 more months");
}

#[test]
fn yearly_slots_keep_last_nights() {
    let policy = policy("daily = 7\nweekly = 4\nmonthly = 12\nyearly = 10\ntimezone = \"America/New_York\"");
    let mut last = Vec::new();
    nights(&policy, date(2015, 3, 1), date(2026, 11, 21), |_, left| last = left.to_vec());
    let ends_of_years: Vec<Date> = last.iter().copied().filter(|date| date.month() == 12 && date.day() == 31).collect();
    assert_eq!(ends_of_years, (2017..=2025).rev().map(|year| date(year, 12, 31)).collect::<Vec<_>>());
    assert_eq!(*last.last().unwrap(), date(2017, 12, 31), "ten years, of which this is one");
}

#[test]
fn first_backup_stays_until_history_full() {
    let policy = policy("daily = 7\nyearly = 3");
    nights(&policy, date(2023, 5, 4), date(2026, 2, 1), |night, left| {
        let oldest = *left.last().unwrap();
        if night.year() < 2025 {
            assert_eq!(oldest, date(2023, 5, 4), "after the night of {night}");
        } else if night.year() == 2025 {
            assert_eq!(oldest, date(2023, 12, 31), "after the night of {night}");
        } else {
            assert_eq!(oldest, date(2024, 12, 31), "after the night of {night}");
        }
    });
}

#[test]
fn paused_schedule_costs_no_history() {
    let zone = Zone::utc();
    let policy = Policy::default();
    let mut backups: Vec<Backup> = Vec::new();
    nights(&policy, date(2025, 1, 1), date(2025, 9, 30), |_, left| {
        backups = left.iter().map(|&date| backup_at(date, "02:30", zone.rules())).collect();
    });
    let before = backups.len();
    backups.push(backup_at(date(2026, 9, 30), "02:30", zone.rules()));
    let plan = plan(&policy, &backups, &Situation::at(backups[before].created_at)).unwrap();
    let removed: Vec<Date> =
        plan.removals().map(|decision| zone.rules().to_datetime(decision.created_at).date()).collect();
    assert_eq!(
        removed,
        [date(2025, 9, 24), date(2025, 9, 14), date(2025, 7, 31)],
        "one of each tier has made room for the new"
    );
}
