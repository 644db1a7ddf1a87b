//! Tests very many backups: the cost of listing them, planning their retention and checking those
//! of one instance.
//!
//! `make test` counts the requests to an S3 server. `make soak` also measures ten thousand backups
//! in a folder.

mod history;

use std::path::Path;
use std::time::Instant;

use config::Config;
use engine::repository::Repository;
use engine::store::{Key, Mode};
use engine::stream::body_of;
use futures::{StreamExt, TryStreamExt};
use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::project::{Project, ProjectOptions, Source};
use harness::proxy::Proxy;
use harness::seaweed::SeaweedFs;

use self::history::{History, instance};

/// Returns a project without a source, with these lines for the repository and this number of
/// instances.
async fn project(repository: Option<String>, instances: usize) -> (Project, OdooBackup) {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    let local = || format!("url = \"file://{}\"", project.repository().display());
    let section = |number| {
        let filestore = project.filestore();
        format!("[instance.{}]\ndatabase = \"x\"\nfilestore = \"{}\"\n", instance(number), filestore.display())
    };
    project.write_config(&repository.unwrap_or_else(local), &(0..instances).map(section).collect::<String>());
    let program = odoo_backup!(project.config());
    (project, program)
}

#[tokio::test]
#[ignore = "a measurement: make soak"]
async fn ten_thousand_backups_stay_manageable() {
    let (project, program) = project(None, 100).await;
    program.run(["init"]).await.success();
    let begun = Instant::now();
    History { instances: 100, backups: 100 }.write(&project.repository());
    println!("written in {:.1} s", begun.elapsed().as_secs_f64());
    let one = instance(7);
    let commands: [&[&str]; 5] =
        [&["list"], &["list", &one], &["prune", "--dry-run", &one], &["check", "--instance", &one], &["check"]];
    for arguments in commands {
        let begun = Instant::now();
        let run = program.run(arguments).await.success();
        let (command, mib) = (arguments.join(" "), run.peak_rss as f64 / (1 << 20) as f64);
        println!("{command:<32} {:>6.2} s {mib:>7.1} MiB", begun.elapsed().as_secs_f64());
    }
}

/// The requests of a run to the server.
#[derive(Debug, PartialEq, Eq)]
struct Requests {
    lists: usize,
    /// Reads of objects.
    reads: usize,
    /// Everything else.
    others: Vec<String>,
}

impl Requests {
    fn of(lines: Vec<String>) -> Self {
        let (lists, rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.contains("list-type=2"));
        let (reads, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|line| line.starts_with("GET "));
        Self { lists: lists.len(), reads: reads.len(), others }
    }
}

/// A repository on S3 with a count of all requests.
struct Counted {
    project: Project,
    program: OdooBackup,
    proxy: Proxy,
    _server: SeaweedFs,
}

impl Counted {
    /// Starts one with this history, of which this machine has no cache.
    async fn with(history: &History) -> Self {
        let server = SeaweedFs::start();
        let proxy = Proxy::start(server.port).await;
        let repository = format!(
            "url = \"s3://{}/odoo\"\nendpoint = \"http://127.0.0.1:{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
            server.bucket, proxy.port, server.access_key, server.secret_key
        );
        let (project, program) = project(Some(repository), history.instances).await;
        program.run(["init"]).await.success();
        let counted = Self { project, program, proxy, _server: server };
        let folder = counted.project.path("made");
        history.write(&folder);
        counted.store_files(&folder).await;
        counted.proxy.take_requests();
        counted
    }

    /// Stores the files of a folder that are missing in the repository.
    async fn store_files(&self, folder: &Path) {
        let config = Config::load(&self.project.config()).unwrap();
        let store = Repository::at(&config.repository).await.unwrap().store().clone();
        let there: Vec<Key> = store.list(None).map_ok(|object| object.key).try_collect().await.unwrap();
        let files = harness::compare::file_paths(folder).into_iter();
        let keys = files.map(|path| Key::new(path.to_str().unwrap()).unwrap()).filter(|key| !there.contains(key));
        let put = async |key: Key| {
            let bytes = std::fs::read(folder.join(key.as_str())).unwrap();
            store.put(&key, body_of(bytes), Mode::Replace).await.unwrap();
        };
        futures::stream::iter(keys).map(put).buffer_unordered(32).collect::<Vec<()>>().await;
    }

    async fn requests(&self, arguments: &[&str]) -> Requests {
        self.proxy.take_requests();
        let run = self.program.run(arguments).await.success();
        assert!(run.stdout.contains(&instance(0)) || run.stdout.contains("backups"), "{}", run.stdout);
        Requests::of(self.proxy.take_requests())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_commands_need_few_requests() {
    // Seven objects each, which are more than one page.
    let history = History { instances: 1, backups: 145 };
    let counted = Counted::with(&history).await;
    let one = instance(0);
    let (plan, check) = (["prune", "--dry-run", &one], ["check", "--instance", &one]);

    // `repository.json`, and each manifest.
    let list = counted.requests(&["list"]).await;
    assert_eq!((list.lists, list.reads), (2, 1 + 145), "{list:?}");
    // The plan reads the checksums as well, and checks whether figures were accepted.
    let first = counted.requests(&plan).await;
    assert_eq!((first.lists, first.reads), (2, 2 + 145), "{first:?}");
    for (arguments, reads) in [(&["list"][..], 1), (&plan, 2), (&check, 1)] {
        let again = counted.requests(arguments).await;
        assert_eq!((again.lists, again.reads), (2, reads), "{again:?}");
        assert!(
            again.others.len() <= 2,
            "whether an object has the instance's name, and the bucket is there: {again:?}"
        );
    }

    // One more.
    let folder = counted.project.path("made");
    History { backups: 146, ..history }.write(&folder);
    counted.store_files(&folder).await;
    assert_eq!(counted.requests(&check).await.reads, 1 + 2);
    assert_eq!(counted.requests(&["list"]).await.reads, 1, "what the check has read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unchanged_backup_needs_few_requests() {
    let server = SeaweedFs::start();
    let proxy = Proxy::start(server.port).await;
    let repository = format!(
        "url = \"s3://{}/odoo\"\nendpoint = \"http://127.0.0.1:{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
        server.bucket, proxy.port, server.access_key, server.secret_key
    );
    let project = Project::with(ProjectOptions { repository: Some(repository), ..ProjectOptions::default() }).await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    program.run(["now"]).await.success();
    proxy.take_requests();
    program.run(["now"]).await.success();
    let requests = proxy.take_requests();
    // The instance has fewer than a thousand objects.
    assert!(requests.len() <= 20 + 1, "{}: {requests:#?}", requests.len());
}
