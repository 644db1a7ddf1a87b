//! Where a folder of a container is on this machine.

use std::fs;
use std::path::{Path, PathBuf};

/// One line of `mountinfo`, see proc_pid_mountinfo(5).
struct Mount {
    /// Major and minor number of the file system.
    device: String,
    /// Which folder of the file system is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
}

/// Returns the path on this machine of a folder that is mounted into the container of a process
/// (`proc/PID`); `None` if it is not a mount, or cannot be seen from here.
pub(super) fn on_host(process: &Path, inside: &Path) -> Option<PathBuf> {
    let its = fs::read_to_string(process.join("mountinfo")).ok()?;
    let own = fs::read_to_string(process.parent()?.join("self/mountinfo")).ok()?;
    translate(&own, &its, inside)
}

fn translate(own: &str, its: &str, inside: &Path) -> Option<PathBuf> {
    let mount = mounts(its).into_iter().rfind(|mount| mount.point == inside)?;
    let covering = |own: &Mount| own.device == mount.device && mount.root.starts_with(&own.root);
    // The longest root is the nearest.
    let nearest = mounts(own).into_iter().filter(covering).max_by_key(|own| own.root.as_os_str().len())?;
    let rest = mount.root.strip_prefix(&nearest.root).ok()?;
    Some(nearest.point.join(rest).components().collect())
}

fn mounts(text: &str) -> Vec<Mount> {
    let plain = |field: &str| PathBuf::from(field.replace("\\040", " ").replace("\\134", "\\"));
    let mount = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        Some(Mount { device: (*fields.get(2)?).to_owned(), root: plain(fields.get(3)?), point: plain(fields.get(4)?) })
    };
    text.lines().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n30 22 254:16 / /srv rw - ext4 /dev/vdb rw\n";

    #[test]
    fn volume_of_container_is_found() {
        let its = "99 90 254:1 /var/lib/docker/volumes/shop_data/_data /var/lib/odoo rw - ext4 /dev/vda1 rw\n";
        let expected = Path::new("/var/lib/docker/volumes/shop_data/_data");
        assert_eq!(translate(OWN, its, Path::new("/var/lib/odoo")).as_deref(), Some(expected));
        assert_eq!(translate(OWN, its, Path::new("/etc/odoo")), None);
    }

    #[test]
    fn bind_mount_of_disk_is_found() {
        let its = "99 90 254:16 /odoo\\040data /var/lib/odoo rw - ext4 /dev/vdb rw\n";
        assert_eq!(translate(OWN, its, Path::new("/var/lib/odoo")).as_deref(), Some(Path::new("/srv/odoo data")));
    }

    #[test]
    fn unseen_file_system_is_not_found() {
        let its = "99 90 0:50 / /var/lib/odoo rw - nfs server:/odoo rw\n";
        assert_eq!(translate(OWN, its, Path::new("/var/lib/odoo")), None);
    }
}
