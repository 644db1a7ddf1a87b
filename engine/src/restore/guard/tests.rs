use harness::odoo::OdooShape;
use harness::postgres::{Cluster, USER};

use super::*;
use crate::postgres::{Database, ServerSameness, SslMode, connect, same_server};

fn place(host: &str, cluster: &Cluster, database: &str) -> Endpoint {
    Endpoint::resolve(&Database {
        name: database.into(),
        host: Some(host.into()),
        port: Some(cluster.port()),
        user: Some(USER.into()),
        password: None,
        sslmode: SslMode::Disable,
        sslrootcert: None,
        pg_path: None,
    })
}

#[tokio::test]
async fn server_is_recognized_by_every_name() {
    let [one, other] = [Cluster::start(), Cluster::start()];
    // The role may not ask for the identifier.
    one.psql_as("postgres", "postgres", "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    let session = connect(&place("127.0.0.1", &one, "postgres")).await.unwrap();
    let socket = one.socket_dir().to_str().unwrap();
    for host in ["127.0.0.1", "localhost", socket] {
        let again = connect(&place(host, &one, "template1")).await.unwrap();
        assert_eq!(same_server(&session, &again).await.unwrap(), ServerSameness::Same, "{host}");
    }
    let other = connect(&place("127.0.0.1", &other, "postgres")).await.unwrap();
    assert_eq!(same_server(&session, &other).await.unwrap(), ServerSameness::Different);
    // No lock is left, and no transaction.
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(one.psql_as("postgres", "postgres", locks).trim(), "0");
    session.batch_execute("CREATE TEMPORARY TABLE t ()").await.unwrap();
}

/// Returns the messages about the database `acme`, whose uuid no backup has.
async fn said(cluster: &Cluster) -> Vec<String> {
    let found = alive::or_foreign(None, &place("127.0.0.1", cluster, "acme"), force("acme")).await;
    found.into_iter().map(|one| one.message).collect()
}

#[tokio::test]
async fn only_used_databases_are_alive() {
    let cluster = Cluster::start();
    let files = tempfile::tempdir().unwrap();
    cluster.create_database("acme");
    assert_eq!(said(&cluster).await, [""; 0], "an empty database");
    cluster.execute("acme", "CREATE TABLE invoices (id int)");
    assert!(said(&cluster).await[0].contains("is not an Odoo database and has 1 tables"));
    cluster.execute("acme", "DROP TABLE invoices");

    let client = cluster.connect("acme").await;
    OdooShape::default().fill(&client, files.path()).await.unwrap();
    client.batch_execute("SET application_name = 'psql'").await.unwrap();
    assert_eq!(said(&cluster).await, [""; 0], "an old database without users");

    for name in ["odoo-4711", "my-odoo-worker", ""] {
        client.batch_execute(&format!("SET application_name = '{name}'")).await.unwrap();
        let said = said(&cluster).await;
        assert!(said.len() == 1 && said[0].contains("is in use by "), "{name}: {said:?}");
    }
    client.batch_execute("SET application_name = 'psql'").await.unwrap();
    // The target's role sees little of this session.
    let anothers = cluster.connect_as("postgres", "acme").await;
    assert!(said(&cluster).await[0].contains("is in use by "));
    anothers.batch_execute("SET application_name = 'psql'").await.unwrap();

    let written = [
        "UPDATE res_company SET write_date = now() AT TIME ZONE 'UTC' - interval '5 minutes' WHERE id = 1",
        "UPDATE mail_message SET write_date = now() AT TIME ZONE 'UTC' WHERE id = (SELECT max(id) FROM mail_message)",
    ];
    for (statement, table) in written.iter().zip(["5 minutes ago, in res_company", "0 minutes ago, in mail_message"]) {
        client.batch_execute(statement).await.unwrap();
        let said = said(&cluster).await;
        assert!(said.len() == 1 && said[0].contains(table), "{said:?}");
    }
    let neutral = "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')";
    client.batch_execute(neutral).await.unwrap();
    assert_eq!(said(&cluster).await, [""; 0], "a neutralized copy in use");
    client
        .batch_execute("UPDATE ir_config_parameter SET value = 'False' WHERE key = 'database.is_neutralized'")
        .await
        .unwrap();
    assert_eq!(said(&cluster).await.len(), 1);

    cluster.psql_as("postgres", "acme", "ALTER TABLE ir_config_parameter OWNER TO postgres");
    let hidden = said(&cluster).await;
    assert!(hidden[0].contains("could not be examined") && hidden[0].contains("permission denied"), "{hidden:?}");
}
