//! Runs a script of pg_dump, statement by statement, over a connection of this program.
//!
//! psql is not used: to it a backslash outside of a string is a command (`\!` runs a program, `\o`
//! writes a file), and a script from elsewhere must not control this machine. Here there are only
//! statements, which the server runs, and rows, which it loads, with the privileges of the role.

mod copy;
mod splitter;
mod statement;

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use tokio::io::AsyncReadExt;
use tokio_postgres::CopyInSink;
use tokio_postgres::error::SqlState;

pub(in crate::postgres) use self::copy::{is_copy_from_stdin, table_of_copy};
use self::splitter::{Piece, Splitter};
use self::statement::Run;
pub(in crate::postgres) use self::statement::Statement;
use super::encoding::Encoding;
use crate::postgres::{PostgresError, Session, Tuning, make_immutable, server_major};
use crate::stream::{Body, CHUNK};

/// What a script did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Statements that were run.
    pub statements: u64,
    /// Statements that were left out: of owners, privileges, comments on extensions, and settings
    /// that the server does not know.
    pub left_out: u64,
    /// Indexes that could not be created because the role lacks a privilege, in sentences.
    pub unmade: Vec<String>,
}

/// A statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScriptStatement {
    /// With its semicolon.
    pub text: String,
    /// Its words in upper case, without those in quotes.
    words: Vec<String>,
}

impl ScriptStatement {
    /// Returns the table that it changes, if it has an ordinary name.
    pub(crate) fn table(&self) -> Option<String> {
        let words: Vec<_> = self.words.iter().map(String::as_str).filter(|word| *word != "ONLY").collect();
        match words.as_slice() {
            ["UPDATE", table, ..] | ["INSERT", "INTO", table, ..] | ["DELETE", "FROM", table, ..] => {
                Some(table.to_lowercase())
            }
            _ => None,
        }
    }
}

/// Splits a script; `None` if psql would run commands of its own in it, or it is incomplete.
pub(crate) fn script_statements(sql: &str) -> Option<Vec<ScriptStatement>> {
    let mut splitter = Splitter::default();
    // As in psql, the last statement of a script may lack its semicolon.
    splitter.feed(Bytes::from(format!("{sql}\n;\n")));
    splitter.end();
    let mut statements = Vec::new();
    while let Some(piece) = splitter.piece().ok()? {
        let Piece::Statement(Statement { text, words, .. }) = piece else { return None };
        let text = String::from_utf8(text).ok()?;
        if !words.is_empty() {
            statements.push(ScriptStatement { text, words });
        }
    }
    Some(statements)
}

/// Runs a plain dump in an empty database, which then belongs to the session's role. The first
/// error ends it. Owners and privileges are left out, as in a restore. What a dump of one database
/// does not contain is refused, above all psql's own commands.
///
/// Returns `Ok` only if the script was read to an `Ok` end.
///
/// # Errors
/// [`PostgresError::Query`] with the line of the failed statement, [`PostgresError::Script`] for
/// what is refused; [`PostgresError::Read`] if the script cannot be read. The database is then in
/// an undefined state and should be dropped.
pub(crate) async fn load_script(session: &Session, mut script: Body, subject: &str) -> Result<Loaded, PostgresError> {
    let tuning = Tuning::of(session, 1).await?;
    session.batch_execute(&tuning.statements()).await.map_err(session.failed("set up the session"))?;
    let (server, encoding) = (server_major(session).await?, Encoding::default());
    let mut loading = Loading { session, subject, server, encoding, rows: None, loaded: Loaded::default() };
    let mut splitter = Splitter::default();
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK);
        let read = script.read_buf(&mut chunk).await;
        let read = read.map_err(|source| PostgresError::Read { subject: subject.to_owned(), source })?;
        match read {
            0 => splitter.end(),
            _ => splitter.feed(chunk.split().freeze()),
        }
        while let Some(piece) = splitter.piece().map_err(|refused| loading.refused(refused.line, refused.reason))? {
            if loading.take(piece).await? {
                splitter.begin_rows().map_err(|refused| loading.refused(refused.line, refused.reason))?;
            }
        }
        if read == 0 {
            return Ok(loading.loaded);
        }
    }
}

