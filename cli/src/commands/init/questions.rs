//! What `init` asks on a terminal: at most five questions, each with a default.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use config::schedule::Schedule;
use config::template::{DEFAULT_REPOSITORY, DEFAULT_SCHEDULE, InitOptions};
use engine::run::Run;
use engine::text::one_line;

/// Returns whether an operator can answer.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// No answer will come: the input ended, or the command was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("no answer: nothing was written")]
pub(super) struct NoAnswer;

/// Asks for another odoo.conf than the one that was found; `None`: that one.
pub(super) async fn odoo_conf(found: Option<&Path>, run: &Run) -> Result<Option<PathBuf>, NoAnswer> {
    let default = found.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let answer = ask("Odoo's configuration file", &default, run, |answer| {
        let path = PathBuf::from(answer);
        (answer == default || path.is_file()).then_some(()).ok_or_else(|| format!("{answer} is not a file"))
    });
    let answer = answer.await?;
    Ok((answer != default).then(|| answer.into()))
}

/// Asks what else a new configuration needs.
pub(super) async fn rest(options: &mut InitOptions, run: &Run) -> Result<(), NoAnswer> {
    let databases = if options.databases.is_empty() { "production".into() } else { options.databases.join(", ") };
    let answer = ask("Databases to back up, with commas between them", &databases, run, |answer| {
        match names(answer).is_empty() {
            true => Err("name at least one database".into()),
            false => Ok(()),
        }
    });
    options.databases = names(&answer.await?);
    let first = options.databases.first().cloned().unwrap_or_default();
    if options.found.data_dir(&first).0.is_none() {
        let answer = ask("Odoo's data folder, which contains the folder `filestore`", "/var/lib/odoo", run, absolute);
        options.data_dir = Some(answer.await?.into());
    }
    if options.repository_url.is_none() {
        let question = "Where to keep the backups: file:///FOLDER or s3://BUCKET/PREFIX";
        options.repository_url = Some(ask(question, DEFAULT_REPOSITORY, run, url).await?);
    }
    let question = "When to back up, as in crontab, or `never`";
    let answer = ask(question, DEFAULT_SCHEDULE, run, |answer| match answer {
        "never" => Ok(()),
        _ => answer.parse::<Schedule>().map(drop).map_err(|error| error.to_string()),
    });
    options.schedule = Some(answer.await?).filter(|answer| answer != "never");
    Ok(())
}

fn names(answer: &str) -> Vec<String> {
    answer.split(',').map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect()
}

fn absolute(answer: &str) -> Result<(), String> {
    Path::new(answer).is_absolute().then_some(()).ok_or_else(|| "name the folder by its whole path, from `/`".into())
}

fn url(answer: &str) -> Result<(), String> {
    let known = ["file:///", "s3://"].iter().any(|scheme| answer.starts_with(scheme));
    known.then_some(()).ok_or_else(|| "begin with file:/// or s3://".into())
}

/// Asks until the answer is accepted. An empty answer is the default.
async fn ask(
    question: &str,
    default: &str,
    run: &Run,
    accept: impl Fn(&str) -> Result<(), String>,
) -> Result<String, NoAnswer> {
    loop {
        print!("{question} [{}]: ", one_line(default));
        io::stdout().flush().map_err(|_| NoAnswer)?;
        // A read from a terminal cannot be cancelled. The thread that waits for it ends with the
        // program.
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|length| (length > 0).then_some(line))
        });
        let line = tokio::select! {
            read = read => read.ok().and_then(Result::ok).flatten(),
            () = run.cancel.cancelled() => None,
        };
        let Some(line) = line else {
            println!();
            return Err(NoAnswer);
        };
        let answer = Some(line.trim()).filter(|answer| !answer.is_empty()).unwrap_or(default).to_owned();
        match accept(&answer) {
            Ok(()) => return Ok(answer),
            Err(why) => println!("  {}", one_line(&why)),
        }
    }
}
