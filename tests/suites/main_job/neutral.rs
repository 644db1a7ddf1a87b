//! Tests that a copy is neutralized before it gets the target's name, or never gets it.

use harness::project::{Project, TARGET};

use crate::main_job::initialised;

#[tokio::test]
async fn neutralized_copy_matches_report() {
    let project = Project::start().await;
    let sql = project.path("staging.sql");
    std::fs::write(&sql, "UPDATE res_company SET name = 'STAGING ' || name").unwrap();
    project.write_target_keys(&format!(
        "base_url = \"https://staging.example.com/\"\nsql = [\"UPDATE res_users SET signature = NULL\", \"{}\"]",
        sql.display()
    ));
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", "staging", "--json"]).await.success();
    let report = &run.json()["neutralized"];
    assert_eq!((report["means"].as_str(), report["scripts"].as_u64()), (Some("own"), Some(2)), "{report}");
    assert_eq!(report["base_url"], "https://staging.example.com");
    assert!(report["assertions"].as_array().unwrap().iter().all(|assertion| assertion["found"] == 0), "{report}");
    let ask = |sql: &str| project.cluster().execute(TARGET, sql).trim().to_owned();
    assert_eq!(ask("SELECT smtp_host FROM ir_mail_server WHERE active"), "invalid");
    assert_eq!(ask("SELECT count(*) FROM ir_cron WHERE active"), "1");
    let uuid = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'";
    assert_eq!(report["database_uuid"], ask(uuid).as_str());
    assert_ne!(ask(uuid), project.cluster().execute("production", uuid).trim());
    assert!(ask("SELECT min(name) FROM res_company").starts_with("STAGING "));
    assert!(!run.stdout.contains("smtp-secret"));
}

#[tokio::test]
async fn copy_still_live_is_dropped() {
    let project = Project::start().await;
    project.write_target_keys("sql = [\"UPDATE ir_cron SET active = true\"]");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", "staging"]).await.expect_code(1);
    assert!(run.stderr.contains("no active scheduled action except autovacuum: scheduled action 2"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: fix it by `sql`"), "{}", run.stderr);
    let left: Vec<_> = project.cluster().databases().into_iter().filter(|name| name.contains(TARGET)).collect();
    assert!(left.is_empty() && !project.target_filestore().exists(), "{left:?}");
}
