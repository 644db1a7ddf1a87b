use harness::odoo17::Odoo17;
use harness::postgres::{Binaries, Cluster, ClusterOptions, SUPERUSER};

use super::super::format::Contents;
use super::*;

/// `SECTION_PRE_DATA`
const PRE_DATA: i64 = 2;

const EVERY_KIND: &str = include_str!("every_kind.sql");

/// Returns the refused entries of a dump, and the types of all entries.
fn refused(dump: &[u8]) -> (Vec<String>, Vec<String>) {
    let (mut refused, mut kinds) = (Vec::new(), Vec::new());
    let read = Contents::without_data().feed(dump, |entry| {
        kinds.push(String::from_utf8_lossy(entry.kind).into_owned());
        if let Err(reason) = check(&entry) {
            refused.push(format!("{} {} {reason}", kinds.last().unwrap(), String::from_utf8_lossy(entry.tag)));
        }
        Ok(())
    });
    assert!(read.unwrap().is_some(), "the table of contents is complete");
    kinds.sort();
    kinds.dedup();
    (refused, kinds)
}

fn dump(cluster: &Cluster, options: &[&str]) -> Vec<u8> {
    let mut pg_dump = cluster.command("pg_dump", SUPERUSER);
    let output = pg_dump.args(["--format=custom", "every_kind"]).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn everything_pg_dump_writes_passes() {
    for version in Binaries::majors() {
        let cluster = Cluster::with(&ClusterOptions { version: Some(version), ..ClusterOptions::default() });
        cluster.create_database("every_kind");
        cluster.psql_as(SUPERUSER, "every_kind", EVERY_KIND);
        if version >= 15 {
            let schema = "CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA public";
            cluster.psql_as(SUPERUSER, "every_kind", schema);
        }
        let mut options = vec![vec!["--compress=0"], vec!["--encoding=LATIN1", "--clean", "--if-exists", "--create"]];
        options.extend((version >= 18).then(|| vec!["--statistics"]));
        for options in options {
            let (refused, kinds) = refused(&dump(&cluster, &options));
            assert!(refused.is_empty(), "pg_dump {version} {options:?}: {refused:#?}");
            let unseen: Vec<_> =
                RULES.iter().map(|rule| rule.kind).filter(|kind| !kinds.contains(&(*kind).to_owned())).collect();
            // Some come with a later version, or need an extension that labels.
            let expected = |kind: &str| {
                ["SECURITY LABEL", "SHELL TYPE"].contains(&kind)
                    || kind == "BLOB" && version >= 17
                    || kind == "STATISTICS DATA" && !options.contains(&"--statistics")
                    || kind == "PUBLICATION TABLES IN SCHEMA" && version < 15
            };
            assert!(unseen.iter().all(|kind| expected(kind)), "pg_dump {version} has no {unseen:?}");
        }
    }
}

#[test]
fn real_odoo_dump_passes() {
    let Some(odoo17) = Odoo17::find() else { return };
    let (refused, kinds) = refused(&std::fs::read(odoo17.path().join("database.dump")).unwrap());
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(kinds.len() > 10, "{kinds:?}");
}

fn entry<'a>(kind: &'a str, tag: &'a str, definition: &'a str) -> Entry<'a> {
    let late = RULES.iter().find(|rule| rule.kind == kind).and_then(|rule| rule.section);
    Entry {
        id: 1,
        has_data: false,
        has_offset: false,
        tag: tag.as_bytes(),
        kind: kind.as_bytes(),
        definition: definition.as_bytes(),
        copy: b"",
        schema: b"public",
        section: late.unwrap_or(PRE_DATA),
        drop: b"",
        names: [b""; 3],
        tablespace: b"",
        depends: b"",
    }
}

