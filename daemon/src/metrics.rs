//! The metrics, for Prometheus: what the daemon serves at `/metrics`, and what `status --textfile`
//! writes. `docs/metrics.md` lists them, and a test compares the two.
//!
//! The labels are names of the configuration and words of this program, so that their number does
//! not grow with time.

mod instances;
mod repository;
pub(crate) mod table;
pub(crate) mod text;
mod textfile;

use jiff::Timestamp;

pub(crate) use self::instances::{of_conditions, of_jobs, of_notifiers, of_program};
pub(crate) use self::repository::of_repository;
pub use self::textfile::{Textfile, textfile};
use crate::agenda::Job;

/// The label of an instance of the configuration. `instance` and `job` are Prometheus' own, for
/// what it asked.
pub(crate) const INSTANCE: &str = "odoo_instance";

/// Returns the labels of a job of an instance.
pub(crate) fn labels(instance: &str, job: Job) -> Vec<(&'static str, &str)> {
    vec![(INSTANCE, instance), ("kind", job.as_str())]
}

/// Returns a time as Prometheus has it.
pub(crate) fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

/// Returns yes or no as Prometheus has it.
pub(crate) fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}
