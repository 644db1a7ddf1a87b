use harness::postgres::{Binaries, Cluster, ClusterOptions, SUPERUSER};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::AsyncReadExt;

use super::*;
use crate::stream::{body_of, produce};

/// Everything that could be miscounted.
const TABLES: &str = r#"
    CREATE TABLE empty (x int);
    CREATE TABLE plain AS SELECT i AS id, 'name ' || i AS name FROM generate_series(1, 3000) i;
    CREATE TABLE no_columns ();
    INSERT INTO no_columns DEFAULT VALUES;
    INSERT INTO no_columns DEFAULT VALUES;
    CREATE SCHEMA "an""other 	schema";
    CREATE TABLE "an""other 	schema"."Ta.ble é" (t text, b bytea);
    INSERT INTO "an""other 	schema"."Ta.ble é" VALUES
        (E'two\nlines\r\n', '\x0a0a'), ('\.', NULL), (E'\\.\n\n\n', ''), (NULL, NULL), ('', '\x5c2e0a0a0a');
    CREATE TABLE one_text (t text);
    INSERT INTO one_text VALUES ('\.'), (''), (E'\n'), (NULL);
    CREATE TABLE wide AS SELECT i, repeat(E'x\n', 300000) AS t FROM generate_series(1, 3) i;
    CREATE TABLE parent (x int);
    CREATE TABLE heir () INHERITS (parent);
    INSERT INTO parent VALUES (1);
    INSERT INTO heir VALUES (2), (3);
    CREATE TABLE parted (x int) PARTITION BY RANGE (x);
    CREATE TABLE part_a PARTITION OF parted FOR VALUES FROM (0) TO (10);
    CREATE TABLE part_b PARTITION OF parted FOR VALUES FROM (10) TO (20);
    INSERT INTO parted SELECT generate_series(0, 14);
    CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED);
    INSERT INTO generated (a) VALUES (1), (2);
    CREATE UNLOGGED TABLE unlogged AS SELECT 1 AS x;
    CREATE VIEW a_view AS TABLE plain;
    CREATE MATERIALIZED VIEW materialized AS TABLE plain;
    CREATE SEQUENCE counter;
    SELECT lo_from_bytea(0, decode(repeat('0a', 5000), 'hex')) FROM generate_series(1, 3);
    SELECT lo_create(0);
"#;

