use super::*;

#[test]
fn default_is_that_of_odoo_sh() {
    let policy: Policy = toml::from_str("").unwrap();
    assert_eq!(policy, Policy::default());
    assert_eq!(policy.to_string(), "7 daily, 4 weekly, 3 monthly; days of UTC");
    assert_eq!(policy.sentence(), "Keeps 7 daily, 4 weekly, 3 monthly. Days begin in the zone UTC.");
    assert_eq!(policy.hold_if_shrunk.to_string(), "30 %");
}

#[test]
fn all_settings_can_be_configured() {
    let text = r#"
        keep_last = 3
        keep_within = "36 hours"
        hourly = 24
        daily = 14
        weekly = 8
        monthly = 12
        yearly = 10
        timezone = "Europe/Brussels"
        stop_if_stale = "3 days"
        hold_if_shrunk = "50%"
    "#;
    let policy: Policy = toml::from_str(text).unwrap();
    assert_eq!(
        policy.to_string(),
        "the last 3, all within 36 hours, 24 hourly, 14 daily, 8 weekly, 12 monthly, 10 yearly; days of Europe/Brussels"
    );
    assert_eq!(policy.stop_if_stale.unwrap().to_string(), "3 days");
    assert_eq!(policy.hold_if_shrunk, Percent::of(50));
    let written = toml::to_string(&policy).unwrap();
    assert_eq!(toml::from_str::<Policy>(&written).unwrap(), policy, "{written}");
}

#[test]
fn missing_settings_have_defaults() {
    let policy: Policy = toml::from_str("daily = 30\nhold_if_shrunk = 10").unwrap();
    assert_eq!(policy, Policy { daily: 30, hold_if_shrunk: Percent::of(10), ..Policy::default() });
}

#[test]
fn invalid_policy_is_refused() {
    for (text, message) in [
        ("daly = 7", "unknown field `daly`"),
        ("daily = -1", "-1"),
        ("timezone = \"Mars/Olympus\"", "unknown time zone \"Mars/Olympus\""),
        ("keep_within = \"a while\"", "unable to read \"a while\" as a length of time"),
        ("hold_if_shrunk = 101", "unable to read \"101\" as a percentage"),
        ("hold_if_shrunk = -1", "unable to read \"-1\" as a percentage"),
        ("hold_if_shrunk = 0.3", "a percentage, as in 30"),
    ] {
        let error = toml::from_str::<Policy>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn policy_that_keeps_nothing_is_refused() {
    let error = Policy::empty().validate().unwrap_err();
    assert_eq!(error, PolicyError::KeepsNothing);
    assert!(error.to_string().contains("keep nothing") && error.hint().contains("daily = 7"));

    assert!(Policy::default().validate().is_ok());
    for text in ["keep_last = 1", "hourly = 1", "weekly = 1", "yearly = 1", "keep_within = \"1 hour\""] {
        let policy: Policy = toml::from_str(&format!("daily = 0\nweekly = 0\nmonthly = 0\n{text}"))
            .or_else(|_| toml::from_str(&format!("daily = 0\nmonthly = 0\n{text}")))
            .unwrap();
        assert!(policy.validate().is_ok(), "{text}");
    }
}
