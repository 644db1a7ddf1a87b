use super::*;
use crate::postgres::Cluster;

const SOURCE: &str = r#"
    CREATE TABLE res_partner (id serial PRIMARY KEY, name text, "t" numeric(12, 2), data bytea, tags jsonb);
    COMMENT ON TABLE res_partner IS 'Contact';
    INSERT INTO res_partner (name, t, data, tags)
        SELECT 'Café №' || n || E'\n\t\\', n / 3.0, decode(md5(n::text), 'hex'), '{"fr_FR": "é"}' FROM generate_series(1, 500) n;
    INSERT INTO res_partner (name) VALUES (NULL), ('twin'), ('twin');
    CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM res_partner;
    SELECT lo_from_bytea(4711, 'large');
"#;

/// Returns the difference that a change to a copy makes, compared in both directions.
async fn difference_after(cluster: &Cluster, change: &str) -> Option<String> {
    cluster.psql_as(SUPERUSER, "postgres", "CREATE DATABASE copy TEMPLATE source OWNER odoo");
    cluster.psql_as(SUPERUSER, "copy", change);
    let (source, copy) = (cluster.database("source"), cluster.database("copy"));
    let there = database_difference(source, copy, Owners::Compared).await;
    let back = database_difference(copy, source, Owners::Compared).await;
    assert_eq!(there.is_some(), back.is_some());
    cluster.psql_as(SUPERUSER, "postgres", "DROP DATABASE copy WITH (FORCE)");
    there
}

#[tokio::test]
async fn each_difference_is_found_and_named() {
    let cluster = Cluster::start();
    cluster.create_database("source");
    cluster.execute("source", SOURCE);

    assert_eq!(difference_after(&cluster, "").await, None);
    // Only the order on disk differs.
    assert_eq!(difference_after(&cluster, "UPDATE res_partner SET id = id WHERE id < 50").await, None);

    for (change, table, row) in [
        ("UPDATE res_partner SET t = t + 0.01 WHERE id = 7", r#"table "public"."res_partner""#, "(7,"),
        ("UPDATE res_partner SET data = set_byte(data, 3, 255) WHERE id = 8", r#""res_partner""#, "(8,"),
        ("UPDATE res_partner SET name = '' WHERE name IS NULL", r#""res_partner""#, "(501,"),
        ("DELETE FROM res_partner WHERE id = 503", r#""res_partner""#, "(503,twin,"),
        ("INSERT INTO res_partner (id, name) VALUES (504, 'twin')", r#""res_partner""#, "(504,twin,"),
        ("SELECT nextval('res_partner_id_seq')", r#"sequence "public"."res_partner_id_seq""#, "504"),
        ("SELECT setval('res_partner_id_seq', 503, false)", r#""res_partner_id_seq""#, "503"),
        ("CREATE INDEX ON res_partner (name)", "the schema", "res_partner_name_idx"),
        ("COMMENT ON TABLE res_partner IS 'Kontakt'", "the schema", "Kontakt"),
        ("ALTER TABLE res_partner OWNER TO postgres", "the schema", "Owner: postgres"),
        ("GRANT SELECT ON res_partner TO public", "the schema", "Type: ACL"),
        ("REFRESH MATERIALIZED VIEW totals WITH NO DATA", "materialized views", "totals"),
        ("SELECT lo_put(4711, 1, 'o')", "large objects", "4711"),
    ] {
        let difference = difference_after(&cluster, change).await.unwrap_or_else(|| panic!("not found: {change}"));
        assert!(difference.contains(table) && difference.contains(row), "{change}: {difference}");
    }
}

#[tokio::test]
async fn owners_are_ignored_on_request() {
    let cluster = Cluster::start();
    cluster.create_database("source");
    cluster.execute("source", SOURCE);
    cluster.psql_as(SUPERUSER, "postgres", "CREATE DATABASE copy TEMPLATE source");
    cluster.psql_as(SUPERUSER, "copy", "ALTER TABLE res_partner OWNER TO postgres");
    assert_same_content(cluster.database("source"), cluster.database("copy")).await;
}

#[tokio::test]
#[should_panic(expected = "databases source and copy differ: the databases' properties")]
async fn other_encoding_is_a_difference() {
    let cluster = Cluster::start();
    cluster.create_database("source");
    cluster.psql_as(SUPERUSER, "postgres", "CREATE DATABASE copy ENCODING 'SQL_ASCII' TEMPLATE template0");
    assert_same_database(cluster.database("source"), cluster.database("copy")).await;
}
