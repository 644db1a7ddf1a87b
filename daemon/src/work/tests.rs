//! Runs the engine itself, on a real server.

use std::sync::Mutex;

use harness::project::{INSTANCE, Project, TARGET};

use engine::hooks::{HookCommand, Hooks};
use engine::repository::{BackupId, BackupRef, LockError, RepositoryError};

use super::*;
use crate::sources::WantedBackup;

/// A success with nothing to report.
const DONE: RunOutcome =
    RunOutcome::Done { backup: None, warnings: Vec::new(), figures: BTreeMap::new(), removed: Vec::new(), proof: None };

/// A project with a repository, and an engine that backs it up.
struct Fixture {
    project: Project,
    config: Config,
    repository: Repository,
    engine: Engine,
}

impl Fixture {
    /// Appends this to the configuration.
    async fn with(more: &str) -> Self {
        let project = Project::start().await;
        project.write_config(&format!("url = \"file://{}\"", project.repository().display()), more);
        let config = Config::load(&project.config()).unwrap();
        let store = engine::store::open(&config.repository, true).await.unwrap();
        let repository = Repository::init(store, Timestamp::now()).await.unwrap();
        for copy in config.copies.values() {
            let store = engine::store::open(&copy.place, true).await.unwrap();
            Repository::init(store, Timestamp::now()).await.unwrap();
        }
        Self { project, config, repository, engine: Engine::default() }
    }

    async fn back_up(&self) -> (BackupId, Vec<String>, BTreeMap<String, u64>) {
        self.carry_out(Order::Backup { reread: false }).await
    }

    async fn carry_out(&self, order: Order) -> (BackupId, Vec<String>, BTreeMap<String, u64>) {
        let instance = &self.config.instances[INSTANCE];
        let work = Work { config: &self.config, instance, order: &order, slot: None, run: &Run::default() };
        match self.engine.work(work).await.unwrap() {
            RunOutcome::Done { backup, warnings, figures, .. } => (backup.unwrap(), warnings, figures),
            other => panic!("{other:?}"),
        }
    }

    async fn between_hooks(
        &self,
        order: &Order,
        slot: Option<Timestamp>,
        attempt: impl AsyncFnOnce() -> Result<RunOutcome, Failure>,
    ) -> Result<RunOutcome, Failure> {
        let instance = &self.config.instances[INSTANCE];
        let work = Work { config: &self.config, instance, order, slot, run: &Run::default() };
        between_hooks(&work, attempt()).await
    }

    async fn left(&self) -> Vec<BackupId> {
        self.repository.names(None).await.unwrap().into_iter().map(|backup| backup.id).collect()
    }

    async fn left_in(&self, copy: &str) -> Vec<BackupId> {
        let repository = Repository::at(&self.config.copies[copy].place).await.unwrap();
        repository.names(None).await.unwrap().into_iter().map(|backup| backup.id).collect()
    }
}

#[tokio::test]
async fn backup_is_followed_by_configured_prune() {
    let fixture =
        Fixture::with("[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\n").await;
    fixture.back_up().await;
    let (second, warnings, figures) = fixture.back_up().await;
    assert_eq!(fixture.left().await, [second]);
    assert_eq!((warnings.len(), figures["removed_backups"]), (0, 1), "{warnings:?} {figures:?}");
}

#[tokio::test]
async fn default_policy_prunes_without_a_section() {
    let fixture = Fixture::with("").await;
    let (first, _, _) = fixture.back_up().await;
    fixture.back_up().await;
    let (third, warnings, figures) = fixture.back_up().await;
    // Of one day the newest stays, and the oldest of all while slots are left.
    assert_eq!((fixture.left().await, warnings.len(), figures["removed_backups"]), (vec![first, third], 0, 1));
}

#[tokio::test]
async fn prune_false_keeps_every_backup() {
    let mut fixture = Fixture::with("").await;
    fixture.config.instances.get_mut(INSTANCE).unwrap().prune = false;
    fixture.back_up().await;
    fixture.back_up().await;
    let (_, _, figures) = fixture.back_up().await;
    assert_eq!((fixture.left().await.len(), figures.get("removed_backups")), (3, None));
}

