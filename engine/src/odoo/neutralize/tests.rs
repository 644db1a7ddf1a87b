mod means;
mod oddities;
mod page;

use std::fs;
use std::sync::Arc;

use harness::odoo::{OdooShape, series};
use harness::odoo17::Odoo17;
use harness::postgres::Cluster;

use super::*;
use crate::error::explain;
use crate::odoo::small_database::{DATABASE, SmallDatabase};
use crate::secret::Secret;

impl SmallDatabase {
    async fn neutralize(&self, settings: &Neutralize) -> Result<Option<Neutralized>, NeutralizeError> {
        neutralize(&self.endpoint(), settings, None).await
    }

    async fn neutralized(&self, settings: &Neutralize) -> Neutralized {
        self.neutralize(settings).await.unwrap_or_else(|error| panic!("{}", explain(&error))).expect("Odoo's database")
    }

    /// Returns the content of every table.
    fn content(&self) -> String {
        let query = "SELECT string_agg(format('SELECT %L, md5(string_agg(t::text, E''\\n'' ORDER BY t::text)) FROM %I t', relname, relname), ' UNION ALL ')
             FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let query = self.sql(query);
        self.sql(&format!("SELECT * FROM ({query}) AS tables ORDER BY 1"))
    }
}

fn with_sql(statement: &str) -> Neutralize {
    Neutralize { sql: vec![Script::Text(statement.into())], ..Neutralize::default() }
}

#[tokio::test]
async fn every_series_is_neutral_without_modules() {
    let cluster = Arc::new(Cluster::start());
    for series in series::ALL {
        let fixture = SmallDatabase::on(&cluster, series, &series::small_database(series));
        let report = fixture.neutralized(&Neutralize::default()).await;
        let major: u32 = series[..2].parse().unwrap();
        assert_eq!(report.means, Means::Own);
        assert_eq!(report.warnings.len(), usize::from(major >= 16), "{series}: {:?}", report.warnings);
        assert!(!report.assertions.iter().any(Assertion::fails));
        assert!(report.asserted().0 >= 12, "{series}: {:?}", report.asserted());
        let value = |key: &str| fixture.sql(&format!("SELECT value FROM ir_config_parameter WHERE key = '{key}'"));
        assert_eq!(value("database.uuid"), report.database_uuid);
        assert_ne!(value("database.uuid"), series::UUID, "{series}");
        assert_eq!(value("database.secret").len(), 36);
        assert_ne!(value("database.secret"), "b7a1c6d0-7b7f-11ee-9c2f-0242ac120002");
        assert_eq!(value("database.is_neutralized"), "true");
        assert_eq!(value("web.base.url"), "http://localhost:8069");
        assert_eq!(value("web.base.url.freeze") + &value("report.url") + &value("cloud_storage_provider"), "");
        assert_eq!(value("auth_signup.reset_password"), "True", "settings of passwords are none");
        assert_eq!(value("auth_password_policy.minlength"), "8");
        assert_eq!(value("mail.catchall.domain"), "example.com");
        assert_eq!(report.parameters_removed, ["google_calendar_client_secret", "shop.api_key"]);
        let servers = "SELECT name, smtp_host, coalesce(smtp_user, '') || coalesce(smtp_pass, ''), active FROM ir_mail_server ORDER BY id";
        assert_eq!(
            fixture.sql(servers),
            "Relay|invalid||f\nArchived|invalid||f\nneutralization - disable emails|invalid||t",
            "{series}"
        );
        assert_eq!(fixture.sql("SELECT active, state, \"user\", password FROM fetchmail_server"), "f|draft||");
        assert_eq!(fixture.sql("SELECT string_agg(active::text, ' ' ORDER BY id) FROM ir_cron"), "true false false");
        assert_eq!(fixture.sql("SELECT state FROM mail_mail"), "cancel");
        assert_eq!(fixture.sql("SELECT state FROM queue_job ORDER BY id"), "failed\ndone");
        assert_eq!(fixture.sql("SELECT active, ups_passwd FROM delivery_carrier ORDER BY id"), "t|\nf|");
        let company = "SELECT l10n_xx_edi_test_env, l10n_eg_production_env, l10n_sa_api_mode, l10n_mx_edi_pac_password FROM res_company";
        assert_eq!(fixture.sql(company), "t|f|sandbox|");
        let table = if major >= 16 { "payment_provider" } else { "payment_acquirer" };
        let payment = format!("SELECT stripe_secret_key, stripe_publishable_key, stripe_webhook_secret FROM {table}");
        assert_eq!(fixture.sql(&payment), "||");
        let token = fixture.sql("SELECT account_token FROM iap_account");
        assert!(token.ends_with("+disabled") && !token.contains("5a9d4cf0"), "{token}");
        let users = "SELECT password, oauth_access_token FROM res_users WHERE login = 'admin'";
        assert_eq!(
            fixture.sql(users),
            "$pbkdf2-sha512$25000$c2FsdA$aGFzaA|",
            "{series}: who may sign in stays as it is"
        );
        if major >= 16 {
            assert_eq!(fixture.sql("SELECT active, visibility_password FROM ir_ui_view ORDER BY id"), "t|\nt|hashed");
        }
        // Once more: a copy of a copy.
        let again = fixture.neutralized(&Neutralize::default()).await;
        let changed: Vec<_> = again.applied.iter().map(|applied| applied.table).collect();
        assert_eq!((again.credentials.len(), changed.as_slice()), (0, &["iap_account"][..]), "{series}: {again:?}");
    }
}

