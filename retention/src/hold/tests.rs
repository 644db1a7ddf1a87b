use super::*;
use crate::{Figures, Policy, Situation, Verdict, plan};

/// Backups of noon on the first days of November, with so many rows each.
fn with_rows(rows: &[u64]) -> Vec<Backup> {
    rows.iter()
        .enumerate()
        .map(|(index, &rows)| {
            let day = index + 1;
            let mut backup = Backup::new(format!("nov-{day:02}"), "production", noon(day));
            backup.figures = Figures { rows: Some(rows), attachments: Some(10), bytes: None };
            backup
        })
        .collect()
}

fn noon(day: usize) -> Timestamp {
    format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()
}

fn only_last() -> Policy {
    Policy { keep_last: 1, ..Policy::empty() }
}

/// Returns the holds of a plan made right after the newest backup, and the number of removals, as
/// in "1: rows fell …".
fn outcome(backups: &[Backup], accepted: Option<Timestamp>) -> (usize, Vec<String>) {
    let now = backups.last().unwrap().created_at;
    let situation = Situation { figures_accepted: accepted, ..Situation::at(now) };
    let plan = plan(&only_last(), backups, &situation).unwrap();
    (plan.removals().count(), plan.holds.iter().map(Hold::to_string).collect())
}

#[test]
fn fall_beyond_limit_holds_everything() {
    assert_eq!(outcome(&with_rows(&[1000, 700]), None), (1, vec![]));
    let (removals, holds) = outcome(&with_rows(&[1000, 699]), None);
    assert_eq!(removals, 0);
    assert_eq!(holds, ["rows fell from 1000 in backup nov-01 to 699 in backup nov-02, by more than 30 %"]);
}

#[test]
fn hold_lasts_until_accepted() {
    let backups = with_rows(&[1000, 1010, 400, 410, 405]);
    let (removals, holds) = outcome(&backups, None);
    assert_eq!(removals, 0);
    assert_eq!(
        holds,
        ["rows fell from 1010 in backup nov-02 to 405 in backup nov-05, by more than 30 % \
          (first seen in backup nov-03)"]
    );
    assert_eq!(outcome(&backups, Some(noon(2))).0, 0, "what was accepted before the fall does not settle it");
    for accepted in 3..=5 {
        assert_eq!(outcome(&backups, Some(noon(accepted))), (4, vec![]), "accepted on day {accepted}");
    }
}

#[test]
fn hold_ends_when_figures_recover() {
    assert_eq!(outcome(&with_rows(&[1000, 400, 900]), None), (2, vec![]));
    assert_eq!(outcome(&with_rows(&[1000, 400, 600]), None).0, 0, "not if they come back in part");
}

#[test]
fn accepted_fall_without_backup_stays_settled() {
    let mut backups = with_rows(&[1000, 400, 410, 420]);
    let accepted = backups.remove(1);
    assert_eq!(outcome(&backups, None).0, 0);
    assert_eq!(outcome(&backups, Some(accepted.created_at)), (2, vec![]));

    let again = [backups, with_rows(&[0, 0, 0, 0, 200]).split_off(4)].concat();
    assert_eq!(outcome(&again, Some(accepted.created_at)).0, 0, "a later fall is another one");
}

#[test]
fn figures_are_judged_separately() {
    let mut backups = with_rows(&[1000, 1000, 1000]);
    backups[0].figures = Figures { rows: Some(1000), attachments: Some(100), bytes: Some(1 << 40) };
    backups[1].figures = Figures::default();
    backups[2].figures = Figures { rows: Some(999), attachments: Some(9), bytes: None };
    let (removals, holds) = outcome(&backups, None);
    assert_eq!(removals, 0);
    assert_eq!(holds, ["attachments fell from 100 in backup nov-01 to 9 in backup nov-03, by more than 30 %"]);
}

#[test]
fn slow_decline_is_no_fall() {
    let rows: Vec<u64> = (1..=20).map(|day| 10_000 - day * 400).collect();
    assert_eq!(outcome(&with_rows(&rows), None), (19, vec![]));
}

#[test]
fn stale_newest_backup_stops_removal() {
    let backups = with_rows(&[1, 1, 1]);
    let plan_at = |policy: &Policy, interval, now: &str| {
        let situation = Situation { interval, ..Situation::at(now.parse().unwrap()) };
        plan(policy, &backups, &situation).unwrap()
    };
    let daily = Some(SignedDuration::from_hours(24));

    let at_limit = plan_at(&only_last(), daily, "2026-11-06T12:00:00Z");
    assert_eq!((at_limit.removals().count(), at_limit.holds.len()), (2, 0));
    let past_limit = plan_at(&only_last(), daily, "2026-11-06T12:00:01Z");
    assert_eq!(past_limit.removals().count(), 0);
    assert_eq!(past_limit.holds[0].to_string(), "the newest backup, nov-03, is 3 days old, more than 72 hours");
    assert_eq!(past_limit.decisions[2].verdict, Verdict::Keep { reasons: vec![crate::Reason::Held] });

    let policy = Policy { stop_if_stale: Some("1 week".parse().unwrap()), ..only_last() };
    assert_eq!(plan_at(&policy, daily, "2026-11-10T12:00:00Z").removals().count(), 2, "the policy's own limit rules");
    assert_eq!(plan_at(&policy, daily, "2026-11-10T12:00:01Z").removals().count(), 0);
    assert_eq!(plan_at(&only_last(), None, "2036-11-10T12:00:01Z").removals().count(), 2, "no schedule, no limit");
}

#[test]
fn hold_has_hint() {
    let fallen = with_rows(&[1000, 1]);
    let plan = plan(&only_last(), &fallen, &Situation::at(noon(30))).unwrap();
    assert_eq!(
        plan.holds[0].hint(),
        "if the data was removed on purpose, accept the figures of backup nov-02; \
         if not, backup nov-01 is the last that has it"
    );
}

#[test]
fn future_backup_hides_no_hold() {
    let mut backups = with_rows(&[1000, 1000]);
    backups.push(Backup::new("future", "production", noon(25)));
    backups[2].figures.rows = Some(1);
    let situation = Situation { interval: Some(SignedDuration::from_hours(24)), ..Situation::at(noon(20)) };
    let plan = plan(&only_last(), &backups, &situation).unwrap();
    assert_eq!(plan.holds.len(), 1);
    assert!(matches!(&plan.holds[0], Hold::Stale { newest, .. } if newest == "nov-02"));
}
