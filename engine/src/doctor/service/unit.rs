//! Reads the units of odoo-backup's services.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::small_file;

/// The services, the daemon first.
const SERVICES: [&str; 2] = ["odoo-backup-daemon", "odoo-backup"];
/// What the program reads where nothing names another file.
const CONFIG: &str = "/etc/odoo-backup/config.toml";
/// Where units are, the strongest first.
const FOLDERS: [&str; 4] = ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

/// The unit of a service, with its drop-ins, as far as it decides what the service may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUnit {
    /// Its name without `.service`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Whether it runs the daemon, which also restores and drills.
    pub is_daemon: bool,
    /// `User=`
    pub user: Option<String>,
    /// The configuration that it reads.
    pub config: PathBuf,
    /// Variables that it sets, from `Environment=` and `EnvironmentFile=`.
    pub environment: BTreeMap<String, String>,
    /// The settings of its `[Service]` section, each with all its values.
    pub(super) settings: BTreeMap<String, Vec<String>>,
}

impl ServiceUnit {
    /// Returns the installed service of this machine: the daemon's, else that of the timer.
    pub fn installed(root: &Path) -> Option<Self> {
        SERVICES.iter().find_map(|name| Self::read(root, name))
    }

    fn read(root: &Path, name: &str) -> Option<Self> {
        let file = format!("{name}.service");
        let folders = FOLDERS.map(|folder| root.join(folder));
        let path = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file())?;
        let mut texts = vec![small_file::read_to_string(&path).ok()?];
        let mut drop_ins = BTreeMap::new();
        for folder in folders.iter().map(|folder| folder.join(format!("{file}.d"))) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().extension().is_some_and(|extension| extension == "conf") {
                    drop_ins.entry(entry.file_name()).or_insert(entry.path());
                }
            }
        }
        texts.extend(drop_ins.values().filter_map(|path| small_file::read_to_string(path).ok()));
        let settings = settings(&texts);
        let words = settings.get("ExecStart").and_then(|lines| lines.last()).cloned().unwrap_or_default();
        let words: Vec<_> = words.split_whitespace().collect();
        let config = words.iter().enumerate().find_map(|(at, word)| match *word {
            "--config" => words.get(at + 1).copied(),
            word => word.strip_prefix("--config="),
        });
        let last = |key: &str| settings.get(key).and_then(|values| values.last()).cloned();
        Some(Self {
            name: name.to_owned(),
            path,
            is_daemon: words.contains(&"daemon"),
            user: last("User"),
            config: config.unwrap_or(CONFIG).into(),
            environment: environment(&settings, root),
            settings,
        })
    }

    /// Returns whether the service reads this configuration, and not another one.
    pub fn is_for(&self, configuration: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
        real(&self.config) == real(configuration)
    }

    /// Returns a setting that is given once.
    pub(super) fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key)?.last().map(String::as_str)
    }

    /// Returns the paths in a setting that is a list, and for each whether it may be missing.
    pub(super) fn paths(&self, key: &str) -> Vec<(PathBuf, bool)> {
        let words = self.settings.get(key).into_iter().flatten().flat_map(|value| value.split_whitespace());
        words
            .map(|word| {
                let optional = word.starts_with('-');
                let path = word.trim_start_matches(['-', '+']);
                // `BindPaths=SOURCE:DESTINATION`
                (PathBuf::from(path.split(':').next().unwrap_or(path)), optional)
            })
            .collect()
    }
}

/// Returns the settings of `[Service]`. An empty value forgets the values before.
fn settings(texts: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in texts {
        let mut inside = false;
        for line in text.replace("\\\n", " ").lines().map(str::trim) {
            match (line.strip_prefix('['), line.split_once('=')) {
                (Some(header), _) => inside = header == "Service]",
                (None, Some((key, value))) if inside && !line.starts_with(['#', ';']) => {
                    let values = settings.entry(key.trim().to_owned()).or_default();
                    match value.trim() {
                        "" => values.clear(),
                        value => values.push(value.to_owned()),
                    }
                }
                _ => {}
            }
        }
    }
    settings
}

fn environment(settings: &BTreeMap<String, Vec<String>>, root: &Path) -> BTreeMap<String, String> {
    let plain = |value: &str| value.trim().trim_matches(['"', '\'']).to_owned();
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (plain(name), plain(value)));
    let values = |key: &str| settings.get(key).cloned().unwrap_or_default();
    let mut variables: BTreeMap<_, _> =
        values("Environment").iter().flat_map(|line| line.split_whitespace()).filter_map(pair).collect();
    for file in values("EnvironmentFile") {
        let path = root.join(file.trim_start_matches(['-', '/']));
        let text = small_file::read_to_string(&path).unwrap_or_default();
        variables.extend(text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(pair));
    }
    variables
}
