//! A cluster for scripts that outlives the process that starts it: `pg_ctl` starts and stops it.

use std::path::Path;

use super::server::{as_server_user, free_port, give_to_server_user, make_cluster};
use super::{Binaries, SUPERUSER, USER, clear_environment, quote_literal, run};

/// Creates a cluster in `folder`, which may not exist yet, and starts it on a free port of
/// loopback. Its roles are [`SUPERUSER`] and [`USER`], both with this password. Returns the port.
///
/// If this process is root, the server runs as another user. That user must be able to enter the
/// parents of the folder.
pub fn start(folder: &Path, password: &str) -> u16 {
    let binaries = Binaries::find(None);
    std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("creating {}: {error}", folder.display()));
    let folder = folder.canonicalize().expect("the path of a folder that exists");
    give_to_server_user(&folder);
    make_cluster(&binaries, &folder, Some(password), &[]);

    let port = free_port();
    // The socket folder is left out, because its path may be too long for a socket.
    let options = format!("-p {port} -c unix_socket_directories=");
    let mut pg_ctl = as_server_user(&binaries.program("pg_ctl"));
    pg_ctl.args(["start", "--wait", "--silent", "-o", &options]).arg("-D").arg(folder.join("data"));
    pg_ctl.arg("-l").arg(folder.join("log"));
    run(&mut pg_ctl);

    let mut psql = std::process::Command::new(binaries.program("psql"));
    clear_environment(&mut psql);
    psql.env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGUSER", SUPERUSER)
        .env("PGPASSWORD", password);
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", SUPERUSER, "--command"]);
    psql.arg(format!("CREATE ROLE {USER} LOGIN CREATEDB PASSWORD {}", quote_literal(password)));
    run(&mut psql);
    port
}

/// Stops the cluster in `folder` at once.
pub fn stop(folder: &Path) {
    let folder = folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut pg_ctl = as_server_user(&Binaries::find(None).program("pg_ctl"));
    pg_ctl.args(["stop", "--silent", "--mode=immediate"]).arg("-D").arg(folder.join("data"));
    run(&mut pg_ctl);
}
