//! Odoo's own program and modules.

use std::path::{Path, PathBuf};

use super::Sourced;

/// Where Odoo's program is: Debian's package and the Docker image, and installations from source.
const USUAL: [&str; 5] =
    ["usr/bin/odoo", "opt/odoo/odoo-bin", "opt/odoo/odoo/odoo-bin", "odoo/odoo-bin", "opt/odoo-server/odoo-bin"];

/// Returns Odoo's program if it is in a usual place.
pub(super) fn usual(root: &Path) -> Option<Sourced<PathBuf>> {
    let path = USUAL.iter().map(|path| root.join(path)).find(|path| path.is_file())?;
    Some(Sourced { value: path, source: "a usual place".into() })
}

/// Returns the folders of modules next to Odoo's program, as in its source tree.
pub(super) fn modules(program: &Path) -> Option<Sourced<Vec<PathBuf>>> {
    let folder = program.parent()?;
    let folders: Vec<_> =
        ["addons", "odoo/addons"].iter().map(|name| folder.join(name)).filter(|path| path.is_dir()).collect();
    (!folders.is_empty()).then(|| Sourced { value: folders, source: format!("next to {}", program.display()) })
}
