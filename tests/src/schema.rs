//! JSON documents, compared with the schemas that describe them.

use serde_json::{Map, Value, json};

use crate::http::Answer;

/// An OpenAPI document that answers are checked against. A key that a schema does not name is an
/// error: the document must be complete.
#[derive(Debug)]
pub struct Described {
    document: Value,
}

impl Described {
    /// Reads an OpenAPI document.
    #[must_use]
    pub fn new(mut document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0");
        let schemas = document["components"]["schemas"].as_object_mut().expect("schemas");
        schemas.values_mut().for_each(|schema| close(schema, true));
        Self { document }
    }

    /// Returns methods and paths.
    pub fn operations(&self) -> impl Iterator<Item = (String, String)> {
        let paths = self.document["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods").keys();
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
    }

    /// Panics unless the document allows such a body.
    #[track_caller]
    pub fn assert_request(&self, method: &str, path: &str, body: &Value) {
        let schema = &self.operation(method, path)["requestBody"]["content"]["application/json"]["schema"];
        let checked = self.check(schema, body);
        checked.unwrap_or_else(|wrong| panic!("{method} {path} is sent {wrong}\n{body:#}"));
    }

    /// Panics unless an answer matches its path and status.
    #[track_caller]
    pub fn assert_answer(&self, method: &str, path: &str, answer: &Answer) {
        let (responses, status) = (&self.operation(method, path)["responses"], answer.status.to_string());
        let is_named = responses[&status].is_object();
        assert!(is_named || answer.status >= 400, "{method} {path} answers {status}, which is not in the document");
        let content = &responses[if is_named { &status } else { "default" }]["content"];
        if answer.body.is_empty() {
            assert!(content.is_null(), "{method} {path} answers {status} without a body");
            return;
        }
        let kind = answer.header("content-type").expect("a content type");
        let schema = &content[kind.split(';').next().unwrap_or_default()]["schema"];
        assert!(!schema.is_null(), "{method} {path} answers {status} as {kind}, which is not in the document");
        if kind.ends_with("json") {
            let checked = self.check(schema, &answer.json());
            checked.unwrap_or_else(|wrong| panic!("{method} {path} answers {status} with {wrong}\n{}", answer.text()));
        }
    }

    #[track_caller]
    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = &self.document["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        operation
    }

    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let mut schema = schema.clone();
        close(&mut schema, false);
        check(schema, &self.document["components"], value)
    }
}

/// The schemas of what commands print.
#[derive(Debug)]
pub struct Documents {
    schemas: Value,
}

impl Documents {
    /// Reads the content of `tests/snapshots/schemas.json`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut schemas: Value = serde_json::from_str(text).expect("schemas");
        let all = schemas["components"]["schemas"].as_object_mut().expect("schemas");
        all.values_mut().for_each(|schema| close(schema, true));
        Self { schemas }
    }

    /// Panics unless a document matches the schema of the command.
    #[track_caller]
    pub fn assert_document(&self, command: &str, document: &Value) {
        let mut schema = self.schemas["commands"][command].clone();
        assert!(schema.is_object(), "what {command} prints has no schema");
        close(&mut schema, false);
        let checked = check(schema, &self.schemas["components"], document);
        checked.unwrap_or_else(|wrong| panic!("{command} prints {wrong}\n{document:#}"));
    }
}

/// Returns how a value differs from a schema: what is wrong, and where.
#[must_use]
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).expect("a schema");
    validator.iter_errors(value).map(|error| format!("{error} ({})", error.instance_path())).collect()
}

/// Checks a value against a schema whose references lead to `components`.
fn check(mut schema: Value, components: &Value, value: &Value) -> Result<(), String> {
    schema["components"] = components.clone();
    let is_utc = |text: &str| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok();
    let options = jsonschema::draft202012::options().should_validate_formats(true).with_format("date-time", is_utc);
    let validator = options.build(&schema).map_err(|error| format!("a schema that is none: {error}"))?;
    let wrong: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{error} ({})", error.instance_path())).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// Forbids keys that the schema does not name. `is_part` is true if other schemas describe the same
/// object too.
fn close(schema: &mut Value, is_part: bool) {
    let Value::Object(words) = schema else { return };
    for name in ["items", "additionalProperties"] {
        words.get_mut(name).into_iter().for_each(|schema| close(schema, false));
    }
    let properties = words.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).for_each(|schema| close(schema, false));
    for name in ["allOf", "anyOf", "oneOf"] {
        let parts = words.get_mut(name).and_then(Value::as_array_mut);
        parts.into_iter().flatten().for_each(|schema| close(schema, true));
    }
    let names_properties =
        ["$ref", "allOf", "anyOf", "oneOf", "properties"].iter().any(|word| words.contains_key(*word));
    if names_properties && !is_part {
        words.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Described {
        let text = json!({ "type": "string" });
        Described::new(json!({
            "openapi": "3.1.0",
            "paths": { "/runs": { "get": { "responses": { "200": { "content": { "application/json": { "schema": {
                "$ref": "#/components/schemas/Run"
            } } } } } } } },
            "components": { "schemas": {
                "Record": {
                    "type": "object",
                    "properties": { "name": text, "at": { "type": "string", "format": "date-time" } },
                    "required": ["name"]
                },
                "Run": { "allOf": [
                    { "$ref": "#/components/schemas/Record" },
                    { "type": "object", "properties": { "live": { "oneOf": [
                        { "$ref": "#/components/schemas/Record" }, { "type": "null" }
                    ] } }, "required": ["live"] }
                ] }
            } }
        }))
    }

    fn answer(status: u16, body: &Value) -> Answer {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Answer { status, headers, body: body.to_string().into_bytes(), is_whole: true }
    }

    fn is_right(body: &Value) -> bool {
        let asked = || document().assert_answer("GET", "/runs", &answer(200, body));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(asked)).is_ok()
    }

    #[test]
    fn answer_as_described_passes() {
        assert!(is_right(&json!({ "name": "a", "live": null })));
        assert!(is_right(&json!({ "name": "a", "at": "2026-11-21T02:00:00Z", "live": { "name": "b" } })));
    }

    #[test]
    fn answer_with_undescribed_key_fails() {
        assert!(!is_right(&json!({ "name": "a", "live": null, "more": 1 })));
        assert!(!is_right(&json!({ "name": "a", "live": { "name": "b", "more": 1 } })));
    }

    #[test]
    fn answer_without_required_key_fails() {
        assert!(!is_right(&json!({ "name": "a" })));
        assert!(!is_right(&json!({ "live": null })));
        assert!(!is_right(&json!({ "name": "a", "live": {} })));
    }

    #[test]
    fn answer_of_other_type_fails() {
        assert!(!is_right(&json!({ "name": 1, "live": null })));
        assert!(!is_right(&json!({ "name": "a", "at": "2026-11-21T02:00:00+01:00", "live": null })));
    }

    #[test]
    #[should_panic(expected = "answers 201, which is not in the document")]
    fn undescribed_status_fails() {
        document().assert_answer("GET", "/runs", &answer(201, &json!({ "name": "a", "live": null })));
    }
}
