//! The configuration file that `init` writes: what was found filled in, everything else commented
//! out and explained.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use engine::odoo::conf::{OdooConf, OdooConfError, data_dir_candidates, default_odoo_conf_candidates};

use super::keys::{self, Key, SectionKeys};
use super::place::{LONGEST_NAME, RESERVED, find_data_dir, is_database_name};
use super::section::as_key;

/// The repository where none is named.
pub const DEFAULT_REPOSITORY: &str = "file:///var/lib/odoo-backup";

/// Stands in for a data folder that was not found.
const USUAL_DATA_DIR: &str = "/var/lib/odoo";

/// What `init` knows when it writes a configuration.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// Odoo's configuration file, its path absolute, and what it says.
    pub odoo_conf: Option<(PathBuf, OdooConf)>,
    /// `None`: [`DEFAULT_REPOSITORY`].
    pub repository_url: Option<String>,
    /// Where Odoo's data may be if odoo.conf does not say it; those that are there are looked at.
    pub data_dirs: Vec<PathBuf>,
}

impl InitOptions {
    /// Reads `odoo_conf`, or else the first odoo.conf that is in a usual place.
    ///
    /// # Errors
    /// [`OdooConfError`] where that file cannot be read; the next one would be another Odoo's.
    pub fn gather(odoo_conf: Option<&Path>, repository_url: Option<String>) -> Result<Self, OdooConfError> {
        let read = |path: &Path| {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
            OdooConf::read(path).map(|conf| (absolute, conf))
        };
        let odoo_conf = match odoo_conf {
            Some(path) => Some(read(path)?),
            None => {
                // One in a folder that may not be entered, such as another user's home, is not
                // there.
                default_odoo_conf_candidates().iter().find(|path| path.exists()).map(|path| read(path)).transpose()?
            }
        };
        let data_dirs = data_dir_candidates(Path::new("/"), std::env::home_dir().as_deref());
        Ok(Self { odoo_conf, repository_url, data_dirs })
    }
}

/// Returns a configuration file with an instance for each database that odoo.conf names.
pub fn template(options: &InitOptions) -> String {
    let mut file = Template::default();
    file.comment("Configuration of odoo-backup. Run `odoo-backup doctor` to check everything in it.");
    file.comment(
        "\"${NAME}\" in a value is replaced from the environment. Paths may be relative to the folder of this file.",
    );

    file.header(&["repository"]);
    file.key("url", options.repository_url.as_deref().unwrap_or(DEFAULT_REPOSITORY));
    file.comment("Only for s3://. Without a key, the credential chain of AWS is used: environment, profile, role of the machine.");
    file.unset(&keys::REPOSITORY, &["url"]);

    let named = options.odoo_conf.iter().flat_map(|(_, conf)| &conf.databases);
    let databases: Vec<_> = named.filter(|name| is_database_name(name)).map(String::as_str).collect();
    let mut names = BTreeSet::new();
    for database in if databases.is_empty() { &["production"] } else { databases.as_slice() } {
        let name = instance_name(database, &names);
        file.instance(&name, database, options);
        names.insert(name);
    }

    file.line("");
    file.comment(
        "A place to restore to: `odoo-backup restore --to staging`. It has the keys of an instance, and these.",
    );
    file.line("#[target.staging]");
    file.line("#odoo_conf = \"/etc/odoo/staging.conf\"");
    file.line("#database = \"staging\"");
    let own = keys::TARGET.keys().filter(|key| !keys::INSTANCE.knows(key.name));
    own.for_each(|key| file.unset_key(key));

    file.line("");
    file.comment("The service that runs the schedules of the instances: `odoo-backup daemon`.");
    file.line("#[daemon]");
    file.unset(&keys::DAEMON, &[]);

    file.line("");
    file.comment(
        "Notifications of the daemon: one section per receiver. Each has one of `webhook`, `ping`, `telegram_chat` and `mail_to`.",
    );
    file.line("#[[notify]]");
    file.unset(&keys::NOTIFY, &[]);
    file.text
}

#[derive(Default)]
struct Template {
    text: String,
    /// What keys of an instance mean is explained at the first.
    explained: bool,
}

impl Template {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn comment(&mut self, comment: &str) {
        self.line(&format!("# {comment}"));
    }

    fn header(&mut self, path: &[&str]) {
        let path: Vec<_> = path.iter().map(|key| as_key(key)).collect();
        self.line(&format!("\n[{}]", path.join(".")));
    }

    fn key(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {}", toml_string(value)));
    }

    /// Writes every key of a section except those of `set`, explained and commented out.
    fn unset(&mut self, section: &SectionKeys, set: &[&str]) {
        section.keys().filter(|key| !set.contains(&key.name)).for_each(|key| self.unset_key(key));
    }

    fn unset_key(&mut self, key: &Key) {
        self.comment(key.about);
        self.line(&format!("#{} = {}", key.name, key.example));
    }

    fn instance(&mut self, name: &str, database: &str, options: &InitOptions) {
        self.header(&["instance", name]);
        if let Some((path, conf)) = &options.odoo_conf {
            self.comment("Odoo's own configuration file; it supplies whatever is not set here.");
            self.key("odoo_conf", &path.to_string_lossy());
            if conf.databases.is_empty() {
                self.comment("It sets no database; set the name of yours here.");
            }
        } else {
            self.comment("No odoo.conf was found; set the name of your database here.");
        }
        self.key("database", database);
        self.data_dir(database, options);
        if !std::mem::replace(&mut self.explained, true) {
            self.unset(&keys::INSTANCE, &["odoo_conf", "database", "data_dir"]);
            self.comment("Which of its backups `odoo-backup prune` keeps.");
            self.line(&format!("#[instance.{}.retention]", as_key(name)));
            self.unset(&keys::RETENTION, &[]);
            self.comment("When the daemon checks its backups.");
            self.line(&format!("#[instance.{}.check]", as_key(name)));
            self.unset(&keys::CHECK, &[]);
        }
    }

    fn data_dir(&mut self, database: &str, options: &InitOptions) {
        let said = options.odoo_conf.as_ref().and_then(|(_, conf)| conf.data_dir.as_deref());
        match (said.filter(|path| path.is_absolute()), find_data_dir(&options.data_dirs, database).as_slice()) {
            (Some(said), _) => {
                self.comment("Odoo's data folder, as set in odoo.conf.");
                self.line(&format!("#data_dir = {}", toml_string(&said.to_string_lossy())));
            }
            (None, [found]) => {
                self.comment("Odoo's data folder, found in a usual place.");
                self.key("data_dir", &found.to_string_lossy());
            }
            (None, _) => {
                self.comment(
                    "Odoo's data folder, which contains the folder `filestore`. It was not found; set yours here.",
                );
                self.key("data_dir", USUAL_DATA_DIR);
            }
        }
    }
}

/// Returns a name for the instance of `database`: its own, as far as a name may be like it, and
/// another than those `taken`.
fn instance_name(database: &str, taken: &BTreeSet<String>) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = database.chars().map(|c| if allowed(c) { c } else { '-' }).take(LONGEST_NAME - 4).collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "production" };
    let free = |name: &str| !taken.contains(name) && !RESERVED.contains(&name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| free(name)).unwrap_or_default()
}

/// Returns `text` as a TOML string, in which `${` is escaped because it would be a variable.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
