//! The daemon's OpenAPI document, and whether answers match it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use harness::http::Client;
use harness::schema::Described;
use serde_json::Value;

/// The document, and the operations that were compared with real answers.
pub(super) struct Document {
    described: Described,
    checked: RefCell<BTreeSet<String>>,
}

impl Document {
    pub(super) fn new(document: Value) -> Self {
        Self { described: Described::new(document), checked: RefCell::default() }
    }

    /// Returns methods and paths.
    pub(super) fn operations(&self) -> impl Iterator<Item = (String, String)> {
        self.described.operations()
    }

    /// Sends a request, which must succeed, and compares the request and the answer with the
    /// document. `names` replace the parameters in the path.
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

    /// Returns the operations with a JSON answer that [`Self::ask`] was not called with.
    pub(super) fn unchecked(&self) -> Vec<String> {
        let others = ["/healthz", "/metrics", "/api/v1/openapi.json"];
        let all = self.operations().filter(|(_, path)| !others.contains(&path.as_str()) && !path.ends_with("/events"));
        let names = all.map(|(method, path)| format!("{method} {path}"));
        names.filter(|name| !self.checked.borrow().contains(name)).collect()
    }
}
