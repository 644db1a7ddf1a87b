//! What `init` finds out about the Odoo servers of this machine: odoo.conf, running processes,
//! systemd units, containers and folders.
//!
//! Everything found is said with where it comes from, and what could not be looked at is said, too.

mod clue;
mod command_line;
mod containers;
mod mounts;
mod processes;
mod program;
mod units;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use engine::odoo::conf::{OdooConf, OdooConfError, conf_candidates, data_dir_candidates};

use super::place::find_data_dir;
use super::surroundings::Surroundings;

pub use self::clue::{Answer, Clue, Sourced};
use self::command_line::OdooCommand;

/// The Odoo of this machine, as far as it can be seen.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// Odoo's configuration file, its path absolute, and what it says.
    pub odoo_conf: Option<(PathBuf, OdooConf)>,
    /// Folders of modules that odoo.conf does not name.
    pub addons_path: Option<Sourced<Vec<PathBuf>>>,
    /// Odoo's own program.
    pub odoo_bin: Option<Sourced<PathBuf>>,
    /// Databases that a running Odoo or a service names on its command line.
    pub databases: Vec<String>,
    /// What was looked for, in the order in which it is reported.
    pub clues: Vec<Clue>,
    /// The data folder on a command line.
    pub(super) said_data_dir: Option<Sourced<PathBuf>>,
    /// The data folder of an Odoo in a container, on this machine.
    pub(super) volume: Option<Sourced<PathBuf>>,
    /// Where Odoo's data may be if nothing says it.
    pub(super) data_dirs: Vec<PathBuf>,
}

impl Discovery {
    /// Looks at this machine. Of the Odoo with the configuration `odoo_conf`, if it is given, and
    /// of nothing else.
    ///
    /// # Errors
    /// [`OdooConfError`] where `odoo_conf` cannot be read, or a file in a usual place is not valid:
    /// the next one would be another Odoo's.
    pub fn of_machine(odoo_conf: Option<&Path>) -> Result<Self, OdooConfError> {
        Self::look(odoo_conf, &Surroundings::of_process())
    }

    pub(super) fn look(named: Option<&Path>, surroundings: &Surroundings) -> Result<Self, OdooConfError> {
        let mut found = Self {
            data_dirs: data_dir_candidates(&surroundings.root, surroundings.home.as_deref()),
            ..Self::default()
        };
        let (processes, process_clue) = processes::look(&surroundings.root);
        let (units, unit_clue) = units::look(&surroundings.root);
        let commands: Vec<OdooCommand> = processes.into_iter().chain(units).collect();
        found.find_conf(named, &commands, surroundings)?;
        let conf = found.odoo_conf.as_ref().map(|(path, _)| path.clone());
        let is_own = |command: &&OdooCommand| !command.contained && command.is_of(conf.as_deref(), named.is_some());
        let own: Vec<_> = commands.iter().filter(is_own).collect();
        found.read_commands(&own);
        if named.is_none() {
            found.clues.extend([process_clue, unit_clue]);
            let mounted = commands.iter().filter(|command| command.contained).find_map(|command| {
                let source = format!("mounted into the container of {}", command.source);
                Some(Sourced { value: command.data_dir.clone()?, source })
            });
            let (volume, clues) = containers::look(surroundings);
            found.volume = mounted.or(volume);
            found.clues.extend(clues);
        } else {
            found.clues.extend(own.iter().map(|command| command.clue()));
        }
        found.find_programs(named.is_none(), surroundings);
        Ok(found)
    }

    /// Finds odoo.conf: the one that was named, else that of a running Odoo, of a systemd unit, or
    /// of a usual place.
    fn find_conf(
        &mut self,
        named: Option<&Path>,
        commands: &[OdooCommand],
        surroundings: &Surroundings,
    ) -> Result<(), OdooConfError> {
        let home = surroundings.home.as_deref();
        if let Some(path) = named {
            let absolute = std::path::absolute(surroundings.folder.join(path)).unwrap_or_else(|_| path.into());
            self.odoo_conf = Some((absolute.clone(), OdooConf::read_with_home(path, home)?));
            self.clues.push(Clue::found("odoo.conf", absolute.display().to_string(), "named by you"));
            return Ok(());
        }
        let of_commands = commands
            .iter()
            .filter(|command| !command.contained)
            .filter_map(|command| Some((command.config.clone()?, command.source.clone())));
        let usual =
            conf_candidates(&surroundings.root, home).into_iter().map(|path| (path, "a usual place".to_owned()));
        let (mut denied, mut others) = (Vec::new(), Vec::new());
        for (path, source) in of_commands.chain(usual) {
            if self.odoo_conf.as_ref().is_some_and(|(chosen, _)| *chosen == path) || others.contains(&path) {
                continue;
            }
            match OdooConf::read_with_home(&path, home) {
                Ok(_) if self.odoo_conf.is_some() => others.push(path),
                Ok(conf) => {
                    self.clues.push(Clue::found("odoo.conf", path.display().to_string(), source));
                    self.odoo_conf = Some((path, conf));
                }
                Err(OdooConfError::Unreadable { source: error, .. }) if is_absent(error.kind()) => {}
                Err(OdooConfError::Unreadable { source: error, .. }) => {
                    denied.push(format!("{}: {}", path.display(), engine::cause::line(&error)));
                }
                Err(error) if self.odoo_conf.is_none() => return Err(error),
                Err(_) => others.push(path),
            }
        }
        denied.dedup();
        if self.odoo_conf.is_none() && denied.is_empty() {
            self.clues.push(Clue::not_found("odoo.conf", "no process, service or usual place has one"));
        }
        self.clues.extend(denied.into_iter().map(|why| Clue::unknown("odoo.conf", why)));
        for path in others {
            self.clues.push(Clue::found("another odoo.conf", path.display().to_string(), "not used; see --odoo-conf"));
        }
        Ok(())
    }

