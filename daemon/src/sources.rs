//! Which repository a restore or a drill reads from: the first that can be read and has an intact
//! copy of the backup.

use config::{Config, MAIN, UnknownName, explain};
use engine::check::{CheckOptions, check};
use engine::error::Error;
use engine::manifest::Manifest;
use engine::postgres::Tools;
use engine::repository::{BackupRef, Position, Repository, RepositoryError, Selected, Selector};
use engine::run::Run;
use engine::store::StoreConfig;
use tokio::sync::Mutex;

/// The repositories that a backup may be read from, in order.
#[derive(Debug)]
pub struct Sources<'a> {
    config: &'a Config,
    names: Vec<&'a str>,
    /// The first repository, if it is kept open.
    connection: Option<&'a Connection>,
}

/// The backup that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct WantedBackup<'a> {
    /// An id, the start of one, `latest` or `latest~N`, as [`Repository::find`] takes it.
    pub selector: &'a str,
    /// Whose, where the selector does not say.
    pub instance: Option<&'a str>,
}

/// What was done with a backup, and from where.
#[derive(Debug)]
pub struct Done<T> {
    /// The backup.
    pub manifest: Manifest,
    /// The name of the repository.
    pub repository: String,
    /// Why earlier repositories and newer backups were skipped, in sentences.
    pub passed_over: Vec<String>,
    /// The result.
    pub result: T,
}

impl<'a> Sources<'a> {
    /// Returns every repository of the configuration: the first, then its copies.
    pub fn of(config: &'a Config) -> Self {
        let names = std::iter::once(MAIN).chain(config.copies.keys().map(String::as_str)).collect();
        Self { config, names, connection: None }
    }

    /// Returns the one repository of this name.
    ///
    /// # Errors
    /// [`UnknownName`]
    pub fn named(config: &'a Config, name: &'a str) -> Result<Self, UnknownName> {
        config.repository(name)?;
        Ok(Self { config, names: vec![name], connection: None })
    }

    /// Uses the first repository from this connection, which keeps it open.
    pub(crate) fn with_connection(self, connection: &'a Connection) -> Self {
        Self { connection: Some(connection), ..self }
    }

    /// Does `work` with a backup of the first repository that can be read and has it intact. Where
    /// the work itself meets damage it is done again with the next one, and always of the same
    /// backup, once it is known which that is. Where no repository has the latest backup intact, it
    /// is the latest that one of them has. `latest~N` is what [`Self::resolve`] returns. Calls
    /// `tell` with what is skipped, each reason once. That of the first repository waits until
    /// another one has the backup: else it is the error.
    ///
    /// # Errors
    /// Those of the work, but for damage while another repository is left; else what kept the first
    /// from being read.
    pub async fn with_first_intact<T, F: Future<Output = Result<T, Error>>>(
        &self,
        wanted: WantedBackup<'_>,
        run: &Run,
        tell: &(dyn Fn(&str) + Sync),
        work: impl Fn(Repository, Manifest) -> F,
    ) -> Result<Done<T>, Error> {
        match Selector::parse(wanted.selector).backup {
            Position::Latest(0) if self.names.len() > 1 => {}
            Position::Latest(_) if self.names.len() > 1 => {
                let selector = self.resolve(wanted).await?.to_string();
                let wanted = WantedBackup { selector: &selector, ..wanted };
                return self.try_each(wanted, false, run, tell, &work).await;
            }
            _ => return self.try_each(wanted, false, run, tell, &work).await,
        }
        match self.try_each(wanted, true, run, tell, &work).await {
            Err(failure) if failure.is_damage() => {
                tell("no repository has the latest backup undamaged; trying earlier ones");
                // The first failure is closer to the request.
                self.try_each(wanted, false, run, tell, &work).await.map_err(|_| failure)
            }
            other => other,
        }
    }

    async fn try_each<T, F: Future<Output = Result<T, Error>>>(
        &self,
        wanted: WantedBackup<'_>,
        damaged_too: bool,
        run: &Run,
        tell: &(dyn Fn(&str) + Sync),
        work: &impl Fn(Repository, Manifest) -> F,
    ) -> Result<Done<T>, Error> {
        let mut selector = wanted.selector.to_owned();
        let mut passed_over = PassedOver { tell, reasons: Vec::new(), held: None };
        let mut first_failure: Option<Error> = None;
        for (index, name) in self.names.iter().enumerate() {
            let is_last = index + 1 == self.names.len();
            let found = match self.open(name).await {
                Ok(repository) => {
                    let wanted = WantedBackup { selector: &selector, ..wanted };
                    let found = find(&repository, wanted, damaged_too, &mut passed_over).await;
                    found.map(|manifest| (repository, manifest))
                }
                Err(error) => Err(error),
            };
            let failure: Error = match found {
                Ok((repository, manifest)) => {
                    selector = format!("{}/{}", manifest.instance, manifest.id);
                    let worked = match is_last {
                        // The last source: if it is damaged, the work reports it.
                        true => work(repository, manifest.clone()).await,
                        false => match self.look(&repository, &manifest, run).await {
                            Ok(()) => work(repository, manifest.clone()).await,
                            Err(error) => Err(error),
                        },
                    };
                    match worked {
                        Ok(result) => {
                            let (repository, passed_over) = ((*name).to_owned(), passed_over.reasons);
                            return Ok(Done { manifest, repository, passed_over, result });
                        }
                        Err(error) if error.is_damage() => error,
                        Err(error) => return Err(error),
                    }
                }
                Err(error) if is_final(&error) => return Err(error.into()),
                Err(error) => error.into(),
            };
            let reason = format!("skipped the repository {name}: {}", explain(&failure));
            match first_failure {
                None => (passed_over.held, first_failure) = (Some(reason), Some(failure)),
                Some(_) => passed_over.add(reason),
            }
        }
        // There is always one source, and each either returned or failed.
        Err(first_failure.unwrap_or(Error::Interrupted))
    }

