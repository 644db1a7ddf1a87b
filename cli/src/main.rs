//! The command line of odoo-backup.

mod arguments;
mod commands;
mod exit;
mod new_file;
mod output;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Arguments, LogFormat};
use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(arguments.log_level()));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format() {
        LogFormat::Human => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failed(&error, Exit::Failed).into(),
    };
    let exit = runtime.block_on(commands::run(arguments, output));
    // Whatever still runs on a thread belongs to nobody any more.
    runtime.shutdown_background();
    exit.into()
}
