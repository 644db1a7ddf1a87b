//! Created `tests/frozen/format-2` once, and in an earlier version `tests/frozen/format-1`. It is
//! kept as a record, and as the base for creating one of a later format.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::OdooBackup;
use harness::odoo::OdooShape;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};
use serde_json::Value;

use super::brief;
use super::content::{Backup, Content, Expected};

/// Names the folder to create it in, which must not exist.
const FOLDER: &str = "ODOO_BACKUP_FREEZE_INTO";

/// A file that is not named by a digest. It has two versions.
const STYLE: &str = "addons/theme.css";
/// Larger than a frame, and than 8 MiB.
const ZEROS: &str = "addons/zeros.bin";
const EMPTY: &str = "addons/empty";
const LONG: &str = "addons/a folder whose name is long enough for GNU tar/to need an entry of its own for it, which a hundred bytes are/größe of the file.txt";
/// The single files that are fetched.
pub(crate) const PATHS: [&str; 4] = [STYLE, ZEROS, EMPTY, LONG];

/// The instance, and what is recorded about its backups while they are made.
struct Making {
    project: Project,
    program: OdooBackup,
    shape: OdooShape,
    made: Vec<(String, Content)>,
}

impl Making {
    async fn begin() -> Self {
        let shape = OdooShape {
            users: 3,
            partners: 12,
            messages: 24,
            attachments: 24,
            filestore_bytes: 12_000,
            ..OdooShape::default()
        };
        let options = ProjectOptions { source: Source::Shape(shape.clone()), ..ProjectOptions::default() };
        let project = Project::with(options).await;
        let url = format!("url = \"file://{}\"", project.repository().display());
        project.write_config(&url, "[instance.production.retention]\nkeep_last = 100\n");
        let program = odoo_backup!(project.config());
        program.run(["init"]).await.success();
        project.cluster().execute(INSTANCE, "SELECT lo_from_bytea(0, 'a large object')");
        let making = Self { project, program, shape, made: Vec::new() };
        making.write(STYLE, b"body { color: black }");
        making.write(ZEROS, &vec![0; 9 << 20]);
        making.write(EMPTY, b"");
        making.write(LONG, b"a file under a long name");
        making
    }

    fn path(&self, path: &str) -> PathBuf {
        self.project.filestore().join(path)
    }

    fn write(&self, path: &str, content: &[u8]) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }

    async fn a_day(&self, seed: u64) -> Vec<String> {
        let client = self.project.cluster().connect(INSTANCE).await;
        let changed = self.shape.day_of_activity(&client, &self.project.filestore(), seed).await.unwrap();
        changed.added.into_iter().collect()
    }

    /// Makes a backup of the current state. `edit` adjusts the content that is expected of it.
    async fn now(&mut self, code: i32, edit: impl FnOnce(&mut Content)) -> String {
        let mut content = Content::of(self.project.cluster(), INSTANCE, &self.project.filestore()).await;
        edit(&mut content);
        let now = self.program.run(["now", "--json"]).await.expect_code(code).json();
        let id = now["backups"][0]["id"].as_str().unwrap().to_owned();
        self.made.push((id.clone(), content));
        id
    }

    async fn run(&self, arguments: &[&str], code: i32) {
        self.program.run(arguments).await.expect_code(code);
    }

    fn object(&self, id: &str, name: &str) -> PathBuf {
        self.project.repository().join(INSTANCE).join(id).join(name)
    }
}

