//! Tests restores from one major version of PostgreSQL to another, upward and downward, with any of
//! the clients.
//!
//! Uses the installed versions. `tests/install-postgres-majors.sh` installs 14 to 18.

use std::fs;
use std::path::Path;

use harness::compare::{assert_same_content, assert_same_tree};
use harness::odoo_backup;
use harness::postgres::{Binaries, Cluster, ClusterOptions};
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET, TARGET_KEYS};

/// Returns the versions to test with, oldest first. Prints to stderr which of the supported ones
/// are missing.
fn majors() -> Vec<u32> {
    let installed = Binaries::majors();
    for missing in (14..=18).filter(|major| !installed.contains(major)) {
        eprintln!("skipped: PostgreSQL {missing} is not installed (tests/install-postgres-majors.sh installs it)");
    }
    installed
}

fn cluster(version: u32) -> ClusterOptions {
    ClusterOptions { version: Some(version), ..ClusterOptions::default() }
}

async fn project_on(version: u32) -> Project {
    Project::with(ProjectOptions { cluster: cluster(version), ..ProjectOptions::default() }).await
}

/// Writes a configuration with these programs for the instance, and with a target on another
/// server.
fn write_config(project: &Project, clients: &Path, target: &Cluster) {
    let pg_path = format!("pg_path = \"{}\"", clients.display());
    let config = format!(
        "[repository]\nurl = \"file://{}\"\n[instance.production]\nodoo_conf = \"{}\"\n{pg_path}\n[target.staging]\ndatabase = \"staging\"\n\
         host = \"{}\"\nport = {}\nuser = \"{}\"\nfilestore = \"{}\"\n{TARGET_KEYS}\n{pg_path}\n",
        project.repository().display(),
        project.odoo_conf("production").display(),
        target.host(),
        target.port(),
        target.user(),
        project.target_filestore().display(),
    );
    fs::write(project.config(), config).unwrap();
}

/// Backs up with these clients, and restores into a server of each of the major versions.
async fn restores_into_all(project: &Project, clients: &Binaries, targets: impl Iterator<Item = u32>) {
    for major in targets {
        let target = Cluster::with(&cluster(major));
        write_config(project, clients.folder(), &target);
        let program = odoo_backup!(project.config());
        if !project.repository().exists() {
            program.run(["init"]).await.success();
            program.run(["now"]).await.success();
        }
        let show = program.run(["show", "latest", "--json"]).await.success().json();
        let pg_dump = show["manifest"]["database"]["pg_dump"].as_str().unwrap().to_owned();
        assert!(pg_dump.starts_with(&clients.major().to_string()), "{pg_dump}");
        program.run(["restore", "--to", "staging", "--jobs", "4"]).await.success();
        assert_same_content(project.database(), target.database(TARGET)).await;
        assert_same_tree(&project.filestore(), &project.target_filestore(), &["checklist"]);
        fs::remove_dir_all(project.target_filestore()).unwrap();
    }
}

#[tokio::test]
async fn oldest_major_restores_into_all() {
    let majors = majors();
    let Some(&oldest) = majors.first() else { return };
    restores_into_all(&project_on(oldest).await, &Binaries::find(Some(oldest)), majors.into_iter()).await;
}

#[tokio::test]
async fn newest_major_restores_into_all() {
    let majors = majors();
    let Some(&newest) = majors.last() else { return };
    restores_into_all(&project_on(newest).await, &Binaries::find(Some(newest)), majors.into_iter()).await;
}

#[tokio::test]
async fn middle_majors_restore_into_neighbours() {
    let majors = majors();
    for around in majors.windows(3) {
        let clients = Binaries::find(Some(around[1]));
        restores_into_all(&project_on(around[1]).await, &clients, [around[0], around[2]].into_iter()).await;
    }
}

/// Covers an image that has only the newest clients, with an older server elsewhere.
#[tokio::test]
async fn newest_clients_handle_older_server() {
    let majors = majors();
    // Among the machine's own versions, the program would choose the nearest.
    let own = Binaries::find(None).major();
    let newest = majors.last().copied().filter(|newest| *newest > own);
    let (Some(older), Some(newest)) = (majors.iter().copied().find(|major| *major > own), newest) else {
        eprintln!("skipped: no server newer than {own}");
        return;
    };
    restores_into_all(&project_on(older).await, &Binaries::find(Some(newest)), [older, newest].into_iter()).await;
}

/// The new pg_dump writes another header, and its rows are known.
#[tokio::test]
async fn chain_continues_with_another_pg_dump() {
    let majors = majors();
    let (Some(&oldest), Some(&newest)) = (majors.first(), majors.last().filter(|newest| **newest > majors[0])) else {
        eprintln!("skipped: only one version of PostgreSQL is installed");
        return;
    };
    let (project, target) = (project_on(oldest).await, Cluster::with(&cluster(newest)));
    let mut made = Vec::new();
    for (clients, rows) in [(oldest, "1"), (newest, "2")] {
        write_config(&project, Binaries::find(Some(clients)).folder(), &target);
        let program = odoo_backup!(project.config());
        if made.is_empty() {
            program.run(["init"]).await.success();
        }
        project.cluster().execute(INSTANCE, &format!("UPDATE res_partner SET name = '{rows}' WHERE id = 1"));
        let now = program.run(["now", "--json"]).await.success().json();
        made.push(now["backups"][0]["database"].clone());
    }
    let bytes = |backup: usize, field: &str| made[backup][field].as_u64().unwrap();
    assert_eq!((bytes(0, "volumes"), bytes(1, "volumes")), (1, 2), "{made:?}");
    assert!(bytes(1, "new_bytes") * 2 < bytes(1, "dump_bytes"), "{made:?}");
    odoo_backup!(project.config()).run(["restore", "--to", "staging"]).await.success();
    assert_same_content(project.database(), target.database(TARGET)).await;
}

#[tokio::test]
async fn copy_keeps_locale_provider_of_source() {
    let majors = majors().into_iter().filter(|major| *major >= 15).collect::<Vec<_>>();
    for major in majors.first().into_iter().chain(majors.last()).copied() {
        let source = Source::Empty;
        let project =
            Project::with(ProjectOptions { cluster: cluster(major), source, ..ProjectOptions::default() }).await;
        let server = project.cluster();
        write_config(&project, Binaries::find(Some(major)).folder(), server);
        let program = odoo_backup!(project.config());
        program.run(["init"]).await.success();
        program.run(["now"]).await.expect_code(3);
        // Like a cluster that was created with ICU: template0, from which every copy is created,
        // has it.
        let column = if major >= 17 { "datlocale" } else { "daticulocale" };
        let icu =
            format!("UPDATE pg_database SET datlocprovider = 'i', {column} = 'en-US' WHERE datname = 'template0'");
        server.psql_as("postgres", "postgres", &icu);
        program.run(["restore", "--to", "staging"]).await.success();
        let provider = "SELECT datlocprovider FROM pg_database WHERE datname = 'staging'";
        assert_eq!(server.psql_as("postgres", "postgres", provider).trim(), "c", "PostgreSQL {major}");
    }
}
