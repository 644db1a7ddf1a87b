//! A program with all that it starts.

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

/// A group of processes, killed on drop.
#[derive(Debug)]
pub(crate) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// Lets the program of `command` lead a group of its own.
    pub(crate) fn prepare(command: &mut Command) {
        command.kill_on_drop(true).process_group(0);
    }

    /// Returns the group that a program leads. Drop it before the child, whose number stays its own
    /// until it was waited for.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// Leaves the remaining processes running.
    pub(crate) fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}
