//! The configuration file that `init` writes: what was found filled in, everything else commented
//! out and explained.

use std::fmt::Write;
use std::path::PathBuf;

use super::discovery::Discovery;
use super::keys::{self, Key, SectionKeys};
use super::place::{LONGEST_NAME, RESERVED, is_database_name};
use super::section::as_key;

/// The repository where none is named.
pub const DEFAULT_REPOSITORY: &str = "file:///var/lib/odoo-backup";

/// When backups run unless the operator says otherwise: every night.
pub const DEFAULT_SCHEDULE: &str = "0 2 * * *";

/// When copies are drilled: every week.
const DRILLS: &str = "0 5 * * 0";

/// How many backups a new configuration keeps.
const KEPT: [(&str, u8); 3] = [("daily", 7), ("weekly", 4), ("monthly", 12)];

/// Stands in for a data folder that was not found.
const USUAL_DATA_DIR: &str = "/var/lib/odoo";

/// What `init` knows when it writes a configuration.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// What was found on this machine.
    pub found: Discovery,
    /// `None`: [`DEFAULT_REPOSITORY`].
    pub repository_url: Option<String>,
    /// The databases to back up. Empty: those of odoo.conf, else an example.
    pub databases: Vec<String>,
    /// Where Odoo's data is, if the operator said it.
    pub data_dir: Option<PathBuf>,
    /// When to back up, as in crontab(5). `None`: never by itself.
    pub schedule: Option<String>,
    /// The database that a restore makes.
    pub staging: String,
}

impl InitOptions {
    /// Returns the defaults for what was found. `others` are further databases of the server, whose
    /// names are taken.
    pub fn new(found: Discovery, databases: Vec<String>, others: &[String]) -> Self {
        let named = found.odoo_conf.iter().flat_map(|(_, conf)| &conf.databases);
        let databases = if databases.is_empty() {
            named.filter(|name| is_database_name(name)).cloned().collect()
        } else {
            databases
        };
        let is_free = |name: &String| !databases.contains(name) && !others.contains(name);
        let numbered = (2..).map(|number| format!("staging_{number}"));
        let staging = std::iter::once("staging".to_owned()).chain(numbered).find(is_free).unwrap_or_default();
        let schedule = Some(DEFAULT_SCHEDULE.into());
        Self { found, repository_url: None, databases, data_dir: None, schedule, staging }
    }
}

impl InitOptions {
    /// Returns the keys for which the configuration has an example, because nothing was found.
    pub fn missing(&self) -> Vec<&'static str> {
        let is_known = |database: &String| self.data_dir.is_some() || self.found.data_dir(database).0.is_some();
        let data_dir =
            if self.databases.is_empty() { is_known(&String::new()) } else { self.databases.iter().all(is_known) };
        [(self.databases.is_empty(), "`database`"), (!data_dir, "`data_dir`")]
            .into_iter()
            .filter_map(|(is_missing, key)| is_missing.then_some(key))
            .collect()
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

    file.line("");
    file.comment(
        "A second repository, in another building, with copies of the backups. It has the keys of [repository], and these.",
    );
    file.line("#[repository.offsite]");
    file.line("#url = \"s3://company-offsite/odoo\"");
    let own = keys::COPIES.keys().filter(|key| !keys::REPOSITORY.knows(key.name));
    own.for_each(|key| file.unset_key(key));

