//! Runs the commands of `docs/restore-by-hand.md`, which `init` puts into the repository, unchanged
//! and compares the result with the source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::compare::{assert_same_database, assert_same_tree};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/restore-by-hand.md");

/// Returns the text between ```` ```sh ```` and ```` ``` ```` in the document, in its order.
fn commands(project: &Project) -> Vec<String> {
    let document = fs::read_to_string(project.repository().join("RESTORE.txt")).unwrap();
    assert_eq!(document, fs::read_to_string(DOCUMENT).unwrap());
    let blocks = document.split("\n```sh\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// Returns the commands that restore. The last command in the document fetches a single file.
fn to_restore(project: &Project) -> String {
    let commands = commands(project);
    commands[..commands.len() - 1].join("\n")
}

/// Runs a script in a shell with the variables that the reader sets according to the document, and
/// with its own temporary folder.
fn shell(project: &Project, backup: &Path, script: &str) -> Output {
    let cluster = project.cluster();
    let temporary = project.path("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let mut shell = Command::new("sh");
    cluster.set_environment(&mut shell, cluster.user());
    let programs = cluster.bin("pg_restore").parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).unwrap();
    shell.env("PATH", path).env("TMPDIR", &temporary).env("LC_ALL", "C");
    let backup = backup.strip_prefix(project.repository()).unwrap();
    shell
        .env("repository", project.repository())
        .env("backup", backup)
        .env("database", TARGET)
        .env("filestore", project.target_filestore());
    shell.env("path", some_file(&project.filestore()).unwrap_or_default());
    shell.args(["-eu", "-c", script]).output().unwrap()
}

/// Returns the last file of a filestore, as in `ir_attachment.store_fname`.
fn some_file(filestore: &Path) -> Option<String> {
    let last = |folder: &Path| fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().file_name()).max();
    let folders = fs::read_dir(filestore).ok()?.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let folder = folders.filter(|name| name.len() == 2).max()?;
    let file = last(&filestore.join(&folder))?;
    Some(format!("{folder}/{}", file.into_string().unwrap()))
}

#[track_caller]
fn assert_success(output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{}\nstdout:\n{stdout}\nstderr:\n{stderr}", output.status);
    stdout.into_owned()
}

/// Backs up and returns the folder of the backup.
async fn back_up(project: &Project) -> PathBuf {
    let program = odoo_backup!(project.config());
    if !project.repository().exists() {
        program.run(["init"]).await.success();
    }
    let now = program.run(["now", "--json"]).await.json();
    project.repository().join("production").join(now["backups"][0]["id"].as_str().unwrap())
}

#[tokio::test]
async fn documented_commands_restore_backup() {
    let project = Project::start().await;
    // The last of three backups is based on all three: one file is new, one has changed, and one
    // was deleted.
    let odd = |name: &str| project.filestore().join(name);
    for (changed, more) in [("old", "gone"), ("newer", "other")] {
        fs::write(odd("odd"), changed).unwrap();
        project.write_settled(more, more);
        back_up(&project).await;
    }
    fs::remove_file(odd("gone")).unwrap();
    fs::write(odd("odd"), "the newest").unwrap();
    // Names with characters that end list entries and patterns too early.
    fs::create_dir(odd("new\nfolder")).unwrap();
    for name in ["new\nfolder/x", "a \"quote\" \\ and \\n", "tab\t bell\u{7} é", "-rf", "  two"] {
        project.write_settled(name, name);
    }
    let tables = r#"CREATE TABLE "x COMMENT - EXTENSION y" AS SELECT 7 AS id"#;
    project.cluster().execute(INSTANCE, tables);
    let backup = back_up(&project).await;
    assert!(backup.join("filestore-removed.zst").exists());
    let restored = assert_success(&shell(&project, &backup, &to_restore(&project)));
    assert!(restored.contains("manifest.json: OK") && restored.contains(" files\n"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;
    let rows = project.cluster().execute(TARGET, r#"SELECT id FROM "x COMMENT - EXTENSION y""#);
    assert_eq!(rows.trim(), "7");
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    assert_eq!(fs::read_dir(project.path("temporary")).unwrap().count(), 0);

    let one = assert_success(&shell(&project, &backup, commands(&project).last().unwrap()));
    let path = some_file(&project.filestore()).unwrap();
    assert!(one.contains(": OK"), "{one}");
    let file = project.path("temporary").join(Path::new(&path).file_name().unwrap());
    assert!(fs::read(file).unwrap() == fs::read(project.filestore().join(&path)).unwrap(), "{path}");
}

#[tokio::test]
async fn documented_commands_restore_five_volumes() {
    let project = Project::start().await;
    let mut backup = PathBuf::new();
    for number in 1..=5 {
        let table = format!(
            "CREATE TABLE noise_{number} AS SELECT n, sha512(('{number} ' || n)::bytea) AS noise FROM generate_series(1, 3000) n"
        );
        project.cluster().execute(INSTANCE, &table);
        backup = back_up(&project).await;
    }
    let show = odoo_backup!(project.config()).run(["show", "latest", "--json"]).await.json();
    assert_eq!(show["database"]["volumes"], 5, "{}", show["database"]);
    let restored = assert_success(&shell(&project, &backup, &to_restore(&project)));
    assert!(restored.contains("database.dump: OK"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;
    assert_eq!(fs::read_dir(project.path("temporary")).unwrap().count(), 0);
}

#[tokio::test]
async fn documented_commands_restore_repacked_backup() {
    let project = Project::start().await;
    let odd = |name: &str| project.filestore().join(name);
    let many: Vec<String> = (0..200).map(|number| format!("odd-{number}")).collect();
    many.iter().for_each(|name| fs::write(odd(name), name.repeat(5000)).unwrap());
    back_up(&project).await;
    many[..190].iter().for_each(|name| fs::remove_file(odd(name)).unwrap());
    fs::write(odd("odd-199"), "the newest").unwrap();
    let backup = back_up(&project).await;
    let program = odoo_backup!(project.config());
    let retention =
        "[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\nhold_if_shrunk = 100\n";
    project.write_config(&format!("url = \"file://{}\"", project.repository().display()), retention);
    let before = fs::read(backup.join("SHA256SUMS")).unwrap();
    let done = program.run(["prune", "--repack", "--json"]).await.success().json();
    assert_eq!(done["instances"][0]["repacked"]["backups"].as_array().unwrap().len(), 1, "{done}");
    // No backup references the former objects any more, and the commands must not need them.
    for former in ["filestore-0001.tar.zst", "filestore-0001.files.zst"] {
        for folder in fs::read_dir(project.repository().join("production")).unwrap().map(|entry| entry.unwrap().path())
        {
            if folder != backup && folder.join(former).exists() {
                fs::remove_file(folder.join(former)).unwrap();
            }
        }
    }
    // The same after an interruption between the manifest and the checksums: the checksums list two
    // manifests, and this is one of them.
    let after = fs::read(backup.join("SHA256SUMS")).unwrap();
    fs::write(backup.join("SHA256SUMS"), [after.clone(), before].concat()).unwrap();
    let restored = assert_success(&shell(&project, &backup, &to_restore(&project)));
    assert!(restored.contains("manifest.json: OK") && restored.contains(" files\n"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;
    assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
    program.run(["check", "--read-data"]).await.success();
    fs::write(backup.join("SHA256SUMS"), after).unwrap();

    let one = assert_success(&shell(&project, &backup, commands(&project).last().unwrap()));
    assert!(one.contains(": OK"), "{one}");
}

#[tokio::test]
async fn documented_commands_restore_backup_without_files() {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    let backup = back_up(&project).await;
    let restored = assert_success(&shell(&project, &backup, &to_restore(&project)));
    assert!(restored.contains("0 of 0 files"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;
}

/// Returns the commands of [`to_restore`], with a change to each copied file before it is compared.
fn to_restore_changed(project: &Project, change: &str) -> String {
    let commands = to_restore(project);
    let (fill, compare) = commands.split_once("unescape=").unwrap();
    format!("{fill}\n{change}\nunescape={compare}")
}

#[tokio::test]
async fn documented_commands_find_changed_files() {
    let project = Project::start().await;
    project.write_settled("a\nb", "x");
    let backup = back_up(&project).await;
    for change in [
        r#"printf y > "$filestore/$(printf 'a\nb')""#,
        r#"mv "$filestore/$(printf 'a\nb')" "$filestore/$(printf 'a\nc')""#,
        r#"printf more > "$filestore/more""#,
        r#"rm "$filestore/$(printf 'a\nb')""#,
    ] {
        let stopped = shell(&project, &backup, &to_restore_changed(&project, change));
        assert!(!stopped.status.success(), "{change}: {stopped:?}");
        let cluster = project.cluster();
        cluster.execute("postgres", "DROP DATABASE staging");
        fs::remove_dir_all(project.target_filestore()).unwrap();
        fs::remove_dir_all(project.path("temporary")).unwrap();
    }
    // Without a change, the same commands succeed.
    assert_success(&shell(&project, &backup, &to_restore_changed(&project, ":")));
}

#[tokio::test]
async fn documented_commands_stop_at_damage() {
    let project = Project::start().await;
    let first = back_up(&project).await;
    let backup = back_up(&project).await;
    // Damage in the manifest, and in a volume of an earlier backup.
    for (object, said) in [
        (backup.join("manifest.json"), "manifest.json: FAILED"),
        (first.join("filestore-0001.tar.zst"), "filestore-0001.tar.zst: FAILED"),
    ] {
        let intact = fs::read(&object).unwrap();
        let mut damaged = intact.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&object, damaged).unwrap();
        let stopped = shell(&project, &backup, &to_restore(&project));
        assert!(!stopped.status.success());
        assert!(String::from_utf8_lossy(&stopped.stdout).contains(said), "{stopped:?}");
        assert!(!project.cluster().has_database(TARGET));
        fs::write(&object, intact).unwrap();
    }
}

#[tokio::test]
async fn special_objects_survive_manual_restore() {
    let project = Project::start().await;
    let cluster = project.cluster();
    cluster.psql_as("postgres", "postgres", "ALTER ROLE odoo SUPERUSER");
    cluster.execute(
        "production",
        "CREATE EXTENSION IF NOT EXISTS unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE;
         CREATE TABLE accents (name text, plain text GENERATED ALWAYS AS (unaccent(name)) STORED);
         INSERT INTO accents VALUES ('été'); CREATE INDEX ON accents (upper(unaccent(name)));
         CREATE TABLE \"x COMMENT - EXTENSION y\" (id int); CREATE TABLE \"SUBSCRIPTION - z\" (id int);
         CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
         CREATE TABLE parted (k int) PARTITION BY LIST (k); CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1);
         INSERT INTO parted SELECT 1 FROM generate_series(1, 200000);
         CREATE TRIGGER fires AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION never()",
    );
    let before = back_up(&project).await;
    let restored = assert_success(&shell(&project, &before, &to_restore(&project)));
    assert!(restored.contains("manifest.json: OK"), "{restored}");
    assert_same_database(project.database(), project.target_database()).await;

    // What a copy must not have, because a manual restore is such a copy too.
    cluster.psql_as("postgres", "postgres", "DROP DATABASE staging");
    fs::remove_dir_all(project.target_filestore()).unwrap();
    cluster.execute(
        "production",
        "CREATE FUNCTION nothing() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION nothing(); COMMENT ON EVENT TRIGGER watcher IS 'w';
         CREATE PUBLICATION one_table FOR TABLE accents; COMMENT ON PUBLICATION one_table IS 'p';
         CREATE SUBSCRIPTION follower CONNECTION 'host=nowhere.invalid dbname=x' PUBLICATION p WITH (connect = false)",
    );
    let backup = back_up(&project).await;
    assert_success(&shell(&project, &backup, &to_restore(&project)));
    let left = "SELECT (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_publication),
        (SELECT count(*) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid WHERE datname = 'staging')";
    assert_eq!(cluster.execute(TARGET, left).trim(), "0|0|0");
}

#[tokio::test]
async fn locale_provider_survives_manual_restore() {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    let cluster = project.cluster();
    let has_icu = cluster.psql_as(
        "postgres",
        "postgres",
        "SELECT EXISTS (SELECT FROM pg_collation WHERE collname LIKE '%-x-icu')",
    );
    if cluster.version() < 15 || has_icu.trim() != "t" {
        eprintln!("skipped: the server has no databases with a locale of ICU");
        return;
    }
    let create = "CREATE DATABASE production TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LC_COLLATE 'C' LC_CTYPE 'C'";
    cluster.execute("postgres", "DROP DATABASE production");
    cluster.execute("postgres", create);
    let backup = back_up(&project).await;
    assert_success(&shell(&project, &backup, &to_restore(&project)));
    let provider = "SELECT datlocprovider, coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') FROM pg_database d WHERE datname = current_database()";
    assert_eq!(cluster.execute(TARGET, provider).trim(), "i|de-DE");
}
