mod against_a_walk;

use jiff::{SignedDuration, Timestamp, Zoned, civil::date, tz::TimeZone};

use super::*;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// The firings of `text` in `zone` after the local time `after`, against a table worked out by
/// hand. Times are local, with their offset where it tells two apart.
#[track_caller]
fn check(text: &str, zone: &str, after: &str, expected: &[&str]) {
    let zone = TimeZone::get(zone).unwrap();
    let after: Zoned = format!("{after}[{}]", zone.iana_name().unwrap()).parse().unwrap();
    let found: Vec<String> = schedule(text)
        .upcoming(after.timestamp(), &zone)
        .take(expected.len())
        .map(|moment| moment.to_zoned(zone.clone()).strftime("%a %F %H:%M%:z").to_string())
        .collect();
    let matches = found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected));
    assert!(matches && found.len() == expected.len(), "{text} fires at\n{found:#?}\nand not at\n{expected:#?}");
}

#[test]
fn nightly_schedule_fires_each_night() {
    check("30 2 * * *", "UTC", "2026-11-20T02:30:00", &["Sat 2026-11-21 02:30", "Sun 2026-11-22 02:30"]);
    check("30 2 * * *", "UTC", "2026-11-20T02:29:59.999", &["Fri 2026-11-20 02:30"]);
    check("59 23 31 12 *", "UTC", "2026-12-31T23:58:00", &["Thu 2026-12-31 23:59", "Fri 2027-12-31 23:59"]);
}

#[test]
fn names_mean_what_crontab_lists() {
    let after = "2026-11-21T10:15:00";
    check("@hourly", "UTC", after, &["Sat 2026-11-21 11:00", "Sat 2026-11-21 12:00"]);
    check("@daily", "UTC", after, &["Sun 2026-11-22 00:00", "Mon 2026-11-23 00:00"]);
    check("@midnight", "UTC", after, &["Sun 2026-11-22 00:00"]);
    check("@weekly", "UTC", after, &["Sun 2026-11-22 00:00", "Sun 2026-11-29 00:00"]);
    check("@monthly", "UTC", after, &["Tue 2026-12-01 00:00", "Fri 2027-01-01 00:00"]);
    check("@yearly", "UTC", after, &["Fri 2027-01-01 00:00", "Sat 2028-01-01 00:00"]);
    check("@annually", "UTC", after, &["Fri 2027-01-01 00:00"]);
}

#[test]
fn lists_ranges_steps_and_names() {
    check(
        "5,50 8-10/2,22 * * *",
        "UTC",
        "2026-11-21T09:00:00",
        &[
            "Sat 2026-11-21 10:05",
            "Sat 2026-11-21 10:50",
            "Sat 2026-11-21 22:05",
            "Sat 2026-11-21 22:50",
            "Sun 2026-11-22 08:05",
        ],
    );
    check("0 0 1 jan,JUL *", "UTC", "2026-11-21T00:00:00", &["Fri 2027-01-01", "Thu 2027-07-01", "Sat 2028-01-01"]);
    check("0 0 1 */5 *", "UTC", "2026-11-21T00:00:00", &["Fri 2027-01-01", "Tue 2027-06-01", "Mon 2027-11-01"]);
    check(
        "*/25 7 * * *",
        "UTC",
        "2026-11-21T07:00:00",
        &["Sat 2026-11-21 07:25", "Sat 2026-11-21 07:50", "Sun 2026-11-22 07:00"],
    );
}

#[test]
fn sunday_by_number_ends_range() {
    for text in ["0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * SUN", "0 9 * * 7,0", "0 9 * * sun-sun"] {
        check(text, "UTC", "2026-11-21T00:00:00", &["Sun 2026-11-22", "Sun 2026-11-29"]);
    }
    for text in ["0 9 * * 5-7", "0 9 * * fri-sun", "0 9 * * 0,5,6"] {
        check(
            text,
            "UTC",
            "2026-11-19T10:00:00",
            &["Fri 2026-11-20", "Sat 2026-11-21", "Sun 2026-11-22", "Fri 2026-11-27"],
        );
    }
    check(
        "0 9 * * sun-tue",
        "UTC",
        "2026-11-19T10:00:00",
        &["Sun 2026-11-22", "Mon 2026-11-23", "Tue 2026-11-24", "Sun"],
    );
    assert_eq!(schedule("0 0 * * 0-7").longest_interval(), SignedDuration::from_hours(24));
}