    let mut names = Vec::new();
    let example = [String::from("production")];
    for database in if options.databases.is_empty() { &example[..] } else { &options.databases } {
        let name = instance_name(database, &names);
        file.instance(&name, database, options);
        names.push(name);
    }
    file.staging(&names, options);

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
        match &options.found.odoo_conf {
            Some((path, _)) => {
                self.comment("Odoo's own configuration file; it supplies whatever is not set here.");
                self.key("odoo_conf", &path.to_string_lossy());
            }
            None => self.comment("No odoo.conf was found; set host, user and password of PostgreSQL here if needed."),
        }
        if options.databases.is_empty() {
            self.comment("No database was found; set the name of yours here.");
        }
        self.key("database", database);
        self.data_dir(database, options);
        self.routine(name, options);
        if !std::mem::replace(&mut self.explained, true) {
            self.comment("When the daemon checks its backups.");
            self.line(&format!("#[instance.{}.check]", as_key(name)));
            self.unset(&keys::CHECK, &[]);
        }
    }

    /// Writes when the instance is backed up and drilled, and what is kept.
    fn routine(&mut self, name: &str, options: &InitOptions) {
        let explain = !self.explained;
        if let Some(schedule) = &options.schedule {
            self.comment("When `odoo-backup daemon` backs it up, as in crontab(5).");
            self.key("schedule", schedule);
        }
        if explain {
            self.unset(&keys::INSTANCE, &["odoo_conf", "database", "data_dir", "schedule"]);
        }
        self.header(&["instance", name, "retention"]);
        self.comment("Which of its backups stay: the last of each of so many days, weeks and months.");
        KEPT.iter().for_each(|(key, number)| self.line(&format!("{key} = {number}")));
        if explain {
            self.unset(&keys::RETENTION, &KEPT.map(|(key, _)| key));
        }
        self.header(&["instance", name, "drill"]);
        self.comment(
            "When the daemon restores the latest backup next to the original, verifies the copy and drops it.",
        );
        self.key("schedule", DRILLS);
        if explain {
            self.unset(&keys::DRILL, &["schedule"]);
        }
    }

    /// Writes the target for copies of the first instance.
    fn staging(&mut self, instances: &[String], options: &InitOptions) {
        self.line("");
        self.comment(
            "A place to restore to: `odoo-backup restore --to staging`. It has the keys of an instance, and these.",
        );
        self.line("[target.staging]");
        if let [first, _, ..] = instances {
            self.key("instance", first);
        }
        let conf = options.found.odoo_conf.as_ref();
        if let Some((path, _)) = conf {
            self.key("odoo_conf", &path.to_string_lossy());
        }
        self.key("database", &options.staging);
        self.data_dir(options.databases.first().map_or("production", String::as_str), options);
        if let Some(found) = &options.found.addons_path {
            self.comment(&format!("Odoo's modules, found: {}. They say how a copy is neutralized.", found.source));
            let folders: Vec<_> = found.value.iter().map(|path| toml_string(&path.to_string_lossy())).collect();
            self.line(&format!("addons_path = [{}]", folders.join(", ")));
        }
        let program = options.found.odoo_bin.as_ref();
        if let Some(found) = program {
            self.comment(&format!(
                "Odoo's own program, found: {}. It neutralizes instead, if you set it.",
                found.source
            ));
            self.line(&format!("#odoo_bin = {}", toml_string(&found.value.to_string_lossy())));
        }
        let set = [
            (instances.len() > 1, "instance"),
            (options.found.addons_path.is_some(), "addons_path"),
            (program.is_some(), "odoo_bin"),
        ];
        let is_set = |key: &Key| set.contains(&(true, key.name));
        let own = keys::TARGET.keys().filter(|key| !keys::INSTANCE.knows(key.name) && !is_set(key));
        own.for_each(|key| self.unset_key(key));
    }

    fn data_dir(&mut self, database: &str, options: &InitOptions) {
        if let Some(said) = &options.data_dir {
            self.comment("Odoo's data folder, which contains the folder `filestore`.");
            return self.key("data_dir", &said.to_string_lossy());
        }
        let of_conf = options.found.odoo_conf.as_ref().and_then(|(_, conf)| conf.data_dir.as_deref());
        match options.found.data_dir(database).0 {
            Some(found) if Some(found.value.as_path()) == of_conf => {
                self.comment("Odoo's data folder, as set in odoo.conf.");
                self.line(&format!("#data_dir = {}", toml_string(&found.value.to_string_lossy())));
            }
            Some(found) => {
                self.comment(&format!("Odoo's data folder, found: {}.", found.source));
                self.key("data_dir", &found.value.to_string_lossy());
            }
            None => {
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
fn instance_name(database: &str, taken: &[String]) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let name: String = database.chars().map(|c| if allowed(c) { c } else { '-' }).take(LONGEST_NAME - 4).collect();
    let name = name.trim_start_matches(['.', '-']);
    let name = if name.contains(|c: char| c.is_ascii_alphanumeric()) { name } else { "production" };
    let free = |name: &str| taken.iter().all(|other| other != name) && !RESERVED.contains(&name);
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
