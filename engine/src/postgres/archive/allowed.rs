//! What an entry of a dump's table of contents may contain: what pg_dump 9.2 to 18 writes for its
//! type, and nothing else.
//!
//! A dump is a program: pg_restore runs what its entries say, with all privileges of the role. A
//! writer of the repository could put anything into them. So each entry is compared with its type:
//! its text is split into statements as the server does it, and each must begin as pg_dump begins
//! it. What those statements define (functions, defaults, checks) is code of the database's owner,
//! some of which runs during the restore: only the role's privileges limit it.

use super::format::{DATA, Entry, POST_DATA};
use crate::postgres::script::encoding::Encoding;
use crate::postgres::script::load::{
    Doubt, Statement, has_doubtful_quotes, is_copy_from_stdin, statements_if_escaped, statements_of,
};

/// A type of entries: when it is restored, if that matters, and how its statements begin.
struct Rule {
    kind: &'static str,
    section: Option<i64>,
    begins: &'static [&'static str],
}

const fn rule(kind: &'static str, begins: &'static [&'static str]) -> Rule {
    Rule { kind, section: None, begins }
}

/// Returns a rule for what fires on or reads other objects: it comes after the data.
const fn late(kind: &'static str, begins: &'static [&'static str]) -> Rule {
    Rule { kind, section: Some(POST_DATA), begins }
}

const RULES: &[Rule] = &[
    rule("ACCESS METHOD", &["CREATE ACCESS METHOD"]),
    rule("ACL", &["GRANT", "REVOKE", "SET SESSION AUTHORIZATION", "RESET SESSION AUTHORIZATION"]),
    rule("AGGREGATE", &["CREATE AGGREGATE", "ALTER AGGREGATE"]),
    rule("BLOB", &["SELECT PG_CATALOG LO_CREATE"]),
    rule("CAST", &["CREATE CAST"]),
    rule("COLLATION", &["CREATE COLLATION"]),
    rule("COMMENT", &["COMMENT ON"]),
    rule("CONVERSION", &["CREATE CONVERSION", "CREATE DEFAULT CONVERSION"]),
    // Run only with `--create`, which a restore never uses.
    rule("DATABASE", &["CREATE DATABASE"]),
    rule("DATABASE PROPERTIES", &["ALTER DATABASE", "ALTER ROLE", "UPDATE PG_CATALOG PG_DATABASE"]),
    rule("DEFAULT", &["ALTER TABLE", "ALTER VIEW", "ALTER FOREIGN TABLE"]),
    rule("DEFAULT ACL", &["ALTER DEFAULT PRIVILEGES"]),
    rule("DOMAIN", &["CREATE DOMAIN"]),
    rule("EXTENSION", &["CREATE EXTENSION"]),
    rule("FOREIGN DATA WRAPPER", &["CREATE FOREIGN DATA WRAPPER"]),
    rule("FOREIGN TABLE", &["CREATE FOREIGN TABLE", "ALTER FOREIGN TABLE", "ALTER TABLE"]),
    rule("FUNCTION", &["CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", "ALTER FUNCTION"]),
    rule("MATERIALIZED VIEW", &["CREATE MATERIALIZED VIEW", "ALTER MATERIALIZED VIEW", "ALTER TABLE"]),
    rule("OPERATOR", &["CREATE OPERATOR"]),
    rule("OPERATOR CLASS", &["CREATE OPERATOR CLASS"]),
    rule("OPERATOR FAMILY", &["CREATE OPERATOR FAMILY", "ALTER OPERATOR FAMILY"]),
    rule(
        "PROCEDURAL LANGUAGE",
        &[
            "CREATE LANGUAGE",
            "CREATE PROCEDURAL LANGUAGE",
            "CREATE TRUSTED PROCEDURAL LANGUAGE",
            "CREATE OR REPLACE PROCEDURAL LANGUAGE",
            "CREATE OR REPLACE TRUSTED PROCEDURAL LANGUAGE",
        ],
    ),
    rule("PROCEDURE", &["CREATE PROCEDURE", "CREATE OR REPLACE PROCEDURE", "ALTER PROCEDURE"]),
    rule("SCHEMA", &["CREATE SCHEMA"]),
    rule("SECURITY LABEL", &["SECURITY LABEL"]),
    rule("SEQUENCE", &["CREATE SEQUENCE", "CREATE UNLOGGED SEQUENCE", "ALTER SEQUENCE", "ALTER TABLE"]),
    rule("SEQUENCE OWNED BY", &["ALTER SEQUENCE"]),
    rule("SERVER", &["CREATE SERVER"]),
    rule("SHELL TYPE", &["CREATE TYPE"]),
    rule(
        "STATISTICS DATA",
        &[
            "SELECT FROM PG_CATALOG PG_RESTORE_RELATION_STATS",
            "SELECT FROM PG_CATALOG PG_RESTORE_ATTRIBUTE_STATS",
            "SELECT FROM PG_CATALOG PG_CLEAR_ATTRIBUTE_STATS",
        ],
    ),
    rule("TABLE", &["CREATE TABLE", "CREATE UNLOGGED TABLE", "ALTER TABLE"]),
    rule("TABLE ATTACH", &["ALTER TABLE", "ALTER FOREIGN TABLE"]),
    rule("TEXT SEARCH CONFIGURATION", &["CREATE TEXT SEARCH CONFIGURATION", "ALTER TEXT SEARCH CONFIGURATION"]),
    rule("TEXT SEARCH DICTIONARY", &["CREATE TEXT SEARCH DICTIONARY"]),
    rule("TEXT SEARCH PARSER", &["CREATE TEXT SEARCH PARSER"]),
    rule("TEXT SEARCH TEMPLATE", &["CREATE TEXT SEARCH TEMPLATE"]),
    rule("TRANSFORM", &["CREATE TRANSFORM"]),
    rule("TYPE", &["CREATE TYPE"]),
    rule("USER MAPPING", &["CREATE USER MAPPING"]),
    rule("VIEW", &["CREATE VIEW", "CREATE OR REPLACE VIEW", "ALTER VIEW", "ALTER TABLE"]),
    Rule { kind: "BLOBS", section: Some(DATA), begins: &[] },
    Rule { kind: "SEQUENCE SET", section: Some(DATA), begins: &["SELECT PG_CATALOG SETVAL"] },
    Rule { kind: "TABLE DATA", section: Some(DATA), begins: &[] },
    late("CHECK CONSTRAINT", &["ALTER TABLE", "ALTER DOMAIN", "ALTER FOREIGN TABLE"]),
    late("CONSTRAINT", &["ALTER TABLE", "ALTER DOMAIN", "ALTER INDEX", "ALTER FOREIGN TABLE"]),
    late("EVENT TRIGGER", &["CREATE EVENT TRIGGER", "ALTER EVENT TRIGGER"]),
    late("FK CONSTRAINT", &["ALTER TABLE"]),
    late("INDEX", &["CREATE INDEX", "CREATE UNIQUE INDEX", "ALTER INDEX", "ALTER TABLE"]),
    late("INDEX ATTACH", &["ALTER INDEX"]),
    late("MATERIALIZED VIEW DATA", &["REFRESH MATERIALIZED VIEW"]),
    late("POLICY", &["CREATE POLICY"]),
    late("PUBLICATION", &["CREATE PUBLICATION"]),
    late("PUBLICATION TABLE", &["ALTER PUBLICATION"]),
    late("PUBLICATION TABLES IN SCHEMA", &["ALTER PUBLICATION"]),
    late("ROW SECURITY", &["ALTER TABLE"]),
    late("RULE", &["CREATE RULE", "CREATE OR REPLACE RULE", "CREATE OR REPLACE VIEW", "ALTER TABLE"]),
    late("STATISTICS", &["CREATE STATISTICS", "ALTER STATISTICS"]),
    late("SUBSCRIPTION", &["CREATE SUBSCRIPTION", "ALTER SUBSCRIPTION"]),
    late(
        "TRIGGER",
        &["CREATE TRIGGER", "CREATE CONSTRAINT TRIGGER", "ALTER TRIGGER", "ALTER TABLE", "ALTER FOREIGN TABLE"],
    ),
];

/// Checks whether an entry contains what pg_dump writes for its type.
///
/// # Errors
/// What it contains instead, in words that complete "the entry … ".
pub(super) fn check(entry: &Entry<'_>) -> Result<(), String> {
    let texts = [entry.tag, entry.kind, entry.definition, entry.copy, entry.schema, entry.drop];
    // pg_restore ends a text there.
    if texts.iter().chain(&entry.names).any(|text| text.contains(&0)) {
        return Err("contains a zero byte".to_owned());
    }
    if entry.names.iter().any(|name| name.contains(&b'\n') || name.contains(&b'\r')) {
        return Err("has a line break in the name of an owner, a table space or an access method".to_owned());
    }
    check_data(entry)?;
    let definition = entry.definition.trim_ascii();
    match entry.kind {
        b"ENCODING" => {
            return Encoding::of(definition).map(drop).ok_or_else(|| holds(definition));
        }
        b"STDSTRINGS" => return exactly(definition, b"SET standard_conforming_strings = 'on';"),
        b"SEARCHPATH" => return exactly(definition, b"SELECT pg_catalog.set_config('search_path', '', false);"),
        // The numbers of large objects, one per line: pg_restore copies them into a statement.
        b"BLOB METADATA" => {
            let is_list = definition.iter().all(|byte| byte.is_ascii_digit() || *byte == b'\n');
            return if is_list { Ok(()) } else { Err(holds(definition)) };
        }
        _ => {}
    }
    let Some(rule) = RULES.iter().find(|rule| rule.kind.as_bytes() == entry.kind) else {
        return Err("is of an unknown type".to_owned());
    };
    if rule.section.is_some_and(|section| section != entry.section) {
        return Err("comes in a part of the restore where its type does not belong".to_owned());
    }
    let otherwise = match has_doubtful_quotes(entry.definition) {
        Doubt::None => None,
        Doubt::Escape => statements_if_escaped(entry.definition),
        Doubt::Encoding => return Err(holds(definition)),
    };
    for statement in statements_of(entry.definition)?.iter().chain(otherwise.iter().flatten()) {
        check_statement(statement, rule, entry.tag)?;
    }
    check_drop(entry)
}

fn exactly(definition: &[u8], expected: &[u8]) -> Result<(), String> {
    if definition == expected { Ok(()) } else { Err(holds(definition)) }
}

/// Checks that data is rows of a table, after the one form of `COPY`, or large objects. pg_restore
/// runs data without a `COPY` as SQL.
fn check_data(entry: &Entry<'_>) -> Result<(), String> {
    if !entry.copy.is_empty() && (entry.kind != b"TABLE DATA" || !is_copy_from_stdin(entry.copy)) {
        return Err(holds(entry.copy));
    }
    match (entry.has_data, entry.kind) {
        (true, b"TABLE DATA") if entry.copy.is_empty() => {
            Err("contains its rows as INSERT statements, which cannot be checked".to_owned())
        }
        (false, _) | (true, b"TABLE DATA" | b"BLOBS") => Ok(()),
        (true, _) => Err("has data, which its type never has".to_owned()),
    }
}

fn check_statement(statement: &Statement, rule: &Rule, tag: &[u8]) -> Result<(), String> {
    let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
    let refused = || holds(&statement.text);
    if !rule.begins.iter().any(|begin| begins(&words, begin)) || statement.hides_statements() {
        return Err(refused());
    }
    let is_of_database = tag.starts_with(b"DATABASE ");
    let reaches_elsewhere = match rule.kind {
        // A restore leaves out all three, and pg_restore leaves out what its tag assigns to a
        // database.
        "DATABASE" | "DATABASE PROPERTIES" | "SUBSCRIPTION" => false,
        "ACL" => grants_elsewhere(&words, is_of_database),
        "COMMENT" | "SECURITY LABEL" if is_of_database => !words.contains(&"DATABASE"),
        _ => statement.reaches_elsewhere(),
    };
    let is_foreign_call = words.first() == Some(&"SELECT") && !statement.is_call_of_a_dump();
    if reaches_elsewhere || is_foreign_call { Err(refused()) } else { Ok(()) }
}

/// Returns whether the words begin with those of `begin`.
fn begins(words: &[&str], begin: &str) -> bool {
    let mut words = words.iter();
    begin.split(' ').all(|expected| words.next() == Some(&expected))
}

/// Returns whether it grants membership in a role, or concerns something outside a database.
fn grants_elsewhere(words: &[&str], is_of_database: bool) -> bool {
    if !matches!(words.first(), Some(&"GRANT" | &"REVOKE")) {
        return false;
    }
    let object = words.iter().position(|word| *word == "ON").and_then(|on| words.get(on + 1));
    match object {
        Some(&"DATABASE") => !is_of_database,
        Some(object) => ["TABLESPACE", "PARAMETER"].contains(object),
        None => true,
    }
}

/// Checks the statement that only `--clean` runs. A restore never does, but an operator may, by
/// hand.
fn check_drop(entry: &Entry<'_>) -> Result<(), String> {
    const BEGINS: [&str; 4] = ["DROP", "ALTER", "CREATE OR REPLACE VIEW", "SELECT PG_CATALOG LO_UNLINK"];
    for statement in statements_of(entry.drop)? {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        let is_of_database = matches!(entry.kind, b"DATABASE" | b"DATABASE PROPERTIES");
        // A template must lose that mark before it can be dropped.
        let is_known = BEGINS.iter().any(|begin| begins(&words, begin))
            || is_of_database && begins(&words, "UPDATE PG_CATALOG PG_DATABASE");
        let is_own = is_of_database || matches!(entry.kind, b"SUBSCRIPTION" | b"USER MAPPING");
        let is_foreign_call = words.first() == Some(&"SELECT") && !statement.is_call_of_a_dump();
        if !is_known || is_foreign_call || (!is_own && statement.reaches_elsewhere()) {
            return Err(holds(&statement.text));
        }
    }
    Ok(())
}

/// Returns the start of an entry's content, for a sentence.
fn holds(text: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(text.trim_ascii());
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("contains `{}`, which pg_dump does not write there", shown.escape_debug())
}

#[cfg(test)]
mod tests;