#[tokio::test]
async fn full_database_is_neutral() {
    let fixture = SmallDatabase::with("");
    let folder = tempfile::tempdir().unwrap();
    OdooShape::default().fill(&fixture.cluster.connect(DATABASE).await, folder.path()).await.unwrap();
    let settings = Neutralize {
        base_url: Some("https://staging.example.com".into()),
        admin_password: Some(Secret::new("staging")),
        ..Neutralize::default()
    };
    let report = fixture.neutralized(&settings).await;
    assert_eq!(report.administrator.as_deref(), Some("admin"));
    let admin = fixture.sql("SELECT password, totp_secret FROM res_users WHERE login = 'admin'");
    assert!(admin.starts_with("$pbkdf2-sha512$600000$") && admin.ends_with('|'), "{admin}");
    let address = "SELECT string_agg(value, ' ' ORDER BY key) FROM ir_config_parameter WHERE key LIKE 'web.base.url%'";
    assert_eq!(fixture.sql(address), "https://staging.example.com True");
    let blanked: Vec<_> = report.credentials.iter().map(|blanked| (blanked.table.as_str(), blanked.rows)).collect();
    assert_eq!(blanked, [("fetchmail_server", 1), ("ir_mail_server", 2)]);
    let asserted: Vec<_> = report.assertions.iter().map(|assertion| assertion.asserted.as_str()).collect();
    for wanted in ["no active mail server except the dummy", "no webhook", "no credential or token left"] {
        assert!(asserted.contains(&wanted), "{asserted:?}");
    }
}

#[tokio::test]
async fn real_database_is_neutral() {
    let Some(odoo17) = Odoo17::find() else { return };
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    odoo17.restore_into(&cluster, DATABASE, folder.path());
    let fixture = SmallDatabase { cluster: Arc::new(cluster), database: DATABASE.into() };
    let former = fixture.sql("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'");
    let live = fixture.sql("SELECT count(*) FROM ir_cron WHERE active");
    assert_ne!(live, "1");
    let report = fixture.neutralized(&Neutralize::default()).await;
    assert_ne!(report.database_uuid, former);
    assert_eq!(fixture.sql("SELECT cron_name FROM ir_cron WHERE active"), "Base: Auto-vacuum internal data");
    assert_eq!(fixture.sql("SELECT active FROM ir_ui_view WHERE key = 'web.neutralize_banner'"), "t");
    assert_eq!(fixture.sql("SELECT smtp_host FROM ir_mail_server WHERE active"), "invalid");
}

