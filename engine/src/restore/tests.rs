//! The renaming, and every moment at which it can be interrupted.

use std::fs;
use std::path::Path;

use harness::postgres::{Cluster, SUPERUSER, USER, quote_identifier};
use tempfile::{TempDir, tempdir};

use super::record::claim::TargetClaim;
use super::record::folders::arrange;
use super::record::leftovers::{self, Cleared};
use super::record::names::Suffix;
use super::record::{Record, Scrap, Swap};
use super::swap::swap;
use super::*;
use crate::manifest::made_up;
use crate::postgres::{self, Database, Renaming, SslMode};

/// A name that needs quoting everywhere.
const NAME: &str = r#"Stage's "é" \=x"#;

struct Place {
    cluster: Cluster,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { cluster: Cluster::start(), folder: tempdir().unwrap() }
    }

    fn target(&self) -> Target {
        let database = Database {
            name: NAME.into(),
            host: Some(self.cluster.host().into()),
            port: Some(self.cluster.port()),
            user: Some(USER.into()),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: None,
            pg_path: None,
        };
        let filestore = self.folder.path().join(NAME);
        let (name, instance, neutralize, anonymize) = ("staging".into(), None, None, None);
        Target { name, database, filestore, instance, neutralize, anonymize, trusted: false }
    }

    /// Runs SQL by a connection string, because psql would read a name with an equals sign as one.
    fn execute(&self, database: &str, sql: &str) -> String {
        let name = database.replace('\\', r"\\").replace('\'', r"\'");
        self.cluster.execute(&format!("dbname='{name}'"), sql)
    }

    async fn claim(&self) -> TargetClaim {
        TargetClaim::take(&self.target(), &Run::default()).await.unwrap()
    }

    /// Creates a target with a mark in both of its halves.
    fn make_target(&self, mark: &str) {
        self.cluster.create_database(NAME);
        self.execute(NAME, &format!("CREATE TABLE {mark} ()"));
        self.make_folder(&self.target().filestore, mark);
    }

    fn make_folder(&self, path: &Path, mark: &str) {
        fs::create_dir(path).unwrap();
        fs::write(path.join(mark), "").unwrap();
    }

    /// Creates what a restore has just before its end.
    async fn make_copy(&self, claim: &mut TargetClaim, mark: &str) -> Suffix {
        let suffix = Suffix::restoring().unwrap();
        let names = claim.names.with(&suffix);
        claim.record.scraps.push(Scrap { suffix: suffix.clone(), scratch: None });
        claim.save().unwrap();
        postgres::create_hidden_database(&claim.server, &names.database, &made_up::locale()).await.unwrap();
        self.execute(&names.database, &format!("CREATE TABLE {mark} ()"));
        self.make_folder(&names.filestore, mark);
        suffix
    }

    /// Returns the marks of the target's database and folder, if Odoo can see and use them.
    fn marks(&self) -> (Option<String>, Option<String>) {
        let database = self.listed().contains(&NAME.to_owned()).then(|| {
            let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
            self.execute(NAME, tables).trim().to_owned()
        });
        let folder = fs::read_dir(self.target().filestore).ok();
        let folder = folder.map(|mut folder| folder.next().unwrap().unwrap().file_name().into_string().unwrap());
        (database, folder)
    }

    /// Returns the databases that Odoo considers its own, by its own query.
    fn listed(&self) -> Vec<String> {
        let query =
            "SELECT datname FROM pg_database WHERE datdba = (SELECT usesysid FROM pg_user WHERE usename = current_user)
            AND NOT datistemplate AND datallowconn AND datname NOT IN ('postgres', 'template0') ORDER BY datname";
        self.execute("postgres", query).lines().map(str::to_owned).collect()
    }

    /// Counts every database, including hidden ones, except the cluster's own.
    fn databases(&self) -> usize {
        self.cluster.databases().len()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).unwrap().count()
    }
}

