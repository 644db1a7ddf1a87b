//! `odoo.conf`: Odoo's own configuration of its database and its files.
//!
//! Odoo reads it with Python's `RawConfigParser` (`odoo/tools/config.py`, 12.0 to 19.0). This
//! parser follows it: the INI crates differ in continuation lines, in escapes and in comments after
//! a value, and each difference would give another password than Odoo's.

mod ini;

use std::io;
use std::path::{Path, PathBuf};

use crate::postgres::SslMode;
use crate::secret::Secret;
use crate::small_file;

/// Odoo's options as far as a backup needs them. What is `False`, `None`, empty or missing is
/// `None`, or an empty list.
#[derive(Debug, Clone, Default)]
pub struct OdooConf {
    /// `db_host`: host name or address, or a socket's folder where it begins with `/`.
    pub host: Option<String>,
    /// `db_port`
    pub port: Option<u16>,
    /// `db_user`
    pub user: Option<String>,
    /// `db_password`
    pub password: Option<Secret>,
    /// `db_sslmode`. Odoo also accepts libpq's `allow`, which connects wherever `prefer` does and
    /// is read as `prefer`.
    pub sslmode: Option<SslMode>,
    /// `db_name`: none, one, or several.
    pub databases: Vec<String>,
    /// `data_dir`, with `~/` expanded; relative paths stay relative to the folder where Odoo was
    /// started.
    pub data_dir: Option<PathBuf>,
    /// `pg_path`: a folder with PostgreSQL's programs.
    pub pg_path: Option<PathBuf>,
    /// `addons_path`: folders of modules, in Odoo's order.
    pub addons_path: Vec<PathBuf>,
}

/// Why an `odoo.conf` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OdooConfError {
    /// The file itself cannot be read.
    #[error("unable to read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line that Odoo would refuse as well, or a value that makes no sense.
    #[error("{}{}: {message}", path.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its line, from 1; `None` where the whole file is concerned.
        line: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
}

impl OdooConfError {
    /// Returns how the operator can fix it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run as a user who may read it: root, or a member of the file's group".into())
            }
            Self::Unreadable { .. } => {
                Some("give Odoo's own configuration file; `systemctl cat odoo` shows which it is".into())
            }
            Self::Invalid { .. } => None,
        }
    }
}

impl OdooConf {
    /// Reads the section `[options]` of `path`. `~/` in a path is the home of the current user.
    ///
    /// # Errors
    /// [`OdooConfError`] with file and line; it never contains a value of the file.
    pub fn read(path: &Path) -> Result<Self, OdooConfError> {
        Self::read_with_home(path, std::env::home_dir().as_deref())
    }

    /// Reads it as [`OdooConf::read`] does, with another folder for `~/`.
    pub fn read_with_home(path: &Path, home: Option<&Path>) -> Result<Self, OdooConfError> {
        let bytes = small_file::read(path).map_err(|source| OdooConfError::Unreadable { path: path.into(), source })?;
        Self::parse(path, &bytes, home)
    }

    /// Parses the content of `path`, as [`OdooConf::read_with_home`] does.
    pub fn parse(path: &Path, bytes: &[u8], home: Option<&Path>) -> Result<Self, OdooConfError> {
        let invalid =
            |fault: ini::Fault| OdooConfError::Invalid { path: path.into(), line: fault.line, message: fault.message };
        let options = ini::options(bytes).map_err(invalid)?;
        Self::from_options(&options, home).map_err(invalid)
    }

    fn from_options(options: &ini::Options, home: Option<&Path>) -> Result<Self, ini::Fault> {
        let text = |key| options.get(key).map(|option| option.value.clone());
        let path = |text: String| expand_home(&text, home);
        let list = |key| -> Vec<String> {
            let value = text(key).unwrap_or_default();
            value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect()
        };
        Ok(Self {
            host: text("db_host"),
            port: options.get("db_port").map(port).transpose()?,
            user: text("db_user"),
            password: text("db_password").map(Secret::new),
            sslmode: options.get("db_sslmode").map(sslmode).transpose()?,
            databases: list("db_name"),
            data_dir: text("data_dir").map(path),
            pg_path: text("pg_path").map(path),
            addons_path: list("addons_path").into_iter().map(path).collect(),
        })
    }
}

fn port(option: &ini::Entry) -> Result<u16, ini::Fault> {
    match option.value.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(option.fault("`db_port`: expected an integer from 1 to 65535")),
    }
}

fn sslmode(option: &ini::Entry) -> Result<SslMode, ini::Fault> {
    if option.value == "allow" {
        return Ok(SslMode::Prefer);
    }
    SslMode::parse(&option.value).ok_or_else(|| {
        option.fault(format!("`db_sslmode`: expected one of allow, {}", SslMode::ALL.map(SslMode::as_str).join(", ")))
    })
}

/// Expands `~` as Odoo does. If `home` is unknown, or `~` is another user's, the path stays
/// relative, and its users report it.
fn expand_home(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

/// Returns where `odoo.conf` usually is, the likeliest first: Debian's package and the Docker
/// image, source installations, older series, and the file that Odoo itself writes with `--save`.
pub fn conf_candidates(root: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let system = ["odoo/odoo.conf", "odoo.conf", "odoo-server.conf", "odoo/openerp-server.conf", "openerp-server.conf"];
    let own = [".odoorc", ".openerp_serverrc"];
    let system = system.iter().map(|name| root.join("etc").join(name));
    system.chain(own.iter().filter_map(|name| Some(home?.join(name)))).collect()
}

/// Returns where Odoo keeps its data if `data_dir` is not set. This is below the home of its user,
/// which is `/var/lib/odoo` in Debian's package, or in `/var/lib/odoo` itself, as in the Docker
/// image and for a user without a home. It is below `home` for those who run Odoo from their own
/// account.
pub fn data_dir_candidates(root: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    let packaged = root.join("var/lib/odoo");
    let mut candidates = vec![packaged.join(".local/share/Odoo"), packaged];
    if let Some(own) = home.map(|home| home.join(".local/share/Odoo"))
        && !candidates.contains(&own)
    {
        candidates.push(own);
    }
    candidates
}

#[cfg(test)]
mod tests;
