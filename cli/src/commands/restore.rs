//! `odoo-backup restore`

use std::num::NonZero;
use std::path::Path;

use engine::odoo::{Means, Neutralized};
use engine::restore::{RestoreOptions, Restored};
use engine::run::Run;
use engine::verify::Depth;
use serde_json::json;

use super::verification::verified;
use super::{Failure, load, only_instance, open};
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// More jobs than this do not make pg_restore faster on the machines that Odoo runs on.
const MOST_JOBS: u32 = 8;

/// Restores a backup, or the latest, into a target.
pub(super) async fn restore(
    config: Option<&Path>,
    selector: Option<&str>,
    target: &str,
    jobs: Option<u32>,
    depth: Depth,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let target = config.target(target)?;
    let repository = open(&config).await?;
    let instance = target.instance.as_deref().or_else(|| only_instance(&config));
    let manifest = repository.find(selector.unwrap_or("latest"), instance).await?;
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = jobs.unwrap_or_else(|| u32::try_from(processors).unwrap_or(MOST_JOBS).min(MOST_JOBS));
    let options = RestoreOptions { jobs, parallel_volumes: jobs.min(MOST_JOBS), depth };
    let restored = engine::restore::restore(&repository, &manifest, target, options, run).await?;
    let Restored { database, filestore, files, bytes: size, jobs, verification, neutralized, duration } = &restored;
    let seconds = duration.as_secs_f64();
    let document = json!({
        "backup": manifest.id,
        "instance": manifest.instance,
        "created_at": manifest.created_at,
        "target": target.name,
        "database": database,
        "filestore": { "path": filestore, "files": files, "bytes": size },
        "jobs": jobs,
        "verification": verification,
        "neutralized": neutralized,
        "seconds": seconds,
    });
    let text = || {
        format!(
            "{target}: restored {instance}/{id} of {created}
  database   {database:?}
  filestore  {files} ({size}) in {filestore}
  digests    all as in the manifest
{verified}  neutral    {neutral}
  time       {seconds:.1} s with {jobs}
",
            target = target.name,
            instance = manifest.instance,
            id = manifest.id,
            created = time(manifest.created_at),
            files = plural(*files, "file"),
            size = bytes(*size),
            filestore = filestore.display(),
            verified = verified(verification),
            jobs = plural(u64::from(*jobs), "job"),
            neutral = neutral(neutralized.as_ref()),
        )
    };
    Ok(output.result(&document, text, Exit::Success))
}

/// In a line: where the SQL came from, and what was asserted.
fn neutral(neutralized: Option<&Neutralized>) -> String {
    let Some(report) = neutralized else { return "no: the copy is as live as its original".into() };
    let means = match report.means {
        Means::OdooBin => "by Odoo's own neutralization and the program's".into(),
        Means::Modules => {
            format!("by the SQL of {} and the program's own", plural(report.modules.len() as u64, "module"))
        }
        Means::Own => "by the program's own statements".into(),
    };
    format!(
        "{means}; {} hold; database.uuid {}",
        plural(report.assertions.len() as u64, "assertion"),
        report.database_uuid
    )
}
