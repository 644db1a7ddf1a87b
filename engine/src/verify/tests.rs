use std::fs;
use std::path::PathBuf;

use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET};
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::backup::{BackupOptions, backup};
use crate::instance::made_up;
use crate::manifest::CheckOutcome;
use crate::restore::{Protected, RestoreOptions, TargetIdentity, restore};
use crate::store::LocalStore;

/// A backup, and its restored copy.
struct Restored {
    project: Project,
    repository: Repository,
    manifest: Manifest,
    database: Endpoint,
    _folder: TempDir,
}

impl Restored {
    async fn of(project: Project, more_sql: &str) -> Self {
        project.cluster().psql_as("postgres", INSTANCE, more_sql);
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path().to_owned(), false).await.unwrap();
        let repository = Repository::init(std::sync::Arc::new(store), Timestamp::now()).await.unwrap();
        let instance = &made_up::instance(&project);
        let run = Run::default();
        let manifest = backup(&repository, instance, BackupOptions::default(), &run).await.unwrap();
        let target = &made_up::target(&project);
        let (depth, identity) = (Depth::Full, TargetIdentity::Copy);
        let options = RestoreOptions {
            jobs: 2,
            parallel_volumes: 2,
            depth,
            drop_previous: false,
            identity,
            wait: None,
            skip_failed_post_data: false,
        };
        restore(&repository, &manifest, target, &Protected::default(), options, &run).await.unwrap();
        let database = Endpoint::resolve(&target.database);
        Self { project, repository, manifest, database, _folder: folder }
    }

    async fn verify_as(&self, manifest: &Manifest, depth: Depth) -> Verification {
        let filestore = self.project.target_filestore();
        let (repository, database) = (&self.repository, &self.database);
        let copy = RestoredCopy { repository, manifest, database, filestore: &filestore, sessions: 2, left_out: &[] };
        verify(&copy, depth, &Run::default()).await.unwrap()
    }

    async fn verify(&self, depth: Depth) -> Verification {
        self.verify_as(&self.manifest, depth).await
    }

    /// Runs SQL as the database's owner, or as a superuser if only one may do the damage.
    fn sql(&self, sql: &str) {
        let role = if sql.contains("pg_index") { "postgres" } else { "odoo" };
        self.project.cluster().psql_as(role, TARGET, sql);
    }

    /// Returns a file of the target that is not empty.
    fn file(&self) -> PathBuf {
        let folders = fs::read_dir(self.project.target_filestore()).unwrap().map(|entry| entry.unwrap().path());
        let mut files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        files.find(|file| file.metadata().unwrap().len() > 0).unwrap()
    }
}

/// Asserts that exactly this subject failed, with these findings.
#[track_caller]
fn assert_failed(verification: &Verification, subject: Subject, says: &str) {
    let failed: Vec<_> = verification.checks.iter().filter(|check| check.outcome == CheckOutcome::Failed).collect();
    let subjects: Vec<_> = failed.iter().map(|check| check.subject).collect();
    assert!(subjects.contains(&subject), "{says:?}: {verification:#?}");
    let texts = failed.iter().find(|check| check.subject == subject).unwrap().findings.first.join("\n");
    assert!(texts.contains(says), "{says:?} is not in {texts}");
    assert!(verification.clone().require().unwrap_err().to_string().contains(&subject.to_string()));
}

#[track_caller]
fn assert_passed(verification: &Verification) {
    assert!(verification.passed(), "{}", verification.failures());
    assert!(verification.checks.iter().all(|check| check.outcome == CheckOutcome::Passed), "{verification:#?}");
}

