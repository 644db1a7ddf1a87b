//! The search for the next firing in a zone, where days have 23 hours or 25.

use jiff::{
    Span, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::Schedule;

impl Schedule {
    /// Returns the next firing of a schedule that gives hours. Each local time stands for one
    /// moment: the time itself, the first of two, or the end of the gap that it lies in. These
    /// moments rise as the local times do, so the first that is late enough is the next.
    pub(super) fn next_of_the_day(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = whole_minute(zone.to_datetime(after));
        loop {
            let local = self.calendar.first_from(from)?;
            let moment = moment_of(local, zone)?;
            if moment > after {
                return Some(moment);
            }
            from = local.checked_add(Span::new().minutes(1)).ok()?;
        }
    }

    /// Returns the next firing of a schedule that follows the clock. Examines one period after the
    /// other in which the offset from UTC is the same.
    pub(super) fn next_on_the_clock(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut start = after;
        loop {
            let offset = zone.to_offset(start);
            let end = zone.following(start).next().map(|transition| transition.timestamp());
            let mut from = whole_minute(offset.to_datetime(start));
            loop {
                let local = self.calendar.first_from(from)?;
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
}

fn whole_minute(local: DateTime) -> DateTime {
    local.date().at(local.hour(), local.minute(), 0, 0)
}

/// Returns the one moment that a local time stands for: see [`Schedule::next_of_the_day`].
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
