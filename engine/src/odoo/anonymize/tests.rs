mod files;
mod net;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use harness::odoo::series;
use harness::odoo17::Odoo17;
use harness::postgres::{Cluster, ClusterOptions, SUPERUSER, USER};

use tokio_util::task::TaskTracker;

use super::*;
use crate::error::explain;
use crate::odoo::small_database::{DATABASE, SmallDatabase};
use crate::secret::Secret;

impl SmallDatabase {
    fn lines(&self, sql: &str) -> BTreeSet<String> {
        self.sql(sql).lines().map(str::to_owned).collect()
    }

    async fn anonymize(&self, settings: &Anonymize) -> Result<Anonymized, AnonymizeError> {
        let folder = tempfile::tempdir().unwrap();
        self.anonymize_with(folder.path(), settings).await
    }

    async fn anonymize_with(&self, filestore: &Path, settings: &Anonymize) -> Result<Anonymized, AnonymizeError> {
        let filestore = NewFilestore::open(filestore, &TaskTracker::new()).unwrap();
        anonymize(&self.endpoint(), filestore, settings, 2).await
    }

    async fn anonymized(&self, settings: &Anonymize) -> Anonymized {
        self.anonymize(settings).await.unwrap_or_else(|error| panic!("{}", explain(&error)))
    }

