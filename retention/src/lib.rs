//! Which backups to keep, and why: from a policy, the list of an instance's backups and the time,
//! to a [`Plan`] that says for each backup *keep*, with all its reasons, or *remove*. Pure
//! functions: no I/O, no clock, no async.
//!
//! ```
//! use retention::{Backup, Policy, Situation, plan};
//!
//! let policy = Policy::default(); // 7 daily, 4 weekly, 3 monthly
//! let backups = [
//!     Backup::new("20261120T020003Z-77aa", "production", "2026-11-20T02:00:03Z".parse()?),
//!     Backup::new("20261121T020003Z-3f9c", "production", "2026-11-21T02:00:03Z".parse()?),
//! ];
//! let plan = plan(&policy, &backups, &Situation::at("2026-11-21T02:30:00Z".parse()?))?;
//! assert_eq!(plan.removals().count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The rules
//!
//! Slots are given out as restic's `forget` does it. The backups are walked from the newest to the
//! oldest; for each tier (hourly, daily, weekly, monthly, yearly) the **last** backup of a period
//! takes that period's slot, until the tier has as many as the policy says. Only periods that have
//! a backup count, so a pause in the backups costs no history. While a tier has slots left, the
//! oldest backup of all is kept too, so that the history grows to its full length from the first
//! day. A backup stays if any rule keeps it, and no tier takes a slot from another.
//!
//! Beyond restic, and whatever the numbers say:
//! - A pinned backup stays; the newest stays; the newest proven one stays until a newer one is
//!   proven.
//! - **A backup that finished with warnings displaces none that did not.** Within a period a clean
//!   one is preferred, however old. And all rules are applied twice, to all backups and to the
//!   clean ones alone, so that a row of backups with warnings never uses up the slots of the clean
//!   ones before it.
//! - A backup dated in the future is kept and reported, takes no slot, and is not "the newest": its
//!   date cannot be trusted.
//! - Nothing at all is removed while a [`Hold`] stands: the newest backup is too old, or its
//!   figures fell too far.
//!
//! Plans are made for one instance at a time, because each instance has its own policy and its own
//! schedule.

mod backup;
mod hold;
mod period;
mod plan;
mod policy;
mod reason;
mod rules;
mod setting;

pub use backup::{Backup, Figure, Figures};
pub use hold::Hold;
pub use period::{Period, Tier};
pub use plan::{Decision, Plan, PlanError, Situation, Verdict, plan};
pub use policy::{Policy, PolicyError};
pub use reason::{Miss, Reason, Rule};
pub use setting::{Age, Percent, SettingError, Zone};
