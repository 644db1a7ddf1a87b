//! `odoo-backup upgrade`

use config::MAIN;
use engine::run::Run;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, open_named};
use super::failure::Failure;
use crate::exit::Exit;
use crate::output::Output;

/// Upgrades the repositories of the configuration, or only says what it would do.
///
/// The first repository comes last: its backups are copied to the others, which must be able to
/// take them.
pub(super) async fn upgrade(config: Chosen<'_>, dry_run: bool, run: &Run, output: Output) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let names: Vec<_> = match config.repository_named() {
        Some(name) => vec![name.to_owned()],
        None => config.copies.keys().cloned().chain([MAIN.to_owned()]).collect(),
    };
    let mut document = UpgradeDocument { repositories: Vec::new() };
    let mut exit = Exit::Success;
    for name in names {
        let repository = open_named(&config, &name).await??;
        let location = repository.store().location();
        let upgraded = repository.upgrade(dry_run, run).await?;
        if !upgraded.has_guide {
            exit = Exit::Warnings;
            output.warning(&format!(
                "RESTORE.txt in {location} was kept, because this program did not write it: it does not tell how to restore backups of format {}",
                upgraded.to
            ));
        }
        let upgraded_now = !dry_run && upgraded.from < upgraded.to;
        let (from, to) = (upgraded.from, upgraded.to);
        document.repositories.push(RepositoryDocument { name, location, from, to, upgraded: upgraded_now });
    }
    Ok(output.result(&document, || text(&document, dry_run), exit))
}

/// What `upgrade` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upgrade)]
pub(super) struct UpgradeDocument {
    /// The repositories, in the order in which they were upgraded.
    repositories: Vec<RepositoryDocument>,
}

/// A repository.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpgradedRepository)]
struct RepositoryDocument {
    /// Its name in the configuration.
    name: String,
    /// Where it is.
    location: String,
    /// Its format before.
    from: u32,
    /// The latest format.
    to: u32,
    /// Whether it was upgraded now.
    upgraded: bool,
}

fn text(document: &UpgradeDocument, dry_run: bool) -> String {
    let line = |repository: &RepositoryDocument| {
        let RepositoryDocument { name, location, from, to, .. } = repository;
        match (from == to, dry_run) {
            (true, _) => format!("{name}: {location} has format {to} already\n"),
            (false, true) => format!("{name}: {location} would be upgraded from format {from} to {to}\n"),
            (false, false) => format!("{name}: upgraded {location} from format {from} to {to}\n"),
        }
    };
    document.repositories.iter().map(line).collect()
}
