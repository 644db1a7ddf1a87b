//! The life of a run: queue, attempts, end.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine::backoff::Backoff;
use engine::progress::Progress;
use engine::run::Run;
use tracing::Instrument;

use crate::failure::Failure;
use crate::journal::{RunOutcome, RunRecord};
use crate::live::{End, Live};
use crate::log;
use crate::shared::Shared;
use crate::view::{Event, Phase};
use crate::work::{Order, Work, between_hooks};

/// Between two attempts.
const AFTER_FAILURE: Backoff = Backoff::new(Duration::from_secs(30), 4, Duration::from_hours(1));
/// Between two looks at a lock of the instance that another process holds.
const WHILE_HELD: Backoff = Backoff::new(Duration::from_secs(5), 2, Duration::from_mins(2));
/// How long a stopped run may take to clean up: a store that hangs may block the cleanup, too.
const CLEANUP: Duration = Duration::from_mins(2);
/// The pause between two attempts to record how a run ended.
const JOURNAL_PAUSE: Duration = Duration::from_secs(10);
/// Between two reports of how far a run is.
const REPORT: Duration = Duration::from_secs(1);

/// Executes a run from its start to its end, and records it.
pub(crate) async fn live(shared: Arc<Shared>, live: Arc<Live>) {
    let span = log::span(&live.record);
    let ended = {
        let (shared, live, span) = (shared.clone(), live.clone(), span.clone());
        // A task of its own, so that a panic ends only this run.
        tokio::spawn(async move { attempts(&shared, &live).await }.instrument(span)).await
    };
    let end = ended.unwrap_or_else(|error| {
        let error = Failure::Fault(error.to_string()).explain();
        End::RunOutcome(RunOutcome::Failed { error, attempts: live.attempt() })
    });
    conclude(&shared, &live, end).instrument(span).await;
    shared.gone(live.id());
}

async fn attempts(shared: &Shared, live: &Live) -> End {
    let (mut retried, mut looks) = (0, 0);
    loop {
        enter(shared, live, Phase::Waiting);
        let turn = shared.permits.acquire(live.record.job, live.id());
        let permit = match or_stopped(shared, live, turn).await {
            Ok(permit) => permit,
            Err(end) => return end,
        };
        enter(shared, live, Phase::Working);
        let failure = match attempt(shared, live).await {
            Ok(outcome) => return End::RunOutcome(outcome),
            // The reason of the stop says how it ended.
            Err(_) if live.cancel.is_cancelled() => return live.stopped(),
            Err(failure) => failure,
        };
        drop(permit);
        let error = failure.explain();
        let retries = match live.order {
            // A user watches it, and its obstacles seldom disappear by themselves.
            Order::Restore { .. } | Order::Undo { .. } => 0,
            _ => shared.config().instances.get(&live.record.instance).map_or(0, |it| it.routine.retries),
        };
        let pause = if failure.is_held_elsewhere() && live.slot().is_some() {
            // Another daemon serves the slot, or a person makes a backup: no failure, and it takes
            // as long as it takes.
            tracing::info!("waiting for another process: {error}");
            looks += 1;
            WHILE_HELD.after(looks)
        } else if failure.is_worth_a_retry() && retried < retries {
            retried += 1;
            let pause = AFTER_FAILURE.after(retried);
            tracing::warn!("attempt {retried} failed, next attempt in {} seconds: {error}", pause.as_secs());
            pause
        } else {
            return End::RunOutcome(RunOutcome::Failed { error, attempts: retried + 1 });
        };
        live.try_again(retried + 1, error);
        let until = shared.clock.now().checked_add(pause).unwrap_or(jiff::Timestamp::MAX);
        enter(shared, live, Phase::Pausing { until });
        if let Err(end) = or_stopped(shared, live, tokio::time::sleep(pause)).await {
            return end;
        }
    }
}

fn enter(shared: &Shared, live: &Live, phase: Phase) {
    live.enter(phase);
    shared.tell(Event::Progress { run: live.view() });
}

/// Waits, unless the run or the daemon is stopped.
async fn or_stopped<T>(shared: &Shared, live: &Live, wait: impl Future<Output = T>) -> Result<T, End> {
    tokio::select! {
        biased;
        () = live.cancel.cancelled() => Err(live.stopped()),
        () = shared.stopping.cancelled() => Err(End::Stopping),
        done = wait => Ok(done),
    }
}

