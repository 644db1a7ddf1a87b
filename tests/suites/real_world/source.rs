//! Tests properties of a database that a copy must have too.

mod exotic;
mod generated;
mod objects;

use harness::cli::OdooBackup;
use harness::compare::assert_same_database;
use harness::odoo_backup;
use harness::postgres::{Cluster, SUPERUSER};
use harness::project::{INSTANCE, Project, TARGET};
use serde_json::Value;

/// Returns the program, with a new repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Returns a check of the verification in the JSON of a restore or drill.
fn check<'a>(document: &'a Value, subject: &str) -> &'a Value {
    let checks = document["verification"]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["subject"] == subject).unwrap()
}

#[tokio::test]
async fn unvalidated_constraint_is_known_with_children() {
    let project = Project::start().await;
    project.cluster().execute(
        INSTANCE,
        "CREATE TABLE par (id int); CREATE TABLE kid (extra text) INHERITS (par);
         INSERT INTO par VALUES (1); INSERT INTO kid VALUES (2);
         ALTER TABLE par ADD CONSTRAINT small CHECK (id > 5) NOT VALID",
    );
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let drilled = program.run(["drill", "--json"]).await.success().json();
    let constraints = check(&drilled, "constraints");
    assert_eq!(constraints["known"]["count"], 2, "{constraints}");
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
}

#[tokio::test]
async fn enum_hash_partitions_restore_with_jobs() {
    let project = Project::start().await;
    project.cluster().execute(
        INSTANCE,
        "CREATE TYPE mood AS ENUM ('a', 'b', 'c');
         CREATE TABLE hashed (k mood, v text) PARTITION BY HASH (k);
         CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO hashed SELECT (ARRAY['a', 'b', 'c'])[1 + i % 3]::mood, repeat('x', 100) FROM generate_series(1, 200000) i",
    );
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    for jobs in ["1", "2", "4"] {
        program.run(["drill", "--jobs", jobs]).await.success();
    }
}

/// Connects the instance to a hot standby of its server, which has everything that the server has.
async fn follow(project: &Project) -> Cluster {
    let standby = project.cluster().standby();
    let conf = std::fs::read_to_string(project.odoo_conf(INSTANCE)).unwrap();
    let port = |cluster: &Cluster| format!("db_port = {}\n", cluster.port());
    std::fs::write(project.odoo_conf(INSTANCE), conf.replace(&port(project.cluster()), &port(&standby))).unwrap();
    let position = project.cluster().psql_as(SUPERUSER, SUPERUSER, "SELECT pg_current_wal_flush_lsn()");
    let query = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", position.trim());
    let caught_up = async {
        while standby.psql_as(SUPERUSER, SUPERUSER, &query).trim() != "t" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), caught_up).await.expect("a standby that follows");
    standby
}

#[tokio::test]
async fn unlogged_standby_tables_are_known() {
    let project = Project::start().await;
    project.cluster().execute(
        INSTANCE,
        "CREATE UNLOGGED TABLE scratch (id serial PRIMARY KEY, x text);
         INSERT INTO scratch (x) SELECT 'u' FROM generate_series(1, 10) i",
    );
    let _standby = follow(&project).await;
    let program = initialised(&project).await;
    program.run(["now"]).await;
    // Restores to the primary, because a standby is read-only.
    let restored = program.run(["restore", "--to", TARGET, "--json"]).await.success().json();
    assert_eq!(check(&restored, "rows")["known"]["count"], 1, "{restored}");
    assert_eq!(project.cluster().execute(TARGET, "SELECT count(*) FROM scratch").trim(), "0");
}

/// What Odoo does by itself with `unaccent = True`, if its role is a superuser.
const UNACCENT: &str = "CREATE EXTENSION IF NOT EXISTS unaccent; CREATE EXTENSION IF NOT EXISTS pg_trgm;
    ALTER FUNCTION unaccent(text) IMMUTABLE;
    CREATE TABLE accents (id int PRIMARY KEY, name varchar);
    INSERT INTO accents SELECT i, 'été ' || i FROM generate_series(1, 100) i;
    CREATE INDEX accents_trgm ON accents USING gin (unaccent(name::text) gin_trgm_ops);
    CREATE UNIQUE INDEX accents_unique ON accents (lower(unaccent(name::text)));
    COMMENT ON INDEX accents_unique IS 'what depends on it';
    ALTER TABLE accents OWNER TO odoo";

/// Attributes of the extension's functions: volatility, parallel safety, cost.
const FUNCTIONS: &str = "SELECT string_agg(format('%s %s%s%s', oid::regprocedure, provolatile, proparallel, procost), ', ' ORDER BY oid::regprocedure::text)
    FROM pg_proc WHERE proname = 'unaccent'";

/// Makes the role a superuser, as many Odoo roles are, and sets the repository as trusted.
fn make_superuser(project: &Project) {
    project.cluster().psql_as(SUPERUSER, SUPERUSER, "ALTER ROLE odoo SUPERUSER");
    let config = std::fs::read_to_string(project.config()).unwrap();
    let trusted = config.replace("neutralize = false", "neutralize = false\ntrusted = true");
    std::fs::write(project.config(), format!("{trusted}\n[instance.{INSTANCE}.drill]\ntrusted = true\n")).unwrap();
}

