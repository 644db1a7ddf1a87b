//! The daemon: runs the schedules, and reports what happens.
//!
//! The [`agenda`] says what is due and the [`journal`] what ran; both are without a clock and
//! without tasks. The [`Handle`] is what everything above it uses, in this crate and outside: it
//! shows instances, runs and events ([`view`]), and takes orders. The state that all of it shares
//! is in `shared`. A run's life is in `run`, what it does in [`work`], the loop that begins what is
//! due in `scheduler`.
//!
//! ```no_run
//! use config::Config;
//! use daemon::{Handle, log::RunLogs};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let handle = Handle::open(Config::find_and_load(None)?)?;
//! let (signals, received) = tokio::sync::mpsc::channel(1);
//! let service = tokio::spawn(daemon::run(handle.clone(), RunLogs::default(), received));
//! for instance in handle.instances() {
//!     println!("{}", instance.name);
//! }
//! signals.send(daemon::Signal::Stop).await?;
//! service.await??;
//! # Ok(())
//! # }
//! ```

pub mod agenda;
pub mod clock;
pub mod condition;
pub mod facts;
mod failure;
pub mod follow;
mod handle;
mod http;
pub mod journal;
mod live;
pub mod log;
pub mod metrics;
pub mod notify;
mod permits;
mod progress;
mod run;
mod scheduler;
mod service;
mod shared;
pub mod sources;
pub mod staleness;
mod systemd;
pub mod view;
pub mod work;

pub use crate::agenda::Job;
pub use failure::Failure;
pub use handle::{Handle, OpenError, RefusedStart, RunFilter};
pub use http::ListenError;
pub use progress::TaskState;
pub use service::{Signal, run};
pub use view::{Event, InstanceView, JobView, LiveRun, Phase};
pub use work::Order;
