//! Settings of the sessions that restore.

use crate::postgres::{PostgresError, Session};

/// More memory than this makes an index no faster.
const MOST_MEMORY: u64 = 1 << 30;
/// Less than this makes it slow, and no server is too small for it.
const LEAST_MEMORY: u64 = 64 << 20;

/// How the sessions that restore work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuning {
    jobs: u32,
    /// `maintenance_work_mem` in bytes: the memory of each job to build an index or to check a key.
    memory: u64,
}

impl Tuning {
    /// Divides a quarter of the server's free memory among the jobs, and gives each at least the
    /// server's own setting.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub(crate) async fn of(session: &Session, jobs: u32) -> Result<Self, PostgresError> {
        let query = "SELECT pg_size_bytes(current_setting('maintenance_work_mem')), pg_size_bytes(current_setting('shared_buffers'))";
        let row = session.query_one(query, &[]).await.map_err(session.failed("read the server's settings"))?;
        let [configured, buffers] = [0, 1].map(|column| row.get::<_, i64>(column).unsigned_abs());
        // The memory of another machine is unknown; operators set its buffers to a quarter of it,
        // as the manual says.
        let spare = if session.endpoint().is_local() { available_memory() } else { None };
        Ok(Self::with(jobs, configured, spare.unwrap_or(buffers * 2)))
    }

    fn with(jobs: u32, configured: u64, spare: u64) -> Self {
        let share = spare / 4 / u64::from(jobs.max(1));
        Self { jobs, memory: share.clamp(LEAST_MEMORY, MOST_MEMORY).max(configured) }
    }

    /// Returns how much memory each session may take to build an index or to check a key, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// Returns the number of parallel sessions.
    pub(crate) fn jobs(&self) -> u32 {
        self.jobs
    }

    /// Returns the settings as statements.
    pub(crate) fn statements(&self) -> String {
        format!("SET synchronous_commit = off; SET maintenance_work_mem = '{}kB'", self.memory / 1024)
    }

    /// Returns the settings as `PGOPTIONS` takes them.
    pub(in crate::postgres) fn options(&self) -> String {
        // Each of thousands of statements is its own commit. What a crash could lose of them is
        // lost with the session that claims the target. Without it the database never gets its
        // name, and that step is committed synchronously.
        format!("-c synchronous_commit=off -c maintenance_work_mem={}kB", self.memory / 1024)
    }
}

/// Returns the bytes that this machine could give a process without swapping.
fn available_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_among_jobs() {
        const MIB: u64 = 1 << 20;
        for (jobs, configured, spare, memory) in
            [(2, 64, 4096, 512), (1, 64, 4096, 1024), (8, 64, 1024, 64), (4, 64, 1 << 20, 1024), (4, 2048, 4096, 2048)]
        {
            assert_eq!(Tuning::with(jobs, configured * MIB, spare * MIB).memory, memory * MIB, "{jobs} {spare}");
        }
        assert!(available_memory().unwrap() > MIB);
    }
}
