//! Retention as a whole, through its public interface: calendars to read, restic's examples, every
//! zone, and properties.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod calendar;
mod calendars;
mod history;
mod manual;
mod properties;
mod restic;
mod zones;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use retention::{Backup, Plan, Policy};

/// Returns a policy from lines of its configuration, with no rules but those.
fn policy(settings: &str) -> Policy {
    let given: toml::Table = toml::from_str(settings).unwrap();
    let mut table = toml::Table::try_from(Policy::empty()).unwrap();
    table.extend(given);
    table.try_into().unwrap()
}

/// Returns a backup at `time` (as in `02:00`) on `date` in `zone`, with an id as the repository
/// gives them.
fn backup_at(date: Date, time: &str, zone: &TimeZone) -> Backup {
    let created_at = zone.to_timestamp(date.to_datetime(time.parse().unwrap())).unwrap();
    backup(created_at)
}

fn backup(created_at: Timestamp) -> Backup {
    Backup::new(format!("{}-3f9c", created_at.strftime("%Y%m%dT%H%M%SZ")), "production", created_at)
}

/// Returns a backup at `time` on each day from `first` to `last`.
fn one_a_day(first: Date, last: Date, time: &str, zone: &TimeZone) -> Vec<Backup> {
    first
        .series(jiff::Span::new().days(1))
        .take_while(|date| *date <= last)
        .map(|date| backup_at(date, time, zone))
        .collect()
}

/// Returns the dates in `zone` of the backups that are kept, from the newest to the oldest.
fn dates_kept(plan: &Plan, zone: &TimeZone) -> Vec<Date> {
    plan.kept().map(|decision| zone.to_datetime(decision.created_at).date()).collect()
}
