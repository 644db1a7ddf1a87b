//! What a statement of a dump is, and whether it is run.

/// A statement with its semicolon.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: Vec<u8>,
    /// The line in which it begins, from 1.
    pub(super) line: u64,
    /// Its words in upper case, without those in quotes.
    pub(super) words: Vec<String>,
}

/// What is done with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// The server runs it.
    Statement,
    /// The server takes the rows behind it.
    CopyIn,
    /// It is left out.
    Nothing,
}

/// The first version that knows `transaction_timeout`, which pg_dump of that version and later sets.
const KNOWS_TRANSACTION_TIMEOUT: u32 = 17;

/// What lies outside of the one database that a dump is of.
const ELSEWHERE: [&str; 7] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE", "SYSTEM", "SUBSCRIPTION"];

impl Statement {
    /// What is done with it on a server of this version, or why the script is refused.
    pub(super) fn run(&self, server: u32) -> Result<Run, String> {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        let has = |first: &str, second: &str| words.windows(2).any(|pair| pair == [first, second]);
        Ok(match words.as_slice() {
            ["SET", "TRANSACTION_TIMEOUT", ..] if server < KNOWS_TRANSACTION_TIMEOUT => Run::Nothing,
            // All of it belongs to the role that restores it.
            ["SET", "ROLE" | "SESSION", ..] | ["GRANT" | "REVOKE", ..] | ["ALTER", "DEFAULT", "PRIVILEGES", ..] => {
                Run::Nothing
            }
            // Which only an extension's owner may write, and which CREATE EXTENSION has written by itself.
            ["COMMENT", "ON", "EXTENSION", ..] => Run::Nothing,
            ["COPY", .., "FROM", "STDIN"] => Run::CopyIn,
            ["CREATE" | "ALTER" | "DROP", what, ..] if ELSEWHERE.contains(what) => return Err(self.refusal()),
            ["ALTER", ..] if has("OWNER", "TO") => Run::Nothing,
            [
                "SET" | "SELECT" | "CREATE" | "ALTER" | "DROP" | "COMMENT" | "INSERT" | "REFRESH" | "SECURITY"
                | "BEGIN" | "COMMIT",
                ..,
            ] => Run::Statement,
            _ => return Err(self.refusal()),
        })
    }

    fn refusal(&self) -> String {
        let begin: Vec<_> = self.words.iter().take(3).map(String::as_str).collect();
        let begin = begin.join(" ").escape_debug().to_string();
        format!("`{begin}` is no statement of a dump of one database: such are not run")
    }
}
