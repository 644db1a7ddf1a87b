//! Who is sought: names, addresses, numbers and e-mail addresses in little memory, and the search
//! of a text for all of them at once.
//!
//! A name is a sequence of words. A table contains one hash of each sequence and of each of its
//! beginnings. So a text is searched word by word for any number of people. Half a million names
//! take about a hundred megabytes.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::words::{Common, Hashing, LONGEST, Word};

/// Maximum number sought at once.
pub(super) const MOST: usize = if cfg!(test) { 100 } else { 500_000 };

/// Marks a single word, which counts only in its original case or in capitals.
const EXACT: u32 = 1 << 31;

/// The keys are hashes already.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type Table<V> = HashMap<u64, V, BuildHasherDefault<AsItIs>>;

/// Everyone who is sought, and the fake of each.
#[derive(Debug, Default)]
pub(super) struct People {
    hashing: Hashing,
    /// Sequences of words. Zero: only the start of one; else the number of its fake, from 1.
    sequences: Table<u32>,
    /// Single words as they are written, and in capitals.
    exact: HashSet<u64, BuildHasherDefault<AsItIs>>,
    emails: Table<u32>,
    /// Digits of telephone numbers; `true`: all of them, `false`: those without the country.
    phones: Table<(u32, bool)>,
    /// All fakes, and where each ends.
    fakes: String,
    ends: Vec<u32>,
    /// Number of those that cannot be sought: too short, or common words.
    pub(super) not_sought: u64,
}

/// The matches in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matches {
    /// The text with fakes in their place; `None` without a match.
    pub(super) replaced: Option<String>,
    /// E-mail addresses that belong to none of those sought.
    pub(super) addresses: bool,
}

impl People {
    pub(super) fn with(hashing: Hashing) -> Self {
        Self { hashing, ..Self::default() }
    }

    /// Returns the number sought.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Seeks a person's or company's name. It needs two words that are not both common ones, with
    /// at least six letters and digits, or three characters of a script without spaces. A single
    /// word needs five letters, and must not be in Odoo's own labels.
    pub(super) fn add_name(&mut self, name: &str, fake: &str, common: &Common) {
        let words: Vec<Word> = self.hashing.words(name).take(LONGEST).collect();
        let unspaced = words.iter().filter(|word| word.is_unspaced).count();
        let length: u32 = words.iter().map(|word| word.length).sum();
        if unspaced >= 3
            || words.len() >= 2
                && length >= 6
                && words.iter().any(|word| word.letters >= 3)
                && !words.iter().all(|word| common.has(word))
        {
            let number = self.fake(fake);
            self.insert(&words, number);
            if let [first, last] = words[..]
                && first.letters >= 3
                && last.letters >= 3
            {
                self.insert(&[last, first], number);
            }
            return;
        }
        match words[..] {
            [word] if word.letters >= 5 && !word.is_unspaced && !common.has(&word) => {
                let number = self.fake(fake);
                let written = &name[word.start..word.end];
                self.exact.insert(self.hashing.exact(written));
                self.exact.insert(self.hashing.exact(&written.to_uppercase()));
                self.insert(&[word], number | EXACT);
            }
            [] => {}
            _ => self.not_sought += 1,
        }
    }

    /// Seeks a street with its number.
    pub(super) fn add_street(&mut self, street: &str, fake: &str) {
        let words: Vec<Word> = self.hashing.words(street).take(LONGEST).collect();
        let length: u32 = words.iter().map(|word| word.length).sum();
        let numbered = words.iter().any(|word| word.letters < word.length);
        let named = words.iter().any(|word| word.letters >= 4 || word.is_unspaced);
        if words.len() >= 2 && length >= 8 && numbered && named {
            let number = self.fake(fake);
            self.insert(&words, number);
        } else if !words.is_empty() {
            self.not_sought += 1;
        }
    }

    /// Seeks the number of an account, of a tax office or of a personal document: as it is written,
    /// without its spaces, and in groups of four.
    pub(super) fn add_code(&mut self, code: &str, fake: &str) {
        let words: Vec<Word> = self.hashing.words(code).take(LONGEST).collect();
        let length: u32 = words.iter().map(|word| word.length).sum();
        let letters: u32 = words.iter().map(|word| word.letters).sum();
        let least = match (letters, words.len()) {
            (0, 1) => 10,
            (0, _) => 9,
            _ => 8,
        };
        if length < least || length - letters < 4 || words.iter().any(|word| word.is_unspaced) {
            self.not_sought += u64::from(!words.is_empty());
            return;
        }
        let number = self.fake(fake);
        self.insert(&words, number);
        let plain: String = code.chars().filter(|c| c.is_alphanumeric()).collect();
        if letters > 0 || length >= 10 {
            let words: Vec<Word> = self.hashing.words(&plain).collect();
            self.insert(&words, number);
        }
        if letters > 0 && length >= 15 {
            let groups: Vec<char> = plain.chars().collect();
            let groups: Vec<String> = groups.chunks(4).map(|group| group.iter().collect()).collect();
            let grouped = groups.join(" ");
            let words: Vec<Word> = self.hashing.words(&grouped).take(LONGEST).collect();
            self.insert(&words, number);
        }
    }

