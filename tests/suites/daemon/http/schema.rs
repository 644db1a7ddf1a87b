//! The daemon's OpenAPI document, and whether answers are what it says.

use std::cell::RefCell;
use std::collections::BTreeSet;

use harness::http::Client;
use harness::schema::Described;
use serde_json::Value;

/// The document, and which of its operations were compared with real answers.
pub(super) struct Document {
    described: Described,
    checked: RefCell<BTreeSet<String>>,
}

impl Document {
    pub(super) fn new(document: Value) -> Self {
        Self { described: Described::new(document), checked: RefCell::default() }
    }

    /// Methods and paths.
    pub(super) fn operations(&self) -> impl Iterator<Item = (String, String)> {
        self.described.operations()
    }

    /// Sends a request, which must succeed, and compares what is sent and answered with the
    /// document. `names` take the places in the path.
    pub(super) async fn ask(
        &self,
        client: &Client,
        method: &str,
        path: &str,
        names: &[&str],
        body: Option<&Value>,
    ) -> Value {
        let mut filled = path.to_owned();
        for name in names {
            let (from, to) = (filled.find('{').unwrap(), filled.find('}').unwrap());
            filled.replace_range(from..=to, name);
        }
        body.into_iter().for_each(|body| self.described.assert_request(method, path, body));
        let answer = client.send(method, &filled, body).await;
        assert!(answer.status < 300, "{method} {path} answers {}: {}", answer.status, answer.text());
        self.described.assert_answer(method, path, &answer);
        self.checked.borrow_mut().insert(format!("{method} {path}"));
        answer.json()
    }

    /// The operations with an answer of JSON that [`Self::ask`] was not called with.
    pub(super) fn unchecked(&self) -> Vec<String> {
        let others = ["/healthz", "/metrics", "/api/v1/openapi.json"];
        let all = self.operations().filter(|(_, path)| !others.contains(&path.as_str()) && !path.ends_with("/events"));
        let names = all.map(|(method, path)| format!("{method} {path}"));
        names.filter(|name| !self.checked.borrow().contains(name)).collect()
    }
}
