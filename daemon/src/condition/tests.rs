//! What is wrong, how bad that is, and who says so.

use std::collections::BTreeSet;

use engine::repository::{BackupId, Clocks, Damage, Flaw};
use engine::store::Key;
use jiff::SignedDuration;

use super::*;
use crate::agenda::Job;
use crate::journal::{RunId, RunRecord, Trigger};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-02T12:00:00Z")
}

fn newest() -> BackupId {
    "20261102T020007Z-3f9a".parse().unwrap()
}

fn error(message: &str) -> Explanation {
    Explanation { message: message.to_owned(), causes: Vec::new(), hint: None, obstacles: Vec::new() }
}

/// What the condition of an instance follows from.
struct Situation {
    view: InstanceView,
    backups: Option<Backups>,
    unread: Option<Explanation>,
}

impl Situation {
    /// Returns an instance of which all is well.
    fn well() -> Self {
        let job = |job| JobView {
            job,
            schedule: None,
            timezone: None,
            next: None,
            interval_seconds: None,
            running: None,
            latest: None,
            latest_success: None,
            latest_failure: None,
        };
        Self {
            view: InstanceView {
                name: "production".to_owned(),
                stale_after_seconds: Some(36 * 3600),
                jobs: Job::SCHEDULED.map(job).into(),
            },
            backups: Some(Backups {
                newest: Some((newest(), Vec::new())),
                newest_good: Some(at("2026-11-02T02:00:07Z")),
                clocks: Clocks { own: now(), store: Some(now()) },
                ..Backups::default()
            }),
            unread: None,
        }
    }

    fn backups(&mut self) -> &mut Backups {
        self.backups.as_mut().unwrap()
    }

    /// Says that the latest run of a job ended like this.
    fn ended(&mut self, job: Job, outcome: RunOutcome) {
        let view = self.view.jobs.iter_mut().find(|view| view.job == job).unwrap();
        view.latest_failure = Some(RunRecord {
            id: RunId::from(7),
            instance: "production".to_owned(),
            job,
            target: None,
            trigger: Trigger::Request,
            began_at: at("2026-11-02T04:00:00Z"),
            ended_at: Some(at("2026-11-02T04:10:00Z")),
            outcome: Some(outcome),
            phases: Vec::new(),
        });
    }

    fn condition(&self) -> Condition {
        Condition::of(&self.view, self.backups.as_ref(), self.unread.as_ref(), now())
    }
}

fn failed() -> RunOutcome {
    RunOutcome::Failed { error: error("the disk is full"), attempts: 1 }
}

fn flaw(situation: &mut Situation, flaw: Flaw) {
    // An older one; the newest is good.
    situation.backups().flaws.push(("20261101T020007Z-0001".parse().unwrap(), flaw));
}

use InstanceState::{Empty, Failing, Stale, Unknown, Warning as LookAtIt};
use Severity::{Failed, Warning};

