//! A daemon with a worker of the test's and a time that passes as soon as there is nothing else to
//! do.

mod hooks;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use config::Config;
use engine::error::Error;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::{PausedClock, until};
use crate::failure::Failure;
use crate::journal::{RunOutcome, RunRecord, Trigger};
use crate::work::{Order, Work, Worker};
use crate::{Event, Handle, Job, Phase, RefusedStart, RunFilter, Signal};

/// What an attempt does.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Takes so long, counts a byte each second, and succeeds.
    Work(Duration),
    /// Fails.
    Fail,
    /// Hangs until it is stopped.
    Hang,
    /// Another has served it.
    Elsewhere,
    /// Has a fault.
    Panic,
}

/// Does what is planned, else what takes half a minute.
#[derive(Default)]
struct Planned {
    plans: Mutex<HashMap<String, VecDeque<Act>>>,
    /// The most runs that were running at once.
    most: Mutex<(usize, usize)>,
}

impl Planned {
    fn plan(&self, instance: &str, acts: &[Act]) {
        self.plans.lock().unwrap().insert(instance.to_owned(), acts.iter().copied().collect());
    }
}

#[async_trait]
impl Worker for Planned {
    async fn work(&self, work: Work<'_>) -> Result<RunOutcome, Failure> {
        let act = self.plans.lock().unwrap().get_mut(&work.instance.instance.name).and_then(VecDeque::pop_front);
        let _one_of_them = Counted::new(&self.most);
        let (warnings, figures, removed) = (Vec::new(), BTreeMap::new(), Vec::new());
        let done = RunOutcome::Done { backup: None, warnings, figures, removed, proof: None };
        match act.unwrap_or(Act::Work(Duration::from_secs(30))) {
            Act::Work(length) => {
                let task = work.run.progress.task("database", None);
                let worked = async {
                    for _ in 0..length.as_secs() {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        task.advance(1);
                    }
                };
                match work.run.cancel.run_until_cancelled(worked).await {
                    Some(()) => Ok(done),
                    None => Err(Error::Interrupted.into()),
                }
            }
            Act::Fail => Err(Error::Exists { what: "what must not be".into() }.into()),
            Act::Hang => {
                work.run.cancel.cancelled().await;
                Err(Error::Interrupted.into())
            }
            Act::Elsewhere => Ok(RunOutcome::Elsewhere),
            Act::Panic => panic!("a fault that the test wants"),
        }
    }
}

/// Counts the running ones, and their maximum.
struct Counted<'a>(&'a Mutex<(usize, usize)>);

