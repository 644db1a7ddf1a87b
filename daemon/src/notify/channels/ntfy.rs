//! A topic of ntfy: the details as text, and everything else in headers.
//!
//! A text may have 4,096 bytes; what is longer becomes a file. Headers are ASCII: others are
//! encoded as RFC 2047 says, which the server decodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::secret::Secret;

use super::{Post, TEXT};
use crate::notify::text::{Detail, Text, Tone};

/// The most bytes of a message.
const MOST: usize = 4000;
/// The most bytes in an encoded word, which may have 75 characters with its frame.
const WORD: usize = 45;

pub(super) fn post(url: &Secret, token: Option<&Secret>, text: &Text) -> Post {
    // Its scale goes from 1 to 5; 3 is usual, 4 and 5 are louder.
    let (priority, tag) = match text.tone {
        Tone::Good => (2, "white_check_mark"),
        Tone::Warning => (3, "warning"),
        Tone::Bad => (4, "rotating_light"),
    };
    let headers = [("Title", encoded(&text.headline)), ("Priority", priority.to_string()), ("Tags", tag.to_owned())];
    let click = text.links.first().map(|link| ("Click", link.url.clone()));
    Post {
        url: url.clone(),
        token: token.cloned(),
        content_type: TEXT,
        headers: headers.into_iter().chain(click).collect(),
        body: text.fitting(MOST, str::len, Detail::plain).join("\n"),
    }
}

/// Returns a text as the value of a header.
fn encoded(text: &str) -> String {
    let is_plain = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.chars().all(is_plain) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn header_is_ascii() {
        assert_eq!(encoded("production: backup failed"), "production: backup failed");
        assert_eq!(encoded("Zürich"), "=?UTF-8?B?WsO8cmljaA==?=");
        assert_eq!(encoded("=?x"), "=?UTF-8?B?PT94?=");
        let long = encoded(&"ü".repeat(100));
        assert!(long.is_ascii() && long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
