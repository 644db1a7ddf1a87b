//! The command line of odoo-backup.

mod arguments;
mod commands;
mod exit;
mod new_file;
mod output;
mod progress;
mod table;

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use clap::Parser;
use daemon::log::RunLogs;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::arguments::{Arguments, Command, LogFormat};
use crate::exit::Exit;
use crate::output::Output;

/// The stack of the daemon's threads in bytes: as much as a program's first thread has.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    spare_address_space();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(error),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(arguments.log_level()));
    let logs = RunLogs::default();
    log(&arguments, filter, &logs);
    let output = Output::new(arguments.json);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(arguments.command, Command::Daemon { .. }) {
        // A restore's steps are nested deeper than the two MiB of tokio's threads hold; a command's run on the first thread.
        runtime.thread_stack_size(STACK);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failed(&error, Exit::Failed).into(),
    };
    let exit = runtime.block_on(commands::run(arguments, logs, output));
    // Whatever still runs on a thread belongs to nobody any more.
    runtime.shutdown_background();
    exit.into()
}

/// Starts the program again with few arenas where its address space is limited (`ulimit -v`, systemd's `LimitAS`).
///
/// glibc reserves 64 MiB of address space for the allocations of each thread, up to eight times the number of processors. The
/// program has dozens of threads; under a limit of 1 GiB the reservations alone would use it up.
fn spare_address_space() {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    const AMPLE: u64 = 8 << 30;
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    if limit.is_some_and(|limit| limit < AMPLE)
        && std::env::var_os(ARENAS).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        // It returns only where it fails, and then the program runs as it is.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(ARENAS, "2").exec();
    }
}

/// Logs to stderr what `filter` lets through; what a daemon's runs say goes to `logs` as well.
fn log(arguments: &Arguments, filter: EnvFilter, logs: &RunLogs) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(|| output::LogLines(std::io::stderr()));
    let filter = filter.and(filter_fn(keeps_secrets));
    let runs = matches!(arguments.command, Command::Daemon { .. }).then(|| logs.layer());
    let registry = tracing_subscriber::registry().with(runs);
    match arguments.log_format() {
        LogFormat::Human => registry.with(lines.with_filter(filter)).init(),
        LogFormat::Json => registry.with(lines.json().with_filter(filter)).init(),
    }
}

/// Libraries whose debug log has whole addresses and messages, in which tokens and passwords stand.
const TALKATIVE: [&str; 6] = ["ureq", "ureq_proto", "lettre", "hyper", "hyper_util", "rustls"];
/// Libraries whose trace log has requests with their headers.
const CHATTY: [&str; 5] =
    ["aws_sigv4", "aws_runtime", "aws_smithy_runtime", "aws_smithy_http_client", "tokio_postgres"];

/// Whether what is logged there holds no secret, whatever `RUST_LOG` asks for.
fn keeps_secrets(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    match *metadata.level() {
        Level::TRACE => !TALKATIVE.contains(&library) && !CHATTY.contains(&library),
        Level::DEBUG => !TALKATIVE.contains(&library),
        _ => true,
    }
}
