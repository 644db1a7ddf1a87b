//! Compares `sslmode` with psql in each cell, with the same settings, against servers with and
//! without TLS.
//!
//! Two clients connect: the program itself (tokio-postgres over rustls) and pg_dump (libpq over
//! OpenSSL). A backup needs both.

use std::fs;
use std::process::Output;

use harness::certificates::{Authority, Identity};
use harness::cli::OdooBackup;
use harness::odoo_backup;
use harness::postgres::ClusterOptions;
use harness::project::{INSTANCE, Project, ProjectOptions, Source};

use crate::connections::initialised;

/// The host name of the server. Its certificate contains this name or another one.
const NAME: &str = "localhost";

/// Returns a server whose pg_hba.conf accepts this kind of TCP connection: `host` (any), `hostssl`,
/// `hostnossl`.
fn server(identity: Option<&Identity>, hba: &str) -> ClusterOptions {
    let hba = format!("local all all trust\n{hba} all all 127.0.0.1/32 trust\n{hba} all all ::1/128 trust\n");
    let mut options = ClusterOptions::default();
    options.settings.push(("log_connections".into(), "on".into()));
    options.files.push(("pg_hba.conf".into(), hba));
    if let Some(identity) = identity {
        options.settings.push(("ssl".into(), "on".into()));
        options.files.push(("server.crt".into(), identity.certificate.clone()));
        options.files.push(("server.key".into(), identity.key.clone()));
    }
    options
}

/// A server with an empty database, and the program.
struct Bench {
    project: Project,
    program: OdooBackup,
}

/// The expected result of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The backup succeeds, and every connection is encrypted.
    Encrypted,
    /// The backup succeeds, and no connection is encrypted.
    Plain,
    /// The backup succeeds. pg_dump's connection is not encrypted, the program's own is.
    Mixed,
    /// Refused with this message, and psql is refused too.
    Refused(&'static str),
    /// Refused with this message, but psql connects.
    Stricter(&'static str),
}

use Ends::{Encrypted, Mixed, Plain, Refused, Stricter};

const UNKNOWN: &str = "invalid peer certificate: UnknownIssuer";
const NO_TLS: &str = "server does not support TLS";
const NO_ENTRY: &str = "no pg_hba.conf entry for host";

impl Bench {
    async fn start(cluster: ClusterOptions) -> Self {
        let project =
            Project::with(ProjectOptions { cluster, source: Source::Empty, ..ProjectOptions::default() }).await;
        fs::create_dir_all(project.filestore()).unwrap();
        let program = initialised(&project).await;
        Self { project, program }
    }

    /// Writes the certificate of the authority to the path in the settings.
    fn trust(&self, certificate: &str) {
        fs::write(self.project.path("root.crt"), certificate).unwrap();
    }

    /// Runs a backup in each mode, without an authority and with `root.crt`, and psql with the same
    /// settings.
    async fn expect(&self, cells: &[(&str, Ends, Ends)]) {
        let mut wrong = Vec::new();
        for &(mode, without, with) in cells {
            for (expected, rooted) in [(without, false), (with, true)] {
                let settings = if rooted { "sslrootcert = \"root.crt\"\n" } else { "" };
                self.connect_by(&format!("sslmode = \"{mode}\"\n{settings}"));
                let root = self.project.path("root.crt");
                let psql = self.psql(mode, rooted.then_some(root.as_path()));
                wrong.extend(
                    self.try_cell(expected, psql).await.map(|what| format!("{mode}, root.crt {rooted}: {what}")),
                );
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Returns what is wrong with one cell.
    async fn try_cell(&self, expected: Ends, psql: Output) -> Option<String> {
        let log_before = self.project.cluster().log().len();
        let run = self.program.run(["now"]).await;
        let sessions = self.sessions_since(log_before);
        // An empty database is not Odoo's: the backup succeeds with a warning.
        let made = if run.code == Some(3) { Some(0) } else { run.code };
        let good = match (expected, made) {
            // The sessions of the program and of pg_dump.
            (_, Some(0)) if sessions.len() < 2 => false,
            (Encrypted, Some(0)) => sessions.iter().all(|session| session.contains("SSL enabled")),
            (Plain, Some(0)) => !sessions.iter().any(|session| session.contains("SSL enabled")),
            (Mixed, Some(0)) => sessions.iter().any(|session| session.contains("SSL enabled")),
            (Refused(message) | Stricter(message), Some(1)) => run.stderr.contains(message),
            _ => false,
        };
        let agrees = psql.status.success() == !matches!(expected, Refused(_));
        (!good || !agrees).then(|| {
            let said = String::from_utf8_lossy(&psql.stderr);
            format!(
                "expected {expected:?}, exit code {:?}\n{}{sessions:#?}\npsql: {} {said}",
                run.code, run.stderr, psql.status
            )
        })
    }

    /// Returns what the server logged about the sessions of the program and of pg_dump.
    fn sessions_since(&self, position: usize) -> Vec<String> {
        let log = self.project.cluster().log().split_off(position);
        log.lines().filter(|line| line.contains("connection authorized: ")).map(str::to_owned).collect()
    }

    fn connect_by(&self, settings: &str) {
        let project = &self.project;
        let config = format!(
            "[repository]\nurl = \"file://{}\"\n\n[instance.{INSTANCE}]\ndatabase = \"{INSTANCE}\"\nfilestore = \"{}\"\n\
             host = \"{NAME}\"\nport = {}\nuser = \"{}\"\n{settings}",
            project.repository().display(),
            project.filestore().display(),
            project.cluster().port(),
            project.cluster().user(),
        );
        fs::write(project.config(), config).unwrap();
    }

    /// Runs psql, which shows what libpq does.
    fn psql(&self, mode: &str, root: Option<&std::path::Path>) -> Output {
        let cluster = self.project.cluster();
        let mut psql = cluster.command("psql", cluster.user());
        psql.env("PGHOST", NAME).env("PGSSLMODE", mode).env("HOME", self.program.home());
        if let Some(root) = root {
            psql.env("PGSSLROOTCERT", root);
        }
        psql.args(["--no-psqlrc", "--dbname", INSTANCE, "--command", "SELECT 1"]).output().unwrap()
    }
}

#[tokio::test]
async fn valid_certificate_follows_psql() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&[NAME])), "host")).await;
    bench.trust(authority.certificate());
    bench
        .expect(&[
            ("disable", Plain, Plain),
            ("prefer", Encrypted, Encrypted),
            ("require", Encrypted, Encrypted),
            ("verify-ca", Refused(UNKNOWN), Encrypted),
            ("verify-full", Refused(UNKNOWN), Encrypted),
        ])
        .await;
}

