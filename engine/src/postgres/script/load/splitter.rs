//! Splits a script: finds the ends of statements, and the lines that are rows.
//!
//! Follows psql's own scanner (`psqlscan.l`): quotes, dollar quotes, comments, parentheses, and the
//! bodies of functions in `BEGIN ATOMIC … END`.

use std::collections::VecDeque;

use bytes::Bytes;
use memchr::memchr;

use super::statement::Statement;

/// pg_dump writes no longer statement, and a statement must fit into memory.
const LONGEST: usize = 256 * 1024 * 1024;

/// Part of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A statement.
    Statement(Statement),
    /// Rows of the `COPY` before, in any portions.
    Rows(Bytes),
    /// Their end.
    EndOfRows,
}

/// What no dump contains.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Refused {
    pub(super) line: u64,
    pub(in crate::postgres) reason: String,
}

/// Takes a script in any portions and returns its pieces.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// Input that was not examined yet.
    fed: VecDeque<Bytes>,
    /// The start of a line whose end was not fed yet.
    partial: Vec<u8>,
    ended: bool,
    in_rows: bool,
    /// Whether a line of rows begins next.
    at_row: bool,
    scan: Scan,
    /// Complete pieces of the last line.
    ready: VecDeque<Statement>,
}

impl Splitter {
    /// Returns a splitter for a server with `standard_conforming_strings` off.
    pub(super) fn escaping() -> Self {
        Self { scan: Scan { escaping: true, ..Scan::default() }, ..Self::default() }
    }

    /// Returns whether the script ended in what looks like a routine's body.
    pub(super) fn is_in_body(&self) -> bool {
        self.scan.within == Within::Code && self.scan.blocks > 0
    }

    pub(super) fn feed(&mut self, bytes: Bytes) {
        self.fed.push_back(bytes);
    }

    /// Marks the end of the input.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Declares that rows follow the last statement.
    ///
    /// # Errors
    /// [`Refused`] if something else follows on its line, which would come before the rows.
    pub(super) fn begin_rows(&mut self) -> Result<(), Refused> {
        if !self.ready.is_empty() || !self.scan.is_between_statements() {
            return Err(self.scan.refused("something follows COPY on its line"));
        }
        self.in_rows = true;
        self.at_row = true;
        Ok(())
    }

    /// Returns the next piece; `None` if more must be fed, or nothing follows.
    pub(super) fn piece(&mut self) -> Result<Option<Piece>, Refused> {
        loop {
            if let Some(statement) = self.ready.pop_front() {
                return Ok(Some(Piece::Statement(statement)));
            }
            if self.in_rows {
                return self.next_rows();
            }
            let Some(line) = self.next_line()? else { return self.last() };
            self.scan.line(&line, &mut self.ready)?;
        }
    }

    /// Returns a complete line with its end, or the rest after the last one.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Refused> {
        while let Some(mut bytes) = self.fed.pop_front() {
            let end = memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
            let head = bytes.split_to(end);
            if !bytes.is_empty() {
                self.fed.push_front(bytes);
            }
            self.partial.extend_from_slice(&head);
            if self.partial.ends_with(b"\n") {
                return Ok(Some(std::mem::take(&mut self.partial)));
            }
            if self.partial.len() > LONGEST {
                return Err(self.scan.refused("the line is too long"));
            }
        }
        match self.ended && !self.partial.is_empty() {
            true => Ok(Some(std::mem::take(&mut self.partial))),
            false => Ok(None),
        }
    }

    fn last(&mut self) -> Result<Option<Piece>, Refused> {
        match self.ended && !self.scan.is_between_statements() {
            true => Err(self.scan.refused("the script ends in the middle of a statement")),
            false => Ok(None),
        }
    }

    /// Returns rows up to the line `\.`, without keeping them.
    fn next_rows(&mut self) -> Result<Option<Piece>, Refused> {
        loop {
            let Some(bytes) = self.fed.pop_front() else {
                return match (self.ended, self.partial.is_empty()) {
                    (true, _) => Err(self.scan.refused("the script ends in the middle of a table's rows")),
                    (false, _) => Ok(None),
                };
            };
            if self.at_row {
                // The line may come in two portions, and only the complete line shows whether it is
                // the last.
                let mut whole = std::mem::take(&mut self.partial);
                let needed = 4_usize.saturating_sub(whole.len()).min(bytes.len());
                let upto = memchr(b'\n', &bytes[..needed]).map_or(needed, |at| at + 1);
                whole.extend_from_slice(&bytes[..upto]);
                let rest = bytes.slice(upto..);
                if whole == b"\\.\n" || whole == b"\\.\r\n" {
                    self.push_back(rest);
                    (self.in_rows, self.at_row) = (false, false);
                    self.scan.at += 1;
                    return Ok(Some(Piece::EndOfRows));
                }
                if whole.len() < 4 && !whole.ends_with(b"\n") && b"\\.\r\n".starts_with(&whole[..]) {
                    self.partial = whole;
                    self.push_back(rest);
                    continue;
                }
                self.at_row = whole.ends_with(b"\n");
                self.scan.at += u64::from(self.at_row);
                self.push_back(rest);
                return Ok(Some(Piece::Rows(whole.into())));
            }
            // All complete lines before one that begins with a backslash, and the start of the
            // next.
            let mut from = 0;
            while let Some(at) = memchr(b'\n', &bytes[from..]) {
                from += at + 1;
                self.scan.at += 1;
                if bytes.get(from).is_none_or(|first| *first == b'\\') {
                    self.at_row = true;
                    self.push_back(bytes.slice(from..));
                    return Ok(Some(Piece::Rows(bytes.slice(..from))));
                }
            }
            return Ok(Some(Piece::Rows(bytes)));
        }
    }

    fn push_back(&mut self, rest: Bytes) {
        if !rest.is_empty() {
            self.fed.push_front(rest);
        }
    }
}

