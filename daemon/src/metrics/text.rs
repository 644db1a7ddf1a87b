//! Prometheus' text format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::fmt::{self, Write};

/// The version of the format that is written.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, Clone, Copy)]
pub(crate) enum MetricKind {
    Gauge,
    Counter,
}

impl fmt::Display for MetricKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        })
    }
}

/// A metric: its name, which ends in its unit, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: MetricKind,
    /// A sentence without anything that would have to be escaped.
    pub(crate) help: &'static str,
}

/// Names and values of labels.
type Labels<'a> = Vec<(&'static str, &'a str)>;

/// A text that is being written.
#[derive(Default)]
pub(crate) struct Text(String);

impl Text {
    /// Adds a metric with its samples; nothing where there are none.
    pub(crate) fn add<'a>(&mut self, metric: &Metric, samples: impl IntoIterator<Item = (Labels<'a>, f64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let Metric { name, kind, help } = metric;
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in samples {
            self.push(format_args!("{name}"));
            let mut before = '{';
            for (label, value) in &labels {
                self.push(format_args!("{before}{label}=\""));
                self.escape(value);
                self.0.push('"');
                before = ',';
            }
            let end = if labels.is_empty() { "" } else { "}" };
            self.push(format_args!("{end} {value}\n"));
        }
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.0.write_fmt(text);
    }

    fn escape(&mut self, value: &str) {
        for char in value.chars() {
            match char {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_metric_with_escaped_values() {
        let metric = Metric { name: "a_bytes", kind: MetricKind::Gauge, help: "Some" };
        let mut text = Text::default();
        text.add(&metric, []);
        text.add(&metric, [(vec![("x", "a\"b\\c\nd"), ("y", "é")], 1.5), (vec![], 1_763_691_603.25)]);
        let expected = "# HELP a_bytes Some\n# TYPE a_bytes gauge\n\
            a_bytes{x=\"a\\\"b\\\\c\\nd\",y=\"é\"} 1.5\na_bytes 1763691603.25\n";
        assert_eq!(text.into_string(), expected);
    }
}
