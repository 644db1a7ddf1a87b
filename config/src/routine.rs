//! What an instance says of the daemon's work on it: schedules, and how hard it tries.

use std::time::Duration;

use crate::schedule::Schedule;
use engine::check::{InvalidSample, Sample};
use jiff::tz::TimeZone;
use retention::Zone;

use super::keys;
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value};

/// What the daemon does with an instance by itself, and when.
#[derive(Debug, Clone)]
pub struct Routine {
    /// Whose clock the schedules go by: the instance's `timezone`.
    pub zone: TimeZone,
    /// When it is backed up; `None`: not by itself.
    pub backup: Option<Schedule>,
    /// When its backups are checked; `None`: not by itself.
    pub check: Option<CheckRoutine>,
    /// Whether what was missed is done late, once.
    pub catch_up: bool,
    /// Within how long after its time a run begins.
    pub splay: Duration,
    /// How often what failed is tried again before that counts.
    pub retries: u32,
    /// How long nothing may advance before a run is stopped.
    pub stall_timeout: Duration,
    /// How old its newest good backup may become; `None`: as its schedule allows.
    pub stale_after: Option<Duration>,
}

/// `[instance.NAME.check]`
#[derive(Debug, Clone)]
pub struct CheckRoutine {
    /// When.
    pub schedule: Schedule,
    /// How much is read back; `None`: nothing.
    pub read_data: Option<Sample>,
}

impl Default for Routine {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            backup: None,
            check: None,
            catch_up: true,
            splay: Duration::ZERO,
            retries: 3,
            // Longer than a backup waits for a lock that will soon be free, and than a database of
            // many tables takes to begin.
            stall_timeout: Duration::from_mins(30),
            stale_after: None,
        }
    }
}

impl Routine {
    pub(super) fn in_zone(self, zone: &Zone) -> Self {
        Self { zone: zone.rules().clone(), ..self }
    }
}

/// Reads the keys of `instance` that are the daemon's, and the section inside it. The zone is set
/// by the caller.
pub(super) fn read(instance: &Section<'_>) -> Result<Routine, Reported> {
    let default = Routine::default();
    let backup = instance.optional("schedule");
    let catch_up = instance.optional("catch_up");
    let splay = instance.optional("splay");
    let retries = instance.optional("retries");
    let stall_timeout = instance.optional::<Duration>("stall_timeout").and_then(|timeout| match timeout {
        Some(Duration::ZERO) => Err(instance.refuse("stall_timeout", "expected more than zero")),
        timeout => Ok(timeout),
    });
    let stale_after = instance.optional("stale_after");
    let check = match instance.section("check", &keys::CHECK) {
        Ok(section) => section.map(|section| read_check(&section)).transpose(),
        Err(reported) => Err(reported),
    };
    Ok(Routine {
        zone: default.zone,
        backup: backup?,
        check: check?,
        catch_up: catch_up?.unwrap_or(default.catch_up),
        splay: splay?.unwrap_or(default.splay),
        retries: retries?.unwrap_or(default.retries),
        stall_timeout: stall_timeout?.unwrap_or(default.stall_timeout),
        stale_after: stale_after?,
    })
}

fn read_check(section: &Section<'_>) -> Result<CheckRoutine, Reported> {
    let schedule = section.required("schedule");
    let read_data = section.optional::<ReadData>("read_data");
    Ok(CheckRoutine { schedule: schedule?, read_data: read_data?.and_then(|read_data| read_data.0) })
}

struct ReadData(Option<Sample>);

impl Value for ReadData {
    const EXPECTED: &'static str = "true, false, or a part in quotes";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        match raw.value.as_bool() {
            Some(all) => Ok(Self(all.then_some(Sample::ALL))),
            None => String::read(raw)?
                .parse()
                .map(|sample| Self(Some(sample)))
                .map_err(|error: InvalidSample| error.to_string().into()),
        }
    }
}
