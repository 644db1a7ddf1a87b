//! Databases that differ from what Odoo creates.

use harness::postgres::{SUPERUSER, USER};

use super::*;

/// Neutralizes a database that refuses it, and stays unchanged. Returns the error.
async fn refusal(fixture: &SmallDatabase) -> String {
    let before = fixture.content();
    let error = fixture.neutralize(&Neutralize::default()).await.expect_err("it is not neutral");
    assert_eq!(fixture.content(), before);
    explain(&error).to_string()
}

#[tokio::test]
async fn mail_servers_without_columns_become_inactive() {
    let cluster = Arc::new(Cluster::start());
    let (all, few) = (
        "smtp_host, DROP COLUMN smtp_port, DROP COLUMN smtp_user, DROP COLUMN smtp_pass, DROP COLUMN smtp_encryption, DROP COLUMN smtp_authentication",
        "smtp_port, DROP COLUMN smtp_encryption",
    );
    for (number, (columns, dummies, warned)) in
        [(all, 0, true), ("smtp_host", 0, true), (few, 1, false)].into_iter().enumerate()
    {
        let fixture = SmallDatabase::on(&cluster, &format!("copy{number}"), &series::small_database("17.0"));
        fixture.sql(&format!("ALTER TABLE ir_mail_server DROP COLUMN {columns}; UPDATE ir_mail_server SET active = NULL WHERE name = 'Archived'"));
        let report = fixture.neutralized(&Neutralize::default()).await;
        let active = fixture.sql("SELECT count(*) FROM ir_mail_server WHERE active IS DISTINCT FROM false");
        assert_eq!(active, dummies.to_string(), "{columns}");
        let warns = report.warnings.iter().any(|warning| warning.starts_with("unable to add a dummy mail server"));
        assert_eq!(warns, warned, "{:?}", report.warnings);
        let assertion =
            report.assertions.iter().find(|one| one.asserted == "no active mail server except the dummy").unwrap();
        assert!(assertion.holds());
    }
}

#[tokio::test]
async fn dummy_with_unknown_required_column_warns() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql("ALTER TABLE ir_mail_server ADD x_owner integer; UPDATE ir_mail_server SET x_owner = 1; ALTER TABLE ir_mail_server ALTER x_owner SET NOT NULL");
    let report = fixture.neutralized(&Neutralize::default()).await;
    assert!(
        report.warnings.iter().any(|warning| warning.contains("ir_mail_server requires x_owner")),
        "{:?}",
        report.warnings
    );
    assert_eq!(fixture.sql("SELECT count(*) FROM ir_mail_server WHERE active"), "0");
}

#[tokio::test]
async fn inapplicable_assertions_are_counted_apart() {
    let fixture = SmallDatabase::of_series("17.0");
    let full = fixture.neutralized(&Neutralize::default()).await.asserted();
    fixture.sql("DROP TABLE fetchmail_server, queue_job, mail_mail, iap_account");
    let less = fixture.neutralized(&Neutralize::default()).await;
    let names: Vec<_> = less.assertions.iter().filter(|one| !one.applies).map(|one| one.asserted.as_str()).collect();
    assert!(
        names.contains(&"no active incoming mail server") && names.contains(&"no waiting mail or job"),
        "{names:?}"
    );
    assert_eq!(less.asserted(), (full.0 - 3, full.1 + 3));
}

#[tokio::test]
async fn unknown_tables_are_refused() {
    let cluster = Arc::new(Cluster::start());
    let cases = [
        ("ALTER TABLE ir_cron DROP COLUMN active", "ir_cron has no column \"active\""),
        ("ALTER TABLE ir_cron RENAME TO ir_cron_old", "there is no table ir_cron"),
        (
            "ALTER TABLE ir_cron RENAME TO ir_cron_old; CREATE VIEW ir_cron AS SELECT * FROM ir_cron_old",
            "ir_cron is a view",
        ),
        (
            "ALTER TABLE delivery_carrier RENAME TO c; CREATE MATERIALIZED VIEW delivery_carrier AS SELECT * FROM c",
            "delivery_carrier is a materialized view",
        ),
        (
            "ALTER TABLE ir_cron DROP COLUMN active; ALTER TABLE ir_cron ADD active boolean GENERATED ALWAYS AS (id > 0) STORED",
            "no active scheduled action except autovacuum: scheduled action 2, scheduled action 3",
        ),
        ("ALTER TABLE ir_cron ALTER active TYPE varchar", "ir_cron"),
    ];
    for (number, (sql, expected)) in cases.into_iter().enumerate() {
        let fixture = SmallDatabase::on(&cluster, &format!("copy{number}"), &series::small_database("17.0"));
        fixture.sql(sql);
        let message = refusal(&fixture).await;
        assert!(message.contains(expected), "{sql}: {message}");
    }
}

