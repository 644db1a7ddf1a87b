//! The surroundings of a configuration file.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use retention::Zone;

/// Looks an environment variable up.
pub(crate) type Variables = dyn Fn(&str) -> Option<OsString>;

/// The surroundings of a configuration file, of the process or of a test.
pub(crate) struct Surroundings {
    /// Environment variables.
    pub(crate) variable: Box<Variables>,
    /// The current folder.
    pub(crate) folder: PathBuf,
    /// The root of the system's own paths: `/`.
    pub(crate) root: PathBuf,
    /// What `~/` stands for.
    pub(crate) home: Option<PathBuf>,
}

impl Surroundings {
    /// Returns the surroundings of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            variable: Box::new(|name| std::env::var_os(name)),
            folder: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            root: "/".into(),
            home: std::env::home_dir(),
        }
    }
}

/// Returns whether `path` exists. A path that cannot be examined counts as existing: reading it
/// then says why it fails.
pub(super) fn exists(path: &Path) -> bool {
    let absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    !fs::metadata(path).is_err_and(|error| absent(error.kind()))
}

/// Returns the zone of this machine, where it has a name; else UTC.
pub(super) fn system_zone() -> Zone {
    let system = TimeZone::system();
    system.iana_name().and_then(|name| name.parse().ok()).unwrap_or_else(Zone::utc)
}
