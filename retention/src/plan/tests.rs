use super::*;
use crate::{Age, Period, Tier};

fn backup(id: &str, created_at: &str) -> Backup {
    Backup::new(id, "production", created_at.parse().unwrap())
}

fn at(now: &str) -> Situation {
    Situation::at(now.parse().unwrap())
}

/// Returns the plan as `prune` would print it: one line for each backup.
fn table(plan: &Plan) -> Vec<String> {
    plan.decisions
        .iter()
        .map(|decision| match &decision.verdict {
            Verdict::Keep { reasons } => {
                let reasons: Vec<String> = reasons.iter().map(Reason::to_string).collect();
                format!("{}: {}", decision.id, reasons.join(", "))
            }
            Verdict::Remove => format!("{}: remove", decision.id),
        })
        .collect()
}

#[test]
fn every_reason_is_named() {
    let mut backups = vec![
        backup("future", "2026-12-24T02:00:00Z"),
        backup("f", "2026-11-21T02:00:00Z"),
        backup("e", "2026-11-20T14:00:00Z"),
        backup("d", "2026-11-20T02:00:00Z"),
        backup("c", "2026-11-19T02:00:00Z"),
        backup("b", "2026-11-18T02:00:00Z"),
        backup("a", "2026-11-17T02:00:00Z"),
    ];
    backups[5].pinned = true;
    backups[4].proven = true;
    backups[1].warned = true;
    let policy = Policy {
        keep_last: 1,
        keep_within: Some("10 hours".parse().unwrap()),
        hourly: 1,
        daily: 2,
        yearly: 2,
        ..Policy::empty()
    };
    let plan = plan(&policy, &backups, &at("2026-11-21T03:00:00Z")).unwrap();
    assert_eq!(
        table(&plan),
        [
            "future: dated in the future",
            "f: newest, last, within 10 hours, hourly 2026-11-21 02h+00, daily 2026-11-21",
            "e: daily 2026-11-20, yearly 2026, last among those without warnings, within 10 hours among those without \
             warnings, hourly 2026-11-20 14h+00 among those without warnings",
            "d: remove",
            "c: newest proven, daily 2026-11-19 among those without warnings",
            "b: pinned",
            "a: oldest, yearly slots left",
        ]
    );
    assert_eq!(plan.future, ["future"]);
    assert!(plan.holds.is_empty());
    assert_eq!(plan.removals().map(|decision| decision.id.as_str()).collect::<Vec<_>>(), ["d"]);
    assert_eq!(plan.kept().count(), 6);
}

#[test]
fn slot_goes_to_newest_without_warnings() {
    let mut backups = vec![
        backup("c", "2026-11-20T22:00:00Z"),
        backup("b", "2026-11-20T14:00:00Z"),
        backup("a", "2026-11-20T02:00:00Z"),
    ];
    backups[0].warned = true;
    let policy = Policy { daily: 1, ..Policy::empty() };
    let situation = at("2026-11-20T23:00:00Z");
    assert_eq!(
        table(&plan(&policy, &backups, &situation).unwrap()),
        ["c: newest", "b: daily 2026-11-20", "a: remove"],
        "the one with warnings stays because it is the newest, and for that alone"
    );

    backups.iter_mut().for_each(|backup| backup.warned = true);
    assert_eq!(
        table(&plan(&policy, &backups, &situation).unwrap()),
        ["c: newest, daily 2026-11-20", "b: remove", "a: remove"],
        "where all have warnings, the newest has the slot"
    );
}

#[test]
fn warned_backups_use_up_no_slots() {
    let mut backups: Vec<Backup> =
        (1..=9).map(|day| backup(&format!("{day}"), &format!("2026-11-{day:02}T02:00:00Z"))).collect();
    backups[4..].iter_mut().for_each(|backup| backup.warned = true);
    let plan = plan(&Policy { daily: 3, ..Policy::empty() }, &backups, &at("2026-11-09T03:00:00Z")).unwrap();
    let kept: Vec<&str> = plan.kept().map(|decision| decision.id.as_str()).collect();
    assert_eq!(kept, ["9", "8", "7", "4", "3", "2"], "three of either kind");
}

