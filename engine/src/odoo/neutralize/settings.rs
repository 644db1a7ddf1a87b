//! How a copy is neutralized.

use std::path::PathBuf;

use crate::secret::Secret;

/// How a copy is neutralized: the keys of `[target.NAME]` that say so.
#[derive(Debug, Clone, Default)]
pub struct Neutralize {
    /// Odoo's own program, which is asked for its neutralization.
    pub odoo_bin: Option<PathBuf>,
    /// Folders of modules, in Odoo's order: the section's, else those of odoo.conf.
    pub addons_path: Vec<PathBuf>,
    /// Address of the copy, without a slash at its end.
    pub base_url: Option<String>,
    /// New password of the administrator.
    pub admin_password: Option<Secret>,
    /// The operator's own SQL, in its order.
    pub sql: Vec<Script>,
    /// Whether the section says so itself, by `neutralize = true` or by any key of it: a copy that
    /// could not be neutralized is then an error, whatever else the database may be of.
    pub required: bool,
    /// `table.column` and `parameter:key`: what looks like a credential and is to stay.
    pub keep_credentials: Vec<String>,
}

/// SQL of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Written into the configuration.
    Text(String),
    /// In a file of its own, read when it is needed: what is wrong with it must not keep a backup
    /// from being made.
    File(PathBuf),
}
