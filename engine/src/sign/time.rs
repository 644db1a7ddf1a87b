//! Times as ssh-keygen(1) writes them in `valid-after` and `valid-before`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Parses `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`. With `Z` or `UTC` at its end the time is
/// in UTC, else in `zone`, which for ssh-keygen is that of the machine.
///
/// Returns `None` where that is no moment since 1970. Of a time that a change of the clocks
/// repeats, it is the earlier one.
pub(super) fn parse_time(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let end = |end: &str| {
        let start = text.len().checked_sub(end.len()).filter(|start| *start > 0)?;
        text.get(start..).filter(|found| found.eq_ignore_ascii_case(end)).and_then(|_| text.get(..start))
    };
    let (digits, zone) = match end("Z").or_else(|| end("UTC")) {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (text, zone),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return None;
    }
    let padded = format!("{digits:0<14}");
    let moment = DateTime::strptime("%Y%m%d%H%M%S", padded).ok()?.to_zoned(zone.clone()).ok()?.timestamp();
    (moment > Timestamp::UNIX_EPOCH).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_ssh_does() {
        let vienna = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, expected) in [
            ("20261121", "2026-11-20T23:00:00Z"),
            ("20261121Z", "2026-11-21T00:00:00Z"),
            ("202611210203", "2026-11-21T01:03:00Z"),
            ("20261121020304", "2026-11-21T01:03:04Z"),
            ("20261121020304Z", "2026-11-21T02:03:04Z"),
            ("20261121020304utc", "2026-11-21T02:03:04Z"),
            ("20260701", "2026-06-30T22:00:00Z"),
        ] {
            assert_eq!(parse_time(text, &vienna).map(|moment| moment.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "Z",
            "UTC",
            "2026",
            "2026-11-21",
            "20261321",
            "20261131",
            "2026112102",
            "202611212403",
            "20261121020361",
            "20261121T020304Z",
            "+20261121",
            "20261121 ",
            "19600101",
            "19700101Z",
            "2026112１",
            "always",
        ] {
            assert_eq!(parse_time(text, &TimeZone::UTC), None, "{text}");
        }
    }
}
