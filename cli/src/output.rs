//! Prints results on stdout and everything else on stderr, or one JSON document on stdout.
//!
//! All text passes through [`engine::text`], so that names and messages from outside cannot control
//! the terminal. A value that may contain line ends passes through [`engine::text::one_line`]
//! where it becomes part of a line.

use std::error::Error as StdError;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use config::explain;
use engine::error::Explanation;
use engine::restore::Obstacle;
use serde::Serialize;
use utoipa::ToSchema;

use crate::events::Events;
use crate::exit::Exit;

/// The kind of output: for people, or JSON for programs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    events: Option<&'static Events>,
}

impl Output {
    /// Returns the output. Events imply JSON.
    pub(crate) fn new(json: bool, events: Option<&'static Events>) -> Self {
        Self { json: json || events.is_some(), events }
    }

    /// Returns where progress is reported as JSON.
    pub(crate) fn events(self) -> Option<&'static Events> {
        self.events
    }

    /// Returns whether the output is JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints the result: `document` for programs, `text` for people.
    ///
    /// Returns `exit`, or at least [`Exit::Failed`] if printing fails: half a document must not
    /// look like success.
    pub(crate) fn result(self, document: &impl Serialize, text: impl FnOnce() -> String, exit: Exit) -> Exit {
        let text = if self.json { in_json(document) } else { Ok(engine::text::page(&text()).into_owned()) };
        match text.and_then(|text| print(&mut std::io::stdout().lock(), &text)) {
            // The reader has enough (`| head`), which is no failure.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                eprintln!("error: unable to write the result to stdout\n  because: {error}");
                exit.and(Exit::Failed)
            }
            _ => exit,
        }
    }

    /// Prints a line for people ahead of the result.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            let _ = print(&mut std::io::stdout().lock(), &engine::text::page(text));
        }
    }

    /// Prints a warning for people, or as an event. JSON documents contain their warnings.
    pub(crate) fn warning(self, text: &str) {
        if let Some(events) = self.events {
            events.warn(text);
        }
        if !self.json {
            let _ = print(
                &mut std::io::stderr().lock(),
                &format!("{} {}", label("warning:", "33"), engine::text::lines(text)),
            );
        }
    }

    /// Prints an error that ends the command, and returns `exit`.
    pub(crate) fn failed(self, error: &(dyn StdError + 'static), exit: Exit) -> Exit {
        self.failed_with(explain(error), exit)
    }

    /// Prints an explained error that ends the command, and returns `exit`.
    pub(crate) fn failed_with(self, explanation: Explanation, exit: Exit) -> Exit {
        if self.json {
            let _ = print_failed(&explanation, exit);
        } else {
            self.explanation(&explanation);
        }
        exit
    }

    /// Prints an error for people. JSON documents contain the error elsewhere.
    pub(crate) fn explanation(self, explanation: &Explanation) {
        if !self.json {
            let _ = print(&mut std::io::stderr().lock(), &error_text(explanation));
        }
    }
}

/// An error as documents hold it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorDocument {
    /// What failed.
    message: String,
    /// Why, from the nearest cause to the root.
    causes: Vec<String>,
    /// What to do about it; null where that cannot be said.
    #[schema(required = true)]
    hint: Option<String>,
    /// How the command would end for this alone.
    exit_code: u8,
    /// What is in the way of a restore, one by one. Absent for other errors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    obstacles: Vec<Obstacle>,
}

impl ErrorDocument {
    /// Returns an error for a document.
    pub(crate) fn new(explanation: &Explanation, exit: Exit) -> Self {
        let Explanation { message, causes, hint, obstacles } = explanation.clone();
        Self { message, causes, hint, exit_code: exit as u8, obstacles }
    }
}

/// The document of a command that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failed {
    /// Why it failed.
    error: ErrorDocument,
}

