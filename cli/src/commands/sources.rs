//! The first repository that has a backup sound: what a restore works from where no repository is named.

use engine::check::{CheckOptions, check};
use engine::error::{Error, explain};
use engine::manifest::Manifest;
use engine::repository::{Repository, RepositoryError};
use engine::run::Run;

use super::chosen::{Loaded, open_named, tools};
use super::failure::Failure;
use crate::output::Output;

/// What was done with a backup, and from where.
pub(super) struct Done<T> {
    pub(super) manifest: Manifest,
    /// Name of the repository.
    pub(super) repository: String,
    /// Why those before it were passed over, in sentences.
    pub(super) passed_over: Vec<String>,
    pub(super) result: T,
}

/// Does `work` with a backup of the first repository that can be read and has it whole. Where the work itself meets damage it is done again
/// with the next one, and always of the same backup, once it is known which that is. Where no repository has the latest backup whole, it is
/// the latest that one of them has.
pub(super) async fn with_first_sound<T>(
    config: &Loaded<'_>,
    selector: &str,
    instance: Option<&str>,
    run: &Run,
    output: Output,
    work: impl AsyncFn(&Repository, &Manifest) -> Result<T, Error>,
) -> Result<Done<T>, Failure> {
    let wanted = Wanted { selector, instance };
    if !selector.ends_with("latest") || config.sources().len() == 1 {
        return try_each(config, wanted, false, run, output, &work).await;
    }
    match try_each(config, wanted, true, run, output, &work).await {
        Err(failure) if failure.error.downcast_ref::<Error>().is_some_and(Error::is_damage) => {
            output.warning("no repository has the latest backup undamaged; trying earlier ones");
            // What failed first is nearer to what was asked for.
            try_each(config, wanted, false, run, output, &work).await.map_err(|_| failure)
        }
        other => other,
    }
}

/// The backup that is asked for.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    selector: &'a str,
    instance: Option<&'a str>,
}

async fn try_each<T>(
    config: &Loaded<'_>,
    Wanted { selector, instance }: Wanted<'_>,
    damaged_too: bool,
    run: &Run,
    output: Output,
    work: &impl AsyncFn(&Repository, &Manifest) -> Result<T, Error>,
) -> Result<Done<T>, Failure> {
    let sources = config.sources();
    let mut selector = selector.to_owned();
    let mut passed_over = Vec::new();
    let mut first_failure: Option<Failure> = None;
    for (index, name) in sources.iter().enumerate() {
        let is_last = index + 1 == sources.len();
        let repository = open_named(config, name).await?;
        let found = match repository {
            Ok(repository) => {
                let found = find(&repository, &selector, instance, damaged_too, output, &mut passed_over).await;
                found.map(|manifest| (repository, manifest))
            }
            Err(error) => Err(error),
        };
        let failure: Error = match found {
            Ok((repository, manifest)) => {
                selector = format!("{}/{}", manifest.instance, manifest.id);
                let worked = match is_last {
                    // Nothing better will come: where it is damaged, the work says so.
                    true => work(&repository, &manifest).await,
                    false => match look(&repository, &manifest, config, run).await {
                        Ok(()) => work(&repository, &manifest).await,
                        Err(error) => Err(error),
                    },
                };
                match worked {
                    Ok(result) => return Ok(Done { manifest, repository: (*name).to_owned(), passed_over, result }),
                    Err(error) if error.is_damage() => error,
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) if is_final(&error) => return Err(error.into()),
            Err(error) => error.into(),
        };
        if !is_last {
            let passed = format!("passed over the repository {name}: {}", explain(&failure));
            output.warning(&passed);
            passed_over.push(passed);
        }
        first_failure.get_or_insert_with(|| failure.into());
    }
    // There is always one source, and each either returned or failed.
    Err(first_failure.unwrap_or_else(|| Error::Interrupted.into()))
}

async fn find(
    repository: &Repository,
    selector: &str,
    instance: Option<&str>,
    damaged_too: bool,
    output: Output,
    passed_over: &mut Vec<String>,
) -> Result<Manifest, RepositoryError> {
    let selected = match damaged_too {
        true => repository.select_damaged_too(selector, instance).await?,
        false => repository.select(selector, instance).await?,
    };
    for warning in selected.warnings {
        output.warning(&warning);
        passed_over.push(warning);
    }
    repository.verified_manifest(&selected.instance, &selected.id).await
}

/// Whether it says that the question was wrong, rather than that the repository has no answer.
fn is_final(error: &RepositoryError) -> bool {
    matches!(error, RepositoryError::Ambiguous { .. } | RepositoryError::WhichInstance { .. })
}

/// Makes sure that every object of a backup is there.
async fn look(repository: &Repository, manifest: &Manifest, config: &Loaded<'_>, run: &Run) -> Result<(), Error> {
    let options = CheckOptions { read_data: None, tools: tools(config) };
    let report = check(repository, &[(manifest.instance.clone(), manifest.id.clone())], &options, run).await?;
    match report.backups.into_iter().flat_map(|checked| checked.damage).next() {
        None => Ok(()),
        Some(damage) => {
            let location = repository.store().location();
            Err(RepositoryError::Damaged { key: damage.key, location, reason: damage.reason }.into())
        }
    }
}
