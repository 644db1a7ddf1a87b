use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn at(hours: i64) -> Timestamp {
    "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

fn done() -> RunOutcome {
    let figures = [("stored_bytes".to_owned(), 4711)].into();
    let (backup, warnings) = (Some("20261121T020003Z-3f9c".parse().unwrap()), vec!["one".into()]);
    RunOutcome::Done { backup, warnings, figures, removed: Vec::new(), proof: None }
}

fn scheduled() -> Trigger {
    Trigger::Schedule { slot: at(2), late: true }
}

#[test]
fn journal_survives_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut journal = Journal::open(&state, at(0)).unwrap();
    assert_eq!(journal.last_slot("production", Job::Backup), None);
    journal.set_slot("production", Job::Backup, at(2));
    let first = journal.begin("production", Job::Backup, None, scheduled(), at(2));
    journal.end(first, at(3), done());
    let second = journal.begin("production", Job::Drill, None, Trigger::Request, at(3));
    let error = engine::error::Explanation {
        message: "no".into(),
        causes: vec!["why".into()],
        hint: None,
        obstacles: Vec::new(),
    };
    journal.end(second, at(4), RunOutcome::Failed { error, attempts: 3 });
    assert!(first < second);
    let before: Vec<_> = journal.runs().cloned().collect();
    drop(journal);

    let mut journal = Journal::open(&state, at(5)).unwrap();
    assert_eq!(journal.runs().cloned().collect::<Vec<_>>(), before);
    assert_eq!(journal.run(first).unwrap().outcome, Some(done()));
    assert_eq!(journal.last_slot("production", Job::Backup), Some(at(2)));
    assert_eq!(journal.last_slot("production", Job::Drill), None);
    assert!(journal.begin("production", Job::Backup, None, Trigger::Request, at(5)) > second);
    let mode = |name: &str| fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("journal.jsonl")), (0o700, 0o600));
}

#[test]
fn run_without_end_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), at(0)).unwrap();
    let run = journal.begin("production", Job::Backup, None, scheduled(), at(2));
    drop(journal);
    let journal = Journal::open(folder.path(), at(9)).unwrap();
    let record = journal.run(run).unwrap().clone();
    assert_eq!((record.ended_at, record.outcome), (Some(at(9)), Some(RunOutcome::Lost)));
    drop(journal);
    // It was written down: a later start does not say it again, with another time.
    assert_eq!(Journal::open(folder.path(), at(20)).unwrap().run(run).unwrap().ended_at, Some(at(9)));
}

#[test]
fn first_end_of_run_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), at(0)).unwrap();
    let run = journal.begin("production", Job::Backup, None, Trigger::Request, at(1));
    journal.end(run, at(2), RunOutcome::Cancelled);
    journal.end(run, at(3), done());
    assert_eq!(journal.run(run).unwrap().outcome, Some(RunOutcome::Cancelled));
}

#[test]
fn torn_last_line_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::open(folder.path(), at(0)).unwrap();
    let first = journal.begin("production", Job::Backup, None, Trigger::Request, at(1));
    journal.end(first, at(2), done());
    let whole = fs::metadata(&path).unwrap().len();
    journal.set_slot("production", Job::Check, at(3));
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    for torn in usize::try_from(whole).unwrap()..bytes.len() {
        fs::write(&path, &bytes[..torn]).unwrap();
        let mut journal = Journal::open(folder.path(), at(4)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), whole);
        assert_eq!((journal.runs().count(), journal.last_slot("production", Job::Check)), (1, None));
        journal.set_slot("production", Job::Check, at(5));
        drop(journal);
        let journal = Journal::open(folder.path(), at(6)).unwrap();
        assert_eq!(journal.last_slot("production", Job::Check), Some(at(5)));
        assert!(journal.damaged_lines().is_empty());
    }
}