    /// Dumps the database as plain SQL, restricted by these options.
    fn dump(&self, options: &[String]) -> String {
        let mut pg_dump = self.cluster.command("pg_dump", USER);
        let output = pg_dump.args(["--no-owner", "--dbname", &self.database]).args(options).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns every file of the database on the server's disk, including indexes and catalogs.
    fn files(&self) -> Vec<u8> {
        self.cluster.psql_as(SUPERUSER, &self.database, "CHECKPOINT");
        let folder = self.sql(&format!("SELECT oid FROM pg_database WHERE datname = '{}'", self.database));
        let folder = Path::new(&self.cluster.psql_as(SUPERUSER, SUPERUSER, "SHOW data_directory").trim())
            .join("base")
            .join(folder);
        fs::read_dir(folder).unwrap().flat_map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

fn seeded(seed: &str) -> Anonymize {
    Anonymize { seed: Some(Secret::new(seed)), ..Anonymize::default() }
}

fn keeping(keep: &[&str]) -> Anonymize {
    Anonymize { keep: keep.iter().map(|name| (*name).to_owned()).collect(), ..seeded("seed") }
}

fn with_columns(columns: &[(&str, Fake)]) -> Anonymize {
    let columns = columns.iter().map(|(name, fake)| ((*name).to_owned(), *fake)).collect();
    Anonymize { columns, ..seeded("seed") }
}

/// Asserts that no original is found any more.
#[track_caller]
fn assert_none_of(originals: &BTreeSet<String>, text: &[u8]) {
    let found: Vec<_> = originals.iter().filter(|one| memchr::memmem::find(text, one.as_bytes()).is_some()).collect();
    assert!(found.is_empty(), "{} of {} are there: {found:?}", found.len(), originals.len());
}

#[tokio::test]
async fn no_series_keeps_people() {
    let cluster = Arc::new(Cluster::start());
    let originals = [
        "Anna",
        "Berger",
        "anna.berger",
        "Mitchell Admin",
        "o'brien",
        "o''brien",
        "Müller",
        "mueller.example",
        "5550100",
        "170 1234567",
        "7654321",
        "Hauptstr",
        "Gartenweg",
        "Lager 2",
        "DE123456788",
        "DE987654321",
        "Her son is ill",
        "3704 0044",
        "37040044",
        "961 2345",
        "09612345",
        "you owe us",
        "München",
    ];
    let originals: BTreeSet<String> = originals.into_iter().map(str::to_owned).collect();
    for series in series::ALL {
        let fixture = SmallDatabase::on(&cluster, series, &series::small_database(series));
        fixture.sql("ANALYZE");
        let report = fixture.anonymized(&seeded("seed")).await;
        assert_none_of(&originals, fixture.dump(&[]).as_bytes());
        assert_none_of(&originals, &fixture.files());
        assert_eq!(report.administrator.as_deref(), Some("admin"));
        assert_eq!(report.addresses_left, [], "{series}");
        let partner = |column: &str, id: u32| fixture.sql(&format!("SELECT {column} FROM res_partner WHERE id = {id}"));
        let (anna, company) = (partner("name", 7), partner("name", 8));
        let full = if series < "17.0" { "display_name" } else { "complete_name" };
        assert_eq!(partner(full, 7), format!("{company}, {anna}"), "{series}");
        let email = partner("email", 7);
        assert_eq!(partner("email_normalized", 7), email);
        assert_eq!(
            fixture.sql("SELECT email_from, reply_to, record_name FROM mail_message WHERE id = 1"),
            format!("\"{anna}\" <{email}>|{email}|{anna}")
        );
        assert_eq!(fixture.sql("SELECT email_to FROM mail_mail"), email);
        assert_eq!(fixture.sql("SELECT old_value_char FROM mail_tracking_value"), anna);
        assert_eq!(fixture.sql("SELECT acc_holder_name FROM res_partner_bank WHERE partner_id = 7"), anna);
        assert_eq!(fixture.sql("SELECT login FROM res_users WHERE partner_id = 7"), email);
        assert_eq!(
            fixture.sql("SELECT string_agg(login, ' ' ORDER BY id) FROM res_users WHERE partner_id < 7"),
            "__system__ admin"
        );
        assert_eq!(fixture.sql("SELECT name FROM res_company"), partner("name", 1));
        assert_eq!(partner("vat", 7), partner("vat", 8));
        assert_ne!(partner("vat", 7), partner("vat", 1));
        assert_eq!(fixture.sql("SELECT count(*), count(DISTINCT acc_number) FROM res_partner_bank WHERE sanitized_acc_number = acc_number"), "2|2");
        // Empty values stay as they were.
        assert_eq!(
            fixture.sql("SELECT email = '', email_normalized IS NULL, phone = '' FROM res_partner WHERE id = 8"),
            "t|t|t"
        );
        assert_eq!(fixture.sql("SELECT name IS NULL FROM res_partner WHERE id = 9"), "t");
        assert_eq!(fixture.sql("SELECT subject IS NULL, body = '' FROM mail_message WHERE id = 2"), "t|t");
        let passwords = "SELECT string_agg(login, ' ') FROM res_users WHERE password IS NOT NULL";
        assert_eq!(fixture.sql(passwords), "admin");
        let partners = report.tables.iter().find(|table| table.table == "res_partner").unwrap();
        let names = partners.columns.iter().find(|column| column.column == "name").unwrap();
        assert_eq!((partners.rows, names.rows, names.kind), (6, 5, Fake::Name), "{series}: {partners:?}");
    }
}

#[tokio::test]
async fn fakes_depend_on_seed_only() {
    // A server that logs every statement and parameter.
    let settings = [("log_min_duration_statement", "0"), ("log_parameter_max_length", "-1"), ("log_statement", "all")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let cluster = Arc::new(Cluster::with(&ClusterOptions { settings, ..ClusterOptions::default() }));
    let mut names = Vec::new();
    for (database, settings) in [
        ("a", seeded("one")),
        ("b", seeded("one")),
        ("c", seeded("two")),
        ("d", Anonymize::default()),
        ("e", Anonymize::default()),
    ] {
        let fixture = SmallDatabase::on(&cluster, database, &series::small_database("17.0"));
        let report = fixture.anonymized(&settings).await;
        assert_eq!(report.seeded, settings.seed.is_some());
        names.push(fixture.sql("SELECT name, email, phone, street, vat FROM res_partner WHERE id = 7"));
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(names[1..].iter().collect::<BTreeSet<_>>().len(), 4, "{names:?}");
    let key = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"; // `printf one | sha256sum`
    let log = cluster.log();
    assert!(log.contains("set_config('odoo_backup.key'") && !log.contains(key));
}

#[tokio::test]
async fn similar_unique_values_stay_unique() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "INSERT INTO res_users (login, password, partner_id) VALUES
             ('Foo@x.example', 'x', 7), ('foo@x.example', 'x', 7), ('FOO@x.example ', 'x', 7), ('Foo', 'x', 7), ('foo', 'x', 7), ('', 'x', 7);
         INSERT INTO res_company (name) VALUES ('müller & söhne'), ('MÜLLER  & SÖHNE'), (' Müller & Söhne'), ('Acme'), (' ');
         CREATE TABLE phone_blacklist (id serial PRIMARY KEY, number varchar NOT NULL UNIQUE);
         INSERT INTO phone_blacklist (number) VALUES ('+491701234567'), ('0170 1234567'), ('0170/1234567'), ('none'), ('None');
         CREATE TABLE x_codes (id serial PRIMARY KEY, zip varchar(8) UNIQUE, partner_name varchar(5));
         INSERT INTO x_codes (zip, partner_name) SELECT 'Z' || n, 'Anna' FROM generate_series(1, 2000) AS n;
         INSERT INTO res_partner_bank (acc_number, sanitized_acc_number, partner_id) VALUES
             ('DE89370400440532013000', 'DE89370400440532013000', 8), ('de89 3704 0044 0532 0130 00', 'de89370400440532013000', 7)",
    );
    fixture.anonymized(&seeded("seed")).await;
    let distinct = |table: &str, column: &str| {
        fixture.sql(&format!("SELECT count(*) - count(DISTINCT {column}) FROM {table} WHERE {column} <> ''"))
    };
    assert_eq!(distinct("res_users", "login"), "0");
    assert_eq!(distinct("res_company", "name"), "0");
    assert_eq!(distinct("phone_blacklist", "number"), "0");
    assert_eq!(distinct("x_codes", "zip"), "0");
    assert_eq!(fixture.sql("SELECT max(length(partner_name)) FROM x_codes"), "5");
    // One of these people keeps the original value elsewhere.
    let same = "SELECT count(*) FROM res_company c JOIN res_partner p ON p.name = c.name WHERE p.id = 1";
    assert_eq!(fixture.sql(same), "1");
    let same = "SELECT count(*) FROM phone_blacklist JOIN res_partner ON number = mobile";
    assert_eq!(fixture.sql("SELECT count(*) FROM phone_blacklist"), "5", "{}", fixture.sql(same));
}

#[tokio::test]
async fn names_in_any_script_become_fakes() {
    let fixture = SmallDatabase::of_series("18.0");
    fixture.sql(
        r#"INSERT INTO res_partner (id, name, complete_name, email, comment) VALUES
               (20, 'D''Arcy "Bob" \ O''Neil; --', NULL, '"D''Arcy, Bob" <bob@darcy.example>, other@darcy.example; "x" <third@darcy.example>', NULL),
               (21, '山田 太郎', '株式会社, 山田 太郎', 'taro＠yamada', '$$ $1 {}'), (22, ',', ', ,', '@', NULL),
               (23, 'Ａ' || repeat('ß', 3000), NULL, 'not an address', NULL);
           ALTER TABLE res_company ADD company_details jsonb, ADD "We""ird email" varchar, ADD x_email jsonb;
           UPDATE res_company SET company_details = '{"en_US": "<p>Müller</p>", "de_DE": "", "fr_FR": null}', "We""ird email" = 'info@mueller.example',
               x_email = '{"1": "a@mueller.example", "2": false, "3": 4915112345678, "4": ["b@mueller.example"]}';
           CREATE TABLE "Quoted ""table""" (phone varchar, partner_name text, address char(12));
           INSERT INTO "Quoted ""table""" VALUES ('0170 7654321', 'Anna Berger', 'Gartenweg 4')"#,
    );
    fixture.anonymized(&with_columns(&[(r#"res_company.We"ird email"#, Fake::Email)])).await;
    let originals = [
        "Arcy",
        "darcy",
        "yamada",
        "太郎",
        "株式会社",
        "mueller",
        "Müller",
        "4915112345678",
        "ßßß",
        "not an address",
        "Gartenweg",
    ];
    assert_none_of(&originals.into_iter().map(str::to_owned).collect(), fixture.dump(&[]).as_bytes());
    let partner = |column: &str, id: u32| fixture.sql(&format!("SELECT {column} FROM res_partner WHERE id = {id}"));
    assert!(partner("complete_name", 21).ends_with(&format!(", {}", partner("name", 21))));
    assert_eq!(partner("email", 20).matches("@example.com").count(), 3);
    let json = "SELECT company_details, x_email - '1' FROM res_company";
    assert_eq!(
        fixture.sql(json),
        r#"{"de_DE": "", "en_US": "<p>Anonymized</p>", "fr_FR": null}|{"2": false, "3": null, "4": null}"#
    );
    let quoted =
        r#"SELECT q.phone = p.mobile, partner_name = name FROM "Quoted ""table""" q, res_partner p WHERE id = 7"#;
    assert_eq!(fixture.sql(quoted), "t|t");
}

#[tokio::test]
async fn settings_add_and_keep_columns() {
    let fixture = SmallDatabase::of_series("16.0");
    fixture.sql(
        "ALTER TABLE res_partner ADD x_notes text, ADD x_born date, ADD x_size numeric, ADD x_who varchar;
         UPDATE res_partner SET x_notes = 'Anna''s notes', x_born = '1977-07-07', x_size = 38, x_who = 'Anna Berger' WHERE id = 7",
    );
    let settings = Anonymize {
        keep: vec!["res_partner.city".into(), "res_users.password".into()],
        ..with_columns(&[
            ("res_partner.x_notes", Fake::Text),
            ("res_partner.x_born", Fake::Date),
            ("res_partner.x_size", Fake::Empty),
            ("res_partner.x_who", Fake::Name),
            ("res_partner.street", Fake::Empty),
        ])
    };
    let report = fixture.anonymized(&settings).await;
    assert_eq!(report.kept, settings.keep);
    let row = "SELECT x_notes <> 'Anna''s notes', x_born BETWEEN '1950-01-01' AND '1999-12-31' AND x_born <> '1977-07-07', x_size IS NULL, x_who = name,
        street IS NULL, city FROM res_partner WHERE id = 7";
    assert_eq!(fixture.sql(row), "t|t|t|t|t|München");
    assert_eq!(fixture.sql("SELECT count(*) FROM res_users WHERE password = 'x'"), "2");
}

#[tokio::test]
async fn unfit_settings_change_nothing() {
    let fixture = SmallDatabase::of_series("17.0");
    let before = fixture.dump(&[]);
    let cases: [(Anonymize, &str); 6] = [
        (
            with_columns(&[("res_partner.x_passport", Fake::Name)]),
            "`columns` names res_partner.x_passport, and there is no such column",
        ),
        (with_columns(&[("res_parter.name", Fake::Name)]), "there is no such column; did you mean `res_partner.name`?"),
        (
            keeping(&["res_partner.emial"]),
            "`keep` names res_partner.emial, and there is no such column; did you mean `res_partner.email`?",
        ),
        (keeping(&["res_partner.type"]), "`keep` names res_partner.type, which would stay as it is anyway"),
        (
            with_columns(&[("res_partner.parent_id", Fake::Email)]),
            "`columns` wants a fake of the kind `email` in res_partner.parent_id, which is of the type int4",
        ),
        (
            with_columns(&[("res_partner.id", Fake::Empty)]),
            "in res_partner.id, which is of the type int4 and may not be NULL",
        ),
    ];
    for (settings, expected) in cases {
        let error = fixture.anonymize(&settings).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    assert_eq!(without_token(&fixture.dump(&[])), without_token(&before));
    fixture.cluster.create_database("other");
    let other = SmallDatabase { cluster: Arc::clone(&fixture.cluster), database: "other".into() };
    assert!(matches!(other.anonymize(&Anonymize::default()).await, Err(AnonymizeError::NotOdoo)));
}

/// Removes the word that pg_dump invents for psql each time.
fn without_token(dump: &str) -> String {
    dump.lines().filter(|line| !line.starts_with('\\') || line.starts_with("\\.")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn triggers_stay_silent_and_unchanged() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "CREATE TABLE x_audit (who text, was text);
         CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO x_audit VALUES (OLD.name, NEW.name); RETURN NEW; END $$;
         CREATE TRIGGER \"first's\" AFTER UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION audit();
         CREATE TRIGGER second AFTER UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION audit();
         CREATE TRIGGER third AFTER UPDATE ON res_partner FOR EACH ROW EXECUTE FUNCTION audit();
         ALTER TABLE res_partner ENABLE ALWAYS TRIGGER second, DISABLE TRIGGER third",
    );
    fixture.sql("CREATE MATERIALIZED VIEW x_people AS SELECT name, city FROM res_partner");
    let modes =
        "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal";
    let before = fixture.sql(modes);
    fixture.anonymized(&seeded("seed")).await;
    assert_eq!(fixture.sql("SELECT count(*) FROM x_audit"), "0");
    assert_eq!((fixture.sql(modes), before.as_str()), (before.clone(), "first'sO secondA thirdD"));
    assert_eq!(fixture.sql("SELECT count(*) FROM x_people WHERE name LIKE 'Anna%'"), "0");
}

#[tokio::test]
async fn real_database_keeps_no_people() {
    let Some(odoo17) = Odoo17::find() else { return };
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    odoo17.restore_into(&cluster, DATABASE, folder.path());
    let fixture = SmallDatabase { cluster: Arc::new(cluster), database: DATABASE.into() };
    let people = "SELECT name FROM res_partner WHERE name LIKE '% %' UNION SELECT email FROM res_partner UNION SELECT phone FROM res_partner
        UNION SELECT mobile FROM res_partner UNION SELECT street FROM res_partner WHERE length(street) > 8 UNION SELECT vat FROM res_partner
        UNION SELECT name FROM hr_employee UNION SELECT work_email FROM hr_employee UNION SELECT private_email FROM hr_employee
        UNION SELECT work_phone FROM hr_employee UNION SELECT login FROM res_users WHERE login LIKE '%@%' UNION SELECT acc_number FROM res_partner_bank
        UNION SELECT email_from FROM crm_lead UNION SELECT contact_name FROM crm_lead UNION SELECT phone FROM crm_lead UNION SELECT reply_to FROM mail_message";
    // Odoo's demonstration data takes its people from the examples in Odoo's own texts, which
    // belong to no person.
    let shipped =
        fixture.dump(&["ir_ui_view", "mail_template", "ir_rule", "res_groups"].map(|table| format!("--table={table}")));
    let people = fixture.lines(people).into_iter();
    let originals: BTreeSet<String> = people.filter(|one| !one.is_empty() && !shipped.contains(one)).collect();
    assert!(originals.len() > 200);
    let names = "SELECT count(DISTINCT lower(btrim(name))) FROM res_partner";
    let before = fixture.sql(names);
    // A fixed key: with a random one, a fake may contain the first name of an original by chance.
    let report = fixture.anonymized(&seeded("seed")).await;
    assert!(report.warnings().is_empty(), "{:?}", report.warnings());
    assert_eq!(fixture.sql(names), before);
    assert_none_of(&originals, fixture.dump(&[]).as_bytes());
    assert_none_of(&originals, &fixture.files());
}

#[tokio::test]
async fn rows_kept_by_server_are_refused() {
    let fixture = SmallDatabase::of_series("17.0");
    let other = fixture.cluster.connect(DATABASE).await;
    other.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await.unwrap();
    let error = fixture.anonymize(&seeded("seed")).await.unwrap_err();
    assert!(matches!(error, AnonymizeError::Held), "{error}");
    assert!(error.hint().unwrap().contains("hot_standby_feedback"));
}
