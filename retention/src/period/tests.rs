use jiff::{Timestamp, civil::Weekday};

use super::*;
use crate::Zone;

/// `zone`, then lines of a moment in UTC and what its hour, day, week and month are called.
#[track_caller]
fn check(zone: &str, table: &str) {
    let zone: Zone = zone.parse().unwrap();
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (moment, expected) = line.split_once(" | ").unwrap();
        let moment: Timestamp = moment.trim().parse().unwrap();
        let found: Vec<String> = [Tier::Hourly, Tier::Weekly, Tier::Monthly, Tier::Yearly]
            .iter()
            .map(|tier| tier.period(moment, zone.rules()).to_string())
            .collect();
        assert_eq!(found.join(" | "), expected, "{zone}, {moment}");
        assert!(found[0].starts_with(&Tier::Daily.period(moment, zone.rules()).to_string()));
    }
}

#[test]
fn repeated_hour_is_two_periods() {
    check(
        "Europe/Brussels",
        "2026-03-29T00:59:59Z | 2026-03-29 01h+01 | 2026-W13 | 2026-03 | 2026
         2026-03-29T01:00:00Z | 2026-03-29 03h+02 | 2026-W13 | 2026-03 | 2026
         2026-10-25T00:30:00Z | 2026-10-25 02h+02 | 2026-W43 | 2026-10 | 2026
         2026-10-25T01:30:00Z | 2026-10-25 02h+01 | 2026-W43 | 2026-10 | 2026
         2026-10-25T22:59:59Z | 2026-10-25 23h+01 | 2026-W43 | 2026-10 | 2026
         2026-10-25T23:00:00Z | 2026-10-26 00h+01 | 2026-W44 | 2026-10 | 2026",
    );
    check(
        "America/New_York",
        "2026-03-08T06:59:59Z | 2026-03-08 01h-05 | 2026-W10 | 2026-03 | 2026
         2026-03-08T07:00:00Z | 2026-03-08 03h-04 | 2026-W10 | 2026-03 | 2026
         2026-11-01T05:30:00Z | 2026-11-01 01h-04 | 2026-W44 | 2026-11 | 2026
         2026-11-01T06:30:00Z | 2026-11-01 01h-05 | 2026-W44 | 2026-11 | 2026",
    );
}

#[test]
fn half_hour_shift_splits_hour() {
    check(
        "Australia/Lord_Howe",
        "2026-04-04T14:29:59Z | 2026-04-05 01h+11 | 2026-W14 | 2026-04 | 2026
         2026-04-04T14:59:59Z | 2026-04-05 01h+11 | 2026-W14 | 2026-04 | 2026
         2026-04-04T15:00:00Z | 2026-04-05 01h+10:30 | 2026-W14 | 2026-04 | 2026
         2026-04-04T15:30:00Z | 2026-04-05 02h+10:30 | 2026-W14 | 2026-04 | 2026
         2026-10-03T15:29:59Z | 2026-10-04 01h+10:30 | 2026-W40 | 2026-10 | 2026
         2026-10-03T15:30:00Z | 2026-10-04 02h+11 | 2026-W40 | 2026-10 | 2026",
    );
}