/// Writes a document as JSON, its keys in the order of the alphabet.
///
/// # Errors
/// It holds a path that is not UTF-8.
pub(crate) fn in_json(document: &impl Serialize) -> std::io::Result<String> {
    let document = serde_json::to_value(document)?;
    Ok(engine::text::json(&format!("{document:#}")).into_owned())
}

fn print_failed(explanation: &Explanation, exit: Exit) -> std::io::Result<()> {
    let failed = Failed { error: ErrorDocument::new(explanation, exit) };
    print(&mut std::io::stdout().lock(), &in_json(&failed)?)
}

fn error_text(explanation: &Explanation) -> String {
    let mut text = format!("{} {}", label("error:", "1;31"), engine::text::lines(&explanation.message));
    for cause in &explanation.causes {
        text.push_str(&format!("\n  because: {}", engine::text::lines(cause)));
    }
    // Each reason has its hint below it. Neighbours with the same hint share one.
    for same in explanation.obstacles.chunk_by(|one, next| one.hint == next.hint) {
        for Obstacle { message, .. } in same {
            text.push_str(&format!("\n  {} {}", label("reason:", "1"), engine::text::lines(message)));
        }
        text.push_str(&format!("\n    {} {}", label("hint:", "36"), engine::text::lines(&same[0].hint)));
    }
    if let Some(hint) = explanation.hint.as_ref().filter(|_| explanation.obstacles.is_empty()) {
        text.push_str(&format!("\n{} {}", label("hint:", "36"), engine::text::lines(hint)));
    }
    text
}

/// Prints clap's message on wrong usage, `--help` or `--version`, and returns the exit code.
pub(crate) fn usage(mut error: clap::Error) -> ExitCode {
    // clap suggests to pass an unknown option as the name of an instance, which cannot exist.
    error.remove(clap::error::ContextKind::Suggested);
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json" || argument == "--json-progress") {
        let message = error.render().to_string();
        let message = message.trim().strip_prefix("error: ").unwrap_or(message.trim());
        let explanation =
            Explanation { message: message.to_owned(), causes: Vec::new(), hint: None, obstacles: Vec::new() };
        let _ = print_failed(&explanation, Exit::Usage);
        return Exit::Usage.into();
    }
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() }
}

/// Colours a word if stderr is a terminal and `NO_COLOR` is not set.
fn label(word: &str, colour: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{colour}m{word}\x1b[0m")
    } else {
        word.to_owned()
    }
}

/// Prints a text with one line end after it, or nothing if the text is empty.
fn print(to: &mut dyn Write, text: &str) -> std::io::Result<()> {
    match text.trim_end() {
        "" => Ok(()),
        text => writeln!(to, "{text}").and_then(|()| to.flush()),
    }
}

/// Writes each event of the log as one line, even if it quotes line ends. The log itself escapes
/// foreign escape sequences.
pub(crate) struct LogLines<W>(pub(crate) W);

impl<W: Write> Write for LogLines<W> {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let (line, end) = match event.strip_suffix(b"\n") {
            Some(line) => (line, &b"\n"[..]),
            None => (event, &b""[..]),
        };
        let line = line.split(|byte| matches!(byte, b'\n' | b'\r')).collect::<Vec<_>>().join(&br"\n"[..]);
        self.0.write_all(&[&line, end].concat())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_event_is_one_line() {
        let mut out = LogLines(Vec::new());
        out.write_all(b"INFO a\nERROR b\r\n").unwrap();
        assert_eq!(out.0, b"INFO a\\nERROR b\\n\n");
    }

    #[test]
    fn error_text_escapes_quoted_controls() {
        let quoted = "x\u{1b}[2J\nerror: all is well\u{202e}";
        let (message, hint) = (quoted.to_owned(), Some(quoted.to_owned()));
        let said = error_text(&Explanation { message, causes: vec![quoted.to_owned()], hint, obstacles: Vec::new() });
        assert!(!said.contains('\u{1b}') && !said.contains('\u{202e}') && !said.contains("\nerror: all"), "{said}");
    }
}