/// A running script.
struct Loading<'a> {
    session: &'a Session,
    subject: &'a str,
    /// The server's major version.
    server: u32,
    /// The script's encoding, as it declares it.
    encoding: Encoding,
    /// The rows that a `COPY` loads, and its line.
    rows: Option<(Pin<Box<CopyInSink<Bytes>>>, u64)>,
    loaded: Loaded,
}

impl Loading<'_> {
    /// Passes a piece to the server. Returns `true` if rows follow.
    async fn take(&mut self, piece: Piece) -> Result<bool, PostgresError> {
        match piece {
            Piece::Statement(statement) => self.run(statement).await,
            Piece::Rows(bytes) => {
                if let Some((sink, line)) = &mut self.rows {
                    let line = *line;
                    sink.send(bytes).await.map_err(self.session.failed(at(self.subject, line)))?;
                }
                Ok(false)
            }
            Piece::EndOfRows => {
                if let Some((mut sink, line)) = self.rows.take() {
                    sink.as_mut().finish().await.map_err(self.session.failed(at(self.subject, line)))?;
                }
                Ok(false)
            }
        }
    }

    async fn run(&mut self, statement: Statement) -> Result<bool, PostgresError> {
        let line = statement.line;
        let run = statement.run(self.server).map_err(|reason| self.refused(line, reason))?;
        // Statements are sent in UTF-8, and rows as they are.
        if let Some(encoding) = Encoding::of(&statement.text) {
            self.encoding = encoding;
            self.loaded.statements += 1;
            return Ok(false);
        }
        let text = self.encoding.decode(&statement.text);
        let mut text = text.ok_or_else(|| self.refused(line, format!("it is not text in {}", self.encoding.name())))?;
        if run == Run::CopyIn
            && let Some(option) = self.encoding.copy_option()
        {
            text = format!("{} WITH ({option})", text.trim_end().trim_end_matches(';'));
        }
        let text = text.as_str();
        match run {
            Run::Statement => {
                if let Err(error) = self.session.batch_execute(text).await {
                    self.run_again(text, line, error).await?;
                }
            }
            Run::CopyIn => {
                let sink = self.session.copy_in(text).await.map_err(self.session.failed(at(self.subject, line)))?;
                self.rows = Some((Box::pin(sink), line));
            }
            Run::Nothing => {
                self.loaded.left_out += 1;
                return Ok(false);
            }
        }
        self.loaded.statements += 1;
        Ok(run == Run::CopyIn)
    }

    /// Repeats a failed statement if a function of an extension must be altered first, as it was
    /// where the script was made.
    async fn run_again(&mut self, text: &str, line: u64, error: tokio_postgres::Error) -> Result<(), PostgresError> {
        let code = error.code();
        let of_index = ["COMMENT ON INDEX ", "ALTER INDEX ", " CLUSTER ON ", " REPLICA IDENTITY USING INDEX "];
        let is_missing = code == Some(&SqlState::UNDEFINED_TABLE) || code == Some(&SqlState::UNDEFINED_OBJECT);
        if is_missing && !self.loaded.unmade.is_empty() && of_index.iter().any(|words| text.contains(words)) {
            self.loaded.left_out += 1;
            return Ok(());
        }
        // 42P17 is the error of indexes and generated columns for functions that are not immutable.
        if code != Some(&SqlState::INVALID_OBJECT_DEFINITION) {
            return Err(self.session.failed(at(self.subject, line))(error));
        }
        match make_immutable(self.session, text).await {
            Ok(true) => {
                let done = self.session.batch_execute(text).await;
                done.map_err(self.session.failed(at(self.subject, line)))
            }
            Err(PostgresError::Query { source, .. })
                if source.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) && text.contains(" INDEX ") =>
            {
                let why = crate::cause::line(&error);
                let text: String = text.trim().chars().take(200).collect();
                self.loaded.unmade.push(format!("`{}` was left out: {why}", text.escape_debug()));
                Ok(())
            }
            _ => Err(self.session.failed(at(self.subject, line))(error)),
        }
    }

    fn refused(&self, line: u64, reason: String) -> PostgresError {
        PostgresError::Script { subject: self.subject.to_owned(), line, reason }
    }
}

