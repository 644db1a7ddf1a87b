//! Compose projects with Odoo, and volumes of containers with a filestore.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::surroundings::Surroundings;
use super::{Clue, Sourced};

/// Where compose projects usually are.
const FOLDERS: [&str; 4] = ["opt", "srv", "root", "home"];
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
/// Where Docker and Podman keep volumes.
const VOLUMES: [&str; 2] = ["var/lib/docker/volumes", "var/lib/containers/storage/volumes"];

/// Returns the data folder in the only volume that has one, and what was found.
pub(super) fn look(surroundings: &Surroundings) -> (Option<Sourced<PathBuf>>, [Clue; 2]) {
    let (volume, volumes) = volumes(&surroundings.root);
    (volume, [projects(surroundings), volumes])
}

fn projects(surroundings: &Surroundings) -> Clue {
    const WHAT: &str = "compose project";
    let mut folders = vec![surroundings.folder.clone()];
    let mut denied = Vec::new();
    for top in FOLDERS.iter().map(|folder| surroundings.root.join(folder)) {
        folders.push(top.clone());
        let inside = subfolders(&top, &mut denied);
        // Below `home`, a project is in a folder of its user.
        folders.extend(inside.iter().flat_map(|folder| subfolders(folder, &mut denied)));
        folders.extend(inside);
    }
    let files = folders.iter().flat_map(|folder| FILES.iter().map(|name| folder.join(name)));
    let mut found: Vec<_> = files.filter_map(|path| Some(format!("{} ({})", path.display(), image(&path)?))).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [] if !denied.is_empty() => Clue::unknown(WHAT, format!("no permission to look into {}", denied.join(", "))),
        [] => Clue::not_found(WHAT, "looked in the current folder, /opt, /srv, /root and /home"),
        found => {
            let source = "to back it up from its own network, see docs/docker-compose.md";
            Clue::found(WHAT, found.join("; "), source)
        }
    }
}

fn subfolders(folder: &Path, denied: &mut Vec<String>) -> Vec<PathBuf> {
    const MOST: usize = 200;
    match fs::read_dir(folder) {
        Ok(entries) => {
            let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.map(|entry| entry.path()).take(MOST).collect()
        }
        Err(error) => {
            if error.kind() == ErrorKind::PermissionDenied {
                denied.push(folder.display().to_string());
            }
            Vec::new()
        }
    }
}

/// Returns the image of Odoo that a compose file names.
fn image(path: &Path) -> Option<String> {
    let text = engine::small_file::read_to_string(path).ok()?;
    let images = text.lines().filter_map(|line| line.trim().strip_prefix("image:"));
    images.map(|image| image.trim().trim_matches(['"', '\''])).find(|image| is_odoo(image)).map(Into::into)
}

/// Returns whether an image is Odoo's: `odoo:18`, `registry.example.com/acme/odoo`.
fn is_odoo(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    let name = last.split([':', '@']).next().unwrap_or_default();
    name == "odoo" || name.starts_with("odoo-") && !name.starts_with("odoo-backup")
}

fn volumes(root: &Path) -> (Option<Sourced<PathBuf>>, Clue) {
    const WHAT: &str = "container volume";
    let (mut found, mut denied, mut looked) = (Vec::new(), None, false);
    for folder in VOLUMES.iter().map(|folder| root.join(folder)) {
        match fs::read_dir(&folder) {
            Ok(entries) => {
                looked = true;
                let data = entries.flatten().map(|entry| entry.path().join("_data"));
                found.extend(data.filter(|data| data.join("filestore").is_dir()));
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => denied = Some(folder),
            Err(_) => {}
        }
    }
    found.sort();
    let names = || found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    match (found.as_slice(), denied) {
        ([only], _) => {
            let source = "a volume of a container".to_owned();
            (Some(Sourced { value: only.clone(), source }), Clue::found(WHAT, names(), "it has a folder `filestore`"))
        }
        ([], Some(folder)) => (None, Clue::unknown(WHAT, format!("no permission to look into {}", folder.display()))),
        ([], None) if looked => (None, Clue::not_found(WHAT, "no volume has a folder `filestore`")),
        ([], None) => (None, Clue::not_found(WHAT, "no volumes of Docker or Podman on this machine")),
        (_, _) => (None, Clue::unknown(WHAT, format!("several have a folder `filestore`: {}", names()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_odoo_are_recognised() {
        for (image, expected) in [
            ("odoo:18", true),
            ("odoo", true),
            ("registry.example.com:5000/acme/odoo@sha256:1", true),
            ("ghcr.io/oca/odoo-ci:1", true),
            ("odoo-backup:0.1", false),
            ("postgres:15", false),
            ("odoo/postgres", false),
        ] {
            assert_eq!(is_odoo(image), expected, "{image}");
        }
    }
}
