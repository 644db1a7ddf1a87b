//! `init`, `doctor`, `notify`, `schedule`, `completions` and `manual`, and commands in an empty
//! repository.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::odoo_backup;
use harness::project::INSTANCE;

use super::super::{Walk, at_columns, with_config};

pub(in super::super) async fn all(walk: &mut Walk) {
    init(walk).await;
    doctor(walk).await;
    others(walk).await;
    empty(walk).await;
}

async fn init(walk: &mut Walk) {
    walk.show("The repository does not exist", &["now"]).await;
    walk.show("The repository does not exist", &["doctor"]).await;
    walk.show("A configuration without a repository", &["init"]).await;
    walk.show("All of it exists", &["init"]).await;
    let conf = walk.project().odoo_conf(INSTANCE);
    let url = format!("file://{}", walk.project().path("other").display());
    let new = ["init", "--odoo-conf", conf.to_str().unwrap(), "--repository", &url];
    let program = at_columns(odoo_backup!(walk.project().path("new.toml")));
    walk.show_of(&program, "No configuration", &new).await;
    walk.show("A new repository for a configuration that exists", &new).await;
    let nowhere = at_columns(odoo_backup!(walk.project().path("missing/new.toml")));
    walk.show_of(&nowhere, "The folder of the configuration does not exist", &new).await;
    let other = at_columns(odoo_backup!(walk.project().path("another.toml")));
    let arguments = ["init", "--odoo-conf", "/srv/missing.conf", "--repository", &url];
    walk.show_of(&other, "odoo.conf does not exist", &arguments).await;
    let arguments = ["init", "--odoo-conf", conf.to_str().unwrap(), "--repository", "ftp://backup/odoo"];
    walk.show_of(&other, "A repository of an unknown kind", &arguments).await;
}

async fn doctor(walk: &mut Walk) {
    walk.show("No problems", &["doctor"]).await;
    fs::set_permissions(walk.project().repository(), fs::Permissions::from_mode(0o777)).unwrap();
    walk.show("What would be fixed", &["doctor", "--fix", "--dry-run"]).await;
    walk.show("What was fixed", &["doctor", "--fix"]).await;
    walk.show("A dry run of nothing", &["doctor", "--dry-run"]).await;
    let path = walk.project().config();
    let config = fs::read_to_string(&path).unwrap();
    let broken = config.replacen("database = \"production\"", "database = \"shop\"", 1).replace(
        "[target.mistake]",
        "[target.gone]\nodoo_conf = \"/srv/gone.conf\"\ndatabase = \"gone\"\n[target.mistake]",
    );
    let program = with_config(walk.project(), "broken.toml", &broken);
    walk.show_of(&program, "odoo.conf of a target does not exist", &["doctor"]).await;
    let broken = config.replacen("database = \"production\"", "database = \"shop\"", 1);
    let program = with_config(walk.project(), "broken.toml", &broken);
    walk.show_of(&program, "The database does not exist", &["doctor"]).await;
    walk.show_of(&program, "The database does not exist", &["now"]).await;
    let broken =
        config.replacen("database = \"production\"", "database = \"production\"\nhost = \"127.0.0.1\"\nport = 1", 1);
    let program = with_config(walk.project(), "broken.toml", &broken);
    walk.show_of(&program, "PostgreSQL does not answer", &["now"]).await;
}

async fn others(walk: &mut Walk) {
    walk.show("Next runs", &["schedule", "-n", "1"]).await;
    walk.show("An unknown instance", &["schedule", "prodution"]).await;
    walk.show("What is in force", &["config", "show"]).await;
    walk.show("One notifier fails", &["notify", "test"]).await;
    walk.show("One notifier", &["notify", "test", "hook"]).await;
    walk.show("A dry run", &["notify", "test", "broken", "--dry-run"]).await;
    walk.show("An unknown notifier", &["notify", "test", "hok"]).await;
    let manual = walk.project().path("manual");
    walk.show("Usual", &["manual", manual.to_str().unwrap()]).await;
    let config = walk.project().config();
    walk.show("The folder is a file", &["manual", config.to_str().unwrap()]).await;
    walk.show("An unknown shell", &["completions", "dash"]).await;
    let bare = format!("[repository]\nurl = \"file://{}\"\n", walk.project().repository().display());
    let program = with_config(walk.project(), "bare.toml", &bare);
    walk.show_of(&program, "No schedules", &["schedule"]).await;
    walk.show_of(&program, "No notifiers", &["notify", "test"]).await;
}

async fn empty(walk: &mut Walk) {
    walk.show("No backups", &["list"]).await;
    walk.show("No backups of an instance", &["list", "archive"]).await;
    walk.show("No backups", &["show", "latest"]).await;
    walk.show("No backups", &["check"]).await;
    walk.show("No backups", &["repair"]).await;
    walk.show("No backups", &["prune"]).await;
    walk.show("No backups", &["restore", "--to", "staging"]).await;
    walk.show("No locks", &["unlock"]).await;
    walk.show("The daemon has run nothing", &["runs"]).await;
    walk.show("The daemon has run nothing", &["logs", "latest"]).await;
    walk.show("No backup, and no daemon", &["status"]).await;
    walk.show("Critical, for Nagios", &["status", "--nagios"]).await;
}
