//! Runs the commands of the pages that lead through a task, on a generated instance, and compares
//! the output.
//!
//! A page may leave out lines with a line `…`, and all output of a command.
//! `ODOO_BACKUP_SNAPSHOTS=update` writes the program's output into the pages.

mod mask;
mod page;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use harness::cli::{OdooBackup, Run};
use harness::odoo::OdooShape;
use harness::odoo_backup;
use harness::postgres::SUPERUSER;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};

use self::mask::{is_progress, masked};
use self::page::{Block, Page, difference, replaced, same_names};

/// The instance of the pages, whose paths are those of a Debian server.
struct Sandbox {
    project: Project,
    program: OdooBackup,
    /// Names on the pages, and their equivalents here.
    names: Vec<(&'static str, String)>,
}

fn shape() -> OdooShape {
    OdooShape { messages: 4_000, attachments: 400, filestore_bytes: 12_000_000, ..OdooShape::default() }
}

impl Sandbox {
    async fn start() -> Self {
        let options = ProjectOptions { source: Source::Shape(shape()), ..ProjectOptions::default() };
        let project = Project::with(options).await;
        let folder = |name: &str| {
            let path = project.path(name);
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).unwrap();
            path
        };
        let (settings, work) = (folder("settings"), folder("work"));
        folder("repository");
        let cluster = project.cluster();
        let conf = format!(
            "[options]\ndb_host = {}\ndb_port = {}\ndb_user = {}\ndb_name = {INSTANCE}\ndata_dir = {}\naddons_path = {}\n",
            cluster.socket_dir().display(),
            cluster.port(),
            cluster.user(),
            project.data_dir().display(),
            addons(&project).display()
        );
        fs::write(project.path("odoo.conf"), conf).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let names = vec![
            ("/etc/odoo/odoo.conf", text(&project.path("odoo.conf"))),
            ("/etc/odoo-backup", text(&settings)),
            ("/var/lib/odoo-backup", text(&project.repository())),
            ("/var/lib/odoo/.local/share/Odoo", text(&project.data_dir())),
            ("/var/run/postgresql:5432", format!("{}:{}", cluster.socket_dir().display(), cluster.port())),
            ("/mnt/offsite/odoo-backup", text(&project.path("offsite"))),
            ("/tmp/production.zip", text(&work.join("production.zip"))),
            ("/tmp/lost.xml", text(&work.join("lost.xml"))),
            ("/usr/lib/postgresql/15/bin", text(cluster.bin("pg_dump").parent().unwrap())),
        ];
        let config = text(&settings.join("config.toml"));
        let program = odoo_backup!(&config).searching_in(work).env("ODOO_BACKUP_CONFIG", &config).env("TZ", "UTC");
        Self { project, program, names }
    }

    /// Starts one with a configuration and a backup.
    async fn with_a_backup() -> Self {
        let sandbox = Self::start().await;
        sandbox.run("odoo-backup init").await.unwrap().success();
        sandbox.run("odoo-backup now").await.unwrap().success();
        sandbox
    }

    fn config(&self) -> PathBuf {
        self.project.path("settings/config.toml")
    }