    /// Finds which backup is meant, without reading it: in the first repository that answers. If
    /// its `latest` skips newer ones, a later repository may have one of those intact.
    ///
    /// # Errors
    /// What kept the first repository from answering, where none answers.
    pub async fn resolve(&self, wanted: WantedBackup<'_>) -> Result<BackupRef, RepositoryError> {
        let mut best: Option<Selected> = None;
        let mut first_failure = None;
        for name in &self.names {
            let selected = match self.open(name).await {
                Ok(repository) => repository.select(wanted.selector, wanted.instance).await,
                Err(error) => Err(error),
            };
            match selected {
                Ok(selected) => {
                    selected.warnings.iter().for_each(|warning| tracing::warn!(repository = name, "{warning}"));
                    let is_newest = selected.warnings.is_empty();
                    if best.as_ref().is_none_or(|best| best.backup.id < selected.backup.id) {
                        best = Some(selected);
                    }
                    if is_newest {
                        break;
                    }
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(repository = name, "unable to search for the backup: {}", explain(&error));
                    first_failure.get_or_insert(error);
                }
            }
        }
        match (best, first_failure) {
            (Some(Selected { backup, .. }), _) => Ok(backup),
            (None, Some(failure)) => Err(failure),
            // There is always one source.
            (None, None) => Err(RepositoryError::WhichInstance { instances: Vec::new() }),
        }
    }

    async fn open(&self, name: &str) -> Result<Repository, RepositoryError> {
        let place = match self.config.copies.get(name) {
            Some(copy) => &copy.place,
            None => &self.config.repository,
        };
        match self.connection.filter(|_| name == MAIN) {
            Some(connection) => connection.repository(place).await,
            None => Repository::at(place).await,
        }
    }

    /// Checks that every object of a backup exists.
    async fn look(&self, repository: &Repository, manifest: &Manifest, run: &Run) -> Result<(), Error> {
        let options = CheckOptions { read_data: None, tools: tools(self.config) };
        let report = check(repository, &[manifest.backup()], &options, run).await?;
        match report.backups.into_iter().flat_map(|checked| checked.damage).next() {
            None => Ok(()),
            Some(damage) => {
                let location = repository.store().location();
                Err(RepositoryError::Damaged { key: damage.key, location, reason: damage.reason }.into())
            }
        }
    }
}

/// What is skipped, and why.
struct PassedOver<'a> {
    tell: &'a (dyn Fn(&str) + Sync),
    /// The reasons that were reported.
    reasons: Vec<String>,
    /// Why the first repository was skipped, until another one has the backup.
    held: Option<String>,
}

impl PassedOver<'_> {
    fn add(&mut self, reason: String) {
        (self.tell)(&reason);
        self.reasons.push(reason);
    }
}

async fn find(
    repository: &Repository,
    WantedBackup { selector, instance }: WantedBackup<'_>,
    damaged_too: bool,
    passed_over: &mut PassedOver<'_>,
) -> Result<Manifest, RepositoryError> {
    let selected = match damaged_too {
        true => repository.select_damaged_too(selector, instance).await?,
        false => repository.select(selector, instance).await?,
    };
    let held = passed_over.held.take();
    held.into_iter().chain(selected.warnings).for_each(|reason| passed_over.add(reason));
    repository.verified_manifest(&selected.backup).await
}

/// Returns whether the request was wrong, rather than the repository without an answer.
fn is_final(error: &RepositoryError) -> bool {
    matches!(error, RepositoryError::Ambiguous { .. } | RepositoryError::WhichInstance { .. })
}

/// Returns PostgreSQL's programs. Any pg_restore will do that is new enough: those that an
/// instance's or target's `pg_path` names come first.
pub fn tools(config: &Config) -> Tools {
    let databases = config.instances.values().map(|instance| &instance.instance.database);
    let mut databases = databases.chain(config.targets.values().map(|target| &target.database));
    Tools::new(databases.find_map(|database| database.pg_path.as_deref()))
}

/// The repository of a configuration, opened once.
#[derive(Debug, Default)]
pub(crate) struct Connection(Mutex<Option<(StoreConfig, Repository)>>);

impl Connection {
    /// Returns the open repository; opened again where the configuration names another one.
    pub(crate) async fn repository(&self, config: &StoreConfig) -> Result<Repository, RepositoryError> {
        let mut open = self.0.lock().await;
        if let Some((_, repository)) = open.as_ref().filter(|(opened, _)| opened == config) {
            return Ok(repository.clone());
        }
        let repository = Repository::at(config).await?;
        *open = Some((config.clone(), repository.clone()));
        Ok(repository)
    }
}
