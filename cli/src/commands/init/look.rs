//! What `init` finds: on this machine, and on the server of the database.

use std::path::Path;

use config::discovery::{Clue, Discovery};
use config::template::InitOptions;
use engine::odoo::conf::OdooConfError;
use engine::odoo::{DatabaseKind, ServerDatabase};

use super::databases::ask;

/// What was found, and what a new configuration would say.
pub(super) struct Look {
    pub(super) options: InitOptions,
    pub(super) clues: Vec<Clue>,
}

/// Looks at this machine, asks PostgreSQL, and looks into the filestore.
pub(super) async fn look(odoo_conf: Option<&Path>) -> Result<Look, OdooConfError> {
    let found = Discovery::of_machine(odoo_conf)?;
    let mut clues = found.clues.clone();
    let (databases, others, clue) = match ask(&found).await {
        Ok((databases, asked)) => choose(&found, &databases, &asked),
        Err(why) => (found.databases.clone(), Vec::new(), Clue::unknown("databases", why)),
    };
    clues.push(clue);
    let options = InitOptions::new(found, databases, &others);
    for database in &options.databases {
        let (data_dir, clue) = options.found.data_dir(database);
        if !clues.contains(&clue) {
            clues.push(clue);
        }
        clues.extend(data_dir.map(|data_dir| Discovery::filestore(&data_dir.value, database)));
    }
    Ok(Look { options, clues })
}

/// Returns the databases to back up, the names of all others, and what was found: those that
/// odoo.conf or a command line names, else all of Odoo's that are no neutralized copies.
fn choose(found: &Discovery, databases: &[ServerDatabase], asked: &str) -> (Vec<String>, Vec<String>, Clue) {
    const WHAT: &str = "databases";
    let conf = found.odoo_conf.iter().flat_map(|(_, conf)| conf.databases.iter().cloned());
    let named: Vec<String> = if found.databases.is_empty() { conf.collect() } else { found.databases.clone() };
    let is_original =
        |database: &&ServerDatabase| matches!(database.kind, DatabaseKind::Odoo { neutralized: false, .. });
    let chosen = match named.is_empty() {
        true => databases.iter().filter(is_original).map(|database| database.name.clone()).collect(),
        false => named.clone(),
    };
    let all: Vec<String> = databases.iter().map(|database| database.name.clone()).collect();
    let texts: Vec<_> = databases.iter().filter_map(text).collect();
    let absent: Vec<_> = chosen.iter().filter(|name| !all.contains(name)).map(String::as_str).collect();
    let unknown = databases.iter().filter(|database| matches!(database.kind, DatabaseKind::Unknown(_))).count() as u64;
    let clue = if !absent.is_empty() {
        Clue::not_found(WHAT, format!("{asked}: there is no {}", absent.join(" and no ")))
    } else if !texts.is_empty() {
        Clue::found(WHAT, texts.join(", "), asked)
    } else if unknown > 0 {
        let why = format!("{asked}: {} cannot be read by this role", engine::text::counted(unknown, "database"));
        Clue::unknown(WHAT, why)
    } else {
        Clue::not_found(
            WHAT,
            format!("{asked}: none of {} is Odoo's", engine::text::counted(all.len() as u64, "database")),
        )
    };
    (chosen, all, clue)
}

fn text(database: &ServerDatabase) -> Option<String> {
    let DatabaseKind::Odoo { series, neutralized } = &database.kind else { return None };
    let copy = if *neutralized { ", a neutralized copy" } else { "" };
    Some(format!("{} (Odoo {series}{copy})", database.name))
}