#[test]
fn damaged_line_leaves_others_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::open(folder.path(), at(0)).unwrap();
    let first = journal.begin("production", Job::Backup, None, Trigger::Request, at(1));
    journal.end(first, at(2), done());
    let second = journal.begin("production", Job::Backup, None, Trigger::Request, at(3));
    journal.end(second, at(4), done());
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[5] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let mut journal = Journal::open(folder.path(), at(5)).unwrap();
    assert_eq!(journal.damaged_lines(), [1]);
    assert_eq!(journal.runs().map(|run| run.id).collect::<Vec<_>>(), [second]);
    // The lost line's number is not given out again.
    assert!(journal.begin("production", Job::Backup, None, Trigger::Request, at(6)) > second);
}

#[test]
fn folder_has_one_journal() {
    let folder = tempfile::tempdir().unwrap();
    let first = Journal::open(folder.path(), at(0)).unwrap();
    let refused = Journal::open(folder.path(), at(0)).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }) && refused.hint().is_some(), "{refused}");
    drop(first);
    Journal::open(folder.path(), at(0)).unwrap();
}

#[test]
fn open_journal_shortened_keeps_live_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (mut text, kept) = (String::new(), KEPT_RUNS as u64);
    for run in 1..=kept {
        let (id, instance) = (RunId(run), "production".to_owned());
        let began =
            Event::Began { run: id, instance, job: Job::Check, target: None, trigger: Trigger::Request, at: at(1) };
        let ended = Event::Ended { run: id, at: at(2), outcome: done(), phases: Vec::new() };
        text.extend([began, ended].map(|event| serde_json::to_string(&event).unwrap() + "\n"));
    }
    fs::write(&path, &text).unwrap();
    let mut journal = Journal::open(folder.path(), at(3)).unwrap();
    let begin =
        |journal: &mut Journal, hours| journal.begin("production", Job::Backup, None, Trigger::Request, at(hours));
    let goes_on = begin(&mut journal, 4);
    let year = 401 * 24;
    for _ in 0..=SLACK {
        let run = begin(&mut journal, year);
        journal.end(run, at(year), done());
    }
    // All but the latest of the checks were too old.
    assert_eq!(journal.runs().filter(|run| run.job == Job::Check).count(), 1);
    assert!(fs::metadata(&path).unwrap().len() < text.len() as u64 / 4);
    let last = begin(&mut journal, year);
    assert_eq!(last.number(), kept + SLACK as u64 + 3);
    journal.end(goes_on, at(year), done());
    assert_eq!(journal.run(goes_on).unwrap().ended_at, Some(at(year)));
    drop(journal);
    let journal = Journal::open(folder.path(), at(year)).unwrap();
    assert_eq!(journal.run(last).unwrap().outcome, Some(RunOutcome::Lost));
}

#[test]
fn old_runs_except_latest_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), at(0)).unwrap();
    let mut run = |instance, job, hours, outcome| {
        let run = journal.begin(instance, job, None, Trigger::Request, at(hours));
        journal.end(run, at(hours), outcome);
        run
    };
    run("production", Job::Backup, 0, done());
    let last_good = run("production", Job::Backup, 1, done());
    run("production", Job::Backup, 2, RunOutcome::Cancelled);
    let last = run("production", Job::Backup, 3, RunOutcome::Cancelled);
    let only_drill = run("production", Job::Drill, 0, done());
    let other = run("other", Job::Backup, 0, done());
    journal.set_slot("production", Job::Backup, at(3));
    drop(journal);
    let length = || fs::metadata(folder.path().join("journal.jsonl")).unwrap().len();
    let before = length();
    for _ in 0..2 {
        let journal = Journal::open(folder.path(), at(401 * 24)).unwrap();
        let kept: Vec<_> = journal.runs().map(|run| run.id).collect();
        assert_eq!(kept, [last_good, last, only_drill, other]);
        assert_eq!(journal.last_slot("production", Job::Backup), Some(at(3)));
        assert!(length() < before);
    }
}
