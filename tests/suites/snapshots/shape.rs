//! The shape of JSON documents: keys and types, without values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Objects whose keys are data.
const MAPS: [&str; 8] = ["alarmed", "health", "heeded", "modules", "objects", "pending", "stale", "watched"];

/// Keys of objects that are parts of many documents, and shown once for all of them.
const PARTS: [&str; 6] = ["anonymized", "error", "manifest", "neutralized", "outcome", "verification"];

/// Keys whose values are words that programs compare, so these words belong to the shape.
const WORDS: [&str; 14] = [
    "by", "channel", "code", "depth", "event", "job", "level", "means", "occasion", "outcome", "purpose", "result",
    "severity", "state",
];

/// The shapes of [`PARTS`].
pub(super) type Parts = BTreeMap<String, Shape>;

/// What documents of one kind have in common.
#[derive(Debug, Default)]
pub(super) struct Shape(BTreeMap<String, Place>);

/// What is known about the values at one path.
#[derive(Debug, Default)]
struct Place {
    types: BTreeSet<String>,
    /// The number of values, and how many of them were objects.
    values: usize,
    objects: usize,
    /// The object that contains the key. `None` if it is not a key.
    parent: Option<String>,
}

impl Shape {
    /// Adds the content of a document.
    pub(super) fn add(&mut self, document: &Value, parts: &mut Parts) {
        self.walk(String::new(), None, document, parts);
    }

    fn walk(&mut self, path: String, parent: Option<&str>, value: &Value, parts: &mut Parts) {
        let place = self.0.entry(path.clone()).or_default();
        place.values += 1;
        place.objects += usize::from(value.is_object());
        place.parent = parent.map(Into::into);
        if value.is_object() && PARTS.contains(&last(&path)) {
            place.types.insert(format!("<{}>", last(&path)));
            let mut part = parts.remove(last(&path)).unwrap_or_default();
            part.add(value, parts);
            parts.insert(last(&path).to_owned(), part);
            return;
        }
        place.types.insert(type_of(&path, value));
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.walk(format!("{path}[]"), None, value, parts)),
            Value::Object(map) => {
                let is_map = MAPS.contains(&last(&path));
                for (key, value) in map {
                    let dot = if path.is_empty() { "" } else { "." };
                    let (key, parent) = if is_map { ("*", None) } else { (key.as_str(), Some(path.as_str())) };
                    self.walk(format!("{path}{dot}{key}"), parent, value, parts);
                }
            }
            _ => {}
        }
    }

    /// Returns a line for each place. A key that not every document has ends in `?`.
    pub(super) fn lines(&self) -> Vec<String> {
        let has_children = |path: &str| {
            self.0.keys().any(|other| other.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '['])))
        };
        let mut lines = Vec::new();
        for (path, place) in &self.0 {
            let only = |wanted: &str| place.types.iter().all(|kind| kind == wanted);
            let parent = place.parent.as_ref().map(|parent| &self.0[parent]);
            let is_optional = parent.is_some_and(|parent| place.values < parent.objects);
            let is_container = only("array") || only("object");
            if is_container && !is_optional && (path.is_empty() || has_children(path)) {
                continue;
            }
            let mark = if is_optional { "?" } else { "" };
            let types: Vec<_> = place.types.iter().map(String::as_str).collect();
            lines.push(format!("{path}{mark}: {}", types.join(" | ")));
        }
        lines
    }
}

/// Returns the last key of a path.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn type_of(path: &str, value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(number) if number.is_f64() => "number".into(),
        Value::Number(_) => "integer".into(),
        Value::String(text) if WORDS.contains(&last(path)) => format!("{text:?}"),
        Value::String(text) if is_time(text) => "time".into(),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

/// Returns whether it is RFC 3339 in UTC.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    shape.starts_with("0000-00-00T00:00:00") && shape.ends_with('Z')
}

#[test]
fn document_shape_names_keys_and_types() {
    let mut shape = Shape::default();
    let one = r#"{"list": [{"a": 1, "b": 1.5}, {"a": null}], "modules": {"x": "1"}, "outcome": "done", "none": [], "error": {"why": ""}}"#;
    let other =
        r#"{"list": [], "modules": {}, "outcome": "failed", "none": [], "more": {"at": "2026-01-01T00:00:00Z"}}"#;
    let mut parts = Parts::new();
    for document in [one, other] {
        shape.add(&serde_json::from_str(document).unwrap(), &mut parts);
    }
    assert_eq!(parts["error"].lines(), ["why: string"]);
    let expected = [
        "error?: <error>",
        "list[].a: integer | null",
        "list[].b?: number",
        "modules.*: string",
        "more?: object",
        "more.at: time",
        "none: array",
        "outcome: \"done\" | \"failed\"",
    ];
    assert_eq!(shape.lines(), expected);
}