    /// Seeks an e-mail address.
    pub(super) fn add_email(&mut self, address: &str, fake: &str) {
        let Some(span) = Address::next(address, 0) else { return };
        let key = self.key_of(&address[span.start..span.end]);
        if !self.emails.contains_key(&key) {
            let number = self.fake(fake);
            self.emails.insert(key, number);
        }
    }

    /// Seeks a telephone number, with and without its country: of at least nine digits, or of eight
    /// that are written in groups.
    pub(super) fn add_phone(&mut self, phone: &str, fake: &str) {
        // An extension or a second number follows.
        let mut digits = String::new();
        for c in phone.replace("(0)", "").chars() {
            match c {
                c if c.is_ascii_digit() => digits.push(c),
                ' ' | '(' | ')' | '+' | '.' | '/' | '-' | '\u{a0}' => {}
                _ if digits.is_empty() => {}
                _ => break,
            }
        }
        let significant = digits.trim_start_matches('0');
        if !(8..=17).contains(&significant.len()) {
            self.not_sought += u64::from(phone.chars().any(char::is_alphanumeric));
            return;
        }
        let number = self.fake(fake);
        for without in 0..=3 {
            let rest = significant[without..].trim_start_matches('0');
            let Some(key) = key_of_digits(rest) else { break };
            let full = without == 0;
            match self.phones.entry(key) {
                Entry::Vacant(free) => {
                    free.insert((number, full));
                }
                Entry::Occupied(mut there) if full && !there.get().1 => {
                    there.insert((number, full));
                }
                Entry::Occupied(_) => {}
            }
        }
    }

    fn fake(&mut self, fake: &str) -> u32 {
        self.fakes.push_str(fake);
        self.ends.push(u32::try_from(self.fakes.len()).unwrap_or(u32::MAX));
        u32::try_from(self.ends.len()).unwrap_or(EXACT - 1)
    }

    fn fake_of(&self, number: u32) -> &str {
        let index = (number & !EXACT) as usize;
        let start = index.checked_sub(2).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = index.checked_sub(1).and_then(|own| self.ends.get(own)).map_or(start, |end| *end as usize);
        self.fakes.get(start..end).unwrap_or_default()
    }

    /// Stores a sequence, unless an earlier one has it already.
    fn insert(&mut self, words: &[Word], number: u32) {
        let mut hash = 0;
        for (index, word) in words.iter().enumerate() {
            hash = Hashing::then(hash, word.hash);
            let own = if index + 1 == words.len() { number } else { 0 };
            let there = self.sequences.entry(hash).or_insert(own);
            if *there == 0 || *there & EXACT != 0 && own != 0 && own & EXACT == 0 {
                *there = own;
            }
        }
    }

    /// Searches a text.
    pub(super) fn search(&self, text: &str) -> Matches {
        let mut search = Search { people: self, text, copied: 0, out: String::new(), found: Matches::default() };
        let mut words = self.hashing.words(text);
        let mut window: VecDeque<Word> = VecDeque::with_capacity(LONGEST);
        let mut address = Address::next(text, 0);
        let mut done = 0;
        loop {
            while window.len() < LONGEST
                && let Some(word) = words.next()
            {
                window.push_back(word);
            }
            let Some(first) = window.front().copied() else { break };
            if first.start < done {
                window.pop_front();
                continue;
            }
            while address.as_ref().is_some_and(|span| span.end <= first.start) {
                address = address.and_then(|span| Address::next(text, span.end));
            }
            let limit = match &address {
                Some(span) if span.start <= first.start => {
                    search.address(span);
                    done = span.end;
                    continue;
                }
                Some(span) => span.start,
                None => text.len(),
            };
            done = search.phone(&window, limit).or_else(|| search.name(&window, limit)).unwrap_or(first.end);
            window.pop_front();
        }
        search.end()
    }

    fn key_of(&self, address: &str) -> u64 {
        self.hashing.exact(&address.to_lowercase())
    }
}

/// A search of one text.
struct Search<'a> {
    people: &'a People,
    text: &'a str,
    /// Up to where the text is in `out`.
    copied: usize,
    out: String,
    found: Matches,
}

