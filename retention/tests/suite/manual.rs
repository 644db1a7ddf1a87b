//! The manual's page on retention shows what the code does.

use jiff::civil::{Date, date};
use retention::{Plan, Policy, Situation, Verdict, Zone, plan};

use crate::{calendar, one_a_day, policy};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/retention.md")).unwrap()
}

/// Returns the fenced block that follows `marker`.
#[track_caller]
fn block_after<'a>(page: &'a str, marker: &str) -> &'a str {
    let (_, after) = page.split_once(marker).unwrap_or_else(|| panic!("the page has no {marker:?}"));
    let (_, fenced) = after.split_once("```").unwrap();
    let (_, inside) = fenced.split_once('\n').unwrap();
    inside.split_once("```").unwrap().0.trim_end()
}

/// Returns the policy that the page begins with.
fn policy_of_the_page(page: &str) -> Policy {
    let whole: toml::Table = toml::from_str(block_after(page, "the numbers of Odoo.sh")).unwrap();
    whole["instance"]["production"]["retention"].clone().try_into().unwrap()
}

fn worked_plan(page: &str) -> (Plan, Zone) {
    let policy = policy_of_the_page(page);
    let zone = policy.zone().clone();
    let backups = one_a_day(date(2026, 9, 1), date(2026, 11, 21), "02:00", zone.rules());
    let plan = plan(&policy, &backups, &Situation::at(backups.last().unwrap().created_at)).unwrap();
    (plan, zone)
}

#[test]
fn policy_of_page_is_default() {
    let policy = policy_of_the_page(&page());
    assert_eq!(Policy { timezone: None, ..policy }, Policy::default());
}

#[test]
fn calendar_of_page_matches_plan() {
    let page = page();
    let (plan, zone) = worked_plan(&page);
    let drawn = calendar::draw(&plan, zone.rules());
    assert_eq!(block_after(&page, "a backup at 02:00 on each day"), drawn.trim_end(), "it draws as\n{drawn}");
}

#[test]
fn reasons_of_page_match_plan() {
    let page = page();
    let (plan, zone) = worked_plan(&page);
    let mut lines = Vec::new();
    for decision in plan.kept() {
        let Verdict::Keep { reasons } = &decision.verdict else { continue };
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        let local = zone.rules().to_datetime(decision.created_at);
        lines.push(format!("{}  keep: {}", local.strftime("%a %Y-%m-%d"), reasons.join(", ")));
    }
    assert_eq!(block_after(&page, "the reasons of the same plan"), lines.join("\n"), "they are\n{}", lines.join("\n"));
}

#[test]
fn calendar_of_warnings_matches_plan() {
    let zone = Zone::utc();
    let mut backups = one_a_day(date(2026, 11, 1), date(2026, 11, 21), "02:00", zone.rules());
    for backup in &mut backups {
        let day: Date = zone.rules().to_datetime(backup.created_at).date();
        backup.warned = day >= date(2026, 11, 14);
        backup.pinned = day == date(2026, 11, 3);
        backup.proven = day == date(2026, 11, 9);
    }
    let situation = Situation::at(backups.last().unwrap().created_at);
    let plan = plan(&policy("daily = 3\nweekly = 1"), &backups, &situation).unwrap();
    let drawn = calendar::draw(&plan, zone.rules());
    assert_eq!(block_after(&page(), "warnings from 2026-11-14 on"), drawn.trim_end(), "it draws as\n{drawn}");
}

#[test]
fn table_has_every_setting() {
    let page = page();
    let shown = |setting: &str| -> Option<&str> {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{setting}` |")))?;
        row.split('|').nth(2).map(str::trim)
    };
    let default = Policy::default();
    for (setting, value) in [
        ("keep_last", default.keep_last),
        ("hourly", default.hourly),
        ("daily", default.daily),
        ("weekly", default.weekly),
        ("monthly", default.monthly),
        ("yearly", default.yearly),
    ] {
        assert_eq!(shown(setting), Some(value.to_string().as_str()), "{setting}");
    }
    assert_eq!(
        shown("hold_if_shrunk").map(|text| text.trim_matches(['`', '"']).parse()),
        Some(Ok(default.hold_if_shrunk))
    );
    let all = policy("timezone = \"UTC\"\nkeep_within = \"1 day\"\nstop_if_stale = \"1 day\"");
    for setting in toml::Table::try_from(all).unwrap().keys() {
        assert!(shown(setting).is_some(), "{setting} has no row in the table");
    }
}
