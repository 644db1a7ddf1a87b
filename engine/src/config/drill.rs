//! `[instance.NAME.drill]`

use std::path::PathBuf;

use super::error::nearest;
use super::section::{Reported, Section};
use super::value::Refusal;
use super::{Neutralize, keys};
use crate::schedule::Schedule;
use crate::verify::Depth;

/// Where the backups of an instance are drilled, how, and when.
#[derive(Debug, Clone, Default)]
pub struct Drill {
    /// When the daemon drills the latest; `None`: not by itself.
    pub schedule: Option<Schedule>,
    /// The target whose server and settings are used; `None`: the instance's own server.
    pub target: Option<String>,
    /// The folder in which the scratch filestore is made; `None`: the one that the target's, or else the instance's filestore lies in.
    pub folder: Option<PathBuf>,
    /// How much is read to verify the copy.
    pub depth: Depth,
    /// How the copy is made harmless where there is no target to say it.
    pub neutralize: Neutralize,
    /// Whether whoever can write to the repository may run anything on the server of the drill, with all rights of the role.
    pub trusted: bool,
    /// Whether the section is there, rather than that its defaults hold.
    pub is_configured: bool,
}

/// Reads the section inside `instance`, or says what holds without it. `targets` are the names of all targets.
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
