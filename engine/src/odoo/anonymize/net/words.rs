//! Splits texts into words, to find names in any spelling: in other case, with other accents,
//! punctuation or spaces.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A longer name is sought by its first words.
pub(super) const LONGEST: usize = 16;

/// What may separate two words of a name: `Berger, Anna`, `Anna&nbsp;Berger`.
const WIDEST_GAP: usize = 3;

/// A word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// A hash that ignores case and accents.
    pub(super) hash: u64,
    /// Number of its characters.
    pub(super) length: u32,
    /// Number of letters among them.
    pub(super) letters: u32,
    /// Whether it is one character of a script that has no spaces.
    pub(super) is_unspaced: bool,
    /// Whether it can follow the previous word within a name.
    pub(super) follows: bool,
}

/// Hashes words, with another key in each run: no database can be made so that its words collide.
#[derive(Debug, Clone, Default)]
pub(super) struct Hashing(RandomState);

impl Hashing {
    /// Returns the hash of a word as it is written.
    pub(super) fn exact(&self, word: &str) -> u64 {
        self.0.hash_one(word)
    }

    /// Returns the hash of a sequence of words, from that of all but the last.
    pub(super) fn then(before: u64, word: u64) -> u64 {
        (before.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Splits a text into words.
    pub(super) fn words<'a>(&'a self, text: &'a str) -> Words<'a> {
        Words { hashing: self, text, at: 0, gap: Some(0) }
    }
}

/// See [`Hashing::words`].
pub(super) struct Words<'a> {
    hashing: &'a Hashing,
    text: &'a str,
    at: usize,
    /// The width of what precedes the next word; `None`: it cannot be within a name.
    gap: Option<usize>,
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let bytes = self.text.as_bytes();
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            if c.is_alphanumeric() {
                break;
            }
            // `&amp;` and `&nbsp;` are not words.
            let entity = if c == '&' { entity(&bytes[self.at..]) } else { None };
            let apart = matches!(c, '<' | '>' | '"' | '{' | '}' | '[' | ']' | '=' | '|' | '\\' | '@');
            self.gap = if apart { None } else { self.gap.map(|gap| gap + 1) };
            self.at += entity.unwrap_or(c.len_utf8());
        }
        let start = self.at;
        let mut hasher = self.hashing.0.build_hasher();
        let (mut length, mut letters, mut is_unspaced) = (0, 0, false);
        for (offset, c) in self.text[start..].char_indices() {
            if is_mark(c) {
                self.at = start + offset + c.len_utf8();
                continue;
            }
            if !c.is_alphanumeric() || length > 0 && (is_unspaced || unspaced(c)) {
                break;
            }
            is_unspaced = unspaced(c);
            length += 1;
            letters += u32::from(c.is_alphabetic());
            fold(c, |c| hasher.write_u32(c as u32));
            self.at = start + offset + c.len_utf8();
        }
        let follows = self.gap.is_some_and(|gap| gap <= WIDEST_GAP);
        self.gap = Some(0);
        Some(Word { start, end: self.at, hash: hasher.finish(), length, letters, is_unspaced, follows })
    }
}

/// Returns the length of an entity that is not a letter.
fn entity(text: &[u8]) -> Option<usize> {
    [&b"&amp;"[..], b"&nbsp;", b"&#160;", b"&#39;", b"&quot;"]
        .iter()
        .find(|one| text.starts_with(one))
        .map(|one| one.len())
}

/// Returns whether it is an accent that is a separate character.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// Returns whether its script separates no words: each character counts as a word.
fn unspaced(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

/// Passes on the lower-case characters without accents that a character stands for.
fn fold(c: char, mut out: impl FnMut(char)) {
    if c.is_ascii() {
        return out(c.to_ascii_lowercase());
    }
    for c in c.to_lowercase().filter(|c| !is_mark(*c)) {
        let plain = match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
            'æ' => "ae",
            'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
            'ď' | 'đ' | 'ð' => "d",
            'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
            'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
            'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
            'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
            'ñ' | 'ń' | 'ņ' | 'ň' => "n",
            'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
            'œ' => "oe",
            'ŕ' | 'ŗ' | 'ř' => "r",
            'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
            'ß' => "ss",
            'ţ' | 'ť' | 'ț' => "t",
            'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
            'ý' | 'ÿ' => "y",
            'ź' | 'ż' | 'ž' => "z",
            // The wide forms of ASCII.
            '\u{ff10}'..='\u{ff5a}' => {
                out(char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c));
                continue;
            }
            _ => {
                out(c);
                continue;
            }
        };
        plain.chars().for_each(&mut out);
    }
}

/// Words of Odoo's own labels, in every language of the database, which identify no person.
#[derive(Debug, Default)]
pub(super) struct Common(HashSet<u64>);

impl Common {
    /// Words in names of every database, or of testers.
    pub(super) const ALWAYS: &'static str = "admin administrator company default demo guest my odoo odoobot partner portal public sales \
        system template test user users customer supplier vendor contact example sample unknown anonymous none null";

    pub(super) fn add(&mut self, hashing: &Hashing, text: &str) {
        self.0.extend(hashing.words(text).map(|word| word.hash));
    }

    pub(super) fn has(&self, word: &Word) -> bool {
        self.0.contains(&word.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_in_any_spelling() {
        let hashing = Hashing::default();
        let hashes = |text: &str| hashing.words(text).map(|word| word.hash).collect::<Vec<_>>();
        let name = hashes("Müller & Söhne");
        for same in
            ["MÜLLER  & SÖHNE", "mu\u{308}ller so\u{308}hne", "Muller, Sohne", "Müller &amp; Söhne", "Ｍüller_Söhne"]
        {
            assert_eq!(hashes(same), name, "{same}");
        }
        assert_ne!(hashes("Müllers Söhne"), name);
        assert_eq!(hashes("山田 太郎"), hashes("山田太郎"));
        assert_eq!(hashes("O'Neil").len(), 2);
    }

    #[test]
    fn separated_words_form_no_name() {
        let hashing = Hashing::default();
        let follows = |text: &str| hashing.words(text).last().map(|word| word.follows);
        for (text, expected) in [
            ("Anna Berger", true),
            ("Anna,\n Berger", true),
            ("Anna&nbsp;Berger", true),
            ("Anna</b>Berger", false),
            ("Anna     Berger", false),
            ("Anna@Berger", false),
            ("[Anna] Berger", false),
        ] {
            assert_eq!(follows(text), Some(expected), "{text}");
        }
    }
}
