//! The program `odoo-backup`: reads the command line, runs the command, ends with its exit code.

mod arguments;
#[cfg(test)]
mod command_pages;
mod commands;
mod events;
mod exit;
mod new_file;
mod output;
mod progress;
mod table;

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use daemon::log::RunLogs;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::arguments::{Arguments, Command, LogFormat};
use crate::events::Events;
use crate::exit::Exit;
use crate::output::Output;

/// Stack of the daemon's threads in bytes: as large as the stack of a main thread.
const STACK: usize = 8 << 20;

/// The threads of the program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("unable to start the threads of the program")]
struct RuntimeError(#[source] std::io::Error);

fn main() -> ExitCode {
    spare_address_space();
    let arguments = match Arguments::parse_all() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(error),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(arguments.log_level()));
    let logs = RunLogs::default();
    log(&arguments, filter, &logs);
    let events = arguments.command.reporting().map(Events::start);
    let output = Output::new(arguments.json, events);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(arguments.command, Command::Daemon { .. }) {
        // The 2 MiB of tokio's threads are too little for a restore. Commands restore on the main
        // thread.
        runtime.thread_stack_size(STACK);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failed(&RuntimeError(error), Exit::Failed).into(),
    };
    let exit = runtime.block_on(commands::run(arguments, logs, output));
    if let Some(events) = events {
        events.end(exit);
    }
    // The result of what still runs is not needed.
    runtime.shutdown_background();
    exit.into()
}

/// Executes the program again with two arenas if its address space is limited (`ulimit -v`,
/// systemd's `LimitAS`).
///
/// glibc reserves 64 MiB of address space for the allocations of each thread, up to eight arenas
/// per processor. The program has dozens of threads: under a limit of 1 GiB the reservations alone
/// would exhaust the address space.
fn spare_address_space() {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    const AMPLE: u64 = 8 << 30;
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    if limit.is_some_and(|limit| limit < AMPLE)
        && std::env::var_os(ARENAS).is_none()
        && let Ok(program) = std::env::current_exe()
    {
        // Returns only if it fails. The program then runs without the setting.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(ARENAS, "2").exec();
    }
}

/// Logs events that pass `filter` to stderr. The events of a daemon's runs also go to `logs`.
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

/// Libraries that log whole URLs and messages at debug level, which can contain secrets.
const TALKATIVE: [&str; 6] = ["ureq", "ureq_proto", "lettre", "hyper", "hyper_util", "rustls"];
/// Libraries that log requests with their headers at trace level.
const CHATTY: [&str; 5] =
    ["aws_sigv4", "aws_runtime", "aws_smithy_runtime", "aws_smithy_http_client", "tokio_postgres"];

/// Returns whether an event contains no secret, whatever `RUST_LOG` asks for.
fn keeps_secrets(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    match *metadata.level() {
        Level::TRACE => !TALKATIVE.contains(&library) && !CHATTY.contains(&library),
        Level::DEBUG => !TALKATIVE.contains(&library),
        _ => true,
    }
}
