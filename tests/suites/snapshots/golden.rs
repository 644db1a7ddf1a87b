//! Compares what every command prints for people with `tests/golden`: its help, its usual cases and
//! its most frequent errors.
//!
//! One instance goes through all of it, next to the walk that records JSON documents.
//! `ODOO_BACKUP_SNAPSHOTS=update` writes the files.

mod cases;
mod mask;
mod pages;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use harness::cli::{OdooBackup, Run};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project};
use harness::receiver::Receiver;

use self::mask::Masks;
use self::pages::Pages;
use super::commands::configuration;
use crate::daemon::Service;

/// Width of the terminal that help is wrapped for, in columns.
const COLUMNS: &str = "80";

/// Runs commands, and adds their output to their pages.
struct Walk {
    service: Service,
    pages: Pages,
    masks: Masks,
    /// Receives notices.
    receiver: Receiver,
}

/// Waits until the clock shows the next second. pg_dump writes the second into the head of a dump:
/// if two dumps were made in the same one, nothing would be new in the second dump.
async fn next_second() {
    let second = || jiff::Timestamp::now().as_second();
    let begun = second();
    while second() == begun {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

impl Walk {
    async fn start() -> Self {
        let mut service = Service::of(Project::start().await);
        service.program = at_columns(service.program);
        let receiver = Receiver::start();
        let masks = Masks::of(&service.project, service.program.home());
        let walk = Self { service, pages: Pages::default(), masks, receiver };
        walk.configure();
        walk
    }

    /// Writes the configuration of the JSON walk, with schedules whose order does not depend on the
    /// day.
    fn configure(&self) {
        let more = configuration(&self.service.project, &self.receiver);
        let more = more.replace("30 4 * * 1", "30 4 1 1 *").replace("0 5 * * 0", "0 5 1 1 *");
        self.service.configure("schedule = \"0 2 1 1 *\"\ntimezone = \"Europe/Brussels\"", &more);
        self.service.project.write_target_keys("");
    }

    /// Runs a command, and shows it on the page of its name.
    async fn show(&mut self, title: &str, arguments: &[&str]) {
        if arguments[0] == "now" {
            next_second().await;
        }
        let run = self.service.program.run(arguments).await;
        self.note(arguments[0], title, arguments, &run);
    }

    /// Shows a run of another program, such as one with another configuration.
    async fn show_of(&mut self, program: &OdooBackup, title: &str, arguments: &[&str]) {
        let run = program.run(arguments).await;
        self.note(arguments[0], title, arguments, &run);
    }

    fn note(&mut self, page: &str, title: &str, arguments: &[&str], run: &Run) {
        self.pages.add(page, title, arguments, run, &mut self.masks);
    }

    /// Shows a file that a command wrote.
    fn show_file(&mut self, page: &str, path: &Path) {
        self.pages.add_file(page, path, &mut self.masks);
    }

    fn project(&self) -> &Project {
        &self.service.project
    }

    fn object(&self, id: &str, name: &str) -> PathBuf {
        self.project().repository().join(INSTANCE).join(id).join(name)
    }

    /// Returns the ids of the instance's backups, oldest first.
    async fn ids(&self) -> Vec<String> {
        let backups = self.service.backups().await;
        let of = backups.iter().filter(|backup| backup["instance"] == INSTANCE);
        of.map(|backup| backup["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// Returns a program whose help and times do not depend on the test machine.
fn at_columns(program: OdooBackup) -> OdooBackup {
    program.env("COLUMNS", COLUMNS).env("TZ", "UTC").env("NO_COLOR", "1")
}

/// Returns a program with another configuration of the project.
fn with_config(project: &Project, name: &str, text: &str) -> OdooBackup {
    let path = project.path(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    at_columns(odoo_backup!(path))
}

/// Returns the commands that have a manual page, as `odoo-backup manual` names them.
async fn commands(program: &OdooBackup, folder: &Path) -> Vec<String> {
    program.run(["manual", folder.to_str().unwrap()]).await.success();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut commands: Vec<_> =
        names.filter_map(|name| Some(name.strip_prefix("odoo-backup-")?.strip_suffix(".1")?.to_owned())).collect();
    commands.sort();
    commands
}

#[tokio::test]
async fn commands_print_what_golden_files_show() {
    let mut walk = Walk::start().await;
    let commands = commands(&walk.service.program, &walk.project().path("manual")).await;
    cases::general::all(&mut walk).await;
    for command in &commands {
        let arguments: Vec<_> = command.split('-').chain(["--help"]).collect();
        walk.show("Help", &arguments).await;
    }
    cases::set_up::all(&mut walk).await;
    cases::copies::all(&mut walk).await;
    cases::daemon::all(&mut walk).await;
    cases::removals::all(&mut walk).await;
    cases::damage::all(&mut walk).await;
    let mut pages: Vec<_> = commands.iter().map(|command| command.split('-').next().unwrap()).collect();
    pages.push("odoo-backup");
    pages.sort_unstable();
    pages.dedup();
    let mut shown = walk.pages.commands();
    shown.sort_unstable();
    assert_eq!(shown, pages, "each command has a page");
    walk.pages.assert_unchanged();
}