/// What was already wrong at the source, or seems wrong.
const AT_SOURCE: &str = "
    SET ROLE odoo;
    CREATE TABLE unruly (id serial PRIMARY KEY, x int, r int4range);
    INSERT INTO unruly (id, x) VALUES (50, -1);
    ALTER TABLE unruly ADD CONSTRAINT positive CHECK (x > 0) NOT VALID;
    CREATE TABLE heir (y int) INHERITS (unruly);
    CREATE TABLE heir_of_heir () INHERITS (heir);
    CREATE TABLE parted (x int PRIMARY KEY, y int REFERENCES unruly) PARTITION BY HASH (x);
    CREATE TABLE part_a PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE part_b PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parted SELECT generate_series(1, 40);
    CREATE INDEX ON parted (y);
    CREATE INDEX incomplete ON ONLY parted (x, y);
    CREATE TYPE span AS RANGE (subtype = float8);
    CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER nothing BEFORE INSERT ON unruly FOR EACH ROW EXECUTE FUNCTION noop();
    CREATE TRIGGER on_parts AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION noop();
    CREATE SEQUENCE countdown INCREMENT -2 START -4;
    SELECT nextval('countdown'), lo_create(0);
    CREATE VIEW unruly_view AS TABLE unruly;
    CREATE MATERIALIZED VIEW unruly_now AS TABLE unruly;";

#[tokio::test]
async fn each_check_finds_its_damage() {
    let copy = Restored::of(Project::start().await, AT_SOURCE).await;
    let whole = copy.verify(Depth::Full).await;
    assert_passed(&whole);
    assert_eq!(whole.checks.len(), 9);
    let known = |subject| {
        let check = whole.checks.iter().find(|check: &&Check| check.subject == subject).unwrap();
        (check.known.count, check.known.first.first().cloned().unwrap_or_default())
    };
    assert_eq!(known(Subject::Constraints).0, 3, "{whole:#?}");
    let (_, behind) = known(Subject::Sequences);
    assert!(behind.contains("would return") && behind.contains("already"), "{behind}");

    for (subject, tamper, says, repair) in [
        (
            Subject::Rows,
            "DELETE FROM parted WHERE x = 7",
            "public.parted has 39 rows, and 40 were backed up",
            "INSERT INTO parted VALUES (7)",
        ),
        (
            Subject::Rows,
            "CREATE TABLE more AS SELECT 1",
            "public.more has 1 row, and was not backed up",
            "DROP TABLE more",
        ),
        (
            Subject::Rows,
            "ALTER TABLE part_a RENAME TO x; ALTER TABLE parted RENAME TO y",
            "public.part_a is missing: of its rows ",
            "ALTER TABLE y RENAME TO parted; ALTER TABLE x RENAME TO part_a",
        ),
        (
            Subject::Rows,
            "SELECT lo_unlink(oid) FROM pg_largeobject_metadata",
            "the copy has 0 large objects, and 1 was backed up",
            "SELECT lo_create(0)",
        ),
        (
            Subject::Objects,
            "DROP VIEW unruly_view",
            "the copy has 1 view, and the dump creates 2",
            "CREATE VIEW unruly_view AS TABLE unruly",
        ),
        (
            Subject::Objects,
            "DROP TRIGGER nothing ON unruly",
            "triggers, and the dump creates",
            "CREATE TRIGGER nothing BEFORE INSERT ON unruly FOR EACH ROW EXECUTE FUNCTION noop()",
        ),
        (
            Subject::Objects,
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "functions, and the dump creates",
            "DROP FUNCTION f()",
        ),
        (
            Subject::Constraints,
            "ALTER TABLE unruly ADD CONSTRAINT other CHECK (x > 0) NOT VALID",
            "public.unruly other is not validated",
            "ALTER TABLE unruly DROP CONSTRAINT other",
        ),
        (
            Subject::Constraints,
            "ALTER TABLE heir ADD CONSTRAINT own CHECK (y > 0) NOT VALID",
            "public.heir_of_heir own is not validated",
            "ALTER TABLE heir DROP CONSTRAINT own",
        ),
        (
            Subject::Indexes,
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'unruly_pkey'::regclass",
            "public.unruly_pkey is not valid",
            "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'unruly_pkey'::regclass",
        ),
        (
            Subject::Sequences,
            "SELECT setval('countdown', -40)",
            "public.countdown is at -40, and the dump sets it to -4",
            "SELECT setval('countdown', -4)",
        ),
        (
            Subject::Sequences,
            "SELECT setval('ir_attachment_id_seq', 1)",
            "public.ir_attachment.id already has ",
            "SELECT 1",
        ),
        (
            Subject::Modules,
            "UPDATE ir_module_module SET state = 'uninstalled' WHERE name = 'sale'",
            "sale is not installed",
            "UPDATE ir_module_module SET state = 'installed' WHERE name = 'sale'",
        ),
        (
            Subject::Modules,
            "UPDATE ir_config_parameter SET value = 'x' || value WHERE key = 'database.uuid'",
            "database.uuid",
            "UPDATE ir_config_parameter SET value = substr(value, 2) WHERE key = 'database.uuid'",
        ),
        (
            Subject::Users,
            "UPDATE res_users SET share = true WHERE login = 'admin'; UPDATE res_users SET active = false WHERE login <> 'admin'",
            "no active internal user",
            "UPDATE res_users SET share = false WHERE login = 'admin'",
        ),
        (
            Subject::Attachments,
            "UPDATE ir_attachment SET store_fname = 'aa/' || store_fname WHERE id = (SELECT max(id) FROM ir_attachment WHERE store_fname IS NOT NULL)",
            "is referenced by an attachment but not in the backup",
            "UPDATE ir_attachment SET store_fname = substr(store_fname, 4) WHERE store_fname LIKE 'aa/__/%'",
        ),
    ] {
        copy.sql(tamper);
        assert_failed(&copy.verify(Depth::Quick).await, subject, says);
        copy.sql(repair);
    }

    let file = copy.file();
    let content = fs::read(&file).unwrap();
    let mut damaged = content.clone();
    damaged[0] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let unread = copy.verify(Depth::Quick).await;
    assert!(!unread.failures().contains("files:"), "{}", unread.failures());
    assert_failed(&copy.verify(Depth::Full).await, Subject::Files, "has content that does not match its name");
    fs::write(&file, &content[1..]).unwrap();
    assert_failed(&copy.verify(Depth::Quick).await, Subject::Files, "bytes, and should have");
    fs::remove_file(&file).unwrap();
    assert_failed(&copy.verify(Depth::Quick).await, Subject::Files, "is missing");
}

