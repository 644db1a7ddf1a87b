//! The daemon's OpenAPI document, and whether answers are what it says.

use std::cell::RefCell;
use std::collections::BTreeSet;

use harness::http::Client;
use serde_json::Value;

/// The document, and which of its operations have been held against real answers.
pub(super) struct Document {
    value: Value,
    checked: RefCell<BTreeSet<String>>,
}

impl Document {
    pub(super) fn new(value: Value) -> Self {
        assert_eq!(value["openapi"], "3.1.0");
        Self { value, checked: RefCell::default() }
    }

    /// Methods and paths.
    pub(super) fn operations(&self) -> impl Iterator<Item = (String, String)> {
        let paths = self.value["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
    }

    /// Asks, and holds what is sent and answered against the document. `names` take the places in the path.
    pub(super) async fn ask(
        &self,
        client: &Client,
        method: &str,
        path: &str,
        names: &[&str],
        body: Option<&Value>,
    ) -> Value {
        let operation = &self.value["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        let mut filled = path.to_owned();
        for name in names {
            let (from, to) = (filled.find('{').unwrap(), filled.find('}').unwrap());
            filled.replace_range(from..=to, name);
        }
        if let Some(body) = body {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            self.check(schema, body).unwrap_or_else(|wrong| panic!("{method} {path} is sent {wrong}"));
        }
        let answer = client.send(method, &filled, body).await;
        let response = &operation["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{method} {path} answers {}: {}", answer.status, answer.text());
        self.checked.borrow_mut().insert(format!("{method} {path}"));
        let value = answer.json();
        let kind = answer.header("content-type").unwrap();
        self.check(&response["content"][kind]["schema"], &value)
            .unwrap_or_else(|wrong| panic!("{method} {path} answers {wrong}\n{value:#}"));
        value
    }

    /// The operations with an answer of JSON that [`Self::ask`] was not called with.
    pub(super) fn unchecked(&self) -> Vec<String> {
        let others = ["/healthz", "/metrics", "/api/v1/openapi.json"];
        let all = self.operations().filter(|(_, path)| !others.contains(&path.as_str()) && !path.ends_with("/events"));
        let names = all.map(|(method, path)| format!("{method} {path}"));
        names.filter(|name| !self.checked.borrow().contains(name)).collect()
    }

    /// Whether a value is as a schema says, by those words of JSON Schema that the document uses. Also what the schema does not
    /// name is wrong: whoever reads the document should find all of it there.
    fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.strip_prefix('#').unwrap();
            let schema = self.value.pointer(pointer).unwrap_or_else(|| panic!("{name} is not in the document"));
            return self.check(schema, value);
        }
        if let Some(one_of) = schema["oneOf"].as_array() {
            let wrongs: Vec<_> = one_of.iter().filter_map(|schema| self.check(schema, value).err()).collect();
            return if wrongs.len() + 1 == one_of.len() {
                Ok(())
            } else {
                Err(format!("none or several of {wrongs:?}"))
            };
        }
        let is_wrong = |what: &str| Err(format!("{what} for {value}"));
        if schema.get("const").is_some_and(|only| only != value) {
            return is_wrong("another constant");
        }
        if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
            return is_wrong("none of the words");
        }
        let is_of = |kind: &Value| match kind.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("the type {other} is not one that this check knows"),
        };
        let is_right = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().any(is_of),
            Value::Null => schema.get("const").is_some() || schema.get("enum").is_some(),
            kind => is_of(kind),
        };
        if !is_right {
            return is_wrong("another type");
        }
        if schema["format"] == "date-time" && value.as_str().is_some_and(|text| !text.ends_with('Z')) {
            return is_wrong("no time in UTC");
        }
        for item in value.as_array().into_iter().flatten() {
            self.check(&schema["items"], item)?;
        }
        let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
        let Some(object) = value.as_object() else { return Ok(()) };
        for name in schema["required"].as_array().into_iter().flatten() {
            if !object.contains_key(name.as_str().unwrap()) {
                return is_wrong(&format!("no {name}"));
            }
        }
        for (name, value) in object {
            let schema = properties.get(name).ok_or_else(|| format!("{name}, which is not in the document"))?;
            self.check(schema, value).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(())
    }
}
