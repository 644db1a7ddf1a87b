//! Makes text from outside printable: what manifests, databases and servers say must not manipulate
//! a terminal or a log. Also writes figures with their units and nouns.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns the text as one line: line ends, escape sequences and everything else that a terminal
/// obeys are escaped as `\n` or `\u{1b}`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    visible(text, false)
}

/// Returns the text as [`one_line`] does, but keeps its lines. Indents all but the first by four
/// places, so that none can be mistaken for a line of the program.
pub fn lines(text: &str) -> Cow<'_, str> {
    match visible(text, true) {
        visible if visible.contains('\n') => Cow::Owned(visible.replace('\n', "\n    ")),
        visible => visible,
    }
}

/// Returns the text as [`one_line`] does, for a page that the program laid out: line ends and tabs
/// stay.
pub fn page(text: &str) -> Cow<'_, str> {
    visible(text, true)
}

/// Returns a JSON document whose strings contain nothing that a terminal obeys; JSON itself escapes
/// only some of it. The meaning stays the same.
pub fn json(document: &str) -> Cow<'_, str> {
    if !document.chars().any(is_obeyed) {
        return Cow::Borrowed(document);
    }
    let mut safe = String::with_capacity(document.len());
    for c in document.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            // Only strings can contain one.
            c if is_obeyed(c) => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| _ = write!(safe, "\\u{unit:04x}"));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn visible(text: &str, keep_lines: bool) -> Cow<'_, str> {
    let kept = |c: char| keep_lines && (c == '\n' || c == '\t');
    if !text.chars().any(|c| is_obeyed(c) && !kept(c)) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match is_obeyed(c) && !kept(c) {
            true => visible.extend(c.escape_default()),
            false => visible.push(c),
        }
    }
    Cow::Owned(visible)
}

/// Returns whether a terminal may obey a character rather than show it: controls, line ends of
/// Unicode, and marks that change the direction of text.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Formats a number with its noun: `1 view`, `2 views`, `3 indexes`.
pub fn counted(number: u64, noun: &str) -> String {
    let ending = match number {
        1 => "",
        _ if noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}

/// Formats a size: `9.00 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.2} {unit}") }
}

/// Returns the known word that `word` was most likely meant to be: the same but for case and `-`
/// for `_`, or the one that it starts.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    let spelt_alike = known
        .clone()
        .map(|known| (strsim::damerau_levenshtein(&word, &plain(known)), known))
        .filter(|(distance, known)| *distance <= (word.len().max(known.len()) / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance);
    let mut begun = known.filter(|known| word.len() >= 3 && plain(known).starts_with(&word));
    spelt_alike.map(|(_, known)| known).or_else(|| begun.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\nc\r\td\u{9b}e\u{202e}f\u{2028}g\u{7f}";

    #[test]
    fn one_line_escapes_controls() {
        assert_eq!(one_line(HOSTILE), r"a\u{1b}[2Jb\nc\r\td\u{9b}e\u{202e}f\u{2028}g\u{7f}");
        for harmless in ["", "Zürich – \"größer\" 漢字 c:\\temp it's", "👩‍👩‍👧"] {
            assert!(matches!(one_line(harmless), Cow::Borrowed(text) if text == harmless));
        }
    }

    #[test]
    fn lines_are_indented_after_first() {
        assert_eq!(lines("first\nsecond\x1b"), "first\n    second\\u{1b}");
        assert_eq!(page("first\nsecond\n"), "first\nsecond\n");
    }

    #[test]
    fn numbers_have_nouns() {
        let numbers = [counted(0, "file"), counted(1, "index"), counted(2, "index"), counted(21, "foreign key")];
        assert_eq!(numbers, ["0 files", "1 index", "2 indexes", "21 foreign keys"]);
    }

    #[test]
    fn sizes_have_units() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (9_437_184, "9.00 MiB"),
            (1 << 40, "1.00 TiB"),
            (u64::MAX, "16.00 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({ "a": HOSTILE, "b": "\u{e0041}" });
        let document = format!("{value:#}");
        let safe = json(&document);
        assert!(!safe.chars().any(|c| is_obeyed(c) && c != '\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
