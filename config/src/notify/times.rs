//! When a `[[notify]]` is quiet, and when it gets a digest.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::super::value::{Raw, Refusal, Value};

/// Hours in which notices wait, by the clocks of the notifier's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    start: Time,
    /// Before `start` where the hours go over midnight; never the same.
    end: Time,
}

impl Quiet {
    /// Returns when the quiet hours end that `now` is in; `None` outside them.
    pub fn end_of(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let time = now.to_zoned(zone.clone()).time();
        let is_quiet = match self.start < self.end {
            true => self.start <= time && time < self.end,
            false => self.start <= time || time < self.end,
        };
        is_quiet.then(|| Daily(self.end).after(now, zone))
    }
}

impl Value for Quiet {
    const EXPECTED: &'static str = "hours in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let read = text.split_once('-').and_then(|(start, end)| Some((time(start.trim())?, time(end.trim())?)));
        match read {
            Some((start, end)) if start == end => Err("the hours begin and end at the same time".into()),
            Some((start, end)) => Ok(Self { start, end }),
            None => Err(format!("expected hours such as \"22:00-07:00\", found {text:?}").into()),
        }
    }
}

/// A time of day, by the clocks of the notifier's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily(Time);

impl Daily {
    /// Returns the first moment after `now` at which clocks show it.
    pub fn after(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        self.around(now, zone).into_iter().find(|moment| *moment > now).unwrap_or(Timestamp::MAX)
    }

    /// Returns the last moment until `now` at which clocks showed it.
    pub fn until(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        self.around(now, zone).into_iter().rfind(|moment| *moment <= now).unwrap_or(Timestamp::MIN)
    }

    /// Returns the moments of the days around `now`, oldest first. One that clocks skip is as much
    /// later.
    fn around(self, now: Timestamp, zone: &TimeZone) -> Vec<Timestamp> {
        let yesterday = now.to_zoned(zone.clone()).date().yesterday();
        let days = yesterday.map(|first| first.series(jiff::Span::new().days(1)).take(4).collect::<Vec<_>>());
        let days = days.unwrap_or_default().into_iter();
        days.filter_map(|day| Some(day.to_datetime(self.0).to_zoned(zone.clone()).ok()?.timestamp())).collect()
    }
}

impl Value for Daily {
    const EXPECTED: &'static str = "a time of day in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        time(&text).map(Self).ok_or_else(|| format!("expected a time such as \"08:00\", found {text:?}").into())
    }
}

/// Reads hours and minutes.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let figures = |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok());
    Time::new(figures(hour)??, figures(minute)??, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(start: &str, end: &str) -> Quiet {
        Quiet { start: time(start).unwrap(), end: time(end).unwrap() }
    }

    fn end(quiet: Quiet, now: &str) -> Option<String> {
        let zurich = TimeZone::get("Europe/Zurich").unwrap();
        quiet.end_of(now.parse().unwrap(), &zurich).map(|end| end.to_string())
    }

    #[test]
    fn quiet_hours_go_over_midnight() {
        let night = quiet("22:00", "07:00");
        assert_eq!(end(night, "2026-12-01T20:59:59Z"), None);
        assert_eq!(end(night, "2026-12-01T21:00:00Z").unwrap(), "2026-12-02T06:00:00Z");
        assert_eq!(end(night, "2026-12-02T05:59:59Z").unwrap(), "2026-12-02T06:00:00Z");
        assert_eq!(end(night, "2026-12-02T06:00:00Z"), None);
    }

    #[test]
    fn quiet_hours_follow_changed_clocks() {
        let lunch = quiet("01:00", "02:30");
        assert_eq!(end(lunch, "2026-03-29T00:30:00Z").unwrap(), "2026-03-29T01:30:00Z", "02:30 is skipped: 03:30");
        assert_eq!(end(lunch, "2026-03-29T01:00:00Z"), None, "03:00");
        assert_eq!(end(quiet("22:00", "07:00"), "2026-10-25T00:00:00Z").unwrap(), "2026-10-25T06:00:00Z");
    }

    #[test]
    fn daily_moments_surround_now() {
        let (eight, zone) = (Daily(time("08:00").unwrap()), TimeZone::UTC);
        let now: Timestamp = "2026-12-01T08:00:00Z".parse().unwrap();
        assert_eq!(eight.until(now, &zone), now);
        assert_eq!(eight.after(now, &zone).to_string(), "2026-12-02T08:00:00Z");
        let before = now - jiff::SignedDuration::from_secs(1);
        assert_eq!(eight.until(before, &zone).to_string(), "2026-11-30T08:00:00Z");
        assert_eq!(eight.after(before, &zone), now);
    }

    #[test]
    fn only_hours_and_minutes_are_times() {
        for text in ["24:00", "8:00", "08:60", "08", "0800", "+8:00", "08:0x"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
