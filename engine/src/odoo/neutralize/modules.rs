//! The SQL of Odoo's modules that neutralizes them: `data/neutralize.sql` of each, from 16.0 on.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Sql;
use super::error::NeutralizeError;

/// The place in Odoo's own packages for Debian and Ubuntu, and in its Docker images.
const USUAL_PLACE: &str = "/usr/lib/python3/dist-packages/odoo";

/// Odoo in the place of its packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Usual {
    /// It has the copy's series.
    Addons(PathBuf),
    /// It has another series: its modules have other tables.
    OtherSeries(String),
    Nothing,
}

/// Looks there for Odoo of this series (`17.0`).
pub(super) fn usual_place(series: &str) -> Usual {
    usual(Path::new(USUAL_PLACE), series)
}

fn usual(odoo: &Path, series: &str) -> Usual {
    let Ok(release) = fs::read_to_string(odoo.join("release.py")) else { return Usual::Nothing };
    // `version_info = (17, 0, 0, FINAL, 0, '')`
    let numbers = release.lines().find_map(|line| line.strip_prefix("version_info = ("));
    let Some(numbers) = numbers else { return Usual::Nothing };
    let numbers: Vec<_> = numbers.split(',').take(2).map(|number| number.trim().trim_matches('\'')).collect();
    let found = numbers.join(".");
    let addons = odoo.join("addons");
    match addons.join("base/__manifest__.py").is_file() {
        true if found == series => Usual::Addons(addons),
        true => Usual::OtherSeries(found),
        false => Usual::Nothing,
    }
}

/// The installed modules found below the folders of modules.
#[derive(Debug, Default)]
pub(super) struct FoundModules {
    /// The SQL of those that have any, that of `base` first.
    pub(super) scripts: Vec<Sql>,
    /// Those not found below the folders, of which it is unknown whether they have any.
    pub(super) not_found: Vec<String>,
}

impl FoundModules {
    /// Looks for `modules`. The first folder with a module is the one that Odoo uses.
    pub(super) fn look_for(modules: &BTreeSet<String>, addons_path: &[PathBuf]) -> Result<Self, NeutralizeError> {
        let folders = with_base(addons_path);
        let mut found = Self::default();
        let (base, others): (Vec<_>, Vec<_>) = modules.iter().partition(|module| *module == "base");
        for module in base.into_iter().chain(others) {
            match folders.iter().map(|folder| folder.join(module)).find(|folder| is_module(module, folder)) {
                Some(folder) => found.scripts.extend(script_of(module, &folder)?),
                None => found.not_found.push(module.clone()),
            }
        }
        Ok(found)
    }

    /// Returns the modules that have SQL.
    pub(super) fn names(&self) -> Vec<String> {
        self.scripts.iter().map(|script| script.name.clone()).collect()
    }
}

/// Returns the folders, each followed by the one in which a source installation keeps `base`:
/// `<odoo>/addons` and `<odoo>/odoo/addons`.
fn with_base(addons_path: &[PathBuf]) -> Vec<PathBuf> {
    let sibling = addons_path.iter().filter_map(|folder| Some(folder.parent()?.join("odoo/addons")));
    let mut folders = addons_path.to_vec();
    folders.extend(sibling.filter(|folder| folder.is_dir()));
    folders
}

/// Returns whether the folder contains the module. A name from the database must not be a path.
fn is_module(module: &str, folder: &Path) -> bool {
    let plain = module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain && ["__manifest__.py", "__openerp__.py"].iter().any(|manifest| folder.join(manifest).is_file())
}

fn script_of(module: &str, folder: &Path) -> Result<Option<Sql>, NeutralizeError> {
    let path = folder.join("data/neutralize.sql");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Sql { name: module.to_owned(), origin: path.display().to_string(), text })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(NeutralizeError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(folder: &Path, name: &str, sql: Option<&str>) {
        fs::create_dir_all(folder.join(name).join("data")).unwrap();
        fs::write(folder.join(name).join("__manifest__.py"), "{}").unwrap();
        if let Some(sql) = sql {
            fs::write(folder.join(name).join("data/neutralize.sql"), sql).unwrap();
        }
    }

    #[test]
    fn first_folder_wins_and_has_base() {
        let root = tempfile::tempdir().unwrap();
        let (own, odoo) = (root.path().join("own"), root.path().join("odoo"));
        module(&own, "payment", Some("-- own"));
        module(&odoo.join("addons"), "payment", Some("-- odoo's"));
        module(&odoo.join("addons"), "sale", None);
        module(&odoo.join("odoo/addons"), "base", Some("-- base"));
        fs::create_dir_all(odoo.join("addons/no_module")).unwrap();
        let modules = ["base", "payment", "sale", "studio_customization", "../own/payment", "no_module"];
        let modules = modules.map(String::from).into();
        let found = FoundModules::look_for(&modules, &[own.clone(), odoo.join("addons")]).unwrap();
        let texts: Vec<_> = found.scripts.iter().map(|script| script.text.as_str()).collect();
        assert_eq!(texts, ["-- base", "-- own"]);
        assert_eq!(found.names(), ["base", "payment"]);
        assert_eq!(found.not_found, ["../own/payment", "no_module", "studio_customization"]);
    }

    #[test]
    fn packaged_odoo_is_found_by_series() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(usual(root.path(), "17.0"), Usual::Nothing);
        module(&root.path().join("addons"), "base", None);
        fs::write(root.path().join("release.py"), "RELEASE_LEVELS = []\nversion_info = (17, 0, 0, FINAL, 0, '')\n")
            .unwrap();
        assert_eq!(usual(root.path(), "17.0"), Usual::Addons(root.path().join("addons")));
        assert_eq!(usual(root.path(), "16.0"), Usual::OtherSeries("17.0".into()));
    }

    #[test]
    fn unreadable_module_file_fails() {
        let root = tempfile::tempdir().unwrap();
        module(root.path(), "payment", None);
        fs::create_dir(root.path().join("payment/data/neutralize.sql")).unwrap();
        let error = FoundModules::look_for(&["payment".to_owned()].into(), &[root.path().into()]).unwrap_err();
        assert!(error.to_string().starts_with("unable to read "), "{error}");
    }
}
