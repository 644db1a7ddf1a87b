//! Checks that database and files of a backup belong to one moment. Users add, replace and delete
//! attachments and Odoo's collector removes files during the backups. In each backup every
//! attachment must have its file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::process::Stdio;

use config::Config;
use engine::export;
use engine::fetch::attachments;
use engine::filestore::read_files;
use engine::manifest::{Manifest, Volume};
use engine::odoo::Attachment;
use engine::repository::Repository;
use engine::run::Run;
use engine::store::Key;
use harness::cli::OdooBackup;
use harness::odoo::OdooShape;
use harness::odoo::live::{ActivitySummary, Live};
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET};
use sha1::{Digest, Sha1};

/// Returns a small instance, so that a backup takes a moment and many fit into a minute.
async fn project(hold: &str) -> (Project, OdooBackup) {
    let shape =
        OdooShape { messages: 40, attachments: 50, filestore_bytes: 60_000, partners: 20, ..OdooShape::default() };
    let project = Project::with(ProjectOptions { source: Source::Shape(shape), ..ProjectOptions::default() }).await;
    let config = fs::read_to_string(project.config()).unwrap();
    let named = "database = \"production\"\n";
    fs::write(project.config(), config.replacen(named, &format!("{named}hold_filestore_gc = \"{hold}\"\n"), 1))
        .unwrap();
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    (project, program)
}

/// Makes backups while the instance is in use. Returns the exit code and the id of each.
async fn make_backups(project: &Project, program: &OdooBackup, count: usize) -> (Vec<(i32, String)>, ActivitySummary) {
    let live = Live::start(project.cluster(), INSTANCE, &project.filestore()).await;
    let mut made = Vec::new();
    for _ in 0..count {
        let run = program.run(["now", "--json"]).await;
        let code = run.code.unwrap();
        assert!([0, 3].contains(&code), "{code}: {}\n{}", run.stdout, run.stderr);
        made.push((code, run.json()["backups"][0]["id"].as_str().unwrap().to_owned()));
    }
    (made, live.stop().await)
}

/// Reads what backups would restore. It reads each volume once.
struct Reader {
    repository: Repository,
    /// Whether the content of each file of a volume matches its SHA-1 name.
    volumes: HashMap<Key, BTreeMap<String, bool>>,
}

impl Reader {
    async fn open(project: &Project) -> Self {
        let config = Config::load(&project.config()).unwrap();
        Self { repository: Repository::at(&config.repository).await.unwrap(), volumes: HashMap::new() }
    }

    /// Returns the files of a backup, and whether the content of each matches its name.
    async fn files(&mut self, manifest: &Manifest) -> BTreeMap<String, bool> {
        let mut files = BTreeMap::new();
        for volume in &manifest.filestore.volumes {
            files.extend(self.volume(volume).await);
        }
        if let Some(removed) = &manifest.filestore.removed {
            let paths =
                self.repository.read(removed, |paths| BufReader::new(paths).split(0).collect::<io::Result<Vec<_>>>());
            for path in paths.await.unwrap() {
                files.remove(std::str::from_utf8(&path).unwrap());
            }
        }
        assert_eq!(files.len() as u64, manifest.filestore.files, "{}", manifest.id);
        files
    }

    async fn volume(&mut self, volume: &Volume) -> BTreeMap<String, bool> {
        if let Some(known) = self.volumes.get(&volume.object.key) {
            return known.clone();
        }
        let read = self.repository.read(&volume.object, |archive| {
            let mut files = BTreeMap::new();
            read_files(archive, |path, _, content| {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                files.insert(path.to_owned(), path.ends_with(&sha1(&bytes)));
                Ok(())
            })?;
            Ok(files)
        });
        let files = read.await.unwrap();
        self.volumes.insert(volume.object.key.clone(), files.clone());
        files
    }

    /// Returns the files in a backup's list of attachments.
    async fn named(&self, manifest: &Manifest) -> BTreeSet<String> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let send = move |attachment: Attachment| {
            attachment.path.map_or(Ok(()), |path| sender.send(path).map_err(io::Error::other))
        };
        let run = Run::default();
        let read = attachments(&self.repository, manifest, send, &run);
        read.await.unwrap();
        receiver.iter().collect()
    }

    /// Returns the files that the rows of `ir_attachment` in a backup's dump name.
    async fn dumped(&self, project: &Project, manifest: &Manifest) -> BTreeSet<String> {
        let path = project.path("database.dump");
        let file = File::create(&path).unwrap();
        export::dump(&self.repository, manifest, file, &Run::default()).await.unwrap();
        let mut pg_restore = project.cluster().command("pg_restore", "odoo");
        pg_restore
            .args(["--data-only", "--table=ir_attachment", "--file=-"])
            .stdin(Stdio::from(File::open(path).unwrap()));
        let rows = pg_restore.output().unwrap();
        assert!(rows.status.success(), "{}", String::from_utf8_lossy(&rows.stderr));
        store_fnames(&String::from_utf8(rows.stdout).unwrap())
    }
}

