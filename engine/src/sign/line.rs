//! A line of an `allowed_signers` file: `shop,crm namespaces="odoo-*" ssh-ed25519 AAAA… comment`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ssh_key::PublicKey;

use super::patterns::Patterns;
use super::time::parse_time;
use crate::text::one_line;

/// The only type of keys that signs.
const ED25519: &str = "ssh-ed25519";
/// What the name of every type of keys starts with, and no option.
const TYPES: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];

/// A key, and what it may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The instances.
    pub(super) principals: Patterns,
    /// What for. `None` for every purpose.
    pub(super) namespaces: Option<Patterns>,
    /// The first moment of its validity, if it has one.
    pub(super) after: Option<Timestamp>,
    /// The last moment of its validity, if it has one.
    pub(super) before: Option<Timestamp>,
    /// With its comment.
    pub(super) key: PublicKey,
}

/// Parses a line. Returns `None` for a comment and an empty line. An error is what is wrong with
/// it, printable.
pub(super) fn parse(text: &str, zone: &TimeZone) -> Result<Option<Line>, String> {
    let text = text.trim_matches([' ', '\t', '\r']);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (principals, rest) = principals(text)?;
    let principals = Patterns::parse(principals).map_err(|why| format!("the list of instances is wrong: {why}"))?;
    let (options, key) = match TYPES.iter().any(|kind| rest.starts_with(kind)) {
        true => (Options::default(), rest),
        false => options(rest, zone)?,
    };
    let key = public_key(key)?;
    let Options { namespaces, after, before } = options;
    if after.zip(before).is_some_and(|(after, before)| before <= after) {
        return Err("\"valid-before\" is not later than \"valid-after\"".into());
    }
    Ok(Some(Line { principals, namespaces, after, before, key }))
}

/// Splits off the first word, which may be in double quotes.
fn principals(text: &str) -> Result<(&str, &str), String> {
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("a double quote has no end")?,
        None => text.split_once([' ', '\t']).unwrap_or((text, "")),
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    if word.contains('"') {
        return Err(
            "a double quote is within the list of instances: put the whole list in quotes, or none of it".into()
        );
    }
    if rest.is_empty() {
        return Err("there is no key: write INSTANCES ssh-ed25519 KEY".into());
    }
    Ok((word, rest))
}

#[derive(Default)]
struct Options {
    namespaces: Option<Patterns>,
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

/// Reads the options, which end at the first space outside quotes. Returns what follows.
fn options<'a>(mut text: &'a str, zone: &TimeZone) -> Result<(Options, &'a str), String> {
    let mut options = Options::default();
    loop {
        let length = text.find(['=', ',', ' ', '\t']).unwrap_or(text.len());
        let (name, rest) = text.split_at(length);
        let name = name.to_ascii_lowercase();
        if name == "cert-authority" {
            return Err("certificate authorities are not supported: name the signing key itself".into());
        }
        let Some(rest) = rest.strip_prefix('=') else {
            return Err(format!("{:?} is neither an option nor a type of keys", shown(&name)));
        };
        let (value, rest) = quoted(rest).ok_or_else(|| format!("{:?} needs a value in double quotes", shown(&name)))?;
        let again = match name.as_str() {
            "namespaces" => {
                let patterns = Patterns::parse(&value).map_err(|why| format!("\"namespaces\" is wrong: {why}"))?;
                options.namespaces.replace(patterns).is_some()
            }
            "valid-after" | "valid-before" => {
                let moment = parse_time(&value, zone).ok_or_else(|| {
                    format!("{name:?} has no time such as 20261121 or 20261121020000Z, but {:?}", shown(&value))
                })?;
                let field = if name == "valid-after" { &mut options.after } else { &mut options.before };
                field.replace(moment).is_some()
            }
            _ => return Err(format!("{:?} is not an option of a signer", shown(&name))),
        };
        if again {
            return Err(format!("{name:?} is given twice"));
        }
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None if rest.starts_with([' ', '\t']) => return Ok((options, rest.trim_start_matches([' ', '\t']))),
            None if rest.is_empty() => return Err("there is no key after the options".into()),
            None => return Err(format!("after {name:?} there is neither a comma nor a space")),
        }
    }
}

