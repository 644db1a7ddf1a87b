//! Tests that a copy is anonymized before it gets the target's name, or never gets it.

use harness::odoo17::Odoo17;
use harness::project::{Project, ProjectOptions, Source, TARGET};

use crate::main_job::initialised;

#[tokio::test]
async fn anonymized_copy_matches_report() {
    let project = Project::start().await;
    let more = "admin_password = \"training\"\n[target.staging.anonymize]\nkeep = [\"res_partner.city\"]\n\
                seed = \"a seed that is a secret\"\ncolumns = { \"res_partner.ref\" = \"identifier\" }";
    project.write_target_keys(more);
    let ask = |sql: &str| project.cluster().execute(TARGET, sql).trim().to_owned();
    let production = |sql: &str| project.cluster().execute("production", sql).trim().to_owned();
    project.cluster().execute("production", "UPDATE res_users SET login = 'boss@example.org' WHERE login = 'admin'");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", "staging", "--json"]).await.success();
    let report = &run.json()["anonymized"];
    assert_eq!((report["seeded"].as_bool(), report["kept"][0].as_str()), (Some(true), Some("res_partner.city")));
    let tables = report["tables"].as_array().unwrap();
    let partners = tables.iter().find(|table| table["table"] == "res_partner").unwrap();
    let named = "SELECT count(*) FROM res_partner WHERE name <> ''";
    let names = partners["columns"].as_array().unwrap().iter().find(|column| column["column"] == "name").unwrap();
    assert_eq!((names["kind"].as_str(), names["rows"].to_string()), (Some("name"), production(named)), "{report}");
    assert_eq!(ask("SELECT count(*) FROM res_partner WHERE email <> '' AND email NOT LIKE '%@example.com'"), "0");
    let cities = "SELECT string_agg(city, ' ' ORDER BY id) FROM res_partner";
    assert_eq!(ask(cities), production(cities));
    // The remaining files of the filestore are the ones that the rows name.
    let attachments = &report["attachments"];
    assert!(attachments["files_removed"].as_u64().unwrap() > 0, "{attachments}");
    let named =
        ask("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname <> '' AND store_fname NOT LIKE '%://%'");
    assert!(named.lines().all(|path| project.target_filestore().join(path).is_file()));
    assert_eq!(run.json()["filestore"]["files"], named.lines().count());
    // His former identity is nowhere in the output, and he can sign in.
    assert_eq!(run.json()["neutralized"]["administrator"], "admin");
    assert_eq!(ask("SELECT count(*) FROM res_users WHERE login = 'admin' AND password <> ''"), "1");
    assert!(!run.stdout.contains("boss@") && !run.stdout.contains("a seed") && !run.stderr.contains("a seed"));
    // The next copy is the same.
    let before = ask("SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM res_partner p");
    let run = program.run(["restore", "--to", "staging"]).await.success();
    assert!(run.stdout.contains("\n  anonymized    "), "{}", run.stdout);
    assert_eq!(ask("SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM res_partner p"), before);
}

#[tokio::test]
async fn unfit_configuration_leaves_target_unchanged() {
    let project = Project::start().await;
    project.write_target_keys("anonymize = true");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    program.run(["restore", "--to", "staging"]).await.success();
    let content = "SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), md5(string_agg(p::text, '' ORDER BY id)) FROM res_partner p";
    let before = project.cluster().execute(TARGET, content);
    let config = std::fs::read_to_string(project.config()).unwrap();
    let wrong = "anonymize = { columns = { \"res_partner.x_passport\" = \"identifier\" } }";
    std::fs::write(project.config(), config.replace("anonymize = true", wrong)).unwrap();
    let run = program.run(["restore", "--to", "staging"]).await.expect_code(1);
    assert!(
        run.stderr.contains("`columns` names res_partner.x_passport, and there is no such column"),
        "{}",
        run.stderr
    );
    assert_eq!(project.cluster().execute(TARGET, content), before);
}

#[tokio::test]
async fn real_database_is_anonymized() {
    let Some(odoo17) = Odoo17::find() else { return };
    let project = Project::with(ProjectOptions { source: Source::Odoo17(odoo17), ..ProjectOptions::default() }).await;
    project.write_target_keys("anonymize = true");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let run = program.run(["restore", "--to", "staging", "--json"]).await.success();
    let left = "SELECT count(*) FROM mail_message WHERE email_from NOT LIKE '%@example.com%' OR body NOT IN ('', '<p>Anonymized</p>')";
    assert_eq!(project.cluster().execute(TARGET, left).trim(), "0");
    assert!(run.json()["anonymized"]["tables"].as_array().unwrap().len() > 20);
}
