//! `prune` and `forget`, and backups with warnings.

use std::fs;

use harness::project::INSTANCE;

use super::super::super::commands::{age, attachment_files, remove_most_files};
use super::super::Walk;

pub(in super::super) async fn all(walk: &mut Walk) {
    let files = attachment_files(walk.project());
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], "damaged").unwrap();
    walk.project().write_settled("odd", "a file that no attachment names");
    walk.show("With warnings", &["now", INSTANCE]).await;
    let repository = walk.project().repository();
    age(&repository);
    walk.show("A dry run", &["prune", "--dry-run"]).await;
    walk.show("As of a later day", &["prune", "--dry-run", "--as-of", "2100-12-24"]).await;
    walk.show("As of no day", &["prune", "--dry-run", "--as-of", "tomorrow"]).await;
    walk.show("After the backup", &["now", INSTANCE, "--prune"]).await;
    walk.show("A dry run", &["forget", "latest", "--dry-run"]).await;
    walk.show("Without --yes", &["forget", "latest"]).await;
    let proven = walk.ids().await.remove(0);
    walk.show("The newest verified backup", &["forget", &proven[..16], "--yes"]).await;
    walk.show("A backup", &["forget", "latest", "--yes"]).await;
    remove_most_files(walk.project());
    walk.show("Most files are gone", &["now", INSTANCE]).await;
    fs::write(repository.join(INSTANCE).join(".tmp-left"), "half").unwrap();
    age(&repository);
    walk.show("The newest backup is much smaller", &["prune", "--repack", "--dry-run"]).await;
    walk.show("The smaller backup is accepted", &["prune", INSTANCE, "--repack", "--accept-shrunk"]).await;
    walk.show("Backups with warnings", &["list"]).await;
    walk.show("Every column", &["list", "--long"]).await;
    walk.show("With warnings", &["show", "latest"]).await;
    walk.show("Without an instance", &["prune", "--accept-shrunk"]).await;
}