impl Search<'_> {
    fn put(&mut self, start: usize, end: usize, number: u32) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(self.people.fake_of(number));
        self.copied = end;
    }

    fn end(mut self) -> Matches {
        if self.copied > 0 {
            self.out.push_str(&self.text[self.copied..]);
            self.found.replaced = Some(self.out);
        }
        self.found
    }

    fn address(&mut self, span: &Address) {
        let written = &self.text[span.start..span.end];
        match self.people.emails.get(&self.people.key_of(written)) {
            Some(number) => self.put(span.start, span.end, *number),
            None => self.found.addresses |= span.is_somebodys(self.text),
        }
    }

    /// Finds the longest name that begins with the first word. Returns where it ends.
    fn name(&mut self, window: &VecDeque<Word>, limit: usize) -> Option<usize> {
        let (mut hash, mut longest) = (0, None);
        let start = window.front()?.start;
        for (index, word) in window.iter().enumerate() {
            if index > 0 && !word.follows || word.end > limit {
                break;
            }
            hash = Hashing::then(hash, word.hash);
            match self.people.sequences.get(&hash) {
                None => break,
                Some(0) => {}
                Some(number) if number & EXACT != 0 => {
                    let written = &self.text[word.start..word.end];
                    if index == 0 && self.people.exact.contains(&self.people.hashing.exact(written)) {
                        longest = Some((word.end, *number));
                    }
                }
                Some(number) => longest = Some((word.end, *number)),
            }
        }
        let (end, number) = longest?;
        self.put(start, end, number);
        Some(end)
    }

    /// Finds a telephone number that begins with the first word.
    fn phone(&mut self, window: &VecDeque<Word>, limit: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let first = window.front()?;
        if self.people.phones.is_empty() || !bytes[first.start].is_ascii_digit() {
            return None;
        }
        let mut start = first.start;
        while start > self.copied && matches!(bytes[start - 1], b'+' | b'(') {
            start -= 1;
        }
        let (mut digits, mut end, mut grouped, mut found) = (String::new(), first.start, bytes[start] == b'+', None);
        for word in window {
            let gap = &bytes[end..word.start];
            let is_number = bytes[word.start..word.end].iter().all(u8::is_ascii_digit);
            let is_gap = gap.len() <= 4
                && gap.iter().all(|byte| matches!(byte, b' ' | b'(' | b')' | b'.' | b'/' | b'-' | 0xc2 | 0xa0));
            if !is_number || !is_gap || word.end > limit || digits.len() + (word.end - word.start) > 19 {
                break;
            }
            grouped |= !gap.is_empty();
            end = word.end;
            // `+49 (0)30 …`: callers from abroad omit it.
            if self.text[..word.end].ends_with("(0") && bytes.get(end) == Some(&b')') {
                continue;
            }
            digits.push_str(&self.text[word.start..word.end]);
            if let Some(number) = self.number(&digits, grouped) {
                found = Some((end, number));
            }
        }
        let (end, number) = found?;
        self.put(start, end, number);
        Some(end)
    }

    /// Returns the fake of a number with these digits.
    fn number(&self, digits: &str, grouped: bool) -> Option<u32> {
        let significant = digits.trim_start_matches('0');
        for without in 0..=3.min(significant.len()) {
            let rest = significant[without..].trim_start_matches('0');
            if rest.len() < 8 || rest.len() == 8 && !grouped {
                return None;
            }
            match key_of_digits(rest).and_then(|key| self.people.phones.get(&key)) {
                Some((number, full)) if without == 0 || *full => return Some(*number),
                _ => {}
            }
        }
        None
    }
}

/// Returns the key of a number, spread because tables use keys as they are. `None`: fewer than
/// eight digits.
fn key_of_digits(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok().filter(|_| digits.len() >= 8)?;
    Some(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31))
}

/// The place of an e-mail address in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    start: usize,
    at: usize,
    end: usize,
}

