use harness::compare::assert_same_database;
use harness::postgres::{Binaries, Cluster, ClusterOptions, Database, SUPERUSER, USER};

use super::*;
use crate::postgres::{Restoring, Section, SslMode, Tool, read_toc};
use crate::stream::{Body, body_of, produce};

/// Tables of every size: of no row, of few, of more than one session loads by itself, and of rows
/// that are larger than a batch.
const TABLES: &str = r#"
    CREATE TABLE empty (id serial PRIMARY KEY);
    CREATE TABLE few (id serial PRIMARY KEY, name text);
    INSERT INTO few (name) VALUES (E'two\nlines'), ('\.'), (NULL), (E'\t\\');
    CREATE TABLE no_columns ();
    INSERT INTO no_columns DEFAULT VALUES;
    CREATE TABLE many (id serial PRIMARY KEY, few_id int REFERENCES few, name text NOT NULL, half int GENERATED ALWAYS AS (few_id / 2) STORED);
    INSERT INTO many (few_id, name) SELECT i % 4 + 1, repeat(md5(i::text), 5) FROM generate_series(1, 40000) i;
    CREATE INDEX many_name ON many (md5(name));
    CREATE TABLE huge (id int, content text);
    INSERT INTO huge SELECT i, repeat(md5(i::text) || E'\n', 60000 * (i % 2) + 10) FROM generate_series(1, 9) i;
    CREATE TABLE parted (x int, filler text) PARTITION BY RANGE (x);
    CREATE TABLE part_a PARTITION OF parted FOR VALUES FROM (0) TO (10000);
    CREATE TABLE part_b PARTITION OF parted FOR VALUES FROM (10000) TO (20000);
    INSERT INTO parted SELECT i, repeat('x', 200) FROM generate_series(0, 19999) i;
    CREATE TYPE mood AS ENUM ('a', 'b', 'c');
    CREATE TABLE "hashed ""by"" enum" (k mood, v text) PARTITION BY HASH (k);
    CREATE TABLE hash_0 PARTITION OF "hashed ""by"" enum" FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE hash_1 PARTITION OF "hashed ""by"" enum" FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO "hashed ""by"" enum" SELECT (ARRAY['a', 'b', 'c'])[1 + i % 3]::mood, repeat('x', 200) FROM generate_series(1, 90000) i;
    CREATE SCHEMA other;
    CREATE TABLE other.many AS TABLE few;
    CREATE MATERIALIZED VIEW materialized AS SELECT count(*) FROM many;
    SELECT lo_from_bytea(0, decode(repeat('0a', 500000), 'hex')) FROM generate_series(1, 3);
    SELECT setval('few_id_seq', 4711);
"#;

fn endpoint(cluster: &Cluster, database: &str) -> Endpoint {
    Endpoint {
        database: database.into(),
        host: cluster.host().into(),
        port: cluster.port(),
        user: USER.into(),
        password: None,
        sslmode: SslMode::Disable,
        sslrootcert: None,
    }
}

fn source(version: Option<u32>) -> Cluster {
    let cluster = Cluster::with(&ClusterOptions { version, ..ClusterOptions::default() });
    cluster.create_database("production");
    cluster.execute("production", TABLES);
    cluster
}

