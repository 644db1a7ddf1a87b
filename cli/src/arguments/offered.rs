//! What `--help` offers: commands in groups, and options only where they do something.

use clap::builder::Styles;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error};

use super::Arguments;

/// The commands in the order of `--help`, by group.
pub(crate) const GROUPS: [(&str, &[&str]); 6] = [
    ("Back up", &["now", "copy", "import"]),
    ("Restore", &["restore", "drill", "export", "fetch"]),
    ("Look", &["list", "show", "files", "status"]),
    ("Maintain", &["check", "repair", "prune", "pin", "unpin", "forget", "unlock", "upgrade"]),
    ("Daemon", &["daemon", "schedule", "runs", "logs", "notify"]),
    ("Set up", &["init", "doctor", "config", "completions", "manual"]),
];

/// Global options that do nothing for a command, and are not offered there.
const MEANINGLESS: [(&str, &[&str]); 10] = [
    ("doctor", &["repository"]),
    ("config", &["repository"]),
    ("daemon", &["repository"]),
    ("schedule", &["repository"]),
    ("status", &["repository"]),
    ("runs", &["repository"]),
    ("logs", &["repository"]),
    ("notify", &["repository"]),
    ("manual", &["config", "repository", "verbose"]),
    ("completions", &["config", "repository", "json", "verbose"]),
];

/// The options of these that are refused, because their users would expect an effect. The others
/// are accepted, so that a script can pass them to every command.
const REFUSED: [&str; 2] = ["repository", "json"];

/// Groups the commands in the help of the program, and hides options that do nothing.
pub(super) fn offer(mut program: Command) -> Command {
    let header = *Styles::default().get_header();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{header}Global options:{header:#}\n{{options}}{{after-help}}",
        groups(&program),
    );
    for (name, options) in MEANINGLESS {
        let is_meant = |argument: &&Arg| options.contains(&argument.get_id().as_str());
        let hidden = program.get_arguments().filter(is_meant).map(|argument| argument.clone().global(false).hide(true));
        let hidden: Vec<_> = hidden.collect();
        // An argument of the same name keeps clap from adding the global one.
        program = program.mut_subcommand(name, |command| command.args(hidden));
    }
    program.help_template(template)
}

/// Adds the global options to each command that takes them, for completion scripts: those would
/// offer hidden options, too.
pub(super) fn spread(program: Command) -> Command {
    let globals = program.get_arguments().filter(|argument| argument.is_global_set());
    let globals: Vec<_> = globals.map(|argument| argument.clone().global(false)).collect();
    let names: Vec<_> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let program = program.mut_args(|argument| argument.global(false));
    names.iter().fold(program, |program, name| {
        let own: Vec<_> = globals.iter().filter(|option| !is_meaningless(name, option.get_id().as_str())).collect();
        program.mut_subcommand(name, |command| with_all(command, &own))
    })
}

/// Adds options to a command and its subcommands, except those that it defines itself.
fn with_all(command: Command, options: &[&Arg]) -> Command {
    let missing: Vec<_> = options
        .iter()
        .filter(|option| command.get_arguments().all(|own| own.get_id() != option.get_id()))
        .map(|option| (*option).clone())
        .collect();
    command.args(missing).mut_subcommands(|command| with_all(command, options))
}

fn is_meaningless(command: &str, option: &str) -> bool {
    MEANINGLESS.iter().any(|(name, options)| *name == command && options.contains(&option))
}

/// Returns the commands with their descriptions, each group under its heading.
fn groups(program: &Command) -> String {
    let header = *Styles::default().get_header();
    let name_style = *Styles::default().get_literal();
    let width = program.get_subcommands().map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{header}{title}:{header:#}\n"));
        for command in names.iter().filter_map(|name| program.find_subcommand(name)) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            text.push_str(&format!("  {name_style}{name:width$}{name_style:#}  {about}\n"));
        }
        text.push('\n');
    }
    text
}

/// Refuses an option that would do nothing for the command.
///
/// # Errors
/// Names the option and the command.
pub(super) fn refuse_meaningless(matches: &ArgMatches) -> Result<(), Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let is_given = |option: &&&str| matches.value_source(option) == Some(ValueSource::CommandLine);
    let given = REFUSED.iter().filter(|option| is_meaningless(name, option)).find(is_given);
    let Some(option) = given else { return Ok(()) };
    let mut program = Arguments::definition();
    program.build();
    let command = program.find_subcommand_mut(name).expect("a command that was parsed");
    Err(command.error(ErrorKind::UnknownArgument, format!("--{option} has no effect on `odoo-backup {name}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_in_one_group() {
        let program = Arguments::definition();
        let mut commands: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        commands.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, commands);
    }

    #[test]
    fn completion_offers_what_help_offers() {
        let mut spread = Arguments::for_completion();
        spread.build();
        let mut offered = Arguments::definition();
        offered.build();
        for command in spread.get_subcommands().filter(|command| command.get_name() != "help") {
            let names = |command: &Command| {
                let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
                let mut names: Vec<_> = shown.map(|argument| argument.get_id().to_string()).collect();
                names.sort();
                names
            };
            let other = offered.find_subcommand(command.get_name()).unwrap();
            assert_eq!(names(command), names(other), "{}", command.get_name());
        }
    }

    #[test]
    fn description_fits_on_one_line() {
        for command in Arguments::definition().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() <= 64, "{}: {about}", command.get_name());
        }
    }

    #[test]
    fn option_without_effect_is_not_offered() {
        for (name, options) in MEANINGLESS.iter().filter(|(name, _)| !["config", "notify"].contains(name)) {
            let mut program = Arguments::definition();
            program.build();
            let command = program.find_subcommand_mut(name).unwrap();
            let help = command.render_long_help().to_string();
            options.iter().for_each(|option| assert!(!help.contains(&format!("--{option}")), "{name}: {help}"));
        }
        for arguments in [&["--repository", "x", "doctor"][..], &["doctor", "--repository", "x"]] {
            let matches = Arguments::definition().try_get_matches_from([&["odoo-backup"], arguments].concat()).unwrap();
            let error = refuse_meaningless(&matches).unwrap_err().to_string();
            assert!(error.contains("--repository has no effect on `odoo-backup doctor`"), "{error}");
        }
    }
}
