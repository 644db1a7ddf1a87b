//! Schedules against a second reading of the rules that is as plain as can be: a walk through every
//! minute, in which each looks at the clock and at the latest local time it has seen before, like
//! the loop of cron itself.

use std::ops::RangeInclusive;

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{DateTime, date},
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::prelude::*;

use super::*;

/// A field as it is written, and what it stands for, made together and not one from the other.
#[derive(Clone, Debug)]
struct Written {
    text: String,
    values: Vec<i8>,
}

fn written(bounds: RangeInclusive<i8>) -> impl Strategy<Value = Written> {
    let (low, high) = (*bounds.start(), *bounds.end());
    let star = Just(Written { text: "*".to_owned(), values: (low..=high).collect() });
    let star_step = (1..=high).prop_map(move |step| Written {
        text: format!("*/{step}"),
        values: (low..=high).filter(|value| (value - low) % step == 0).collect(),
    });
    let single = (low..=high).prop_map(|value| Written { text: value.to_string(), values: vec![value] });
    let range = (low..=high, low..=high, 1..=high).prop_map(|(a, b, step)| {
        let (first, last) = (a.min(b), a.max(b));
        let values = (first..=last).filter(|value| (value - first) % step == 0).collect();
        let text = if step == 1 { format!("{first}-{last}") } else { format!("{first}-{last}/{step}") };
        Written { text, values }
    });
    let part = prop_oneof![single, range];
    let list = prop::collection::vec(part, 1..4).prop_map(|parts| Written {
        text: parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(","),
        values: parts.into_iter().flat_map(|part| part.values).collect(),
    });
    prop_oneof![2 => star, 1 => star_step, 4 => list]
}

#[derive(Clone)]
struct Fields([Written; 5]);

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

fn fields() -> impl Strategy<Value = Fields> {
    // Months and days are mostly free, or else nothing fires within the few days that are walked.
    let free = || Just(Written { text: "*".to_owned(), values: (0..=31).collect() });
    let day = prop_oneof![2 => free(), 1 => written(1..=31)];
    let month = prop_oneof![9 => free(), 1 => written(1..=12)];
    let weekday = prop_oneof![2 => free(), 1 => written(0..=7)];
    (written(0..=59), written(0..=23), day, month, weekday)
        .prop_map(|(minute, hour, day, month, weekday)| Fields([minute, hour, day, month, weekday]))
}

impl Fields {
    fn text(&self) -> String {
        self.0.each_ref().map(|field| field.text.as_str()).join(" ")
    }

    fn match_local(&self, local: DateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.0;
        let by_month = day.values.contains(&local.day());
        let name = local.weekday();
        let by_week = weekday.values.contains(&name.to_sunday_zero_offset())
            || (name == jiff::civil::Weekday::Sunday && weekday.values.contains(&7));
        let free = day.text.starts_with('*') || weekday.text.starts_with('*');
        let on_day = if free { by_month && by_week } else { by_month || by_week };
        minute.values.contains(&local.minute())
            && hour.values.contains(&local.hour())
            && month.values.contains(&local.month())
            && on_day
    }

    /// Returns the firings after `start` up to `end`, both whole minutes.
    fn walk(&self, start: Timestamp, end: Timestamp, zone: &TimeZone) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        let follows_clock = self.0[1].text.starts_with('*');
        // Begin a day early, so that what the clock has shown before `start` is known there.
        let mut moment = start - SignedDuration::from_hours(26);
        let mut latest = zone.to_datetime(moment);
        let mut firings = Vec::new();
        while moment < end {
            moment += minute;
            let local = zone.to_datetime(moment);
            let fires = if follows_clock {
                self.match_local(local)
            } else {
                let missed = latest.series(Span::new().minutes(1)).skip(1).take_while(|missed| *missed <= local);
                missed.into_iter().any(|missed| self.match_local(missed))
            };
            latest = latest.max(local);
            if fires && moment > start {
                firings.push(moment);
            }
        }
        firings
    }
}

/// A zone whose clocks have changed since 2010, and a moment within two days of one of these
/// changes.
fn places() -> impl Strategy<Value = (TimeZone, Timestamp)> {
    let since: Timestamp = "2010-01-01T00:00:00Z".parse().unwrap();
    let zones: Vec<TimeZone> = TimeZoneDatabase::from_env()
        .available()
        .filter_map(|name| TimeZone::get(name.as_str()).ok())
        .filter(|zone| zone.following(since).next().is_some())
        .collect();
    let change = (prop::sample::select(zones), 0usize..40);
    (change, -50i64 * 60..50 * 60).prop_filter_map("so many changes", move |((zone, change), minutes)| {
        let around = zone.following(since).nth(change)?.timestamp() + SignedDuration::from_mins(minutes);
        Some((zone, around.round(jiff::Unit::Minute).ok()?))
    })
}

proptest! {
    #[test]
    fn next_firings_match_walk(fields in fields(), (zone, start) in places()) {
        let end = start + SignedDuration::from_hours(72);
        let Ok(schedule) = fields.text().parse::<Schedule>() else {
            // Such as 31 February.
            let never = matches!(fields.text().parse::<Schedule>(), Err(ScheduleError::Never { .. }));
            prop_assert!(never, "{}", fields.text());
            return Ok(());
        };
        let found: Vec<Timestamp> = schedule.upcoming(start, &zone).take_while(|moment| *moment <= end).collect();
        let walked = fields.walk(start, end, &zone);
        prop_assert_eq!(&found, &walked, "{} in {} after {}", fields.text(), zone.iana_name().unwrap_or("?"), start);
        // From any moment between, the same.
        for pair in walked.windows(2) {
            prop_assert_eq!(schedule.next_after(pair[1] - SignedDuration::from_nanos(1), &zone), Some(pair[1]));
            prop_assert_eq!(schedule.next_after(pair[0] + SignedDuration::from_nanos(1), &zone), Some(pair[1]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On days only: the times of a day are in the tests above.
    #[test]
    fn longest_interval_matches_forty_year_walk(
        day in written(1..=31), month in written(1..=12), weekday in written(0..=7),
    ) {
        let once = |value: i8| Written { text: value.to_string(), values: vec![value] };
        let fields = Fields([once(0), once(0), day, month, weekday]);
        let Ok(schedule) = fields.text().parse::<Schedule>() else { return Ok(()) };
        let days = date(2000, 1, 1).series(Span::new().days(1)).take_while(|day| *day < date(2041, 2, 1));
        let (mut longest, mut last) = (0, None);
        for (number, _) in days.enumerate().filter(|(_, day)| fields.match_local(day.at(0, 0, 0, 0))) {
            longest = longest.max(last.map_or(0, |last| number - last));
            last = Some(number);
        }
        prop_assert_eq!(schedule.longest_interval().as_hours(), longest as i64 * 24, "{}", fields.text());
    }

    #[test]
    fn firings_keep_longest_interval(fields in fields()) {
        let Ok(schedule) = fields.text().parse::<Schedule>() else { return Ok(()) };
        let start: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        let firings: Vec<Timestamp> = schedule.upcoming(start, &TimeZone::UTC).take(200).collect();
        let longest = firings.windows(2).map(|pair| pair[1].duration_since(pair[0])).max();
        prop_assert!(longest.is_none_or(|longest| longest <= schedule.longest_interval()));
    }
}
