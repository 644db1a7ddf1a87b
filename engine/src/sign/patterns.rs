//! Lists of patterns, as ssh_config(5) describes them: `shop-*,!shop-test`.

use std::fmt;

/// OpenSSH ignores a list from a longer pattern on. Such a line is refused here.
const LONGEST: usize = 1000;

/// Patterns separated by commas. `*` is any text, `?` any character, and `!` excludes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    excludes: bool,
    text: String,
}

impl Patterns {
    /// Parses a list, or returns what is wrong with it.
    pub(super) fn parse(list: &str) -> Result<Self, String> {
        let pattern = |text: &str| match text.strip_prefix('!') {
            Some(rest) => Pattern { excludes: true, text: rest.to_owned() },
            None => Pattern { excludes: false, text: text.to_owned() },
        };
        let patterns: Vec<_> = list.split(',').map(pattern).collect();
        if patterns.iter().any(|pattern| pattern.text.is_empty()) {
            return Err("a pattern is empty".into());
        }
        if patterns.iter().any(|pattern| pattern.text.len() > LONGEST) {
            return Err(format!("a pattern is longer than {LONGEST} characters"));
        }
        if patterns.iter().all(|pattern| pattern.excludes) {
            // ssh accepts it without a word, and it matches nothing.
            return Err("it only excludes, so it matches nothing".into());
        }
        Ok(Self(patterns))
    }

    /// Returns whether a pattern matches `name` and none excludes it.
    pub(super) fn accept(&self, name: &str) -> bool {
        let matches =
            |excludes: bool| self.0.iter().any(|pattern| pattern.excludes == excludes && matches(&pattern.text, name));
        matches(false) && !matches(true)
    }
}

impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Pattern { excludes, text }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let not = if *excludes { "!" } else { "" };
            write!(f, "{comma}{not}{text}")?;
        }
        Ok(())
    }
}

/// Returns whether a pattern matches a name, in time proportional to the product of their lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` is, and how much of the name it takes so far.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, n) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_ssh() {
        for (list, name, expected) in [
            ("shop", "shop", true),
            ("shop", "shop2", false),
            ("shop", "Shop", false),
            ("*", "shop", true),
            ("shop-*", "shop-", true),
            ("shop-*", "shop", false),
            ("s?op", "shop", true),
            ("s?op", "sop", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("shop,crm", "crm", true),
            ("*,!shop-test", "shop-test", false),
            ("!shop-test,*", "shop-test", false),
            ("*,!shop-*", "crm", true),
        ] {
            assert_eq!(Patterns::parse(list).unwrap().accept(name), expected, "{list} {name}");
            assert_eq!(Patterns::parse(list).unwrap().to_string(), list);
        }
    }

    #[test]
    fn pointless_lists_are_refused() {
        for wrong in ["", "a,,b", "a,", "!", "!shop", "a,!", &"a".repeat(LONGEST + 1)] {
            assert!(Patterns::parse(wrong).is_err(), "{wrong:.20}");
        }
    }

    #[test]
    fn many_stars_are_fast() {
        let pattern = "*a".repeat(400);
        assert!(matches(&pattern, &"a".repeat(4000)));
        assert!(!matches(&pattern, &format!("{}b", "a".repeat(4000))));
    }

    /// The definition, which takes exponential time.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            ([b'*', rest @ ..], _) => slow(rest, name) || !name.is_empty() && slow(pattern, &name[1..]),
            ([byte, rest @ ..], [first, others @ ..]) => (*byte == b'?' || byte == first) && slow(rest, others),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_as_defined(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