/// Reads a value in double quotes, in which `\"` is a quote. Returns it and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                characters.next();
            }
            '"' => return Some((value, &text[at + 1..])),
            other => value.push(other),
        }
    }
    None
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    let mut words = text.split_ascii_whitespace();
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if kind != ED25519 {
        let is_type = TYPES.iter().any(|known| kind.starts_with(known));
        return Err(match is_type {
            true => format!("{:?} keys do not sign backups: only {ED25519} does", shown(kind)),
            false => format!("{:?} is not a type of keys", shown(kind)),
        });
    }
    let mut key = PublicKey::from_openssh(&format!("{kind} {key}"))
        .map_err(|error| format!("the key cannot be read: {error}"))?;
    key.set_comment(one_line(&words.collect::<Vec<_>>().join(" ")));
    Ok(key)
}

/// Returns the beginning of a text, for a message.
fn shown(text: &str) -> String {
    const SHOWN: usize = 60;
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn line(text: &str) -> Line {
        parse(text, &TimeZone::UTC).unwrap().unwrap()
    }

    fn problem(text: &str) -> String {
        parse(text, &TimeZone::UTC).expect_err(text)
    }

    #[test]
    fn key_alone_signs_everything() {
        let found = line(&format!("  shop,crm\t{KEY} the host of shop \r"));
        assert_eq!((found.principals.to_string().as_str(), found.key.comment()), ("shop,crm", "the host of shop"));
        assert_eq!((found.namespaces, found.after, found.before), (None, None, None));
    }

    #[test]
    fn options_are_read() {
        let text = format!(
            "\"*\" NAMESPACES=\"odoo-backup-*,a\\\"b\",valid-after=\"20260101Z\",valid-before=\"20270101Z\" {KEY}"
        );
        let found = line(&text);
        assert_eq!(found.namespaces.unwrap().to_string(), "odoo-backup-*,a\"b");
        assert_eq!(found.after.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(found.before.unwrap().to_string(), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn comments_and_blank_lines_are_nothing() {
        for text in ["", " \t\r", "# a comment", "  # another"] {
            assert_eq!(parse(text, &TimeZone::UTC), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn problems_are_named() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==";
        for (text, part) in [
            ("shop".to_owned(), "there is no key"),
            (format!("shop cert-authority {KEY}"), "certificate authorities are not supported"),
            (format!("shop Cert-Authority,namespaces=\"a\" {KEY}"), "certificate authorities are not supported"),
            (format!("shop {rsa}"), "only ssh-ed25519"),
            (format!("shop sk-{KEY}"), "only ssh-ed25519"),
            (format!("{KEY} shop"), "is neither an option nor a type"),
            (format!("shop {}", &KEY[..60]), "cannot be read"),
            (format!("shop {KEY}AAAA"), "cannot be read"),
            (format!("shop namespaces=a {KEY}"), "needs a value in double quotes"),
            (format!("shop namespaces=\"a {KEY}"), "needs a value in double quotes"),
            (format!("shop namespaces=\"a\"{KEY}"), "neither a comma nor a space"),
            (format!("shop namespaces=\"a\",namespaces=\"b\" {KEY}"), "given twice"),
            (format!("shop namespaces=\"a,,b\" {KEY}"), "a pattern is empty"),
            ("shop namespaces=\"a\"".to_owned(), "no key after the options"),
            ("shop namespaces=\"a\" word".to_owned(), "not a type of keys"),
            (format!("shop valid-after=\"tomorrow\" {KEY}"), "no time such as"),
            (format!("shop valid-after=\"20260101\",valid-after=\"20260102\" {KEY}"), "given twice"),
            (format!("shop valid-after=\"20270101\",valid-before=\"20260101\" {KEY}"), "not later than"),
            (format!("shop restrict {KEY}"), "neither an option"),
            (format!("shop verify-required=\"a\" {KEY}"), "not an option of a signer"),
            (format!("shop, {KEY}"), "a pattern is empty"),
            (format!("!shop {KEY}"), "only excludes"),
            (format!("\"shop {KEY}"), "no end"),
            (format!("sh\"op {KEY}"), "within the list"),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }

    #[test]
    fn hostile_text_is_printable() {
        for text in [format!("shop \u{1b}[2J {KEY}"), "shop namespaces=\"a\" \u{202e}x y".to_owned()] {
            let problem = problem(&text);
            assert_eq!(one_line(&problem), problem);
        }
        assert_eq!(line(&format!("shop {KEY} \u{1b}[2J")).key.comment(), r"\u{1b}[2J");
    }
}