    fn here(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (documented, actual)| text.replace(documented, actual))
    }

    fn documented(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (documented, actual)| text.replace(actual, documented))
    }

    /// Edits the configuration: adds or changes keys of an existing section, and adds other
    /// sections at its end.
    fn configure(&self, lines: &str) {
        let mut config = fs::read_to_string(self.config()).unwrap();
        for section in self.here(lines).split_inclusive("\n\n") {
            let header = section.lines().next().unwrap_or_default().to_owned() + "\n";
            let keys = &section[header.len()..];
            match config.find(&format!("\n{header}")) {
                Some(at) => {
                    let begin = at + 1 + header.len();
                    let end = config[begin..].find("\n[").map_or(config.len(), |length| begin + length + 1);
                    let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
                    let is_changed = |line: &&str| {
                        key(line).is_some_and(|name| keys.lines().any(|own| key(own) == Some(name.clone())))
                    };
                    let rest: String =
                        config[begin..end].split_inclusive('\n').filter(|line| !is_changed(line)).collect();
                    config.replace_range(begin..end, &format!("{keys}{rest}"));
                }
                None => config.push_str(&format!("\n{section}")),
            }
        }
        fs::write(self.config(), config).unwrap();
    }

    /// Runs a command of the program; `None` for any other command.
    async fn run(&self, command: &str) -> Option<Run> {
        let mut words = words(&self.here(command));
        if words.starts_with(&["sudo".to_owned(), "-u".to_owned(), "odoo".to_owned()]) {
            words.drain(..3);
        }
        if words.first().is_none_or(|program| program != "odoo-backup") {
            return None;
        }
        if words.contains(&"now".to_owned()) {
            self.work_for_a_day().await;
        }
        if words.contains(&"init".to_owned()) && !self.config().exists() {
            // The real configuration of this machine is not used.
            let repository = format!("file://{}", self.project.repository().display());
            words.extend(["--odoo-conf".into(), self.here("/etc/odoo/odoo.conf"), "--repository".into(), repository]);
        }
        Some(self.program.run(&words[1..]).await)
    }

    /// Adds and removes attachments between two backups.
    async fn work_for_a_day(&self) {
        let instance = self.project.repository().join(INSTANCE);
        let days = fs::read_dir(instance).map_or(0, |backups| backups.count() as u64);
        if days > 0 {
            let client = self.project.cluster().connect(INSTANCE).await;
            shape().day_of_activity(&client, &self.project.filestore(), days).await.unwrap();
        }
    }

    /// Returns what a terminal shows after a command, with the names of the pages.
    fn shown(&self, run: &Run) -> Vec<String> {
        let lines = run.stderr.lines().filter(|line| !is_progress(&masked(line))).chain(run.stdout.lines());
        lines.map(|line| self.documented(line).trim_end().to_owned()).collect()
    }

    /// Runs a page from top to bottom.
    async fn walk(&self, name: &str) {
        let page = Page::read(name);
        let (mut ran, mut known, mut differences) = (Vec::new(), Vec::new(), String::new());
        for block in page.blocks() {
            let steps = match block {
                Block::Toml(lines) => {
                    self.configure(&page.text(&lines));
                    continue;
                }
                Block::Console(steps) => steps,
            };
            for step in steps {
                let (command, shown) = (page.command(&step), page.output(&step));
                let Some(run) = self.run(&replaced(&command, &known)).await else {
                    assert!(shown.is_empty(), "{name}: the output of `{command}` is not the program's");
                    let files = words(&command).into_iter().filter(|word| word.starts_with("deploy/"));
                    files.for_each(|file| assert!(root().join(&file).exists(), "{name}: there is no {file}"));
                    ran.push((step, Vec::new()));
                    continue;
                };
                if shown.is_empty() {
                    run.success();
                    ran.push((step, Vec::new()));
                    continue;
                }
                let printed = self.shown(&run);
                known.extend(same_names(&shown, &printed));
                differences.push_str(&difference(&command, &shown, &printed));
                ran.push((step, printed));
            }
        }
        if !differences.is_empty() && std::env::var("ODOO_BACKUP_SNAPSHOTS").is_ok_and(|value| value == "update") {
            page.write(&ran, &known);
            return;
        }
        assert!(
            differences.is_empty(),
            "{name}:\n{differences}if this is meant: ODOO_BACKUP_SNAPSHOTS=update writes it"
        );
    }
}

/// Creates the folders of the installed modules, with their data about neutralization.
fn addons(project: &Project) -> PathBuf {
    let addons = project.path("addons");
    let modules = project.cluster().execute(INSTANCE, "SELECT name FROM ir_module_module WHERE state = 'installed'");
    for module in modules.lines() {
        fs::create_dir_all(addons.join(module).join("data")).unwrap();
        fs::write(addons.join(module).join("__manifest__.py"), "{}").unwrap();
    }
    let sql = "UPDATE ir_mail_server SET active = false;\nUPDATE ir_cron SET active = false;\n";
    fs::write(addons.join("base/data/neutralize.sql"), sql).unwrap();
    addons
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns the words of a command line, as a shell reads them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[tokio::test]
async fn readme_shows_real_output() {
    Sandbox::start().await.walk("README.md").await;
}

#[test]
fn readme_names_existing_make_targets() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let named: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("make ")).collect();
    assert!(!named.is_empty());
    for target in named.into_iter().filter_map(|line| line.split(' ').next()) {
        assert!(makefile.contains(&format!("\n{target}: ")), "{target}");
    }
}

#[tokio::test]
async fn one_server_page_shows_real_output() {
    Sandbox::start().await.walk("docs/back-up-one-server.md").await;
}

#[tokio::test]
async fn staging_page_shows_real_output() {
    Sandbox::with_a_backup().await.walk("docs/staging-copy.md").await;
}

#[tokio::test]
async fn deletions_page_shows_real_output() {
    let sandbox = Sandbox::with_a_backup().await;
    sandbox.configure("[target.staging]\nodoo_conf = \"/etc/odoo/odoo.conf\"\ndatabase = \"staging\"\n");
    sandbox.walk("docs/somebody-deleted-something.md").await;
}

#[tokio::test]
async fn disaster_page_shows_real_output() {
    let sandbox = Sandbox::with_a_backup().await;
    sandbox.project.cluster().psql_as(SUPERUSER, SUPERUSER, &format!("DROP DATABASE {INSTANCE}"));
    fs::remove_dir_all(sandbox.project.data_dir()).unwrap();
    sandbox.walk("docs/server-is-gone.md").await;
}
