//! `[instance.NAME.hooks]` and `[target.NAME.hooks]`

use std::path::PathBuf;
use std::time::Duration;

use engine::hooks::{HookCommand, Hooks};
use engine::text::counted;

use super::keys::SectionKeys;
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value};

/// Reads the section inside an instance or a target.
pub(super) fn read(of: &Section<'_>, known: &'static SectionKeys) -> Result<Hooks, Reported> {
    let Some(section) = of.section("hooks", known)? else { return Ok(Hooks::default()) };
    let [before, after, failed, finally] = ["before", "after", "failed", "finally"].map(|key| command(&section, key));
    let timeout = section.optional::<Duration>("timeout");
    let timeout = timeout?.unwrap_or(engine::hooks::TIMEOUT);
    if timeout.is_zero() {
        return Err(section.refuse("timeout", "expected more than no time"));
    }
    Ok(Hooks { before: before?, after: after?, failed: failed?, finally: finally?, timeout })
}

fn command(section: &Section<'_>, key: &str) -> Result<Option<HookCommand>, Reported> {
    let Some(Arguments(command)) = section.optional::<Arguments>(key)? else { return Ok(None) };
    match section.source.distrust(&command.program) {
        Some(reason) => Err(section.refuse(key, reason)),
        None => Ok(Some(command)),
    }
}

/// A program and its arguments.
struct Arguments(HookCommand);

impl Value for Arguments {
    const EXPECTED: &'static str = "an array of strings: a program and its arguments";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let items = raw.value.as_array().ok_or_else(|| raw.refused::<Self>())?;
        let mut items = items.iter().map(|item| Raw { value: item.get_ref(), ..raw });
        let program = items.next().ok_or("the array is empty; it needs at least a program")?;
        let name = String::read(program)?;
        if !name.contains('/') {
            return Err("the program must be a path, such as \"/usr/bin/systemctl\"; no shell looks for it".into());
        }
        let program = PathBuf::read(program)?;
        let arguments = items.map(String::read).collect::<Result<_, _>>()?;
        Ok(Self(HookCommand { program, arguments }))
    }

    /// Without the arguments: they may take secrets from the environment.
    fn shown(&self) -> Option<String> {
        let program = self.0.program.display();
        Some(match self.0.arguments.len() {
            0 => program.to_string(),
            number => format!("{program} with {}", counted(number as u64, "argument")),
        })
    }
}
