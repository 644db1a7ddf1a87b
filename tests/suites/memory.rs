//! Tests that settings, and not the size of anything, limit the memory: measures the program's
//! peak, and that a larger instance does not raise it.
//!
//! `make test` runs sizes that take half a minute. `make soak` runs gigabytes in a release build,
//! on S3 too, and prints the figures.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::cli::OdooBackup;
use harness::odoo::OdooShape;
use harness::odoo_backup;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};
use harness::seaweed::SeaweedFs;

/// Sizes of the small and the large instance in megabytes, half of each in the database:
/// `"100 2000"`.
const SIZES: &str = "ODOO_BACKUP_TEST_SIZES_MB";
const MIB: u64 = 1 << 20;

/// One run of the program.
#[derive(Debug)]
struct Figures {
    command: &'static str,
    peak_rss: u64,
    wall: Duration,
}

fn sizes() -> [OdooShape; 2] {
    let text = std::env::var(SIZES).unwrap_or_else(|_| "100 300".into());
    let shapes: Vec<OdooShape> = text
        .split_whitespace()
        .map(|megabytes| megabytes.parse::<u64>().unwrap() * 1_000_000 / 2)
        .map(|half| OdooShape::sized(half, half))
        .collect();
    shapes.try_into().unwrap_or_else(|_| panic!("{SIZES} must be two sizes, not {text:?}"))
}

/// Backs up, reads the data back and restores. Prints what each took.
async fn measure(what: &str, project: &Project) -> Vec<Figures> {
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    let commands: [&[&str]; 4] =
        [&["now"], &["now"], &["check", "--read-data"], &["restore", "--to", "staging", "--jobs", "1"]];
    let mut figures = Vec::new();
    for arguments in commands {
        figures.push(run(&program, arguments).await);
    }
    for Figures { command, peak_rss, wall } in &figures {
        println!("{what:<40} {command:<8} {:>6.1} MiB {:>7.1} s", *peak_rss as f64 / MIB as f64, wall.as_secs_f64());
    }
    figures
}

async fn run(program: &OdooBackup, arguments: &[&'static str]) -> Figures {
    let start = Instant::now();
    let run = program.run(arguments).await.success();
    Figures { command: arguments[0], peak_rss: run.peak_rss, wall: start.elapsed() }
}

/// Measures both sizes, each with its own repository, and compares. `buffers`: how much of the
/// buffers of fixed size the small one may leave unused.
async fn assert_bounded(store: &str, buffers: u64, repository: impl Fn(usize) -> Option<String>) {
    let mut measured = Vec::new();
    for (number, shape) in sizes().into_iter().enumerate() {
        let what = format!("{store}, {} MB of files", shape.filestore_bytes / 1_000_000);
        let options = ProjectOptions {
            source: Source::Shape(shape),
            repository: repository(number),
            ..ProjectOptions::default()
        };
        measured.push(measure(&what, &Project::with(options).await).await);
    }
    for (small, large) in measured[0].iter().zip(&measured[1]) {
        let bound = small.peak_rss / 4 * 5 + buffers;
        assert!(large.peak_rss <= bound, "{store}: memory grows with the instance: {small:?}, {large:?}");
    }
}

#[tokio::test]
async fn memory_is_bounded_on_folder() {
    // Two volumes at a time, each with a batch of up to 8 MiB and its compressed form.
    assert_bounded("folder", 2 * 2 * 8 * MIB, |_| None).await;
}

#[tokio::test]
#[ignore = "long: make soak"]
async fn memory_is_bounded_on_s3() {
    let server = SeaweedFs::start();
    let repository = |number: usize| {
        Some(format!(
            "url = \"s3://{}/{number}\"\nendpoint = \"{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"",
            server.bucket, server.endpoint, server.access_key, server.secret_key
        ))
    };
    // Three uploads at a time, each with four parts of 8 MiB in transfer and one that is being
    // filled.
    assert_bounded("S3", 3 * 5 * 8 * MIB, repository).await;
}

/// Uses tiny files: the memory for each listed file adds up.
#[tokio::test]
#[ignore = "long: make soak"]
async fn memory_is_bounded_with_million_files() {
    let project = with_files(1_000_000).await;
    for figures in measure("1,000,000 files", &project).await {
        assert!(figures.peak_rss < 400 * MIB, "{figures:?}");
    }
}

#[tokio::test]
#[ignore = "long: make soak"]
async fn memory_is_bounded_in_large_folder() {
    let project = with_files(200_000).await;
    into_one_folder(&project);
    for figures in measure("200,000 files in one folder", &project).await {
        assert!(figures.peak_rss < 200 * MIB, "{figures:?}");
    }
}

async fn with_files(files: u64) -> Project {
    // Some attachments share a file, and some have none.
    let attachments = files * 2353 / 2000;
    let shape = OdooShape { attachments, filestore_bytes: files * 300, ..OdooShape::default() };
    Project::with(ProjectOptions { source: Source::Shape(shape), ..ProjectOptions::default() }).await
}

/// Moves every file into the filestore's folder `00`, in the database as well.
fn into_one_folder(project: &Project) {
    let filestore = project.filestore();
    fs::create_dir_all(filestore.join("00")).unwrap();
    let folders = fs::read_dir(&filestore).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.file_name() != Some("checklist".as_ref())).collect();
    for folder in folders.iter().filter(|folder| !folder.ends_with("00")) {
        move_files(folder, &filestore.join("00"));
        fs::remove_dir(folder).unwrap();
    }
    let sql = "UPDATE ir_attachment SET store_fname = '00/' || checksum WHERE store_fname IS NOT NULL";
    project.cluster().execute(INSTANCE, sql);
}

fn move_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::rename(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
