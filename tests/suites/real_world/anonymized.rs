//! Tests anonymized copies of databases that contain personal data in unusual places.

use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, TARGET};

/// Returns the program, with a new repository.
async fn initialised(project: &Project) -> OdooBackup {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program
}

#[tokio::test]
async fn unknown_personal_columns_replaced_or_listed() {
    let project = Project::start().await;
    project.write_target_keys("[target.staging.anonymize]\nseed = \"a seed that is a secret\"");
    project.cluster().execute(
        INSTANCE,
        "UPDATE res_partner SET name = 'Anna Berger', email = 'anna.berger@customer.example', phone = '+49 170 1234567'
             WHERE id = (SELECT max(id) FROM res_partner);
         CREATE SCHEMA former; CREATE TABLE former.res_partner AS TABLE res_partner;
         CREATE TABLE x_log (line text, more jsonb);
         INSERT INTO x_log SELECT 'ANNA BERGER called from 0170/1234567', '{\"cc\": [\"Anna.Berger@customer.example\"]}' FROM generate_series(1, 500)",
    );
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let document = program.run(["restore", "--to", TARGET, "--json"]).await.success().json();
    let net = &document["anonymized"]["net"];
    assert_eq!(net["left"].as_array().unwrap().len(), 0, "{net}");
    let dump =
        project.cluster().command("pg_dump", harness::postgres::USER).args(["--dbname", TARGET]).output().unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    for original in ["Anna Berger", "ANNA BERGER", "anna.berger@", "Anna.Berger@", "170/1234567"] {
        assert!(!dump.contains(original), "{original}");
    }
    let fake = "SELECT DISTINCT split_part(line, ' called', 1) FROM x_log";
    let name = "SELECT name FROM res_partner WHERE id = (SELECT max(id) FROM res_partner)";
    let ask = |sql: &str| project.cluster().execute(TARGET, sql).trim().to_owned();
    assert_eq!(ask(fake), ask(name));

    project.cluster().execute(INSTANCE, "ALTER TABLE x_log ADD CHECK (line ~ 'ANNA BERGER')");
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", TARGET, "--json"]).await.expect_code(3);
    let document = run.json();
    let left = &document["anonymized"]["net"]["left"];
    assert_eq!((left[0]["column"].as_str(), left[0]["rows"].as_u64()), (Some("x_log.line"), Some(500)), "{left}");
    let warned = "unable to change values that contain people of the original: x_log.line (500 rows)";
    assert!(document["warnings"].to_string().contains(warned), "{}", document["warnings"]);
}
