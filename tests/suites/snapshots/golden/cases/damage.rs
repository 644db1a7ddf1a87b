//! Reports of damage, and `repair`.

use std::fs;

use harness::project::{INSTANCE, TARGET};

use super::super::{Walk, next_second};
use crate::main_job::damage::flip_a_bit;

pub(in super::super) async fn all(walk: &mut Walk) {
    let newest = walk.ids().await.pop().unwrap();
    flip_a_bit(&walk.object(&newest, "tables.zst"));
    walk.show("Damage that can be repaired", &["check", "--read-data", "--instance", INSTANCE]).await;
    walk.show("A dry run", &["repair", "--dry-run", INSTANCE]).await;
    walk.show("Damage that can be repaired", &["repair", INSTANCE]).await;
    flip_a_bit(&walk.object(&newest, "database.map.zst"));
    walk.show("The dump is damaged", &["drill", &newest]).await;
    walk.show("The dump of the latest backup is damaged", &["restore", "--to", TARGET]).await;
    walk.show("The dump is damaged", &["check", "--read-data", "--instance", INSTANCE]).await;
    walk.show("The newest backup is damaged", &["list"]).await;
    walk.show("A damaged backup", &["show", &newest]).await;
    walk.show("The newest backup is damaged", &["status"]).await;
    walk.show("Damage that cannot be repaired", &["repair", INSTANCE]).await;
    walk.show("A quarantined backup", &["list"]).await;
    walk.show("A quarantined backup", &["check"]).await;
    walk.show("A quarantined backup", &["copy", "--all", "--to", "offsite"]).await;
    next_second().await;
    walk.service.program.run(["now", INSTANCE]).await;
    let next = walk.ids().await.pop().unwrap();
    fs::write(walk.object(&next, "manifest.json"), "{}").unwrap();
    walk.show("A manifest is damaged", &["list"]).await;
    walk.show("A manifest is damaged", &["prune", INSTANCE]).await;
    walk.show("A manifest is damaged", &["show", &next]).await;
    fs::remove_dir_all(walk.project().repository().join(INSTANCE)).unwrap();
    walk.show("Backups are gone that the daemon made", &["list"]).await;
}