    /// Takes what command lines say. Options there win over odoo.conf.
    fn read_commands(&mut self, commands: &[&OdooCommand]) {
        for command in commands {
            let source = || command.source.clone();
            if let Some(path) = &command.data_dir
                && self.said_data_dir.is_none()
            {
                self.said_data_dir = Some(Sourced { value: path.clone(), source: source() });
            }
            if !command.addons_path.is_empty() && self.addons_path.is_none() {
                self.addons_path = Some(Sourced { value: command.addons_path.clone(), source: source() });
            }
            if self.odoo_bin.is_none() && command.program.is_absolute() {
                self.odoo_bin = Some(Sourced { value: command.program.clone(), source: source() });
            }
            for name in &command.databases {
                if !self.databases.contains(name) {
                    self.databases.push(name.clone());
                }
            }
        }
    }

    /// Finds Odoo's program and its modules, and reports both.
    fn find_programs(&mut self, everywhere: bool, surroundings: &Surroundings) {
        if self.odoo_bin.is_none() && everywhere {
            self.odoo_bin = program::usual(&surroundings.root);
        }
        let said = self.odoo_conf.as_ref().filter(|(_, conf)| !conf.addons_path.is_empty());
        let joined =
            |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let modules = match (&self.addons_path, said) {
            (Some(of_command), _) => Clue::found("addons_path", joined(&of_command.value), &of_command.source),
            (None, Some((path, conf))) => {
                Clue::found("addons_path", joined(&conf.addons_path), path.display().to_string())
            }
            (None, None) => {
                self.addons_path = self.odoo_bin.as_ref().and_then(|bin| program::modules(&bin.value));
                match &self.addons_path {
                    Some(found) => Clue::found("addons_path", joined(&found.value), &found.source),
                    None => Clue::not_found("addons_path", "neither odoo.conf nor a command line sets it"),
                }
            }
        };
        let program = match &self.odoo_bin {
            Some(bin) => Clue::found("odoo_bin", bin.value.display().to_string(), &bin.source),
            None => Clue::not_found("odoo_bin", "no command line or usual place has one"),
        };
        self.clues.extend([modules, program]);
    }

    /// Returns Odoo's data folder for this database, and how it was found; or that it was not.
    pub fn data_dir(&self, database: &str) -> (Option<Sourced<PathBuf>>, Clue) {
        const WHAT: &str = "data folder";
        let found = |value: PathBuf, source: String| {
            let clue = Clue::found(WHAT, value.display().to_string(), source.clone());
            (Some(Sourced { value, source }), clue)
        };
        if let Some(Sourced { value, source }) = &self.said_data_dir {
            return found(value.clone(), source.clone());
        }
        if let Some((path, conf)) = &self.odoo_conf
            && let Some(said) = conf.data_dir.as_ref().filter(|said| said.is_absolute())
        {
            return found(said.clone(), path.display().to_string());
        }
        match (find_data_dir(&self.data_dirs, database).as_slice(), &self.volume) {
            ([only], _) => found((*only).clone(), "a usual place".into()),
            ([], Some(Sourced { value, source })) => found(value.clone(), source.clone()),
            ([], None) => {
                (None, Clue::not_found(WHAT, "odoo.conf sets none, and no usual place has a folder `filestore`"))
            }
            (several, _) => {
                let several: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
                (None, Clue::unknown(WHAT, format!("several are possible: {}", several.join(", "))))
            }
        }
    }

    /// Returns whether Odoo's files of this database are in a data folder.
    pub fn filestore(data_dir: &Path, database: &str) -> Clue {
        const WHAT: &str = "filestore";
        let folder = data_dir.join("filestore").join(database);
        let shown = folder.display();
        match folder.read_dir() {
            Ok(mut entries) => match entries.next() {
                Some(_) => Clue::found(WHAT, shown.to_string(), "looked into it"),
                None => Clue::found(WHAT, format!("{shown}, empty"), "looked into it"),
            },
            Err(error) if is_absent(error.kind()) => Clue::not_found(WHAT, format!("{shown} does not exist")),
            Err(error) => Clue::unknown(WHAT, format!("{shown}: {}", engine::cause::line(&error))),
        }
    }
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
