//! A daemon with a worker and a network of the test's, and a time that passes as soon as there is
//! nothing else to do.

mod digest;
mod quiet;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use config::NotifyConfig;
use engine::error::Error;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;
use crate::clock::PausedClock;
use crate::failure::Failure;
use crate::journal::RunOutcome;
use crate::scheduler::schedule;
use crate::view::Health;
use crate::work::{Work, Worker};

/// Succeeds with these warnings, or fails; succeeds without where nothing is planned.
#[derive(Default)]
struct Planned(Mutex<VecDeque<Option<Vec<String>>>>);

#[async_trait]
impl Worker for Planned {
    async fn work(&self, _: Work<'_>) -> Result<RunOutcome, Failure> {
        let act = self.0.lock().unwrap().pop_front().unwrap_or_else(|| Some(Vec::new()));
        tokio::time::sleep(Duration::from_secs(30)).await;
        match act {
            Some(warnings) => Ok(RunOutcome::Done {
                backup: None,
                warnings,
                figures: BTreeMap::new(),
                removed: Vec::new(),
                proof: None,
            }),
            None => Err(Error::Exists { what: "what must not be".into() }.into()),
        }
    }
}

/// Takes every message, or none.
#[derive(Default)]
struct FakeNetwork {
    taken: Mutex<Vec<String>>,
    down: Mutex<bool>,
    tried: Mutex<u32>,
}

#[async_trait]
impl Sender for FakeNetwork {
    async fn send(&self, notifier: &NotifyConfig, message: &Message) -> Result<(), Explanation> {
        *self.tried.lock().unwrap() += 1;
        if *self.down.lock().unwrap() {
            let message = "the network is down".into();
            return Err(Explanation { message, causes: Vec::new(), hint: None, obstacles: Vec::new() });
        }
        let what = match message {
            Message::Notice(notice) => {
                let occasion = notice.occasion_for(notifier).map_or("nothing", |occasion| occasion.as_str());
                format!("{}: {occasion}: {}", notifier.name, notice.summary)
            }
            Message::Collected(collected) => {
                let summaries: Vec<_> = collected.notices.iter().map(|notice| notice.summary.as_str()).collect();
                format!("{}: collected: {}", notifier.name, summaries.join(" | "))
            }
            Message::Digest(digest) => {
                format!("{}: digest: {}: {}", notifier.name, digest.headline(), digest.runs.words())
            }
            Message::Ping { instance, signal, .. } => format!("{}: {signal:?}: {instance}", notifier.name),
        };
        self.taken.lock().unwrap().push(what);
        Ok(())
    }
}

struct Fixture {
    folder: TempDir,
    clock: Arc<PausedClock>,
    worker: Arc<Planned>,
    network: Arc<FakeNetwork>,
}

struct Running {
    handle: Handle,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Running {
    async fn stop(self) {
        self.handle.0.stopping.cancel();
        self.handle.0.tasks.close();
        self.handle.0.tasks.wait().await;
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(PausedClock::at("2026-11-01T00:00:00Z".parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), clock, worker: Arc::default(), network: Arc::default() }
    }

    /// Returns a daemon with these keys of the instance `a`, and these sections.
    fn start(&self, keys: &str, sections: &str) -> Running {
        let text = format!(
            "repository.url = 'file:///nowhere/at/all'\n[daemon]\nstate_dir = '{}'\n\
             [instance.a]\ndatabase = 'a'\nfilestore = '/f'\ntimezone = 'UTC'\nretries = 0\n{keys}\n{sections}",
            self.folder.path().join("state").display()
        );
        let config = Config::parse(Path::new("/c.toml"), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let handle = Handle::open_with(config, self.clock.clone(), self.worker.clone(), Arc::default()).unwrap();
        let stop = CancellationToken::new();
        let scheduler = {
            let handle = handle.clone();
            async move { schedule(&handle).await }
        };
        let notifications = serve_by(handle.clone(), self.network.clone(), stop.clone());
        Running { handle, stop, tasks: [tokio::spawn(notifications), tokio::spawn(scheduler)] }
    }

    fn plan(&self, acts: &[Option<&[&str]>]) {
        let warnings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let acts = acts.iter().map(|act| act.map(warnings));
        self.worker.0.lock().unwrap().extend(acts);
    }

    async fn until(&self, time: &str) {
        until(&*self.clock, Some(time.parse().unwrap())).await;
    }

    /// Returns what was taken since this was last asked.
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.network.taken.lock().unwrap())
    }

    fn is_down(&self, down: bool) {
        *self.network.down.lock().unwrap() = down;
    }

