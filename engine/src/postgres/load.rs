//! A script of pg_dump's, run statement by statement over a connection of our own.
//!
//! Not by psql: to psql a backslash outside of a string is a command of its own (`\!` runs a program, `\o` writes a file), and a script that
//! came from elsewhere must not say what this machine does. Here there are only statements and rows, and the server runs the ones and
//! takes the others, with the rights of the role.

mod splitter;
mod statement;

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use tokio::io::AsyncReadExt;
use tokio_postgres::CopyInSink;

use self::splitter::{Piece, Splitter};
use self::statement::{Run, Statement};
use super::{PostgresError, Session, Tuning, server_major};
use crate::error::Error;
use crate::stream::{Body, CHUNK};

/// What a script did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Statements that were run.
    pub statements: u64,
    /// Statements that were left out: of owners, privileges, comments on extensions, and settings that the server does not know.
    pub left_out: u64,
}

/// Runs a plain dump in an empty database, which then belongs to the session's role. The first error ends it. Owners and privileges are left
/// out, as in a restore; what a dump of one database does not hold, psql's own commands above all, is refused.
///
/// The script must have been read to an `Ok` end for this to return `Ok`.
///
/// # Errors
/// [`PostgresError::Query`] with the line of the statement that failed, [`PostgresError::Script`] for what is refused; [`Error::Io`] where the
/// script cannot be read. The database is then in an undefined state and should be dropped.
pub async fn load_script(session: &Session, mut script: Body, subject: &str) -> Result<Loaded, Error> {
    let tuning = Tuning::of(session, 1).await?;
    session.batch_execute(&tuning.statements()).await.map_err(session.failed("set up the session"))?;
    let mut loading =
        Loading { session, subject, server: server_major(session).await?, rows: None, loaded: Loaded::default() };
    let mut splitter = Splitter::default();
    let mut chunk = BytesMut::new();
    loop {
        chunk.reserve(CHUNK);
        let read = script.read_buf(&mut chunk).await;
        let read = read.map_err(|source| Error::Io { action: format!("read {subject}"), source })?;
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

/// A script that is under way.
struct Loading<'a> {
    session: &'a Session,
    subject: &'a str,
    /// The server's major version.
    server: u32,
    /// The rows that a `COPY` takes, and its line.
    rows: Option<(Pin<Box<CopyInSink<Bytes>>>, u64)>,
    loaded: Loaded,
}

impl Loading<'_> {
    /// Hands a piece to the server. `true`: rows follow.
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
        let text = std::str::from_utf8(&statement.text).map_err(|_| self.refused(line, "it is not UTF-8".into()))?;
        match run {
            Run::Statement => {
                self.session.batch_execute(text).await.map_err(self.session.failed(at(self.subject, line)))?;
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

    fn refused(&self, line: u64, reason: String) -> PostgresError {
        PostgresError::Script { subject: self.subject.to_owned(), line, reason }
    }
}

fn at(subject: &str, line: u64) -> String {
    format!("run the statement that begins in line {line} of {subject}")
}

#[cfg(test)]
mod tests;
