//! The start of an end-to-end suite: a server, a filled instance, a target, and the configuration.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::odoo::OdooShape;
use crate::odoo17::Odoo17;
use crate::postgres::{Cluster, ClusterOptions, Database};

/// Name of the instance in the configuration, and of its database.
pub const INSTANCE: &str = "production";
/// Name of the target in the configuration, and of its database.
pub const TARGET: &str = "staging";

/// The line of `[target.staging]` that suites about neutralization replace with their own keys.
/// Other suites compare the copy with the instance, so the copy must not be changed.
pub const TARGET_KEYS: &str = "neutralize = false";

/// The content of the instance.
#[derive(Debug, Clone)]
pub enum Source {
    /// Generated.
    Shape(OdooShape),
    /// The real Odoo 17 database.
    Odoo17(Odoo17),
    /// An empty database and no filestore folder.
    Empty,
}

/// Settings of a project. The default is a small generated instance, a local repository and a
/// server without passwords.
#[derive(Debug, Clone)]
pub struct ProjectOptions {
    /// The content of the instance.
    pub source: Source,
    /// The server.
    pub cluster: ClusterOptions,
    /// The lines of `[repository]`. `None` for a folder of the project.
    pub repository: Option<String>,
}

impl Default for ProjectOptions {
    fn default() -> Self {
        Self { source: Source::Shape(OdooShape::default()), cluster: ClusterOptions::default(), repository: None }
    }
}

/// A temporary folder with everything that `odoo-backup` uses: instance `production`, target
/// `staging` (which does not exist yet), their two `odoo.conf` files, and an `odoo-backup.toml`
/// that names them.
#[derive(Debug)]
pub struct Project {
    // Dropped before the folder, so that no process writes to the folder while it is removed.
    cluster: Cluster,
    folder: TempDir,
}

impl Project {
    /// Starts a project with default options.
    pub async fn start() -> Self {
        Self::with(ProjectOptions::default()).await
    }

    /// Starts a project with these options.
    pub async fn with(options: ProjectOptions) -> Self {
        let folder = tempfile::Builder::new().prefix("obproject-").tempdir().expect("a project's folder");
        let project = Self { cluster: Cluster::with(&options.cluster), folder };
        match &options.source {
            Source::Shape(shape) => {
                project.cluster.create_database(INSTANCE);
                let client = project.cluster.connect(INSTANCE).await;
                shape.fill(&client, &project.filestore()).await.unwrap_or_else(|error| panic!("{error}"));
            }
            Source::Odoo17(odoo17) => odoo17.restore_into(&project.cluster, INSTANCE, &project.filestore()),
            Source::Empty => project.cluster.create_database(INSTANCE),
        }
        for name in [INSTANCE, TARGET] {
            project.write_odoo_conf(name);
        }
        let local = || format!("url = \"file://{}\"", project.repository().display());
        project.write_config(&options.repository.unwrap_or_else(local), "");
        project
    }

    /// Writes it as Odoo's own packages do, with TCP, as in most installations.
    fn write_odoo_conf(&self, name: &str) {
        let (host, port, user) = (self.cluster.host(), self.cluster.port(), self.cluster.user());
        let content = format!(
            "[options]\n; This is the password that allows database operations:\nadmin_passwd = admin\ndb_host = {host}\n\
             db_port = {port}\ndb_user = {user}\ndb_password = {}\ndb_name = {name}\ndata_dir = {}\nlist_db = False\n",
            self.cluster.password().unwrap_or("False"),
            self.data_dir().display()
        );
        write_private(&self.odoo_conf(name), &content);
    }

    /// Rewrites `odoo-backup.toml` with these lines in `[repository]` and more sections at its end.
    pub fn write_config(&self, repository: &str, more: &str) {
        let content = format!(
            "[repository]\n{repository}\n\n[instance.{INSTANCE}]\nodoo_conf = \"{}\"\ndatabase = \"{INSTANCE}\"\n\n\
             [target.{TARGET}]\nodoo_conf = \"{}\"\ndatabase = \"{TARGET}\"\n{TARGET_KEYS}\n\n{more}",
            self.odoo_conf(INSTANCE).display(),
            self.odoo_conf(TARGET).display()
        );
        write_private(&self.config(), &content);
    }

    /// Replaces [`TARGET_KEYS`] with these lines.
    pub fn write_target_keys(&self, keys: &str) {
        let config = fs::read_to_string(self.config()).expect("the project's configuration");
        write_private(&self.config(), &config.replace(TARGET_KEYS, keys));
    }

    /// Returns the path of `odoo-backup.toml`.
    pub fn config(&self) -> PathBuf {
        self.path("odoo-backup.toml")
    }

    /// Returns the path of the `odoo.conf` of [`INSTANCE`] or [`TARGET`].
    pub fn odoo_conf(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.conf"))
    }

    /// Returns the folder of the local repository, if the project has one.
    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// Makes the local repository, which has no backups yet, one of format 1, as an earlier version
    /// created it.
    pub fn set_format_1(&self) {
        set_format_1(&self.repository());
    }

    /// Returns Odoo's `data_dir`, which both share, as two databases of one server do.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Returns the filestore of the instance.
    pub fn filestore(&self) -> PathBuf {
        self.data_dir().join("filestore").join(INSTANCE)
    }

    /// Returns the future filestore of the target.
    pub fn target_filestore(&self) -> PathBuf {
        self.data_dir().join("filestore").join(TARGET)
    }

    /// Returns the database of the instance.
    pub fn database(&self) -> Database<'_> {
        self.cluster.database(INSTANCE)
    }

    /// Returns the database of the target, which a restore creates.
    pub fn target_database(&self) -> Database<'_> {
        self.cluster.database(TARGET)
    }

    /// Returns the server.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the server, to kill or restart it.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Writes a file into the instance's filestore with an old date. A new file may still change
    /// within the same second, so a backup would store it again.
    pub fn write_settled(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.filestore().join(name);
        fs::write(&path, content).unwrap();
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    /// Returns a path in the folder of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Writes a file that only the owner can read. It contains passwords, and the program warns if
/// other users can read one.
fn write_private(path: &Path, content: &str) {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(content.as_bytes())
    };
    write().unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
}

/// Makes a repository without backups one of format 1, as an earlier version created it.
pub fn set_format_1(repository: &Path) {
    let path = repository.join("repository.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"format\": 2"), "{text}");
    fs::write(path, text.replace("\"format\": 2", "\"format\": 1")).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn project_has_instance_and_configuration_files() {
        let options = ProjectOptions {
            cluster: ClusterOptions { password: true, ..ClusterOptions::default() },
            ..ProjectOptions::default()
        };
        let project = Project::with(options).await;
        let count = project.cluster().execute(INSTANCE, "SELECT count(*) FROM ir_attachment");
        assert_eq!(count.trim(), "120");
        assert!(project.filestore().is_dir());
        assert!(!project.cluster().has_database(TARGET));

        let config = fs::read_to_string(project.config()).unwrap();
        assert!(config.contains(&format!("url = \"file://{}\"", project.repository().display())));
        let conf = fs::read_to_string(project.odoo_conf(TARGET)).unwrap();
        assert!(conf.contains(&format!("\ndb_password = {}\n", crate::postgres::PASSWORD)));
        assert!(conf.contains("\ndb_name = staging\n"));
    }
}