/// What a line begins inside of.
#[derive(Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Code,
    /// `'…'`; `true` if a backslash escapes (`E'…'`).
    Text(bool),
    /// `"…"`
    Name,
    /// `$tag$…$tag$`, with both dollars.
    Dollars(Vec<u8>),
    /// `/* … */`, and its depth.
    Comment(u32),
}

/// The statement being scanned.
#[derive(Debug, Default)]
struct Scan {
    /// Lines that were scanned before this one.
    at: u64,
    within: Within,
    /// The statement so far, without comments before it.
    text: Vec<u8>,
    /// The line in which it begins.
    line: u64,
    /// Its first unquoted words in upper case.
    words: Vec<String>,
    parentheses: u32,
    /// Opening parentheses so far.
    calls: u32,
    /// `BEGIN ATOMIC … END` in the body of a routine.
    blocks: u32,
    /// The last unquoted word, while nothing but white space and comments follow it.
    last_word: String,
    /// How each statement in such a body begins.
    inner: Vec<String>,
    /// Whether the next token begins one.
    inner_begins: bool,
    /// Whether a backslash escapes in every text, as if `standard_conforming_strings` is off.
    escaping: bool,
    /// Whether `E'…'` has just ended: a further quote continues it, with its escapes.
    escapes_continue: bool,
}

/// Number of words kept of a statement; only lists of columns are longer.
const MOST_WORDS: usize = 4096;

impl Scan {
    fn is_between_statements(&self) -> bool {
        self.text.is_empty() && self.within == Within::Code
    }

    fn refused(&self, reason: impl Into<String>) -> Refused {
        Refused { line: self.at.max(1), reason: reason.into() }
    }

    /// Scans a line, which ends in a line feed unless it is the script's last.
    fn line(&mut self, line: &[u8], ready: &mut VecDeque<Statement>) -> Result<(), Refused> {
        self.at += 1;
        let mut i = 0;
        while i < line.len() {
            let from = i;
            match &mut self.within {
                Within::Code => {
                    if self.code(line, &mut i)? {
                        let text = std::mem::take(&mut self.text);
                        let (words, inner) = (std::mem::take(&mut self.words), std::mem::take(&mut self.inner));
                        ready.push_back(Statement { text, line: self.line, words, calls: self.calls, inner });
                        (self.parentheses, self.blocks, self.calls) = (0, 0, 0);
                        (self.inner_begins, self.escapes_continue) = (false, false);
                        self.last_word.clear();
                    }
                    continue;
                }
                Within::Text(escapes) => match line[i] {
                    b'\\' if *escapes => i += 2,
                    b'\'' if line.get(i + 1) == Some(&b'\'') => i += 2,
                    b'\'' => {
                        self.escapes_continue = *escapes;
                        self.within = Within::Code;
                        i += 1;
                    }
                    _ => i += 1,
                },
                Within::Name => {
                    if line[i] == b'"' {
                        self.within = Within::Code;
                    }
                    i += 1;
                }
                Within::Dollars(tag) => {
                    let found = memchr(b'$', &line[i..]).map(|at| i + at);
                    match found {
                        Some(at) if line[at..].starts_with(tag) => {
                            i = at + tag.len();
                            self.within = Within::Code;
                        }
                        Some(at) => i = at + 1,
                        None => i = line.len(),
                    }
                }
                Within::Comment(depth) => {
                    if line[i..].starts_with(b"*/") {
                        *depth -= 1;
                        i += 2;
                        if *depth == 0 {
                            self.within = Within::Code;
                        }
                    } else if line[i..].starts_with(b"/*") {
                        *depth += 1;
                        i += 2;
                    } else {
                        i += 1;
                    }
                    // Comments belong to no statement.
                    continue;
                }
            }
            self.text.extend_from_slice(&line[from..i.min(line.len())]);
        }
        if self.text.len() > LONGEST {
            return Err(self.refused("the statement is too long"));
        }
        Ok(())
    }

