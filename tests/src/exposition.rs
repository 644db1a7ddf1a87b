//! Reads Prometheus' text format as strictly as the textfile collector of node_exporter does, with
//! none of the code that writes it.

use std::collections::{BTreeMap, BTreeSet};

/// What a text says.
#[derive(Debug, Default)]
pub struct Exposition {
    /// The values, by name and labels as they are written: `a_bytes{x="y"}`.
    pub samples: BTreeMap<String, f64>,
    /// `gauge` or `counter` of each metric.
    pub types: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Panics
    /// Where the text breaks a rule of the format, or of promtool for names.
    pub fn of(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut read = Self::default();
        let (mut helped, mut current): (BTreeSet<&str>, _) = (BTreeSet::new(), "");
        for line in text.lines() {
            assert_eq!(line, line.trim(), "spaces around a line");
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap_or_else(|| panic!("no text: {line}"));
                assert!(!help.is_empty() && !help.contains('\\'), "{line}");
                assert!(helped.insert(name), "the samples of {name} are apart");
                current = name;
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert_eq!(name, current, "the type does not follow the help");
                assert!(["gauge", "counter"].contains(&kind), "{line}");
                assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                assert!(is_name(name, true), "{line}");
                assert!(read.types.insert(name.into(), kind.into()).is_none(), "{name} has two types");
            } else {
                read.sample(line, current);
            }
        }
        assert!(helped.iter().all(|name| read.types.contains_key(*name)), "a metric without a type");
        for name in read.types.keys() {
            assert!(read.samples.keys().any(|sample| metric(sample) == name), "{name} has no sample");
        }
        read
    }

    fn sample(&mut self, line: &str, current: &str) {
        let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
        let (name, mut rest) = line.split_at(end);
        assert_eq!(name, current, "a sample of another metric");
        assert!(self.types.contains_key(name), "a sample before its type: {line}");
        let mut labels = BTreeSet::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                let (label, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                assert!(is_name(label, false) && labels.insert(label), "{line}");
                assert!(!["instance", "job"].contains(&label), "Prometheus' own label: {line}");
                rest = &value[end_of_value(value).unwrap_or_else(|| panic!("{line}"))..];
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => break,
                }
            }
            rest = rest.strip_prefix('}').unwrap_or_else(|| panic!("{line}"));
        }
        // One word: the collector refuses files with timestamps.
        let value = rest.strip_prefix(' ').and_then(|value| value.parse::<f64>().ok());
        let value = value.filter(|value| value.is_finite()).unwrap_or_else(|| panic!("{line}"));
        let series = line[..line.len() - rest.len()].to_owned();
        assert!(self.samples.insert(series, value).is_none(), "twice: {line}");
    }

    /// Returns the value of a series.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.samples.get(series).copied()
    }

    /// Returns the names of the metrics.
    pub fn names(&self) -> BTreeSet<&str> {
        self.types.keys().map(String::as_str).collect()
    }
}

/// Returns the name in a series.
pub fn metric(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}

fn is_name(name: &str, is_metric: bool) -> bool {
    let is_first = |char: char| char.is_ascii_alphabetic() || char == '_' || (is_metric && char == ':');
    name.starts_with(is_first) && name.chars().all(|char| is_first(char) || char.is_ascii_digit())
}

/// Returns the place after the quote that ends a value; `None` if there is none, or for an escape
/// that does not exist.
fn end_of_value(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some(at + 1),
            (_, '\\') if !matches!(chars.next()?.1, '\\' | '"' | 'n') => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "# HELP a_bytes Some\n# TYPE a_bytes gauge\na_bytes{x=\"a\\\"b,}\\n\",y=\"\"} 1.5\na_bytes 2\n";

    #[test]
    fn valid_text_is_read() {
        let read = Exposition::of(RIGHT);
        assert_eq!(read.value("a_bytes"), Some(2.0));
        assert_eq!(read.value("a_bytes{x=\"a\\\"b,}\\n\",y=\"\"}"), Some(1.5));
        assert_eq!(read.names(), ["a_bytes"].into());
    }

    #[test]
    fn broken_text_is_refused() {
        let wrong = [
            ("a_bytes 2\n", "a_bytes 2"),
            ("a_bytes 2\n", "a_bytes 2\na_bytes 2\n"),
            ("a_bytes 2\n", "a_bytes 2 1763691603000\n"),
            ("a_bytes 2\n", "a_bytes NaN\n"),
            ("a_bytes 2\n", "b_bytes 2\n"),
            ("a_bytes 2\n", "a_bytes  2\n"),
            ("\\n", "\\t"),
            ("y=", "x="),
            ("y=", "job="),
            ("\"\"}", "\"}"),
            ("gauge", "counter"),
            ("gauge", "number"),
            ("# TYPE a_bytes gauge\n", ""),
            ("# HELP a_bytes Some\n", ""),
        ];
        for (from, to) in wrong {
            let text = RIGHT.replace(from, to);
            assert_ne!(text, RIGHT, "{from}");
            assert!(std::panic::catch_unwind(|| Exposition::of(&text)).is_err(), "{text}");
        }
    }
}
