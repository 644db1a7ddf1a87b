//! `drill`: all of a restore but its end, so that it is known beforehand that it works and how long it takes.
//!
//! The database and the folder have names that only copies in the making have, beside a target that does not exist. They never get
//! others, and are dropped once they were verified and made harmless, and before, where that fails.

use std::path::PathBuf;
use std::time::Instant;

use super::beside::Beside;
use super::claim::Claim;
use super::{Identity, Job, MadeCopy, RestoreOptions, leftovers};
use crate::config::{Config, Database, Target, UnknownName};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::odoo::Neutralized;
use crate::repository::{BackupId, Occasion, ProofName, Repository, Timings};
use crate::run::Run;
use crate::verify::{Depth, Verification};

/// How a drill is done.
#[derive(Debug, Clone, Copy)]
pub struct DrillOptions {
    /// As in [`RestoreOptions::jobs`](super::RestoreOptions::jobs).
    pub jobs: u32,
    /// Volumes that are unpacked at once.
    pub parallel_volumes: u32,
    /// How much is read to verify the copy.
    pub depth: Depth,
}

/// A drill that passed.
#[derive(Debug, Clone)]
pub struct Drilled {
    /// The backup.
    pub backup: BackupId,
    /// The instance that it is of.
    pub instance: String,
    /// The database that was made.
    pub database: String,
    /// The folder that was made.
    pub filestore: PathBuf,
    /// Whether both were removed; else a warning says what is left, and the next drill tries again.
    pub removed: bool,
    /// Files that were in it.
    pub files: u64,
    /// Their length in bytes, together.
    pub bytes: u64,
    /// Jobs that pg_restore ran with.
    pub jobs: u32,
    /// What the copy was held against. It passed.
    pub verification: Verification,
    /// What was done to make the copy harmless; `None` where the database is not Odoo's.
    pub neutralized: Option<Neutralized>,
    /// How long it took until there was a copy that could have been used.
    pub timings: Timings,
    /// The proof that was stored; `None` where a warning says why not.
    pub proof: Option<ProofName>,
    /// What was cleared away of earlier drills that had been cut off, in words.
    pub cleared: Vec<String>,
    /// What could not be removed, and why there is no proof, in words.
    pub warnings: Vec<String>,
}

/// Where the backups of an instance are drilled: at `to`, which is left as it is, else where the instance's section says, else on its
/// own server and beside its filestore.
///
/// # Errors
/// Where nothing is said, and the configuration has no such instance.
pub fn place(config: &Config, instance: &str, to: Option<&Target>) -> Result<Target, UnknownName> {
    let own = config.instance(instance);
    let drill = own.as_ref().ok().map(|own| &own.drill);
    let of_section = drill.and_then(|drill| config.targets.get(drill.target.as_deref()?));
    let (database, filestore, neutralize) = match to.or(of_section) {
        // A drill's copy is made harmless wherever it lies.
        Some(target) => (&target.database, &target.filestore, target.neutralize.clone().unwrap_or_default()),
        None => {
            let own = own?;
            (&own.database, &own.filestore, own.drill.neutralize.clone())
        }
    };
    let trusted = to.or(of_section).is_some_and(|target| target.trusted) || drill.is_some_and(|drill| drill.trusted);
    let name = name_of(instance);
    let filestore = match drill.and_then(|drill| drill.folder.as_deref()) {
        Some(folder) => folder.join(&name),
        None => filestore.with_file_name(&name),
    };
    let database = Database { name: name.clone(), ..database.clone() };
    Ok(Target {
        name,
        database,
        filestore,
        instance: Some(instance.to_owned()),
        neutralize: Some(neutralize),
        anonymize: None,
        trusted,
    })
}

/// What would be the name of a database and its folder. Nothing ever has it.
fn name_of(instance: &str) -> String {
    format!("drill_{instance}")
}