/// Returns the column `store_fname` of a `COPY … FROM stdin`.
fn store_fnames(copy: &str) -> BTreeSet<String> {
    let mut lines = copy.lines().skip_while(|line| !line.starts_with("COPY public.ir_attachment ("));
    let (_, columns) = lines.next().unwrap().split_once('(').unwrap();
    let column = columns.split([',', ')']).position(|name| name.trim() == "store_fname").unwrap();
    let values = lines.take_while(|line| *line != "\\.").map(|line| line.split('\t').nth(column).unwrap().to_owned());
    values.filter(|value| value.get(2..3) == Some("/")).collect()
}

fn sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Restores a backup and checks that the file of each row exists and matches its name.
async fn restore_and_compare(project: &Project, program: &OdooBackup, id: &str, incomplete: &[&String]) {
    program.run(["restore", id, "--to", TARGET, "--jobs", "1"]).await.success();
    let query = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname LIKE '__/%'";
    let named = project.cluster().execute(TARGET, query);
    for name in named.lines().filter(|name| !incomplete.iter().any(|incomplete| incomplete == name)) {
        let content =
            fs::read(project.target_filestore().join(name)).unwrap_or_else(|error| panic!("{id}: {name}: {error}"));
        assert!(name.ends_with(&sha1(&content)), "{id}: {name} has another content");
    }
    project.cluster().execute("postgres", &format!("DROP DATABASE {TARGET}"));
    fs::remove_dir_all(project.target_filestore()).unwrap();
}

/// Checks that the attachments of each backup have their files: according to its own documents, to
/// its dump, and to a restore. Files that it reports as deleted are excused. Returns how many
/// backups report any.
async fn assert_each_pair_complete(project: &Project, program: &OdooBackup, backups: &[(i32, String)]) -> usize {
    let mut incomplete_pairs = 0;
    let mut reader = Reader::open(project).await;
    for (number, (code, id)) in backups.iter().enumerate() {
        let manifest = reader.repository.find(id, Some(INSTANCE)).await.unwrap();
        let findings = reader.repository.findings(&manifest).await.unwrap();
        assert!(findings.missing.is_empty(), "{id}: {findings:?}");
        assert_eq!(*code == 0, manifest.warnings.is_empty(), "{id}: {:?}", manifest.warnings);
        let files = reader.files(&manifest).await;
        let named = reader.named(&manifest).await;
        // A deleted file may be in the middle of being created again, so half of it exists.
        let excused: Vec<_> = [&findings.deleted, &findings.damaged, &findings.changed].into_iter().flatten().collect();
        let (incomplete, complete): (Vec<_>, Vec<_>) = named.iter().partition(|name| files.get(*name) != Some(&true));
        assert!(incomplete.iter().all(|name| excused.contains(name)), "{id}: {incomplete:?}, {findings:?}");
        assert!(complete.len() > 20, "{id}: {named:?}");
        if number % 5 == 0 {
            assert_eq!(reader.dumped(project, &manifest).await, named, "{id}");
        }
        if number % 30 == 0 {
            restore_and_compare(project, program, id, &incomplete).await;
        }
        incomplete_pairs += usize::from(!incomplete.is_empty());
    }
    incomplete_pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_of_busy_instance_is_complete() {
    let (project, program) = project("auto").await;
    let (backups, summary) = make_backups(&project, &program, 100).await;
    println!("{} backups, {summary:?}", backups.len());
    assert!(summary.collected > 0 && summary.refused > 0 && summary.changes > 100, "{summary:?}");
    let incomplete = assert_each_pair_complete(&project, &program, &backups).await;
    assert_eq!(incomplete, 0, "the collector was kept out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collector_without_hold_causes_no_missing() {
    let (project, program) = project("never").await;
    let (backups, summary) = make_backups(&project, &program, 40).await;
    println!("{} backups, {summary:?}", backups.len());
    assert!(summary.collected > 0 && summary.changes > 100, "{summary:?}");
    let incomplete = assert_each_pair_complete(&project, &program, &backups).await;
    println!("{incomplete} with files that were deleted before they could be read");
}