#[test]
fn newest_proven_stays_until_replaced() {
    let mut backups: Vec<Backup> =
        (1..=5).map(|day| backup(&format!("{day}"), &format!("2026-11-{day:02}T02:00:00Z"))).collect();
    let policy = Policy { keep_last: 1, ..Policy::empty() };
    let kept = |backups: &[Backup]| -> Vec<String> {
        plan(&policy, backups, &at("2026-11-05T03:00:00Z"))
            .unwrap()
            .kept()
            .map(|decision| decision.id.clone())
            .collect()
    };
    assert_eq!(kept(&backups), ["5"]);
    backups[0].proven = true;
    backups[1].proven = true;
    assert_eq!(kept(&backups), ["5", "2"]);
    backups[3].proven = true;
    assert_eq!(kept(&backups), ["5", "4"]);
}

#[test]
fn future_backup_takes_no_slot() {
    let mut backups = vec![
        backup("later", "2036-01-01T00:00:00Z"),
        backup("soon", "2026-11-21T03:00:00.000000001Z"),
        backup("now", "2026-11-21T03:00:00Z"),
        backup("proven", "2026-11-20T03:00:00Z"),
    ];
    backups[0].proven = true;
    backups[3].proven = true;
    let plan = plan(&Policy { keep_last: 1, ..Policy::empty() }, &backups, &at("2026-11-21T03:00:00Z")).unwrap();
    assert_eq!(
        table(&plan),
        ["later: dated in the future", "soon: dated in the future", "now: newest, last", "proven: newest proven"]
    );
    assert_eq!(plan.future, ["later", "soon"]);
}

#[test]
fn keep_within_counts_from_newest() {
    let backups = [
        backup("d", "2026-11-20T02:00:00Z"),
        backup("c", "2026-11-18T02:00:01Z"),
        backup("b", "2026-11-18T02:00:00Z"),
        backup("a", "2026-11-01T02:00:00Z"),
    ];
    let keep_within: Option<Age> = Some("2 days".parse().unwrap());
    let plan_at = |keep_within, now| plan(&Policy { keep_within, ..Policy::empty() }, &backups, &at(now)).unwrap();
    let expected = ["d: newest, within 2 days", "c: within 2 days", "b: remove", "a: remove"];
    assert_eq!(table(&plan_at(keep_within, "2026-11-20T03:00:00Z")), expected);
    assert_eq!(table(&plan_at(keep_within, "2031-11-20T03:00:00Z")), expected);
    assert_eq!(plan_at(Some("19000 years".parse().unwrap()), "2026-11-20T03:00:00Z").removals().count(), 0);
}

#[test]
fn simultaneous_backups_are_ordered_by_id() {
    let backups = ["a", "c", "b"].map(|id| backup(id, "2026-11-20T02:00:00Z"));
    let plan = plan(&Policy { keep_last: 2, ..Policy::empty() }, &backups, &at("2026-11-20T03:00:00Z")).unwrap();
    assert_eq!(table(&plan), ["c: newest, last", "b: last", "a: remove"]);
}

#[test]
fn repeated_hour_has_two_slots() {
    let backups = [
        backup("winter", "2026-10-25T01:15:00Z"),
        backup("summer", "2026-10-25T00:15:00Z"),
        backup("before", "2026-10-24T23:15:00Z"),
    ];
    let policy = Policy { hourly: 2, timezone: Some("Europe/Brussels".parse().unwrap()), ..Policy::empty() };
    let plan = plan(&policy, &backups, &at("2026-10-25T02:00:00Z")).unwrap();
    assert_eq!(
        table(&plan),
        ["winter: newest, hourly 2026-10-25 02h+01", "summer: hourly 2026-10-25 02h+02", "before: remove"]
    );
}

