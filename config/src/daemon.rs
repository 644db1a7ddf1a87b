//! `[daemon]`: the service that runs the schedules.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use super::keys;
use super::section::{Reported, Section};
use super::show::Supplied;
use super::surroundings::Surroundings;
use super::surroundings::exists;
use super::value::PlainUrl;

/// Where the daemon listens where nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8479);
/// Where the systemd unit has the state, below the root.
const SYSTEM: &str = "var/lib/odoo-backup-state";

/// `[daemon]`, or what holds without it.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// What it serves. Where it is not this machine's own, there is a `token_file`.
    pub listen: SocketAddr,
    /// File with the token that clients show. It is read by the daemon alone, when it starts.
    pub token_file: Option<PathBuf>,
    /// Where people reach the dashboard, without a slash at the end: notices link to it.
    pub public_url: Option<String>,
    /// Its own folder. `None` where neither the environment nor a home says where it may be.
    pub state_dir: Option<PathBuf>,
    /// How many runs may be running at once; 1 or more.
    pub max_concurrent: u32,
    /// How long runs may continue after a signal to end.
    pub shutdown_grace: Duration,
}

/// Reads the section, or says what holds without it.
pub(super) fn read(file: &Section<'_>) -> Result<DaemonConfig, Reported> {
    let mut config = DaemonConfig {
        listen: LISTEN,
        token_file: None,
        public_url: None,
        state_dir: default_state_dir(file.source.surroundings),
        max_concurrent: 2,
        shutdown_grace: Duration::from_mins(1),
    };
    if let Some(folder) = &config.state_dir {
        let supplied = Supplied::default(folder.display().to_string());
        file.source.ledger.supply(keys::DAEMON.header, "state_dir", supplied);
    }
    let Some(section) = file.section("daemon", &keys::DAEMON)? else { return Ok(config) };
    let listen = section.optional::<SocketAddr>("listen");
    let token_file = section.trusted("token_file");
    let public_url = section.optional::<PlainUrl>("public_url");
    let state_dir = section.optional("state_dir");
    let max_concurrent = section.optional("max_concurrent");
    let shutdown_grace = section.optional("shutdown_grace");
    config.token_file = token_file?;
    config.public_url = public_url?.map(|url| url.0);
    config.listen = listen?.unwrap_or(config.listen);
    config.state_dir = state_dir?.or(config.state_dir);
    config.max_concurrent = max_concurrent?.unwrap_or(config.max_concurrent);
    config.shutdown_grace = shutdown_grace?.unwrap_or(config.shutdown_grace);
    if config.max_concurrent == 0 {
        return Err(section.refuse("max_concurrent", "expected 1 or more"));
    }
    if !config.listen.ip().is_loopback() && config.token_file.is_none() {
        return Err(section.refuse("listen", "other machines can reach this address; set `token_file` as well"));
    }
    Ok(config)
}

fn default_state_dir(surroundings: &Surroundings) -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = (surroundings.variable)(name)?;
        // systemd joins several by colons.
        let first = value.as_bytes().split(|byte| *byte == b':').next()?;
        Some(PathBuf::from(OsString::from_vec(first.to_vec()))).filter(|path| path.is_absolute())
    };
    let system = surroundings.root.join(SYSTEM);
    folder("STATE_DIRECTORY")
        .or_else(|| Some(system).filter(|path| exists(path)))
        .or_else(|| Some(folder("XDG_STATE_HOME")?.join("odoo-backup")))
        .or_else(|| Some(surroundings.home.as_ref()?.join(".local/state/odoo-backup")))
}
