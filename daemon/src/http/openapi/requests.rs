//! Compares what the page asks for with the description.
//!
//! The page builds each address where it asks: from a text, or from `path("instances", name)` and
//! what follows it. Requests that are built otherwise fail here, so that none remains unseen.

use std::collections::BTreeSet;

use crate::http::page::scripts;

const BASE: &str = "/api/v1";

/// A request in a script: its method where that stands before it, and its address, with `{}` for
/// each part that comes from data.
type Request = (Option<&'static str>, String);

/// Returns the address that a page is about, which it calls `at`.
fn subject(script: &str) -> Option<String> {
    script.split("const at = path(").nth(1).map(|rest| segments(arguments(rest)))
}

/// Returns the requests of a script. A part of a page is given the `at` of that page.
fn requests(script: &str, given: Option<&str>) -> BTreeSet<Request> {
    let own = subject(script).or(given.map(ToOwned::to_owned));
    let mut found = BTreeSet::new();
    for quote in ['"', '`'] {
        let starts = script.match_indices(quote).map(|(at, _)| at);
        for at in starts.filter(|at| script[at + 1..].starts_with("/") && !script[at + 2..].starts_with(['/', quote])) {
            found.insert((method(&script[..at]), format!("/{}", tail(&script[at + 2..], quote))));
        }
    }
    for (at, _) in script.match_indices("`${") {
        let inside = &script[at + 3..];
        let address = if let Some(rest) = inside.strip_prefix("path(") {
            let given = arguments(rest);
            segments(given) + &tail(&rest[given.len() + 2..], '`')
        } else if let Some(rest) = inside.strip_prefix("at}") {
            own.clone().expect("`at` is the address of a page") + &tail(rest, '`')
        } else {
            assert!(method(&script[..at]).is_none(), "asks for ${{{}", &inside[..inside.len().min(40)]);
            continue;
        };
        found.insert((method(&script[..at]), address));
    }
    for (at, word) in script.match_indices("path(") {
        let before = &script[..at];
        let is_word = before.ends_with(|char: char| char.is_alphanumeric() || char == '.' || char == '{');
        if !is_word && !before.ends_with("function ") {
            found.insert((method(before), segments(arguments(&script[at + word.len()..]))));
        }
    }
    found
}

/// Returns the method of the call whose argument comes next.
fn method(before: &str) -> Option<&'static str> {
    let calls = [
        ("get(", "get"),
        ("useResource(", "get"),
        ("post(", "post"),
        ("ask(\"PUT\", ", "put"),
        ("ask(\"DELETE\", ", "delete"),
    ];
    calls.into_iter().find(|(call, _)| before.ends_with(call)).map(|(_, method)| method)
}

/// Returns the text before the parenthesis that ends a call.
fn arguments(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|char| {
        depth += i32::from(char == '(') - i32::from(char == ')');
        depth < 0
    });
    &text[..end.expect("the end of a call")]
}

fn segments(arguments: &str) -> String {
    let segment = |argument: &str| match argument.trim().strip_prefix('"') {
        Some(word) => format!("/{}", word.trim_end_matches('"')),
        None => "/{}".to_owned(),
    };
    arguments.split(',').map(segment).collect()
}

/// Returns the rest of an address, up to its query.
fn tail(text: &str, quote: char) -> String {
    let text = &text[..text.find([quote, '?', '\n']).expect("the end of an address")];
    let mut parts = text.split("${");
    let mut address = parts.next().unwrap_or_default().to_owned();
    for part in parts.filter(|part| !part.starts_with("query(")) {
        address += "{}";
        address += part.split_once('}').map_or("", |(_, rest)| rest);
    }
    address
}

/// Returns whether a described path is that of a request.
fn matches(path: &str, address: &str) -> bool {
    let (path, address): (Vec<_>, Vec<_>) = (path.split('/').collect(), address.split('/').collect());
    path.len() == address.len()
        && path.iter().zip(&address).all(|(part, said)| part == said || (part.starts_with('{') && *said == "{}"))
}

#[test]
fn page_asks_for_described_operations() {
    let document = serde_json::to_value(&*super::DOCUMENT).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let (mut seen, mut files) = (BTreeSet::new(), BTreeSet::new());
    for (name, script) in scripts() {
        files.insert(format!("/{name}"));
        // It sends what the others ask for.
        if name == "api.js" {
            continue;
        }
        let page = scripts().find(|(page, text)| page.starts_with("pages/") && text.contains(&format!("/{name}\"")));
        seen.extend(requests(script, page.and_then(|(_, page)| subject(page)).as_deref()));
    }
    files.insert("/icon.svg".to_owned());
    seen.retain(|(_, address)| address != BASE && !files.contains(address));
    for (method, address) in &seen {
        let address = format!("{BASE}{}", address.strip_prefix(BASE).unwrap_or(address));
        let described = paths.iter().any(|(path, operations)| {
            matches(path, &address) && method.is_none_or(|method| operations.get(method).is_some())
        });
        assert!(described, "the page asks for {method:?} {address}, which the description lacks");
    }
    // It sees them all: a text, a path, and what follows a path or `at`.
    for expected in [
        (Some("get"), "/overview"),
        (Some("get"), "/runs"),
        (None, "/instances/{}/backups/{}"),
        (Some("delete"), "/instances/{}/backups/{}/pin"),
        (Some("get"), "/instances/{}/backups/{}/files"),
        (Some("post"), "/runs/{}/cancel"),
    ] {
        assert!(seen.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {seen:#?}");
    }
}

#[test]
fn unknown_operation_would_be_found() {
    let script = "const at = path(\"instances\", name);\nget(\"/nothing\"); post(`${at}/pon`, {}); ask(\"PUT\", path(\"runs\", id));";
    let expected = [
        (None, "/instances/{}"),
        (Some("get"), "/nothing"),
        (Some("post"), "/instances/{}/pon"),
        (Some("put"), "/runs/{}"),
    ];
    assert_eq!(requests(script, None), expected.map(|(method, address)| (method, address.to_owned())).into());
}