#[test]
fn interrupted_day_has_one_slot() {
    // See Period: the clock of St. John's went from 00:01 on Sunday back to 23:01 on Saturday.
    let backups = [
        backup("sunday", "2010-11-07T04:00:00Z"),
        backup("saturday", "2010-11-07T03:00:00Z"),
        backup("sunday's first minute", "2010-11-07T02:30:30Z"),
    ];
    let policy = Policy { daily: 3, timezone: Some("America/St_Johns".parse().unwrap()), ..Policy::empty() };
    let decisions = plan(&policy, &backups, &at("2010-11-07T05:00:00Z")).unwrap().decisions;
    let slot = |date: &str| Reason::Rule(Rule::Slot(Period::Day(date.parse().unwrap())));
    assert_eq!(decisions[0].verdict, Verdict::Keep { reasons: vec![Reason::Newest, slot("2010-11-07")] });
    assert_eq!(decisions[1].verdict, Verdict::Keep { reasons: vec![slot("2010-11-06")] });
    assert_eq!(decisions[2].verdict, Verdict::Keep { reasons: vec![Reason::Rule(Rule::Oldest(Tier::Daily))] });
}

#[test]
fn empty_list_gives_empty_plan() {
    let plan = plan(&Policy::default(), &[], &at("2026-11-21T03:00:00Z")).unwrap();
    assert_eq!(plan, Plan { decisions: vec![], holds: vec![], future: vec![] });
}

#[test]
fn impossible_list_is_refused() {
    let situation = at("2026-11-21T03:00:00Z");
    let twice = [backup("a", "2026-11-20T02:00:00Z"), backup("a", "2026-11-19T02:00:00Z")];
    let error = plan(&Policy::default(), &twice, &situation).unwrap_err();
    assert_eq!(error.to_string(), "unable to plan the retention of instance \"production\": backup a is listed twice");

    let mut mixed = twice;
    mixed[1].instance = "staging".to_owned();
    let error = plan(&Policy::default(), &mixed, &situation).unwrap_err();
    assert!(matches!(error, PlanError::SeveralInstances { .. }), "{error}");

    let error = plan(&Policy::empty(), &mixed[..1], &situation).unwrap_err();
    assert_eq!(error, PlanError::Policy(PolicyError::KeepsNothing));
    assert_eq!(error.hint(), PolicyError::KeepsNothing.hint());
}

#[test]
fn removed_backup_has_each_rules_reason() {
    let backups = [
        backup("e", "2026-11-21T02:00:00Z"),
        backup("d", "2026-11-20T14:00:00Z"),
        backup("c", "2026-11-20T02:00:00Z"),
        backup("b", "2026-11-19T02:00:00Z"),
        backup("a", "2026-10-31T02:00:00Z"),
    ];
    let policy = Policy {
        keep_last: 1,
        keep_within: Some("10 hours".parse().unwrap()),
        daily: 2,
        monthly: 1,
        ..Policy::empty()
    };
    let plan = plan(&policy, &backups, &at("2026-11-21T03:00:00Z")).unwrap();
    let misses: Vec<_> = plan
        .decisions
        .iter()
        .map(|decision| decision.misses.iter().map(Miss::to_string).collect::<Vec<_>>().join(", "))
        .collect();
    assert_eq!(
        misses,
        [
            "",
            "",
            "before the last 1, not within 10 hours, daily 2026-11-20 keeps d, monthly 2026-11 keeps e",
            "before the last 1, not within 10 hours, before the 2 daily, monthly 2026-11 keeps e",
            "before the last 1, not within 10 hours, before the 2 daily, before the 1 monthly",
        ]
    );
}

#[test]
fn backup_before_unread_chain_stays() {
    let last = Policy { keep_last: 1, ..Policy::empty() };
    let backups = ["c", "b", "a"].map(|id| backup(id, &format!("2026-11-1{}T02:00:00Z", id.as_bytes()[0] - b'a')));
    let situation = Situation { before_unread_chain: Some("b".into()), ..at("2026-11-13T02:00:00Z") };
    let expected = ["c: newest, last", "b: newest before the last full dump, which nothing has read back", "a: remove"];
    assert_eq!(table(&plan(&last, &backups, &situation).unwrap()), expected);
}
