//! Identifies the process that owns a claim, and finds out whether it still runs.

use std::fmt;
use std::fs;

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process, as other processes can identify it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of its machine.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// The current boot of the machine and the process's pid namespace. `pid` means the same
    /// process only within both. Empty if the system does not say.
    #[serde(default)]
    pub place: String,
    /// When it started, in the kernel's ticks since the boot, because process ids are reused.
    #[serde(default)]
    pub started: u64,
}

impl Owner {
    /// Returns this process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let place = match (boot, fs::read_link("/proc/self/ns/pid")) {
            (Ok(boot), Ok(namespace)) => format!("{} {}", boot.trim(), namespace.display()),
            _ => String::new(),
        };
        let started = Stat::of(pid).map_or(0, |stat| stat.started);
        Self { host, pid, place, started }
    }

    /// Returns whether the process has certainly ended. That cannot be known of a process on
    /// another machine or in another container.
    pub(super) fn has_ended(&self) -> bool {
        let this = Self::this();
        if this.place.is_empty() || self.place != this.place {
            return false;
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return false };
        match Stat::of(self.pid) {
            Some(stat) => stat.started != self.started || stat.is_dead,
            // If other users' processes are hidden from this user, a signal still shows whether
            // there is one.
            None => test_kill_process(pid) == Err(rustix::io::Errno::SRCH),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The object may contain any text.
        write!(f, "{} (process {})", self.host.escape_debug(), self.pid)
    }
}

/// What the kernel says of a process.
struct Stat {
    started: u64,
    is_dead: bool,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses, which may contain any character.
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        Some(Self { started: fields.nth(18)?.parse().ok()?, is_dead: matches!(state, "Z" | "X") })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn ended_process_is_recognized() {
        let this = Owner::this();
        assert!(!this.place.is_empty() && this.started > 0, "{this:?}");
        assert!(!this.has_ended());
        assert!(Owner { started: this.started - 1, ..this.clone() }.has_ended(), "the number was reused");
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let started = Stat::of(child.id()).unwrap().started;
        let other = Owner { pid: child.id(), started, ..this };
        assert!(!other.has_ended());
        child.kill().unwrap();
        while !other.has_ended() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(other.has_ended());
        assert!(!Owner { place: "another machine".into(), ..other.clone() }.has_ended());
        assert!(!Owner { place: String::new(), ..other }.has_ended());
    }
}
