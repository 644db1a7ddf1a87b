//! Tests databases with random combinations of PostgreSQL objects: each is restored exactly, or the
//! objects that the role may not restore are named first.

use std::fmt::Write as _;

use harness::compare::assert_same_content;
use harness::postgres::{Binaries, Cluster, ClusterOptions, SUPERUSER};
use harness::project::{INSTANCE, Project, ProjectOptions, TARGET};

use super::{initialised, make_superuser};

/// Pseudorandom numbers (SplitMix64): the same seed creates the same database.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Names that need quoting, or look like something else.
const NAMES: [&str; 8] = [
    "plain",
    "\"Upper Case\"",
    "\"quote \"\" and ' in it\"",
    "\"line\nbreak\"",
    "\"user\"",
    "\"x COMMENT - EXTENSION y\"",
    "\"ünï©ödé\"",
    "\"1; DROP TABLE x\"",
];

/// Types of columns, and values for them in terms of `i`.
const TYPES: [(&str, &str); 12] = [
    ("int", "i"),
    ("text", "E'\\\\.\\n\\t' || i"),
    ("varchar(40)", "nullif('v' || i % 3, 'v0')"),
    ("numeric(12, 3)", "i / 7.0"),
    ("timestamptz", "'2024-02-29 12:00+00'::timestamptz + i * interval '1 h'"),
    ("jsonb", "jsonb_build_object('k', i)"),
    ("bytea", "decode(md5(i::text), 'hex')"),
    ("text[]", "ARRAY[NULL, 'a,\"b', i::text]"),
    ("float8", "CASE i % 3 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE i END::float8"),
    ("mood", "(ARRAY['a', 'b', 'c'])[1 + i % 3]::mood"),
    ("pos", "1 + i % 50"),
    ("comp", "ROW(i, 'x')::comp"),
];

