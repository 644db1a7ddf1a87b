use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::compare::{assert_same_database, assert_same_tree};
use crate::postgres::Cluster;

async fn filled(cluster: &Cluster, database: &str, shape: &OdooShape) -> tempfile::TempDir {
    let filestore = tempfile::tempdir().unwrap();
    cluster.create_database(database);
    shape.fill(&cluster.connect(database).await, filestore.path()).await.unwrap();
    filestore
}

/// Returns path and content of the files below the two-digit folders.
fn files_of(filestore: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = fs::read_dir(filestore).unwrap().map(|folder| folder.unwrap());
    let folders = folders.filter(|folder| folder.file_name() != "checklist");
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap());
    files
        .map(|file| {
            let path = file.unwrap().path();
            let content = fs::read(&path).unwrap();
            (path.strip_prefix(filestore).unwrap().to_owned(), content)
        })
        .collect()
}

#[tokio::test]
async fn seed_determines_instance() {
    let cluster = Cluster::start();
    let shape = OdooShape::default();
    let one = filled(&cluster, "one", &shape).await;
    let two = filled(&cluster, "two", &shape).await;
    assert_same_database(cluster.database("one"), cluster.database("two")).await;
    assert_same_tree(one.path(), two.path(), &[]);

    let other = filled(&cluster, "other", &OdooShape { seed: 18, ..shape }).await;
    let names = |filestore: &Path| files_of(filestore).into_iter().map(|(path, _)| path).collect::<BTreeSet<_>>();
    assert!(names(one.path()).is_disjoint(&names(other.path())));
}

#[tokio::test]
async fn attachments_match_filestore() {
    let cluster = Cluster::start();
    let shape = OdooShape { attachments: 400, ..OdooShape::default() };
    let filestore = filled(&cluster, "acme", &shape).await;

    let files = files_of(filestore.path());
    for (path, content) in &files {
        let checksum = files::checksum(content);
        assert_eq!(path, &Path::new(&checksum[..2]).join(&checksum));
    }
    let on_disk: BTreeSet<String> =
        files.iter().map(|(path, content)| format!("{} {}", path.display(), content.len())).collect();
    let sql = "SELECT DISTINCT store_fname || ' ' || file_size FROM ir_attachment WHERE store_fname IS NOT NULL";
    let in_rows: BTreeSet<String> = cluster.execute("acme", sql).lines().map(str::to_owned).collect();
    assert_eq!(on_disk, in_rows);

    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM ir_attachment WHERE {condition}");
        cluster.execute("acme", &sql).trim().parse::<u64>().unwrap()
    };
    assert_eq!(count("true"), 400);
    assert_eq!(count("store_fname IS NOT NULL AND store_fname <> left(checksum, 2) || '/' || checksum"), 0);
    assert!(count("store_fname IS NOT NULL") > files.len() as u64, "some rows share a file");
    assert!(count("db_datas IS NOT NULL AND octet_length(db_datas) = file_size") > 0);
    assert!(count("type = 'url' AND store_fname IS NULL") > 0);
    assert!(filestore.path().join("checklist").is_dir());
}

#[tokio::test]
async fn sizes_and_compressibility_are_realistic() {
    let cluster = Cluster::start();
    let filestore = filled(&cluster, "acme", &OdooShape::sized(30_000_000, 20_000_000)).await;
    let database: f64 = cluster.execute("acme", "SELECT pg_database_size('acme')").trim().parse().unwrap();
    assert!((0.85..1.15).contains(&(database / 30e6)), "{database}");

    let files = files_of(filestore.path());
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    assert!((0.9..1.1).contains(&(bytes as f64 / 20e6)), "{bytes}");
    let is_text = |content: &[u8]| content.starts_with(b"# ");
    let incompressible: usize =
        files.iter().filter(|(_, content)| !is_text(content)).map(|(_, content)| content.len()).sum();
    assert!((0.55..0.75).contains(&(incompressible as f64 / bytes as f64)), "{incompressible} of {bytes}");
}

#[tokio::test]
async fn database_describes_itself_like_odoo() {
    let cluster = Cluster::start();
    let shape = OdooShape { series: "18.0".into(), ..OdooShape::default() };
    let _filestore = filled(&cluster, "acme", &shape).await;
    let ask = |sql: &str| cluster.execute("acme", sql).trim().to_owned();
    assert_eq!(ask("SELECT latest_version FROM ir_module_module WHERE name = 'base'"), "18.0.1.3");
    assert_eq!(ask("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"), shape.uuid());
    // New rows get new ids.
    assert_eq!(ask("INSERT INTO mail_message (message_type) VALUES ('comment') RETURNING id"), "801");
}

#[tokio::test]
async fn days_change_rows_and_files_repeatably() {
    let cluster = Cluster::start();
    let shape = OdooShape::default();
    let one = filled(&cluster, "one", &shape).await;
    let two = filled(&cluster, "two", &shape).await;
    let fname = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL";
    for day in 1..=5 {
        let before: BTreeSet<PathBuf> = files_of(one.path()).into_iter().map(|(path, _)| path).collect();
        let messages = cluster.execute("one", "SELECT md5(string_agg(body, '' ORDER BY id)) FROM mail_message");
        let changed = shape.day_of_activity(&cluster.connect("one").await, one.path(), day).await.unwrap();
        let after: BTreeSet<PathBuf> = files_of(one.path()).into_iter().map(|(path, _)| path).collect();
        let paths = |names: &BTreeSet<String>| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        assert_eq!(&after - &before, paths(&changed.added));
        assert_eq!(&before - &after, paths(&changed.removed));
        assert_eq!(after, cluster.execute("one", fname).lines().map(PathBuf::from).collect());
        assert!(!changed.added.is_empty());
        assert_ne!(messages, cluster.execute("one", "SELECT md5(string_agg(body, '' ORDER BY id)) FROM mail_message"));

        shape.day_of_activity(&cluster.connect("two").await, two.path(), day).await.unwrap();
    }
    assert_same_database(cluster.database("one"), cluster.database("two")).await;
    assert_same_tree(one.path(), two.path(), &[]);
}
