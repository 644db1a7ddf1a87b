//! Altered functions of extensions, and of PostgreSQL itself.
//!
//! A dump says `CREATE EXTENSION`, and not how an extension's members were changed since. Odoo
//! changes one itself: with `unaccent = True` it makes `unaccent(text)` immutable, so that an index
//! can use it. Without that, a copy cannot have the index. So a backup records the functions, and a
//! restore alters them before anything needs them.

mod calls;
mod read;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;

pub(crate) use self::read::{Members, read_members};

use self::calls::{Call, list_of_identifiers};
use crate::postgres::{ArchiveEntry, PostgresError, Session, quote, server_major, with_dependents};

/// A function of an extension, or one of PostgreSQL's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its extension; `None` for PostgreSQL's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Schema, name and the types of its arguments, in SQL: `public.unaccent(pg_catalog.text)`.
    pub function: String,
    /// Its properties, as clauses of `ALTER FUNCTION`: `IMMUTABLE, STRICT, PARALLEL SAFE`.
    pub attributes: String,
    /// Settings of its own: `search_path=public`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// Its owner, unless it is the extension's or the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who may call it, if that differs from its extension. `PUBLIC` is every role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<Vec<String>>,
    /// Whether it seems altered since its extension was created. The upgrade of an extension looks
    /// the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub altered: bool,
    /// Whether an index, a generated column or a constraint calls it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub used: bool,
    /// Whether a table needs it: a generated column or a partition key calls it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needed: bool,
}

impl Member {
    /// Returns whether indexes may call it.
    pub fn is_immutable(&self) -> bool {
        self.attributes.starts_with(IMMUTABLE)
    }
}

const IMMUTABLE: &str = "IMMUTABLE";

/// The expected properties of a copy's functions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Original<'a> {
    /// Those recorded in the backup; `None` if it has no record.
    pub members: Option<&'a Members>,
    /// The source's extensions and their versions.
    pub extensions: &'a [(String, String)],
    /// The major version of the source's server.
    pub major: u32,
}

/// What was done to the functions of a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Aligned {
    /// Functions that now match the source.
    pub altered: Vec<String>,
    /// Functions that do not, in sentences: the role may not alter them.
    pub refused: Vec<String>,
    /// Entries of the dump that cannot be created without them, each with its own reason.
    pub left_out: Vec<(i64, String)>,
}

/// Alters the functions of the extensions in a new database to match the source, after the
/// extensions exist and before anything uses them.
///
/// If the backup has no record, the dump shows those that matter: what an index calls was
/// immutable.
///
/// # Errors
/// [`PostgresError::Query`] for anything but a missing privilege.
pub(crate) async fn align_members(
    session: &Session,
    original: Original<'_>,
    entries: &[ArchiveEntry],
) -> Result<Aligned, PostgresError> {
    let is_superuser = super::abilities(session).await?.is_superuser;
    let same_major = server_major(session).await? == original.major;
    let versions: BTreeMap<&str, &str> =
        original.extensions.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
    let recorded = original.members.map(|members| members.functions.as_slice()).unwrap_or_default();
    let own = recorded.iter().filter(|member| member.extension.is_none());
    let own: Vec<_> = own.filter_map(|member| name_of_own(&member.function)).collect();
    let copy = read_members(session, &own, usize::MAX).await?;
    let recorded: HashMap<_, _> = recorded.iter().map(|member| (member.function.as_str(), member)).collect();
    let mut aligned = Aligned::default();
    for (member, version) in copy.functions.iter().zip(&copy.versions) {
        let same_version = match (&member.extension, version) {
            (Some(extension), Some(version)) => versions.get(extension.as_str()) == Some(&version.as_str()),
            _ => same_major,
        };
        let wanted = recorded.get(member.function.as_str()).copied();
        let mut changes = wanted.map_or_else(Changes::default, |wanted| Changes::between(member, wanted, same_version));
        if !is_superuser {
            // Owner and callers of a function do not matter in a copy that belongs to the role.
            (changes.owner, changes.callers) = (None, None);
        }
        let call = (!member.is_immutable()).then(|| Call::of(&member.function)).flatten();
        let calling = |entry: &&ArchiveEntry| {
            matches!(&*entry.kind, "INDEX" | "CONSTRAINT" | "TABLE")
                && call.as_ref().is_some_and(|call| call.is_in(&entry.definition))
        };
        let callers: Vec<_> = if member.is_immutable() { Vec::new() } else { entries.iter().filter(calling).collect() };
        // A table may call it in a default, which need not be immutable.
        let immutable = callers.iter().any(|entry| entry.kind != "TABLE")
            || callers.iter().any(|entry| entry.definition.contains(" GENERATED ALWAYS AS ("));
        if immutable && !changes.attributes.iter().any(|clause| clause == IMMUTABLE) {
            changes.attributes.insert(0, IMMUTABLE.to_owned());
        }
        if changes == Changes::default() {
            continue;
        }
        match apply(session, member, &changes).await? {
            None => aligned.altered.push(member.function.clone()),
            Some(refusal) => {
                let function = visible(&member.function);
                let matters = changes.attributes.iter().any(|clause| clause == IMMUTABLE);
                aligned.refused.push(format!("the function {function} differs from the source's: {refusal}"));
                let made_later = callers.iter().filter(|entry| matters && entry.kind != "TABLE");
                let why =
                    format!("it calls {function}, which is not immutable here, and which this role may not alter");
                aligned.left_out.extend(made_later.map(|entry| (entry.id, why.clone())));
            }
        }
    }
    let first: Vec<_> = aligned.left_out.iter().map(|(id, _)| *id).collect();
    for id in with_dependents(entries, first.iter().copied()) {
        if !first.contains(&id) {
            aligned.left_out.push((id, "it depends on what was left out".to_owned()));
        }
    }
    Ok(aligned)
}

