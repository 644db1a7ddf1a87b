//! Tests databases with unusual but legal content: each is backed up completely, and restored
//! exactly.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::cli::OdooBackup;
use harness::odoo::{OdooShape, series};
use harness::odoo_backup;
use harness::postgres::SUPERUSER;
use harness::project::{Project, ProjectOptions, Source};
use serde_json::Value;

const INSTANCE: &str = "production";

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Returns a project whose empty database has this encoding.
async fn empty_project(encoding: &str) -> Project {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    project.cluster().execute("postgres", "DROP DATABASE production");
    let create =
        format!("CREATE DATABASE production TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    project.cluster().execute("postgres", &create);
    project
}

fn ask(project: &Project, database: &str, sql: &str) -> String {
    project.cluster().execute(database, sql).trim().to_owned()
}

/// Returns a project with a normal instance that a superuser has changed.
async fn odd_project(sql: &str) -> (Project, OdooBackup) {
    let project = Project::start().await;
    project.cluster().psql_as(SUPERUSER, INSTANCE, sql);
    let program = initialised(&project).await;
    (project, program)
}

/// Backs up with a warning that contains `warning`. Restores and drills the backup, and checks that
/// no drill refutes it.
async fn assert_backed_up_and_restored(project: &Project, program: &OdooBackup, warning: &str) -> Value {
    let made = program.run(["now", "--json"]).await.expect_code(3).json();
    let warnings = made["backups"][0]["warnings"].to_string();
    assert!(warnings.contains(warning), "{warnings}");
    assert_restored(project, program).await;
    made["backups"][0].clone()
}

async fn assert_restored(project: &Project, program: &OdooBackup) {
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert!(restored["proof"]["outcome"] == "passed", "{restored}");
    for sql in ["SELECT count(*) FROM ir_attachment", "SELECT count(*) FROM res_partner"] {
        assert_eq!(ask(project, INSTANCE, sql), ask(project, "staging", sql), "{sql}");
    }
    program.run(["drill"]).await.success();
    let list = program.run(["list", "--json"]).await.success().stdout;
    assert!(!list.contains("\"failed\""), "{list}");
}

#[tokio::test]
async fn non_text_bytes_survive() {
    let project = empty_project("SQL_ASCII").await;
    let client = project.cluster().connect(INSTANCE).await;
    OdooShape::default().fill(&client, &project.filestore()).await.unwrap();
    drop(client);
    let odd = "UPDATE res_partner SET street = E'Caf\\xe9', name = E'Ren\\xe9' WHERE id = 3;
        UPDATE ir_attachment SET name = E'fa\\xe7ade.pdf', res_model = E'x\\xe9' WHERE id = 1";
    project.cluster().psql_as(SUPERUSER, INSTANCE, odd);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let files = program.run(["files", "latest", "--like", "ade.pdf", "--json"]).await.success().json();
    assert_eq!(files["attachments"][0]["name"], "fa\u{fffd}ade.pdf", "{files}");
    assert_restored(&project, &program).await;
    let street = "SELECT encode(convert_to(street, 'SQL_ASCII'), 'hex') FROM res_partner WHERE id = 3";
    assert_eq!(ask(&project, "staging", street), "436166e9");
    let encoding = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'staging'";
    assert_eq!(ask(&project, "postgres", encoding), "SQL_ASCII");
    program.run(["check", "--read-data"]).await.success();

    let base = project.path("old");
    program.run(["export", "latest", "--format", "dump", "-o", base.to_str().unwrap()]).await.success();
    let dump = project.path("old.dump");
    program.run(["import", dump.to_str().unwrap(), "--as", "archive"]).await.success();
    let zip = project.path("x.zip");
    program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.success();
}

/// Returns a project whose database accepts any bytes as text, with people whose names and
/// addresses are not UTF-8.
async fn project_with_non_text() -> (Project, OdooBackup) {
    let project = empty_project("SQL_ASCII").await;
    let client = project.cluster().connect(INSTANCE).await;
    OdooShape::default().fill(&client, &project.filestore()).await.unwrap();
    drop(client);
    let odd = "UPDATE res_partner SET street = E'Caf\\xe9 de la Gare', name = E'Ren\\xe9 Lef\\xe8vre', email = E'ren\\xe9@example.org',
            phone = '+33 1 23 45 67 89' WHERE id = 3;
        UPDATE res_users SET login = E'ren\\xe9' WHERE login = 'admin';
        UPDATE ir_attachment SET name = E'fa\\xe7ade.pdf' WHERE id = 1;
        INSERT INTO ir_config_parameter (key, value) VALUES (E'cl\\xe9_secret_token', 'a value of that');
        UPDATE ir_mail_server SET smtp_host = E'serveur-\\xe9', smtp_pass = E'cl\\xe9';
        CREATE TABLE x_log (line text);
        ALTER TABLE x_log OWNER TO odoo;
        INSERT INTO x_log SELECT E'Ren\\xe9 Lef\\xe8vre called' FROM generate_series(1, 10)";
    project.cluster().psql_as(SUPERUSER, INSTANCE, odd);
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    (project, program)
}

#[tokio::test]
async fn copy_with_non_text_is_neutralized() {
    let (project, program) = project_with_non_text().await;
    project.write_target_keys("admin_password = \"training\"");
    let restored = program.run(["restore", "--to", "staging", "--json"]).await;
    assert!([Some(0), Some(3)].contains(&restored.code), "{}", restored.stderr);
    let neutralized = &restored.json()["neutralized"];
    assert_eq!(neutralized["administrator"], "ren\u{fffd}", "{neutralized:#}");
    assert!(neutralized["parameters_removed"].to_string().contains("cl\u{fffd}_secret_token"), "{neutralized:#}");
    let street = "SELECT encode(convert_to(street, 'SQL_ASCII'), 'hex') FROM res_partner WHERE id = 3";
    for (sql, expected) in [
        ("SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'", "0"),
        (street, "436166e9206465206c612047617265"),
    ] {
        assert_eq!(ask(&project, "staging", sql), expected, "{sql}");
    }
}

#[tokio::test]
async fn copy_with_non_text_stays_personal() {
    let (project, program) = project_with_non_text().await;
    let anonymize = "[target.staging.anonymize]\nseed = \"a seed that is a secret\"";
    project.write_target_keys(anonymize);
    let failed = program.run(["restore", "--to", "staging"]).await.expect_code(1).stderr;
    assert!(failed.contains("text that is not UTF-8, which cannot be searched for people: "), "{failed}");
    assert!(failed.contains("res_partner.name") && failed.contains("x_log.line"), "{failed}");
    assert!(failed.contains("hint: let `sql` in the target's section change it"), "{failed}");
    assert!(!project.cluster().databases().iter().any(|name| name.starts_with("staging")));

    // As the hint says.
    let changed = |table: &str, column: &str| {
        format!(
            "UPDATE {table} SET {column} = convert_from(convert(convert_to({column}, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')
             WHERE {column} ~ E'[^\\x01-\\x7f]';\n"
        )
    };
    let columns = [
        ("res_partner", "name"),
        ("res_partner", "street"),
        ("res_partner", "email"),
        ("res_users", "login"),
        ("ir_attachment", "name"),
        ("x_log", "line"),
    ];
    let sql = project.path("to-utf8.sql");
    fs::write(&sql, columns.map(|(table, column)| changed(table, column)).concat()).unwrap();
    fs::set_permissions(&sql, PermissionsExt::from_mode(0o600)).unwrap();
    let config = fs::read_to_string(project.config()).unwrap();
    let keys = format!("sql = [\"{}\"]\n{anonymize}", sql.display());
    fs::write(project.config(), config.replace(anonymize, &keys)).unwrap();
    let restored = program.run(["restore", "--to", "staging"]).await;
    assert!([Some(0), Some(3)].contains(&restored.code), "{}", restored.stderr);
    for sql in [
        "SELECT count(*) FROM res_partner WHERE name ~ E'^Ren(\\xc3\\xa9|\\xe9) Lef' OR street ~ E'^Caf(\\xc3\\xa9|\\xe9) de'",
        "SELECT count(*) FROM res_users WHERE login ~ E'^ren(\\xc3\\xa9|\\xe9)'",
        "SELECT count(*) FROM x_log WHERE line LIKE '%vre called'",
    ] {
        assert_eq!(ask(&project, "staging", sql), "0", "{sql}");
    }
}

#[tokio::test]
async fn other_encodings_survive() {
    // One byte of the last one has no equivalent in UTF-8.
    for (encoding, hex) in [("LATIN1", "436166e9"), ("EUC_JP", "a4a2"), ("WIN1252", "8141")] {
        let project = empty_project(encoding).await;
        project.cluster().execute(INSTANCE, &series::small_database("17.0"));
        let odd = format!(
            "CREATE TABLE odd (id int PRIMARY KEY, t text); INSERT INTO odd VALUES (1, convert_from('\\x{hex}', '{encoding}'));
             INSERT INTO odd SELECT i, 'x' FROM generate_series(2, 5000) i"
        );
        project.cluster().execute(INSTANCE, &odd);
        let named = format!("UPDATE ir_attachment SET name = convert_from('\\x{hex}', '{encoding}')");
        project.cluster().execute(INSTANCE, &named);
        fs::create_dir_all(project.filestore()).unwrap();
        let program = initialised(&project).await;
        let now = program.run(["now"]).await;
        assert!([Some(0), Some(3)].contains(&now.code), "{encoding}: {}", now.stderr);
        let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
        assert!(restored["proof"]["outcome"] == "passed", "{encoding}: {restored}");
        let text = format!("SELECT encode(convert_to(t, '{encoding}'), 'hex') FROM odd WHERE id = 1");
        assert_eq!(ask(&project, "staging", &text), hex);
    }
}

#[tokio::test]
async fn latin_table_names_are_verified() {
    let project = empty_project("LATIN1").await;
    let sql = "CREATE TABLE \"caf\u{e9}\" (\"\u{e9}t\u{e9}\" serial, t text); INSERT INTO \"caf\u{e9}\" (t) SELECT 'x' FROM generate_series(1, 100)";
    let client = project.cluster().connect(INSTANCE).await;
    client.batch_execute(sql).await.unwrap();
    drop(client);
    fs::create_dir_all(project.filestore()).unwrap();
    let program = initialised(&project).await;
    let now = program.run(["now"]).await.expect_code(3);
    assert!(!now.stderr.contains("were not counted"), "{}", now.stderr);
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert!(restored["proof"]["outcome"] == "passed", "{restored}");
}

#[tokio::test]
async fn duplicate_identity_is_a_warning() {
    let sql = "ALTER TABLE ir_config_parameter DROP CONSTRAINT ir_config_parameter_key_uniq;
        INSERT INTO ir_config_parameter (key, value) VALUES ('database.uuid', 'zzz'), ('database.uuid', 'aaa')";
    let (project, program) = odd_project(sql).await;
    assert_backed_up_and_restored(&project, &program, "database.uuid appears 3 times").await;
}

#[tokio::test]
async fn missing_active_users_are_a_warning() {
    let (project, program) = odd_project("UPDATE res_users SET active = false").await;
    assert_backed_up_and_restored(&project, &program, "there is no active internal user").await;
}

#[tokio::test]
async fn pending_modules_are_a_warning() {
    let sql = "UPDATE ir_module_module SET state = 'to upgrade' WHERE name IN ('base', 'sale');
        UPDATE ir_module_module SET state = 'to remove' WHERE name = 'sms';
        UPDATE ir_module_module SET state = 'to install' WHERE name = 'l10n_be'";
    let (project, program) = odd_project(sql).await;
    let made =
        assert_backed_up_and_restored(&project, &program, "4 modules are to be installed, upgraded or removed").await;
    assert_eq!(made["odoo_series"], "17.0");
    let show = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!(show["manifest"]["filestore"]["collector_held"], true, "the series is known");
}

#[tokio::test]
async fn invalid_versions_do_not_stop_backup() {
    for (version, series) in [("NULL", "17.0"), ("''", "17.0"), ("'garbage'", "17.0")] {
        let sql = format!("UPDATE ir_module_module SET latest_version = {version} WHERE name = 'base'");
        let (project, program) = odd_project(&sql).await;
        let made = assert_backed_up_and_restored(&project, &program, "the module base has no version").await;
        // As the other modules say.
        assert_eq!(made["odoo_series"], series);
        let zip = project.path("x.zip");
        program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.success();
    }
}

#[tokio::test]
async fn unknown_series_is_a_warning() {
    let (project, program) = odd_project("UPDATE ir_module_module SET latest_version = NULL").await;
    assert_backed_up_and_restored(&project, &program, "the Odoo series is unknown").await;
    let zip = project.path("x.zip");
    let exported = program.run(["export", "latest", "-o", zip.to_str().unwrap()]).await.success();
    assert!(exported.stderr.contains("the Odoo series is unknown"), "{}", exported.stderr);
}

#[tokio::test]
async fn columns_of_other_types_are_read() {
    let sql = "ALTER TABLE ir_attachment ALTER COLUMN name DROP NOT NULL, ALTER COLUMN type DROP NOT NULL,
            ALTER COLUMN name TYPE jsonb USING jsonb_build_object('en_US', name), ALTER COLUMN file_size TYPE numeric,
            ALTER COLUMN res_id TYPE text, DROP CONSTRAINT ir_attachment_pkey CASCADE, ALTER COLUMN id DROP NOT NULL;
        UPDATE ir_attachment SET file_size = 1e30 WHERE id = 1; UPDATE ir_attachment SET file_size = -5 WHERE id = 2;
        UPDATE ir_attachment SET res_id = 'none' WHERE id = 3; UPDATE ir_attachment SET name = NULL WHERE id = 4;
        UPDATE ir_attachment SET id = NULL WHERE id = 5; UPDATE ir_attachment SET id = 6 WHERE id = 7;
        ALTER TABLE res_users DROP COLUMN share;
        ALTER TABLE ir_module_module ALTER COLUMN latest_version TYPE jsonb USING to_jsonb(latest_version)";
    let (_project, program) = odd_project(sql).await;
    let now = program.run(["now"]).await;
    assert!([Some(0), Some(3)].contains(&now.code), "{}", now.stderr);
    let files = program.run(["files", "latest", "--json"]).await.success().json();
    let attachments = files["attachments"].as_array().unwrap();
    assert_eq!(attachments.len(), 120);
    let find = |id: u64| attachments.iter().find(|one| one["id"] == id).unwrap();
    assert!(!find(8)["name"].as_str().unwrap().contains("en_US"), "{}", find(8));
    assert_eq!((&find(1)["size"], &find(2)["size"], &find(4)["name"]), (&0.into(), &0.into(), &"".into()));
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert!(restored["proof"]["outcome"] == "passed", "{restored}");
}

#[tokio::test]
async fn missing_columns_do_not_stop_backup() {
    let sql = "ALTER TABLE ir_module_module DROP COLUMN latest_version; ALTER TABLE ir_attachment DROP COLUMN type, DROP COLUMN file_size;
        DROP TABLE ir_config_parameter CASCADE; ALTER TABLE res_users DROP COLUMN active";
    let (_project, program) = odd_project(sql).await;
    let now = program.run(["now"]).await.expect_code(3);
    assert!(now.stderr.contains("the Odoo series is unknown"), "{}", now.stderr);
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    assert!(restored["proof"]["outcome"] == "passed", "{restored}");
}

/// A table whose index accepts a duplicate row, like an index that no longer matches the collations
/// of its system.
const DUPLICATE: &str = "CREATE TABLE odd (id int, t text, CONSTRAINT odd_pkey PRIMARY KEY (id)); INSERT INTO odd VALUES (1, 'a'), (2, 'b');
    CREATE TABLE refers (id int REFERENCES odd); INSERT INTO refers VALUES (1);
    ALTER TABLE odd OWNER TO odoo; ALTER TABLE refers OWNER TO odoo;
    UPDATE pg_index SET indisready = false, indisvalid = true WHERE indexrelid = 'odd_pkey'::regclass";

#[tokio::test]
async fn uncreatable_objects_are_skipped_on_request() {
    let (project, program) = odd_project(DUPLICATE).await;
    project.cluster().psql_as(SUPERUSER, INSTANCE, "INSERT INTO odd VALUES (1, 'again'); UPDATE pg_index SET indisready = true WHERE indexrelid = 'odd_pkey'::regclass");
    let unqualified = "CREATE SCHEMA other AUTHORIZATION odoo; SET ROLE odoo; CREATE TABLE other.rates (x int); INSERT INTO other.rates VALUES (2);
        CREATE FUNCTION rate(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT max(x) FROM rates) * $1; END';
        SET search_path = public, other; CREATE INDEX odd_rate ON odd (rate(id))";
    project.cluster().psql_as(SUPERUSER, INSTANCE, unqualified);
    program.run(["now"]).await.success();
    let failed = program.run(["restore", "--to", "staging", "--jobs", "1"]).await.expect_code(1);
    assert!(failed.stderr.contains("odd_"), "{}", failed.stderr);
    assert!(failed.stderr.contains("--skip-failed-post-data"), "{}", failed.stderr);
    let report = project.path("report.md");
    let skip =
        ["restore", "--to", "staging", "--skip-failed-post-data", "--json", "--report", report.to_str().unwrap()];
    let restored = program.run(skip).await.expect_code(3).json();
    let left_out = restored["left_out"].as_array().unwrap();
    let entries: Vec<_> = left_out.iter().map(|one| one["what"].as_str().unwrap()).collect();
    for entry in [
        "the constraint public.odd odd_pkey",
        "the fk constraint public.refers refers_id_fkey",
        "the index public.odd_rate",
    ] {
        assert!(entries.contains(&entry), "{entries:?}");
    }
    assert_eq!(entries.len(), 3);
    assert!(
        left_out[0].to_string().contains("Key (id)=(1) is duplicated")
            || left_out[1].to_string().contains("duplicated"),
        "{left_out:?}"
    );
    assert!(fs::read_to_string(report).unwrap().contains("odd_pkey"));
    assert_eq!(ask(&project, "staging", "SELECT count(*) FROM odd"), "3");
    assert!(restored["proof"]["outcome"] == "passed", "{restored}");
}

#[tokio::test]
async fn value_beyond_dump_limit_is_named() {
    // The server stores it compressed, in some kilobytes. As text it has more than a gigabyte.
    let sql = "CREATE TABLE big (id int PRIMARY KEY, data bytea);
        INSERT INTO big VALUES (7, convert_to(repeat('x', 540000000), 'UTF8')), (8, 'small')";
    let project = Project::start().await;
    project.cluster().execute(INSTANCE, sql);
    let program = initialised(&project).await;
    let failed = program.run(["now"]).await.expect_code(1);
    assert!(failed.stderr.contains("public.big"), "{}", failed.stderr);
    assert!(failed.stderr.contains("id = 7"), "{}", failed.stderr);
}
