//! `[instance.NAME.drill]`

use std::path::PathBuf;

use crate::schedule::Schedule;
use engine::filestore;
use engine::odoo::Neutralize;
use engine::postgres::Database;
use engine::restore::Target;
use engine::text::nearest;
use engine::verify::Depth;

use super::section::{Reported, Section};
use super::value::Refusal;
use super::{Config, UnknownName, keys};

/// Where the backups of an instance are drilled, how, and when.
#[derive(Debug, Clone, Default)]
pub struct Drill {
    /// When the daemon drills the latest; `None`: not by itself.
    pub schedule: Option<Schedule>,
    /// The target whose server and settings are used; `None`: the instance's own server.
    pub target: Option<String>,
    /// The folder in which the scratch filestore is made; `None`: the one that the target's, or
    /// else the instance's filestore lies in.
    pub folder: Option<PathBuf>,
    /// How much is read to verify the copy.
    pub depth: Depth,
    /// How the copy is neutralized where no target says it.
    pub neutralize: Neutralize,
    /// Whether the repository's writers may run anything on the server of the drill, with all
    /// rights of the role.
    pub trusted: bool,
    /// Whether the section is there, rather than that its defaults hold.
    pub is_configured: bool,
}

/// Reads the section inside `instance`, or says what holds without it. `targets` are the names of
/// all targets.
pub(super) fn read(instance: &Section<'_>, targets: &[String]) -> Result<Drill, Reported> {
    let Some(section) = instance.section("drill", &keys::DRILL)? else { return Ok(Drill::default()) };
    let schedule = section.optional("schedule");
    let target = section.optional::<String>("target");
    let folder = section.optional("folder");
    let depth = section.optional("verify");
    let trusted = section.optional("trusted");
    let target = target?;
    if let Some(name) = target.as_ref().filter(|name| !targets.contains(name)) {
        let message = format!("there is no section [target.{}]", super::section::as_key(name));
        let suggestion = nearest(name, targets.iter().map(String::as_str)).map(Into::into);
        return Err(section.refuse("target", Refusal { message, suggestion }));
    }
    let (schedule, folder, depth) = (schedule?, folder?, depth?.unwrap_or_default());
    let trusted = trusted?.unwrap_or_default();
    Ok(Drill { schedule, target, folder, depth, neutralize: Neutralize::default(), trusted, is_configured: true })
}

/// Returns where the backups of an instance are drilled: on the server of `to`, else where the
/// section of the instance says, else on its own server and next to its filestore. `to` itself is
/// not changed.
///
/// # Errors
/// Where nothing is said, and the configuration has no such instance.
pub fn drill_place(config: &Config, instance: &str, to: Option<&Target>) -> Result<Target, UnknownName> {
    let own = config.instance(instance);
    let drill = own.as_ref().ok().map(|own| &own.drill);
    let of_section = drill.and_then(|drill| config.targets.get(drill.target.as_deref()?));
    let (database, filestore, neutralize) = match to.or(of_section) {
        // A drill's copy is always neutralized.
        Some(target) => (&target.database, &target.filestore, target.neutralize.clone().unwrap_or_default()),
        None => {
            let own = own?;
            (&own.instance.database, &own.instance.filestore, own.drill.neutralize.clone())
        }
    };
    let trusted = to.or(of_section).is_some_and(|target| target.trusted) || drill.is_some_and(|drill| drill.trusted);
    let name = name_of(instance);
    let filestore = match drill.and_then(|drill| drill.folder.as_deref()) {
        Some(folder) => folder.join(&name),
        None if filestore::is_known(filestore) => filestore.with_file_name(&name),
        None => PathBuf::new(),
    };
    let database = Database { name: name.clone(), ..database.clone() };
    Ok(Target {
        name,
        database,
        filestore,
        instance: Some(instance.to_owned()),
        neutralize: Some(neutralize),
        anonymize: None,
        trusted,
    })
}

/// Returns the name for the database and the folder of a drill. Nothing is ever created under it.
fn name_of(instance: &str) -> String {
    format!("drill_{instance}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'x'\nhost = 'here'\nfilestore = '/f/x'\n\
             [target.staging]\ndatabase = 'y'\nhost = 'there'\nfilestore = '/g/y'\nneutralize = false\n{more}"
        );
        Config::parse(Path::new("c.toml"), &text).unwrap()
    }

    #[test]
    fn drill_place_is_separate_and_neutralized() {
        let own = config("");
        let section = config("[instance.production.drill]\ntarget = 'staging'\nfolder = '/s'\n");
        let staging = own.target("staging").unwrap();
        for (config, to, host, filestore) in [
            (&own, None, "here", "/f/drill_production"),
            (&own, Some(staging), "there", "/g/drill_production"),
            (&section, None, "there", "/s/drill_production"),
            (&section, Some(staging), "there", "/s/drill_production"),
        ] {
            let place = drill_place(config, "production", to).unwrap();
            assert_eq!(
                (place.database.name.as_str(), place.database.host.as_deref()),
                ("drill_production", Some(host))
            );
            assert_eq!(place.filestore, Path::new(filestore));
            assert!(place.neutralize.is_some());
        }
        assert!(drill_place(&own, "gone", None).is_err(), "a backup of another configuration's instance");
        assert!(drill_place(&own, "gone", Some(staging)).is_ok());
    }
}
