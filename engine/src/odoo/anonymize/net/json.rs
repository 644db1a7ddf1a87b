//! Searches only the texts in JSON, and keeps everything else as it is written: numbers of any
//! size, order, duplicates.

/// Replaces texts (keys as well) by the results of `replace`; `None` where it changes none.
pub(super) fn replace_texts(json: &str, mut replace: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]).map(|offset| at + offset) {
        let end = end_of(bytes, quote + 1)?;
        let literal = &json[quote..end];
        let replaced = match literal.contains('\\') {
            false => replace(&literal[1..literal.len() - 1]),
            true => serde_json::from_str::<String>(literal).ok().and_then(|text| replace(&text)),
        };
        if let Some(text) = replaced {
            out.push_str(&json[copied..quote]);
            out.push_str(&serde_json::Value::String(text).to_string());
            copied = end;
        }
        at = end;
    }
    (copied > 0).then(|| out + &json[copied..])
}

/// Returns the place after the quote that ends a text.
fn end_of(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_change() {
        let upper = |text: &str| text.contains("anna").then(|| text.replace("anna", "A\"B"));
        let json = r#"{"a": 1.10, "anna": [12345678901234567890, "x", "\u00e4 anna\\"], "a": null}"#;
        let expected = r#"{"a": 1.10, "A\"B": [12345678901234567890, "x", "ä A\"B\\"], "a": null}"#;
        assert_eq!(replace_texts(json, upper).as_deref(), Some(expected));
        for same in [r#"{"a": "b\"c"}"#, "17", "null", "[]", "\"x", r#""\"#] {
            assert_eq!(replace_texts(same, upper), None, "{same}");
        }
    }
}