/// What any owner of a database may add. `{t}` is a table with an `id` and a column `c`, `{n}` a
/// unique number.
const FEATURES: [&str; 34] = [
    "CREATE INDEX ON {t} (id DESC NULLS LAST) WHERE id > 3",
    "CREATE UNIQUE INDEX \"u {n}\" ON {t} (id) INCLUDE (c)",
    "ALTER TABLE {t} ADD CONSTRAINT chk{n} CHECK (id > 5) NOT VALID; CREATE TABLE heir{n} (more text) INHERITS ({t}); INSERT INTO heir{n} (id) VALUES (1000 + {n})",
    "CREATE TABLE kid{n} (LIKE {t} INCLUDING ALL) INHERITS ({t})",
    "CREATE UNLOGGED TABLE unlogged{n} (id serial PRIMARY KEY, x text); INSERT INTO unlogged{n} (x) SELECT 'u' FROM generate_series(1, 9)",
    "CREATE TABLE generated{n} (a int GENERATED ALWAYS AS IDENTITY, b int, c int GENERATED ALWAYS AS (b * 2) STORED); INSERT INTO generated{n} (b) VALUES (1), (2)",
    "CREATE VIEW view{n} AS SELECT id, c FROM {t} WHERE id > 1; CREATE VIEW above{n} WITH (security_barrier) AS SELECT * FROM view{n}",
    "CREATE MATERIALIZED VIEW mv{n} AS SELECT count(*) AS n FROM {t}; CREATE UNIQUE INDEX ON mv{n} (n)",
    "CREATE MATERIALIZED VIEW mve{n} AS SELECT 1 AS one WITH NO DATA",
    "CREATE RULE rule{n} AS ON DELETE TO {t} WHERE OLD.id = 3 DO INSTEAD NOTHING",
    "CREATE TRIGGER trg{n} BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION never(); ALTER TABLE {t} DISABLE TRIGGER trg{n}",
    "CREATE TRIGGER alw{n} AFTER INSERT ON {t} FOR EACH STATEMENT EXECUTE FUNCTION never(); ALTER TABLE {t} ENABLE ALWAYS TRIGGER alw{n}",
    "CREATE TRIGGER rep{n} AFTER INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION never(); ALTER TABLE {t} ENABLE REPLICA TRIGGER rep{n}",
    "CREATE CONSTRAINT TRIGGER con{n} AFTER INSERT ON {t} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION never()",
    "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY; CREATE POLICY p{n} ON {t} USING (id > 0); CREATE POLICY q{n} ON {t} AS RESTRICTIVE FOR DELETE TO odoo USING (false)",
    "ALTER TABLE {t} REPLICA IDENTITY FULL; COMMENT ON COLUMN {t}.id IS E'it''s\\n-- {n}'",
    "CREATE STATISTICS st{n} (ndistinct) ON id, (id % 7) FROM {t}; ALTER TABLE {t} ALTER id SET STATISTICS 42",
    "ALTER TABLE {t} SET (fillfactor = 70, autovacuum_enabled = off)",
    "CREATE PUBLICATION pub{n} FOR TABLE {t}",
    "CREATE SEQUENCE seq{n} INCREMENT -3 MINVALUE -99 START -1 CYCLE; SELECT nextval('seq{n}') FROM generate_series(1, 40)",
    "SELECT lo_from_bytea(0, decode(repeat('ab{n}0', 30000 / length('ab{n}0') * 2), 'hex')) WHERE length('{n}') % 2 = 1",
    "CREATE FUNCTION fn{n}(a int DEFAULT {n}, VARIADIC b text[] DEFAULT '{}') RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 7 AS $$ SELECT 1, 2 $$",
    "CREATE PROCEDURE proc{n}() LANGUAGE plpgsql AS $x$ BEGIN RAISE NOTICE '$$ \\. %', 1; END $x$",
    "CREATE AGGREGATE agg{n}(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
    "CREATE OPERATOR <~{n_op}> (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)",
    "CREATE DOMAIN dom{n} AS text COLLATE \"C\" DEFAULT 'd' NOT NULL CHECK (VALUE <> ''); ALTER DOMAIN dom{n} ADD CONSTRAINT d{n} CHECK (length(VALUE) < 9) NOT VALID",
    "CREATE TYPE range{n} AS RANGE (subtype = float8); CREATE TABLE ranges{n} (r range{n}, EXCLUDE USING gist (r WITH &&)); INSERT INTO ranges{n} VALUES ('[1,2)'), ('empty')",
    "CREATE CAST (comp AS text) WITH INOUT AS ASSIGNMENT",
    "CREATE TABLE fk{n} (id int PRIMARY KEY, up int REFERENCES fk{n} DEFERRABLE INITIALLY DEFERRED, u int UNIQUE DEFERRABLE); INSERT INTO fk{n} VALUES (1, 1, 1)",
    "CREATE TABLE nothing{n} (); INSERT INTO nothing{n} DEFAULT VALUES",
    "CREATE TEXT SEARCH CONFIGURATION ts{n} (COPY = simple); CREATE TEXT SEARCH DICTIONARY td{n} (TEMPLATE = simple)",
    "CREATE COLLATION coll{n} (provider = libc, locale = 'C'); CREATE TABLE collated{n} (x text COLLATE coll{n} UNIQUE)",
    "CREATE TABLE dropped{n} (a int, b int, c int); INSERT INTO dropped{n} VALUES (1, 2, 3); ALTER TABLE dropped{n} DROP b, ADD d int DEFAULT 7",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC; GRANT UPDATE (id) ON {t} TO PUBLIC",
];