#[test]
fn either_restricted_day_fires() {
    let after = "2026-11-10T12:00:00";
    check(
        "0 2 13 * fri",
        "UTC",
        after,
        &["Fri 2026-11-13", "Fri 2026-11-20", "Fri 2026-11-27", "Fri 2026-12-04", "Fri 2026-12-11", "Sun 2026-12-13"],
    );
    check(
        "0 2 1 * 0",
        "UTC",
        "2026-11-21T12:00:00",
        &["Sun 2026-11-22", "Sun 2026-11-29", "Tue 2026-12-01", "Sun 2026-12-06"],
    );
    check(
        "0 2 30 2 mon",
        "UTC",
        after,
        &["Mon 2027-02-01", "Mon 2027-02-08", "Mon 2027-02-15", "Mon 2027-02-22", "Mon 2028-02-07"],
    );
}

#[test]
fn day_field_with_star_restricts_nothing() {
    check("0 2 * * 1", "UTC", "2026-11-21T12:00:00", &["Mon 2026-11-23", "Mon 2026-11-30"]);
    check("0 2 15 * *", "UTC", "2026-11-21T12:00:00", &["Tue 2026-12-15", "Fri 2027-01-15"]);
    // As in cron: of the days 1, 11, 21 and 31 those that are Mondays.
    check("0 2 */10 * 1", "UTC", "2026-11-21T12:00:00", &["Mon 2026-12-21", "Mon 2027-01-11", "Mon 2027-02-01"]);
}

#[test]
fn rare_dates_are_found() {
    check(
        "0 0 31 * *",
        "UTC",
        "2026-11-21T00:00:00",
        &["Thu 2026-12-31", "Sun 2027-01-31", "Wed 2027-03-31", "Mon 2027-05-31"],
    );
    check("0 0 29 2 *", "UTC", "2026-11-21T00:00:00", &["Tue 2028-02-29", "Sun 2032-02-29"]);
    check("0 * 29 2 */7", "Europe/Brussels", "2072-03-01T00:00:00", &["Sun 2088-02-29 00:00", "Sun 2088-02-29 01:00"]);
}

#[test]
fn skipped_times_fire_once_after_gap() {
    let brussels = |text, expected: &[&str]| check(text, "Europe/Brussels", "2026-03-28T20:00:00", expected);
    brussels("30 2 * * *", &["Sun 2026-03-29 03:00+02:00", "Mon 2026-03-30 02:30"]);
    brussels("0,15,30,45 2 * * *", &["Sun 2026-03-29 03:00", "Mon 2026-03-30 02:00", "Mon 2026-03-30 02:15"]);
    brussels("*/15 2 * * *", &["Sun 2026-03-29 03:00", "Mon 2026-03-30 02:00", "Mon 2026-03-30 02:15"]);
    brussels("0 2,3 * * *", &["Sun 2026-03-29 03:00", "Mon 2026-03-30 02:00"]);
    brussels("59 1 * * *", &["Sun 2026-03-29 01:59+01:00", "Mon 2026-03-30 01:59"]);
    check("30 2 * * *", "Europe/Brussels", "2026-03-29T03:00:00", &["Mon 2026-03-30 02:30"]);
    check(
        "30 2 * * *",
        "America/New_York",
        "2026-03-07T20:00:00",
        &["Sun 2026-03-08 03:00-04:00", "Mon 2026-03-09 02:30"],
    );
    check(
        "@daily",
        "America/Sao_Paulo",
        "2018-11-03T12:00:00",
        &["Sun 2018-11-04 01:00-02:00", "Mon 2018-11-05 00:00"],
    );
    check("@daily", "Asia/Beirut", "2026-03-28T12:00:00", &["Sun 2026-03-29 01:00+03:00", "Mon 2026-03-30 00:00"]);
    check(
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T12:00:00",
        &["Sun 2026-10-04 02:30+11:00", "Mon 2026-10-05 02:15"],
    );
    // Samoa went from 29 to 31 December: the noon between is made up for at the first moment of the
    // 31st.
    check(
        "0 12 * * *",
        "Pacific/Apia",
        "2011-12-29T00:00:00",
        &["Thu 2011-12-29 12:00-10:00", "Sat 2011-12-31 00:00+14:00", "Sat 2011-12-31 12:00"],
    );
}

