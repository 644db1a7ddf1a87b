//! Tests a full disk: a small tmpfs, if the test may mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::compare::file_paths;
use harness::odoo::OdooShape;
use harness::project::{Project, ProjectOptions, Source};

use crate::faults::{assert_failed, initialised, replace_tool};

/// A file system of a few megabytes. It is unmounted when dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one. If this user may not mount, prints that and returns `None`.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let option = format!("size={size},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(at).status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: a full disk needs the privilege to mount a tmpfs");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The file that fills the disk.
const FILLER: &str = "filler";

/// Fills the disk when pg_restore is asked for its version, which is after the check for free
/// space.
fn fill_after_space_check(project: &Project, filler: &Path) {
    replace_tool(project, "pg_restore", "exec \"$REAL\" \"$@\"");
    let (tool, filler) = (project.path("tools/pg_restore"), filler.display());
    let script = std::fs::read_to_string(&tool).unwrap();
    let fill = format!("\n[ -e '{filler}' ] || head -c 16777216 /dev/zero >'{filler}'\ncase");
    std::fs::write(tool, script.replace("\ncase", &fill)).unwrap();
}

/// A file of the target that is replaced.
const FILE: &str = "staging/ab/abcdef0123456789abcdef0123456789abcdef01";

async fn project() -> Project {
    let shape = OdooShape { filestore_bytes: 20_000_000, ..OdooShape::default() };
    Project::with(ProjectOptions { source: Source::Shape(shape), ..ProjectOptions::default() }).await
}

#[tokio::test]
async fn full_repository_disk_fails_backup() {
    let project = project().await;
    let Some(_disk) = SmallDisk::mount(&project.repository(), "8m") else { return };
    let program = initialised(&project).await;
    let run = program.run(["now"]).await;
    assert!(run.stderr.contains("hint: free some space"), "{}", run.stderr);
    assert_failed(run, "no space left");
    assert_eq!(file_paths(&project.repository()), [Path::new("RESTORE.txt"), Path::new("repository.json")]);
}

#[tokio::test]
async fn full_target_disk_fails_restore() {
    let project = project().await;
    let program = initialised(&project).await;
    program.run(["now"]).await.success();
    let place = project.path("small");
    let Some(_disk) = SmallDisk::mount(&place, "24m") else { return };
    fill_after_space_check(&project, &place.join(FILLER));
    let config = std::fs::read_to_string(project.config()).unwrap();
    let (before, target) = config.split_once("[target.staging]").unwrap();
    let target = format!("[target.staging]\nfilestore = \"{}/staging\"{target}", place.display());
    std::fs::write(project.config(), format!("{before}{target}")).unwrap();
    // Once without a target, and once over an existing one.
    for existing in [false, true] {
        if existing {
            project.cluster().create_database("staging");
            project.cluster().execute("staging", "CREATE SCHEMA mine");
            std::fs::create_dir_all(place.join(FILE).parent().unwrap()).unwrap();
            std::fs::write(place.join(FILE), "mine").unwrap();
        }
        let run = program.run(["restore", "--to", "staging"]).await;
        std::fs::remove_file(place.join(FILLER)).unwrap();
        assert!(run.stderr.contains("hint: free some space"), "{}", run.stderr);
        assert_failed(run, "No space left on device");
        if existing {
            assert_eq!(file_paths(&place), [Path::new(FILE)]);
            assert_eq!(project.cluster().databases(), ["production", "staging"]);
            project.cluster().execute("staging", "DROP SCHEMA mine");
        } else {
            assert!(file_paths(&place).is_empty());
            assert_eq!(project.cluster().databases(), ["production"]);
        }
    }
    // If the lack of space is visible before, the restore does not start.
    std::fs::write(place.join(FILLER), vec![0; 16 << 20]).unwrap();
    let run = program.run(["restore", "--to", "staging"]).await;
    assert!(run.stderr.contains("reason: the filestore needs 19.07 MiB, and "), "{}", run.stderr);
    assert_failed(run, "the restore was refused");
}
