//! One call of a hook.

use std::io;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use super::{About, Done, HookCommand, HookError, Hooks, When};
use crate::error::Error;
use crate::process_group::ProcessGroup;
use crate::run::Run;
use crate::text::one_line;

/// How many lines of a hook's output go to the log.
const MOST_LINES: usize = 200;
/// How many bytes of a line are kept.
const LONGEST_LINE: usize = 500;
/// How long output is awaited after the program has ended: what it started may hold it open.
const AFTER_END: Duration = Duration::from_secs(2);
/// How long a hook may run after the run was cancelled, if its own limit is not shorter. A daemon
/// that stops waits for it.
pub(super) const AFTER_CANCEL: Duration = Duration::from_mins(1);

/// What a hook gets of the environment. The rest may contain secrets.
const PASSED_ON: [&str; 12] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_RUNTIME_DIR",
];

impl Hooks {
    /// Runs one hook to its end. A cancellation stops `before` at once; what follows the work
    /// cleans up, and gets [`AFTER_CANCEL`].
    pub(super) async fn call(
        &self,
        when: When,
        command: &HookCommand,
        about: About<'_>,
        done: Option<&Done>,
        run: &Run,
    ) -> Result<(), Error> {
        let hook = when.as_str();
        let section = || about.section.to_owned();
        tracing::info!("running the hook {hook} of {}", about.section);
        let (mut child, output) = start(command, variables(when, about, done)).map_err(|source| HookError::Start {
            hook,
            section: section(),
            program: command.program.clone(),
            source,
        })?;
        // Dropped before the child, because it is declared later.
        let group = ProcessGroup::of(&child);
        let lines = Lines { hook, heard: Mutex::default() };
        let (mut listening, mut is_silent) = (std::pin::pin!(lines.listen(output)), false);
        let mut limit = std::pin::pin!(tokio::time::sleep(self.timeout));
        let mut cancelled = std::pin::pin!(async {
            run.cancel.cancelled().await;
            match when {
                When::Before => {}
                When::After | When::Failed | When::Finally => tokio::time::sleep(AFTER_CANCEL).await,
            }
        });
        let too_long = |limit: Duration, after_cancel| HookError::TooLong {
            hook,
            section: section(),
            seconds: limit.as_secs(),
            said: lines.last(),
            after_cancel,
        };
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = &mut listening, if !is_silent => is_silent = true,
                () = &mut limit => return Err(too_long(self.timeout, false).into()),
                () = &mut cancelled => return Err(match when {
                    When::Before => Error::Interrupted,
                    When::After | When::Failed | When::Finally => too_long(AFTER_CANCEL, true).into(),
                }),
            }
        };
        group.leave();
        if !is_silent {
            let _ = tokio::time::timeout(AFTER_END, listening).await;
        }
        let status = status.map_err(|source| Error::Io { action: format!("wait for the hook {hook}"), source })?;
        match status.success() {
            true => Ok(()),
            false => Err(HookError::Failed { hook, section: section(), status, said: lines.last() }.into()),
        }
    }
}

/// Starts a program as the leader of a process group. Both of its outputs are one pipe, which keeps
/// the order of what it writes.
fn start(
    command: &HookCommand,
    variables: impl Iterator<Item = (&'static str, String)>,
) -> io::Result<(Child, Receiver)> {
    let (reader, writer) = io::pipe()?;
    let mut program = Command::new(&command.program);
    program.args(&command.arguments).current_dir("/").env_clear();
    program.envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    program.envs(variables);
    program.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    ProcessGroup::prepare(&mut program);
    // The program's end of the pipe is dropped with the command.
    Ok((program.spawn()?, Receiver::from_owned_fd(reader.into())?))
}

/// Returns the variables of a hook.
fn variables(when: When, about: About<'_>, done: Option<&Done>) -> impl Iterator<Item = (&'static str, String)> {
    let backup = done.and_then(|done| done.backup.as_ref());
    let instance = done.and_then(|done| done.instance.as_deref()).or(about.instance);
    let all = [
        ("ODOO_BACKUP_HOOK", Some(when.as_str().to_owned())),
        ("ODOO_BACKUP_INSTANCE", instance.map(Into::into)),
        ("ODOO_BACKUP_TARGET", about.target.map(Into::into)),
        ("ODOO_BACKUP_BACKUP", backup.map(ToString::to_string)),
        ("ODOO_BACKUP_OUTCOME", done.map(|done| done.outcome.as_str().to_owned())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?)))
}

/// The output of a hook, line by line.
struct Lines {
    hook: &'static str,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    number: usize,
    last: String,
}

impl Lines {
    /// Logs what a hook writes, until it ends. Of long lines only the beginning is kept.
    async fn listen(&self, mut output: impl AsyncRead + Unpin) {
        let (mut chunk, mut line) = ([0; 4096], Vec::new());
        while let Ok(read @ 1..) = output.read(&mut chunk).await {
            for byte in &chunk[..read] {
                match byte {
                    // A carriage return begins the line again, as progress bars do.
                    b'\n' | b'\r' => self.hear(&std::mem::take(&mut line)),
                    byte if line.len() < LONGEST_LINE => line.push(*byte),
                    _ => {}
                }
            }
        }
        self.hear(&line);
    }

    fn hear(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let line = one_line(line.trim_end());
        if line.is_empty() {
            return;
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.number += 1;
        match heard.number {
            ..=MOST_LINES => tracing::info!("{}: {line}", self.hook),
            number if number == MOST_LINES + 1 => tracing::info!("{}: more output is not logged", self.hook),
            _ => {}
        }
        heard.last = line.into_owned();
    }

    /// Returns the last line.
    fn last(&self) -> String {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.last.is_empty() { "it wrote nothing".to_owned() } else { heard.last.clone() }
    }
}
