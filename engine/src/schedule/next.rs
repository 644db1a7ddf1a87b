//! The search for the next firing. First on the calendar, where all days have 24 hours; then in the zone, where they do
//! not.

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{Date, DateTime, date},
    tz::{AmbiguousOffset, TimeZone},
};

use super::Schedule;

/// In any forty years, each date falls on each day of the week, 29 February too, across a year like 2100.
const LONGEST_SEARCH_IN_DAYS: usize = 41 * 366;

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
        let dates: Vec<Date> = self.dates_from(date(2000, 1, 1)).collect();
        let days = dates.windows(2).map(|pair| (pair[1] - pair[0]).get_days()).max().unwrap_or(0);
        SignedDuration::from_mins(within_a_day.max(i64::from(days) * 24 * 60 + over_night))
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

    /// The dates from `first` on that match, as far as one must look to know that there is none.
    fn dates_from(&self, first: Date) -> impl Iterator<Item = Date> {
        first.series(Span::new().days(1)).take(LONGEST_SEARCH_IN_DAYS).filter(|date| self.matches_date(*date))
    }

    fn matches_date(&self, date: Date) -> bool {
        let by_month = self.days_of_month.contains(date.day());
        let by_week = self.days_of_week.contains(date.weekday().to_sunday_zero_offset());
        let either = !self.days_of_month.starts_with_star && !self.days_of_week.starts_with_star;
        self.months.contains(date.month()) && if either { by_month || by_week } else { by_month && by_week }
    }
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