#[test]
fn days_begin_right_at_midnight_shift() {
    // Forward at midnight: Sunday begins at one o'clock. Back at midnight: Saturday has its last
    // hour twice.
    check(
        "America/Sao_Paulo",
        "2018-11-04T02:59:59Z | 2018-11-03 23h-03 | 2018-W44 | 2018-11 | 2018
         2018-11-04T03:00:00Z | 2018-11-04 01h-02 | 2018-W44 | 2018-11 | 2018
         2018-02-18T01:30:00Z | 2018-02-17 23h-02 | 2018-W07 | 2018-02 | 2018
         2018-02-18T02:30:00Z | 2018-02-17 23h-03 | 2018-W07 | 2018-02 | 2018
         2018-02-18T03:00:00Z | 2018-02-18 00h-03 | 2018-W07 | 2018-02 | 2018",
    );
    check(
        "Asia/Beirut",
        "2026-03-28T21:59:59Z | 2026-03-28 23h+02 | 2026-W13 | 2026-03 | 2026
         2026-03-28T22:00:00Z | 2026-03-29 01h+03 | 2026-W13 | 2026-03 | 2026
         2026-10-24T20:30:00Z | 2026-10-24 23h+03 | 2026-W43 | 2026-10 | 2026
         2026-10-24T21:30:00Z | 2026-10-24 23h+02 | 2026-W43 | 2026-10 | 2026",
    );
    // Back at one minute past midnight: for a minute it is Sunday, then Saturday again.
    check(
        "America/St_Johns",
        "2010-11-07T02:29:59Z | 2010-11-06 23h-02:30 | 2010-W44 | 2010-11 | 2010
         2010-11-07T02:30:30Z | 2010-11-07 00h-02:30 | 2010-W44 | 2010-11 | 2010
         2010-11-07T02:31:00Z | 2010-11-06 23h-03:30 | 2010-W44 | 2010-11 | 2010
         2010-11-07T03:30:00Z | 2010-11-07 00h-03:30 | 2010-W44 | 2010-11 | 2010",
    );
}

#[test]
fn skipped_day_is_no_period() {
    check(
        "Pacific/Apia",
        "2011-12-30T09:59:59Z | 2011-12-29 23h-10 | 2011-W52 | 2011-12 | 2011
         2011-12-30T10:00:00Z | 2011-12-31 00h+14 | 2011-W52 | 2011-12 | 2011",
    );
}

#[test]
fn weeks_belong_to_thursdays_year() {
    check(
        "UTC",
        "2019-12-29T12:00:00Z | 2019-12-29 12h+00 | 2019-W52 | 2019-12 | 2019
         2019-12-30T12:00:00Z | 2019-12-30 12h+00 | 2020-W01 | 2019-12 | 2019
         2020-12-31T12:00:00Z | 2020-12-31 12h+00 | 2020-W53 | 2020-12 | 2020
         2021-01-03T12:00:00Z | 2021-01-03 12h+00 | 2020-W53 | 2021-01 | 2021
         2021-01-04T12:00:00Z | 2021-01-04 12h+00 | 2021-W01 | 2021-01 | 2021
         2026-12-27T12:00:00Z | 2026-12-27 12h+00 | 2026-W52 | 2026-12 | 2026
         2026-12-28T12:00:00Z | 2026-12-28 12h+00 | 2026-W53 | 2026-12 | 2026
         2027-01-03T12:00:00Z | 2027-01-03 12h+00 | 2026-W53 | 2027-01 | 2027
         2027-01-04T12:00:00Z | 2027-01-04 12h+00 | 2027-W01 | 2027-01 | 2027",
    );
}

#[test]
fn weeks_match_definition_for_centuries() {
    // ISO 8601: weeks begin on Monday, and week 1 is the one with the year's first Thursday. 400
    // years are the Gregorian cycle.
    let mut date = jiff::civil::date(1999, 12, 27);
    assert_eq!(date.weekday(), Weekday::Monday);
    let mut years_of_53 = 0;
    while date.year() < 2400 {
        let thursday = date.saturating_add(jiff::Span::new().days(3));
        let expected = Period::Week { year: thursday.year(), week: ((thursday.day_of_year() - 1) / 7 + 1) as i8 };
        years_of_53 += u32::from(matches!(expected, Period::Week { week: 53, .. }));
        for day in 0..7 {
            let noon = date.saturating_add(jiff::Span::new().days(day)).at(12, 0, 0, 0);
            let moment = Zone::utc().rules().to_timestamp(noon).unwrap();
            assert_eq!(Tier::Weekly.period(moment, Zone::utc().rules()), expected, "{noon}");
        }
        date = date.saturating_add(jiff::Span::new().days(7));
    }
    assert_eq!(years_of_53, 71, "the Gregorian cycle has 71 years of 53 weeks");
}

#[test]
fn each_period_names_its_tier() {
    for tier in Tier::ALL {
        assert_eq!(tier.period(Timestamp::UNIX_EPOCH, Zone::utc().rules()).tier(), tier);
    }
}
