//! A small Odoo database, to be changed in tests.

use std::sync::Arc;

use harness::odoo::series;
use harness::postgres::Cluster;

use crate::postgres::{Endpoint, SslMode};

/// Its name, if it has its own cluster.
pub(super) const DATABASE: &str = "copy";

/// On its own cluster, or on one that several share.
pub(super) struct SmallDatabase {
    pub(super) cluster: Arc<Cluster>,
    pub(super) database: String,
}

impl SmallDatabase {
    pub(super) fn of_series(series: &str) -> Self {
        Self::with(&series::small_database(series))
    }

    pub(super) fn with(sql: &str) -> Self {
        Self::on(&Arc::new(Cluster::start()), DATABASE, sql)
    }

    pub(super) fn on(cluster: &Arc<Cluster>, database: &str, sql: &str) -> Self {
        cluster.create_database(database);
        cluster.execute(database, sql);
        Self { cluster: Arc::clone(cluster), database: database.into() }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        Endpoint {
            database: self.database.clone(),
            host: self.cluster.host().into(),
            port: self.cluster.port(),
            user: self.cluster.user().into(),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
        }
    }

    /// Returns a statement's answer.
    pub(super) fn sql(&self, sql: &str) -> String {
        self.cluster.execute(&self.database, sql).trim().to_owned()
    }
}