fn both(mark: &str) -> (Option<String>, Option<String>) {
    (Some(mark.to_owned()), Some(mark.to_owned()))
}

#[tokio::test]
async fn previous_state_is_kept_for_undo() {
    let place = Place::new();
    place.make_target("first");
    for mark in ["second", "third"] {
        let mut claim = place.claim().await;
        let suffix = place.make_copy(&mut claim, mark).await;
        assert_eq!(place.listed(), [NAME], "what is half restored is hidden from Odoo");
        let [old, new] = [NAME.to_owned(), claim.names.with(&suffix).database];
        let curious = [place.cluster.connect(&old).await, place.cluster.connect(&new).await];
        swap(&mut claim, &suffix).await.unwrap();
        assert_eq!(leftovers::remove(&mut claim).await.left, [""; 0]);
        for client in curious {
            assert!(client.simple_query("SELECT 1").await.is_err());
        }
        assert_eq!((place.marks(), place.listed()), (both(mark), vec![NAME.to_owned()]));
        assert_eq!((place.databases(), place.files()), (2, 3), "one former pair and the record");
    }
    for mark in ["second", "third", "second"] {
        let undone =
            undo(&Protected::default(), &place.target(), TargetIdentity::Copy, None, &Run::default()).await.unwrap();
        assert_eq!((place.marks(), place.listed()), (both(mark), vec![NAME.to_owned()]));
        let former = undone.former.unwrap();
        assert!(former.database.unwrap().starts_with(&format!("{NAME}_before_20")));
        assert!(former.filestore.unwrap().is_dir());
        assert_eq!((place.databases(), place.files()), (2, 3));
    }
}

/// Every moment at which a process can be killed during the renaming. Its memory is gone, and its
/// sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Killed {
    Intending,
    Closed,
    FolderMoved,
    FoldersMoved,
    Renamed,
    Forgetting,
}

async fn killed_at(place: &Place, moment: Killed) {
    let mut claim = place.claim().await;
    let suffix = place.make_copy(&mut claim, "new").await;
    let incoming = claim.look_at_suffix(suffix.clone()).await.unwrap();
    let outgoing = claim.look_at_target(Suffix::before(jiff::Timestamp::now())).await.unwrap();
    let (new, old) = (claim.names.with(&suffix), claim.names.with(&outgoing.suffix));
    let target = &claim.names;
    let has_old = outgoing.oid.is_some();
    claim.record.swap = Some(Swap { incoming: incoming.clone(), outgoing: outgoing.clone() });
    claim.save().unwrap();
    if moment >= Killed::Closed {
        if has_old {
            postgres::close_database(&claim.server, NAME).await.unwrap();
        }
        postgres::close_database(&claim.server, &new.database).await.unwrap();
    }
    if moment == Killed::FolderMoved && outgoing.folder.is_some() {
        fs::rename(&target.filestore, &old.filestore).unwrap();
    }
    if moment >= Killed::FoldersMoved {
        let paths = [&*target.filestore, &new.filestore, &old.filestore];
        arrange([(incoming.folder, paths[0]), (outgoing.folder, paths[2])], paths).unwrap();
    }
    if moment >= Killed::Renamed {
        let away = Renaming { from: NAME.into(), to: old.database, open: false };
        let here = Renaming { from: new.database, to: NAME.into(), open: true };
        let renamings: Vec<_> = has_old.then_some(away).into_iter().chain([here]).collect();
        postgres::rename_databases(&claim.server, &renamings).await.unwrap();
    }
}

