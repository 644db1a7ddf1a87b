use harness::postgres::{Cluster, ClusterOptions, USER};

use super::*;
use crate::manifest::made_up;
use crate::postgres::{Database, Endpoint, SslMode, connect_maintenance};
use crate::repository::BackupId;
use crate::stream::Fingerprint;

struct Place {
    cluster: Cluster,
    folder: tempfile::TempDir,
    manifest: Manifest,
}

impl Place {
    fn on(cluster: Cluster) -> Self {
        let id: BackupId = "20261121T020003Z-3f9c".parse().unwrap();
        let object = crate::manifest::StoredObject {
            key: crate::store::Key::new("production/x/database.dump.zst".to_owned()).unwrap(),
            plain: Fingerprint::of(b""),
            stored: Fingerprint::of(b""),
        };
        let manifest = made_up::manifest("production", &id, object);
        Self { cluster, folder: tempfile::tempdir().unwrap(), manifest }
    }

    fn target(&self, host: &str) -> Target {
        let database = Database {
            name: "staging".into(),
            host: Some(host.into()),
            port: Some(self.cluster.port()),
            user: Some(USER.into()),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
            pg_path: None,
        };
        let filestore = self.folder.path().join("staging");
        let (name, instance, neutralize, anonymize) = ("staging".into(), None, None, None);
        Target { name, database, filestore, instance, neutralize, anonymize, trusted: false }
    }

    async fn look(&self) -> Preflight {
        let target = self.target(self.cluster.socket_dir().to_str().unwrap());
        let server = connect_maintenance(&Endpoint::resolve(&target.database)).await.unwrap();
        preflight(&self.manifest, &target, TargetIdentity::Copy, &server).await.unwrap()
    }
}

/// Asserts that each message contains one of these, in this order.
#[track_caller]
fn assert_says(found: &[Obstacle], expected: &[&str]) {
    let messages: Vec<_> = found.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{expected:?}: {messages:#?}");
    }
    assert!(found.iter().all(|one| !one.hint.is_empty()));
}

#[tokio::test]
async fn all_obstacles_are_reported_at_once() {
    let mut place = Place::on(Cluster::start());
    assert_eq!(place.look().await, Preflight::default());
    let extension = |name: &str| (name.to_owned(), "1.0".to_owned());
    place.manifest.server.extensions = ["plpgsql", "pg_trgm", "dblink", "nowhere"].map(extension).into();
    place.manifest.server.locale.collate = "xx_XX.UTF-8".into();
    place.manifest.server.version_num = 990_000;
    place.manifest.database.pg_dump = "99.1".into();
    place.manifest.filestore.bytes = u64::MAX / 2;
    place.manifest.filestore.files = u64::MAX / 2;
    place.cluster.psql_as("postgres", "postgres", &format!("ALTER ROLE {USER} NOCREATEDB"));
    let Preflight { obstacles, warnings } = place.look().await;
    let mut expected = vec![
        "the role \"odoo\" may not create databases",
        "the locale \"xx_XX.UTF-8\", which the server's system does not have",
        "the extension dblink, which on this server only a superuser, not \"",
        "the extension nowhere, which the server does not have",
        "the filestore needs 8.00 EiB",
        "has too few free inodes",
        "unable to find pg_restore of version 99",
    ];
    // Some file systems have no limit of files.
    if rustix::fs::statvfs(place.folder.path()).unwrap().f_files == 0 {
        expected.remove(5);
    }
    assert_says(&obstacles, &expected);
    assert_says(&warnings, &["older than the 99 of the backup"]);
}

#[tokio::test]
async fn visible_database_space_is_checked() {
    let mut place = Place::on(Cluster::start());
    place.cluster.psql_as("postgres", "postgres", &format!("GRANT pg_read_all_settings TO {USER}"));
    let free = crate::disk::Disk::of(place.cluster.socket_dir()).unwrap().free;
    place.manifest.server.database_size = free + free / 2;
    let found = place.look().await;
    assert_says(&found.obstacles, &[]);
    assert_says(&found.warnings, &["free for it in "]);
    place.manifest.server.database_size = free * 3;
    assert_says(&place.look().await.obstacles, &["the database took "]);
}

#[tokio::test]
async fn newer_provider_is_refused() {
    let cluster = Cluster::with(&ClusterOptions::default());
    let major = cluster.version();
    let mut place = Place::on(cluster);
    for (provider, locale, since) in
        [("icu", "de-DE", 15), ("builtin", "C.UTF-8", 17), ("builtin", "PG_UNICODE_FAST", 18)]
    {
        place.manifest.server.locale.provider = provider.into();
        place.manifest.server.locale.locale = Some(locale.into());
        let expected = format!("which PostgreSQL {major} does not know");
        let expected: &[&str] = if major < since { &[&expected] } else { &[] };
        assert_says(&place.look().await.obstacles, expected);
    }
}
