//! Compares the parts of `docs/commands` that repeat the command line with the command line itself.
//!
//! `ODOO_BACKUP_SNAPSHOTS=update cargo nextest run --workspace -E 'test(command_pages::)'` writes
//! them again.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::StyledStr;
use clap::{Arg, Command};

use crate::arguments::{Arguments, GROUPS};
use crate::exit::Exit;

/// Set to `update`, it lets the pages be written rather than compared.
const UPDATE: &str = "ODOO_BACKUP_SNAPSHOTS";

/// The options of all commands, which only the page of all commands explains.
const SHARED: [&str; 6] = ["config", "repository", "json", "verbose", "help", "version"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands")
}

/// Returns the program's commands, with what clap adds to each.
fn program() -> Command {
    let mut program = Arguments::definition();
    program.build();
    program
}

fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

/// Returns what is wrong with a page's marked part, or writes the part.
fn compare(page: &str, mark: &str, part: &str) -> Option<String> {
    let path = folder().join(page);
    let Ok(text) = fs::read_to_string(&path) else { return Some(format!("docs/commands/{page} is missing")) };
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->\n"));
    let split = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?)));
    let Some((before, (there, after))) = split else {
        return Some(format!("docs/commands/{page} has no part between {begin}and {end}"));
    };
    if std::env::var(UPDATE).is_ok_and(|value| value == "update") {
        fs::write(&path, [before, &begin, part, &end, after].concat()).unwrap();
        return None;
    }
    (there != part).then(|| format!("docs/commands/{page} should have this between the marks `{mark}`:\n{part}"))
}

#[track_caller]
fn assert_none(differences: impl IntoIterator<Item = String>) {
    let differences: Vec<_> = differences.into_iter().collect();
    assert!(differences.is_empty(), "{}\n{UPDATE}=update writes them again", differences.join("\n"));
}

/// Returns the usage of a command and a table of its own arguments and options.
fn options(command: &Command, name: &str) -> String {
    let mut text = String::new();
    let mut usages = Vec::new();
    let mut rows = String::new();
    for (command, name) in with_subcommands(command, name) {
        let usage = command.clone().bin_name(format!("odoo-backup {name}")).render_usage().to_string();
        usages.push(usage.trim_start_matches("Usage: ").to_owned());
        for argument in command.get_arguments().filter(|argument| is_own(argument)) {
            writeln!(rows, "| {} | {} |", spelling(argument), meaning(argument)).unwrap();
        }
    }
    writeln!(text, "```\n{}\n```\n", usages.join("\n")).unwrap();
    if !rows.is_empty() {
        writeln!(text, "| option | meaning |\n| --- | --- |\n{rows}").unwrap();
    }
    let shared = SHARED.iter().filter_map(|id| command.get_arguments().find(|argument| argument.get_id() == id));
    let shared: Vec<_> = shared.filter(|argument| !argument.is_hide_set() && !is_own(argument)).collect();
    let shared: Vec<_> = shared.into_iter().map(spelling).collect();
    writeln!(text, "Also: {}; see [options of all commands](README.md#options-of-all-commands).", shared.join(", "))
        .unwrap();
    wrapped(&text)
}

/// Returns the commands that can be typed: the command itself, or those behind it.
fn with_subcommands<'a>(command: &'a Command, name: &str) -> Vec<(&'a Command, String)> {
    let behind = commands(command).map(|sub| (sub, format!("{name} {}", sub.get_name())));
    let behind: Vec<_> = behind.collect();
    if behind.is_empty() { vec![(command, name.to_owned())] } else { behind }
}

/// Whether the page of the command explains it. `init` has a `--repository` of its own.
fn is_own(argument: &Arg) -> bool {
    let is_shared = SHARED.iter().any(|id| argument.get_id() == id) && !is_inits_own(argument);
    !is_shared && !argument.is_hide_set()
}

fn is_inits_own(argument: &Arg) -> bool {
    argument.get_value_names().is_some_and(|names| names.iter().any(|name| *name == "URL"))
}