fn dump_of(cluster: &Cluster) -> Vec<u8> {
    let mut pg_dump = cluster.command("pg_dump", USER);
    pg_dump.args(["--format=custom", "--compress=0", "--encoding=UTF8", "production"]);
    let output = pg_dump.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Returns the place of a late row of the table `many`.
fn in_many(dump: &[u8]) -> usize {
    const ROW: &[u8] = b"39000\t1\t";
    dump.windows(ROW.len()).position(|bytes| bytes == ROW).unwrap()
}

/// Loads a dump, which `body` may change, into a new database of that name.
async fn load_into(
    cluster: &Cluster,
    name: &str,
    jobs: u32,
    dump: &[u8],
    body: impl FnOnce(Vec<u8>) -> Body,
) -> Result<(), PostgresError> {
    let folder = tempfile::tempdir().unwrap();
    cluster.create_database(name);
    let endpoint = endpoint(cluster, name);
    let tool = Tool { path: cluster.bin("pg_restore"), version: String::new(), major: cluster.version() };
    let toc = read_toc(&tool, body_of(dump.to_vec()), "a test").await.unwrap();
    let tuning = Tuning::of(&connect(&endpoint).await.unwrap(), jobs).await.unwrap();
    let path = folder.path().join("skeleton");
    let skeleton = std::fs::File::create(&path).unwrap();
    let mut archive = ArchiveTables::open(body(dump.to_vec()), skeleton).await.unwrap();
    let restoring = Restoring {
        tool: &tool,
        endpoint: &endpoint,
        toc: &toc,
        tuning: &tuning,
        scratch: folder.path(),
        without_tablespaces: false,
    };
    restoring.file(&path, Section::PreData).await.unwrap();
    load_rows(&endpoint, &tuning, &mut archive, "the dump of a test").await?;
    restoring.file(&path, Section::DataWithoutRows).await.unwrap();
    restoring.file(&path, Section::PostData).await.unwrap();
    assert!(path.metadata().unwrap().len() < 2_000_000, "what is no row of a table");
    Ok(())
}

#[tokio::test]
async fn loaded_rows_match_dump() {
    for version in Binaries::majors() {
        let cluster = source(Some(version));
        let dump = dump_of(&cluster);
        for jobs in [2, 5] {
            let name = format!("loaded_{jobs}");
            load_into(&cluster, &name, jobs, &dump, body_of).await.unwrap();
            let database = |name| Database { cluster: &cluster, name };
            assert_same_database(database("production"), database(&name)).await;
        }
    }
}

/// Counts the rows of a table that an index-only scan had to look up to see whether they are
/// visible.
fn looked_up(cluster: &Cluster, database: &str, table: &str) -> u64 {
    let explain = format!(
        "SET enable_seqscan = off; SET enable_bitmapscan = off;
         EXPLAIN (ANALYZE, FORMAT YAML) SELECT id FROM {table} WHERE id > 0 ORDER BY id"
    );
    let plan = cluster.execute(database, &explain);
    let line = plan.lines().find_map(|line| line.trim().strip_prefix("Heap Fetches: "));
    line.unwrap_or_else(|| panic!("{plan}")).parse().unwrap()
}

#[tokio::test]
async fn one_session_freezes_several_share() {
    let cluster = source(None);
    let dump = dump_of(&cluster);
    for (jobs, large) in [(1, 0), (2, 0), (3, 40_000)] {
        let name = format!("loaded_{jobs}");
        load_into(&cluster, &name, jobs, &dump, body_of).await.unwrap();
        // No vacuum runs in between: too few rows change, even where autovacuum is on.
        assert_eq!(looked_up(&cluster, &name, "many"), large, "{jobs} jobs");
    }
}

#[tokio::test]
async fn only_ordinary_tables_are_emptied() {
    let cluster = source(None);
    let sql = "CREATE TABLE of_extension (x int); ALTER EXTENSION plpgsql ADD TABLE of_extension";
    cluster.psql_as(SUPERUSER, "production", sql);
    let session = connect(&endpoint(&cluster, "production")).await.unwrap();
    let freezable = freezable(&session).await.unwrap();
    let is = |name: &str| freezable.contains(&("public".to_owned(), name.to_owned()));
    assert!(is("many") && is("part_a") && freezable.contains(&("other".to_owned(), "many".to_owned())));
    assert!(!is("of_extension") && !is("parted") && !is("materialized"));
}

#[tokio::test]
async fn rejected_row_names_its_table() {
    let cluster = source(None);
    let dump = dump_of(&cluster);
    let mut damaged = dump.clone();
    damaged[in_many(&dump)] = b'x';
    for jobs in [1, 3] {
        let name = format!("loaded_{jobs}");
        let error = load_into(&cluster, &name, jobs, &damaged, body_of).await.unwrap_err();
        let said = crate::error::explain(&error).to_string();
        assert!(said.contains("unable to load the rows of public.many on "), "{said}");
        assert!(said.contains("invalid input syntax"), "{said}");
    }
    // This shows only at their end.
    let error = load_into(&cluster, "loaded", 2, &damaged, |dump| {
        let (body, _) = produce::<(), _>(move |out| {
            std::io::Write::write_all(out, &dump)?;
            Err(io::Error::new(io::ErrorKind::InvalidData, "not what was stored"))
        });
        body
    });
    let said = crate::error::explain(&error.await.unwrap_err()).to_string();
    assert_eq!(said, "unable to read the dump of a test: not what was stored");
}

#[tokio::test]
async fn ended_session_fails_the_others() {
    let cluster = source(None);
    let dump = dump_of(&cluster);
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname ~ '^loaded' AND query ~ '^COPY public.many'";
    for jobs in [1, 3] {
        // The rest comes only after the sessions were ended.
        let (first, rest) = dump.split_at(in_many(&dump));
        let (go_on, wait) = tokio::sync::oneshot::channel::<()>();
        let (first, rest) = (first.to_vec(), rest.to_vec());
        let name = format!("loaded_{jobs}");
        let loading = load_into(&cluster, &name, jobs, &dump, move |_| {
            let (body, _) = produce::<(), _>(move |out| {
                std::io::Write::write_all(out, &first)?;
                let _ = wait.blocking_recv();
                std::io::Write::write_all(out, &rest)
            });
            body
        });
        let ending = async {
            while cluster.psql_as(SUPERUSER, "production", kill).trim() == "0" {
                tokio::task::yield_now().await;
            }
            go_on.send(()).unwrap();
        };
        let (loaded, ()) = tokio::join!(loading, ending);
        let said = crate::error::explain(&loaded.unwrap_err()).to_string();
        assert!(said.contains("unable to load the rows of public.many on "), "{said}");
    }
}

#[test]
fn copy_statement_names_its_table() {
    let named = |copy: &str| loaded_by(copy).map(|(schema, name)| format!("{schema}|{name}"));
    assert_eq!(named("COPY public.res_users (id) FROM stdin").as_deref(), Some("public|res_users"));
    assert_eq!(named(r#"COPY "a ""b""."."c" FROM stdin"#).as_deref(), Some(r#"a "b".|c"#));
    assert_eq!(named("COPY public FROM stdin"), None);
    assert_eq!(named(r#"COPY public."x"#), None);
}
