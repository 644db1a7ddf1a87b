//! The metrics without a daemon, for the textfile collector of node_exporter.

use jiff::Timestamp;

use super::table::{TEXTFILE_COMPLETE, TEXTFILE_WRITTEN};
use super::text::Text;
use super::{flag, of_conditions, of_jobs, of_notifiers, of_program, of_repository, seconds};
use crate::condition::Severity;
use crate::facts::Known;
use crate::view::{InstanceView, Standing};

/// What is known without a daemon.
#[derive(Debug)]
pub struct Textfile<'a> {
    /// The instances of the configuration, with the runs in the daemon's journal.
    pub instances: &'a [InstanceView],
    /// The notifiers.
    pub notifiers: &'a [Standing],
    /// The repository.
    pub known: &'a Known,
    /// Whether a daemon is running, and says in the journal what runs.
    pub daemon_runs: bool,
    /// Whether everything could be read: the repository, the journal and the state of the
    /// notifiers.
    pub is_complete: bool,
}

/// Returns the metrics in Prometheus' text format. `seen` is `None` if not even the configuration
/// could be read: the text then says only that.
///
/// What could not be read has no sample, so that no former value and no zero is shown for it. The
/// condition of an instance has one only if nothing that was not read could change it.
pub fn textfile(seen: Option<&Textfile<'_>>, now: Timestamp) -> String {
    let mut text = Text::default();
    of_program(&mut text);
    if let Some(Textfile { instances, notifiers, known, daemon_runs, is_complete }) = seen {
        of_notifiers(notifiers, &mut text);
        of_jobs(instances, *daemon_runs, &mut text);
        let severity = |view: &InstanceView| known.condition(view, now).severity();
        let certain =
            |view: &InstanceView| Some(severity(view)).filter(|severity| *is_complete || *severity == Severity::Failed);
        of_conditions(instances, certain, &mut text);
        of_repository(known, &mut text);
    }
    text.add(&TEXTFILE_COMPLETE, [(vec![], flag(seen.is_some_and(|seen| seen.is_complete)))]);
    text.add(&TEXTFILE_WRITTEN, [(vec![], seconds(now))]);
    text.into_string()
}