/// Restores a backup, verifies the copy, makes it harmless, drops it, and stores the proof. `place` is what [`place`] says.
///
/// # Errors
/// Whatever failed first, as the cause of [`Error::Verb`]; [`Error::refutes_backup`] tells what speaks against the backup from what was in
/// the way. Nothing of the copy is left.
pub async fn drill(
    config: &Config,
    repository: &Repository,
    manifest: &Manifest,
    place: &Target,
    options: DrillOptions,
    run: &Run,
) -> Result<Drilled, Error> {
    let DrillOptions { jobs, parallel_volumes, depth } = options;
    let options = RestoreOptions {
        jobs,
        parallel_volumes,
        depth,
        drop_previous: false,
        identity: Identity::Copy,
        wait: None,
        skip_failed_post_data: false,
    };
    let job = Job { config, repository, manifest, target: place, options, run };
    let drilled = job.locked(Occasion::Drill, job.drill()).await;
    drilled.map_err(|error| error.during(format!("drill {}/{}", manifest.instance, manifest.id)))
}

impl Job<'_> {
    async fn drill(&self) -> Result<Drilled, Error> {
        let run = self.run;
        let started = Instant::now();
        let mut claim = run.until_cancelled(Claim::take(self.target, run)).await?;
        let cleared = leftovers::clear(&mut claim, run).await?;
        run.until_cancelled(self.preflight(&claim)).await?;
        let beside = run.until_cancelled(Beside::begin(self, &mut claim)).await?;
        let (database, filestore) = (beside.database.database.clone(), beside.filestore.clone());
        let result = run.until_cancelled(self.make(&beside, &claim)).await;
        let total = started.elapsed();
        tracing::info!(database, ok = result.is_ok(), "drill ended");
        let mut warnings = beside.abandon(&mut claim).await;
        let removed = warnings.is_empty();
        let copy = match result {
            Ok(copy) => copy,
            Err(error) => {
                warnings.iter().for_each(|text| run.progress.warn(text));
                return Err(error);
            }
        };
        let timings = copy.timings(total);
        let proof = self.prove(Occasion::Drill, &copy.verification, timings, &mut warnings).await;
        let MadeCopy { made, verification, neutralized, .. } = copy;
        warnings.extend(made.database.0.warnings.iter().cloned());
        Ok(Drilled {
            backup: self.manifest.id.clone(),
            instance: self.manifest.instance.clone(),
            database,
            filestore,
            removed,
            files: made.files.0.files,
            bytes: made.files.0.bytes,
            jobs: made.database.0.jobs,
            verification,
            neutralized,
            timings,
            proof,
            cleared,
            warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'x'\nhost = 'here'\nfilestore = '/f/x'\n\
             [target.staging]\ndatabase = 'y'\nhost = 'there'\nfilestore = '/g/y'\nneutralize = false\n{more}"
        );
        Config::parse(Path::new("c.toml"), &text).unwrap()
    }

    #[test]
    fn no_place_is_a_targets_or_an_instances_and_every_copy_is_made_harmless() {
        let own = config("");
        let section = config("[instance.production.drill]\ntarget = 'staging'\nfolder = '/s'\n");
        let staging = own.target("staging").unwrap();
        for (config, to, host, filestore) in [
            (&own, None, "here", "/f/drill_production"),
            (&own, Some(staging), "there", "/g/drill_production"),
            (&section, None, "there", "/s/drill_production"),
            (&section, Some(staging), "there", "/s/drill_production"),
        ] {
            let place = place(config, "production", to).unwrap();
            assert_eq!(
                (place.database.name.as_str(), place.database.host.as_deref()),
                ("drill_production", Some(host))
            );
            assert_eq!(place.filestore, Path::new(filestore));
            assert!(place.neutralize.is_some());
        }
        assert!(place(&own, "gone", None).is_err(), "a backup of another configuration's instance");
        assert!(place(&own, "gone", Some(staging)).is_ok());
    }
}
