//! Odoo servers that are running.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::folder::user_name;

use super::Clue;
use super::command_line::OdooCommand;
use super::mounts;

/// The data folder in the Docker image.
const IN_IMAGE: &str = "/var/lib/odoo";

const WHAT: &str = "running Odoo";

/// Returns the Odoo servers among the processes, each once, and what was found.
pub(super) fn look(root: &Path) -> (Vec<OdooCommand>, Clue) {
    let folder = root.join("proc");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            let why = format!("{}: {}", folder.display(), engine::cause::line(&error));
            return (Vec::new(), Clue::unknown(WHAT, why));
        }
    };
    let mut processes: Vec<(u32, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    processes.sort();
    let own_mounts = fs::read_link(folder.join("self/ns/mnt")).ok();
    let mut found: Vec<(OdooCommand, String)> = Vec::new();
    for (number, path) in &processes {
        let Some(command) = read(path, *number, own_mounts.as_deref()) else { continue };
        // Workers have the command line of their parent.
        let same = |(other, _): &(OdooCommand, String)| {
            OdooCommand { source: other.source.clone(), ..command.clone() } == *other
        };
        if !found.iter().any(same) {
            let place = if command.contained { " in a container" } else { "" };
            let text = format!("{}{place} ({})", command.text(), command.source);
            found.push((command, text));
        }
    }
    // Where the first process is hidden, so are those of other users.
    let hidden = !folder.join("1").exists();
    let clue = match found.as_slice() {
        [] if hidden => Clue::unknown(WHAT, "processes of other users are hidden"),
        [] => Clue::not_found(
            WHAT,
            format!("none of {} is Odoo's", engine::text::counted(processes.len() as u64, "running program")),
        ),
        found => {
            let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
            Clue::found(WHAT, texts.join("; "), folder.display().to_string())
        }
    };
    (found.into_iter().map(|(command, _)| command).collect(), clue)
}

fn read(path: &Path, number: u32, own_mounts: Option<&Path>) -> Option<OdooCommand> {
    let line = fs::read(path.join("cmdline")).ok()?;
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let folder = fs::read_link(path.join("cwd")).ok();
    let mounts = fs::read_link(path.join("ns/mnt")).ok();
    let user = fs::metadata(path).map(|found| user_name(found.uid())).unwrap_or_else(|_| "an unknown user".into());
    let contained = mounts.zip(own_mounts).is_some_and(|(its, own)| its != own);
    let mut command = OdooCommand::parse(&words, folder.as_deref())?;
    if contained {
        // Its paths mean something else here.
        let inside = command.data_dir.take().unwrap_or_else(|| IN_IMAGE.into());
        command.data_dir = mounts::on_host(path, &inside);
    }
    Some(OdooCommand { source: format!("process {number} of {user}"), kind: WHAT, contained, ..command })
}
