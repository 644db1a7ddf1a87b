//! The commands. Each takes its arguments, calls the engine, and prints the result.

mod as_user;
mod check;
mod chosen;
mod completions;
mod config;
mod copy;
mod daemon;
mod doctor;
#[cfg(test)]
mod documents;
mod drill;
mod export;
mod failure;
mod fetch;
mod files;
mod forget;
mod import;
mod init;
mod latest;
mod list;
mod manual;
mod missing;
mod notify;
mod now;
mod pin;
mod proofs;
mod prune;
mod repacked;
mod repair;
mod report;
mod restore;
mod runs;
mod schedule;
mod show;
mod status;
mod unlock;
mod upgrade;
mod verification;

use std::time::Duration;

use ::config::explain;
use ::daemon::log::RunLogs;
use engine::import::ImportOptions;
use engine::prune::PruneOptions;
use engine::run::Run;
use tokio::signal::unix::{SignalKind, signal};

use self::chosen::Chosen;
use self::copy::CopyRequest;
use self::now::NowOptions;
use crate::arguments::{Arguments, Command, ConfigCommand, NotifyCommand};
use crate::exit::Exit;
use crate::output::Output;
use crate::progress::progress;

/// Runs a command to its end.
pub(crate) async fn run(arguments: Arguments, logs: RunLogs, output: Output) -> Exit {
    let run = Run { progress: progress(output), ..Run::default() };
    // The daemon handles signals itself.
    if !matches!(arguments.command, Command::Daemon { .. }) {
        stop_on_signal(&run, output);
    }
    let config = Chosen { config: arguments.config.as_deref(), repository: arguments.repository.as_deref() };
    let result = match arguments.command {
        Command::Init { odoo_conf, repository, yes } => {
            let (config, odoo_conf) = (config.config, odoo_conf.as_deref());
            init::init(init::InitRequest { config, odoo_conf, repository, yes }, &run, output).await
        }
        Command::Now { instances, all: _, full, reread, accept_missing, prune, accept_new_identity, events: _ } => {
            let options = NowOptions { full, reread, accept_missing, prune, accept_new_identity };
            now::now(config, &instances, options, &run, output).await
        }
        Command::List { instances, long } => list::list(config, &instances, long, output).await,
        Command::Show { backup } => show::show(config, &backup, output).await,
        Command::Restore { to, undo: true, force_production, wait, .. } => {
            let wait = wait.map(Duration::from_secs);
            restore::undo(config, &to, force_production.as_deref(), wait, &run, output).await
        }
        Command::Restore {
            backup,
            to,
            jobs,
            verify,
            drop_previous,
            undo: false,
            force_production,
            report,
            wait,
            trusted,
            skip_failed_post_data,
            dry_run,
            events: _,
        } => {
            let wanted = restore::RestoreRequest {
                trusted,
                skip_failed_post_data,
                backup: backup.as_deref(),
                target: &to,
                jobs,
                depth: verify.into(),
                drop_previous,
                force_production: force_production.as_deref(),
                report: report.as_deref(),
                wait: wait.map(Duration::from_secs),
                dry_run,
            };
            restore::restore(config, wanted, &run, output).await
        }
        Command::Drill { backup, to, jobs, trusted, verify, report, events: _ } => {
            let (backup, to, report) = (backup.as_deref(), to.as_deref(), report.as_deref());
            let wanted = drill::DrillRequest { backup, to, jobs, trusted, depth: verify.map(Into::into), report };
            drill::drill(config, wanted, &run, output).await
        }
        Command::Files { backup, like } => files::files(config, &backup, like.as_deref(), &run, output).await,
        Command::Fetch { backup, what, output: to } => fetch::fetch(config, &backup, &what, &to, &run, output).await,
        Command::Export { backup, output: to, format, events: _ } => {
            export::export(config, &backup, &to, format, &run, output).await
        }
        Command::Import { file, filestore, instance, on, trusted, accept_missing, accept_new_identity, events: _ } => {
            let options = ImportOptions { file, filestore, trusted, accept_missing, accept_new_identity };
            import::import(config, &options, &instance, on.as_deref(), &run, output).await
        }
        Command::Copy { backups, to, all, dry_run, events: _ } => {
            copy::copy(config, CopyRequest { selectors: &backups, to: &to, all, dry_run }, &run, output).await
        }
        Command::Check { backups, instances, read_data, events: _ } => {
            check::check(config, &backups, &instances, read_data, &run, output).await
        }
        Command::Repair { instances, read_data, dry_run } => {
            repair::repair(config, &instances, read_data, dry_run, &run, output).await
        }
        Command::Prune { instances, dry_run, as_of, accept_shrunk, repack, events: _ } => {
            let options = PruneOptions { dry_run, accept_shrunk, repack };
            prune::prune(config, &instances, options, as_of, &run, output).await
        }
        Command::Pin { backup, note } => pin::pin(config, &backup, note, &run, output).await,
        Command::Unpin { backup } => pin::unpin(config, &backup, &run, output).await,
        Command::Forget { backup, yes: _, dry_run: true } => forget::dry_run(config, &backup, &run, output).await,
        Command::Forget { backup, yes, dry_run: false } => forget::forget(config, &backup, yes, &run, output).await,
        Command::Unlock { instances, list, force } => unlock::unlock(config, &instances, list, force, output).await,
        Command::Upgrade { dry_run } => upgrade::upgrade(config, dry_run, &run, output).await,
        Command::Daemon { .. } => daemon::daemon(config, logs, output).await,
        Command::Schedule { instances, count } => schedule::schedule(config, &instances, count, output),
        Command::Status { nagios, textfile } => status::status(config, nagios, textfile.as_deref(), output).await,
        Command::Runs { instances, limit } => runs::runs(config, &instances, limit, output),
        Command::Logs { run } => runs::logs(config, &run, output),
        Command::Notify { command: NotifyCommand::Test { notifiers, dry_run } } => {
            notify::test(config, &notifiers, dry_run, &run, output).await
        }
        Command::Doctor { fix, dry_run } => {
            doctor::doctor(config.config, doctor::DoctorRequest { fix, dry_run }, output).await
        }
        Command::Config { command: ConfigCommand::Show } => self::config::show(config, output),
        Command::Completions { shell } => completions::completions(shell),
        Command::Manual { folder } => manual::manual(&folder, output),
    };
    result.unwrap_or_else(|failure| {
        let mut explanation = explain(&*failure.error);
        explanation.hint = failure.hint.or(explanation.hint);
        output.failed_with(explanation, failure.exit)
    })
}

/// Cancels the run on the first SIGINT or SIGTERM, and exits at once on the second.
fn stop_on_signal(run: &Run, output: Output) {
    let cancel = run.cancel.clone();
    let signals =
        signal(SignalKind::interrupt()).and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    let Ok((mut interrupt, mut terminate)) = signals else { return };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(Exit::Interrupted as i32);
            }
            output.warning("interrupted: stopping and cleaning up; interrupt again to exit at once");
            cancel.cancel();
        }
    });
}
