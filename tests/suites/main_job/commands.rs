//! Tests the output of the commands, for operators and for programs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use harness::compare::file_paths;
use harness::odoo_backup;
use harness::postgres::{ClusterOptions, SUPERUSER};
use harness::project::{Project, ProjectOptions};

use crate::main_job::{initialised, program};

#[tokio::test]
async fn init_writes_usable_configuration_once() {
    let project = Project::start().await;
    let config = project.path("new.toml");
    let program = odoo_backup!(&config);
    let url = format!("file://{}", project.path("backups of odoo").display());
    let odoo_conf = project.odoo_conf("production");
    let arguments = ["init", "--odoo-conf", odoo_conf.to_str().unwrap(), "--repository", &url];
    let init = program.run(arguments).await.success();
    assert!(init.stdout.contains("wrote the configuration"), "{}", init.stdout);
    assert!(init.stdout.contains("created the repository"), "{}", init.stdout);
    assert_eq!(fs::metadata(&config).unwrap().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&config).unwrap().contains("[instance.production]"));
    assert!(project.path("backups of odoo/repository.json").exists());

    program.run(["now"]).await.success();
    program.run(["doctor"]).await.success();

    let before = fs::read(&config).unwrap();
    let refused = program.run(arguments).await.expect_code(2);
    assert!(refused.stderr.contains("already exists"), "{}", refused.stderr);
    let again = program.run(["init", "--json"]).await.success().json();
    assert_eq!((&again["config"]["written"], &again["repository"]["made"]), (&false.into(), &false.into()));
    assert_eq!(fs::read(&config).unwrap(), before);
}

/// A user of every Debian who owns nothing.
const OTHER_USER: &str = "daemon";

#[tokio::test]
async fn root_asks_database_as_odoo() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can ask as another user");
        return;
    }
    let access = format!("local all {OTHER_USER} peer\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n");
    let files = vec![("pg_hba.conf".to_owned(), access)];
    let cluster = ClusterOptions { files, ..ClusterOptions::default() };
    let project = Project::with(ProjectOptions { cluster, ..ProjectOptions::default() }).await;
    let cluster = project.cluster();
    let role = format!("CREATE ROLE {OTHER_USER} LOGIN IN ROLE {}", cluster.user());
    cluster.psql_as(SUPERUSER, "postgres", &role);

    let folder = tempfile::tempdir().unwrap();
    let conf = folder.path().join("odoo.conf");
    let text = format!(
        "[options]\ndb_host = {}\ndb_port = {}\ndb_user = {OTHER_USER}\ndata_dir = {}\n",
        cluster.socket_dir().display(),
        cluster.port(),
        project.data_dir().display()
    );
    fs::write(&conf, text).unwrap();
    for path in [folder.path(), cluster.socket_dir()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let url = format!("file://{}", project.path("new").display());
    let arguments = ["init", "--odoo-conf", conf.to_str().unwrap(), "--repository", &url, "--yes"];
    let init = odoo_backup!(&project.path("new.toml")).run(arguments).await.success();
    let expected = format!("databases: production (Odoo 17.0) (asked PostgreSQL as {OTHER_USER})");
    assert!(init.stdout.contains(&expected), "{}", init.stdout);

    // A role without a user is asked for as the owner of odoo.conf, which is root here.
    fs::write(&conf, fs::read_to_string(&conf).unwrap().replace(OTHER_USER, "absent")).unwrap();
    let init = odoo_backup!(&project.path("other.toml")).run(arguments).await.success();
    assert!(init.stdout.contains("could not tell") && !init.stdout.contains("asked PostgreSQL"), "{}", init.stdout);
}

