//! Which databases of a server are Odoo's.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::activity::is_neutralized;
use super::facts::odoo_facts;
use crate::cause;
use crate::postgres::{Database, Endpoint, PostgresError, Session, connect, connect_maintenance};

/// Time limit for one database.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time limit for all of them.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(60);

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDatabase {
    /// Its name.
    pub name: String,
    /// Whether it is Odoo's.
    pub kind: DatabaseKind,
}

/// Whether a database is Odoo's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatabaseKind {
    /// It is.
    Odoo {
        /// `17.0`; empty where unknown.
        series: String,
        /// Whether it says that it is a neutralized copy.
        neutralized: bool,
    },
    /// It is not.
    Other,
    /// It is unknown, for this reason.
    Unknown(String),
}

/// Lists the databases of a server that accept connections, without templates, and asks each
/// whether it is Odoo's. Only server, role and password of `server` matter, not its name.
///
/// # Errors
/// [`PostgresError`] if the server cannot be asked at all. A database that cannot be asked is
/// [`DatabaseKind::Unknown`].
pub async fn list_databases(server: &Database) -> Result<Vec<ServerDatabase>, PostgresError> {
    let endpoint = Endpoint::resolve(server);
    let no_answer = || PostgresError::NoAnswer { server: endpoint.to_string(), seconds: PATIENCE.as_secs() };
    let names = tokio::time::timeout(PATIENCE, names(&endpoint)).await.map_err(|_| no_answer())??;
    let began = Instant::now();
    let mut databases = Vec::new();
    for name in names {
        let kind = if began.elapsed() < PATIENCE_FOR_ALL {
            let asked = tokio::time::timeout(PATIENCE, kind(&endpoint.with_database(&name))).await;
            asked.unwrap_or_else(|_| DatabaseKind::Unknown(format!("no answer within {} s", PATIENCE.as_secs())))
        } else {
            DatabaseKind::Unknown("not asked: the server is too slow".into())
        };
        databases.push(ServerDatabase { name, kind });
    }
    Ok(databases)
}

async fn names(server: &Endpoint) -> Result<Vec<String>, PostgresError> {
    let session = connect_maintenance(server).await?;
    let query = "SELECT datname::text FROM pg_catalog.pg_database
        WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY 1";
    let rows = session.query(query, &[]).await.map_err(session.failed("list the databases"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn kind(database: &Endpoint) -> DatabaseKind {
    let asked = async {
        let session: Session = connect(database).await?;
        Ok::<_, PostgresError>(match odoo_facts(&session).await? {
            Some(facts) => DatabaseKind::Odoo { series: facts.series, neutralized: is_neutralized(&session).await? },
            None => DatabaseKind::Other,
        })
    };
    asked.await.unwrap_or_else(|error| DatabaseKind::Unknown(cause::line(&error)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use harness::odoo::series;
    use harness::postgres::{Cluster, SUPERUSER};

    use super::*;
    use crate::odoo::small_database::SmallDatabase;

    #[tokio::test]
    async fn databases_of_a_server_are_distinguished() {
        let cluster = Arc::new(Cluster::start());
        let sql = series::small_database("17.0");
        SmallDatabase::on(&cluster, "live", &sql);
        let copy =
            format!("{sql}; INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')");
        SmallDatabase::on(&cluster, "copy", &copy);
        SmallDatabase::on(&cluster, "shop", "CREATE TABLE product (id int)");
        SmallDatabase::on(&cluster, "closed", "");
        cluster.psql_as(SUPERUSER, SUPERUSER, "REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
        cluster.psql_as(SUPERUSER, SUPERUSER, "ALTER DATABASE closed OWNER TO postgres");
        let server = Database {
            host: Some(cluster.host().into()),
            port: Some(cluster.port()),
            user: Some(cluster.user().into()),
            ..Database::named("whatever")
        };

        let found = list_databases(&server).await.unwrap();

        let kind = |name: &str| &found.iter().find(|database| database.name == name).unwrap().kind;
        let odoo = |neutralized| DatabaseKind::Odoo { series: "17.0".into(), neutralized };
        assert_eq!((kind("live"), kind("copy"), kind("shop")), (&odoo(false), &odoo(true), &DatabaseKind::Other));
        let DatabaseKind::Unknown(why) = kind("closed") else { panic!("{found:?}") };
        assert!(why.contains("permission denied for database"), "{why}");
    }
}
