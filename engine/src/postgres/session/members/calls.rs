//! Calls of functions in the statements of a dump.

/// How a dump calls a function. Functions that differ only in their arguments share a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// `public.unaccent(`
    begin: String,
    arguments: usize,
}

impl Call {
    /// Returns the call of `public.unaccent(pg_catalog.text)`.
    pub(super) fn of(function: &str) -> Option<Self> {
        let open = unquoted(function, |c| c == '(')?;
        let (begin, types) = function.split_at_checked(open + 1)?;
        // A dump names PostgreSQL's own functions without their schema.
        let begin = begin.strip_prefix("pg_catalog.").unwrap_or(begin);
        let types = types.strip_suffix(')')?;
        let arguments = if types.is_empty() { 0 } else { top_level_commas(types) + 1 };
        Some(Self { begin: begin.to_owned(), arguments })
    }

    /// Returns whether a statement contains such a call.
    pub(super) fn is_in(&self, statement: &str) -> bool {
        statement.match_indices(&self.begin).any(|(at, _)| {
            let before = statement[..at].chars().next_back();
            let apart = !before.is_some_and(|c| c.is_alphanumeric() || "_$.\"".contains(c));
            apart && self.takes(&statement[at + self.begin.len()..])
        })
    }

    /// Returns whether as many arguments follow the open parenthesis as the function takes.
    fn takes(&self, rest: &str) -> bool {
        let mut depth = 0_usize;
        let end = unquoted(rest, |c| match c {
            '(' | '[' => {
                depth += 1;
                false
            }
            ')' | ']' if depth > 0 => {
                depth -= 1;
                false
            }
            ')' => true,
            _ => false,
        });
        let Some(arguments) = end.map(|end| &rest[..end]) else { return false };
        let number = if arguments.trim().is_empty() { 0 } else { top_level_commas(arguments) + 1 };
        number == self.arguments
    }
}

fn top_level_commas(text: &str) -> usize {
    let (mut depth, mut commas) = (0_usize, 0);
    let _ = unquoted(text, |c| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
        false
    });
    commas
}

/// Returns the place of the first character that matches `is`, outside quotes.
fn unquoted(text: &str, mut is: impl FnMut(char) -> bool) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if is(c) => return Some(at),
            None => {}
        }
    }
    None
}

/// Returns the schemas of a search path in a function's settings: `public, "Weird Schema"`. `None`
/// if it is malformed.
pub(super) fn list_of_identifiers(text: &str) -> Option<Vec<String>> {
    let mut rest = text.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        names.push(name.trim().to_owned());
        rest = match behind.trim_start().strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if behind.trim().is_empty() => "",
            None => return None,
        };
    }
    Some(names)
}
