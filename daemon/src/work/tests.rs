//! By the engine itself, on a real server.

use harness::project::{INSTANCE, Project};

use engine::repository::BackupId;

use super::*;

/// A project with a repository, and an engine that backs it up.
struct Fixture {
    project: Project,
    config: Config,
    repository: Repository,
    engine: Engine,
}

impl Fixture {
    /// With this at the end of the configuration.
    async fn with(more: &str) -> Self {
        let project = Project::start().await;
        project.write_config(&format!("url = \"file://{}\"", project.repository().display()), more);
        let config = Config::load(&project.config()).unwrap();
        let store = engine::store::open(&config.repository, true).await.unwrap();
        let repository = Repository::init(store, Timestamp::now()).await.unwrap();
        Self { project, config, repository, engine: Engine::default() }
    }

    async fn back_up(&self) -> (BackupId, Vec<String>, BTreeMap<String, u64>) {
        self.carry_out(Order::Backup { reread: false }).await
    }

    async fn carry_out(&self, order: Order) -> (BackupId, Vec<String>, BTreeMap<String, u64>) {
        let instance = &self.config.instances[INSTANCE];
        let work = Work { config: &self.config, instance, order: &order, slot: None, run: &Run::default() };
        match self.engine.work(work).await.unwrap() {
            Outcome::Done { backup, warnings, figures } => (backup.unwrap(), warnings, figures),
            other => panic!("{other:?}"),
        }
    }

    async fn left(&self) -> Vec<BackupId> {
        self.repository.names(None).await.unwrap().into_iter().map(|(_, id)| id).collect()
    }
}

#[tokio::test]
async fn a_backup_is_pruned_behind_where_the_configuration_says_what_stays() {
    let fixture =
        Fixture::with("[instance.production.retention]\nkeep_last = 1\ndaily = 0\nweekly = 0\nmonthly = 0\n").await;
    fixture.back_up().await;
    let (second, warnings, figures) = fixture.back_up().await;
    assert_eq!(fixture.left().await, [second]);
    assert_eq!((warnings.len(), figures["removed_backups"]), (0, 1), "{warnings:?} {figures:?}");
}

#[tokio::test]
async fn nothing_is_removed_where_the_configuration_says_nothing() {
    let fixture = Fixture::with("").await;
    fixture.back_up().await;
    let (_, _, figures) = fixture.back_up().await;
    assert_eq!((fixture.left().await.len(), figures.get("removed_backups")), (2, None));
}

#[tokio::test]
async fn what_keeps_a_prune_from_removing_is_a_warning_of_a_backup_that_counts() {
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
async fn a_drill_proves_the_latest_backup_and_leaves_nothing() {
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
        listing.evidence.get(&(INSTANCE.to_owned(), id.clone())).is_some_and(|of| of.proven().is_some())
    };
    assert!(proven(&latest));
}
