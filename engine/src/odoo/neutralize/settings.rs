//! How a copy is neutralized.

use std::path::PathBuf;

use crate::secret::Secret;

/// How a copy is neutralized: the keys of `[target.NAME]` for it.
#[derive(Debug, Clone, Default)]
pub struct Neutralize {
    /// Odoo's own program, which prints its SQL.
    pub odoo_bin: Option<PathBuf>,
    /// Folders of modules, in Odoo's order: the section's, else those of odoo.conf.
    pub addons_path: Vec<PathBuf>,
    /// Address of the copy, without a trailing slash.
    pub base_url: Option<String>,
    /// New password of the administrator.
    pub admin_password: Option<Secret>,
    /// The operator's own SQL, in order.
    pub sql: Vec<Script>,
    /// Whether the section requires it, by `neutralize = true` or by any key for it: a copy that
    /// could not be neutralized is then an error, whatever its database is.
    pub required: bool,
    /// `table.column` and `parameter:key`: what looks like a credential and stays.
    pub keep_credentials: Vec<String>,
}

/// SQL of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Written into the configuration.
    Text(String),
    /// In a separate file, read when it is needed: an error in it must not prevent a backup.
    File(PathBuf),
}