#[tokio::test]
async fn reverting_trigger_fails_neutralization() {
    let cluster = Arc::new(Cluster::start());
    let function = "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE ir_cron SET active = true WHERE id = 2; RETURN NULL; END $$;";
    let cases = [
        format!("{function} CREATE CONSTRAINT TRIGGER t AFTER UPDATE ON ir_cron DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.active) EXECUTE FUNCTION back()"),
        format!("{function} CREATE TRIGGER t AFTER INSERT ON ir_config_parameter FOR EACH ROW EXECUTE FUNCTION back()"),
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER t BEFORE UPDATE ON ir_cron FOR EACH ROW EXECUTE FUNCTION keep()".to_owned(),
        "CREATE RULE r AS ON UPDATE TO ir_cron DO INSTEAD NOTHING".to_owned(),
    ];
    for (number, sql) in cases.into_iter().enumerate() {
        let fixture = SmallDatabase::on(&cluster, &format!("copy{number}"), &series::small_database("17.0"));
        fixture.sql(&sql);
        let message = refusal(&fixture).await;
        assert!(
            message.contains("no active scheduled action except autovacuum: scheduled action 2"),
            "{sql}: {message}"
        );
    }
}

#[tokio::test]
async fn change_after_the_commit_is_found() {
    let fixture = SmallDatabase::of_series("17.0");
    let done = fixture.neutralized(&Neutralize::default()).await;
    assert_still_neutral(&fixture.endpoint(), &Neutralize::default(), &done).await.unwrap();
    fixture.sql("UPDATE ir_cron SET active = true WHERE id = 2");
    let error = assert_still_neutral(&fixture.endpoint(), &Neutralize::default(), &done).await.unwrap_err();
    assert!(matches!(&error, NeutralizeError::NotNeutral(failed) if failed.len() == 1), "{error}");
}

#[tokio::test]
async fn hidden_and_inherited_rows_are_neutral() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "ALTER TABLE ir_cron ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         CREATE POLICY no_rows ON ir_cron USING (id < 2);
         CREATE TABLE x_mail_server () INHERITS (ir_mail_server);
         INSERT INTO x_mail_server (id, name, smtp_host, smtp_port, smtp_encryption, smtp_authentication, active, smtp_pass)
         VALUES (70, 'Child', 'relay.internal', 25, 'none', 'login', true, 'child-secret')",
    );
    fixture.neutralized(&Neutralize::default()).await;
    let ask = |sql: &str| fixture.cluster.psql_as(SUPERUSER, &fixture.database, sql).trim().to_owned();
    assert_eq!(ask("SELECT string_agg(id::text, ' ') FROM ir_cron WHERE active"), "1");
    assert_eq!(ask("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'ir_cron'"), "t");
    assert_eq!(ask("SELECT smtp_host, coalesce(smtp_pass, ''), active FROM x_mail_server"), "invalid||f");
}

#[tokio::test]
async fn foreign_mappings_and_jobs_are_removed() {
    let fixture = SmallDatabase::of_series("17.0");
    let superuser = format!(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER warehouse FOREIGN DATA WRAPPER w; ALTER SERVER warehouse OWNER TO {USER};
         CREATE USER MAPPING FOR {USER} SERVER warehouse OPTIONS (password 'fdw-secret'); CREATE USER MAPPING FOR PUBLIC SERVER warehouse"
    );
    fixture.cluster.psql_as(SUPERUSER, &fixture.database, &superuser);
    fixture.sql("CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, command text, active boolean NOT NULL DEFAULT true); INSERT INTO cron.job VALUES (1, 'CALL send()')");
    let own = format!("CREATE USER MAPPING FOR {USER} SERVER warehouse OPTIONS (password 'of the copy')");
    let report = fixture.neutralized(&with_sql(&own)).await;
    assert_eq!(report.user_mappings_removed, [format!("{USER}@warehouse"), "public@warehouse".into()]);
    assert_eq!(fixture.sql("SELECT umoptions FROM pg_user_mappings"), "{\"password=of the copy\"}");
    assert_eq!(fixture.sql("SELECT active FROM cron.job"), "f");
    assert!(
        report.warnings.iter().any(|warning| warning.contains("foreign servers (warehouse)")),
        "{:?}",
        report.warnings
    );
    let live = fixture.neutralize(&with_sql("UPDATE cron.job SET active = true")).await.unwrap_err();
    assert!(
        live.to_string().contains("no active job of an extension (pg_cron, pgAgent, pg_timetable): cron.job (1)"),
        "{live}"
    );
}

#[tokio::test]
async fn undecidable_database_is_refused() {
    let fixture = SmallDatabase::with(
        "CREATE TABLE other (); CREATE SCHEMA app; CREATE TABLE app.ir_cron (active boolean); INSERT INTO app.ir_cron VALUES (true)",
    );
    let message = refusal(&fixture).await;
    assert!(message.starts_with("unable to tell whether the copy is neutralized: there is app.ir_cron"), "{message}");
    let fixture = SmallDatabase::with("CREATE TABLE invoice ()");
    let facts = OdooFacts { series: "17.0".into(), ..OdooFacts::default() };
    let error = neutralize(&fixture.endpoint(), &Neutralize::default(), Some(&facts)).await.unwrap_err();
    assert!(matches!(error, NeutralizeError::CouldNotTell(_)), "{error}");
    assert_eq!(fixture.neutralize(&Neutralize::default()).await.unwrap(), None);
    let required = Neutralize { required: true, ..Neutralize::default() };
    assert!(matches!(fixture.neutralize(&required).await, Err(NeutralizeError::NotOdoo)));
}
