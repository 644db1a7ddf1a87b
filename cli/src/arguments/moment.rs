//! A moment as an argument: a day, or RFC 3339.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Reads a moment. A day such as `2026-12-24` means its end in the local time zone.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    moment_in(text, &TimeZone::system())
}

fn moment_in(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let expected = "a day such as 2026-12-24, or a time such as 2026-12-24T18:00:00Z, is required";
    if text.len() > "2026-12-24".len() {
        return text.parse().map_err(|_| expected.to_owned());
    }
    let end = text.parse::<Date>().and_then(|day| zone.to_timestamp(day.checked_add(1.day())?.at(0, 0, 0, 0)));
    end.map_err(|_| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_means_its_end() {
        let brussels = TimeZone::get("Europe/Brussels").unwrap();
        assert_eq!(moment_in("2026-12-24", &brussels).unwrap().to_string(), "2026-12-24T23:00:00Z");
        assert_eq!(moment_in("2026-06-30", &brussels).unwrap().to_string(), "2026-06-30T22:00:00Z");
    }

    #[test]
    fn time_has_offset() {
        assert_eq!(moment("2026-12-24T18:00:00+01:00").unwrap().to_string(), "2026-12-24T17:00:00Z");
        for wrong in ["", "tomorrow", "2026-13-01", "2026-12", "2026-12-24T18:00:00"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
