use super::*;

fn age(text: &str) -> Age {
    text.parse().unwrap()
}

#[test]
fn ages_are_read_in_both_notations() {
    for (text, shown) in [
        ("14 days", "14 days"),
        ("14d", "14 days"),
        ("P14D", "14 days"),
        ("36h", "36 hours"),
        ("1 year 6 months", "1 year 6 months"),
        ("2w 3d", "2 weeks 3 days"),
    ] {
        assert_eq!(age(text).to_string(), shown);
        assert_eq!(age(&age(text).to_string()), age(text), "what is shown can be read again");
    }
    assert_ne!(age("1 day"), age("24 hours"));
}

#[test]
fn age_not_above_zero_is_refused() {
    for text in ["", "14", "0 days", "-3 days", "3 days ago", "two weeks", "14 dais"] {
        let error = text.parse::<Age>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        assert!(error.hint().contains("14 days"));
    }
    assert!(Age::try_from(SignedDuration::ZERO).is_err());
    assert!(Age::try_from(SignedDuration::from_secs(-1)).is_err());
    assert_eq!(Age::try_from(SignedDuration::from_hours(72)).unwrap().to_string(), "72 hours");
}

#[test]
fn days_of_age_are_calendar_days() {
    let brussels: Zone = "Europe/Brussels".parse().unwrap();
    let noon: Timestamp = "2026-10-25T12:00:00+01:00".parse().unwrap();
    let before = |text: &str| age(text).before(noon, brussels.rules()).unwrap().to_string();
    assert_eq!(before("1 day"), "2026-10-24T10:00:00Z", "noon of the day before, 25 hours ago");
    assert_eq!(before("24 hours"), "2026-10-24T11:00:00Z");
    assert_eq!(before("1 month"), "2026-09-25T10:00:00Z");
    assert_eq!(age("15000 years").before(noon, brussels.rules()), None);
}

#[test]
fn percentages_are_whole_up_to_hundred() {
    for text in ["0", "30", "30%", "30 %", "100%"] {
        assert!(text.parse::<Percent>().is_ok(), "{text}");
    }
    for text in ["", "%", "-1", "101", "30%%", "29.5", "a third", "99999999999999999999"] {
        let error = text.parse::<Percent>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn fall_is_measured_exactly() {
    let third: Percent = "30%".parse().unwrap();
    assert!(!third.exceeded_by_fall(1000, 700), "by 30 % and not more");
    assert!(third.exceeded_by_fall(1000, 699));
    assert!(!third.exceeded_by_fall(0, 0));
    assert!(!third.exceeded_by_fall(10, 20), "growth is no fall");
    assert!(third.exceeded_by_fall(u64::MAX, u64::MAX / 2));
    assert!(!Percent::of(100).exceeded_by_fall(u64::MAX, 0), "100 switches it off");
    assert!(Percent::of(0).exceeded_by_fall(u64::MAX, u64::MAX - 1));
}

#[test]
fn part_is_compared_exactly() {
    let third: Percent = "30%".parse().unwrap();
    assert!(third.is_undercut(299, 1000));
    assert!(!third.is_undercut(300, 1000), "as much is not less");
    assert!(!third.is_undercut(301, 1000));
    assert!(!third.is_undercut(0, 0));
    assert!(third.is_undercut(u64::MAX / 4, u64::MAX));
    assert!(!Percent::of(0).is_undercut(0, u64::MAX), "0 switches it off");
}

#[test]
fn zones_have_only_iana_names() {
    for name in ["Europe/Brussels", "UTC", "Australia/Lord_Howe", "US/Eastern"] {
        assert_eq!(name.parse::<Zone>().unwrap().to_string(), name);
    }
    for name in ["", "Europe/Bruxelles", "+02:00", "CET-1CEST,M3.5.0,M10.5.0/3", "../../etc/passwd"] {
        let error = name.parse::<Zone>().unwrap_err();
        assert_eq!(error.to_string(), format!("unknown time zone {name:?}"));
        assert!(error.hint().contains("Europe/Brussels"));
    }
}