#[tokio::test]
async fn other_certificate_name_follows_psql() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&["db.example"])), "host")).await;
    bench.trust(authority.certificate());
    bench
        .expect(&[
            ("disable", Plain, Plain),
            ("prefer", Encrypted, Encrypted),
            ("require", Encrypted, Encrypted),
            ("verify-ca", Refused(UNKNOWN), Encrypted),
            ("verify-full", Refused(UNKNOWN), Refused("certificate not valid for name \"localhost\"")),
        ])
        .await;
}

/// Tests `prefer` with an authority: libpq verifies the certificate, and continues without
/// encryption if that fails. The program's own connection verifies nothing with `prefer` and stays
/// encrypted.
#[tokio::test]
async fn unknown_authority_follows_psql() {
    let identity = Authority::new("another authority").issue(&[NAME]);
    let bench = Bench::start(server(Some(&identity), "host")).await;
    bench.trust(Authority::new("the authority").certificate());
    bench
        .expect(&[
            ("disable", Plain, Plain),
            ("prefer", Encrypted, Mixed),
            ("require", Encrypted, Refused(UNKNOWN)),
            ("verify-ca", Refused(UNKNOWN), Refused(UNKNOWN)),
            ("verify-full", Refused(UNKNOWN), Refused(UNKNOWN)),
        ])
        .await;
}

#[tokio::test]
async fn server_without_tls_follows_psql() {
    let bench = Bench::start(server(None, "host")).await;
    bench.trust(Authority::new("the authority").certificate());
    bench
        .expect(&[
            ("disable", Plain, Plain),
            ("prefer", Plain, Plain),
            ("require", Refused(NO_TLS), Refused(NO_TLS)),
            ("verify-ca", Refused(NO_TLS), Refused(NO_TLS)),
            ("verify-full", Refused(NO_TLS), Refused(NO_TLS)),
        ])
        .await;
}

