//! Creates clusters by copying: one `initdb` for each version and kind of authentication on this
//! machine, and for each test a copy with its own system identifier. A copy takes a tenth of the
//! time of an `initdb`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::server::{as_server_user, give_to_server_user};
use super::{Binaries, PASSWORD, SUPERUSER, run};

/// Smaller than usual: a segment of the log is copied, and written again when the identifier
/// changes.
const LOG_SEGMENT_MB: u32 = 4;

/// Fills `data` with a fresh cluster. `password` is that of the superuser. Without one every client
/// is trusted.
pub(super) fn fresh_cluster(binaries: &Binaries, data: &Path, password: Option<&str>) {
    match password {
        None | Some(PASSWORD) => match template(binaries, password) {
            Ok(template) => {
                copy(&template, data);
                renew_identity(binaries, data);
            }
            // Another user's folder of that name, or a full temporary folder: slower, with the same
            // result.
            Err(_) => initdb(binaries, data, password),
        },
        Some(_) => initdb(binaries, data, password),
    }
}

/// Returns the folder of the template, which it creates if needed. Several test processes may
/// create it at once: the first rename wins.
fn template(binaries: &Binaries, password: Option<&str>) -> io::Result<PathBuf> {
    let me = rustix::process::geteuid().as_raw();
    let root = std::env::temp_dir().join(format!("odoo-backup-test-clusters-{me}"));
    match fs::DirBuilder::new().mode(0o711).create(&root) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = root.symlink_metadata()?;
    if !found.is_dir() || found.uid() != me {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // The minor version as well: the catalogue of an earlier one may not match what its programs
    // expect.
    let version = Command::new(binaries.program("postgres")).arg("--version").output()?.stdout;
    let version: String = version.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_alphanumeric).collect();
    let kind = if password.is_some() { "password" } else { "trust" };
    let template = root.join(format!("{version}-{kind}-{LOG_SEGMENT_MB}"));
    if template.join("PG_VERSION").exists() {
        return Ok(template);
    }
    let draft = tempfile::Builder::new().prefix("draft-").tempdir_in(&root)?;
    give_to_server_user(draft.path());
    initdb(binaries, &draft.path().join("data"), password);
    match fs::rename(draft.path().join("data"), &template) {
        Err(error) if !template.join("PG_VERSION").exists() => Err(error),
        _ => Ok(template),
    }
}

fn copy(template: &Path, data: &Path) {
    let mut copy = Command::new("cp");
    copy.args(["-a", "--reflink=auto"]).arg(template).arg(data);
    run(&mut copy);
}

fn initdb(binaries: &Binaries, data: &Path, password: Option<&str>) {
    let password_file = data.with_extension("password");
    let mut initdb = as_server_user(&binaries.program("initdb"));
    // The locale that exists everywhere. --no-sync because nothing here outlives the test.
    initdb.arg("-D").arg(data).args(["--no-sync", "--encoding=UTF8", "--locale=C", "-U", SUPERUSER]);
    initdb.arg(format!("--wal-segsize={LOG_SEGMENT_MB}"));
    if let Some(password) = password {
        fs::write(&password_file, password).expect("password file");
        initdb.args(["--auth=scram-sha-256", "--pwfile"]).arg(&password_file);
    } else {
        initdb.arg("--auth=trust");
    }
    run(&mut initdb);
    if password.is_some() {
        fs::remove_file(&password_file).expect("removing the password file");
    }
}

/// Gives a copied cluster its own system identifier, by which the program distinguishes servers. It
/// is the first eight bytes of `pg_control`, whose checksum follows its last field. `pg_resetwal`
/// then writes a log with the same identifier.
fn renew_identity(binaries: &Binaries, data: &Path) {
    let path = data.join("global/pg_control");
    let mut control = fs::read(&path).expect("pg_control");
    let checksum = (64..control.len().min(1024) - 4)
        .find(|at| crc32c(&control[..*at]).to_ne_bytes() == control[*at..*at + 4])
        .expect("the checksum of pg_control");
    // Computed as initdb does: from the time and the process.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let identifier =
        (now.as_secs() << 32) | u64::from(now.subsec_micros() << 12) | u64::from(std::process::id() & 0xfff);
    let identifier = identifier ^ (u64::from(NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) << 12);
    control[..8].copy_from_slice(&identifier.to_ne_bytes());
    let renewed = crc32c(&control[..checksum]).to_ne_bytes();
    control[checksum..checksum + 4].copy_from_slice(&renewed);
    let written = fs::OpenOptions::new().write(true).mode(0o600).open(&path);
    let written = written.and_then(|mut file| io::Write::write_all(&mut file, &control));
    written.unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
    let mut reset = as_server_user(&binaries.program("pg_resetwal"));
    reset.arg("-D").arg(data);
    run(&mut reset);
}

/// Distinguishes clusters that one process creates within a microsecond.
static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Computes the checksum that PostgreSQL stores in its files, over a few hundred bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Cluster;
    use super::*;

    #[test]
    fn checksum_matches_known_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn each_cluster_has_own_identifier() {
        let clusters = [Cluster::start(), Cluster::start()];
        let [one, two] = clusters
            .each_ref()
            .map(|cluster| cluster.psql_as(SUPERUSER, SUPERUSER, "SELECT system_identifier FROM pg_control_system()"));
        assert_ne!(one, two);
    }
}