#[tokio::test]
async fn interrupted_swap_is_finished_or_reverted() {
    let place = Place::new();
    for there in [true, false] {
        for moment in [
            Killed::Intending,
            Killed::Closed,
            Killed::FolderMoved,
            Killed::FoldersMoved,
            Killed::Renamed,
            Killed::Forgetting,
        ] {
            if there {
                place.make_target("old");
            }
            killed_at(&place, moment).await;
            let mut claim = place.claim().await;
            let cleared = leftovers::clear(&mut claim, &Run::default()).await.unwrap();
            assert!(cleared[0].contains("that an earlier run had begun"), "{cleared:?}");
            let nothing = (None, None);
            let (expected, count) = match (moment >= Killed::Renamed, there) {
                (true, true) => (both("new"), 2),
                (true, false) => (both("new"), 1),
                (false, true) => (both("old"), 1),
                (false, false) => (nothing, 0),
            };
            assert_eq!(place.marks(), expected, "{moment:?} {there}");
            assert_eq!(place.databases(), count, "{moment:?} {there}");
            assert_eq!(place.files(), count + usize::from(claim.record.former.is_some()), "{moment:?} {there}");
            assert_eq!(leftovers::clear(&mut claim, &Run::default()).await.unwrap(), [""; 0]);
            // Nothing is left for the next round.
            for name in
                [Some(NAME.to_owned()), Former::of(&claim).and_then(|former| former.database)].into_iter().flatten()
            {
                postgres::drop_database(&claim.server, &name).await.unwrap();
            }
            drop(claim);
            fs::remove_dir_all(place.folder.path()).unwrap();
            fs::create_dir(place.folder.path()).unwrap();
        }
    }
}

#[tokio::test]
async fn half_target_is_replaced_and_restored() {
    let place = Place::new();
    for (database, folder) in [(true, false), (false, true)] {
        if database {
            place.cluster.create_database(NAME);
            place.execute(NAME, "CREATE TABLE half ()");
        }
        if folder {
            place.make_folder(&place.target().filestore, "half");
        }
        let half = place.marks();
        let mut claim = place.claim().await;
        let suffix = place.make_copy(&mut claim, "whole").await;
        swap(&mut claim, &suffix).await.unwrap();
        leftovers::remove(&mut claim).await;
        drop(claim);
        assert_eq!(place.marks(), both("whole"));
        undo(&Protected::default(), &place.target(), TargetIdentity::Copy, None, &Run::default()).await.unwrap();
        assert_eq!(place.marks(), half);
        undo(&Protected::default(), &place.target(), TargetIdentity::Copy, None, &Run::default()).await.unwrap();
        assert_eq!(place.marks(), both("whole"));
        undo(&Protected::default(), &place.target(), TargetIdentity::Copy, None, &Run::default()).await.unwrap();
        let claim = place.claim().await;
        let former = Former::of(&claim).unwrap().database.unwrap();
        for name in [NAME, &former] {
            postgres::drop_database(&claim.server, name).await.unwrap();
        }
        fs::remove_dir_all(place.folder.path()).unwrap();
        fs::create_dir(place.folder.path()).unwrap();
    }
}

#[tokio::test]
async fn foreign_session_keeps_target_unchanged() {
    let place = Place::new();
    place.make_target("old");
    let mut claim = place.claim().await;
    let suffix = place.make_copy(&mut claim, "new").await;
    let superuser = place.cluster.connect_as(SUPERUSER, NAME).await;
    let error = swap(&mut claim, &suffix).await.unwrap_err();
    let explained = crate::error::explain(&error);
    assert!(
        explained.hint.as_ref().is_some_and(|hint| hint.contains("pg_terminate_backend") && hint.contains("--wait")),
        "{explained:?}"
    );
    assert_eq!((place.marks(), place.listed()), (both("old"), vec![NAME.to_owned()]));
    superuser.simple_query("SELECT 1").await.unwrap();
    assert_eq!(claim.record.swap, None);
    let Cleared { done, left } = leftovers::remove(&mut claim).await;
    assert_eq!((done.len(), left.len()), (2, 0));
    assert_eq!((place.databases(), place.files()), (1, 1));
}

