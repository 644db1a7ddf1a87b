//! The name that a download is saved under. It comes from a database, and must lead nowhere.

use std::fmt::Write;

use axum::http::HeaderValue;

/// More characters are cut off.
const LONGEST: usize = 150;

/// Returns the last part of a name or path, with nothing in it that a file system or a person reads
/// as something else.
pub(super) fn last_part(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !is_deceptive(*c)).collect();
    // Names that begin with a dot are hidden, and Windows drops dots and spaces at the end.
    let plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let (stem, ending) = plain.rsplit_once('.').map_or((plain, String::new()), |(stem, ending)| match ending.len() {
        1..=10 => (stem, format!(".{ending}")),
        _ => (plain, String::new()),
    });
    let stem: String = stem.chars().take(LONGEST - ending.chars().count()).collect();
    if stem.is_empty() { format!("file{ending}") } else { stem + &ending }
}

/// Returns whether a character ends a line, is not shown, or changes the direction of others: with
/// it, a program can look like a document.
fn is_deceptive(c: char) -> bool {
    let changes_direction =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || changes_direction || "<>:\"|?*".contains(c)
}

/// Returns the header that has a browser save the content under this name (RFC 6266).
pub(super) fn content_disposition(name: &str) -> HeaderValue {
    let plain: String = name.chars().map(|c| if c.is_ascii() && !"%\"\\".contains(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    let value = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere() {
        for (name, expected) in [
            ("invoice.pdf", "invoice.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\evil.exe", "evil.exe"),
            (".bashrc", "bashrc"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie x.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("Rechnung Müller.pdf", "Rechnung Müller.pdf"),
            ("..", "file"),
            ("", "file"),
        ] {
            assert_eq!(last_part(name), expected, "{name:?}");
        }
        let long = last_part(&format!("{}.pdf", "ä".repeat(1000)));
        assert!(long.chars().count() == LONGEST && long.ends_with("ä.pdf"), "{long}");
    }

    #[test]
    fn disposition_is_one_harmless_header() {
        let value = content_disposition("Rechnung \"Müller\"%.pdf");
        let expected =
            "attachment; filename=\"Rechnung _M_ller__.pdf\"; filename*=UTF-8''Rechnung%20%22M%C3%BCller%22%25.pdf";
        assert_eq!(value, expected);
    }
}
