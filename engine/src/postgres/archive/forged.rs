//! Archives with any entries, for tests.

/// An entry of the table of contents.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForgedEntry<'a> {
    pub(super) id: i32,
    pub(super) has_data: bool,
    pub(super) tag: &'a str,
    pub(super) kind: &'a str,
    pub(super) section: i32,
    pub(super) definition: &'a str,
    pub(super) drop: &'a str,
    pub(super) copy: &'a str,
    pub(super) owner: &'a str,
    pub(super) depends: &'a [i32],
}

impl Default for ForgedEntry<'_> {
    fn default() -> Self {
        let (tag, kind, definition, drop, copy, owner) = ("x", "TABLE", "", "", "", "odoo");
        Self { id: 1, has_data: false, tag, kind, section: 2, definition, drop, copy, owner, depends: &[] }
    }
}

fn integer(into: &mut Vec<u8>, value: i32) {
    into.push(u8::from(value < 0));
    into.extend(value.unsigned_abs().to_le_bytes());
}

fn text(into: &mut Vec<u8>, text: &str) {
    integer(into, text.len() as i32);
    into.extend(text.as_bytes());
}

/// Returns an uncompressed archive of version 1.14 with these entries, followed by this data.
pub(super) fn archive(entries: &[ForgedEntry<'_>], data: &[u8]) -> Vec<u8> {
    let mut bytes = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
    for value in [0, 0, 0, 0, 1, 0, 126, 0] {
        integer(&mut bytes, value);
    }
    for value in ["production", "15.18", "15.18"] {
        text(&mut bytes, value);
    }
    integer(&mut bytes, entries.len() as i32);
    for entry in entries {
        integer(&mut bytes, entry.id);
        integer(&mut bytes, i32::from(entry.has_data));
        text(&mut bytes, "0");
        text(&mut bytes, "0");
        text(&mut bytes, entry.tag);
        text(&mut bytes, entry.kind);
        integer(&mut bytes, entry.section);
        for value in [entry.definition, entry.drop, entry.copy, "public", "", "", entry.owner, "false"] {
            text(&mut bytes, value);
        }
        for number in entry.depends {
            text(&mut bytes, &number.to_string());
        }
        // No further dependency, and no offset.
        integer(&mut bytes, -1);
        bytes.push(1);
        bytes.extend([0; 8]);
    }
    bytes.extend(data);
    bytes
}

/// Returns a block of an entry's data, in one piece.
pub(super) fn block(kind: u8, id: i32, content: &str) -> Vec<u8> {
    let mut bytes = vec![kind];
    integer(&mut bytes, id);
    text(&mut bytes, content);
    integer(&mut bytes, 0);
    bytes
}