#[test]
fn repeated_times_fire_once() {
    let brussels = |text, expected: &[&str]| check(text, "Europe/Brussels", "2026-10-24T20:00:00", expected);
    brussels("30 2 * * *", &["Sun 2026-10-25 02:30+02:00", "Mon 2026-10-26 02:30+01:00"]);
    brussels("*/30 2 * * *", &["Sun 2026-10-25 02:00+02:00", "Sun 2026-10-25 02:30+02:00", "Mon 2026-10-26 02:00"]);
    brussels("0 2,3 * * *", &["Sun 2026-10-25 02:00+02:00", "Sun 2026-10-25 03:00+01:00", "Mon 2026-10-26 02:00"]);
    check("30 2 * * *", "Europe/Brussels", "2026-10-25T02:10:00+01:00", &["Mon 2026-10-26 02:30"]);
    check(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00",
        &["Sun 2026-11-01 01:30-04:00", "Mon 2026-11-02 01:30-05:00"],
    );
    check(
        "30 23 * * *",
        "America/Sao_Paulo",
        "2018-02-17T12:00:00",
        &["Sat 2018-02-17 23:30-02:00", "Sun 2018-02-18 23:30-03:00"],
    );
    check(
        "@daily",
        "America/Sao_Paulo",
        "2018-02-17T12:00:00",
        &["Sun 2018-02-18 00:00-03:00", "Mon 2018-02-19 00:00"],
    );
    check(
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-04T12:00:00",
        &["Sun 2026-04-05 01:45+11:00", "Mon 2026-04-06 01:45+10:30"],
    );
}

#[test]
fn hourly_schedule_follows_clock() {
    check(
        "*/30 * * * *",
        "Europe/Brussels",
        "2026-03-29T01:00:00",
        &["Sun 2026-03-29 01:30+01:00", "Sun 2026-03-29 03:00+02:00", "Sun 2026-03-29 03:30"],
    );
    check(
        "*/30 * * * *",
        "Europe/Brussels",
        "2026-10-25T01:30:00",
        &[
            "Sun 2026-10-25 02:00+02:00",
            "Sun 2026-10-25 02:30+02:00",
            "Sun 2026-10-25 02:00+01:00",
            "Sun 2026-10-25 02:30+01:00",
            "Sun 2026-10-25 03:00+01:00",
        ],
    );
    check("0 */2 * * *", "Europe/Brussels", "2026-03-28T23:00:00", &["Sun 2026-03-29 00:00", "Sun 2026-03-29 04:00"]);
    check(
        "0 */2 * * *",
        "Europe/Brussels",
        "2026-10-24T23:00:00",
        &["Sun 2026-10-25 00:00", "Sun 2026-10-25 02:00+02:00", "Sun 2026-10-25 02:00+01:00", "Sun 2026-10-25 04:00"],
    );
    check(
        "10 * * * *",
        "Australia/Lord_Howe",
        "2026-10-04T01:00:00",
        &["Sun 2026-10-04 01:10+10:30", "Sun 2026-10-04 03:10+11:00"],
    );
}

#[test]
fn daily_schedule_fires_daily_in_zones() {
    let mut zones = 0;
    for name in jiff::tz::db().available() {
        let Ok(zone) = TimeZone::get(name.as_str()) else { continue };
        let midnight = |year| date(year, 1, 1).at(0, 0, 0, 0).to_zoned(zone.clone()).unwrap().timestamp();
        if zone.following(midnight(2026)).next().is_none_or(|transition| transition.timestamp() > midnight(2027)) {
            continue;
        }
        zones += 1;
        for text in ["30 2 * * *", "0 0 * * *"] {
            let schedule = schedule(text);
            let firings = schedule.upcoming(midnight(2026) - SignedDuration::from_secs(1), &zone);
            let in_2026 = firings.take_while(|moment| *moment < midnight(2027)).count();
            assert_eq!(in_2026, 365, "{text} in {}", name.as_str());
        }
    }
    assert!(zones > 100, "only {zones} zones change their clocks in 2026");
}

#[test]
fn longest_interval_is_known() {
    for (text, hours) in [
        ("* * * * *", 1.0 / 60.0),
        ("*/15 * * * *", 0.25),
        ("@hourly", 1.0),
        ("0 2 * * *", 24.0),
        ("0 2,14 * * *", 12.0),
        ("0 8-18 * * *", 14.0),
        ("30 2 * * 1-5", 72.0),
        ("0 8-18 * * mon-fri", 62.0),
        ("@weekly", 168.0),
        ("@monthly", 31.0 * 24.0),
        ("@yearly", 366.0 * 24.0),
        ("0 0 29 2 *", 1461.0 * 24.0),
    ] {
        assert_eq!(schedule(text).longest_interval().as_secs_f64() / 3600.0, hours, "{text}");
    }
}

