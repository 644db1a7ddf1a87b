//! The settings of every session, of this program's connections and of PostgreSQL's programs.
//!
//! A role, a database or the server may have settings of their own, meant for applications: time
//! limits, formats, a `search_path`. The settings that this program relies on are sent with the
//! request to connect. Start-up options override those of role and database, and apply to the first
//! statement already.

use crate::postgres::{PostgresError, Session};

/// Known to every supported server, and allowed to every role.
const EVERYWHERE: &[(&str, &str)] = &[
    // A name without a schema is the server's own, and so is every operator, cast and function.
    // Temporary objects come last.
    ("search_path", "pg_catalog,pg_temp"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    // How values are read: with `array_nulls = off`, NULLs in arrays of a dump would become the
    // word.
    ("array_nulls", "on"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("xmloption", "content"),
    // How SQL is read and written.
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    // A policy that would hide rows is an error rather than a table with fewer rows.
    ("row_security", "off"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("default_tablespace", ""),
    // What programs write to stderr is shown.
    ("client_min_messages", "warning"),
];

/// Known since a major version. A server refuses a connection for an option that it does not know.
const SINCE: &[(u32, &str, &str)] =
    &[(12, "default_table_access_method", "heap"), (14, "idle_session_timeout", "0"), (17, "transaction_timeout", "0")];

/// Only a superuser may set these, which would silently skip rows, or disable triggers and foreign
/// keys.
const OF_SUPERUSERS: &[(&str, &str)] =
    &[("session_replication_role", "origin"), ("zero_damaged_pages", "off"), ("ignore_checksum_failure", "off")];

/// What a session may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) struct Settings {
    /// The server's major version; 0 while it is unknown.
    pub(in crate::postgres) major: u32,
    /// Whether the role is a superuser.
    pub(in crate::postgres) superuser: bool,
}

impl Settings {
    /// Those that every server accepts from every role.
    pub(in crate::postgres) const UNKNOWN: Self = Self { major: 0, superuser: false };

    /// Returns names and values beyond those that every server accepts.
    fn more(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let known =
            SINCE.iter().filter(move |(since, ..)| *since <= self.major).map(|(_, name, value)| (*name, *value));
        known.chain(OF_SUPERUSERS.iter().copied().filter(move |_| self.superuser))
    }

    /// Returns them as the start-up packet and `PGOPTIONS` take them.
    pub(in crate::postgres) fn options(self) -> String {
        let all = EVERYWHERE.iter().copied().chain(self.more());
        let options = all.map(|(name, value)| format!("-c {name}={}", value.replace(' ', "\\ ")));
        options.collect::<Vec<_>>().join(" ")
    }

    /// Returns those that `sent` did not include, as statements.
    pub(in crate::postgres) fn statements_beyond(self, sent: Self) -> String {
        let sent: Vec<_> = sent.more().collect();
        let missing = self.more().filter(|setting| !sent.contains(setting));
        missing.map(|(name, value)| format!("SET {name} = '{value}';")).collect()
    }

    /// The value of `search_path` shown by a server that applied the options.
    pub(in crate::postgres) const SEARCH_PATH: &str = EVERYWHERE[0].1;
}

/// A wrong setting that the session's role may not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stubborn {
    /// Its name: `session_replication_role`.
    pub name: String,
    /// Its value: `replica`.
    pub value: String,
}

/// Looks for wrong settings that only a superuser may change.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn stubborn_settings(session: &Session) -> Result<Vec<Stubborn>, PostgresError> {
    let (names, values): (Vec<_>, Vec<_>) = OF_SUPERUSERS.iter().copied().unzip();
    let query = "SELECT s.name, s.setting FROM pg_catalog.pg_settings s
        JOIN unnest($1::text[], $2::text[]) AS wanted (name, value) ON wanted.name = s.name AND wanted.value <> s.setting
        ORDER BY 1";
    let rows = session.query(query, &[&names, &values]).await.map_err(session.failed("read the session's settings"))?;
    Ok(rows.iter().map(|row| Stubborn { name: row.get(0), value: row.get(1) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_to_server() {
        let options = |major, superuser| Settings { major, superuser }.options();
        assert!(options(0, false).starts_with("-c search_path=pg_catalog,pg_temp -c statement_timeout=0 "));
        assert!(options(0, false).contains(r"-c default_transaction_isolation=read\ committed "));
        assert!(!options(13, false).contains("idle_session_timeout"));
        assert!(options(16, false).contains(" -c idle_session_timeout=0"));
        assert!(!options(16, true).contains("transaction_timeout=0 -c transaction"));
        assert!(options(18, true).ends_with(" -c ignore_checksum_failure=off"));
    }

    #[test]
    fn only_missing_settings_become_statements() {
        let newest = Settings { major: 18, superuser: false };
        assert_eq!(
            newest.statements_beyond(Settings::UNKNOWN),
            "SET default_table_access_method = 'heap';SET idle_session_timeout = '0';SET transaction_timeout = '0';"
        );
        assert_eq!(newest.statements_beyond(newest), "");
    }
}