impl Address {
    /// Returns the first that begins at `from` or later.
    fn next(text: &str, from: usize) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut from = from;
        loop {
            let at = from + memchr::memchr(b'@', bytes.get(from..)?)?;
            let local = |byte: &u8| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
                    || *byte >= 0x80
            };
            let domain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || *byte >= 0x80;
            // It cannot begin before `from`, where the previous one ends.
            let mut start = at - bytes[from..at].iter().rev().take_while(|byte| local(byte)).count();
            let mut end = at + 1 + bytes[at + 1..].iter().take_while(|byte| domain(byte)).count();
            while start < at && matches!(bytes[start], b'.' | b'\'' | b'-' | b'%') {
                start += 1;
            }
            while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-') {
                end -= 1;
            }
            while !text.is_char_boundary(start) {
                start += 1;
            }
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            if start < at && end > at + 3 && bytes[at + 1..end].contains(&b'.') {
                return Some(Self { start, at, end });
            }
            from = at + 1;
        }
    }

    /// Returns whether it can be a person's: not in the domain of fakes, not a file
    /// (`logo@2x.png`), and not an identifier of a message.
    fn is_somebodys(&self, text: &str) -> bool {
        let domain = text[self.at + 1..self.end].to_ascii_lowercase();
        let top = domain.rsplit('.').next().unwrap_or_default();
        let is_top = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_file = ["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "xml", "html", "pdf", "less", "scss"]
            .contains(&top);
        // In brackets and complete: an identifier has characters that an address hardly ever has.
        let before = text[..self.start]
            .bytes()
            .rev()
            .take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'"' | b'\''))
            .count();
        let start = self.start - before;
        let bracketed = text[..start].ends_with('<') && text[self.end..].starts_with('>');
        let local = &text[start..self.at];
        let digits = local.bytes().filter(u8::is_ascii_digit).count();
        let is_message = local.contains("openerp-") || bracketed && (digits >= 8 || local.len() >= 30);
        is_top && !is_file && !is_message && domain != "example.com" && !domain.ends_with(".example.com")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        let mut people = People::default();
        let mut common = Common::default();
        common.add(&people.hashing.clone(), "Sales Team; Test; Cabinet; Mail Server");
        for name in [
            "Anna Berger",
            "Müller & Söhne GmbH",
            "Siemens",
            "Test",
            "IT",
            "Sales Team",
            "山田 太郎",
            "Odoo",
            "Jo Li",
            "Anna Berger-Klein",
        ] {
            people.add_name(name, &format!("F{}", name.len()), &common);
        }
        people.add_email("Anna.Berger@Customer.example", "FMAIL");
        people.add_phone("+49 170 1234567", "FPHONE");
        people.add_phone("22 33 44 55", "FNORWAY");
        people.add_phone("110", "");
        people.add_street("Gartenweg 4", "FSTREET");
        people.add_street("Hauptstraße", "");
        people.add_code("DE89 3704 0044 0532 0130 00", "FIBAN");
        people.add_code("987-65-4320", "FSSN");
        people.add_code("12345", "");
        people
    }

    #[test]
    fn people_are_found_in_any_spelling() {
        let people = people();
        for (text, expected) in [
            ("Dear Anna Berger!", "Dear F11!"),
            ("ANNA  BERGER's and Berger, Anna", "F11's and F11"),
            ("anna_berger-klein", "F17"),
            ("for M&uuml;ller; MÜLLER &amp; SÖHNE GMBH", "for M&uuml;ller; F21"),
            ("Siemens and SIEMENS, not siemens", "F7 and F7, not siemens"),
            ("様山田太郎様", "様F13様"),
            ("mail to ANNA.BERGER@customer.example.", "mail to FMAIL."),
            ("<anna.berger@customer.example>,x", "<FMAIL>,x"),
            (
                "tel. (0170) 123 45-67, +49170/1234567; 00491701234567 +49 (0)170 1234567",
                "tel. FPHONE, FPHONE; FPHONE FPHONE",
            ),
            ("call 22 33 44 55 or +47 22334455", "call FNORWAY or FNORWAY"),
            ("GARTENWEG 4, de89370400440532013000 / DE89 3704 0044 0532 0130 00", "FSTREET, FIBAN / FIBAN"),
            ("ssn 987-65-4320 or 987 65 4320", "ssn FSSN or FSSN"),
        ] {
            assert_eq!(people.search(text).replaced.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_stay_unchanged() {
        let people = people();
        for text in [
            "",
            "Anna",
            "Anna-Lena Berger is Annaberger",
            "Joanna Berger",
            "Test the IT of Odoo: Sales Team",
            "Jo Li",
            "110 223344550 22334455",
            "Gartenweg 44",
            "Hauptstraße 12345",
            "5901234123457",
            "11701234567123",
            "a1701234567",
            "Anna</b> <i>Berger",
            "xanna.berger@customer.example",
            "987654320",
        ] {
            assert_eq!(people.search(text).replaced, None, "{text}");
        }
        assert_eq!(people.not_sought, 8);
    }

    #[test]
    fn foreign_addresses_are_listed_without_identifiers() {
        let people = people();
        for (text, expected) in [
            ("mail to bob@other.example", true),
            ("\"Bob\" <bob@other.example>", true),
            ("bob@example.com and x@mail.example.com", false),
            ("<862831.1637.openerp-7-res.partner@erp.other.example>", false),
            ("<CAF0123456789=abc@mail.gmail.com>", false),
            ("logo@2x.png @media screen @ 5 a@b", false),
            ("anna.berger@customer.example", false),
        ] {
            assert_eq!(people.search(text).addresses, expected, "{text}");
        }
    }
}
