//! Sources of the SQL of Odoo's modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// The essence of Odoo's own `base/data/neutralize.sql`.
const BASE: &str = "UPDATE ir_mail_server SET active = false;
INSERT INTO ir_mail_server (name, smtp_port, smtp_host, smtp_encryption, active, smtp_authentication)
VALUES ('neutralization - disable emails', 1025, 'invalid', 'none', true, 'login');
UPDATE ir_cron SET active = false WHERE id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND name = 'autovacuum_job');
INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', true) ON CONFLICT (key) DO UPDATE SET value = true;";

fn module(folder: &Path, name: &str, sql: &str) {
    fs::create_dir_all(folder.join(name).join("data")).unwrap();
    fs::write(folder.join(name).join("__manifest__.py"), "{}").unwrap();
    fs::write(folder.join(name).join("data/neutralize.sql"), sql).unwrap();
}

#[tokio::test]
async fn module_sql_runs_first() {
    let fixture = SmallDatabase::of_series("17.0");
    let addons = tempfile::tempdir().unwrap();
    module(addons.path(), "base", BASE);
    module(addons.path(), "payment", "UPDATE payment_provider SET state = 'disabled', code = 'seen'");
    module(addons.path(), "sale", "SELECT 1 / 0 -- is not installed");
    let settings = Neutralize { addons_path: vec![addons.path().into()], ..Neutralize::default() };
    let report = fixture.neutralized(&settings).await;
    assert_eq!(report.means, Means::Modules);
    assert_eq!(report.modules, ["base", "payment"]);
    assert_eq!(report.modules_not_found, ["delivery", "mail"]);
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(report.warnings[0].ends_with(": delivery, mail"));
    assert_eq!(fixture.sql("SELECT code FROM payment_provider"), "seen");
    // Odoo's file left the host; the program added no second dummy.
    assert_eq!(fixture.sql("SELECT smtp_host FROM ir_mail_server ORDER BY id"), "invalid\ninvalid\ninvalid");
    assert_eq!(fixture.sql("SELECT ups_passwd FROM delivery_carrier WHERE id = 2"), "");
}

#[tokio::test]
async fn failing_module_sql_fails_neutralization() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql("CREATE TABLE x_gateway (id integer, live boolean)");
    let addons = tempfile::tempdir().unwrap();
    module(
        addons.path(),
        "payment",
        "UPDATE payment_provider SET code = 'seen';\nUPDATE x_gateway SET a_column_of_20_0 = NULL",
    );
    let settings = Neutralize { addons_path: vec![addons.path().into()], ..Neutralize::default() };
    let before = fixture.content();
    let error = fixture.neutralize(&settings).await.unwrap_err();
    let message = explain(&error);
    assert!(
        message.to_string().contains("payment/data/neutralize.sql: ")
            && message.to_string().contains("a_column_of_20_0"),
        "{message}"
    );
    assert!(error.hint().unwrap().contains("of the copy's series"));
    assert_eq!(fixture.content(), before);
    module(addons.path(), "payment", "");
    let report = fixture.neutralized(&settings).await;
    assert!(report.warnings[0].starts_with("no base/data/neutralize.sql was found"), "{:?}", report.warnings);
}

#[tokio::test]
async fn half_removed_module_is_skipped() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql("ALTER TABLE ir_mail_server DROP COLUMN smtp_port");
    let addons = tempfile::tempdir().unwrap();
    module(addons.path(), "base", BASE);
    let payment = "UPDATE payment_provider SET state = 'disabled', gone_key = NULL; -- and a table; that is gone\n\
                   DELETE FROM payment_of_a_removed_module;\nUPDATE payment_provider SET code = 'a;b'";
    module(addons.path(), "payment", payment);
    let settings = Neutralize { addons_path: vec![addons.path().into()], ..Neutralize::default() };
    let report = fixture.neutralized(&settings).await;
    let passed_over: Vec<_> =
        report.warnings.iter().filter(|warning| warning.contains("skipped a statement of ")).collect();
    assert_eq!(passed_over.len(), 3, "{:?}", report.warnings);
    assert!(
        passed_over[0].contains("base/data/neutralize.sql") && passed_over[0].contains("smtp_port"),
        "{passed_over:?}"
    );
    assert_eq!(fixture.sql("SELECT code, state FROM payment_provider"), "a;b|disabled");
    assert_eq!(fixture.sql("SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host = 'invalid'"), "1");
    module(addons.path(), "payment", "UPDATE payment_provider SET code = 'x'; COMMIT; BEGIN");
    let error = fixture.neutralize(&settings).await.unwrap_err();
    assert!(matches!(error, NeutralizeError::OwnTransaction { .. }), "{error}");
}