/// Splits a text without rows into statements, as the server does.
///
/// # Errors
/// In words, what no dump contains.
pub(in crate::postgres) fn statements_of(text: &[u8]) -> Result<Vec<Statement>, String> {
    let mut splitter = Splitter::default();
    splitter.feed(Bytes::copy_from_slice(text));
    // A comment in the last line would swallow what is appended.
    splitter.feed(Bytes::from_static(b"\n"));
    splitter.end();
    let mut statements = Vec::new();
    while let Some(piece) = splitter.piece().map_err(|refused| refused.reason)? {
        match piece {
            Piece::Statement(statement) => statements.push(statement),
            Piece::Rows(_) | Piece::EndOfRows => return Err("it contains rows".to_owned()),
        }
    }
    Ok(statements)
}

/// Splits a text as a server does if `standard_conforming_strings` is off: code in a dump can
/// switch that off during the restore. Returns `None` if such a server would see no SQL, and run
/// nothing.
pub(in crate::postgres) fn statements_if_escaped(text: &[u8]) -> Option<Vec<Statement>> {
    let mut splitter = Splitter::escaping();
    splitter.feed(Bytes::copy_from_slice(text));
    // The last statement needs no end of its own.
    splitter.feed(Bytes::from_static(b"\n;"));
    splitter.end();
    let mut statements = Vec::new();
    loop {
        match splitter.piece() {
            Ok(Some(Piece::Statement(statement))) => statements.push(statement),
            Ok(_) => return Some(statements),
            Err(_) if splitter.is_in_body() => {
                statements.push(Statement::hidden());
                return Some(statements);
            }
            Err(_) => return None,
        }
    }
}

/// Returns whether a quote could be read in two ways: a backslash before it may escape it or not,
/// and in some encodings belongs to the previous byte.
pub(in crate::postgres) fn has_doubtful_quotes(text: &[u8]) -> Doubt {
    let mut doubt = Doubt::None;
    for at in memchr::memchr_iter(b'\'', text) {
        let backslashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes > 0 {
            doubt = Doubt::Escape;
            let before = at.checked_sub(backslashes + 1).and_then(|at| text.get(at));
            if before.is_some_and(|byte| *byte >= 0x80) {
                return Doubt::Encoding;
            }
        }
    }
    doubt
}

/// The result of [`has_doubtful_quotes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Doubt {
    /// Each quote has one meaning.
    None,
    /// The setting for backslashes decides.
    Escape,
    /// The encoding decides as well.
    Encoding,
}

fn at(subject: &str, line: u64) -> String {
    format!("run the statement that begins on line {line} of {subject}")
}

/// Passes a script in pieces to the splitter, and classifies each statement.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8], piece: usize) {
    let mut splitter = Splitter::default();
    let mut pieces = bytes.chunks(piece);
    loop {
        let next = pieces.next();
        match next {
            Some(piece) => splitter.feed(Bytes::copy_from_slice(piece)),
            None => splitter.end(),
        }
        while let Ok(Some(piece)) = splitter.piece() {
            let Piece::Statement(statement) = piece else { continue };
            if statement.run(17) == Ok(Run::CopyIn) && splitter.begin_rows().is_err() {
                return;
            }
        }
        if next.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
