//! The last part of a restore without what cannot be created.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Seek};
use std::path::Path;
use std::process::Stdio;

use crate::postgres::{PostgresError, Restoring, Section, connect};

/// Errors that concern the server, or an interruption, rather than an index: the next attempt may
/// succeed.
const OF_THE_SERVER: [&str; 11] = [
    "connection",
    "FATAL",
    "PANIC",
    "No space left on device",
    "could not extend file",
    "could not write",
    "could not read",
    "could not open file",
    "out of memory",
    "canceling statement",
    "shared memory",
];

impl Restoring<'_> {
    /// Restores [`Section::PostData`] as [`Self::file`] does, but leaves out what cannot be
    /// created. Returns the numbers of those entries and the reasons. It uses one job, so that each
    /// error belongs to a known entry.
    ///
    /// # Errors
    /// [`PostgresError`] also if something other than an entry failed.
    pub(crate) async fn post_data_skipping(&self, path: &Path) -> Result<Vec<(i64, String)>, PostgresError> {
        let failed = |source| PostgresError::Run { program: self.tool.path.clone(), source };
        let (mut command, _list, session) = self.lenient_command(Section::PostData).await?;
        drop(session);
        let mut stderr = tempfile::Builder::new().prefix("stderr-").tempfile_in(self.scratch).map_err(failed)?;
        command.env("LC_MESSAGES", "C").env_remove("LC_ALL").env_remove("LANGUAGE");
        // Without it, an error does not name its entry.
        command.args(["--jobs=1", "--verbose"]).arg(path).stdin(Stdio::null()).kill_on_drop(true);
        command.stderr(stderr.reopen().map_err(failed)?);
        let status = command.spawn().map_err(failed)?.wait().await.map_err(failed)?;
        stderr.rewind().map_err(failed)?;
        let said = Said::read(BufReader::new(stderr));
        if status.success() || said.went_to_the_end && said.others.is_empty() {
            // Whatever the server said last, it must still be there.
            connect(self.endpoint).await?;
            return Ok(said.of_entries.into_iter().collect());
        }
        Err(PostgresError::Failed {
            program: "pg_restore".to_owned(),
            status: status.to_string(),
            subject: self.endpoint.to_string(),
            stderr: said.others.into_iter().take(10).collect::<Vec<_>>().join("; "),
        })
    }
}

/// What pg_restore wrote.
#[derive(Debug, Default)]
struct Said {
    /// The first error of each entry.
    of_entries: BTreeMap<i64, String>,
    /// Errors about nothing that could be left out.
    others: Vec<String>,
    /// Whether it reports that it continued to the end.
    went_to_the_end: bool,
}

impl Said {
    fn read(stderr: impl BufRead) -> Self {
        const LONGEST: usize = 500;
        let mut said = Self::default();
        // The entry of the errors, and whether the next line continues one.
        let (mut current, mut open) = (None, None);
        for line in stderr.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let own = line.strip_prefix("pg_restore: ");
            if let Some(detail) = line.strip_prefix("DETAIL:  ").filter(|_| open.is_some()) {
                if let Some(reason) = open.and_then(|id| said.of_entries.get_mut(&id)) {
                    reason.push_str(": ");
                    reason.extend(detail.chars().take(LONGEST));
                }
            } else if own.is_some_and(|line| line.starts_with("while INITIALIZING")) {
                current = None;
            } else if let Some(of) = own.and_then(|line| line.strip_prefix("from TOC entry ")) {
                current = of.split(';').next().and_then(|id| id.parse::<i64>().ok());
            } else if own.is_some_and(|line| line.starts_with("warning: errors ignored on restore: ")) {
                said.went_to_the_end = true;
            } else if let Some(error) = own.and_then(|line| line.strip_prefix("error: ")) {
                open = None;
                let reason = error.strip_prefix("could not execute query: ");
                match (current, reason.filter(|reason| !OF_THE_SERVER.iter().any(|one| reason.contains(one)))) {
                    (Some(id), Some(reason)) => {
                        let reason = reason.strip_prefix("ERROR:  ").unwrap_or(reason);
                        said.of_entries.entry(id).or_insert_with(|| reason.chars().take(LONGEST).collect());
                        open = Some(id);
                    }
                    // The error of a setting that an older server does not know.
                    (None, Some(reason)) if reason.contains("transaction_timeout") => {}
                    _ => said.others.push(error.chars().take(LONGEST).collect()),
                }
            } else {
                open = open.filter(|_| line.starts_with("HINT:") || line.starts_with("CONTEXT:"));
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
pg_restore: while INITIALIZING:
pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"
Command was: SET transaction_timeout = 0;
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3170; 2606 16390 CONSTRAINT t t_pkey odoo
pg_restore: error: could not execute query: ERROR:  could not create unique index \"t_pkey\"
DETAIL:  Key (id)=(1) is duplicated.
Command was: ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (id);

pg_restore: from TOC entry 3171; 2606 16392 FK CONSTRAINT u u_fkey odoo
pg_restore: error: could not execute query: ERROR:  there is no unique constraint matching given keys for referenced table \"t\"
Command was: ALTER TABLE ONLY public.u ADD;
";

    #[test]
    fn errors_are_assigned_to_entries() {
        let said = Said::read(format!("{SAID}pg_restore: warning: errors ignored on restore: 3\n").as_bytes());
        let reason = "could not create unique index \"t_pkey\": Key (id)=(1) is duplicated.";
        assert_eq!(said.of_entries[&3170], reason);
        assert!(said.of_entries[&3171].starts_with("there is no unique constraint"));
        assert!(said.went_to_the_end && said.others.is_empty(), "{said:?}");
    }

    #[test]
    fn server_errors_belong_to_no_entry() {
        for reason in [
            "could not execute query: server closed the connection unexpectedly",
            "could not execute query: ERROR:  could not extend file \"base/1/2\": No space left on device",
            "could not execute query: FATAL:  terminating connection due to administrator command",
            "could not read from input file: end of file",
        ] {
            let said = Said::read(format!("{SAID}pg_restore: error: {reason}\n").as_bytes());
            assert_eq!(said.others.len(), 1, "{reason}");
        }
        assert!(!Said::read(SAID.as_bytes()).went_to_the_end);
    }
}
