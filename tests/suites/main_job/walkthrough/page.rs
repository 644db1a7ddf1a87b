//! Reads a page of the documentation and its blocks that are run.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use super::mask::{masked, names};

/// Stands for any number of lines.
const ELISION: &str = "…";

/// A page, line by line.
pub(super) struct Page {
    path: PathBuf,
    lines: Vec<String>,
}

/// A block of a page that the reader acts on.
pub(super) enum Block {
    /// Commands with what they print.
    Console(Vec<Step>),
    /// Lines for the configuration.
    Toml(Range<usize>),
}

/// A command and its output, as lines of the page.
pub(super) struct Step {
    pub(super) command: Range<usize>,
    pub(super) output: Range<usize>,
}

impl Page {
    pub(super) fn read(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {name}: {error}"));
        Self { path, lines: text.lines().map(str::to_owned).collect() }
    }

    /// Returns its blocks of commands and of configuration, in their order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut index) = (Vec::new(), 0);
        while index < self.lines.len() {
            let Some((indent, kind)) = self.lines[index].split_once("```") else {
                index += 1;
                continue;
            };
            let end = format!("{indent}```");
            let length = self.lines[index + 1..].iter().position(|line| *line == end).expect("an end of the block");
            let inner = index + 1..index + 1 + length;
            match kind {
                "console" => blocks.push(Block::Console(self.steps(inner.clone()))),
                "toml" => blocks.push(Block::Toml(inner.clone())),
                _ => {}
            }
            index = inner.end + 1;
        }
        blocks
    }

    fn steps(&self, block: Range<usize>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for index in block {
            let line = self.lines[index].trim_start();
            if line.starts_with("$ ") {
                steps.push(Step { command: index..index + 1, output: index + 1..index + 1 });
                continue;
            }
            let step = steps.last_mut().expect("a block begins with a command");
            if step.output.is_empty() && self.lines[index - 1].ends_with('\\') {
                step.command.end = index + 1;
                step.output = index + 1..index + 1;
            } else {
                step.output.end = index + 1;
            }
        }
        steps
    }

    /// Returns a command as one line, without its prompt.
    pub(super) fn command(&self, step: &Step) -> String {
        let lines = self.lines[step.command.clone()].iter().map(|line| line.trim().trim_end_matches('\\').trim());
        lines.collect::<Vec<_>>().join(" ").trim_start_matches("$ ").to_owned()
    }

    /// Returns the output of the command according to the page.
    pub(super) fn output(&self, step: &Step) -> Vec<&str> {
        let indent = self.lines[step.command.start].len() - self.lines[step.command.start].trim_start().len();
        self.lines[step.output.clone()].iter().map(|line| line.get(indent..).unwrap_or_default()).collect()
    }

    pub(super) fn text(&self, lines: &Range<usize>) -> String {
        self.lines[lines.clone()].iter().map(|line| format!("{}\n", line.trim_start())).collect()
    }

    /// Returns the step's lines with the program's output, as much of it as the page shows.
    fn rewritten(&self, step: &Step, known: &[(String, String)], printed: &[String]) -> Vec<String> {
        let first = &self.lines[step.command.start];
        let indent = &first[..first.len() - first.trim_start().len()];
        let shown = self.output(step);
        let mut output: Vec<&str> = printed.iter().map(String::as_str).collect();
        if let Some(at) = shown.iter().position(|line| *line == ELISION) {
            let (head, tail) = (at.min(output.len()), (shown.len() - at - 1).min(output.len()));
            output = [&output[..head], &[ELISION], &output[output.len() - tail..]].concat();
        }
        let command = self.lines[step.command.clone()].iter().map(|line| replaced(line, known));
        command.chain(output.into_iter().map(|line| format!("{indent}{line}").trim_end().to_owned())).collect()
    }

    /// Writes the page with the program's output.
    pub(super) fn write(&self, ran: &[(Step, Vec<String>)], known: &[(String, String)]) {
        let mut lines = Vec::new();
        let mut next = 0;
        for (step, printed) in ran {
            lines.extend_from_slice(&self.lines[next..step.command.start]);
            lines.extend(self.rewritten(step, known, printed));
            next = step.output.end;
        }
        lines.extend_from_slice(&self.lines[next..]);
        fs::write(&self.path, lines.join("\n") + "\n").unwrap();
    }
}

/// Returns how the page differs from the output, or an empty text.
pub(super) fn difference(command: &str, shown: &[&str], printed: &[String]) -> String {
    let shown: Vec<String> = shown.iter().map(|line| masked(line)).collect();
    let printed: Vec<String> = printed.iter().map(|line| masked(line)).collect();
    let same = match shown.iter().position(|line| line == ELISION) {
        Some(at) => {
            let (head, tail) = (&shown[..at], &shown[at + 1..]);
            printed.len() >= head.len() + tail.len() && printed.starts_with(head) && printed.ends_with(tail)
        }
        None => shown == printed,
    };
    if same {
        return String::new();
    }
    let gone = shown.iter().filter(|line| !printed.contains(line)).map(|line| format!("- {line}\n"));
    let new = printed.iter().filter(|line| !shown.contains(line)).map(|line| format!("+ {line}\n"));
    format!("$ {command}\n{}", gone.chain(new).collect::<String>())
}

/// Returns which name of the page stands for which name of this run, if both print the same number.
pub(super) fn same_names(shown: &[&str], printed: &[String]) -> Vec<(String, String)> {
    let shown: Vec<String> = shown.iter().flat_map(|line| names(line)).collect();
    let printed: Vec<String> = printed.iter().flat_map(|line| names(line)).collect();
    if shown.len() == printed.len() { shown.into_iter().zip(printed).collect() } else { Vec::new() }
}

/// Replaces names of the page by those of this run.
pub(super) fn replaced(text: &str, known: &[(String, String)]) -> String {
    known.iter().fold(text.to_owned(), |text, (documented, actual)| text.replace(documented, actual))
}
