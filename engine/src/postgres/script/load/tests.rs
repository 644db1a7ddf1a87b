use bytes::Bytes;
use proptest::prelude::*;

use super::splitter::{Piece, Refused, Splitter};
use super::statement::Run;

/// Returns the pieces of a script that is fed in portions of so many bytes. Rows are joined, and
/// follow their `COPY`.
fn pieces(script: &[u8], portion: usize) -> Result<Vec<String>, Refused> {
    let mut splitter = Splitter::default();
    let mut pieces: Vec<String> = Vec::new();
    let mut rows: Option<Vec<u8>> = None;
    let mut portions = script.chunks(portion);
    loop {
        while let Some(piece) = splitter.piece()? {
            match piece {
                Piece::Statement(statement) => {
                    if statement.run(17) == Ok(Run::CopyIn) {
                        splitter.begin_rows()?;
                        rows = Some(Vec::new());
                    }
                    pieces.push(format!("{}: {}", statement.line, String::from_utf8(statement.text).unwrap()));
                }
                Piece::Rows(bytes) => rows.as_mut().unwrap().extend_from_slice(&bytes),
                Piece::EndOfRows => pieces.push(format!("rows: {}", String::from_utf8(rows.take().unwrap()).unwrap())),
            }
        }
        match portions.next() {
            Some(portion) => splitter.feed(Bytes::copy_from_slice(portion)),
            None => {
                splitter.end();
                return match splitter.piece()? {
                    None => Ok(pieces),
                    Some(Piece::Statement(last)) => {
                        pieces.push(format!("{}: {}", last.line, String::from_utf8(last.text).unwrap()));
                        Ok(pieces)
                    }
                    Some(other) => panic!("{other:?}"),
                };
            }
        }
    }
}

const SCRIPT: &str = "--
-- PostgreSQL database dump
--

\\restrict abc'def

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
/* a comment; /* in a comment; */ */ CREATE TABLE public.\"a;b\" (name text DEFAULT 'it''s; here' -- why;
  , n integer);
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$
BEGIN
  -- not '
  \\! echo this is text
  RETURN $1 || $$;$$;
END; $_$;
CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);
COPY public.\"a;b\" (name, n) FROM stdin;
\\N\t1
\\.x\t2
one;'\t3
\\.

COPY public.empty (name) FROM stdin;
\\.
SELECT E'it\\'s; \\\\';
ALTER TABLE x ADD CONSTRAINT e CHECK ((a$b > 1));
\\unrestrict abc'def
SELECT 1";

#[test]
fn statements_and_rows_are_separated() {
    let expected = [
        "7: SET statement_timeout = 0;",
        "8: SELECT pg_catalog.set_config('search_path', '', false);",
        "9: CREATE TABLE public.\"a;b\" (name text DEFAULT 'it''s; here' \n  , n integer);",
        "11: CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$\nBEGIN\n  -- not '\n  \\! echo this is text\n  RETURN $1 || $$;$$;\nEND; $_$;",
        "17: CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
        "18: CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);",
        "19: COPY public.\"a;b\" (name, n) FROM stdin;",
        "rows: \\N\t1\n\\.x\t2\none;'\t3\n",
        "25: COPY public.empty (name) FROM stdin;",
        "rows: ",
        "27: SELECT E'it\\'s; \\\\';",
        "28: ALTER TABLE x ADD CONSTRAINT e CHECK ((a$b > 1));",
    ];
    let whole = format!("{SCRIPT};\n");
    for portion in [1, 2, 3, 5, 7, 64, 100_000] {
        let found = pieces(whole.as_bytes(), portion).unwrap();
        assert_eq!(found[..12], expected, "{portion}");
        assert_eq!(found[12..], ["30: SELECT 1;"], "{portion}");
    }
}