#[tokio::test]
async fn now_list_and_show_agree() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    assert!(program.run(["list"]).await.success().stdout.contains("no backups yet"));
    let first = program.run(["now", "--json"]).await.success().json();
    let second = program.run(["now", "production", "--json"]).await.success().json();
    let ids = [&first, &second].map(|now| now["backups"][0]["id"].as_str().unwrap().to_owned());

    let list = program.run(["list", "--json"]).await.success().json();
    let listed: Vec<_> =
        list["backups"].as_array().unwrap().iter().map(|backup| backup["id"].as_str().unwrap()).collect();
    assert_eq!(listed, ids);
    let backup = &list["backups"][0];
    assert_eq!(backup["instance"], "production");
    assert_eq!(backup["odoo_series"], "17.0");
    assert!(backup["created_at"].as_str().unwrap().ends_with('Z'));
    let files = file_paths(&project.filestore()).into_iter().filter(|path| !path.starts_with("checklist"));
    assert_eq!(backup["filestore"]["files"], files.count());

    let text = program.run(["list"]).await.success().stdout;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0] == "production" && lines[1].starts_with("BACKUP "), "{text}");
    assert!(lines[2].starts_with(&ids[0]) && lines[3].starts_with(&ids[1]), "{text}");
    assert!(lines[4].starts_with("2 backups, ") && lines[4].contains(" stored, ") && lines.len() == 5, "{text}");

    for selector in [ids[1].as_str(), "latest", "production/latest", &format!("production/{}", ids[1])] {
        let show = program.run(["show", selector, "--json"]).await.success().json();
        assert_eq!(show["id"], ids[1].as_str(), "{selector}");
    }
    let show = program.run(["show", &ids[0]]).await.success().stdout;
    assert!(show.contains("database-0001.zst") && show.contains("Odoo 17.0"), "{show}");

    let beginning = program.run(["show", "20"]).await.expect_code(1);
    assert!(beginning.stderr.contains("is the start of 2 ids"), "{}", beginning.stderr);
    let none = program.run(["show", "1999", "--json"]).await.expect_code(1).json();
    assert_eq!(none["error"]["exit_code"], 1);
    assert!(none["error"]["message"].as_str().unwrap().starts_with("no backup \"1999\" in file://"), "{none}");
    assert!(none["error"]["hint"].as_str().unwrap().contains("odoo-backup list"));
    program.run(["list", "no-such-instance"]).await.success();
}

#[tokio::test]
async fn restore_replaces_target_undo_reverts() {
    let project = Project::start().await;
    project.write_target_keys("");
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let nothing = program.run(["restore", "--undo", "--to", "staging"]).await.expect_code(1);
    assert!(nothing.stderr.contains("no previous state of staging is kept"), "{}", nothing.stderr);

    program.run(["restore", "--to", "staging"]).await.success();
    project.cluster().execute("staging", "CREATE TABLE mine (x int)");
    fs::write(project.target_filestore().join("mine"), "x").unwrap();
    assert!(program.run(["doctor"]).await.success().stdout.contains("a restore keeps the previous state for undo"));
    let restored = program.run(["restore", "--to", "staging", "--json"]).await.success().json();
    let former = restored["former"]["database"].as_str().unwrap().to_owned();
    assert!(former.starts_with("staging_before_20"), "{former}");
    assert_eq!(project.cluster().databases(), ["production", "staging", &former]);
    let folder = project.target_filestore().with_file_name(&former);
    assert_eq!(restored["former"]["filestore"], folder.to_str().unwrap());
    assert!(folder.join("mine").exists() && !project.target_filestore().join("mine").exists());
    let is_mine = || project.cluster().execute("staging", "SELECT to_regclass('mine') IS NOT NULL").trim() == "t";
    assert!(!is_mine());

    let undone = program.run(["restore", "--undo", "--to", "staging"]).await.success();
    assert!(
        undone.stdout.starts_with("staging: previous state restored\n  previous      \"staging_before_20"),
        "{}",
        undone.stdout
    );
    assert!(is_mine() && project.target_filestore().join("mine").exists());
    program.run(["restore", "--undo", "--to", "staging"]).await.success();
    assert!(!is_mine());

    let again = program.run(["restore", "--to", "staging", "--drop-previous"]).await.success();
    assert!(!again.stdout.contains("to undo"), "{}", again.stdout);
    assert_eq!(project.cluster().databases(), ["production", "staging"]);
    let left = fs::read_dir(project.data_dir().join("filestore")).unwrap().count();
    assert_eq!(left, 2, "the two filestores, and no record of what is gone");
}

#[tokio::test]
async fn usage_errors_exit_2_with_hint() {
    let project = Project::start().await;
    let program = program(&project);
    let usage = program.run(["restore"]).await.expect_code(2);
    assert!(usage.stderr.contains("--to <TARGET>"), "{}", usage.stderr);
    let usage = program.run(["--json", "restore"]).await.expect_code(2).json();
    assert_eq!(usage["error"]["exit_code"], 2);
    let unknown = program.run(["now", "prodution"]).await.expect_code(2);
    assert!(unknown.stderr.contains("production"), "{}", unknown.stderr);
    let unknown = program.run(["restore", "--to", "stagin", "--json"]).await.expect_code(2).json();
    assert!(unknown.to_string().contains("staging"), "{unknown}");

    let none = program.run(["now"]).await.expect_code(10);
    assert!(
        none.stderr.contains("there is no repository in file://") || none.stderr.contains("does not exist"),
        "{}",
        none.stderr
    );
    assert!(none.stderr.contains("odoo-backup init"), "{}", none.stderr);

    fs::write(project.config(), "[repository]\nurl = \"file:///x\"\n[instance.production]\ndatabse = \"x\"\n").unwrap();
    let wrong = program.run(["now"]).await.expect_code(2);
    let expected = format!("{}:4: [instance.production]", project.config().display());
    assert!(wrong.stderr.contains(&expected) && wrong.stderr.contains("did you mean `database`?"), "{}", wrong.stderr);
}

