//! What an end-to-end suite begins with: a server, a filled instance, a place to restore to, and the configuration.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::odoo::OdooShape;
use crate::odoo17::Odoo17;
use crate::postgres::{Cluster, ClusterOptions, Database};

/// The instance's name in the configuration, and its database's.
pub const INSTANCE: &str = "production";
/// The target's name in the configuration, and its database's.
pub const TARGET: &str = "staging";

/// The line of `[target.staging]` that a suite of neutralization puts its own keys in the place of: what is compared with the instance
/// must be as the instance is.
pub const TARGET_KEYS: &str = "neutralize = false";

/// What the instance is filled with.
#[derive(Debug, Clone)]
pub enum Source {
    /// Made up.
    Shape(OdooShape),
    /// The real Odoo 17 database.
    Odoo17(Odoo17),
    /// An empty database and no filestore folder.
    Empty,
}

/// How a project is to be set up. The default is a small made-up instance, a local repository and a server without passwords.
#[derive(Debug, Clone)]
pub struct ProjectOptions {
    /// What the instance is filled with.
    pub source: Source,
    /// The server.
    pub cluster: ClusterOptions,
    /// The lines of `[repository]`; `None`: a folder of the project's own.
    pub repository: Option<String>,
}

impl Default for ProjectOptions {
    fn default() -> Self {
        Self { source: Source::Shape(OdooShape::default()), cluster: ClusterOptions::default(), repository: None }
    }
}

/// A temporary folder with all that `odoo-backup` works on: instance `production`, target `staging` (which does not exist yet),
/// their two `odoo.conf` files, and an `odoo-backup.toml` that names them.
#[derive(Debug)]
pub struct Project {
    // Before the folder, so that nothing writes there any more when it is removed.
    cluster: Cluster,
    folder: TempDir,
}

impl Project {
    /// A project of the default kind.
    pub async fn start() -> Self {
        Self::with(ProjectOptions::default()).await
    }

    /// A project as asked.
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

    /// As Odoo's own packages write it. TCP, so that it goes the way of most installations.
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

    /// Writes `odoo-backup.toml` anew with these lines in `[repository]`, and more sections at its end.
    pub fn write_config(&self, repository: &str, more: &str) {
        let content = format!(
            "[repository]\n{repository}\n\n[instance.{INSTANCE}]\nodoo_conf = \"{}\"\ndatabase = \"{INSTANCE}\"\n\n\
             [target.{TARGET}]\nodoo_conf = \"{}\"\ndatabase = \"{TARGET}\"\n{TARGET_KEYS}\n\n{more}",
            self.odoo_conf(INSTANCE).display(),
            self.odoo_conf(TARGET).display()
        );
        write_private(&self.config(), &content);
    }

    /// Puts these lines in the place of [`TARGET_KEYS`].
    pub fn write_target_keys(&self, keys: &str) {
        let config = fs::read_to_string(self.config()).expect("the project's configuration");
        write_private(&self.config(), &config.replace(TARGET_KEYS, keys));
    }

    /// The path of `odoo-backup.toml`.
    pub fn config(&self) -> PathBuf {
        self.path("odoo-backup.toml")
    }

    /// The path of the `odoo.conf` of [`INSTANCE`] or [`TARGET`].
    pub fn odoo_conf(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.conf"))
    }

    /// The local repository's folder, where the project has one.
    pub fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    /// Odoo's `data_dir`, which both share as two databases of one server do.
    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// The instance's filestore.
    pub fn filestore(&self) -> PathBuf {
        self.data_dir().join("filestore").join(INSTANCE)
    }

    /// Where the target's filestore is to be.
    pub fn target_filestore(&self) -> PathBuf {
        self.data_dir().join("filestore").join(TARGET)
    }

    /// The instance's database.
    pub fn database(&self) -> Database<'_> {
        self.cluster.database(INSTANCE)
    }

    /// The target's database, which a restore makes.
    pub fn target_database(&self) -> Database<'_> {
        self.cluster.database(TARGET)
    }

    /// The server.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The server, to be killed or restarted.
    pub fn cluster_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Writes a file into the instance's filestore as if it had lain there for long: what is new may still change within its second,
    /// and a backup stores it once more.
    pub fn write_settled(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.filestore().join(name);
        fs::write(&path, content).unwrap();
        let long_ago = SystemTime::now() - Duration::from_hours(1);
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }

    /// A path in the project's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Passwords are in these files, and the program warns where others can read one.
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
