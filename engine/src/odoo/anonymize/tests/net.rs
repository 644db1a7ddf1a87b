//! People in columns that no pattern names.

use super::*;

/// What must be nowhere in the copy.
const ORIGINALS: [&str; 8] = [
    "Anna Berger",
    "ANNA BERGER",
    "Berger, Anna",
    "anna.berger",
    "/1234567",
    "123 45 67",
    "Gartenweg",
    "Müller & Söhne",
];

fn originals() -> BTreeSet<String> {
    ORIGINALS.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn people_elsewhere_become_same_fakes() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        r#"CREATE TABLE product_template (id serial PRIMARY KEY, name jsonb, description_sale text);
           INSERT INTO product_template (name, description_sale) VALUES
               ('{"en_US": "Chair for Anna Berger", "de_DE": "Stuhl", "n": 1.10}', 'ANNA BERGER, tel. (0170) 123 45 67; Berger, Anna');
           CREATE TABLE ir_sequence (id serial PRIMARY KEY, name varchar); INSERT INTO ir_sequence (name) VALUES ('Müller & Söhne: invoices');
           CREATE TABLE res_partner_category (id serial PRIMARY KEY, name jsonb UNIQUE);
           INSERT INTO res_partner_category (name) VALUES ('{"en_US": "Friend of Anna Berger"}'), ('{"en_US": "friend of anna berger"}');
           CREATE TABLE ir_filters (id serial PRIMARY KEY, name varchar NOT NULL, domain text NOT NULL);
           INSERT INTO ir_filters (name, domain) VALUES ('Anna', '[("name", "ilike", "Anna")]');
           CREATE SCHEMA "Weird ""Schema"; CREATE DOMAIN "Weird ""Schema".word AS text CHECK (length(VALUE) < 60);
           CREATE TABLE "Weird ""Schema"."t ""x" (word "Weird ""Schema".word, j json, x xml, list varchar[], short varchar(12),
               again text GENERATED ALWAYS AS (short || '!') STORED);
           INSERT INTO "Weird ""Schema"."t ""x" VALUES ('<anna.berger@customer.example>', '{"b": 1.0, "a": "Anna\u0020Berger", "a": 2}', '<p title="Anna Berger">Anna Berger</p>',
               '{"Anna Berger",NULL,"Berger, Anna"}', 'Anna Berger'), (NULL, NULL, NULL, '{}', NULL);
           CREATE TABLE part (k text, v text) PARTITION BY LIST (k); CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
           INSERT INTO part VALUES ('a', 'Gartenweg 4')"#,
    );
    fixture.sql("CREATE SCHEMA former; CREATE TABLE former.res_partner AS TABLE res_partner; CREATE UNLOGGED TABLE former.log AS SELECT 'to +49170/1234567' AS line FROM generate_series(1, 1000)");
    fixture.sql("CREATE MATERIALIZED VIEW x_chairs AS SELECT description_sale FROM product_template");
    let report = fixture.anonymized(&seeded("seed")).await;
    assert_none_of(&originals(), fixture.dump(&[]).as_bytes());
    let partner = |column: &str| fixture.sql(&format!("SELECT {column} FROM res_partner WHERE id = 7"));
    let (name, phone, street) = (partner("name"), partner("phone"), partner("street"));
    assert_eq!(
        fixture.sql("SELECT name FROM product_template"),
        format!(r#"{{"n": 1.10, "de_DE": "Stuhl", "en_US": "Chair for {name}"}}"#)
    );
    assert_eq!(fixture.sql("SELECT description_sale FROM product_template"), format!("{name}, tel. {phone}; {name}"));
    assert_eq!(
        fixture.sql("SELECT name FROM ir_sequence"),
        format!("{}: invoices", fixture.sql("SELECT name FROM res_company"))
    );
    assert_eq!(fixture.sql("SELECT domain FROM ir_filters"), "[]");
    let weird = r#"FROM "Weird ""Schema"."t ""x" WHERE word IS NOT NULL"#;
    assert_eq!(
        fixture.sql(&format!("SELECT word, j, x {weird}")),
        format!(r#"<{}>|{{"b": 1.0, "a": "{name}", "a": 2}}|<p title="{name}">{name}</p>"#, partner("email"))
    );
    assert_eq!(
        fixture.sql(&format!("SELECT list, short {weird}")),
        format!(r#"{{"{name}",NULL,"{name}"}}|{}"#, &name[..12])
    );
    assert_eq!(fixture.sql("SELECT v FROM part"), street);
    assert_eq!(
        fixture.sql("SELECT count(*), min(line), max(line) FROM former.log"),
        format!("1000|to {phone}|to {phone}")
    );
    assert_eq!(
        fixture.sql("SELECT name, comment FROM former.res_partner WHERE id = 7"),
        format!("{name}|<p>Anonymized</p>")
    );
    assert_eq!((report.net.left.as_slice(), report.net.not_searched.as_slice()), (&[][..], &[][..]));
    let replaced: Vec<_> = report.net.replaced.iter().map(|one| (one.column.as_str(), one.rows)).collect();
    for one in [("former.log.line", 1000), ("ir_sequence.name", 1), ("product_template.name", 1), ("part_a.v", 1)] {
        assert!(replaced.contains(&one), "{replaced:?}");
    }
}

#[tokio::test]
async fn irreplaceable_people_are_listed() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "CREATE TYPE pair AS (who text, id int);
         CREATE TABLE x_log (id int, line text CHECK (line LIKE '%a%' OR id <> 2), square text[], pair pair, words tsvector);
         INSERT INTO x_log SELECT n, 'Anna Berger', NULL, NULL, NULL FROM generate_series(1, 300) AS n;
         UPDATE x_log SET line = 'Anna Berger' || repeat('x', 0) WHERE id = 2;
         ALTER TABLE x_log ADD CHECK (id <> 2 OR line = 'Anna Berger');
         INSERT INTO x_log VALUES (900, NULL, '{{Anna Berger,x},{y,z}}', NULL, NULL), (901, NULL, NULL, '(Anna Berger,1)', 'anna:1 berger:2');
         CREATE TABLE ir_model (id serial, name text); INSERT INTO ir_model (name) VALUES ('Notes of Anna Berger')",
    );
    let report = fixture.anonymized(&seeded("seed")).await;
    let left: Vec<_> = report.net.left.iter().map(ToString::to_string).collect();
    assert_eq!(left, ["ir_model.name (1 row)", "x_log.line (1 row)", "x_log.pair (1 row)", "x_log.square (1 row)"]);
    assert_eq!(report.net.not_searched, ["x_log.words (tsvector)"]);
    assert_eq!(report.warnings().len(), 2);
    assert_eq!(fixture.sql("SELECT count(*) FROM x_log WHERE line LIKE '%Anna%'"), "1");
}

