//! `odoo-backup drill`

use std::path::Path;

use daemon::sources::{Done, WantedBackup};
use daemon::work::Jobs;
use engine::drill::{DrillOptions, Drilled};
use engine::error::Error;
use engine::manifest::Manifest;
use engine::postgres::Endpoint;
use engine::repository::Repository;
use engine::restore::TargetIdentity;
use engine::run::Run;
use engine::verify::Depth;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::chosen::{Chosen, load, only_instance};
use super::failure::Failure;
use super::proofs;
use super::report::{ReportFile, ReportPage};
use super::restore::{neutral, warned};
use super::verification::verified;
use crate::exit::Exit;
use crate::output::Output;
use crate::table::{bytes, plural, time};

/// What the command line asks for.
pub(super) struct DrillRequest<'a> {
    /// A selector; `None`: the latest.
    pub(super) backup: Option<&'a str>,
    /// The target whose server gets the copy.
    pub(super) to: Option<&'a str>,
    /// The argument of [`Jobs::of`].
    pub(super) jobs: Option<u32>,
    /// Whether everyone who can write to the repository is trusted with the server.
    pub(super) trusted: bool,
    /// How much is read to verify the copy; `None`: as the configuration says.
    pub(super) depth: Option<Depth>,
    pub(super) report: Option<&'a Path>,
}

/// What `drill` prints.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drill)]
pub(super) struct DrillDocument {
    /// The moment that the backup shows.
    created_at: Timestamp,
    /// The name of the repository that it was read from.
    repository: String,
    /// Why repositories before it and newer backups were passed over, in sentences.
    passed_over: Vec<String>,
    /// How long it took.
    seconds: f64,
    #[serde(flatten)]
    drilled: Drilled,
}

/// Restores a backup, or the latest, verifies the copy, and drops it.
pub(super) async fn drill(
    config: Chosen<'_>,
    wanted: DrillRequest<'_>,
    run: &Run,
    output: Output,
) -> Result<Exit, Failure> {
    let config = load(config, output)?;
    let to = wanted.to.map(|name| config.target(name)).transpose()?;
    let report = ReportFile::create(wanted.report)?;
    let instance = to.and_then(|target| target.instance.as_deref()).or_else(|| only_instance(&config));
    let backup = WantedBackup { selector: wanted.backup.unwrap_or("latest"), instance };
    let Jobs { database: jobs, volumes: parallel_volumes } = Jobs::of(wanted.jobs);
    let drill = async |repository: Repository, manifest: Manifest| {
        // An error of the configuration: no reason to try another repository.
        let mut place = match config::drill_place(&config, &manifest.instance, to) {
            Ok(place) => place,
            Err(unknown) => return Ok(Err(unknown)),
        };
        place.trusted |= wanted.trusted;
        let of_section = config.instances.get(&manifest.instance).map(|instance| instance.drill.depth);
        let depth = wanted.depth.or(of_section).unwrap_or_default();
        let options = DrillOptions { jobs, parallel_volumes, depth };
        let protected = config.protected();
        let drill =
            async |run: &Run| engine::drill::drill(&repository, &manifest, &place, &protected, options, run).await;
        let drilled = run.unless_stalled(config.stall_timeout(Some(&manifest.instance)), drill).await?;
        Ok(Ok((drilled, place, repository.store().location())))
    };
    let tell = |text: &str| output.warning(text);
    let done = config.sources()?.with_first_intact(backup, run, &tell, drill).await.map_err(failure)?;
    let Done { manifest, repository, passed_over, result } = done;
    let (drilled, place, location) = result?;
    let mut document = DrillDocument {
        created_at: manifest.created_at,
        repository,
        passed_over,
        seconds: drilled.timings.total.as_secs_f64(),
        drilled,
    };
    let became = if document.drilled.removed { "dropped" } else { "NOT dropped (see the warning)" };
    if let Some(file) = report {
        let Drilled { database, filestore, verification, neutralized, timings, proof, warnings, .. } =
            &document.drilled;
        let report = ReportPage {
            title: format!("Drill of {}/{}", manifest.instance, manifest.id),
            manifest: &manifest,
            location: &location,
            copy: vec![
                ("Restored to", Endpoint::resolve(&place.database).with_database(database).to_string()),
                ("Filestore", filestore.path.display().to_string()),
                ("Copy afterwards", became.to_owned()),
            ],
            verification,
            neutralized: neutralized.as_ref(),
            anonymized: None,
            timings,
            proof: proof.as_ref(),
            warnings,
        };
        let failed = file.write(&report, &document);
        document.drilled.warnings.extend(failed);
    }
    let Drilled { filestore, jobs, verification, neutralized, timings, proof, warnings, .. } = &document.drilled;
    let text = || {
        format!(
            "{instance}/{id}: verified; the backup of {created} was restored to a scratch copy, which was {became}
  filestore     {files} ({size})
  digests       all match the manifest
{verified}  neutralized   {neutral}
  time          {took} with {jobs}
  proof         {proof}
",
            instance = manifest.instance,
            id = manifest.id,
            created = time(manifest.created_at),
            files = plural(filestore.files, "file"),
            size = bytes(filestore.bytes),
            verified = verified(verification),
            neutral = neutral(neutralized.as_ref(), TargetIdentity::Copy),
            took = proofs::took(timings),
            jobs = plural(u64::from(*jobs), "job"),
            proof = proofs::stored(proof.as_ref()),
        )
    };
    let exit = if document.passed_over.is_empty() { Exit::Success } else { Exit::Warnings };
    Ok(output.result(&document, text, warned(warnings, output).and(exit)))
}

/// Ends in [`Exit::Damage`] if the error shows that the backup is damaged.
fn failure(error: Error) -> Failure {
    let refutes = error.refutes_backup();
    let failure = Failure::from(error);
    if refutes { Failure { exit: Exit::Damage, ..failure } } else { failure }
}