/// Returns how an argument is typed: `BACKUP…`, `-o`, `--output FILE`.
fn spelling(argument: &Arg) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let value = names.iter().map(|name| name.to_string()).collect::<Vec<_>>().join(" ");
    if argument.is_positional() {
        let is_list = argument.get_num_args().is_some_and(|number| number.max_values() > 1);
        return format!("`{value}{}`", if is_list { "…" } else { "" });
    }
    let takes_value = argument.get_action().takes_values();
    let is_optional = argument.get_num_args().is_some_and(|number| number.min_values() == 0);
    let value = match (takes_value, is_optional) {
        (false, _) => String::new(),
        (true, false) => format!(" {value}"),
        (true, true) => format!("[={value}]"),
    };
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    format!("{short}`--{}{value}`", argument.get_long().unwrap_or_default())
}

fn meaning(argument: &Arg) -> String {
    let plain = |text: Option<&StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let mut text = plain(argument.get_help());
    let values: Vec<_> = argument.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if argument.get_action().takes_values() && !values.is_empty() {
        let values = values.iter().map(|value| match plain(value.get_help()).as_str() {
            "" => format!("`{}`", value.get_name()),
            about => format!("`{}` ({about})", value.get_name()),
        });
        write!(text, ": {}", values.collect::<Vec<_>>().join(", ")).unwrap();
    }
    let defaults: Vec<_> = argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        write!(text, " [default: {}]", defaults.join(", ")).unwrap();
    }
    text.replace('\n', " ").replace('|', "\\|")
}

/// Wraps the lines of a text, but for those of tables and code.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut column = 0;
        for word in line.split(' ').filter(|_| line.chars().count() > WIDTH && !line.starts_with('|')) {
            let width = word.chars().count();
            if column > 0 {
                let breaks = column + 1 + width > WIDTH;
                wrapped.push(if breaks { '\n' } else { ' ' });
                column = if breaks { 0 } else { column + 1 };
            }
            wrapped.push_str(word);
            column += width;
        }
        if column == 0 {
            wrapped.push_str(line);
        }
        wrapped.push('\n');
    }
    wrapped
}

#[test]
fn command_pages_show_usage_and_options() {
    let program = program();
    let pages = commands(&program).map(|command| {
        let name = command.get_name();
        compare(&format!("{name}.md"), "options", &options(command, name))
    });
    assert_none(pages.flatten());
}

#[test]
fn overview_shows_commands_and_options() {
    let program = program();
    let mut table = String::new();
    for (group, names) in GROUPS {
        writeln!(table, "**{group}**\n\n| command | what it does |\n| --- | --- |").unwrap();
        for name in names {
            let command = program.find_subcommand(name).unwrap_or_else(|| panic!("there is no command {name}"));
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(table, "| [`{name}`]({name}.md) | {about} |").unwrap();
        }
        table.push('\n');
    }
    let mut shared = String::from("| option | meaning |\n| --- | --- |\n");
    for id in SHARED {
        let argument = program.get_arguments().find(|argument| argument.get_id() == id).unwrap();
        writeln!(shared, "| {} | {} |", spelling(argument), meaning(argument)).unwrap();
    }
    shared.push('\n');
    let parts = [compare("README.md", "commands", &table), compare("README.md", "options", &shared)];
    assert_none(parts.into_iter().flatten());
}

#[test]
fn overview_groups_every_command() {
    let program = program();
    let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let mut there: Vec<_> = commands(&program).map(Command::get_name).collect();
    grouped.sort_unstable();
    there.sort_unstable();
    assert_eq!(grouped, there);
}

#[test]
fn command_folder_has_no_other_page() {
    let program = program();
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".md").unwrap_or_else(|| panic!("{name} is no page"));
        assert!(stem == "README" || program.find_subcommand(stem).is_some(), "{name} is of no command");
    }
}

#[test]
fn command_page_fits_two_screens() {
    let program = program();
    for name in commands(&program).map(Command::get_name) {
        let lines = fs::read_to_string(folder().join(format!("{name}.md"))).unwrap().lines().count();
        assert!(lines <= 125, "docs/commands/{name}.md has {lines} lines: move a topic to a page of its own");
    }
}

#[test]
fn exit_code_page_lists_every_code() {
    let page = fs::read_to_string(folder().join("../exit-codes.md")).unwrap();
    let table = page.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok());
    assert_eq!(listed.collect::<Vec<_>>(), Exit::ALL.map(|exit| exit as u8));
}
