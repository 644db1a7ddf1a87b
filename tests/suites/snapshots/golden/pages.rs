//! The files of `tests/golden`: one for each command, to be read from top to bottom.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::cli::Run;

use super::super::book::UPDATE;
use super::mask::Masks;

/// The content for the files, by the names of the commands.
#[derive(Debug, Default)]
pub(super) struct Pages(BTreeMap<String, String>);

impl Pages {
    /// Adds a run to a command's page: the command line, the output and the exit code.
    pub(super) fn add(&mut self, command: &str, title: &str, arguments: &[&str], run: &Run, masks: &mut Masks) {
        let typed: String = arguments.iter().map(|argument| format!(" {}", quoted(&masks.line(argument)))).collect();
        let heading =
            format!("odoo-backup {command}: `|` marks stdout, `!` stderr; ids, times and sizes are stand-ins.\n");
        let page = self.0.entry(command.to_owned()).or_insert(heading);
        page.push_str(&format!("\n## {title}\n\n$ odoo-backup{typed}\n"));
        for (mark, text) in [('!', &run.stderr), ('|', &run.stdout)] {
            for line in masks.page(text).lines() {
                page.push_str(format!("{mark} {line}").trim_end());
                page.push('\n');
            }
        }
        let code = run.code.map_or("none".to_owned(), |code| code.to_string());
        page.push_str(&format!("exit code {code}\n"));
    }

    /// Adds the content of a file that the last command wrote.
    pub(super) fn add_file(&mut self, command: &str, path: &Path, masks: &mut Masks) {
        let text = fs::read_to_string(path).unwrap();
        let name = masks.line(&path.display().to_string());
        let page = self.0.get_mut(command).unwrap();
        page.push_str(&format!("\n$ cat {name}\n"));
        for line in text.lines() {
            page.push_str(format!("| {}", masks.line(line)).trim_end());
            page.push('\n');
        }
    }

    /// Returns the commands that have a page.
    pub(super) fn commands(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Panics with the differences between all pages and their files.
    #[track_caller]
    pub(super) fn assert_unchanged(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        if std::env::var(UPDATE).is_ok_and(|value| value == "update") {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            self.0.iter().for_each(|(name, page)| fs::write(file(&folder, name), page).unwrap());
        }
        let new = tempfile::tempdir().unwrap();
        self.0.iter().for_each(|(name, page)| fs::write(file(new.path(), name), page).unwrap());
        let diff = Command::new("diff").args(["-ruN"]).arg(&folder).arg(new.path()).output().unwrap();
        let differences = String::from_utf8_lossy(&diff.stdout);
        assert!(diff.status.success(), "{differences}if this is meant: {UPDATE}=update writes the files again");
    }
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("txt")
}

/// Returns an argument as a shell takes it.
fn quoted(argument: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=*".contains(c);
    match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument.to_owned(),
        false => format!("'{argument}'"),
    }
}