/// Violates each assertion by SQL of the operator.
#[tokio::test]
async fn live_rest_fails_and_changes_nothing() {
    let provoked = [
        (
            "12.0",
            "UPDATE ir_mail_server SET active = true, smtp_host = 'relay.internal' WHERE id = 2",
            "no active mail server except the dummy: Archived (relay.internal)",
        ),
        ("13.0", "UPDATE fetchmail_server SET active = true", "no active incoming mail server: Info"),
        (
            "17.0",
            "UPDATE mail_template SET mail_server_id = 2",
            "no template with a mail server of its own: template 1",
        ),
        ("17.0", "UPDATE mail_mail SET state = 'outgoing'", "no waiting mail or job: mail 1"),
        ("17.0", "UPDATE queue_job SET state = 'pending'", "no waiting mail or job: job 1, job 2"),
        (
            "14.0",
            "UPDATE ir_cron SET active = true WHERE id = 3",
            "no active scheduled action except autovacuum: scheduled action 3",
        ),
        ("12.0", "UPDATE payment_acquirer SET environment = 'prod'", "no enabled payment provider: stripe 1"),
        ("15.0", "UPDATE payment_acquirer SET state = 'enabled'", "no enabled payment provider: stripe 1"),
        ("19.0", "UPDATE payment_provider SET state = 'enabled'", "no enabled payment provider: stripe 1"),
        (
            "17.0",
            "UPDATE ir_act_server SET webhook_url = 'https://hooks.example.com' WHERE id = 2",
            "no webhook: server action 2",
        ),
        ("16.0", "UPDATE delivery_carrier SET active = true", "no carrier in production: ups 2"),
        ("16.0", "UPDATE delivery_carrier SET prod_environment = true", "no carrier in production: fixed 1, ups 2"),
        ("18.0", "INSERT INTO mail_push_device (endpoint) VALUES ('x')", "no browser registered for push: device 2"),
        ("17.0", "UPDATE iap_account SET account_token = 'live'", "no usable token of Odoo's paid services: account 1"),
        (
            "17.0",
            "UPDATE res_company SET l10n_sa_api_mode = 'prod'",
            "no switch of e-invoicing that means production: res_company.l10n_sa_api_mode (1 rows)",
        ),
        (
            "17.0",
            "UPDATE ir_mail_server SET smtp_pass = 'x'",
            "no credential or token left: ir_mail_server.smtp_pass (3 rows)",
        ),
        (
            "17.0",
            "INSERT INTO ir_config_parameter (key, value) VALUES ('shop.api_key', 'live_0123')",
            "no credential or token left: parameter:shop.api_key",
        ),
        (
            "17.0",
            "CREATE TABLE shop (id int, refresh_token text); INSERT INTO shop VALUES (1, 'r')",
            "no credential or token left: shop.refresh_token (1 row)",
        ),
        (
            "17.0",
            "UPDATE ir_config_parameter SET value = '0d6f0e4c-7b7f-11ee-9c2f-0242ac120002' WHERE key = 'database.uuid'",
            "another `database.uuid` than the original's: 0d6f0e4c-",
        ),
        (
            "17.0",
            "DELETE FROM ir_config_parameter WHERE key = 'database.uuid'",
            "another `database.uuid` than the original's: it is missing",
        ),
        (
            "17.0",
            "UPDATE ir_config_parameter SET value = 'False' WHERE key = 'database.is_neutralized'",
            "`database.is_neutralized` says so: False",
        ),
        (
            "17.0",
            "UPDATE ir_config_parameter SET value = 'https://erp.example.com' WHERE key = 'web.base.url'",
            "the copy's own `web.base.url`: https://erp.example.com",
        ),
    ];
    let cluster = Arc::new(Cluster::start());
    for (number, (series, sql, expected)) in provoked.into_iter().enumerate() {
        let fixture = SmallDatabase::on(&cluster, &format!("copy {number}"), &series::small_database(series));
        let before = fixture.content();
        let error = fixture.neutralize(&with_sql(sql)).await.expect_err(sql);
        assert!(error.to_string().contains(expected), "{sql}: {error}");
        assert!(error.hint().unwrap().contains("`sql`"));
        assert_eq!(fixture.content(), before, "{sql}");
    }
}

#[tokio::test]
async fn bad_sql_fails_and_changes_nothing() {
    let fixture = SmallDatabase::of_series("17.0");
    let before = fixture.content();
    let error = fixture.neutralize(&with_sql("UPDATE no_such_table SET x = 1")).await.unwrap_err();
    let message = explain(&error).to_string();
    assert!(
        message.starts_with("unable to run statement 1 of `sql`: ") && message.contains("no_such_table"),
        "{message}"
    );
    assert_eq!(fixture.content(), before);
    let file = Neutralize { sql: vec![Script::File("/nowhere/staging.sql".into())], ..Neutralize::default() };
    let error = fixture.neutralize(&file).await.unwrap_err();
    assert_eq!(error.to_string(), "unable to read /nowhere/staging.sql");
    assert_eq!(fixture.content(), before);
    for ended in ["ROLLBACK", "SELECT 1; COMMIT; BEGIN"] {
        let error = fixture.neutralize(&with_sql(ended)).await.unwrap_err();
        assert!(matches!(error, NeutralizeError::OwnTransaction { .. }), "{ended}: {error}");
    }
}