#[test]
fn refused_script_names_its_line() {
    let cases = [
        (SCRIPT, 30, "in the middle of a statement"),
        ("SET a = 1;\n\\! rm -rf /\n", 2, "psql's command \\! rm"),
        ("SET a = 1;\n\\connect production\n", 2, "psql's command \\connect"),
        ("SELECT 1 \\gexec\n", 1, "psql's command \\gexec"),
        ("SELECT 'a' \\o /tmp/x\n;", 1, "psql's command \\o"),
        ("COPY t (a) FROM stdin;\n1\n2\n", 4, "in the middle of a table's rows"),
        ("COPY t (a) FROM stdin; SELECT 1;\n1\n\\.\n", 1, "something follows COPY"),
        ("SELECT 'a\n", 2, "in the middle of a statement"),
        ("CREATE FUNCTION f() AS $a$ x $b$;\n", 2, "in the middle of a statement"),
    ];
    for (script, line, reason) in cases {
        let refused = pieces(script.as_bytes(), 10_000).unwrap_err();
        let reason = reason.split(' ').take(3).collect::<Vec<_>>().join(" ");
        assert!(refused.reason.contains(&reason), "{script}: {refused:?}");
        assert!(refused.line.abs_diff(line) <= 1, "{script}: {refused:?}");
    }
}

/// Returns what is done with the one statement of a script, on PostgreSQL 15.
fn run(script: &str) -> Result<Run, String> {
    let mut splitter = Splitter::default();
    splitter.feed(Bytes::copy_from_slice(script.as_bytes()));
    splitter.end();
    match splitter.piece() {
        Ok(Some(Piece::Statement(statement))) => statement.run(15),
        other => panic!("{other:?}"),
    }
}

#[test]
fn owners_and_privileges_are_left_out() {
    for left_out in [
        "SET transaction_timeout = 0;",
        "GRANT ALL ON SCHEMA public TO odoo;",
        "REVOKE ALL ON TABLE public.a FROM PUBLIC;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE odoo GRANT SELECT ON TABLES TO reader;",
        "ALTER TABLE public.res_users OWNER TO \"odoo\";",
        "ALTER LARGE OBJECT 123 OWNER TO odoo;",
        "COMMENT ON EXTENSION pg_trgm IS 'text similarity';",
        "SET SESSION AUTHORIZATION 'odoo';",
    ] {
        assert_eq!(run(left_out), Ok(Run::Nothing), "{left_out}");
    }
    for run_as_it_is in [
        "SET default_tablespace = '';",
        "CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;",
        "COMMENT ON COLUMN public.a.owner IS 'GRANT';",
        "ALTER TABLE ONLY public.a ADD CONSTRAINT owner_to CHECK ((owner = 'x'));",
        "INSERT INTO public.a VALUES (1);",
        "SELECT pg_catalog.setval('public.a_id_seq', 1, false);",
        "REFRESH MATERIALIZED VIEW public.m;",
    ] {
        assert_eq!(run(run_as_it_is), Ok(Run::Statement), "{run_as_it_is}");
    }
}

#[test]
fn statements_beyond_database_are_refused() {
    for refused in [
        "DROP DATABASE production;",
        "create database x;",
        "ALTER ROLE odoo SUPERUSER;",
        "ALTER SYSTEM SET archive_command = 'x';",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p;",
        "COPY t TO PROGRAM 'sh';",
        "COPY t FROM PROGRAM 'sh';",
        "COPY t FROM '/etc/passwd';",
        "COPY t TO stdout;",
        "DO $$ BEGIN END $$;",
        "LOAD 'x';",
        "VACUUM;",
        "/* x */ -- y\n DROP /* z */ DATABASE production;",
    ] {
        let reason = run(refused).unwrap_err();
        assert!(reason.contains("is not a statement of a dump"), "{refused}: {reason}");
    }
}

proptest! {
    #[test]
    fn portions_make_no_difference(
        script in "([a-zA-Z$'\"();\\\\.\n /*-]|COPY t FROM stdin;\n|\\\\\\.\n|\\$a\\$|E'|BEGIN|END|CREATE FUNCTION ){0,60}",
        portion in 1_usize..9,
    ) {
        prop_assert_eq!(pieces(script.as_bytes(), portion), pieces(script.as_bytes(), 100_000));
    }
}