#[tokio::test]
async fn repository_is_pruned_by_own_retention() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, more: &str| {
        let path = folder.path().join(name);
        format!("[repository.{name}]\nurl = \"file://{}\"\n{more}\n", path.display())
    };
    let keep = |count: u32| format!("keep_last = {count}\ndaily = 0\nweekly = 0\nmonthly = 0\n");
    let sections = [
        format!("[instance.production.retention]\n{}", keep(2)),
        copy("near", &format!("copy = \"after_backup\"\n[repository.near.retention]\n{}", keep(1))),
        // By the instance's own.
        copy("far", "copy = \"after_backup\""),
    ];
    let fixture = Fixture::with(&sections.concat()).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(fixture.back_up().await);
    }
    let ids: Vec<_> = made.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(fixture.left().await, ids[1..]);
    assert_eq!((fixture.left_in("near").await, fixture.left_in("far").await), (ids[2..].to_vec(), ids[1..].to_vec()));
    let figures: Vec<_> =
        made.iter().map(|(_, _, figures)| (figures["removed_backups"], figures["removed_copies"])).collect();
    assert_eq!(figures, [(0, 0), (0, 1), (1, 2)]);
    assert!(made.iter().all(|(_, warnings, _)| warnings.is_empty()), "{made:?}");

    // A repository that cannot be reached does not stop the others from being pruned.
    std::fs::rename(folder.path().join("near"), folder.path().join("away")).unwrap();
    let (last, warnings, figures) = fixture.back_up().await;
    assert_eq!((warnings.len(), figures["removed_backups"], figures["removed_copies"]), (1, 1, 1), "{warnings:?}");
    assert!(warnings[0].starts_with("no copy in near: "), "{warnings:?}");
    assert_eq!(fixture.left_in("far").await.last(), Some(&last));
}

#[tokio::test]
async fn held_prune_is_warning_of_backup() {
    let fixture = Fixture::with(
        "[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\nhold_if_shrunk = \"0%\"\n",
    )
    .await;
    fixture.back_up().await;
    fixture.project.cluster().execute(INSTANCE, "DELETE FROM mail_message");
    let (_, warnings, _) = fixture.back_up().await;
    assert!(warnings.iter().any(|warning| warning.starts_with("nothing is removed: ")), "{warnings:?}");
    assert_eq!(fixture.left().await.len(), 2);
}

#[tokio::test]
async fn drill_proves_latest_and_leaves_nothing() {
    let fixture = Fixture::with("[instance.production.drill]\nschedule = \"0 5 * * 0\"\n").await;
    let databases = || fixture.project.cluster().execute("postgres", "SELECT datname FROM pg_database ORDER BY 1");
    let before = databases();
    fixture.back_up().await;
    let (latest, _, _) = fixture.back_up().await;
    let (drilled, warnings, figures) = fixture.carry_out(Order::Drill).await;
    assert_eq!((&drilled, warnings.as_slice()), (&latest, &[][..]));
    assert!(figures["restored_files"] > 0 && figures["restored_file_bytes"] > 0, "{figures:?}");
    assert_eq!(databases(), before);
    let listing = fixture.repository.list(None).await.unwrap();
    let proven = |id: &BackupId| {
        listing.evidence.get(&BackupRef::new(INSTANCE, id.clone())).is_some_and(|of| of.proven().is_some())
    };
    assert!(proven(&latest));
}

/// A second repository, with a copy of each backup.
struct Copied {
    fixture: Fixture,
    folder: tempfile::TempDir,
}

impl Copied {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("near").display().to_string();
        let near = format!("[repository.near]\nurl = \"file://{url}\"\ncopy = \"after_backup\"\n");
        Self { fixture: Fixture::with(&near).await, folder }
    }

    /// Removes an object of a backup from the first repository.
    fn damage(&self, id: &BackupId) {
        let folder = self.fixture.project.repository().join(INSTANCE).join(id.as_str());
        std::fs::remove_file(folder.join("database.map.zst")).unwrap();
    }
}

#[tokio::test]
async fn drill_of_damaged_backup_reads_copy() {
    let copied = Copied::new().await;
    let (id, ..) = copied.fixture.back_up().await;
    copied.damage(&id);
    let (drilled, warnings, _) = copied.fixture.carry_out(Order::Drill).await;
    assert_eq!((&drilled, warnings.len()), (&id, 1), "{warnings:?}");
    assert!(warnings[0].starts_with("skipped the repository main: "), "{warnings:?}");
    let near = Repository::at(&copied.fixture.config.copies["near"].place).await.unwrap();
    let evidence = near.list(None).await.unwrap().evidence;
    assert!(evidence[&BackupRef::new(INSTANCE, id)].proven().is_some(), "the proof is where the copy is");
}

#[tokio::test]
async fn restore_without_first_repository_reads_copy() {
    let copied = Copied::new().await;
    let (id, ..) = copied.fixture.back_up().await;
    std::fs::rename(copied.fixture.project.repository(), copied.folder.path().join("unplugged")).unwrap();
    let order = Order::Restore { target: TARGET.to_owned(), backup: id.clone() };
    let (restored, warnings, figures) = copied.fixture.carry_out(order).await;
    assert_eq!((&restored, warnings.len()), (&id, 1), "{warnings:?}");
    assert!(warnings[0].starts_with("skipped the repository main: "), "{warnings:?}");
    assert!(figures["restored_files"] > 0 && copied.fixture.project.cluster().has_database(TARGET));
}

