//! Tests settings, poolers and servers that change the sessions that the program relies on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::postgres::{SUPERUSER, USER};
use harness::project::{INSTANCE, Project, TARGET};
use harness::proxy::Proxy;

async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

#[tokio::test]
async fn role_settings_do_not_affect_results() {
    let project = Project::start().await;
    let cluster = project.cluster();
    let fill = "CREATE TABLE odd (id serial PRIMARY KEY, words text[], at timestamptz, lasts interval, bytes bytea, real8 float8, doc xml);
        INSERT INTO odd (words, at, lasts, bytes, real8, doc) VALUES
            ('{NULL,\"NULL\",a}', '2026-02-01 03:04:05.678+00', '-1 year +2 days -03:04:05', '\\x00ff5c27', 0.1 + 0.2, 'a <b/> c');
        CREATE VIEW of_nulls AS SELECT id FROM odd WHERE id = NULL";
    cluster.execute(INSTANCE, fill);
    let settings = [
        ("idle_session_timeout", "300ms"),
        ("statement_timeout", "1ms"),
        ("lock_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "1ms"),
        ("transaction_timeout", "1ms"),
        ("array_nulls", "off"),
        ("datestyle", "SQL, DMY"),
        ("intervalstyle", "sql_standard"),
        ("extra_float_digits", "-10"),
        ("bytea_output", "escape"),
        ("xmloption", "document"),
        ("standard_conforming_strings", "off"),
        ("transform_null_equals", "on"),
        ("quote_all_identifiers", "on"),
        ("client_min_messages", "debug3"),
        ("search_path", "nowhere"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_read_only", "on"),
    ];
    for (name, value) in settings {
        let known = format!("SELECT count(*) FROM pg_settings WHERE name = lower('{name}')");
        if cluster.psql_as(SUPERUSER, SUPERUSER, &known).trim() == "1" {
            cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET {name} = '{value}'"));
        }
    }
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    program.run(["drill"]).await.success();
    let same = "SELECT string_agg(o::text, ';' ORDER BY id) FROM public.odd o";
    let both = [INSTANCE, TARGET].map(|name| cluster.psql_as(SUPERUSER, name, same));
    assert_eq!(both[0], both[1]);
    let nulls = "SELECT words[1] IS NULL AND words[2] = 'NULL' FROM public.odd";
    assert_eq!(cluster.psql_as(SUPERUSER, TARGET, nulls).trim(), "t");
    let view = "SELECT pg_get_viewdef('public.of_nulls')";
    assert!(cluster.psql_as(SUPERUSER, TARGET, view).contains("= NULL"));
}

#[tokio::test]
async fn role_without_triggers_restores_nothing() {
    let project = Project::start().await;
    let cluster = project.cluster();
    cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET session_replication_role = replica"));
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let refused = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(refused.stderr.contains("session_replication_role is set to replica"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: remove the setting from the role"), "{}", refused.stderr);
    assert!(!cluster.has_database(TARGET));
}

/// pgbouncer in front of the project's server.
struct Pooler {
    child: Child,
    port: u16,
}

impl Pooler {
    /// Starts it. `None` if it is not installed.
    fn start(project: &Project, more: &str) -> Option<Self> {
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program else {
            eprintln!("skipped: pgbouncer is not installed");
            return None;
        };
        let (cluster, folder) = (project.cluster(), project.path("pgbouncer"));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        fs::set_permissions(folder.parent().unwrap(), PermissionsExt::from_mode(0o755)).unwrap();
        // Another process may take the free port before pgbouncer listens on it.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let (host, server) = (cluster.host(), cluster.port());
            // With `auth_type = any`, all sessions have this role.
            let settings = format!(
                "[databases]\n* = host={host} port={server} user={USER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = any\nlogfile = {}/log\n{more}\n",
                folder.display()
            );
            let config = folder.join("pgbouncer.ini");
            fs::write(&config, settings).unwrap();
            let mut command = Command::new(program);
            if rustix::process::geteuid().is_root() {
                command.args(["-u", "nobody"]);
            }
            let mut child = command.arg(&config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            for _ in 0..500 {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { child, port });
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("pgbouncer did not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
    }

    /// Returns the answer to a client of the pooler.
    fn sql(&self, project: &Project, sql: &str) -> String {
        let mut psql = project.cluster().command("psql", USER);
        psql.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", INSTANCE, "--command", sql]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects the instance to this port.
fn connect_by(project: &Project, port: u16, more: &str) {
    let config = fs::read_to_string(project.config()).unwrap();
    let instance = format!("database = \"{INSTANCE}\"\n");
    let changed = config.replacen(&instance, &format!("{instance}port = {port}\n{more}"), 1);
    fs::write(project.config(), changed).unwrap();
}

async fn pooler_is_refused(more: &str) {
    let project = Project::start().await;
    let Some(pooler) = Pooler::start(&project, more) else { return };
    let settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
        WHERE name IN ('search_path', 'statement_timeout', 'lock_timeout', 'row_security', 'datestyle')";
    let before = pooler.sql(&project, settings);
    connect_by(&project, pooler.port, "");
    let program = initialised(&project).await;
    let refused = program.run(["now"]).await.expect_code(1);
    assert!(refused.stderr.contains("a connection pooler answers in its place"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: set `port`"), "{}", refused.stderr);
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert!(doctor.stdout.contains("a connection pooler answers in its place"), "{}", doctor.stdout);
    assert_eq!(pooler.sql(&project, settings), before);
    assert_eq!(pooler.sql(&project, "SELECT count(*) FROM pg_prepared_statements"), "0");
    assert_eq!(pooler.sql(&project, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}

#[tokio::test]
async fn pgbouncer_in_transaction_mode_is_refused() {
    pooler_is_refused("pool_mode = transaction").await;
}

#[tokio::test]
async fn pgbouncer_that_ignores_options_is_refused() {
    pooler_is_refused("pool_mode = transaction\nignore_startup_parameters = extra_float_digits,options").await;
}

#[tokio::test]
async fn pgbouncer_in_session_mode_is_refused() {
    pooler_is_refused("pool_mode = session\nignore_startup_parameters = extra_float_digits,options").await;
}

#[tokio::test]
async fn pgbouncer_in_statement_mode_is_refused() {
    pooler_is_refused("pool_mode = statement\nignore_startup_parameters = extra_float_digits,options").await;
}

/// Tests a pooler that respects the options. The process shows that the session belongs to another
/// client.
#[tokio::test]
async fn pgbouncer_with_same_settings_is_refused() {
    let project = Project::start().await;
    let cluster = project.cluster();
    cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET search_path = pg_catalog,pg_temp"));
    let shown = cluster.psql_as(USER, INSTANCE, "SHOW search_path");
    cluster.psql_as(
        SUPERUSER,
        SUPERUSER,
        "UPDATE pg_db_role_setting SET setconfig = array_replace(setconfig, 'search_path=pg_catalog, pg_temp', 'search_path=pg_catalog,pg_temp')",
    );
    let Some(pooler) =
        Pooler::start(&project, "pool_mode = transaction\nignore_startup_parameters = extra_float_digits,options")
    else {
        return;
    };
    assert_eq!(pooler.sql(&project, "SHOW search_path"), "pg_catalog,pg_temp", "{shown}");
    connect_by(&project, pooler.port, "");
    let program = initialised(&project).await;
    let refused = program.run(["now"]).await.expect_code(1);
    assert!(refused.stderr.contains("the session runs in another server process"), "{}", refused.stderr);
}

#[tokio::test]
async fn silent_server_ends_backup() {
    let project = Project::start().await;
    let cluster = project.cluster();
    let proxy = Proxy::start(cluster.port()).await;
    connect_by(&project, proxy.port, "stall_timeout = \"3s\"\n");
    let program = initialised(&project).await;
    // pg_dump waits for it when the proxy begins to drop packets.
    let holder = cluster.connect(INSTANCE).await;
    holder.batch_execute("BEGIN; LOCK TABLE res_users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let running = program.spawn(["now"]);
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while cluster.psql_as(SUPERUSER, SUPERUSER, waits).trim() == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.stop_forwarding();
    let ended = tokio::time::timeout(Duration::from_secs(120), running.wait()).await.expect("an end").expect_code(1);
    assert!(ended.stderr.contains("no progress for 3 s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("stall_timeout"), "{}", ended.stderr);
    holder.batch_execute("ROLLBACK").await.unwrap();
    // The lock of the repository is released.
    connect_by(&project, cluster.port(), "");
    let config = fs::read_to_string(project.config()).unwrap();
    let silent = format!("port = {}\nstall_timeout = \"3s\"\n", proxy.port);
    fs::write(project.config(), config.replacen(&silent, "", 1)).unwrap();
    program.run(["now"]).await.success();
}

/// Returns a project whose target is behind a proxy, and whose copies are neutralized by a
/// statement that takes `seconds`.
async fn restoring_slowly(seconds: u32) -> (Project, Proxy, OdooBackup) {
    let project = Project::start().await;
    let proxy = Proxy::start(project.cluster().port()).await;
    connect_by(&project, project.cluster().port(), "stall_timeout = \"6s\"\n");
    let sql = project.path("slow.sql");
    fs::write(&sql, format!("SELECT pg_catalog.pg_sleep({seconds});\n")).unwrap();
    fs::set_permissions(&sql, PermissionsExt::from_mode(0o600)).unwrap();
    project.write_target_keys(&format!("sql = [\"{}\"]", sql.display()));
    let config = fs::read_to_string(project.config()).unwrap();
    let target = format!("[target.{TARGET}]\n");
    assert!(config.contains(&target), "{config}");
    let through = config.replacen(&target, &format!("{target}port = {}\n", proxy.port), 1);
    fs::write(project.config(), through).unwrap();
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    (project, proxy, program)
}

#[tokio::test]
async fn silent_server_ends_restore() {
    let (project, proxy, program) = restoring_slowly(600).await;
    let mut running = program.spawn(["restore", "--to", TARGET]);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while project.cluster().psql_as(SUPERUSER, SUPERUSER, waits).trim() == "0" {
        assert!(!running.has_ended(), "the restore has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.stop_forwarding();
    let ended = tokio::time::timeout(Duration::from_secs(180), running.wait()).await.expect("an end").expect_code(1);
    assert!(ended.stderr.contains("no progress for 6 s"), "{}", ended.stderr);
    assert!(ended.stderr.contains("stall_timeout"), "{}", ended.stderr);
}

#[tokio::test]
async fn busy_server_ends_no_restore() {
    let (_project, _proxy, program) = restoring_slowly(15).await;
    program.run(["restore", "--to", TARGET]).await.success();
}

#[tokio::test]
async fn silent_server_ends_import() {
    let project = Project::start().await;
    let cluster = project.cluster();
    connect_by(&project, cluster.port(), "stall_timeout = \"3s\"\n");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let zip = project.path("production.zip");
    let zip = zip.to_str().unwrap();
    program.run(["export", "latest", "--output", zip]).await.success();
    let proxy = Proxy::start(cluster.port()).await;
    let config = fs::read_to_string(project.config()).unwrap();
    let target = format!("[target.{TARGET}]\n");
    let through = config.replacen(&target, &format!("{target}port = {}\n", proxy.port), 1);
    fs::write(project.config(), through).unwrap();
    // CREATE DATABASE waits for it when the proxy begins to drop packets.
    let mut holder = cluster.command("psql", SUPERUSER);
    let hold = "BEGIN; COMMENT ON DATABASE template0 IS 'held'; SELECT pg_sleep(600)";
    let mut holder = holder.args(["--dbname", "postgres", "--command", hold]).spawn().unwrap();
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}");
        cluster.psql_as(SUPERUSER, SUPERUSER, &sql).trim().to_owned()
    };
    while count("wait_event = 'PgSleep'") == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut running = program.spawn(["import", zip, "--as", INSTANCE]);
    while count("query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'") == "0" {
        assert!(!running.has_ended(), "the import has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.stop_forwarding();
    let ended = tokio::time::timeout(Duration::from_secs(120), running.wait()).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    let ended = ended.expect("an end").expect_code(1);
    assert!(ended.stderr.contains("no progress for 3 s"), "{}", ended.stderr);
}

#[tokio::test]
async fn doctor_finds_silent_server() {
    let project = Project::start().await;
    let proxy = Proxy::start(project.cluster().port()).await;
    connect_by(&project, proxy.port, "stall_timeout = \"3s\"\n");
    let program = initialised(&project).await;
    // A table that doctor reads is locked, so that doctor waits there when the proxy begins to drop
    // packets.
    let holder = project.cluster().connect(INSTANCE).await;
    holder.batch_execute("BEGIN; LOCK TABLE ir_module_module IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let running = program.spawn(["doctor"]);
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted";
    while project.cluster().psql_as(SUPERUSER, SUPERUSER, waits).trim() == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.stop_forwarding();
    let ended = tokio::time::timeout(Duration::from_secs(240), running.wait()).await.expect("an end").expect_code(1);
    assert!(ended.stdout.contains("no answer within 3 s"), "{}", ended.stdout);
}

#[tokio::test]
async fn odoo_tables_outside_public_are_recognized() {
    let project = Project::start().await;
    let cluster = project.cluster();
    cluster.execute(INSTANCE, "ALTER SCHEMA public RENAME TO \"Odoo 17\"; CREATE SCHEMA public");
    cluster.psql_as(SUPERUSER, SUPERUSER, &format!("ALTER ROLE {USER} SET search_path = \"Odoo 17\""));
    let program = initialised(&project).await;
    let made = program.run(["now", "--json"]).await.success().json();
    assert_eq!(made["backups"][0]["odoo_series"], "17.0", "{made}");
    assert_eq!(made["backups"][0]["filestore"]["collector_held"], true, "{made}");
    program.run(["restore", "--to", TARGET]).await.success();
    let shown = program.run(["show", "latest", "--json"]).await.success().json();
    assert_eq!(shown["attachments"]["rows"], 120, "{shown}");
}
