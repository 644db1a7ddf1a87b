//! The days and times of a schedule on the calendar, where all days have 24 hours: what the `cron`
//! crate is asked.
//!
//! A local time goes there as if it were UTC, so that no time is skipped or comes twice. chrono's
//! types, in which it answers, stay here.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use cron::TimeUnitSpec;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

/// In any forty years, each date falls on each day of the week, 29 February too.
const FORTY_YEARS: (civil::Date, civil::Date) = (civil::date(2000, 1, 1), civil::date(2041, 2, 1));
const MINUTES_OF_A_DAY: i64 = 24 * 60;

/// When a schedule fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    /// Two where both day fields are restricted, of which either fires: `cron` joins the fields by
    /// *and*.
    either: Vec<cron::Schedule>,
}

impl Calendar {
    /// Makes one of the fields as `cron` writes them; `None` where it does not understand them.
    pub(super) fn new(fields: [&str; 5], both_days_restrict: bool) -> Option<Self> {
        let [minute, hour, day_of_month, month, day_of_week] = fields;
        let days = match both_days_restrict {
            true => vec![(day_of_month, "*"), ("*", day_of_week)],
            false => vec![(day_of_month, day_of_week)],
        };
        let either = days.into_iter().map(|(of_month, of_week)| {
            // Its first field are seconds.
            format!("0 {minute} {hour} {of_month} {month} {of_week}").parse().ok()
        });
        Some(Self { either: either.collect::<Option<_>>()? })
    }

    /// Returns the first local time from `from` on, which is a whole minute. `None` where there is
    /// none before 2101, at which `cron` ends.
    pub(super) fn first_from(&self, from: civil::DateTime) -> Option<civil::DateTime> {
        let before = as_if_utc(from)? - TimeDelta::seconds(1);
        let next = self.either.iter().filter_map(|schedule| schedule.after(&before).next()).min()?;
        Some(TimeZone::UTC.to_datetime(Timestamp::from_second(next.timestamp()).ok()?))
    }

    /// Returns whether any date matches.
    pub(super) fn ever_fires(&self) -> bool {
        self.first_from(FORTY_YEARS.0.at(0, 0, 0, 0)).is_some()
    }

    /// Returns the longest time between two local times that match.
    pub(super) fn longest_gap(&self) -> SignedDuration {
        let Some(schedule) = self.either.first() else { return SignedDuration::ZERO };
        let times: Vec<i64> = schedule
            .hours()
            .iter()
            .flat_map(|hour| schedule.minutes().iter().map(move |minute| i64::from(hour) * 60 + i64::from(minute)))
            .collect();
        let within_a_day = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let over_night = times.first().zip(times.last()).map_or(0, |(first, last)| first - last);
        let days = self.longest_pause_in_days();
        SignedDuration::from_mins(within_a_day.max(days * MINUTES_OF_A_DAY + over_night))
    }

    /// Returns the longest time from one date that matches to the next.
    fn longest_pause_in_days(&self) -> i64 {
        let (start, end) = FORTY_YEARS;
        // Where only days of the week are given, two weeks show all.
        let is_weekly = |schedule: &cron::Schedule| schedule.days_of_month().is_all() && schedule.months().is_all();
        let days = if self.either.iter().all(is_weekly) { 14 } else { i64::from((end - start).get_days()) };
        let Some(midnight) = as_if_utc(start.at(0, 0, 0, 0)) else { return 0 };
        let (mut longest, mut last) = (0, None);
        for day in 0..days {
            if self.has_day(midnight + TimeDelta::days(day)) {
                longest = last.map_or(0, |last| day - last).max(longest);
                last = Some(day);
            }
        }
        longest
    }

    fn has_day(&self, day: DateTime<Utc>) -> bool {
        self.either.iter().any(|schedule| {
            schedule.months().includes(day.month())
                && schedule.days_of_month().includes(day.day())
                && schedule.days_of_week().includes(day.weekday().number_from_sunday())
        })
    }
}

fn as_if_utc(local: civil::DateTime) -> Option<DateTime<Utc>> {
    let moment = TimeZone::UTC.to_timestamp(local).ok()?;
    DateTime::from_timestamp(moment.as_second(), 0)
}