    /// Scans the next token that is neither quoted nor a comment. Returns `true` if a statement is
    /// complete.
    fn code(&mut self, line: &[u8], i: &mut usize) -> Result<bool, Refused> {
        let rest = &line[*i..];
        let byte = rest[0];
        if rest.starts_with(b"--") {
            // The text on both sides of it must stay separate. To the server it ends at a carriage
            // return too.
            self.push(b"\n");
            *i = memchr::memchr2(b'\n', b'\r', &line[*i..]).map_or(line.len(), |at| *i + at + 1);
            return Ok(false);
        }
        if rest.starts_with(b"/*") {
            self.push(b" ");
            self.within = Within::Comment(1);
            *i += 2;
            return Ok(false);
        }
        if byte == b'\\' {
            return self.backslash(rest).map(|()| {
                *i = line.len();
                false
            });
        }
        if byte.is_ascii_whitespace() || byte == b'\x0b' {
            self.push(&rest[..1]);
            *i += 1;
            return Ok(false);
        }
        let escapes_continue = std::mem::take(&mut self.escapes_continue);
        if is_word_start(byte) {
            let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(length);
            self.push(word);
            *i += length;
            let is_escape = word.eq_ignore_ascii_case(b"E") && behind.first() == Some(&b'\'');
            if is_escape {
                self.begin_inner("'");
                self.last_word.clear();
                self.text.push(b'\'');
                self.within = Within::Text(true);
                *i += 1;
            } else {
                self.word(word);
            }
            return Ok(false);
        }
        self.last_word.clear();
        self.begin_inner(if byte == b'(' { "(" } else { "'" });
        if byte == b'$'
            && let Some(tag) = dollar_tag(rest)
        {
            self.push(tag);
            self.within = Within::Dollars(tag.to_vec());
            *i += tag.len();
            return Ok(false);
        }
        self.push(&rest[..1]);
        *i += 1;
        match byte {
            b'\'' => self.within = Within::Text(escapes_continue || self.escaping),
            b'"' => self.within = Within::Name,
            b'(' => (self.parentheses, self.calls) = (self.parentheses + 1, self.calls + 1),
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            b';' => {
                self.inner_begins = self.blocks > 0;
                return Ok(self.parentheses == 0 && self.blocks == 0 && !self.text.is_empty());
            }
            // `$1` and `1a` are one token each: what follows a digit starts no new word.
            b'0'..=b'9' | b'$' => {
                let length = line[*i..].iter().position(|byte| !is_word(*byte)).unwrap_or(line.len() - *i);
                let number = line[*i..*i + length].to_vec();
                self.push(&number);
                *i += length;
            }
            _ => {}
        }
        Ok(false)
    }

    /// Appends to the statement, without leading white space or the semicolon of an empty one.
    fn push(&mut self, bytes: &[u8]) {
        if self.text.is_empty() {
            if bytes.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b';') {
                return;
            }
            self.line = self.at;
            self.words.clear();
        }
        self.text.extend_from_slice(bytes);
    }

    /// Handles a command of psql. pg_dump's own since August 2025, which only protect psql from the
    /// text between them, are skipped.
    fn backslash(&self, rest: &[u8]) -> Result<(), Refused> {
        let command = rest.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
        if self.text.is_empty() && [&b"\\restrict"[..], b"\\unrestrict"].contains(&command) {
            return Ok(());
        }
        let name = String::from_utf8_lossy(&command[1..command.len().min(40)]).escape_debug().to_string();
        Err(self.refused(format!(
            "it contains psql's command \\{name}, which no dump of Odoo contains and odoo-backup does not run"
        )))
    }

    fn word(&mut self, word: &[u8]) {
        let word = String::from_utf8_lossy(word).to_ascii_uppercase();
        self.begin_inner(&word);
        // Only `BEGIN ATOMIC` in a routine opens a block: a routine may be called `begin`. CASE in
        // it has an END of its own.
        let is_routine = match self.words.as_slice() {
            [create, routine, ..] if create == "CREATE" && is_kind_of_routine(routine) => true,
            [create, or, replace, routine, ..] => {
                create == "CREATE" && or == "OR" && replace == "REPLACE" && is_kind_of_routine(routine)
            }
            _ => false,
        };
        match word.as_str() {
            "ATOMIC" if is_routine && self.blocks == 0 && self.last_word == "BEGIN" => {
                (self.blocks, self.inner_begins) = (1, true);
            }
            "CASE" if self.blocks > 0 => self.blocks += 1,
            "END" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
        self.last_word.clone_from(&word);
        if self.words.len() < MOST_WORDS {
            self.words.push(word);
        }
    }

    /// Notes how a statement in a routine's body begins, if this token begins one.
    fn begin_inner(&mut self, token: &str) {
        if std::mem::take(&mut self.inner_begins) {
            self.inner.push(token.to_owned());
        }
    }
}

fn is_kind_of_routine(word: &str) -> bool {
    ["FUNCTION", "PROCEDURE"].contains(&word)
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Returns `$$` or `$tag$`, with both dollars.
fn dollar_tag(rest: &[u8]) -> Option<&[u8]> {
    let end = 1 + memchr(b'$', &rest[1..])?;
    let tag = &rest[1..end];
    let valid =
        tag.first().is_none_or(|first| is_word_start(*first)) && tag.iter().all(|byte| is_word(*byte) && *byte != b'$');
    valid.then_some(&rest[..=end])
}