#[tokio::test]
async fn operator_sql_runs_last() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql("CREATE TABLE asset (id int, serial_secret text NOT NULL UNIQUE, api_key text NOT NULL); INSERT INTO asset VALUES (1, 'A', 'a'), (2, 'B', 'b')");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("staging.sql");
    fs::write(&file, "UPDATE res_company SET name = 'Staging; of ''Müller'''; -- the end").unwrap();
    let settings = Neutralize {
        sql: vec![Script::Text("UPDATE ir_mail_server SET name = 'Off' WHERE NOT active".into()), Script::File(file)],
        keep_credentials: vec!["asset.serial_secret".into(), "parameter:shop.api_key".into()],
        ..Neutralize::default()
    };
    let report = fixture.neutralized(&settings).await;
    assert_eq!(report.scripts, 2);
    assert_eq!(fixture.sql("SELECT name FROM res_company"), "Staging; of 'Müller'");
    assert_eq!(fixture.sql("SELECT serial_secret, api_key FROM asset ORDER BY 1"), "A|\nB|");
    assert_eq!(report.parameters_removed, ["google_calendar_client_secret"]);
    let misspelt = Neutralize { keep_credentials: vec!["asset.serial_sekret".into()], ..Neutralize::default() };
    let error = fixture.neutralize(&misspelt).await.unwrap_err();
    assert!(matches!(&error, NeutralizeError::NothingToKeep { name } if name == "asset.serial_sekret"), "{error}");
}

#[tokio::test]
async fn hostile_names_are_quoted() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(r#"CREATE TABLE "x""; DROP TABLE res_users; --" (id int, "a""b'_password" varchar(3) NOT NULL, UNIQUE (id, "a""b'_password"));
        INSERT INTO "x""; DROP TABLE res_users; --" VALUES (1, 'abc');
        CREATE TABLE "Mixed Case" (id int, "User_Secret" text, user_secret bytea, options_api_key jsonb, other_password boolean);
        INSERT INTO "Mixed Case" VALUES (1, 'stays: not Odoo''s way to write it', 'x', '{"1": "k"}', true);
        INSERT INTO ir_module_module (name, state) VALUES ('../../etc/passwd', 'installed'), ('x''; DROP TABLE res_users', 'installed');
        CREATE SCHEMA other; CREATE TABLE other.ir_mail_server (smtp_pass text); INSERT INTO other.ir_mail_server VALUES ('x')"#);
    // A unique column of three characters has no room for the text that explains it: an error, and
    // not a truncation.
    let error = fixture.neutralize(&Neutralize::default()).await.unwrap_err();
    assert!(explain(&error).to_string().contains("too long"), "{}", explain(&error));
    let settings = Neutralize {
        keep_credentials: vec![r#"x"; DROP TABLE res_users; --.a"b'_password"#.into()],
        addons_path: vec!["/nowhere".into()],
        ..Neutralize::default()
    };
    let report = fixture.neutralized(&settings).await;
    assert!(report.modules_not_found.contains(&"../../etc/passwd".to_owned()));
    assert_eq!(fixture.sql("SELECT count(*) FROM res_users"), "4");
    let mixed = "SELECT user_secret IS NULL, options_api_key IS NULL, other_password FROM \"Mixed Case\"";
    assert_eq!(fixture.sql(mixed), "t|t|t");
    assert_eq!(fixture.sql("SELECT smtp_pass FROM other.ir_mail_server"), "x");
}

#[tokio::test]
async fn foreign_database_stays_unchanged() {
    let fixture =
        SmallDatabase::with("CREATE TABLE ir_mail_server (smtp_pass text); INSERT INTO ir_mail_server VALUES ('x')");
    let before = fixture.content();
    assert_eq!(fixture.neutralize(&Neutralize::default()).await.unwrap(), None);
    assert_eq!(fixture.content(), before);
}

#[tokio::test]
async fn password_without_administrator_is_refused() {
    let fixture = SmallDatabase::of_series("12.0");
    fixture.sql("DELETE FROM ir_model_data; UPDATE res_users SET login = 'root' WHERE login = 'admin'");
    let settings = Neutralize { admin_password: Some(Secret::new("x")), ..Neutralize::default() };
    let error = fixture.neutralize(&settings).await.unwrap_err();
    assert!(matches!(error, NeutralizeError::NoAdministrator), "{error}");
}