#[tokio::test]
async fn absent_backup_has_each_reason_once() {
    let copied = Copied::new().await;
    let warnings = Mutex::new(Vec::new());
    let tell = |warning: &str| warnings.lock().unwrap().push(warning.to_owned());
    let wanted = WantedBackup { selector: "latest", instance: Some(INSTANCE) };
    let sources = Sources::of(&copied.fixture.config);
    let done = sources.with_first_intact(wanted, &Run::default(), &tell, |_, _| async { Ok(()) }).await;
    let error = config::explain(&done.unwrap_err()).to_string();
    assert!(error.starts_with("no backup \"latest\" in "), "{error}");
    let warnings = warnings.into_inner().unwrap();
    assert!(warnings.len() == 1 && warnings[0].starts_with("skipped the repository near: "), "{warnings:?}");
}

#[tokio::test]
async fn damaged_latest_is_found_in_copy() {
    let copied = Copied::new().await;
    let fixture = &copied.fixture;
    let (first, ..) = fixture.back_up().await;
    let (second, ..) = fixture.back_up().await;
    let wanted = WantedBackup { selector: "latest", instance: Some(INSTANCE) };
    let resolve = async |config: &Config| Sources::of(config).resolve(wanted).await.unwrap().id;
    assert_eq!(resolve(&fixture.config).await, second);
    copied.damage(&second);
    // A check records what is damaged.
    let check = Order::Check { read_data: Some(Sample::ALL) };
    let instance = &fixture.config.instances[INSTANCE];
    let work = Work { config: &fixture.config, instance, order: &check, slot: None, run: &Run::default() };
    assert!(matches!(fixture.engine.work(work).await, Err(Failure::Damage { .. })));
    assert_eq!(resolve(&fixture.config).await, second);
    let before = WantedBackup { selector: "latest~1", ..wanted };
    assert_eq!(Sources::of(&fixture.config).resolve(before).await.unwrap().id, first);
    let alone = Config { copies: BTreeMap::new(), ..fixture.config.clone() };
    assert_eq!(resolve(&alone).await, first);
    // Without the first repository, the copy is enough.
    std::fs::rename(fixture.project.repository(), copied.folder.path().join("unplugged")).unwrap();
    assert_eq!(resolve(&fixture.config).await, second);
    assert!(Sources::of(&alone).resolve(wanted).await.is_err());
}

#[tokio::test]
async fn hooks_run_around_backup() {
    let program = |name: &str| Some(HookCommand { program: name.into(), arguments: Vec::new() });
    let mut fixture = Fixture::with("").await;
    let mut hooks = Hooks { before: program("/bin/true"), after: program("/bin/false"), ..Hooks::default() };
    let order = Order::Backup { reread: false };
    fixture.config.instances.get_mut(INSTANCE).unwrap().hooks = hooks.clone();
    let outcome = fixture.between_hooks(&order, None, async || Ok(DONE)).await.unwrap();
    let RunOutcome::Done { warnings, .. } = outcome else { panic!("{outcome:?}") };
    assert!(warnings.len() == 1 && warnings[0].contains("the hook `after` of [instance.production]"), "{warnings:?}");

    hooks.before = program("/bin/false");
    fixture.config.instances.get_mut(INSTANCE).unwrap().hooks = hooks;
    let error = fixture.between_hooks(&order, None, async || panic!("it must not begin")).await.unwrap_err();
    assert!(error.is_worth_a_retry() && error.to_string().contains("the hook `before`"), "{error}");
    // Drills have no hooks.
    fixture.between_hooks(&Order::Drill, None, async || Ok(DONE)).await.unwrap();
}

#[tokio::test]
async fn restore_runs_hooks_of_target() {
    let mut fixture = Fixture::with("").await;
    let before = Some(HookCommand { program: "/bin/false".into(), arguments: Vec::new() });
    fixture.config.target_hooks.insert(TARGET.into(), Hooks { before, ..Hooks::default() });
    let backup: BackupId = "20261121T105858Z-86e7".parse().unwrap();
    let order = Order::Restore { target: TARGET.into(), backup };
    let error = fixture.between_hooks(&order, None, async || Ok(DONE)).await.unwrap_err();
    assert!(error.to_string().contains(&format!("the hook `before` of [target.{TARGET}]")), "{error}");
    let backup = Order::Backup { reread: false };
    fixture.between_hooks(&backup, None, async || Ok(DONE)).await.unwrap();
}

#[tokio::test]
async fn waiting_for_lock_is_elsewhere() {
    let mut fixture = Fixture::with("").await;
    let file = fixture.project.path("outcome");
    let script = format!("echo $ODOO_BACKUP_OUTCOME >> {}", file.display());
    let finally = Some(HookCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script] });
    fixture.config.instances.get_mut(INSTANCE).unwrap().hooks = Hooks { finally, ..Hooks::default() };
    let order = Order::Backup { reread: false };
    let held = async || {
        let held = LockError::Held { holder: "another process is backing up".into(), age: 1 };
        Err(engine::error::Error::from(RepositoryError::from(held)).into())
    };
    // Only a run of a schedule waits.
    fixture.between_hooks(&order, Some(Timestamp::now()), held).await.unwrap_err();
    fixture.between_hooks(&order, None, held).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "elsewhere\nfailed\n");
}
