//! The content of a database and its filestore, as programs other than ours see it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use harness::postgres::Cluster;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The content of `expected.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// In the order of the list.
    pub(crate) backups: Vec<Backup>,
    /// Instance and id of the quarantined ones.
    pub(crate) set_aside: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// What `list` reports about it.
    pub(crate) listed: Value,
    pub(crate) pin_note: Option<String>,
    pub(crate) content: Content,
}

impl Backup {
    pub(crate) fn id(&self) -> &str {
        self.listed["id"].as_str().unwrap()
    }

    /// Returns instance and id.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.listed["instance"].as_str().unwrap(), self.id())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// SHA-256 of each file, by its path, as `sha256sum` prints it.
    pub(crate) files: BTreeMap<String, String>,
    /// By table, sequence and large object: the rows and the MD5 of all of them in order, the
    /// position, the MD5 of the content.
    pub(crate) database: BTreeMap<String, String>,
}

const NAMES: &str = "SELECT c.relkind::text, c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'S') AND c.relnamespace = 'public'::regnamespace";
const SETTINGS: &str = "SET datestyle = ISO; SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = hex; SET intervalstyle = postgres";

impl Content {
    /// Reads a database, and the files of a filestore that belong to a backup.
    pub(crate) async fn of(cluster: &Cluster, database: &str, filestore: &Path) -> Self {
        let client = cluster.connect(database).await;
        client.batch_execute(SETTINGS).await.unwrap();
        let mut found = BTreeMap::new();
        for row in client.query(NAMES, &[]).await.unwrap() {
            let (kind, name): (String, String) = (row.get(0), row.get(1));
            let sql = match kind.as_str() {
                "S" => format!("SELECT last_value || ' ' || is_called FROM \"{name}\""),
                _ => format!(
                    "SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '')) \
                     FROM \"{name}\" t"
                ),
            };
            found.insert(name, client.query_one(&sql, &[]).await.unwrap().get(0));
        }
        let objects = "SELECT 'large object ' || oid, md5(lo_get(oid)) FROM pg_largeobject_metadata";
        let objects = client.query(objects, &[]).await.unwrap();
        found.extend(objects.into_iter().map(|row| (row.get(0), row.get(1))));
        Self { files: files(filestore), database: found }
    }

    /// Returns how many rows a table has.
    pub(crate) fn rows(&self, table: &str) -> u64 {
        self.database.get(table).map_or(0, |said| said.split(' ').next().unwrap().parse().unwrap())
    }
}

fn files(root: &Path) -> BTreeMap<String, String> {
    let script = "find . -type f ! -path './checklist/*' -exec sha256sum {} +";
    let output = Command::new("sh").args(["-c", script]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(|line| (line[66..].trim_start_matches("./").to_owned(), line[..64].to_owned())).collect()
}

/// Returns the SHA-256 of a file, as `sha256sum` prints it.
pub(crate) fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}
