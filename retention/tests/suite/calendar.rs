//! Draws a plan as a calendar: a grid for each month, and in each day what its backups are kept
//! for.

use std::collections::BTreeMap;

use jiff::{Span, civil::Date, tz::TimeZone};
use retention::{Plan, Reason, Rule, Tier, Verdict};

/// Wide enough for a day and six marks.
const CELL: usize = 9;

/// Returns the calendar of the months that have backups, the earliest first. A day with backups
/// shows what they are kept for, or `-` if all of them are removed; a day without shows nothing.
/// Weeks are named as in ISO 8601.
pub(crate) fn draw(plan: &Plan, zone: &TimeZone) -> String {
    let mut days: BTreeMap<Date, String> = BTreeMap::new();
    for decision in plan.decisions.iter().rev() {
        let marks = days.entry(zone.to_datetime(decision.created_at).date()).or_default();
        for mark in marks_of(&decision.verdict) {
            if !marks.contains(mark) {
                marks.push(mark);
            }
        }
    }
    let mut months: Vec<Date> = days.keys().map(|day| day.first_of_month()).collect();
    months.dedup();
    months.iter().map(|&month| draw_month(month, &days)).collect::<Vec<_>>().join("\n")
}

fn draw_month(month: Date, days: &BTreeMap<Date, String>) -> String {
    let mut lines = vec![month.strftime("%B %Y").to_string()];
    let names = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map(|name| format!("{name:<CELL$}"));
    lines.push(format!("     {}", names.concat()));
    let mut monday = month.saturating_sub(Span::new().days(month.weekday().to_monday_zero_offset()));
    while monday <= month.last_of_month() {
        let week: String = monday.series(Span::new().days(1)).take(7).map(|day| draw_day(day, month, days)).collect();
        lines.push(format!("W{:02}  {week}", monday.iso_week_date().week()));
        monday = monday.saturating_add(Span::new().days(7));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn draw_day(day: Date, month: Date, days: &BTreeMap<Date, String>) -> String {
    let text = match days.get(&day) {
        _ if day.first_of_month() != month => String::new(),
        None => format!("{:>2}", day.day()),
        Some(marks) if marks.is_empty() => format!("{:>2} -", day.day()),
        Some(marks) => format!("{:>2} {marks}", day.day()),
    };
    format!("{text:<CELL$}")
}

fn marks_of(verdict: &Verdict) -> Vec<char> {
    let Verdict::Keep { reasons } = verdict else { return Vec::new() };
    reasons.iter().map(mark_of).collect()
}

fn mark_of(reason: &Reason) -> char {
    match reason {
        Reason::Pinned => 'K',
        Reason::Future => 'F',
        Reason::Newest => 'N',
        Reason::NewestProven => 'P',
        Reason::BeforeUnreadChain => 'C',
        Reason::Held => 'H',
        Reason::Rule(rule) | Reason::RuleAmongClean(rule) => match rule {
            Rule::Last => 'l',
            Rule::Within(_) => 'i',
            Rule::Oldest(_) => 'o',
            Rule::Slot(period) => match period.tier() {
                Tier::Hourly => 'h',
                Tier::Daily => 'd',
                Tier::Weekly => 'w',
                Tier::Monthly => 'm',
                Tier::Yearly => 'y',
            },
        },
    }
}

/// Compares a calendar with the one that a test expects, which may be indented.
#[track_caller]
pub(crate) fn assert_drawn(plan: &Plan, zone: &TimeZone, expected: &str) {
    let indent =
        expected.lines().find(|line| !line.trim().is_empty()).map_or(0, |line| line.len() - line.trim_start().len());
    let expected: Vec<&str> = expected.lines().map(|line| line.get(indent..).unwrap_or("").trim_end()).collect();
    let drawn = draw(plan, zone);
    assert_eq!(drawn.trim(), expected.join("\n").trim(), "the plan draws as\n{drawn}");
}