#[tokio::test]
async fn version_help_and_completions_are_printed() {
    let project = Project::start().await;
    let program = program(&project);
    assert!(program.run(["--version"]).await.success().stdout.starts_with("odoo-backup "));
    assert!(program.run(["--help"]).await.success().stdout.contains("Examples:"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(program.run(["completions", shell]).await.success().stdout.contains("odoo-backup"));
    }
}

#[tokio::test]
async fn failed_instance_does_not_stop_others() {
    let project = Project::start().await;
    let url = format!("url = \"file://{}\"", project.repository().display());
    let odoo_conf = project.odoo_conf("production");
    let more = format!("[instance.another]\nodoo_conf = \"{}\"\ndatabase = \"missing\"\n", odoo_conf.display());
    project.write_config(&url, &more);
    let program = initialised(&project).await;
    let now = program.run(["now", "--json"]).await.expect_code(1).json();
    assert_eq!(now["backups"][0]["instance"], "production");
    assert_eq!(now["errors"][0]["instance"], "another");
    assert!(now["errors"][0]["hint"].as_str().unwrap().contains("database"), "{now}");
    let ambiguous = program.run(["now", "production", "--json"]).await.success();
    assert!(ambiguous.stderr.is_empty(), "{}", ambiguous.stderr);
}

/// On a new server, a target without `data_dir` cannot be restored to, and everything else works.
#[tokio::test]
async fn unknown_filestore_fails_where_needed() {
    let project = Project::start().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let cluster = project.cluster();
    let server = format!(
        "host = \"{}\"\nport = {}\nuser = \"{}\"\n",
        cluster.socket_dir().display(),
        cluster.port(),
        cluster.user()
    );
    let url = format!("file://{}", project.repository().display());
    let config = project.path("new-server.toml");
    let text = format!(
        "[repository]\nurl = \"{url}\"\n[instance.production]\ndatabase = \"production\"\n{server}\
         [target.staging]\ndatabase = \"staging\"\n{server}"
    );
    fs::write(&config, text).unwrap();
    let program = odoo_backup!(&config);

    let list = program.run(["list"]).await.success();
    assert!(list.stdout.contains("production"), "{}", list.stdout);
    assert!(list.stderr.contains("[target.staging] `data_dir` is missing"), "{}", list.stderr);
    for arguments in
        [&["now"][..], &["restore", "--to", "staging"], &["restore", "--dry-run", "--to", "staging"], &["drill"]]
    {
        let failed = program.run(arguments).await.expect_code(1);
        assert!(failed.stderr.contains("it is not known where the filestore is"), "{arguments:?}: {}", failed.stderr);
        assert!(failed.stderr.contains("hint: set `data_dir`"), "{arguments:?}: {}", failed.stderr);
    }
    let doctor = program.run(["doctor"]).await.expect_code(1);
    assert_eq!(doctor.stdout.matches("FAILED   filestore: it is not known").count(), 2, "{}", doctor.stdout);
}

/// Runs `init` on a terminal with these answers. Returns what the terminal shows.
fn init_on_terminal(config: &Path, odoo_conf: &Path, options: &str, answers: &str) -> String {
    let program = env!("CARGO_BIN_EXE_odoo-backup");
    let (config, odoo_conf) = (config.display(), odoo_conf.display());
    let command = format!("{program} --config {config} init --odoo-conf {odoo_conf} {options}");
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    script.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    shown
}

#[tokio::test]
async fn init_asks_on_terminal() {
    let project = Project::start().await;
    let conf = project.odoo_conf("production");
    let repository = format!("file://{}", project.path("answered").display());
    let config = project.path("asked.toml");
    let shown = init_on_terminal(&config, &conf, "", &format!("\nftp://x\n{repository}\nnever\n"));
    assert!(shown.contains("Databases to back up, with commas between them [production]: "), "{shown}");
    assert!(shown.contains("begin with file:/// or s3://"), "{shown}");
    assert!(shown.matches("]: ").count() <= 5, "{shown}");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains(&format!("url = \"{repository}\"")) && !text.contains("\nschedule = \"0 2"), "{text}");

    let options = format!("--yes --repository {repository}");
    let shown = init_on_terminal(&project.path("unasked.toml"), &conf, &options, "");
    assert!(!shown.contains("]: ") && shown.contains("wrote the configuration"), "{shown}");
}