/// What only a superuser may add.
const OF_SUPERUSERS: [&str; 8] = [
    "CREATE EXTENSION IF NOT EXISTS unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE PARALLEL RESTRICTED; CREATE TABLE un{n} (x text, y text GENERATED ALWAYS AS (unaccent(x)) STORED); INSERT INTO un{n} VALUES ('é'); CREATE INDEX ON un{n} (upper(unaccent(x)))",
    "ALTER FUNCTION to_char(timestamptz, text) IMMUTABLE; CREATE TABLE day{n} (x timestamptz); CREATE INDEX ON day{n} (to_char(x, 'DD'))",
    "CREATE OPERATOR CLASS ops{n} FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4); CREATE INDEX ON {t} (id ops{n})",
    "CREATE FUNCTION leaky{n}() RETURNS int LANGUAGE sql LEAKPROOF SECURITY DEFINER SET search_path = '' AS 'SELECT 1'",
    "CREATE PUBLICATION everything{n} FOR ALL TABLES",
    "CREATE FUNCTION et{n}() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch{n} ON sql_drop EXECUTE FUNCTION et{n}()",
    "CREATE FOREIGN DATA WRAPPER fdw{n}; CREATE SERVER srv{n} FOREIGN DATA WRAPPER fdw{n}; CREATE USER MAPPING FOR odoo SERVER srv{n}; CREATE FOREIGN TABLE far{n} (x int) SERVER srv{n}",
    "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY f{n} ON {t} USING (id % 2 = 0)",
];

/// Returns the statements of a database. With `superuser`, they include things that its owner could
/// not have created.
fn statements(random: &mut Random, superuser: bool) -> Vec<String> {
    let mut all: Vec<String> = [
        "CREATE TYPE mood AS ENUM ('a', 'b', 'c')",
        "CREATE DOMAIN pos AS int CHECK (VALUE > 0)",
        "CREATE TYPE comp AS (a int, b text)",
        "CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$",
    ]
    .map(str::to_owned)
    .into();
    for number in 0..4 + random.below(3) {
        let schema = if random.below(3) == 0 { format!("s{number}") } else { "public".to_owned() };
        if schema != "public" {
            all.push(format!("CREATE SCHEMA {schema}"));
        }
        let name = random.pick(&NAMES);
        let table = format!("{schema}.{}", name.replacen(|c: char| c.is_alphanumeric(), &format!("t{number}"), 1));
        let (kind, value) = TYPES[random.below(TYPES.len())];
        let rows = random.pick(&[&0, &7, &60_000]);
        partitioned(random, &mut all, &table, number, kind);
        all.push(format!("INSERT INTO {table} SELECT i, {value} FROM generate_series(1, {rows}) i"));
        for _ in 0..2 + random.below(5) {
            let mut feature = random.pick(&FEATURES);
            if superuser && random.below(3) == 0 {
                feature = random.pick(&OF_SUPERUSERS);
            }
            let n = all.len();
            let operator: String = n
                .to_string()
                .chars()
                .map(|c| ['+', '*', '~', '%', '=', '!', '@', '#', '&', '|'][c as usize - 48])
                .collect();
            all.push(feature.replace("{n_op}", &operator).replace("{n}", &n.to_string()).replace("{t}", &table));
        }
    }
    all
}

/// Adds a table that is partitioned in some way, or not at all.
fn partitioned(random: &mut Random, all: &mut Vec<String>, table: &str, number: usize, kind: &str) {
    let columns = format!("CREATE TABLE {table} (id int NOT NULL, c {kind})");
    let hashable = !["comp", "jsonb"].contains(&kind);
    match random.below(5) {
        0 => {
            all.push(format!("{columns} PARTITION BY RANGE (id)"));
            all.push(format!("CREATE TABLE low{number} PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO (1000)"));
            all.push(format!("CREATE TABLE high{number} PARTITION OF {table} DEFAULT"));
        }
        1 if hashable => {
            all.push(format!("{columns} PARTITION BY HASH (c)"));
            for remainder in 0..2 {
                let values = format!("FOR VALUES WITH (MODULUS 2, REMAINDER {remainder})");
                all.push(format!("CREATE TABLE hash{number}_{remainder} PARTITION OF {table} {values}"));
            }
        }
        2 => {
            all.push(format!("{columns} PARTITION BY LIST (id)"));
            all.push(format!("CREATE TABLE one{number} PARTITION OF {table} FOR VALUES IN (1, 2)"));
            all.push(format!("CREATE TABLE rest{number} PARTITION OF {table} DEFAULT PARTITION BY RANGE (id)"));
            all.push(format!("CREATE TABLE sub{number} PARTITION OF rest{number} DEFAULT"));
        }
        _ => all.push(columns),
    }
}