#[test]
fn hidden_foreign_statements_are_refused() {
    for (kind, tag, definition) in [
        ("TABLE", "t", "DROP DATABASE victim WITH (FORCE);"),
        ("TABLE", "t", "CREATE TABLE t (a int);\nDROP DATABASE victim;"),
        ("TABLE", "t", "-- harmless\rDROP DATABASE victim;"),
        ("TABLE", "t", "/* /* */ -- */ DROP DATABASE victim;"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT 'x\\'); DROP DATABASE victim; --');"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT E'a'\n'b\\''); DROP DATABASE victim; --');"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT E'a' -- \n 'b\\''); DROP DATABASE victim; --');"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT 'x\\''); DROP DATABASE victim; --');"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT 'x\\''); DROP DATABASE victim --');"),
        ("TABLE", "t", "CREATE TABLE t (a text DEFAULT 'é\\');"),
        ("TABLE", "t", "CREATE TABLE t (a int); \\! touch /tmp/x"),
        ("TABLE", "t", "CREATE TABLE t (a int)"),
        ("TABLE", "t", "CREATE TABLE t (a int);\0"),
        ("TABLE", "t", "COPY t TO PROGRAM 'sh';"),
        ("TABLE", "t", "DO $$ BEGIN END $$;"),
        ("TABLE", "t", "CREATE DATABASE t;"),
        ("TABLE", "t", "ALTER SYSTEM SET archive_command = 'sh';"),
        ("TABLE", "t", "ALTER ROLE odoo SUPERUSER;"),
        (
            "FUNCTION",
            "f",
            "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DATABASE victim RENAME TO x; SELECT 1 END;",
        ),
        (
            "FUNCTION",
            "f",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS case; END; ALTER ROLE odoo PASSWORD 'x'; SELECT 1 AS end;",
        ),
        ("FUNCTION", "f", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; ALTER ROLE odoo PASSWORD 'x'; END;"),
        ("FUNCTION", "f", "CREATE FUNCTION f() RETURNS int AS $a$ x $a$; DROP DATABASE victim; --$a$;"),
        ("COMMENT", "DATABASE d", "COMMENT ON DATABASE d IS 'x'; DROP DATABASE victim;"),
        ("COMMENT", "TABLE d", "COMMENT ON DATABASE production IS 'x';"),
        ("COMMENT", "DATABASE d", "COMMENT ON ROLE odoo IS 'x';"),
        ("SECURITY LABEL", "TABLE t", "SECURITY LABEL FOR x ON ROLE odoo IS 'x';"),
        ("ACL", "TABLE t", "GRANT postgres TO odoo;"),
        ("ACL", "TABLE t", "GRANT ALL ON DATABASE production TO PUBLIC;"),
        ("ACL", "TABLE t", "REVOKE odoo FROM x;"),
        ("SEQUENCE SET", "s", "SELECT pg_catalog.setval('s', 1, true), pg_terminate_backend(1);"),
        ("SEQUENCE SET", "s", "SELECT dblink_exec('', 'DROP DATABASE victim');"),
        ("BLOB", "1", "SELECT pg_catalog.lo_create((SELECT lo_import('/etc/passwd')));"),
        ("BLOB METADATA", "1..2", "1\n2'); DROP DATABASE victim; --\n"),
        ("STATISTICS DATA", "t", "SELECT * FROM pg_catalog.pg_restore_relation_stats('x', lo_import('/etc/passwd'));"),
        ("SEARCHPATH", "SEARCHPATH", "SELECT pg_catalog.set_config('search_path', '', false); DROP DATABASE victim;"),
        ("STDSTRINGS", "STDSTRINGS", "SET standard_conforming_strings = 'off';"),
        ("ENCODING", "ENCODING", "SET client_encoding = 'SJIS';"),
        ("ENCODING", "ENCODING", "SET client_encoding = 'UTF8'; DROP DATABASE victim;';"),
        ("TABLE DATA", "t", "DROP DATABASE victim;"),
        ("BLOBS", "BLOBS", "DROP DATABASE victim;"),
        ("SCRIPT", "x", "CREATE TABLE t (a int);"),
        ("TABLE; DROP DATABASE victim", "x", ""),
    ] {
        assert!(check(&entry(kind, tag, definition)).is_err(), "{kind} {tag}: {definition}");
    }
}

#[test]
fn backslashes_before_quotes_pass() {
    for definition in [
        "CREATE TABLE t (a text DEFAULT 'C:\\', b text DEFAULT 'D:\\');",
        "CREATE TABLE t (a text DEFAULT '\\', CHECK (a ~ '^\\d+$'::text));",
        "CREATE TABLE t (a text DEFAULT 'it\\''s');",
    ] {
        assert_eq!(check(&entry("TABLE", "t", definition)), Ok(()), "{definition}");
    }
}

#[test]
fn other_fields_of_entries_are_checked() {
    let table = entry("TABLE", "t", "CREATE TABLE t (a int);");
    assert_eq!(check(&table), Ok(()));
    let data = Entry { has_data: true, copy: b"COPY public.t (a) FROM stdin;\n", ..entry("TABLE DATA", "t", "") };
    assert_eq!(check(&data), Ok(()));
    let trigger = entry("TRIGGER", "t", "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();");
    assert_eq!(check(&trigger), Ok(()));
    for (what, refused) in [
        ("a program", Entry { copy: b"COPY public.t TO PROGRAM 'sh' -- FROM stdin;", ..data }),
        ("statements as data", Entry { copy: b"", ..data }),
        ("COPY without data", Entry { copy: b"COPY public.t TO PROGRAM 'sh';", ..table }),
        ("data of a table", Entry { has_data: true, ..table }),
        ("DROP", Entry { drop: b"ALTER TABLE t DROP a; DROP DATABASE victim;", ..table }),
        ("a function that is called", Entry { drop: b"SELECT pg_terminate_backend(1);", ..table }),
        ("an owner", Entry { names: [b"", b"", b"odoo\nDROP DATABASE victim;"], ..table }),
        ("a table space", Entry { names: [b"x\r", b"", b""], ..table }),
        ("a trigger that is there before the rows", Entry { section: PRE_DATA, ..trigger }),
    ] {
        assert!(check(&refused).is_err(), "{what}");
    }
    assert_eq!(check(&Entry { drop: b"DROP TABLE public.t;", ..table }), Ok(()));
}