    fn health(&self, name: &str) -> Health {
        let state = State::read(&self.folder.path().join("state")).unwrap().unwrap();
        state.health.get(name).cloned().unwrap_or_default()
    }
}

const DAILY: &str = "schedule = '0 2 * * *'";
const HOOK: &str = "[[notify]]\nname = 'hook'\nwebhook = 'https://example.com'\n";

#[tokio::test(start_paused = true)]
async fn notifiers_get_their_occasions() {
    let fixture = Fixture::new();
    fixture.plan(&[None, None, Some(&["a file is missing"]), Some(&[]), Some(&["a file is missing"])]);
    let chatty = "[[notify]]\nname = 'all'\nwebhook = 'https://example.com'\non = ['success', 'failure']\n";
    let running = fixture.start(DAILY, &format!("{HOOK}{chatty}"));
    fixture.until("2026-11-02T00:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: failure: a: backup failed", "all: failure: a: backup failed"]);
    fixture.until("2026-11-03T12:00:00Z").await;
    let taken = fixture.taken();
    assert!(taken.contains(&"hook: recovered: a: backup works again, with 1 warning".to_owned()), "{taken:?}");
    assert!(taken.contains(&"all: success: a: backup works again, with 1 warning".to_owned()), "{taken:?}");
    fixture.until("2026-11-04T12:00:00Z").await;
    assert_eq!(fixture.taken(), ["all: success: a: backup done"]);
    fixture.until("2026-11-05T12:00:00Z").await;
    let expected = ["hook: warning: a: backup done, with 1 warning", "all: success: a: backup done, with 1 warning"];
    assert_eq!(fixture.taken(), expected);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn later_notifier_gets_only_new_notices() {
    let fixture = Fixture::new();
    fixture.plan(&[None, None]);
    let running = fixture.start(DAILY, "");
    fixture.until("2026-11-02T12:00:00Z").await;
    running.stop().await;
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-03T12:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: recovered: a: backup works again"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn unaccepted_notice_survives_restart() {
    let fixture = Fixture::new();
    fixture.plan(&[None]);
    fixture.is_down(true);
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-01T20:00:00Z").await;
    let tried = *fixture.network.tried.lock().unwrap();
    assert!((10..60).contains(&tried), "with pauses that grow, and not for ever: {tried}");
    let health = fixture.health("hook");
    assert!(health.failing_since.is_some() && health.error.unwrap().message.contains("down"));
    assert_eq!((health.sent, health.failed), (0, u64::from(tried)));
    let [standing] = &running.handle.notifiers()[..] else { panic!("one") };
    assert_eq!(standing.waiting, 1);
    let problem = standing.problem.as_deref().unwrap();
    assert!(problem.starts_with("the notifier hook (webhook) has accepted nothing since 2026-11-01T02:0"), "{problem}");
    assert!(problem.ends_with(": the network is down"), "{problem}");
    running.stop().await;
    fixture.is_down(false);
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-01T23:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: failure: a: backup failed"]);
    let health = fixture.health("hook");
    assert!(health.failing_since.is_none() && health.delivered_at.is_some(), "{health:?}");
    assert_eq!((health.sent, running.handle.notifiers()[0].problem.as_deref()), (1, None));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn delivery_ends_after_two_days() {
    let fixture = Fixture::new();
    fixture.is_down(true);
    fixture.plan(&[None; 24 * 4]);
    let running = fixture.start("schedule = '0 * * * *'\nstale_after = '1000 hours'", HOOK);
    fixture.until("2026-11-04T12:00:00Z").await;
    let state = State::read(running.handle.state_dir()).unwrap().unwrap();
    assert!((40..60).contains(&state.deliveries.len()), "{}", state.deliveries.len());
    assert!(fixture.health("hook").given_up > 20);
    running.stop().await;
}

#[test]
fn queue_keeps_hundred_notices() {
    let mut state = State::default();
    let now = Timestamp::UNIX_EPOCH;
    for _ in 0..150 {
        let notice = Notice::of_freshness("a", now, now);
        state.write("one", Message::Notice(Box::new(notice.clone())), now);
        state.write("two", Message::Notice(Box::new(notice)), now);
    }
    assert_eq!(state.deliveries.len(), 2 * super::state::MOST_DELIVERIES);
    assert_eq!((state.health["one"].given_up, state.health["two"].given_up), (50, 50));
    assert!(state.deliveries.iter().all(|delivery| delivery.id >= 100), "the oldest went");
}

#[tokio::test(start_paused = true)]
async fn stale_instance_is_reported_daily() {
    let fixture = Fixture::new();
    fixture.plan(&[Some(&[])]);
    let only_stale = HOOK.replace("name = 'hook'", "name = 'hook'\non = ['stale', 'recovered']");
    let running = fixture.start(DAILY, &only_stale);
    fixture.until("2026-11-01T12:00:00Z").await;
    running.stop().await;
    // From here on the daemon makes no backup, whatever the reason: nothing fails.
    let idle = "stale_after = '36 hours'";
    let running = fixture.start(idle, &only_stale);
    fixture.until("2026-11-02T13:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0], "35 hours");
    fixture.until("2026-11-02T16:00:00Z").await;
    let taken = fixture.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(taken[0].starts_with("hook: stale: a: no good backup since 2026-11-01T02:0"), "{taken:?}");
    running.stop().await;
    let running = fixture.start(idle, &only_stale);
    fixture.until("2026-11-03T12:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    fixture.until("2026-11-03T18:00:00Z").await;
    assert_eq!(fixture.taken().len(), 1);
    running.handle.start("a", crate::Order::Backup { reread: false }).await.unwrap();
    fixture.until("2026-11-03T19:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: recovered: a: backup works again"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn moved_state_folder_is_reported_daily() {
    let fixture = Fixture::new();
    let others = "[instance.b]\ndatabase = 'b'\nfilestore = '/g'\n";
    let running = fixture.start("", &format!("{others}{HOOK}"));
    fixture.until("2026-11-01T01:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    let (state, away) = (fixture.folder.path().join("state"), fixture.folder.path().join("away"));
    std::fs::rename(&state, &away).unwrap();
    fixture.until("2026-11-01T03:00:00Z").await;
    let taken = fixture.taken();
    assert!(taken.len() == 1 && taken[0].contains("the daemon's state is kept in memory alone: "), "{taken:?}");
    fixture.until("2026-11-01T20:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    fixture.until("2026-11-02T04:00:00Z").await;
    assert_eq!(fixture.taken().len(), 1);
    let _ = std::fs::remove_dir_all(&state);
    std::fs::rename(&away, &state).unwrap();
    fixture.until("2026-11-03T04:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn instance_without_backup_becomes_stale() {
    let fixture = Fixture::new();
    fixture.plan(&[None; 3]);
    let running = fixture.start(DAILY, &HOOK.replace("name = 'hook'", "name = 'hook'\non = ['stale']"));
    fixture.until("2026-11-02T11:00:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    fixture.until("2026-11-02T14:00:00Z").await;
    let taken = fixture.taken();
    assert!(taken.len() == 1 && taken[0].contains("no good backup at all"), "{taken:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ping_sends_only_current_signals() {
    let fixture = Fixture::new();
    fixture.plan(&[Some(&[]), None, Some(&[])]);
    let running = fixture.start(DAILY, "[[notify]]\nname = 'switch'\nping = 'https://example.com/x'\n");
    fixture.until("2026-11-01T12:00:00Z").await;
    assert_eq!(fixture.taken(), ["switch: Start: a", "switch: Success: a"]);
    fixture.until("2026-11-02T12:00:00Z").await;
    assert_eq!(fixture.taken(), ["switch: Start: a", "switch: Fail: a"]);
    fixture.is_down(true);
    fixture.until("2026-11-03T12:00:00Z").await;
    fixture.is_down(false);
    fixture.until("2026-11-03T13:00:00Z").await;
    assert_eq!(fixture.taken(), ["switch: Success: a"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn new_journal_is_followed() {
    let fixture = Fixture::new();
    fixture.plan(&[None, None]);
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-01T12:00:00Z").await;
    assert_eq!(fixture.taken().len(), 1);
    let journal = running.handle.state_dir().join("journal.jsonl");
    running.stop().await;
    std::fs::remove_file(journal).unwrap();
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-02T10:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: failure: a: backup failed"]);
    running.stop().await;
}

/// The daemon dies in the middle of a run: the next one reports it.
#[tokio::test(start_paused = true)]
async fn interrupted_run_is_reported_after_restart() {
    let fixture = Fixture::new();
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-01T02:00:10Z").await;
    running.stop.cancel();
    let journal = running.handle.state_dir().join("journal.jsonl");
    let cut_off = std::fs::read_to_string(&journal).unwrap();
    running.stop().await;
    std::fs::write(&journal, cut_off).unwrap();
    let running = fixture.start(DAILY, HOOK);
    fixture.until("2026-11-01T12:00:00Z").await;
    let taken = fixture.taken();
    assert!(taken[0].starts_with("hook: failure: a: backup was interrupted"), "{taken:?}");
    assert_eq!(taken[1..], ["hook: recovered: a: backup works again"]);
    running.stop().await;
}