#[tokio::test]
async fn altered_extension_function_survives_restore() {
    let project = Project::start().await;
    make_superuser(&project);
    let database = project.cluster();
    database.execute(INSTANCE, UNACCENT);
    database.execute(
        INSTANCE,
        "CREATE TABLE generated (name text, plain text GENERATED ALWAYS AS (unaccent(name)) STORED);
         INSERT INTO generated VALUES ('é');
         ALTER FUNCTION unaccent(text) PARALLEL UNSAFE COST 7 SET search_path = public, pg_temp;
         CREATE ROLE caller; REVOKE EXECUTE ON FUNCTION unaccent(text) FROM PUBLIC; GRANT EXECUTE ON FUNCTION unaccent(text) TO caller;
         ALTER FUNCTION unaccent_init(internal) OWNER TO caller;
         ALTER FUNCTION to_char(timestamptz, text) IMMUTABLE;
         CREATE TABLE days (at timestamptz); CREATE INDEX days_at ON days (to_char(at, 'DD'))",
    );
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let manifest = program.run(["show", "latest", "--json"]).await.success().json();
    let functions = manifest["manifest"]["source"]["members"]["functions"].as_array().unwrap();
    assert_eq!(functions[0]["function"], "public.unaccent(pg_catalog.text)");
    assert!(functions[0]["altered"] == true && functions[0]["used"] == true, "{}", functions[0]);
    assert_eq!(functions.iter().filter(|one| one["altered"] == true).count(), 3, "{functions:#?}");

    for jobs in ["1", "4"] {
        program.run(["drill", "--jobs", jobs]).await.success();
    }
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    for query in [
        FUNCTIONS,
        "SELECT proacl, proconfig, proowner FROM pg_proc WHERE proname ~ 'unaccent' ORDER BY oid::regprocedure::text",
    ] {
        assert_eq!(database.execute(INSTANCE, query), database.execute(TARGET, query));
    }
}

#[tokio::test]
async fn unrecorded_backup_infers_immutability_from_indexes() {
    let project = Project::start().await;
    make_superuser(&project);
    project.cluster().execute(INSTANCE, UNACCENT);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    forget_source(&project);
    program.run(["restore", "--to", TARGET]).await.success();
    assert_same_database(project.database(), project.target_database()).await;
    assert_eq!(project.cluster().execute(INSTANCE, FUNCTIONS), project.cluster().execute(TARGET, FUNCTIONS));
}

/// Changes the only backup to the form of an older version, without a record of its source.
fn forget_source(project: &Project) {
    let instance = project.repository().join(INSTANCE);
    let backup = std::fs::read_dir(instance).unwrap().map(|entry| entry.unwrap().path());
    let backup = backup.into_iter().find(|folder| folder.join("manifest.json").exists()).unwrap();
    let path = backup.join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let from = text.find("  \"source\": {\n").unwrap();
    let to = from + text[from..].find("\n  },\n").unwrap() + "\n  },\n".len();
    let changed = format!("{}{}", &text[..from], &text[to..]);
    let sums = std::fs::read_to_string(backup.join("SHA256SUMS")).unwrap();
    let sums = sums.replace(&sha256(text.as_bytes()), &sha256(changed.as_bytes()));
    replace(&path, changed);
    replace(&backup.join("SHA256SUMS"), sums);
}

fn replace(path: &std::path::Path, content: String) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[tokio::test]
async fn plain_role_skips_impossible_indexes() {
    let project = Project::start().await;
    // The superuser owns the extension and its functions, the role everything else.
    project.cluster().psql_as(SUPERUSER, INSTANCE, UNACCENT);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let doctor = program.run(["doctor"]).await.stdout;
    assert!(doctor.contains("functions of extensions were altered at the source"), "{doctor}");
    let examined = program.run(["restore", "--to", TARGET, "--dry-run"]).await.success();
    assert!(examined.stdout.contains("public.unaccent(pg_catalog.text)"), "{}", examined.stdout);
    let drilled = program.run(["drill", "--json"]).await.expect_code(3).json();
    let known = &check(&drilled, "objects")["known"];
    assert_eq!(known["count"], 3, "{known}");
    let restored = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(3).json();
    let warnings = restored["warnings"].to_string();
    for name in ["public.accents_trgm", "public.accents_unique"] {
        assert!(warnings.contains(&format!("the index {name} was left out: it calls public.unaccent")), "{warnings}");
    }
    assert_eq!(project.cluster().execute(TARGET, "SELECT count(*) FROM accents").trim(), "100");
}

#[tokio::test]
async fn import_alters_functions_that_indexes_call() {
    let project = Project::start().await;
    make_superuser(&project);
    project.cluster().execute(INSTANCE, UNACCENT);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let (zip, dump) = (project.path("exported.zip"), project.path("exported.dump"));
    let (zip, dump) = (zip.to_str().unwrap(), dump.to_str().unwrap());
    program.run(["export", "latest", "-o", zip]).await.success();
    program.run(["export", "latest", "--format", "dump", "-o", dump.strip_suffix(".dump").unwrap()]).await.success();
    for (file, name) in [(zip, "zip"), (dump, "dump")] {
        program.run(["import", file, "--as", name, "--trusted"]).await.success();
        let latest = format!("{name}/latest");
        program.run(["restore", &latest, "--to", TARGET, "--force-production", TARGET]).await.success();
        assert_same_database(project.database(), project.target_database()).await;
        assert_eq!(project.cluster().execute(INSTANCE, FUNCTIONS), project.cluster().execute(TARGET, FUNCTIONS));
    }

    // Without the right to alter it, everything else is imported, and the rest is reported.
    project.cluster().psql_as(SUPERUSER, SUPERUSER, "ALTER ROLE odoo NOSUPERUSER");
    for (file, name) in [(zip, "plain_zip"), (dump, "plain_dump")] {
        let imported = program.run(["import", file, "--as", name, "--json"]).await.expect_code(3).json();
        let warnings = imported["warnings"].to_string();
        assert!(warnings.contains("accents_trgm") && warnings.contains("was left out"), "{warnings}");
    }
}