/// Runs each statement by itself. Some do not work after earlier ones, which does not matter here.
fn make(cluster: &Cluster, statements: &[String]) -> usize {
    let mut script = String::new();
    for statement in statements {
        let _ = writeln!(script, "BEGIN;\n{statement};\nCOMMIT;");
    }
    let mut psql = cluster.command("psql", cluster.user());
    psql.args(["--no-psqlrc", "--quiet", "--output=/dev/null", "--dbname", INSTANCE, "--command"]);
    // One after the other, each in its own transaction.
    psql.args(["SET client_min_messages = error", "--file=-"]);
    let mut child = psql.stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains("ERROR: ")).count()
}

/// Returns the seeds to try. `ODOO_BACKUP_TEST_SEEDS` (`4711` or `0..100`) sets more of them, or
/// one that failed.
fn seeds(first: u64) -> std::ops::Range<u64> {
    let Ok(wanted) = std::env::var("ODOO_BACKUP_TEST_SEEDS") else { return first..first + 2 };
    let number = |text: &str| text.parse::<u64>().expect("a seed");
    wanted.split_once("..").map_or_else(|| number(&wanted)..number(&wanted) + 1, |(a, b)| number(a)..number(b))
}

async fn generated(seed: u64, superuser: bool, version: Option<u32>) -> (Project, usize) {
    let settings = vec![("wal_level".into(), "logical".into())];
    let cluster = ClusterOptions { version, settings, ..ClusterOptions::default() };
    let project = Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await;
    if superuser {
        make_superuser(&project);
    }
    let statements = statements(&mut Random(seed), superuser);
    let failed = make(project.cluster(), &statements);
    eprintln!("seed {seed}: {} statements, {failed} of them refused", statements.len());
    assert!(failed * 3 < statements.len(), "seed {seed}: most statements should run");
    (project, failed)
}

#[tokio::test]
async fn plain_roles_database_is_restored() {
    for seed in seeds(1) {
        let (project, _) = generated(seed, false, None).await;
        let program = initialised(&project).await;
        program.run(["now"]).await.success();
        program.run(["restore", "--to", TARGET, "--jobs", if seed % 2 == 0 { "1" } else { "4" }]).await.success();
        assert_same_content(project.database(), project.target_database()).await;
    }
}

#[tokio::test]
async fn superusers_database_is_restored_or_refused() {
    for seed in seeds(11) {
        let (project, _) = generated(seed, true, None).await;
        let program = initialised(&project).await;
        program.run(["now"]).await.success();
        program.run(["restore", "--to", TARGET]).await.success();
        assert_same_content(project.database(), project.target_database()).await;
        program.run(["drill"]).await.success();

        // With a plain role it succeeds, with warnings, or is refused before anything is created:
        // it never fails halfway.
        project.cluster().psql_as(SUPERUSER, SUPERUSER, "ALTER ROLE odoo NOSUPERUSER");
        let examined = program.run(["restore", "--to", TARGET, "--force-production", TARGET, "--dry-run"]).await;
        let before = project.cluster().databases();
        let restored = program.run(["restore", "--to", TARGET, "--force-production", TARGET]).await;
        match examined.code {
            Some(0) => assert!(matches!(restored.code, Some(0 | 3)), "seed {seed}: {}", restored.stderr),
            _ => {
                assert!(restored.stderr.contains("the restore was refused"), "seed {seed}: {}", restored.stderr);
                assert_eq!(project.cluster().databases(), before);
            }
        }
    }
}

/// Tests the oldest and the newest installed server.
#[tokio::test]
async fn generated_database_survives_other_majors() {
    let majors = Binaries::majors();
    for (major, seed) in majors.first().into_iter().chain(majors.last()).zip(seeds(21)) {
        let (project, _) = generated(seed, true, Some(*major)).await;
        super::exotic::use_programs_of(&project, *major);
        let program = initialised(&project).await;
        program.run(["now"]).await.success();
        program.run(["restore", "--to", TARGET]).await.success();
        assert_same_content(project.database(), project.target_database()).await;
    }
}
