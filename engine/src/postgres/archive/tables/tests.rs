use std::collections::BTreeMap;

use harness::postgres::{Cluster, SUPERUSER};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::stream::body_of;

/// Rows of three batches, of which one exceeds a batch, large objects, and an empty table.
const TABLES: &str = r"
    CREATE TABLE a (id int, content text);
    INSERT INTO a SELECT i, repeat('x', i * 1000) FROM generate_series(1, 30) i;
    INSERT INTO a VALUES (31, repeat('y', 2000000)), (32, '\.'), (33, E'\n');
    CREATE TABLE b ();
    CREATE TABLE c (id int);
    INSERT INTO c SELECT generate_series(1, 200000);
    SELECT lo_from_bytea(0, decode(repeat('0a', 5000), 'hex')) FROM generate_series(1, 3);
";

fn cluster() -> Cluster {
    let cluster = Cluster::start();
    cluster.create_database("production");
    cluster.psql_as(SUPERUSER, "production", TABLES);
    cluster
}

fn dump_of(cluster: &Cluster, options: &[&str]) -> Vec<u8> {
    let mut pg_dump = cluster.command("pg_dump", SUPERUSER);
    pg_dump.args(["--format=custom", "--compress=0", "--encoding=UTF8", "production"]).args(options);
    let output = pg_dump.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The tables' data of an archive.
#[derive(Debug, PartialEq, Eq, Default)]
struct Taken {
    /// Each table's `COPY` and rows.
    tables: BTreeMap<String, (String, Vec<u8>)>,
    skeleton: Vec<u8>,
    /// Batches that end in the middle of a row.
    broken_rows: usize,
}

fn take<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Taken, Misunderstood> {
    let (mut parts, mut cutter) = (Parts::default(), Cutter::default());
    for piece in pieces {
        parts.feed(piece, |part| cutter.take(part))?;
    }
    parts.finish()?;
    let mut taken = Taken { skeleton: cutter.skeleton, ..Taken::default() };
    let mut table = None;
    for next in cutter.cut {
        match (next, &mut table) {
            (TableData::Begin(begun), None) => table = Some((begun, Vec::new())),
            (TableData::Rows(rows), Some((_, taken_rows))) => {
                assert!(!rows.is_empty() && rows.len() <= BATCH + CHUNK);
                taken.broken_rows += usize::from(!rows.ends_with(b"\n"));
                taken_rows.extend_from_slice(&rows);
            }
            (TableData::End, Some(_)) => {
                let (DumpedTable { name: (schema, name), copy, .. }, rows) = table.take().unwrap();
                taken.tables.insert(format!("{schema}.{name}"), (copy, rows));
            }
            (next, table) => panic!("{next:?} where {table:?} is open"),
        }
    }
    assert!(table.is_none());
    Ok(taken)
}

/// Cuts the bytes into pieces of these lengths, again and again.
fn cut(bytes: &[u8], lengths: Vec<usize>) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut lengths) = (bytes, lengths.into_iter().cycle());
    std::iter::from_fn(move || {
        let (piece, behind) = rest.split_at(lengths.next()?.min(rest.len()));
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

#[test]
fn rows_match_server_copy() {
    let cluster = cluster();
    let dump = dump_of(&cluster, &[]);
    let taken = take(dump.chunks(CHUNK)).unwrap();
    assert_eq!(taken.tables.keys().collect::<Vec<_>>(), ["public.a", "public.b", "public.c"]);
    for (name, (copy, rows)) in &taken.tables {
        let copied = cluster.psql_as(SUPERUSER, "production", &format!("COPY {name} TO stdout"));
        assert!(rows == copied.as_bytes(), "{name}");
        assert!(copy.starts_with(&format!("COPY {name} ")) && copy.ends_with(" FROM stdin"), "{copy}");
    }
    assert_eq!(taken.broken_rows, 1);
    // The three large objects, and no table.
    assert!((15_000..25_000).contains(&taken.skeleton.len()), "{}", taken.skeleton.len());
}

#[test]
fn piece_sizes_do_not_matter() {
    let dump = dump_of(&cluster(), &[]);
    let whole = take(dump.chunks(CHUNK)).unwrap();
    let mut runner = TestRunner::new(Config { cases: 20, ..Config::default() });
    let lengths = proptest::collection::vec(prop_oneof![1..50_usize, 50..CHUNK], 1..40);
    let same = |lengths: Vec<usize>| {
        let mut taken = take(cut(&dump, lengths)).unwrap();
        taken.broken_rows = whole.broken_rows;
        prop_assert!(taken == whole);
        Ok(())
    };
    runner.run(&lengths, same).unwrap();
}

#[test]
fn damaged_archive_gives_a_reason() {
    let cluster = Cluster::start();
    cluster.create_database("production");
    let sql = "CREATE TABLE a (x int, t text); INSERT INTO a VALUES (1, E'\\n'); SELECT lo_from_bytea(0, '\\x0a0a')";
    cluster.psql_as(SUPERUSER, "production", sql);
    let dump = dump_of(&cluster, &[]);
    for end in 0..dump.len() {
        assert!(take([&dump[..end]]).is_err(), "the first {end} bytes");
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = dump.clone();
            damaged[end] ^= change;
            let _ = take([damaged.as_slice()]);
        }
    }
}

#[test]
fn foreign_encoding_is_in_copy() {
    let cluster = cluster();
    let dump = dump_of(&cluster, &["--encoding=LATIN1"]);
    let (mut parts, mut cutter) = (Parts::default(), Cutter::default());
    parts.feed(&dump, |part| cutter.take(part)).unwrap();
    let begun = cutter.cut.iter().find_map(|next| if let TableData::Begin(table) = next { Some(table) } else { None });
    assert_eq!(
        begun.unwrap().copy_statement(true),
        "COPY public.a (id, content) FROM stdin WITH (FREEZE, ENCODING 'LATIN1')"
    );
}

#[tokio::test]
async fn inseparable_archive_is_refused_early() {
    let cluster = cluster();
    let folder = tempfile::tempdir().unwrap();
    // When pg_dump writes into a file, the archive contains the place of each table's data.
    let path = folder.path().join("dump");
    dump_of(&cluster, &["--file", path.to_str().unwrap()]);
    let seekable = std::fs::read(path).unwrap();
    for (dump, expected) in [
        (dump_of(&cluster, &["--compress=1"]), "its data is compressed"),
        (dump_of(&cluster, &["--inserts"]), "it has something else where a COPY of a table should be"),
        (seekable, "it has something else where data without an offset should be"),
        (b"CREATE TABLE".to_vec(), "it is not an archive in pg_dump's custom format"),
        (b"PGDMP".to_vec(), "it ends in the middle of its table of contents"),
    ] {
        let skeleton = tempfile::tempfile().unwrap();
        let error = ArchiveTables::open(body_of(dump), skeleton).await.err().unwrap();
        assert!(matches!(error, ArchiveError::Misunderstood(_)) && error.to_string() == expected, "{error}");
    }
}
