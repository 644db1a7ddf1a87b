//! Passes a dump through, and fails where it contains what pg_dump does not write.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::Misunderstood;
use super::allowed::check;
use super::format::Entry;
use super::parts::{Part, Parts};
use crate::postgres::PostgresError;
use crate::stream::Body;

/// What a dump is used for, in addition to a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GuardedFor {
    /// pg_restore or this program passes its rows to a server.
    Restore,
    /// A script is made of it, in which a line of rows could end them.
    Script,
}

/// Passes a dump through unchanged. The body fails with [`PostgresError::Refused`] before it
/// returns a byte of an entry that contains anything but what pg_dump writes for its type, or if
/// the dump is not understood. A reader must take in the whole table of contents before it runs
/// anything; then nothing of a refused dump is run.
///
/// If the dump's own end is an error, that error wins: damaged bytes may look like anything.
pub(crate) fn guarded(dump: Body, subject: &str, purpose: GuardedFor) -> Body {
    let inner = match purpose {
        GuardedFor::Restore => Guard { parts: Parts::of_any_data(), lines: None },
        GuardedFor::Script => Guard { parts: Parts::default(), lines: Some(Lines::default()) },
    };
    Box::pin(GuardedBody { inner: dump, subject: subject.to_owned(), state: State::Open(Box::new(inner)) })
}

struct GuardedBody {
    inner: Body,
    subject: String,
    state: State,
}

enum State {
    Open(Box<Guard>),
    /// The rest is read for its final status.
    Refused(String),
    Ended,
}

impl AsyncRead for GuardedBody {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let State::Open(guard) = &mut this.state {
            let (before, room) = (buf.filled().len(), buf.remaining());
            ready!(this.inner.as_mut().poll_read(cx, buf))?;
            let read = &buf.filled()[before..];
            if read.is_empty() && room == 0 {
                return Poll::Ready(Ok(()));
            }
            let ended = read.is_empty();
            let looked = if ended { guard.finish() } else { guard.feed(read) };
            let Err(reason) = looked else {
                if ended {
                    this.state = State::Ended;
                }
                return Poll::Ready(Ok(()));
            };
            buf.set_filled(before);
            this.state = State::Refused(reason);
        }
        if let State::Refused(reason) = &mut this.state {
            let mut scratch = [0; 8 * 1024];
            loop {
                let mut rest = ReadBuf::new(&mut scratch);
                ready!(this.inner.as_mut().poll_read(cx, &mut rest))?;
                if rest.filled().is_empty() {
                    break;
                }
            }
            let reason = std::mem::take(reason);
            this.state = State::Ended;
            let refused = PostgresError::Refused { subject: this.subject.clone(), reason };
            return Poll::Ready(Err(io::Error::other(refused)));
        }
        Poll::Ready(Ok(()))
    }
}

struct Guard {
    parts: Parts,
    /// Those of the rows, if they matter.
    lines: Option<Lines>,
}

impl Guard {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Self { parts, lines } = self;
        let mut refused = None;
        let fed = parts.feed(bytes, |part| {
            let looked = match (part, lines.as_mut()) {
                (Part::Entry(entry), _) => check(&entry).map_err(|reason| format!("{} {reason}", name_of(&entry))),
                (Part::Table { .. }, Some(lines)) => {
                    *lines = Lines::default();
                    Ok(())
                }
                (Part::Rows(bytes), Some(lines)) => lines.feed(bytes),
                _ => Ok(()),
            };
            looked.map_err(|reason| {
                refused = Some(reason);
                Misunderstood::Unread
            })
        });
        fed.map_err(|reason| refused.unwrap_or_else(|| unchecked(&reason)))
    }

    fn finish(&mut self) -> Result<(), String> {
        std::mem::take(&mut self.parts).finish().map_err(|reason| unchecked(&reason))
    }
}

fn unchecked(reason: &Misunderstood) -> String {
    format!("its content cannot be checked, because {reason}")
}

/// Returns the entry's name: `the entry TABLE public.res_users`.
fn name_of(entry: &Entry<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(100).collect::<String>();
    let dot = if entry.schema.is_empty() { "" } else { "." };
    let name = format!("{} {}{dot}{}", text(entry.kind), text(entry.schema), text(entry.tag));
    format!("the entry {}", name.escape_debug())
}

/// Finds what psql would read as the end of a table's rows, with more after it.
#[derive(Debug, Default)]
struct Lines {
    /// The first bytes of the line that it is in.
    line: Vec<u8>,
    ended: bool,
}

impl Lines {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        /// `\.` with a carriage return.
        const LONGEST_END: usize = 3;
        while !bytes.is_empty() {
            if self.ended {
                // pg_dump writes two empty lines after them.
                let is_empty = bytes.iter().all(|byte| *byte == b'\n');
                return if is_empty { Ok(()) } else { Err("something follows the end of a table's rows".to_owned()) };
            }
            let end = memchr::memchr(b'\n', bytes);
            let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            let room = (LONGEST_END + 1).saturating_sub(self.line.len());
            self.line.extend_from_slice(&line[..line.len().min(room)]);
            bytes = rest.get(1..).unwrap_or_default();
            if end.is_some() {
                self.ended = [&b"\\."[..], b"\\.\r"].contains(&self.line.as_slice());
                self.line.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