/// Each reason once, with how bad it is, the word of the API, what makes it, and a part of its
/// sentence. Those without are found by `status` alone.
type Row = (ReasonKind, Severity, InstanceState, Option<(fn(&mut Situation), &'static str)>);

fn table() -> [Row; 21] {
    [
        (
            ReasonKind::RepositoryUnread,
            Failed,
            Unknown,
            Some((
                |it| {
                    it.backups = None;
                    it.unread = Some(error("access denied"));
                },
                "access denied",
            )),
        ),
        (ReasonKind::RepositoryNotRead, Warning, Unknown, Some((|it| it.backups = None, "not been read yet"))),
        (
            ReasonKind::RepositoryOutdated,
            Failed,
            Failing,
            Some((|it| it.unread = Some(error("access denied")), "the repository cannot be read: access denied")),
        ),
        (
            ReasonKind::FolderUnreadable,
            Failed,
            Failing,
            Some((|it| it.backups().unreadable_folders.push("permission denied".into()), "permission denied")),
        ),
        (
            ReasonKind::Clock,
            Failed,
            Failing,
            Some((|it| it.backups().clocks.store = Some(now() - SignedDuration::from_hours(2)), "2h ahead of")),
        ),
        (
            ReasonKind::Listing,
            Failed,
            Failing,
            Some((|it| it.backups().alarms.push("it left out x".into()), "left out x")),
        ),
        (
            ReasonKind::ManifestUnreadable,
            Failed,
            Failing,
            Some((|it| it.backups().unreadable.push(error("it is missing")), "it is missing")),
        ),
        (
            ReasonKind::BackupDamaged,
            Failed,
            Failing,
            Some((
                |it| {
                    let damage = Damage { key: Key::new("production/x").unwrap(), reason: "it is gone".into() };
                    flaw(it, Flaw::Damaged(vec![damage]));
                },
                "20261101T020007Z-0001: it is known to be damaged: production/x: it is gone",
            )),
        ),
        (ReasonKind::BackupFuture, Failed, Failing, Some((|it| flaw(it, Flaw::Future), "is dated in the future"))),
        (ReasonKind::BackupRefuted, Failed, Failing, Some((|it| flaw(it, Flaw::Refuted), "failed verification"))),
        (ReasonKind::NoBackup, Failed, Empty, Some((|it| *it.backups() = Backups::default(), "there is no backup"))),
        (
            ReasonKind::NoGoodBackup,
            Failed,
            Empty,
            Some((|it| it.backups().newest_good = None, "none of its backups is good")),
        ),
        (
            ReasonKind::Stale,
            Failed,
            Stale,
            Some((
                |it| it.backups().newest_good = Some(at("2026-10-30T02:00:07Z")),
                "no good backup since 2026-10-30T02:00:07Z",
            )),
        ),
        (
            ReasonKind::RunFailed,
            Failed,
            Failing,
            Some((
                |it| it.ended(Job::Drill, failed()),
                "the latest drill (run 7, 2026-11-02T04:00:00Z) failed: the disk is full",
            )),
        ),
        (
            ReasonKind::RunLost,
            Failed,
            Failing,
            Some((|it| it.ended(Job::Backup, RunOutcome::Lost), "was interrupted: the daemon ended during the run")),
        ),
        (
            ReasonKind::BackupWarnings,
            Warning,
            LookAtIt,
            Some((
                |it| it.backups().newest = Some((newest(), vec!["a file is missing".into()])),
                "the newest backup, 20261102T020007Z-3f9a, has 1 warning: a file is missing",
            )),
        ),
        (
            ReasonKind::RetentionHeld,
            Warning,
            LookAtIt,
            Some((|it| it.backups().holds.push("it is too old".into()), "no backup is removed: it is too old")),
        ),
        (ReasonKind::DaemonDown, Warning, LookAtIt, None),
        (ReasonKind::StateUnreadable, Warning, LookAtIt, None),
        (ReasonKind::StateUnwritable, Warning, LookAtIt, None),
        (ReasonKind::NotifierFailing, Warning, LookAtIt, None),
    ]
}

#[test]
fn each_reason_has_its_severity() {
    assert_eq!(Situation::well().condition(), Condition::default());
    let kinds: Vec<_> = table().iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, ReasonKind::ALL, "each once");
    for (kind, severity, state, made) in table() {
        assert_eq!((kind.severity(), kind.state()), (severity, state), "{kind:?}");
        let Some((make, says)) = made else { continue };
        let mut situation = Situation::well();
        make(&mut situation);
        let condition = situation.condition();
        let [reason] = condition.reasons.as_slice() else { panic!("{kind:?}: {condition:?}") };
        assert_eq!((reason.kind, condition.severity(), condition.state()), (kind, severity, state), "{condition:?}");
        assert!(reason.message.contains(says), "{kind:?}: {}", reason.message);
    }
}

#[test]
fn manual_has_each_reason_once() {
    let manual = include_str!("../../../docs/condition.md");
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.map(|(kind, row)| (kind, row.split(" |").next().unwrap_or_default())).collect();
    let expected: Vec<_> = ReasonKind::ALL.iter().map(|kind| (kind.as_str(), kind.severity().as_str())).collect();
    assert_eq!(rows, expected);
    assert_eq!(rows.iter().map(|(kind, _)| kind).collect::<BTreeSet<_>>().len(), rows.len());
}

#[test]
fn manual_names_reasons_of_notices() {
    let manual = include_str!("../../../docs/condition.md");
    let (_, notices) = manual.split_once("**Notices.**").unwrap();
    let (notices, _) = notices.split_once("\n\n").unwrap();
    let named: BTreeSet<_> = notices.split('`').skip(1).step_by(2).collect();
    let expected = ReasonKind::ALL.into_iter().filter(|kind| kind.is_alarm()).map(ReasonKind::as_str);
    // Besides the word of the occasion.
    assert_eq!(named, expected.chain(["failure"]).collect());
}

#[test]
fn condition_is_that_of_worst_reason() {
    let mut situation = Situation::well();
    situation.backups().holds.push("it is too old".into());
    situation.backups().newest = Some((newest(), vec!["a file is missing".into()]));
    assert_eq!(situation.condition().severity(), Warning);
    situation.ended(Job::Check, failed());
    let condition = situation.condition();
    assert_eq!(
        (condition.severity(), condition.reasons[0].kind, condition.reasons.len()),
        (Failed, ReasonKind::RunFailed, 3)
    );
}

#[test]
fn failure_made_up_for_is_none() {
    let mut situation = Situation::well();
    situation.ended(Job::Backup, RunOutcome::Lost);
    let backup = &mut situation.view.jobs[0];
    backup.running = Some(RunId::from(8));
    assert_eq!(situation.condition(), Condition::default(), "it is caught up");
    situation.ended(Job::Backup, failed());
    assert_eq!(situation.condition().reasons.len(), 1, "it runs, and has not ended well yet");
    let backup = &mut situation.view.jobs[0];
    let succeeded = backup.latest_failure.clone().map(|run| RunRecord { id: RunId::from(9), ..run });
    backup.latest_success = succeeded;
    assert_eq!(situation.condition(), Condition::default());
}

#[test]
fn running_first_backup_is_no_failure() {
    let mut situation = Situation::well();
    *situation.backups() = Backups::default();
    situation.view.jobs[0].running = Some(RunId::from(8));
    assert_eq!(situation.condition(), Condition::default());
}

#[test]
fn age_goes_by_the_repository_clock() {
    let mut situation = Situation::well();
    // By this machine's clock, two days behind, the backup is an hour old.
    let behind = SignedDuration::from_hours(48);
    situation.backups().clocks = Clocks { own: now(), store: Some(now() + behind) };
    situation.backups().newest_good = Some(now() - SignedDuration::from_hours(1));
    let kinds: Vec<_> = situation.condition().reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!(kinds, [ReasonKind::Clock, ReasonKind::Stale]);
}

#[test]
fn many_of_a_kind_are_counted() {
    let mut situation = Situation::well();
    for _ in 0..9 {
        flaw(&mut situation, Flaw::Future);
    }
    let reasons = situation.condition().reasons;
    assert_eq!((reasons.len(), reasons[3].message.as_str()), (4, "6 more of its backups are dated in the future"));
}

#[test]
fn words_of_json_stay() {
    let mut situation = Situation::well();
    situation.backups().holds.push("it is too old".into());
    let expected = serde_json::json!({
        "severity": "warning",
        "reasons": [{
            "reason": "retention_held",
            "severity": "warning",
            "message": "no backup is removed: it is too old",
        }],
    });
    assert_eq!(serde_json::json!(situation.condition()), expected);
}
