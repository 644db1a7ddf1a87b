//! What the command line of an Odoo server says.

use std::path::{Path, PathBuf};

use super::Clue;

/// The names that Odoo's program has had.
const PROGRAMS: [&str; 6] = ["odoo", "odoo-bin", "odoo.py", "odoo-server", "openerp-server", "odoo-bin.py"];

/// A running Odoo, or one that a systemd unit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OdooCommand {
    /// `process 123 of odoo`, `odoo.service`.
    pub(super) source: String,
    /// `process`, `service`.
    pub(super) kind: &'static str,
    pub(super) program: PathBuf,
    pub(super) config: Option<PathBuf>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) addons_path: Vec<PathBuf>,
    pub(super) databases: Vec<String>,
    /// Whether it runs in a container: its paths are not those of this machine.
    pub(super) contained: bool,
}

impl OdooCommand {
    /// Reads a command line; `None` if it is not Odoo's. Relative paths stay relative if `folder`
    /// is unknown.
    pub(super) fn parse(words: &[String], folder: Option<&Path>) -> Option<Self> {
        let name = |word: &str| Path::new(word).file_name().map(|name| name.to_string_lossy().into_owned());
        let is_odoo = |word: &String| name(word).is_some_and(|name| PROGRAMS.contains(&name.as_str()));
        let is_launcher = |word: &String| name(word).is_some_and(|name| name.starts_with("python") || name == "env");
        // Options of the interpreter, and variables of `env`, come before the program.
        let is_ahead = |word: &&String| is_launcher(word) || word.starts_with('-') || word.contains('=');
        let at = match words.first()? {
            first if is_odoo(first) => 0,
            first if is_launcher(first) => words.iter().take_while(is_ahead).count(),
            _ => return None,
        };
        let program = words.get(at).filter(|word| is_odoo(word))?;
        let path = |text: &str| -> PathBuf {
            let path = folder.map_or_else(|| PathBuf::from(text), |folder| folder.join(text));
            // Without `./`.
            path.components().collect()
        };
        let list = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect()
        };
        let mut command = Self {
            source: String::new(),
            kind: "",
            program: if program.contains('/') { path(program) } else { program.into() },
            config: None,
            data_dir: None,
            addons_path: Vec::new(),
            databases: Vec::new(),
            contained: false,
        };
        let mut rest = words[at + 1..].iter();
        while let Some(word) = rest.next() {
            let Some((option, value)) = option(word) else { continue };
            let Some(value) = value.map(str::to_owned).or_else(|| rest.next().cloned()) else { break };
            match option {
                "config" => command.config = Some(path(&value)),
                "data-dir" => command.data_dir = Some(path(&value)),
                "addons-path" => command.addons_path = list(&value).iter().map(|item| path(item)).collect(),
                _ => command.databases = list(&value),
            }
        }
        Some(command)
    }

    /// Returns whether it may be the Odoo with this configuration: it names the same, or, unless
    /// `strict`, none.
    pub(super) fn is_of(&self, config: Option<&Path>, strict: bool) -> bool {
        match (&self.config, config) {
            (Some(own), Some(config)) => own == config || own.canonicalize().ok() == config.canonicalize().ok(),
            (own, _) => !strict && own.is_none(),
        }
    }

    pub(super) fn clue(&self) -> Clue {
        Clue::found(self.kind, self.text(), self.source.clone())
    }

    /// Returns its program and configuration, as one would type them.
    pub(super) fn text(&self) -> String {
        let config = self.config.as_ref().map(|config| format!(" -c {}", config.display())).unwrap_or_default();
        format!("{}{config}", self.program.display())
    }
}

/// Returns the long name of an option of interest, and its value if it is in the same word.
fn option(word: &str) -> Option<(&'static str, Option<&str>)> {
    const OPTIONS: [(&str, &str); 4] = [("-c", "config"), ("-D", "data-dir"), ("-d", "database"), ("", "addons-path")];
    for (short, long) in OPTIONS {
        if let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(long)) {
            return match rest.strip_prefix('=') {
                Some(value) => Some((long, Some(value))),
                None if rest.is_empty() => Some((long, None)),
                None => continue,
            };
        }
        if !short.is_empty()
            && let Some(rest) = word.strip_prefix(short)
        {
            return Some((long, Some(rest).filter(|rest| !rest.is_empty())));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<OdooCommand> {
        let words: Vec<_> = line.split_whitespace().map(Into::into).collect();
        OdooCommand::parse(&words, Some(Path::new("/opt/odoo")))
    }

    #[test]
    fn odoo_commands_are_recognised() {
        for line in [
            "/usr/bin/odoo -c /etc/odoo/odoo.conf",
            "/usr/bin/python3 /usr/bin/odoo --config=/etc/odoo/odoo.conf",
            "/usr/bin/python3 -u -Wignore ./odoo-bin --config /etc/odoo/odoo.conf --logfile /x",
            "/usr/bin/env LANG=C python3 odoo-bin -c/etc/odoo/odoo.conf",
        ] {
            let command = parse(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(command.config.as_deref(), Some(Path::new("/etc/odoo/odoo.conf")), "{line}");
        }
    }

    #[test]
    fn other_commands_are_not_odoo() {
        for line in
            ["", "vim /usr/bin/odoo", "/usr/bin/python3 manage.py odoo", "odoo-backup now", "grep odoo", "python3"]
        {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn options_are_read() {
        let command =
            parse("python3 odoo-bin server -d a,b -D data --addons-path=addons,/x --database-template=t").unwrap();
        assert_eq!(command.databases, ["a", "b"]);
        assert_eq!(command.data_dir.unwrap(), Path::new("/opt/odoo/data"));
        assert_eq!(command.addons_path, [Path::new("/opt/odoo/addons"), Path::new("/x")]);
        assert_eq!(command.config, None);
    }
}
