//! Tests neutralized copies of unusual databases.

use std::fs;

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::postgres::USER;
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET};

/// Returns the program, with a new repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

/// Returns a project whose target is neutralized by default, after `sql` has changed the instance.
async fn project(sql: &str) -> Project {
    let project = Project::start().await;
    project.write_target_keys("");
    project.cluster().execute(INSTANCE, sql);
    project
}

#[tokio::test]
async fn mail_environment_leaves_no_active_server() {
    let project = project("ALTER TABLE ir_mail_server DROP COLUMN smtp_host, DROP COLUMN smtp_port, DROP COLUMN smtp_user, DROP COLUMN smtp_pass").await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", TARGET, "--json"]).await.success();
    assert_eq!(project.cluster().execute(TARGET, "SELECT count(*) FROM ir_mail_server WHERE active").trim(), "0");
    let assertions = run.json()["neutralized"]["assertions"].as_array().unwrap().clone();
    let asserted = assertions.iter().find(|one| one["asserted"] == "no active mail server except the dummy").unwrap();
    assert_eq!(asserted["applies"], true);
    let text = program.run(["restore", "--to", TARGET]).await.success();
    assert!(text.stdout.contains(" assertions passed") && text.stdout.contains(" not applicable"), "{}", text.stdout);
}

#[tokio::test]
async fn deferred_trigger_that_reactivates_fails() {
    let project = project(
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ir_cron SET active = true WHERE NOT active; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON ir_cron DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.active) EXECUTE FUNCTION back()",
    )
    .await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(run.stderr.contains("no active scheduled action except autovacuum: scheduled action"), "{}", run.stderr);
    assert!(!project.cluster().has_database(TARGET));
}

#[tokio::test]
async fn foreign_database_is_recognized() {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    fs::create_dir_all(project.filestore()).unwrap();
    project.cluster().execute(INSTANCE, "CREATE TABLE invoice (id int)");
    project.write_target_keys("");
    let program = initialised(&project).await;
    program.run(["now"]).await;
    let run = program.run(["restore", "--to", TARGET]).await;
    assert!(run.stderr.contains("the database is not Odoo's: it was restored as it is"), "{}", run.stderr);
    let config = fs::read_to_string(project.config()).unwrap();
    let section = format!("database = \"{TARGET}\"\n");
    fs::write(project.config(), config.replace(&section, &format!("{section}neutralize = true\n"))).unwrap();
    let run = program.run(["restore", "--to", TARGET, "--force-production", TARGET]).await;
    assert_ne!(run.code, Some(1), "{}", run.stderr);
    project.cluster().psql_as("postgres", "postgres", &format!("DROP DATABASE {TARGET}"));
    let run = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(
        run.stderr.contains("the copy is not neutralized: its database has none of Odoo's tables"),
        "{}",
        run.stderr
    );
    assert!(!project.cluster().has_database(TARGET));
}

#[tokio::test]
async fn superusers_session_is_detected_and_awaited() {
    let project = project("SELECT 1").await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["restore", "--to", TARGET]).await.success();
    let monitor = project.cluster().connect_as("postgres", TARGET).await;
    for arguments in [&["restore", "--to", TARGET][..], &["restore", "--to", TARGET, "--dry-run"]] {
        let run = program.run(arguments).await.expect_code(1);
        let printed = run.stdout.clone() + &run.stderr;
        assert!(
            printed.contains("sessions that the role") && printed.contains("postgres (superuser, pid"),
            "{printed}"
        );
        assert!(printed.contains("--wait SECONDS"), "{printed}");
        assert!(!run.stderr.contains("database: "), "nothing was loaded: {}", run.stderr);
    }
    let mut waiting = program.spawn(["restore", "--to", TARGET, "--wait", "600", "-v"]);
    // Until it has done all of its work and waits.
    let hidden = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{TARGET}\\_restoring\\_%'");
    while project.cluster().psql_as("postgres", "postgres", &hidden).trim() != "1" && !waiting.has_ended() {
        tokio::task::yield_now().await;
    }
    drop(monitor);
    waiting.wait().await.success();
}

#[tokio::test]
async fn unusable_odoo_bin_is_refused_first() {
    let project = project("SELECT 1").await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let odoo_bin = project.path("odoo-bin");
    fs::write(&odoo_bin, "#!/bin/sh\necho \"No module named 'odoo'\" >&2\nexit 1\n").unwrap();
    let section = format!("database = \"{TARGET}\"\n");
    let config = fs::read_to_string(project.config()).unwrap();
    fs::write(project.config(), config.replace(&section, &format!("{section}odoo_bin = {odoo_bin:?}\n"))).unwrap();
    let run = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(1);
    assert_eq!(run.json()["error"]["obstacles"][0]["check"], "neutralization", "{}", run.stdout);
    assert!(!run.stderr.contains("database: "), "{}", run.stderr);
}

#[tokio::test]
async fn hints_lead_to_what_helps() {
    let project = project("SELECT 1").await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let first = program.run(["restore", "--to", TARGET]).await.success();
    assert!(!first.stderr.contains("the record of earlier restores"), "{}", first.stderr);
    let again = program.run(["restore", "--to", TARGET]).await.success();
    let undo = format!("odoo-backup --config {} restore --undo --to {TARGET}", project.config().display());
    assert!(again.stdout.contains(&undo), "{}", again.stdout);
    let superuser = |sql: &str| project.cluster().psql_as("postgres", "postgres", sql);
    superuser(&format!("ALTER DATABASE {TARGET} OWNER TO postgres; REVOKE CONNECT ON DATABASE {TARGET} FROM PUBLIC"));
    let run = program.run(["restore", "--to", TARGET]).await.expect_code(1);
    assert!(run.stderr.contains(&format!("ALTER DATABASE \"{TARGET}\" OWNER TO \"{USER}\"")), "{}", run.stderr);
    assert!(!run.stderr.contains("--force-production") && !run.stderr.contains("to \"postgres\""), "{}", run.stderr);
}

#[tokio::test]
async fn damage_during_restore_has_hint() {
    let project = project("SELECT 1").await;
    let program = initialised(&project).await;
    let made = program.run(["now", "--json"]).await.success();
    let id = made.json()["backup"]["id"].as_str().or(made.json()["id"].as_str()).unwrap_or_default().to_owned();
    let mut volumes = Vec::new();
    let mut folders = vec![project.repository()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => folders.push(entry),
                false => volumes.extend(entry.to_string_lossy().contains(".tar").then_some(entry)),
            }
        }
    }
    let volume = volumes.into_iter().filter(|path| fs::metadata(path).unwrap().len() > 4096).max().expect(&id);
    let mut content = fs::read(&volume).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&volume, content).unwrap();
    let run = program.run(["restore", "--to", TARGET]).await;
    assert_ne!(run.code, Some(0));
    assert!(run.stderr.contains("hint: ") && run.stderr.contains("odoo-backup check --read-data"), "{}", run.stderr);
}