/// Writes a shell script in the place of Odoo's program, which stores its input next to itself.
fn program(folder: &Path, prints: &str) -> PathBuf {
    let path = folder.join("odoo-bin");
    let script = format!(
        "#!/bin/sh\nhere=$(dirname \"$0\")\necho \"$@\" > $here/arguments\nenv > $here/environment\ncat \"$3\" > $here/conf\nstat -c %a \"$3\" > $here/mode\n{prints}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[tokio::test]
async fn odoo_bin_never_sees_password_argument() {
    let fixture = SmallDatabase::of_series("17.0");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sql"), format!("BEGIN;\n{BASE}\nCOMMIT;\n")).unwrap();
    let odoo_bin = program(folder.path(), "cat $here/sql; echo 'a log line' >&2");
    let addons_path = vec![PathBuf::from("/opt/odoo/addons"), PathBuf::from("/opt/own")];
    let settings = Neutralize { odoo_bin: Some(odoo_bin), addons_path, ..Neutralize::default() };
    let endpoint = Endpoint { password: Some(Secret::new("s3cret")), ..fixture.endpoint() };
    let report = neutralize(&endpoint, &settings, None).await.unwrap().unwrap();
    assert_eq!(report.means, Means::OdooBin);
    let left = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(left("arguments").starts_with("neutralize -c ") && left("arguments").ends_with(" -d copy --stdout\n"));
    assert!(!left("arguments").contains("s3cret") && !left("conf").contains("s3cret"));
    assert!(left("environment").contains("PGPASSWORD=s3cret\n"));
    assert!(left("conf").contains("addons_path = /opt/odoo/addons,/opt/own\n"), "{}", left("conf"));
    assert_eq!(left("mode"), "600\n");
}

#[tokio::test]
async fn odoo_bin_failure_is_reported() {
    let fixture = SmallDatabase::of_series("17.0");
    let before = fixture.content();
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("echo 'No module named passlib' >&2; exit 1", "failed (exit status: 1): No module named passlib"),
        (
            "echo 'BEGIN;'; echo 'UPDATE ir_cron SET active = false;'",
            "printed something other than its neutralization: it wrote no error",
        ),
        ("exit 0", "printed something other than its neutralization"),
        ("kill -9 $$", "failed (signal: 9 (SIGKILL))"),
    ];
    for (prints, expected) in cases {
        let settings = Neutralize { odoo_bin: Some(program(folder.path(), prints)), ..Neutralize::default() };
        let error = fixture.neutralize(&settings).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{prints}: {error}");
    }
    let settings = Neutralize { odoo_bin: Some(folder.path().join("nothing")), ..Neutralize::default() };
    let error = fixture.neutralize(&settings).await.unwrap_err();
    assert!(error.to_string().starts_with("unable to run ") && error.hint().unwrap().contains("`odoo_bin`"), "{error}");
    assert_eq!(fixture.content(), before);
}

#[tokio::test]
async fn odoo_bin_is_killed_with_children() {
    let fixture = SmallDatabase::of_series("17.0");
    let folder = tempfile::tempdir().unwrap();
    // A shell that waits for a child, as a wrapper around Odoo does.
    let odoo_bin =
        program(folder.path(), "sleep 600 & echo $! > $here/unfinished; mv $here/unfinished $here/child; wait");
    let settings = Neutralize { odoo_bin: Some(odoo_bin), ..Neutralize::default() };
    let child = folder.path().join("child");
    tokio::select! {
        done = fixture.neutralize(&settings) => panic!("{done:?}"),
        () = async { while !child.exists() { tokio::time::sleep(Duration::from_millis(20)).await } } => {}
    }
    let pid = fs::read_to_string(child).unwrap().trim().to_owned();
    let lives = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    for _ in 0..500 {
        if !lives() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the child {pid} lives on");
}