fn dump_of(cluster: &Cluster) -> Vec<u8> {
    let mut pg_dump = cluster.command("pg_dump", SUPERUSER);
    pg_dump.args(["--format=custom", "--compress=0", "--encoding=UTF8", "counted"]);
    let output = pg_dump.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn cluster_with(sql: &str, version: Option<u32>) -> Cluster {
    let cluster = Cluster::with(&ClusterOptions { version, ..ClusterOptions::default() });
    cluster.create_database("counted");
    cluster.psql_as(SUPERUSER, "counted", sql);
    cluster
}

/// Returns the server's own counts.
fn counted_by_server(cluster: &Cluster) -> RowCounts {
    let names = "SELECT string_agg(format('SELECT %L::text, %L::text, count(*) FROM ONLY %I.%I', nspname, relname, nspname, relname), ' UNION ALL ')
                 FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                 WHERE relkind = 'r' AND nspname !~ '^pg_|^information_schema$'";
    let counted = cluster.psql_as(SUPERUSER, "counted", names);
    let json = format!("SELECT json_agg(x) FROM ({counted}) AS x(schema, \"table\", rows)");
    let mut tables: Vec<TableRows> = serde_json::from_str(&cluster.psql_as(SUPERUSER, "counted", &json)).unwrap();
    tables.sort();
    let large_objects = cluster.psql_as(SUPERUSER, "counted", "SELECT count(*) FROM pg_largeobject_metadata");
    RowCounts { tables, large_objects: large_objects.trim().parse().unwrap() }
}

fn count<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<RowCounts, Misunderstood> {
    let mut counter = Counter::default();
    pieces.into_iter().try_for_each(|piece| counter.feed(piece))?;
    counter.finish()
}

#[test]
fn row_counts_match_every_server() {
    for version in Binaries::majors() {
        let cluster = cluster_with(TABLES, Some(version));
        let dump = dump_of(&cluster);
        let counts = count([dump.as_slice()]).unwrap_or_else(|reason| panic!("pg_dump {version}: {reason}"));
        assert_eq!(counts, counted_by_server(&cluster), "pg_dump {version}");
        assert_eq!((counts.tables.len(), counts.large_objects), (12, 4));
    }
}

#[test]
fn pieces_and_garbage_are_handled() {
    // Small, so that thousands of ways to cut and to damage it take a moment.
    let sql = "CREATE TABLE a (x int, t text); INSERT INTO a VALUES (1, E'\\n'), (2, '\\.'), (3, NULL);
               CREATE TABLE b (); CREATE VIEW c AS TABLE a; SELECT lo_from_bytea(0, '\\x0a0a') FROM generate_series(1, 2)";
    let dump = dump_of(&cluster_with(sql, None));
    let whole = count([dump.as_slice()]).unwrap();
    assert_eq!(whole.tables.iter().map(|table| table.rows).collect::<Vec<_>>(), [3, 0]);
    assert_eq!(count(dump.chunks(1)).unwrap(), whole);

    for end in 0..dump.len() {
        assert!(count([&dump[..end]]).is_err(), "the first {end} bytes");
        let (a, b) = dump.split_at(end);
        assert_eq!(count([a, b]).as_ref(), Ok(&whole), "cut at {end}");
        // Any byte may change, even one of a name.
        for change in [0x01, 0x10, 0x80, 0xff] {
            let mut damaged = dump.clone();
            damaged[end] ^= change;
            let _ = count([damaged.as_slice()]);
        }
    }
    let more = [dump.as_slice(), b"\x01"].concat();
    assert_eq!(count([more.as_slice()]), Err(Misunderstood::Truncated("its data")));

    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let pieces = proptest::collection::vec(1..200_usize, 1..40);
    let split = |lengths: Vec<usize>| {
        let mut rest = dump.as_slice();
        let mut lengths = lengths.into_iter().cycle();
        let pieces = std::iter::from_fn(move || {
            let (piece, behind) = rest.split_at(lengths.next()?.min(rest.len()));
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(count(pieces).unwrap(), whole.clone());
        Ok(())
    };
    runner.run(&pieces, split).unwrap();
    let damage = proptest::collection::vec((0..dump.len(), any::<u8>()), 1..8);
    let damaged = |changes: Vec<(usize, u8)>| {
        let mut damaged = dump.clone();
        changes.into_iter().for_each(|(at, byte)| damaged[at] = byte);
        prop_assert_eq!(count(damaged.chunks(7)), count([damaged.as_slice()]));
        Ok(())
    };
    runner.run(&damage, damaged).unwrap();
    let garbage = proptest::collection::vec(any::<u8>(), 0..500);
    let after_head = |garbage: Vec<u8>| {
        prop_assert!(count([b"PGDMP\x01\x0e\x00\x04\x08\x01".as_slice(), &garbage]).is_err());
        prop_assert!(count([garbage.as_slice()]).is_err());
        Ok(())
    };
    runner.run(&garbage, after_head).unwrap();
}

#[test]
fn unknown_archive_is_reported() {
    let head = |version: u8, int: u8, format: u8, compression: u8| {
        let mut bytes = b"PGDMP\x01".to_vec();
        bytes.extend([version, 0, int, 8, format, compression]);
        bytes.extend([0; 200]);
        count([bytes.as_slice()]).unwrap_err()
    };
    assert_eq!(head(17, 4, 1, 0), Misunderstood::Version(1, 17));
    assert_eq!(head(11, 4, 1, 0), Misunderstood::Version(1, 11));
    assert_eq!(head(16, 8, 1, 0), Misunderstood::Sizes(8, 8));
    assert_eq!(head(16, 4, 3, 0), Misunderstood::NoArchive);
    assert_eq!(head(16, 4, 1, 1), Misunderstood::Compressed);
    assert_eq!(count([b"CREATE TABLE".as_slice()]), Err(Misunderstood::NoArchive));
    assert_eq!(count([]), Err(Misunderstood::Truncated("its table of contents")));
}

#[tokio::test]
async fn counted_body_passes_unchanged() {
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut body, counts) = count_rows(body_of(bytes.clone()));
    assert_eq!(counts.get(), Err(Misunderstood::Unread));
    let mut read = Vec::new();
    body.read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    assert_eq!(counts.get(), Err(Misunderstood::NoArchive));

    let (failing, _) = produce::<(), _>(|_| Err(io::Error::other("disk on fire")));
    let (mut body, counts) = count_rows(failing);
    assert_eq!(body.read_to_end(&mut read).await.unwrap_err().to_string(), "disk on fire");
    assert_eq!(counts.get(), Err(Misunderstood::Unread));
}
