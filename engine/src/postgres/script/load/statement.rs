//! Classifies the statements of a dump, and decides whether they are run.

use super::copy::is_copy_from_stdin;
use super::{Doubt, has_doubtful_quotes, statements_if_escaped};
use crate::postgres::script::encoding::Encoding;

/// A statement with its semicolon.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Statement {
    pub(in crate::postgres) text: Vec<u8>,
    /// The line in which it begins, from 1.
    pub(super) line: u64,
    /// Its words in upper case, without those in quotes.
    pub(in crate::postgres) words: Vec<String>,
    /// How many parentheses it opens.
    pub(in crate::postgres) calls: u32,
    /// How each statement in the `BEGIN ATOMIC` body of a routine begins.
    pub(super) inner: Vec<String>,
}

/// What is done with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// The server runs it.
    Statement,
    /// The server loads the rows that follow.
    CopyIn,
    /// It is left out.
    Nothing,
}

/// The first version that knows `transaction_timeout`, which its pg_dump and later ones set.
const KNOWS_TRANSACTION_TIMEOUT: u32 = 17;

/// Objects outside of the one database of a dump.
const ELSEWHERE: [&str; 7] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE", "SYSTEM", "SUBSCRIPTION"];

/// How a query in the body of a routine begins, and how the body ends.
const IN_BODIES: [&str; 11] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "TABLE", "RETURN", "END", "("];

/// Types of the constants in statistics.
const OF_STATISTICS: [&str; 8] = ["INTEGER", "BIGINT", "REAL", "BOOLEAN", "TEXT", "NAME", "DOUBLE", "PRECISION"];

impl Statement {
    /// Decides what is done with it on a server of this version, or why the script is refused.
    pub(super) fn run(&self, server: u32) -> Result<Run, String> {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let has = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
        Ok(match words.as_slice() {
            ["SET", "TRANSACTION_TIMEOUT", ..] if server < KNOWS_TRANSACTION_TIMEOUT => Run::Nothing,
            // Everything belongs to the role that restores it.
            ["SET", "ROLE" | "SESSION", ..] | ["GRANT" | "REVOKE", ..] | ["ALTER", "DEFAULT", "PRIVILEGES", ..] => {
                Run::Nothing
            }
            // Only an extension's owner may write it, and CREATE EXTENSION has written it already.
            ["COMMENT", "ON", "EXTENSION", ..] => Run::Nothing,
            ["COPY", ..] if is_copy_from_stdin(&self.text) => Run::CopyIn,
            _ if self.reaches_elsewhere() || self.hides_statements() || self.may_be_several() => {
                return Err(self.refusal());
            }
            ["SELECT", ..] if !self.is_call_of_a_dump() => return Err(self.refusal()),
            // What comes next would be parsed differently.
            ["SET", "STANDARD_CONFORMING_STRINGS", value @ ..] if *value != ["ON"] => {
                return Err(
                    "it sets standard_conforming_strings = off: the ends of its statements are ambiguous".into()
                );
            }
            ["SET", "CLIENT_ENCODING", ..] if Encoding::of(&self.text).is_none() => {
                return Err("it is in an encoding that no database can have".into());
            }
            ["SET", "LOCAL", ..] => return Err(self.refusal()),
            ["ALTER", ..] if has("OWNER", "TO") => Run::Nothing,
            [
                "SET" | "SELECT" | "CREATE" | "ALTER" | "DROP" | "COMMENT" | "INSERT" | "REFRESH" | "SECURITY"
                | "BEGIN" | "COMMIT",
                ..,
            ] => Run::Statement,
            _ => return Err(self.refusal()),
        })
    }

    /// Returns whether it concerns something outside the one database.
    pub(in crate::postgres) fn reaches_elsewhere(&self) -> bool {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["CREATE" | "ALTER", "USER", "MAPPING", ..] => false,
            ["CREATE" | "ALTER" | "DROP", what, ..] => ELSEWHERE.contains(what) || *what == "OWNED",
            ["COMMENT", "ON", what, ..] => ELSEWHERE.contains(what),
            ["SECURITY", "LABEL", rest @ ..] => {
                let on = rest.iter().position(|word| *word == "ON");
                on.and_then(|on| rest.get(on + 1)).is_none_or(|what| ELSEWHERE.contains(what))
            }
            _ => false,
        }
    }

    /// Returns whether something other than queries is between the semicolons of a routine's body.
    /// To the server it may not be a body.
    pub(in crate::postgres) fn hides_statements(&self) -> bool {
        !self.inner.iter().all(|begin| IN_BODIES.contains(&begin.as_str()))
    }

    /// Returns whether a server with other settings could read it differently.
    fn may_be_several(&self) -> bool {
        match has_doubtful_quotes(&self.text) {
            Doubt::None => false,
            Doubt::Encoding => true,
            Doubt::Escape => statements_if_escaped(&self.text).is_some_and(|statements| {
                statements.len() > 1 || statements.iter().any(|one| one.hides_statements() || one.reaches_elsewhere())
            }),
        }
    }

    /// Returns a statement with unknown content.
    pub(super) fn hidden() -> Self {
        Self { text: Vec::new(), line: 0, words: Vec::new(), calls: 0, inner: vec![String::new()] }
    }

    /// Returns whether it is one of the function calls that pg_dump writes: one call with constants
    /// only.
    pub(in crate::postgres) fn is_call_of_a_dump(&self) -> bool {
        const SEARCH_PATH: &[u8] = b"SELECT pg_catalog.set_config('search_path', '";
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let is_known = match words.as_slice() {
            ["SELECT", "PG_CATALOG", "SET_CONFIG", "FALSE"] => self.text.starts_with(SEARCH_PATH),
            ["SELECT", "PG_CATALOG", "SETVAL", rest @ ..] => rest.iter().all(|word| ["TRUE", "FALSE"].contains(word)),
            ["SELECT", "PG_CATALOG", "LO_CREATE" | "LO_OPEN" | "LOWRITE" | "LO_CLOSE" | "LO_UNLINK"] => true,
            [
                "SELECT",
                "FROM",
                "PG_CATALOG",
                "PG_RESTORE_RELATION_STATS" | "PG_RESTORE_ATTRIBUTE_STATS" | "PG_CLEAR_ATTRIBUTE_STATS",
                rest @ ..,
            ] => rest.iter().all(|word| OF_STATISTICS.contains(word)),
            _ => false,
        };
        is_known && self.calls == 1
    }

    fn refusal(&self) -> String {
        let begin: Vec<_> = self.words.iter().take(3).map(String::as_str).collect();
        let begin = begin.join(" ").escape_debug().to_string();
        format!("`{begin}` is not a statement of a dump of one database, and is not run")
    }
}