impl<'a> Counted<'a> {
    fn new(count: &'a Mutex<(usize, usize)>) -> Self {
        let mut counted = count.lock().unwrap();
        counted.0 += 1;
        counted.1 = counted.1.max(counted.0);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

struct Fixture {
    folder: TempDir,
    worker: Arc<Planned>,
    clock: Arc<PausedClock>,
}

struct Running {
    handle: Handle,
    signals: mpsc::Sender<Signal>,
    service: JoinHandle<()>,
}

impl Fixture {
    fn at(time: &str) -> Self {
        let clock = Arc::new(PausedClock::at(time.parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), worker: Arc::default(), clock }
    }

    fn config(&self, text: &str) -> Config {
        let text =
            format!("repository.url = 'file:///r'\n{text}\n[daemon]\nstate_dir = 'state'\nlisten = '127.0.0.1:0'\n",);
        std::fs::write(self.path(), &text).unwrap();
        Config::parse(&self.path(), &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("odoo-backup.toml")
    }

    fn start(&self, text: &str) -> Running {
        let handle =
            Handle::open_with(self.config(text), self.clock.clone(), self.worker.clone(), Arc::default()).unwrap();
        let (signals, receiver) = mpsc::channel(1);
        let service = tokio::spawn({
            let handle = handle.clone();
            async move { crate::service::work(&handle, receiver).await }
        });
        Running { handle, signals, service }
    }

    async fn until(&self, time: &str) {
        until(&*self.clock, Some(time.parse().unwrap())).await;
    }
}

impl Running {
    async fn stop(self) {
        self.signals.send(Signal::Stop).await.unwrap();
        self.service.await.unwrap();
    }

    fn runs(&self) -> Vec<RunRecord> {
        let mut runs = self.handle.runs(&RunFilter::default());
        runs.reverse();
        runs
    }

    fn outcomes(&self) -> Vec<Option<RunOutcome>> {
        self.runs().into_iter().map(|run| run.outcome).collect()
    }
}

fn instance(name: &str, keys: &str) -> String {
    format!("[instance.{name}]\ndatabase = '{name}'\nfilestore = '/f'\ntimezone = 'UTC'\n{keys}\n")
}

fn slots(runs: &[RunRecord]) -> Vec<Timestamp> {
    let slot = |run: &RunRecord| match run.trigger {
        Trigger::Schedule { slot, .. } => slot,
        Trigger::Request => panic!("{run:?}"),
    };
    runs.iter().map(slot).collect()
}

fn is_done(outcome: &Option<RunOutcome>) -> bool {
    matches!(outcome, Some(RunOutcome::Done { .. }))
}

#[tokio::test(start_paused = true)]
async fn year_of_nights_runs_every_backup() {
    let zone = TimeZone::get("Europe/Brussels").unwrap();
    let new_year = |year| date(year, 1, 1).to_zoned(zone.clone()).unwrap().timestamp();
    let fixture = Fixture::at(&new_year(2027).to_string());
    let keys = "schedule = '30 2 * * *'\ntimezone = 'Europe/Brussels'";
    let running = fixture.start(&instance("a", keys).replace("timezone = 'UTC'\n", ""));
    fixture.until(&new_year(2028).to_string()).await;
    let runs = running.runs();
    assert_eq!(runs.len(), 365);
    assert!(runs.iter().all(|run| is_done(&run.outcome)));
    let local: Vec<_> = slots(&runs).iter().map(|time| time.to_zoned(zone.clone()).datetime()).collect();
    // 02:30 does not exist on 28 March 2027, and comes twice on 31 October.
    assert_eq!(local[86], date(2027, 3, 28).at(3, 0, 0, 0));
    assert_eq!(local[303], date(2027, 10, 31).at(2, 30, 0, 0));
    let late = runs.iter().filter(|run| matches!(run.trigger, Trigger::Schedule { late: true, .. }));
    assert_eq!(late.count(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn missed_slots_are_caught_or_skipped() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    let config = |catch_up| instance("a", &format!("schedule = '0 2 * * *'\ncatch_up = {catch_up}"));
    let running = fixture.start(&config(true));
    fixture.until("2026-11-01T12:00:00Z").await;
    running.stop().await;

    fixture.until("2026-11-04T12:00:00Z").await;
    let running = fixture.start(&config(true));
    fixture.until("2026-11-04T13:00:00Z").await;
    let runs = running.runs();
    assert_eq!(slots(&runs)[1..], ["2026-11-04T02:00:00Z".parse().unwrap()]);
    assert!(matches!(runs[1].trigger, Trigger::Schedule { late: true, .. }));
    running.stop().await;

    fixture.until("2026-11-06T12:00:00Z").await;
    let running = fixture.start(&config(false));
    let mut events = running.handle.subscribe();
    assert!(matches!(events.recv().await.unwrap(), Event::Missed { job: Job::Backup, .. }));
    fixture.until("2026-11-07T12:00:00Z").await;
    assert_eq!(slots(&running.runs())[2..], ["2026-11-07T02:00:00Z".parse().unwrap()]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failure_is_retried_with_growing_pauses() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("a", &[Act::Fail, Act::Fail, Act::Work(Duration::from_secs(5))]);
    let running = fixture.start(&instance("a", "schedule = '0 2 * * *'"));
    fixture.until("2026-11-01T02:00:10Z").await;
    let live = running.handle.live().remove(0);
    assert_eq!((live.attempt, live.phase), (2, Phase::Pausing { until: "2026-11-01T02:00:30Z".parse().unwrap() }));
    assert!(live.last_failure.unwrap().message.contains("already exists"));
    fixture.until("2026-11-01T12:00:00Z").await;
    let run = running.runs().remove(0);
    assert!(is_done(&run.outcome), "{run:?}");
    let took = run.ended_at.unwrap().duration_since(run.began_at);
    assert_eq!(took.as_secs(), 30 + 120 + 5, "two pauses and the work");

    fixture.worker.plan("a", &[Act::Fail, Act::Fail, Act::Fail, Act::Fail, Act::Fail]);
    fixture.until("2026-11-02T12:00:00Z").await;
    let run = running.runs().remove(1);
    let Some(RunOutcome::Failed { error, attempts: 4 }) = run.outcome else { panic!("{run:?}") };
    assert!(error.message.contains("already exists"));
    let view = running.handle.instances().remove(0);
    let job = &view.jobs[0];
    assert_eq!(job.latest.as_ref().map(|run| run.id), Some(run.id));
    assert_eq!(job.latest_failure.as_ref().map(|run| run.id), Some(run.id));
    assert_ne!(job.latest_success.as_ref().map(|run| run.id), Some(run.id));
    assert_eq!(job.next.unwrap().time, "2026-11-03T02:00:00Z".parse().unwrap());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hanging_run_is_stopped_slow_continues() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("hangs", &[Act::Hang]);
    fixture.worker.plan("slow", &[Act::Work(Duration::from_hours(5))]);
    let keys = "schedule = '0 2 * * *'\nretries = 0\nstall_timeout = '10 minutes'";
    let running = fixture.start(&[instance("hangs", keys), instance("slow", keys)].concat());
    fixture.until("2026-11-01T12:00:00Z").await;
    for run in running.runs() {
        match (run.instance.as_str(), &run.outcome) {
            ("slow", outcome) => assert!(is_done(outcome), "{run:?}"),
            (_, Some(RunOutcome::Failed { error, attempts: 1 })) => {
                assert_eq!(error.message, "no progress for 600 seconds, so the run was stopped");
                assert!(error.hint.as_ref().unwrap().contains("stall_timeout"));
            }
            (_, other) => panic!("{other:?}"),
        }
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn panic_ends_one_run_within_limit() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    let names: Vec<_> = (0..20).map(|number| format!("i{number}")).collect();
    fixture.worker.plan("i3", &[Act::Panic]);
    fixture.worker.plan("i4", &[Act::Elsewhere]);
    let config: String = names.iter().map(|name| instance(name, "schedule = '0 2 * * *'\nretries = 0")).collect();
    let running = fixture.start(&config);
    fixture.until("2026-11-01T23:00:00Z").await;
    assert_eq!(fixture.worker.most.lock().unwrap().1, 2);
    let outcomes = running.outcomes();
    assert_eq!(outcomes.iter().filter(|outcome| is_done(outcome)).count(), 18);
    let fault = outcomes.iter().flatten().find_map(|outcome| match outcome {
        RunOutcome::Failed { error, .. } => Some(error.message.clone()),
        _ => None,
    });
    assert!(fault.unwrap().contains("bug in odoo-backup"));
    assert!(outcomes.contains(&Some(RunOutcome::Elsewhere)));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requested_run_starts_once_and_stops() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    fixture.worker.plan("a", &[Act::Work(Duration::from_mins(10))]);
    let running = fixture.start(&instance("a", ""));
    let mut events = running.handle.subscribe();
    let order = Order::Backup { reread: false };
    let id = running.handle.start("a", order.clone()).await.unwrap();
    let again = running.handle.start("a", order.clone()).await.unwrap_err();
    assert!(matches!(again, RefusedStart::AlreadyRunning { run, .. } if run == id), "{again}");
    let other = running.handle.start("b", order.clone()).await.unwrap_err();
    assert!(matches!(other, RefusedStart::NoSuchInstance(_)), "{other}");
    fixture.until("2026-11-01T00:01:00Z").await;
    let live = running.handle.live_run(id).unwrap();
    assert_eq!(live.phase, Phase::Working);
    assert!(live.tasks[0].done_bytes > 50, "{live:?}");
    assert!(running.handle.cancel(id));
    let (mut progress, mut ended) = (0, None);
    while ended.is_none() {
        match events.recv().await.unwrap() {
            Event::Progress { .. } => progress += 1,
            Event::Ended { run } => ended = run.outcome,
            Event::Began { run } => assert_eq!(run.id, id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ended, Some(RunOutcome::Cancelled));
    assert!(progress > 50, "{progress}");
    while running.handle.cancel(id) {
        tokio::task::yield_now().await;
    }
    running.handle.start("a", order).await.unwrap();
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn stop_after_grace_leaves_slot_due() {
    let fixture = Fixture::at("2026-11-01T01:59:00Z");
    let config = ["a", "b", "c"].map(|name| instance(name, "schedule = '0 2 * * *'")).concat();
    fixture.worker.plan("a", &[Act::Work(Duration::from_secs(90))]);
    fixture.worker.plan("b", &[Act::Hang]);
    let running = fixture.start(&config);
    fixture.until("2026-11-01T02:01:00Z").await;
    let handle = running.handle.clone();
    assert_eq!(handle.live().iter().filter(|run| run.phase == Phase::Waiting).count(), 1, "{:?}", handle.live());
    running.stop().await;
    assert_eq!(handle.now().as_second(), "2026-11-01T02:02:00Z".parse::<Timestamp>().unwrap().as_second());
    let refused = handle.start("a", Order::Backup { reread: false }).await.unwrap_err();
    assert!(matches!(refused, RefusedStart::Stopping));
    drop(handle);

    let running = fixture.start(&config);
    fixture.until("2026-11-01T03:00:00Z").await;
    let mut served: Vec<_> =
        running.runs().into_iter().filter(|run| is_done(&run.outcome)).map(|run| run.instance).collect();
    served.sort();
    assert_eq!(served, ["a", "b", "c"]);
    assert_eq!(running.outcomes().iter().filter(|outcome| **outcome == Some(RunOutcome::Cancelled)).count(), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn invalid_reload_keeps_configuration() {
    let fixture = Fixture::at("2026-11-01T00:00:00Z");
    let running = fixture.start(&instance("a", ""));
    let mut events = running.handle.subscribe();
    let rewrite = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
    rewrite(&fixture.path(), "[instance.a]\nschedul = 3");
    running.signals.send(Signal::Reload).await.unwrap();
    let Event::ReloadFailed { error } = events.recv().await.unwrap() else { panic!() };
    assert!(error.message.contains("did you mean `schedule`"), "{error}");
    assert!(running.handle.config().instances.contains_key("a"));

    let _ = fixture.config(&instance("b", "schedule = '0 2 * * *'"));
    running.signals.send(Signal::Reload).await.unwrap();
    assert!(matches!(events.recv().await.unwrap(), Event::Reloaded));
    fixture.until("2026-11-01T03:00:00Z").await;
    assert_eq!(running.runs().iter().map(|run| run.instance.as_str()).collect::<Vec<_>>(), ["b"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clock_set_back_frees_slots() {
    let fixture = Fixture::at("2027-06-01T09:59:00Z");
    let running = fixture.start(&instance("a", "schedule = '0 * * * *'"));
    fixture.until("2027-06-01T10:30:00Z").await;
    fixture.clock.step(jiff::SignedDuration::from_hours(-2));
    fixture.until("2027-06-01T10:30:00Z").await;
    let served = slots(&running.runs()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(served, ["2027-06-01T10:00:00Z", "2027-06-01T09:00:00Z", "2027-06-01T10:00:00Z"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn clock_ahead_costs_no_later_slot() {
    let fixture = Fixture::at("2027-06-01T09:59:00Z");
    let running = fixture.start(&instance("a", "schedule = '0 * * * *'"));
    fixture.clock.step(jiff::SignedDuration::from_hours(3));
    fixture.until("2027-06-01T13:30:00Z").await;
    fixture.clock.step(jiff::SignedDuration::from_hours(-3));
    running.stop().await;
    // A restart finds the slot in the journal.
    let running = fixture.start(&instance("a", "schedule = '0 * * * *'"));
    fixture.until("2027-06-01T12:30:00Z").await;
    let served = slots(&running.runs()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(served, ["2027-06-01T13:00:00Z", "2027-06-01T11:00:00Z", "2027-06-01T12:00:00Z"]);
    running.stop().await;
}
