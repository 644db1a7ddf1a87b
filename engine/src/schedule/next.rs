//! The search for the next firing. First on the calendar, where all days have 24 hours; then in the zone, where they do
//! not.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime, date},
    tz::{AmbiguousOffset, TimeZone},
};

use super::Schedule;
use super::field::Values;

/// In any forty years, each date falls on each day of the week, 29 February too, across a year like 2100.
const LONGEST_SEARCH_IN_MONTHS: usize = 41 * 12;

impl Schedule {
    /// For schedules that give hours. Each local time stands for one moment: the time itself, the first of two, or the
    /// end of the gap that it lies in. These moments rise as the local times do, so the first that is late enough is
    /// the next.
    pub(super) fn next_of_the_day(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = whole_minute(zone.to_datetime(after));
        loop {
            let local = self.first_local(from)?;
            let moment = moment_of(local, zone)?;
            if moment > after {
                return Some(moment);
            }
            from = local.checked_add(Span::new().minutes(1)).ok()?;
        }
    }

    /// For schedules that run with the clock on the wall. Looks at one stretch of time after the other in which the
    /// offset from UTC is the same.
    pub(super) fn next_on_the_clock(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut start = after;
        loop {
            let offset = zone.to_offset(start);
            let end = zone.following(start).next().map(|transition| transition.timestamp());
            let mut from = whole_minute(offset.to_datetime(start));
            loop {
                let local = self.first_local(from)?;
                let moment = offset.to_timestamp(local).ok()?;
                if end.is_some_and(|end| moment >= end) {
                    break;
                }
                if moment > after && moment >= start {
                    return Some(moment);
                }
                from = local.checked_add(Span::new().minutes(1)).ok()?;
            }
            start = end?;
        }
    }

    /// Whether any date matches.
    pub(super) fn ever_fires(&self) -> bool {
        self.dates_from(date(2000, 1, 1)).next().is_some()
    }

    /// See [`Schedule::longest_interval`].
    pub(super) fn longest_gap(&self) -> SignedDuration {
        let times: Vec<i64> = self
            .hours
            .iter()
            .flat_map(|hour| self.minutes.iter().map(move |minute| i64::from(hour) * 60 + i64::from(minute)))
            .collect();
        let within_a_day = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let over_night = times.first().zip(times.last()).map_or(0, |(first, last)| first - last);
        let days = self.longest_pause_in_days();
        SignedDuration::from_mins(within_a_day.max(days * 24 * 60 + over_night))
    }

    /// The first local time from `from` on that matches.
    fn first_local(&self, from: DateTime) -> Option<DateTime> {
        self.dates_from(from.date()).find_map(|date| {
            let earliest = if date == from.date() { (from.hour(), from.minute()) } else { (0, 0) };
            let (hour, minute) = self.first_time(earliest)?;
            Some(date.at(hour, minute, 0, 0))
        })
    }

    /// The first hour and minute of a day, not before `earliest`, that match.
    fn first_time(&self, (earliest_hour, earliest_minute): (i8, i8)) -> Option<(i8, i8)> {
        let hour = self.hours.at_least(earliest_hour)?;
        let minute =
            if hour == earliest_hour { self.minutes.at_least(earliest_minute) } else { self.minutes.at_least(0) };
        match minute {
            Some(minute) => Some((hour, minute)),
            None => Some((self.hours.at_least(earliest_hour + 1)?, self.minutes.at_least(0)?)),
        }
    }

    /// The longest time from one date that matches to the next. Counts days and asks for no dates: there are thousands of them.
    fn longest_pause_in_days(&self) -> i64 {
        let (mut longest, mut last, mut before_month) = (0, None, 0);
        for month in months_from(date(2000, 1, 1)) {
            for day in self.days_in(month).iter() {
                let day = before_month + i64::from(day);
                longest = last.map_or(0, |last| day - last).max(longest);
                last = Some(day);
            }
            before_month += i64::from(month.days_in_month());
        }
        longest
    }

    /// The dates from `first` on that match, as far as one must look to know that there is none.
    fn dates_from(&self, first: Date) -> impl Iterator<Item = Date> {
        let dates_of = |month: Date| {
            let days = self.days_in(month).iter();
            days.filter_map(move |day| Date::new(month.year(), month.month(), day).ok())
        };
        months_from(first).flat_map(dates_of).skip_while(move |date| *date < first)
    }

    /// The days of a month that match.
    fn days_in(&self, month: Date) -> Values {
        if !self.months.contains(month.month()) {
            return Values::none();
        }
        let begins_on = month.first_of_month().weekday().to_sunday_zero_offset();
        let by_month = self.days_of_month.up_to(month.days_in_month());
        let by_week = self.days_of_week.through_a_month(begins_on).up_to(month.days_in_month());
        let either = !self.days_of_month.starts_with_star && !self.days_of_week.starts_with_star;
        if either { by_month.or(by_week) } else { by_month.and(by_week) }
    }
}

/// The month of `first` and those after it, as their first days, as far as one must look.
fn months_from(first: Date) -> impl Iterator<Item = Date> {
    first.first_of_month().series(Span::new().months(1)).take(LONGEST_SEARCH_IN_MONTHS + 1)
}

fn whole_minute(local: DateTime) -> DateTime {
    local.date().at(local.hour(), local.minute(), 0, 0)
}

/// The one moment that a local time stands for: see [`Schedule::next_of_the_day`].
fn moment_of(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { .. } => {
            // Read with the offset after the gap, the local time lies before it.
            let before_the_gap = ambiguous.earlier().ok()?;
            zone.following(before_the_gap).next().map(|transition| transition.timestamp())
        }
    }
}