#[tokio::test]
async fn tls_only_server_follows_psql() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&[NAME])), "hostssl")).await;
    bench.trust(authority.certificate());
    bench
        .expect(&[
            ("disable", Refused(NO_ENTRY), Refused(NO_ENTRY)),
            ("prefer", Encrypted, Encrypted),
            ("require", Encrypted, Encrypted),
            ("verify-ca", Refused(UNKNOWN), Encrypted),
            ("verify-full", Refused(UNKNOWN), Encrypted),
        ])
        .await;
}

/// Tests `prefer`: libpq tries again without TLS if the server refuses the session over TLS.
#[tokio::test]
async fn plaintext_only_server_follows_psql() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&[NAME])), "hostnossl")).await;
    bench.trust(authority.certificate());
    bench
        .expect(&[
            ("disable", Plain, Plain),
            ("prefer", Plain, Plain),
            ("require", Refused(NO_ENTRY), Refused(NO_ENTRY)),
        ])
        .await;
}

/// Tests the certificate that PostgreSQL's manual shows for a quick start: clients trust the
/// certificate itself. Only its subject contains the name, which is enough for libpq but not for
/// rustls.
#[tokio::test]
async fn self_signed_certificate_fails_verify_full() {
    let identity = Identity::self_signed(NAME);
    let bench = Bench::start(server(Some(&identity), "host")).await;
    bench.trust(&identity.certificate);
    bench
        .expect(&[
            ("prefer", Encrypted, Encrypted),
            ("require", Encrypted, Encrypted),
            ("verify-ca", Refused("invalid peer certificate"), Encrypted),
            (
                "verify-full",
                Refused("invalid peer certificate"),
                Stricter("certificate not valid for name \"localhost\""),
            ),
        ])
        .await;
}

/// Tests a name that only the subject contains: it is enough for libpq, but not for rustls.
#[tokio::test]
async fn nameless_certificate_fails_verify_full() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue_without_alternative_name(NAME)), "host")).await;
    bench.trust(authority.certificate());
    bench
        .expect(&[
            ("require", Encrypted, Encrypted),
            ("verify-ca", Refused(UNKNOWN), Encrypted),
            ("verify-full", Refused(UNKNOWN), Stricter("certificate not valid for name \"localhost\"")),
        ])
        .await;
}

#[tokio::test]
async fn home_authority_and_odoo_mode_apply() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&[NAME])), "host")).await;
    let root = bench.program.home().join(".postgresql/root.crt");
    fs::create_dir_all(root.parent().unwrap()).unwrap();
    let settings = |mode: &str| {
        let conf = bench.project.odoo_conf(INSTANCE);
        fs::write(&conf, format!("[options]\ndb_sslmode = {mode}\n")).unwrap();
        format!("odoo_conf = \"{}\"\n", conf.display())
    };
    // `require` verifies the authority if there is one to verify with.
    for (certificate, mode, expected) in [
        (authority.certificate(), "verify-full", Encrypted),
        (authority.certificate(), "verify-ca", Encrypted),
        (authority.certificate(), "require", Encrypted),
        (Authority::new("another authority").certificate(), "verify-full", Refused(UNKNOWN)),
        (Authority::new("another authority").certificate(), "require", Refused(UNKNOWN)),
        (Authority::new("another authority").certificate(), "disable", Plain),
    ] {
        fs::write(&root, certificate).unwrap();
        bench.connect_by(&settings(mode));
        // Passed explicitly, because before version 15 libpq took the home folder from the password
        // file.
        let wrong = bench.try_cell(expected, bench.psql(mode, Some(&root))).await;
        assert_eq!(wrong, None, "{mode}");
    }
}

/// Tests settings without a file of authorities: the program uses those of the system. libpq does
/// so only on request, since version 16.
#[tokio::test]
async fn system_authorities_are_used_by_default() {
    let authority = Authority::new("the authority");
    let bench = Bench::start(server(Some(&authority.issue(&[NAME])), "host")).await;
    bench.trust(authority.certificate());
    bench.connect_by("sslmode = \"verify-full\"\n");
    // The place where OpenSSL and rustls look for the authorities of the system.
    let root = bench.project.path("root.crt");
    let program = odoo_backup!(bench.project.config()).env("SSL_CERT_FILE", root.to_str().unwrap());
    let run = program.run(["now"]).await;
    if bench.project.cluster().version() >= 16 {
        run.success();
    } else {
        let run = run.expect_code(1);
        assert!(run.stderr.contains("pg_dump") && run.stderr.contains("does not exist"), "{}", run.stderr);
    }
}
