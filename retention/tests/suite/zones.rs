//! Every zone of the IANA database that has changed its clocks since 2010, around each of those
//! changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    SignedDuration, Timestamp,
    tz::{Offset, TimeZone, TimeZoneDatabase},
};
use retention::{Backup, Period, Policy, Situation, Tier, Zone, plan};

/// Returns the zones whose clocks change from 2010 to 2030, with the moments at which they do and
/// the offset before.
fn zones_that_change() -> Vec<(Zone, Vec<(Timestamp, Offset)>)> {
    let start: Timestamp = "2010-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let mut zones = Vec::new();
    for name in TimeZoneDatabase::bundled().available() {
        let Ok(zone) = name.as_str().parse::<Zone>() else { continue };
        let mut changes = Vec::new();
        let mut offset = zone.rules().to_offset(start);
        for transition in zone.rules().following(start).take_while(|transition| transition.timestamp() < end) {
            if transition.offset() != offset {
                changes.push((transition.timestamp(), offset));
            }
            offset = transition.offset();
        }
        if !changes.is_empty() {
            zones.push((zone, changes));
        }
    }
    zones
}

/// Returns the half-hours from two days before to two days after.
fn half_hours_around(change: Timestamp) -> impl Iterator<Item = Timestamp> {
    (-96..96).map(move |halves| change + SignedDuration::from_mins(30 * halves))
}

#[test]
fn zones_are_found() {
    let zones = zones_that_change();
    assert!(zones.len() > 200, "{}", zones.len());
    for name in ["Europe/Brussels", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca"] {
        assert!(zones.iter().any(|(zone, _)| zone.to_string() == name), "{name}");
    }
}

/// Reckoned here from the offsets alone: how long each day lasts, and how many hours it has.
#[test]
fn days_and_hours_match_clock() {
    for (zone, changes) in zones_that_change() {
        for (change, before) in changes {
            let mut hours_of_day: BTreeMap<Period, Vec<Period>> = BTreeMap::new();
            for moment in half_hours_around(change) {
                let offset = if moment < change { before } else { zone.rules().to_offset(moment) };
                let local = offset.to_datetime(moment);
                let [hour, day, week, month, year] = Tier::ALL.map(|tier| tier.period(moment, zone.rules()));
                assert_eq!(day, Period::Day(local.date()), "{zone}, {moment}");
                assert_eq!(hour, Period::Hour { date: local.date(), hour: local.hour(), offset }, "{zone}, {moment}");
                assert_eq!(month, Period::Month { year: local.year(), month: local.month() });
                assert_eq!(year, Period::Year(local.year()));
                assert_eq!(week.tier(), Tier::Weekly);
                let hours = hours_of_day.entry(day).or_default();
                if hours.last() != Some(&hour) {
                    assert!(!hours.contains(&hour), "{zone}, {moment}: an hour is one stretch of time");
                    hours.push(hour);
                }
            }
            check_lengths(&zone, change, before, &hours_of_day);
        }
    }
}

/// The day of the change has as many hours as its length, and its neighbours have 24.
#[track_caller]
fn check_lengths(zone: &Zone, change: Timestamp, before: Offset, hours_of_day: &BTreeMap<Period, Vec<Period>>) {
    let shift = zone.rules().to_offset(change).seconds() - before.seconds();
    let whole_hours = shift % 3600 == 0 && before.to_datetime(change).minute() == 0;
    if !whole_hours || shift.abs() > 7200 {
        return;
    }
    let counts: Vec<usize> = hours_of_day.values().map(Vec::len).collect();
    let inner: Vec<usize> = counts[1..counts.len() - 1].to_vec();
    let expected = (24 - shift / 3600) as usize;
    assert!(inner.contains(&expected), "{zone}, {change}: {inner:?} has no day of {expected} hours");
    assert!(inner.iter().filter(|&&count| count != 24).count() <= 1, "{zone}, {change}: {inner:?}");
}

/// Found here by writing each backup over the one before it of the same period.
#[test]
fn last_of_day_and_hour_wins() {
    for (zone, changes) in zones_that_change() {
        for (change, _) in changes.into_iter().take(4) {
            let backups: Vec<Backup> = half_hours_around(change).map(crate::backup).collect();
            for (tier, policy) in [
                (Tier::Daily, Policy { daily: 99, ..Policy::empty() }),
                (Tier::Hourly, Policy { hourly: 999, ..Policy::empty() }),
            ] {
                let policy = Policy { timezone: Some(zone.clone()), ..policy };
                let last_of: BTreeMap<Period, Timestamp> = backups
                    .iter()
                    .map(|backup| (tier.period(backup.created_at, zone.rules()), backup.created_at))
                    .collect();
                let mut expected: BTreeSet<Timestamp> = last_of.into_values().collect();
                // The oldest stays as well, since there are slots left.
                expected.insert(backups[0].created_at);
                let plan = plan(&policy, &backups, &Situation::at(backups.last().unwrap().created_at)).unwrap();
                let kept: BTreeSet<Timestamp> = plan.kept().map(|decision| decision.created_at).collect();
                assert_eq!(kept, expected, "{zone}, {change}, {tier}");
            }
        }
    }
}

#[test]
fn change_of_clock_is_seen() {
    // So that the checks above cannot pass because no zone ever changed.
    let brussels: TimeZone = TimeZone::get("Europe/Brussels").unwrap();
    let change = brussels.following("2026-06-01T00:00:00Z".parse::<Timestamp>().unwrap()).next().unwrap();
    assert_eq!(change.timestamp().to_string(), "2026-10-25T01:00:00Z");
}
