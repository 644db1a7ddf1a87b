//! Asks PostgreSQL for its databases. Where it lets in only Odoo's user, by the socket, root asks
//! as that user.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use config::discovery::Discovery;
use engine::cause;
use engine::folder::{home_of, user_name};
use engine::odoo::{ServerDatabase, list_databases};
use engine::postgres::{Database, Endpoint, PostgresError, SslMode};
use serde::{Deserialize, Serialize};

use crate::commands::as_user::run_as;

/// Longer than all databases are asked.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the program prints as another user.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asked {
    Databases(Vec<ServerDatabase>),
    /// Why there are none.
    Failed(String),
}

/// Returns the databases, and in words who was asked, or in a sentence why that is not known.
pub(super) async fn ask(found: &Discovery) -> Result<(Vec<ServerDatabase>, String), String> {
    let server = server(found);
    let why = match list_databases(&server).await {
        Ok(databases) => return Ok((databases, "asked PostgreSQL".to_owned())),
        Err(error) => text(&error),
    };
    let Some(user) = let_in(found, &server) else { return Err(why) };
    let mut arguments = vec![OsStr::new("init"), OsStr::new("--json")];
    if let Some((conf, _)) = &found.odoo_conf {
        arguments.extend([OsStr::new("--odoo-conf"), conf.as_os_str()]);
    }
    let printed = run_as(&user, &BTreeMap::new(), &arguments, PATIENCE).await.and_then(|output| {
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            said.lines().next().unwrap_or("it printed no list").to_owned()
        })
    });
    match printed {
        Ok(Asked::Databases(databases)) => Ok((databases, format!("asked PostgreSQL as {user}"))),
        Ok(Asked::Failed(other)) | Err(other) => Err(format!("{why}; as {user}: {other}")),
    }
}

/// Asks, as the user that [`ask`] chose.
pub(super) async fn as_asked(odoo_conf: Option<&Path>) -> Asked {
    let asked = async {
        let found = Discovery::of_machine(odoo_conf).map_err(|error| cause::line(&error))?;
        list_databases(&server(&found)).await.map_err(|error| text(&error))
    };
    asked.await.map_or_else(Asked::Failed, Asked::Databases)
}

fn text(error: &PostgresError) -> String {
    cause::line(error) + &error.hint().map(|hint| format!("; {hint}")).unwrap_or_default()
}

/// Returns the server that odoo.conf names.
fn server(found: &Discovery) -> Database {
    let conf = found.odoo_conf.as_ref().map(|(_, conf)| conf.clone()).unwrap_or_default();
    Database {
        host: conf.host,
        port: conf.port,
        user: conf.user,
        password: conf.password,
        sslmode: conf.sslmode.unwrap_or(SslMode::Prefer),
        pg_path: conf.pg_path,
        ..Database::named("postgres")
    }
}

/// Returns the user whom PostgreSQL may let in by its socket, if this is root: the one with the
/// role's name (`peer` in `pg_hba.conf`), else the owner of odoo.conf.
fn let_in(found: &Discovery, server: &Database) -> Option<String> {
    let is_by_socket = Endpoint::resolve(server).host.starts_with('/');
    if !is_by_socket || !rustix::process::geteuid().is_root() {
        return None;
    }
    let owner = || Some(user_name(found.odoo_conf.as_ref()?.0.metadata().ok()?.uid()));
    let role = server.user.clone().filter(|role| home_of(role).is_some());
    role.or_else(owner).filter(|user| user != "root")
}