#[tokio::test]
#[ignore = "creates a frozen repository in $ODOO_BACKUP_FREEZE_INTO; existing ones are never recreated"]
async fn current_format_repository_is_created() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    fs::create_dir(&folder).unwrap();
    let mut making = Making::begin().await;

    // The first is of format 1, with a full proof of it.
    making.project.set_format_1();
    let first = making.now(0, |_| {}).await;
    making.run(&["upgrade"], 0).await;
    making.run(&["restore", "--to", "staging", "--verify", "full"], 0).await;

    // A day later: new files, deleted files, a second version. The operator pins it.
    making.a_day(1).await;
    making.write(STYLE, b"body { color: blue; background: white }");
    fs::remove_file(making.path(EMPTY)).unwrap();
    let second = making.now(0, |_| {}).await;
    making.run(&["pin", &second, "--note", "before the upgrade"], 0).await;

    // One without a new file, in which a restored copy shows damage.
    making.project.cluster().execute(INSTANCE, "UPDATE res_partner SET name = name || ' & Co.' WHERE id = 7");
    making.now(0, |_| {}).await;
    making.run(&["drill"], 0).await;
    let volume = making.object(&first, "filestore-0001.tar.zst");
    let intact = fs::read(&volume).unwrap();
    fs::write(&volume, &intact[..intact.len() - 1]).unwrap();
    making.run(&["drill"], 13).await;
    fs::write(&volume, intact).unwrap();
    making.run(&["check", "--read-data"], 0).await;

    // One that a repair quarantines.
    let lost = making.now(0, |_| {}).await;
    let own_volume = "find . -name 'database-*.zst' ! -name '*.index.zst' -exec sh -c 'printf short >\"$1\"' sh {} \\;";
    let lost_folder = making.object(&lost, ".");
    assert!(Command::new("sh").arg("-c").arg(own_volume).current_dir(lost_folder).status().unwrap().success());
    making.run(&["repair"], 3).await;
    making.made.pop();

    // One with every kind of warning that can be produced here, and dropping figures, which the
    // operator accepts.
    let held = making.made[2].1.clone();
    let names = making.a_day(2).await;
    let [damaged, missing] = [&names[0], &names[1]];
    making.write(damaged, b"not what its name says");
    let rescued = held.files.keys().find(|path| path.len() == 43 && making.path(path).exists()).unwrap();
    [missing, rescued].into_iter().for_each(|path| fs::remove_file(making.path(path)).unwrap());
    symlink("theme.css", making.path("addons/link")).unwrap();
    let others = format!("store_fname IS NULL OR store_fname NOT IN ('{damaged}', '{missing}', '{rescued}')");
    making.project.cluster().execute(INSTANCE, &format!("DELETE FROM ir_attachment WHERE id % 2 = 0 AND ({others})"));
    let content = held.files[rescued].clone();
    making.now(3, |it| drop(it.files.insert(rescued.clone(), content.clone()))).await;
    // One whose dump is based on it, with the same findings.
    making.project.cluster().execute(INSTANCE, "UPDATE res_partner SET name = name || ' SA' WHERE id = 9");
    making.now(3, |it| drop(it.files.insert(rescued.clone(), content))).await;
    making.run(&["prune", INSTANCE, "--accept-shrunk"], 0).await;

    // Another instance, imported from a file.
    let zip = making.project.path("odoo.zip");
    making.run(&["export", &first, "-o", zip.to_str().unwrap()], 0).await;
    let imported = making.program.run(["import", zip.to_str().unwrap(), "--as", "archive", "--json"]).await;
    let imported = imported.success().json()["id"].as_str().unwrap().to_owned();
    let content = making.made[0].1.clone();
    making.made.push((imported, content));

    making.run(&["check", "--read-data=50%"], 0).await;
    write_expected(&making, &folder).await;
}

async fn write_expected(making: &Making, folder: &Path) {
    let list = making.program.run(["list", "--json"]).await.success().json();
    let mut backups = Vec::new();
    for listed in list["backups"].as_array().unwrap() {
        let id = listed["id"].as_str().unwrap();
        let content = making.made.iter().find(|(made, _)| made == id).unwrap().1.clone();
        let shown = making.program.run(["show", id, "--json"]).await.success().json();
        let pin_note = shown["pin_note"].as_str().map(str::to_owned);
        backups.push(Backup { listed: brief(listed), pin_note, content });
    }
    let check = making.program.run(["check", "--json"]).await.success().json();
    let set_aside = check["set_aside"].as_array().unwrap().iter().map(|name: &Value| name.as_str().unwrap().to_owned());
    let expected = Expected { backups, set_aside: set_aside.collect() };
    let mut text = serde_json::to_string_pretty(&expected).unwrap();
    text.push('\n');
    fs::write(folder.join("expected.json"), text).unwrap();
    super::copy_private(&making.project.repository(), &folder.join("repository"));
}
