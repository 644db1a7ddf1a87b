//! The daemon: what runs the schedules, and what others are told of it.
//!
//! The [`agenda`] says what is due and the [`journal`] what ran; both are without a clock and without tasks. The
//! [`Handle`] is what everything else stands on, inside of this crate and outside: it shows instances, runs and events, and takes orders.
//! A run's life is in `run`, what it does in [`work`], the loop that begins what is due in `scheduler`.

pub mod agenda;
pub mod clock;
mod failure;
mod handle;
mod http;
pub mod journal;
pub mod log;
pub mod notify;
mod permits;
mod progress;
mod run;
mod scheduler;
mod service;
pub mod staleness;
mod systemd;
pub mod view;
pub mod work;

pub use failure::Failure;
pub use handle::{Handle, OpenError, RefusedStart, RunFilter};
pub use http::ListenError;
pub use progress::TaskState;
pub use service::{Signal, run};
pub use view::{Event, InstanceView, JobView, LiveRun, Phase};
pub use work::Order;

pub use crate::agenda::Job;