#[tokio::test]
async fn source_losses_are_known() {
    let project = Project::start().await;
    let files = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut of_attachments: Vec<_> = files(project.filestore())
        .into_iter()
        .filter(|folder| folder.file_name().unwrap() != "checklist")
        .flat_map(files)
        .filter(|file| file.metadata().unwrap().len() > 0)
        .collect();
    of_attachments.sort();
    fs::remove_file(&of_attachments[0]).unwrap();
    let mut damaged = fs::read(&of_attachments[1]).unwrap();
    damaged[0] ^= 1;
    fs::write(&of_attachments[1], damaged).unwrap();
    let copy = Restored::of(project, "").await;
    let whole = copy.verify(Depth::Full).await;
    assert_passed(&whole);
    for subject in [Subject::Files, Subject::Attachments] {
        let check = whole.checks.iter().find(|check| check.subject == subject).unwrap();
        assert_eq!(check.known.count, 1, "{check:?}");
    }

    let mut older = copy.manifest.clone();
    older.database.rows = None;
    let verification = copy.verify_as(&older, Depth::Quick).await;
    assert!(verification.passed());
    let rows = verification.checks.iter().find(|check| check.subject == Subject::Rows).unwrap();
    assert_eq!((rows.outcome, rows.looked_at), (CheckOutcome::Skipped, 0));
}

#[tokio::test]
async fn foreign_database_has_applicable_checks() {
    let project = Project::with(ProjectOptions { source: Source::Empty, ..ProjectOptions::default() }).await;
    let whole = Restored::of(project, AT_SOURCE).await.verify(Depth::Full).await;
    assert_passed(&whole);
    let subjects: Vec<_> = whole.checks.iter().map(|check| check.subject).collect();
    assert_eq!(
        subjects,
        [Subject::Files, Subject::Rows, Subject::Objects, Subject::Constraints, Subject::Indexes, Subject::Sequences]
    );
}
