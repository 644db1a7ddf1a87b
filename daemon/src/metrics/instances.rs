//! Metrics of the program, its notifiers, and the jobs of the instances: from the daemon's memory
//! or from its state folder.

use super::table::{
    BUILD_INFO, CONDITION, DURATION, INTERVAL, LAST_FAILURE, LAST_SUCCESS, NEXT_RUN, NOTIFICATIONS, NOTIFIER_FAILING,
    RUNNING, STALE_AFTER,
};
use super::text::{Metric, Text};
use super::{INSTANCE, flag, labels, seconds};
use crate::condition::Severity;
use crate::journal::RunRecord;
use crate::view::{InstanceView, JobView, Standing};

/// Adds the version.
pub(crate) fn of_program(text: &mut Text) {
    text.add(&BUILD_INFO, [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)]);
}

/// Adds how the notifiers are doing.
pub(crate) fn of_notifiers(notifiers: &[Standing], text: &mut Text) {
    text.add(
        &NOTIFIER_FAILING,
        notifiers.iter().map(|it| (vec![("notifier", it.name.as_str())], flag(it.health.failing_since.is_some()))),
    );
    let outcomes = notifiers.iter().flat_map(|it| {
        let counts = [("sent", it.health.sent), ("failed", it.health.failed), ("given_up", it.health.given_up)];
        counts.map(|(outcome, count)| (vec![("notifier", it.name.as_str()), ("outcome", outcome)], count as f64))
    });
    text.add(&NOTIFICATIONS, outcomes);
}

/// Adds the jobs. Without a running daemon nothing is scheduled, and what runs is not known.
pub(crate) fn of_jobs(instances: &[InstanceView], daemon_runs: bool, text: &mut Text) {
    let jobs = || instances.iter().flat_map(|instance| instance.jobs.iter().map(|job| (instance.name.as_str(), job)));
    let mut add = |metric: &Metric, value: &dyn Fn(&JobView) -> Option<f64>| {
        text.add(metric, jobs().filter_map(|(name, job)| Some((labels(name, job.job), value(job)?))));
    };
    add(&LAST_SUCCESS, &|job| job.latest_success.as_ref()?.ended_at.map(seconds));
    add(&LAST_FAILURE, &|job| job.latest_failure.as_ref()?.ended_at.map(seconds));
    add(&DURATION, &|job| took(job.latest_success.as_ref()?));
    add(&NEXT_RUN, &|job| job.next.filter(|_| daemon_runs).map(|slot| seconds(slot.begins)));
    add(&INTERVAL, &|job| job.interval_seconds.map(|seconds| seconds as f64));
    add(&RUNNING, &|job| daemon_runs.then(|| flag(job.running.is_some())));
}

/// Adds how each instance is doing; nothing for those of which that is not known.
pub(crate) fn of_conditions(
    instances: &[InstanceView],
    severity: impl Fn(&InstanceView) -> Option<Severity>,
    text: &mut Text,
) {
    let conditions = instances.iter().filter_map(|view| {
        let severity = match severity(view)? {
            Severity::Ok => 0.0,
            Severity::Warning => 1.0,
            Severity::Failed => 2.0,
        };
        Some((vec![(INSTANCE, view.name.as_str())], severity))
    });
    text.add(&CONDITION, conditions);
    let allowed = instances.iter().filter_map(|instance| Some((instance.name.as_str(), instance.stale_after_seconds?)));
    text.add(&STALE_AFTER, allowed.map(|(name, seconds)| (vec![(INSTANCE, name)], seconds as f64)));
}

fn took(run: &RunRecord) -> Option<f64> {
    Some(run.ended_at?.duration_since(run.began_at).as_secs_f64())
}
