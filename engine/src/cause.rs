//! Walks an error and its causes, of any type. Every module explains its errors with it.

use std::error::Error;
use std::io;

use tokio_postgres::error::DbError;

/// Texts of libraries that only say that a cause follows.
const NOISE: [&str; 3] = ["db error", "error connecting to server", "the data to be stored could not be produced"];

/// Returns the cause of an error. An error that travelled through a stream inside an [`io::Error`]
/// is that error's cause.
pub(crate) fn of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

/// Returns an error and its causes, the nearest first.
pub(crate) fn row<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| of(*error))
}

/// Returns the text of an error and of each of its causes, without texts that say nothing or
/// repeat, and without the numbers of the operating system. The result is never empty.
pub(crate) fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for error in row(error) {
        let mut text = without_numbers(&error.to_string());
        if error.is::<DbError>() {
            shorten(&mut text);
        }
        // Some libraries repeat the cause in their own text.
        let says_nothing = NOISE.contains(&text.as_str()) && of(error).is_some();
        if !says_nothing && !texts.last().is_some_and(|last| last.ends_with(&text)) {
            texts.push(text);
        }
    }
    texts
}

/// Returns what failed and why, on one line.
pub fn line(error: &(dyn Error + 'static)) -> String {
    texts(error).join(": ")
}

/// Leaves out the numbers that the standard library appends to errors of the operating system:
/// `No such file or directory (os error 2)`. An error may quote another one anywhere in its text.
fn without_numbers(text: &str) -> String {
    const BEGINNING: &str = " (os error ";
    let mut parts = text.split(BEGINNING);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once(')') {
            Some((number, rest)) if number.parse::<i32>().is_ok() => plain.push_str(rest),
            _ => plain.extend([BEGINNING, part]),
        }
    }
    plain
}

/// Leaves out the middle of a server's message: it may quote a row of any size, and rows are
/// confidential.
fn shorten(text: &mut String) {
    const BEGINNING: usize = 300;
    const END: usize = 100;
    if text.len() > BEGINNING + END {
        let (beginning, end) = (text.floor_char_boundary(BEGINNING), text.ceil_char_boundary(text.len() - END));
        text.replace_range(beginning..end, " … ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("unable to read {path}: {source}")]
    struct Quoting {
        path: &'static str,
        source: io::Error,
    }

    #[test]
    fn numbers_of_system_are_left_out() {
        let quoting = Quoting { path: "/a", source: io::Error::from_raw_os_error(2) };
        assert!(quoting.to_string().ends_with(" (os error 2)"), "{quoting}");
        assert_eq!(texts(&quoting), ["unable to read /a: No such file or directory"]);
        assert_eq!(texts(&quoting.source), ["No such file or directory"]);
        assert_eq!(texts(&io::Error::other(quoting)), ["unable to read /a: No such file or directory"]);
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["", "a (os error", "a (os error 2", "a (os error two) b", "(os error 2)"] {
            assert_eq!(without_numbers(text), text);
        }
        assert_eq!(without_numbers("a (os error 2): b (os error 111); c"), "a: b; c");
    }
}