#[tokio::test]
async fn common_words_and_short_names_stay() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "ALTER TABLE ir_module_module ADD author varchar; UPDATE ir_module_module SET author = CASE name WHEN 'mail' THEN 'Odoo S.A.' ELSE 'Schneider GmbH' END;
         CREATE TABLE ir_model_fields (id serial PRIMARY KEY, field_description jsonb);
         INSERT INTO ir_model_fields (field_description) VALUES ('{\"en_US\": \"Delivery Address\", \"de_DE\": \"Lieferadresse\"}'), ('{\"en_US\": \"Schneider number\"}');
         INSERT INTO ir_model_data (module, model, name, res_id) VALUES ('mail', 'ir.model.fields', 'f', 1), ('payment', 'ir.model.fields', 'g', 2);
         INSERT INTO res_partner (id, name) VALUES (20, 'Odoo'), (21, 'IT'), (22, 'Test'), (23, 'Delivery'), (24, 'Li Wu'), (25, 'Delivery Address'), (26, 'Schneider'), (27, 'Public User');
         CREATE TABLE x_notes (line text);
         INSERT INTO x_notes VALUES ('IT: Test of Odoo Delivery for Li Wu, Delivery Address, public user, schneider'), ('Schneider')",
    );
    let report = fixture.anonymized(&seeded("seed")).await;
    let lines = fixture.lines("SELECT line FROM x_notes");
    assert!(
        lines.contains("IT: Test of Odoo Delivery for Li Wu, Delivery Address, public user, schneider"),
        "{lines:?}"
    );
    assert!(lines.contains(&fixture.sql("SELECT name FROM res_partner WHERE id = 26")), "{lines:?}");
    assert!(report.net.not_sought >= 7, "{:?}", report.net);
}

#[tokio::test]
async fn foreign_addresses_exclude_message_ids() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "CREATE TABLE x_log (line text, more jsonb, x_message_id varchar, header text);
         INSERT INTO x_log VALUES ('mail to bob@other.example failed', '{}', '<a@mail.other.example>', '<17012345678.12.openerp-7@erp.other.example>'),
             ('anna.berger@customer.example', '[\"carl@other.example\"]', NULL, '<CAF0123456789=x@mail.other.example>'), ('a@example.com', '[]', NULL, NULL)",
    );
    let report = fixture.anonymized(&seeded("seed")).await;
    let left = [("x_log.line", 1), ("x_log.more", 1)].map(|(column, rows)| Left { column: column.into(), rows });
    assert_eq!(report.addresses_left, left);
    assert_eq!(fixture.sql("SELECT count(*) FROM x_log WHERE line ~ 'anna'"), "0");
}

#[tokio::test]
async fn kept_columns_and_hidden_rows_work() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql(
        "CREATE TABLE x_notes (kept text, line text); INSERT INTO x_notes VALUES ('Anna Berger', 'Anna Berger');
         ALTER TABLE x_notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY no_rows ON x_notes USING (false);
         ALTER TABLE res_partner ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY no_rows ON res_partner USING (false)",
    );
    let superuser = format!(
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER warehouse FOREIGN DATA WRAPPER w; ALTER SERVER warehouse OWNER TO {USER};
         CREATE USER MAPPING FOR {USER} SERVER warehouse OPTIONS (password 'fdw-secret')"
    );
    fixture.cluster.psql_as(SUPERUSER, &fixture.database, &superuser);
    let report = fixture.anonymized(&with_columns(&[("x_notes.kept", Fake::Text)])).await;
    assert_eq!(report.user_mappings_removed, [format!("{USER}@warehouse")]);
    let ask = |sql: &str| fixture.cluster.psql_as(SUPERUSER, &fixture.database, sql).trim().to_owned();
    assert_eq!(
        ask("SELECT count(*) FROM x_notes, res_partner WHERE line ~ 'Anna' OR kept ~ 'Anna' OR name ~ 'Anna'"),
        "0"
    );
    assert_eq!(ask("SELECT count(*) FROM pg_class WHERE relforcerowsecurity"), "2");
    assert_eq!(ask("SELECT count(*) FROM pg_user_mappings"), "0");
}