#[test]
fn mistakes_name_their_field() {
    for (text, message) in [
        ("60 2 * * *", "minute: \"60\" is out of range"),
        ("0 24 * * *", "hour: \"24\" is out of range"),
        ("0 2 0 * *", "day of the month: \"0\" is out of range"),
        ("0 2 32 * *", "day of the month: \"32\" is out of range"),
        ("0 2 * 13 *", "month: \"13\" is out of range"),
        ("0 2 * * 8", "day of the week: \"8\" is out of range"),
        ("0 2 * 99999999999999999999999 *", "is out of range"),
        ("0 2 * * sunday", "day of the week: \"sunday\" is not a valid value"),
        ("0 jan * * *", "hour: \"jan\" is not a valid value"),
        ("0 2 * * 1,,2", "day of the week: \"\" is not a valid value"),
        ("0 -2 * * *", "hour: \"-2\" is not a valid value"),
        ("0 +2 * * *", "hour: \"+2\" is not a valid value"),
        ("0 2 ? * *", "day of the month: \"?\" is not a valid value"),
        ("0 2 L * *", "day of the month: \"L\" is not a valid value"),
        ("** 2 * * *", "minute: \"**\" is not a valid value"),
        ("0 18-8 * * *", "hour: \"18-8\" is a range that runs backwards"),
        ("0 2 * * sat-mon", "day of the week: \"sat-mon\" is a range that runs backwards"),
        ("5/15 * * * *", "minute: \"5/15\" has a step, but is a single value"),
        ("*/0 * * * *", "minute: \"*/0\" has a step that is not a number from 1"),
        ("*/90 * * * *", "minute: \"*/90\" has a step that is not a number from 1"),
        ("*/x * * * *", "minute: \"*/x\" has a step"),
        ("0 2 * *", "it has 4 fields, expected five"),
        ("0 0 2 * * *", "it has 6 fields, expected five"),
        ("0 0 2 * * * 2027", "it has 7 fields, expected five"),
        ("", "it has 0 fields, expected five"),
        ("@reboot", "the start of the machine is not a point in time"),
        ("@Reboot", "unknown name"),
        ("@Daily", "unknown name"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        assert!(!error.hint().is_empty());
    }
    assert!("0 24 * * *".parse::<Schedule>().unwrap_err().hint().starts_with("an hour is 0 to 23"));
}

#[test]
fn schedule_in_configuration_is_read() {
    let table: std::collections::BTreeMap<String, Schedule> = toml::from_str("schedule = \" 0 2\\t* * 1-5 \"").unwrap();
    assert_eq!(table["schedule"].to_string(), "0 2\t* * 1-5");
    assert_eq!(toml::to_string(&table).unwrap(), "schedule = \"0 2\\t* * 1-5\"\n");
    let error =
        toml::from_str::<std::collections::BTreeMap<String, Schedule>>("schedule = \"0 25 * * *\"").unwrap_err();
    assert!(error.to_string().contains("hour: \"25\" is out of range"), "{error}");
}

#[test]
fn search_ends_with_year_2100() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for text in ["@daily", "@hourly"] {
        let schedule = schedule(text);
        assert!(schedule.next_after(at("2100-12-30T12:00:00Z"), &TimeZone::UTC).is_some());
        assert_eq!(schedule.next_after(at("2100-12-31T23:30:00Z"), &TimeZone::UTC), None);
        assert_eq!(schedule.next_after(Timestamp::MAX, &TimeZone::UTC), None);
    }
    check("0 0 29 2 *", "UTC", "2093-01-01T00:00:00", &["Wed 2096-02-29"]);
    assert_eq!(schedule("0 0 29 2 *").next_after(at("2096-03-01T00:00:00Z"), &TimeZone::UTC), None);
}

#[test]
fn step_of_whole_field_fires_once() {
    check("*/60 2 * * *", "UTC", "2026-11-20T12:00:00", &["Sat 2026-11-21 02:00", "Sun 2026-11-22 02:00"]);
    check("0 */24 * * *", "UTC", "2026-11-20T12:00:00", &["Sat 2026-11-21 00:00", "Sun 2026-11-22 00:00"]);
    check("0 2 */31 */12 *", "UTC", "2026-11-20T12:00:00", &["Fri 2027-01-01 02:00", "Sat 2028-01-01 02:00"]);
}