#[tokio::test]
async fn blocking_folder_keeps_target_unchanged() {
    let place = Place::new();
    let mut claim = place.claim().await;
    let suffix = place.make_copy(&mut claim, "new").await;
    // Created by another process at the last moment.
    let outgoing = claim.look_at_target(Suffix::before(jiff::Timestamp::now())).await.unwrap();
    let incoming = claim.look_at_suffix(suffix).await.unwrap();
    place.make_folder(&claim.names.filestore, "theirs");
    claim.record.swap = Some(Swap { incoming, outgoing });
    claim.save().unwrap();
    drop(claim);
    let mut claim = place.claim().await;
    leftovers::clear(&mut claim, &Run::default()).await.unwrap();
    assert_eq!(place.marks(), (None, Some("theirs".to_owned())));
    assert_eq!((place.databases(), place.files()), (0, 1));
}

#[tokio::test]
async fn restarted_server_fails_restore() {
    let mut place = Place::new();
    place.make_target("old");
    let mut claim = place.claim().await;
    let suffix = place.make_copy(&mut claim, "new").await;
    place.cluster.kill();
    swap(&mut claim, &suffix).await.unwrap_err();
    let unreachable = leftovers::remove(&mut claim).await;
    assert!(unreachable.left[0].contains(&claim.names.with(&suffix).database), "{unreachable:?}");
    place.cluster.restart();
    leftovers::remove(&mut claim).await;
    assert_eq!((place.marks(), place.databases(), place.files()), (both("old"), 1, 1));
}

#[tokio::test]
async fn running_and_foreign_copies_stay() {
    let place = Place::new();
    place.make_target("old");
    let mut running = place.claim().await;
    let suffix = place.make_copy(&mut running, "new").await;
    let busy = TargetClaim::take(&place.target(), &Run::default()).await.unwrap_err();
    assert!(busy.to_string().ends_with("is running"), "{busy}");
    assert_eq!(place.databases(), 2);
    swap(&mut running, &suffix).await.unwrap();
    drop(running);
    // Named as by a restore, but in no record.
    let strange = format!("{NAME}_restoring_01234567");
    place.cluster.create_database(&strange);
    place.make_folder(&place.folder.path().join(&strange), "strange");
    leftovers::clear(&mut place.claim().await, &Run::default()).await.unwrap();
    assert!(place.cluster.has_database(&strange) && place.folder.path().join(&strange).exists());
    // Of another server.
    let path = Record::path_of(&place.target().filestore);
    let record = fs::read_to_string(&path).unwrap();
    let system = place.cluster.psql_as(SUPERUSER, SUPERUSER, "SELECT system_identifier FROM pg_control_system()");
    fs::write(&path, record.replace(system.trim(), "another")).unwrap();
    let error =
        undo(&Protected::default(), &place.target(), TargetIdentity::Copy, None, &Run::default()).await.unwrap_err();
    assert!(crate::error::explain(&error).to_string().contains("no previous state of"), "{error:?}");
    assert_eq!(place.databases(), 3);
}

#[tokio::test]
async fn immovable_target_is_refused_at_once() {
    let place = Place::new();
    let filestore = place.target().filestore;
    std::os::unix::fs::symlink("/tmp", &filestore).unwrap();
    let refused = async || place.claim().await.check_target().await.unwrap_err();
    assert!(matches!(refused().await, RestoreError::NotMovable { reason: "it is a symbolic link", .. }));
    fs::remove_file(&filestore).unwrap();
    fs::write(&filestore, "").unwrap();
    assert!(matches!(refused().await, RestoreError::NotMovable { reason: "it is not a folder", .. }));
    fs::remove_file(&filestore).unwrap();
    place.cluster.psql_as(SUPERUSER, SUPERUSER, &format!("CREATE DATABASE {}", quote_identifier(NAME)));
    assert!(matches!(refused().await, RestoreError::OwnedByAnother { owner, .. } if owner == SUPERUSER));
}