/// Makes one attempt between the hooks of the order.
async fn attempt(shared: &Shared, live: &Live) -> Result<RunOutcome, Failure> {
    let config = shared.config();
    let instance = config.instance(&live.record.instance)?;
    let run = Run { progress: Progress::new(live.progress.clone()), cancel: live.cancel.child_token() };
    let work = Work { config: &config, instance, order: &live.order, slot: live.slot(), run: &run };
    // Warnings and phases of an earlier attempt do not belong to this one.
    live.progress.begin_attempt();
    tokio::select! {
        done = between_hooks(&work, unless_stalled(shared, live, &work)) => done,
        never = report(shared, live) => match never {},
    }
}

/// Does the work, and stops it if it makes no progress.
async fn unless_stalled(shared: &Shared, live: &Live, work: &Work<'_>) -> Result<RunOutcome, Failure> {
    let timeout = work.instance.routine.stall_timeout;
    let run = Run { cancel: work.run.cancel.child_token(), ..work.run.clone() };
    let mut done = shared.worker.work(Work { run: &run, ..*work });
    tokio::select! {
        done = &mut done => return done,
        () = live.progress.stalled(timeout) => {}
    }
    tracing::error!("no progress for {} seconds: stopping the run", timeout.as_secs());
    run.cancel.cancel();
    match tokio::time::timeout(CLEANUP, done).await {
        // It succeeded after all.
        Ok(Ok(outcome)) => Ok(outcome),
        _ => Err(Failure::Stalled(timeout)),
    }
}

/// Reports the progress of the run until it is dropped.
async fn report(shared: &Shared, live: &Live) -> Infallible {
    loop {
        tokio::time::sleep(REPORT).await;
        if shared.has_listeners() {
            shared.tell(Event::Progress { run: live.view() });
        }
    }
}

/// Records how a run ended, and that its slot is served.
async fn conclude(shared: &Shared, live: &Live, end: End) {
    enter(shared, live, Phase::Ending);
    let is_over = matches!(end, End::RunOutcome(_));
    let outcome = match end {
        End::RunOutcome(outcome) => outcome,
        End::Stopping => RunOutcome::Cancelled,
    };
    tell_log(&outcome, &live.progress.take_warnings());
    let (id, at) = (live.id(), shared.clock.now());
    let slot = live.slot().filter(|_| is_over);
    let phases = live.progress.took();
    loop {
        let (outcome, instance, job) = (outcome.clone(), live.record.instance.clone(), live.record.job);
        let took = phases.clone();
        let written = shared.write(move |journal| {
            journal.end_after(id, at, outcome, took);
            if let Some(slot) = slot {
                journal.set_slot(&instance, job, slot);
            }
        });
        let Err(error) = written.await else { break };
        // Without the record the run would count as lost, and its slot would be served again.
        tracing::error!("unable to record the end of the run: {}", config::explain(&error));
        tokio::select! {
            () = tokio::time::sleep(JOURNAL_PAUSE) => {}
            () = shared.stopping.cancelled() => break,
        }
    }
    let run = RunRecord { ended_at: Some(at), outcome: Some(outcome), phases, ..live.record.clone() };
    shared.tell(Event::Ended { run });
}

/// Logs how a run ended. The warnings in `reported` are in the log already.
fn tell_log(outcome: &RunOutcome, reported: &[String]) {
    match outcome {
        RunOutcome::Done { backup, warnings, .. } => {
            for warning in warnings {
                tracing::warn!("{warning}");
            }
            let backup = backup.as_ref().map(ToString::to_string);
            let reported = reported.iter().filter(|warning| !warnings.contains(warning)).count();
            tracing::info!(backup, warnings = warnings.len() + reported, "done");
        }
        RunOutcome::Failed { error, attempts } => tracing::error!(attempts, hint = error.hint, "{outcome}"),
        RunOutcome::Cancelled => tracing::warn!("{outcome}"),
        RunOutcome::Elsewhere => tracing::info!("{outcome}"),
        RunOutcome::Lost => tracing::error!("{outcome}"),
    }
}
