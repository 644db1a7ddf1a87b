//! systemd units that start Odoo.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Clue;
use super::command_line::OdooCommand;

const WHAT: &str = "service";

/// Where units are, the strongest first: one of the same name replaces those further down.
const FOLDERS: [&str; 4] =
    ["etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system"];

/// Returns the Odoo servers of systemd units, and what was found.
pub(super) fn look(root: &Path) -> (Vec<OdooCommand>, Clue) {
    let mut units = BTreeMap::new();
    // Before folders were merged, packages used this one.
    let folders = FOLDERS.iter().chain(&["lib/systemd/system"]);
    for folder in folders.map(|folder| root.join(folder)) {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".service") && !units.contains_key(&name) {
                units.insert(name, entry.path());
            }
        }
    }
    let (mut found, mut denied) = (Vec::new(), Vec::new());
    for (name, path) in &units {
        match engine::small_file::read_to_string(path) {
            Ok(text) => found.extend(read(name, &text)),
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => denied.push(name.as_str()),
            // A link to nothing, or a masked unit.
            Err(_) => {}
        }
    }
    let clue = match found.as_slice() {
        [] if !denied.is_empty() => Clue::unknown(WHAT, format!("no permission to read {}", denied.join(", "))),
        [] if units.is_empty() => Clue::not_found(WHAT, "no systemd units on this machine"),
        [] => Clue::not_found(
            WHAT,
            format!("none of {} starts Odoo", engine::text::counted(units.len() as u64, "systemd unit")),
        ),
        found => {
            let texts: Vec<_> =
                found.iter().map(|command| format!("{} ({})", command.source, command.text())).collect();
            Clue::found(WHAT, texts.join("; "), "systemd units")
        }
    };
    (found, clue)
}

/// Returns the Odoo that a unit starts.
fn read(name: &str, text: &str) -> Option<OdooCommand> {
    let joined = text.replace("\\\n", " ");
    let value =
        |key: &str| joined.lines().rev().find_map(|line| line.trim().strip_prefix(key)?.trim().strip_prefix('='));
    // A prefix of systemd, such as `-` (a failure is ignored).
    let line = value("ExecStart")?.trim().trim_start_matches(['-', '@', ':', '+', '!']);
    let words: Vec<_> = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect();
    // What systemd would replace is unknown here.
    let known = |word: &String| !word.contains('$') && !word.contains('%');
    let folder = value("WorkingDirectory").map(|folder| folder.trim()).filter(|folder| folder.starts_with('/'));
    let mut command = OdooCommand::parse(&words, folder.map(Path::new))?;
    let plain = |path: &std::path::PathBuf| path.to_str().is_some_and(|text| known(&text.to_owned()));
    command.config = command.config.filter(plain);
    command.data_dir = command.data_dir.filter(plain);
    command.addons_path.retain(plain);
    command.databases.retain(known);
    Some(OdooCommand { source: name.to_owned(), kind: WHAT, ..command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_names_program_and_configuration() {
        let unit = "[Service]\nUser=odoo\nWorkingDirectory=/opt/odoo\nExecStart=-/opt/odoo/venv/bin/python3 \\\n  odoo-bin \\\n  -c /etc/odoo/live.conf -d $DATABASE\n";
        let command = read("odoo.service", unit).unwrap();
        assert_eq!(command.text(), "odoo-bin -c /etc/odoo/live.conf");
        assert!(command.databases.is_empty(), "the variable is unknown");
        assert_eq!(read("x.service", "[Service]\nExecStart=/usr/sbin/nginx -c /etc/odoo.conf\n"), None);
    }
}