/// Makes the functions of extensions that a statement calls immutable, if it needs that. Returns
/// `true` if there were some.
///
/// # Errors
/// [`PostgresError::Query`], also where the role may not.
pub(crate) async fn make_immutable(session: &Session, statement: &str) -> Result<bool, PostgresError> {
    let mut changed = false;
    for member in read_members(session, &[], usize::MAX).await?.functions {
        let is_called = || Call::of(&member.function).is_some_and(|call| call.is_in(statement));
        if member.extension.is_some() && !member.is_immutable() && is_called() {
            let alter = format!("ALTER FUNCTION {} {IMMUTABLE}", member.function);
            let altered = session.batch_execute(&alter).await;
            altered.map_err(session.failed(format!("make the function {} immutable", member.function)))?;
            changed = true;
        }
    }
    Ok(changed)
}

/// The changes that turn one function into another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Changes {
    attributes: Vec<String>,
    search_path: Option<Vec<String>>,
    owner: Option<String>,
    callers: Option<Vec<String>>,
}

impl Changes {
    /// Returns the changes from a copy's function to the source's. In another version of an
    /// extension, or of PostgreSQL, functions may differ by design; then only what an index needs
    /// is changed.
    fn between(copy: &Member, source: &Member, same_version: bool) -> Self {
        let has = |clause: &str| copy.attributes.split(", ").any(|there| there == clause);
        let clauses = source.attributes.split(", ").filter(|clause| is_clause(clause) && !has(clause));
        let attributes = clauses.filter(|clause| same_version || *clause == IMMUTABLE).map(str::to_owned).collect();
        let mut changes = Self { attributes, ..Self::default() };
        if same_version {
            let path_of = |member: &Member| {
                member.settings.iter().find_map(|setting| list_of_identifiers(setting.strip_prefix("search_path=")?))
            };
            changes.search_path = path_of(source).filter(|path| path_of(copy).as_ref() != Some(path));
            changes.owner = source.owner.clone().filter(|owner| copy.owner.as_ref() != Some(owner));
            changes.callers = source.callers.clone().filter(|callers| copy.callers.as_ref() != Some(callers));
        }
        changes
    }
}

/// Returns whether it is a clause that [`Member::attributes`] may have: they come from outside.
fn is_clause(clause: &str) -> bool {
    const WORDS: [&str; 12] = [
        IMMUTABLE,
        "STABLE",
        "VOLATILE",
        "STRICT",
        "CALLED ON NULL INPUT",
        "PARALLEL SAFE",
        "PARALLEL RESTRICTED",
        "PARALLEL UNSAFE",
        "SECURITY INVOKER",
        "SECURITY DEFINER",
        "LEAKPROOF",
        "NOT LEAKPROOF",
    ];
    let is_number = |number: &str| {
        number.len() < 20 && number.parse::<f32>().is_ok_and(|number| number.is_finite() && number > 0.0)
    };
    WORDS.contains(&clause) || ["COST ", "ROWS "].iter().any(|word| clause.strip_prefix(word).is_some_and(is_number))
}

/// Alters a function. Returns why the role may not, if so.
async fn apply(session: &Session, member: &Member, changes: &Changes) -> Result<Option<String>, PostgresError> {
    // As spelt in the copy's own catalogue: nothing from the backup is run.
    let function = &member.function;
    let mut statements = Vec::new();
    if !changes.attributes.is_empty() {
        statements.push(format!("ALTER FUNCTION {function} {}", changes.attributes.join(" ")));
    }
    if let Some(path) = &changes.search_path {
        let path: Vec<_> = path.iter().map(|schema| quote(schema)).collect();
        statements.push(format!("ALTER FUNCTION {function} SET search_path = {}", path.join(", ")));
    }
    let mut roles: Vec<&String> = changes.callers.iter().flatten().filter(|role| *role != "PUBLIC").collect();
    roles.extend(&changes.owner);
    let known = super::known_roles(session, &roles).await?;
    if let Some(callers) = &changes.callers {
        let public = callers.iter().any(|role| role == "PUBLIC");
        let word = if public { "GRANT EXECUTE ON FUNCTION {} TO" } else { "REVOKE EXECUTE ON FUNCTION {} FROM" };
        statements.push(format!("{} PUBLIC", word.replace("{}", function)));
        let grants = callers.iter().filter(|role| known.contains(*role));
        statements.extend(grants.map(|role| format!("GRANT EXECUTE ON FUNCTION {function} TO {}", quote(role))));
    }
    if let Some(owner) = changes.owner.as_ref().filter(|owner| known.contains(*owner)) {
        statements.push(format!("ALTER FUNCTION {function} OWNER TO {}", quote(owner)));
    }
    for statement in statements {
        match session.batch_execute(&statement).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                return Ok(Some(crate::cause::line(&error)));
            }
            Err(error) => return Err(session.failed(format!("alter the function {function}"))(error)),
        }
    }
    Ok(None)
}

/// Returns the name of one of PostgreSQL's own functions: `pg_catalog.to_char(…)` → `to_char`.
fn name_of_own(function: &str) -> Option<&str> {
    let (name, _) = function.strip_prefix("pg_catalog.")?.split_once('(')?;
    Some(name.trim_matches('"'))
}

/// Returns a name for a message, without characters that could manipulate a terminal.
fn visible(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests;
