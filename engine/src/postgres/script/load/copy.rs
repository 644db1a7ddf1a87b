//! The one form of `COPY` in a dump: `COPY schema.table (column, …) FROM stdin;`.

/// Returns whether this is that statement, and nothing else: no option, no query, no program, no
/// comment.
pub(in crate::postgres) fn is_copy_from_stdin(statement: &[u8]) -> bool {
    parse(statement).is_some()
}

/// Returns the table at the start of a `COPY` statement, as it is spelt there.
pub(in crate::postgres) fn table_of_copy(statement: &[u8]) -> Option<&[u8]> {
    let mut rest = statement.trim_ascii().strip_prefix(b"COPY ")?.trim_ascii_start();
    let whole = rest;
    name(&mut rest)?;
    if let Some(behind) = rest.strip_prefix(b".") {
        rest = behind;
        name(&mut rest)?;
    }
    Some(&whole[..whole.len() - rest.len()])
}

fn parse(statement: &[u8]) -> Option<()> {
    let statement = statement.trim_ascii();
    let table = table_of_copy(statement)?;
    let behind = statement.strip_prefix(b"COPY ")?.trim_ascii_start();
    let mut rest = behind[table.len()..].trim_ascii_start();
    // A table without columns has no list.
    if let Some(behind) = rest.strip_prefix(b"(") {
        rest = behind.trim_ascii_start();
        loop {
            name(&mut rest)?;
            rest = rest.trim_ascii_start();
            match rest.split_first()? {
                (b',', behind) => rest = behind.trim_ascii_start(),
                (b')', behind) => break rest = behind.trim_ascii_start(),
                _ => return None,
            }
        }
    }
    (rest == b"FROM stdin;").then_some(())
}

/// Takes a name, in quotes or without.
fn name(rest: &mut &[u8]) -> Option<()> {
    let length = match rest.first()? {
        b'"' => 1 + quoted(&rest[1..])?,
        first if first.is_ascii_digit() => return None,
        _ => rest.iter().position(|byte| !is_of_name(*byte)).unwrap_or(rest.len()),
    };
    *rest = &rest[length..];
    (length > 0).then_some(())
}

/// Returns the length of a quoted name after its first quote, including the last.
fn quoted(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr(b'"', &rest[at..])? + 1;
        match rest.get(at) {
            // A doubled quote stands for one.
            Some(b'"') => at += 1,
            _ => return Some(at),
        }
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::is_copy_from_stdin;

    #[test]
    fn copy_of_pg_dump_passes() {
        for statement in [
            "COPY public.res_users (id, login) FROM stdin;\n",
            "COPY public.zero  FROM stdin;\n",
            "COPY \"Weird Schema\".\"t \"\"x\"\"\nnewline\" (id, \"FROM PROGRAM\", \"a,b)\") FROM stdin;\n",
            "COPY res_users (id) FROM stdin;",
        ] {
            assert!(is_copy_from_stdin(statement.as_bytes()), "{statement}");
        }
    }

    #[test]
    fn other_copy_is_refused() {
        for statement in [
            "COPY public.t (a) FROM PROGRAM 'sh' WHERE a IS DISTINCT FROM stdin;",
            "COPY (SELECT 1) TO PROGRAM 'sh' -- FROM stdin;",
            "COPY public.t TO PROGRAM 'sh' /* FROM stdin;",
            "COPY public.t (a) FROM '/etc/passwd';",
            "COPY public.t (a) FROM stdin; DROP DATABASE victim; COPY public.t (a) FROM stdin;",
            "COPY public.t (f(a)) FROM stdin;",
            "COPY public.t (a) FROM stdin WITH (FORMAT csv);",
            "COPY public.t () FROM stdin;",
            "COPY \"t (a) FROM stdin;",
            "COPY  FROM stdin;",
            "",
        ] {
            assert!(!is_copy_from_stdin(statement.as_bytes()), "{statement}");
        }
    }
}
