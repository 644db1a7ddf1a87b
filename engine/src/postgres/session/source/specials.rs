//! Objects that concern more than their own database: other servers, roles, sessions.

use serde::{Deserialize, Serialize};

use crate::postgres::{ArchiveEntry, PostgresError, Session};

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecialKind {
    /// Tables that others may subscribe to.
    Publication,
    /// Tables that follow another server's.
    Subscription,
    /// Functions that run on every statement of a kind.
    EventTrigger,
    /// Rules of row-level security.
    Policy,
    /// Roles and passwords for foreign servers.
    UserMapping,
    /// Labels of modules such as SELinux's.
    SecurityLabel,
}

impl SpecialKind {
    /// Returns its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publication => "publication",
            Self::Subscription => "subscription",
            Self::EventTrigger => "event trigger",
            Self::Policy => "policy",
            Self::UserMapping => "user mapping",
            Self::SecurityLabel => "security label",
        }
    }

    fn of_entry(kind: &str) -> Option<Self> {
        Some(match kind {
            "PUBLICATION" => Self::Publication,
            "SUBSCRIPTION" => Self::Subscription,
            "EVENT TRIGGER" => Self::EventTrigger,
            "POLICY" => Self::Policy,
            "USER MAPPING" => Self::UserMapping,
            "SECURITY LABEL" => Self::SecurityLabel,
            _ => return None,
        })
    }
}

/// An object that concerns more than its own database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Special {
    /// What it is.
    pub kind: SpecialKind,
    /// Its name; of a policy the table's and its own, of a user mapping the role's and the
    /// server's.
    pub name: String,
    /// Roles that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Whether only a superuser may create it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superuser: bool,
}

impl Special {
    /// Returns the object of an entry of a dump, if it is one. `entries` are all of the dump's.
    pub fn of_entry(entry: &ArchiveEntry, entries: &[ArchiveEntry]) -> Option<Self> {
        let kind = SpecialKind::of_entry(&entry.kind)?;
        let name = entry.name.clone();
        let roles = match kind {
            SpecialKind::Policy => roles_of_policy(&entry.definition),
            SpecialKind::UserMapping => role_of_mapping(&name).into_iter().collect(),
            _ => Vec::new(),
        };
        let superuser = match kind {
            SpecialKind::Publication => {
                let of_schema =
                    |one: &ArchiveEntry| one.kind == "PUBLICATION TABLES IN SCHEMA" && one.depends.contains(&entry.id);
                entry.definition.contains(" FOR ALL TABLES") || entries.iter().any(of_schema)
            }
            SpecialKind::Subscription | SpecialKind::EventTrigger | SpecialKind::SecurityLabel => true,
            SpecialKind::Policy | SpecialKind::UserMapping => false,
        };
        Some(Self { kind, name, roles, superuser })
    }
}

/// Returns the roles of a policy: `CREATE POLICY p ON public.t FOR SELECT TO a, "b c" USING (…);` →
/// `a`, `b c`. `PUBLIC` is not one.
fn roles_of_policy(definition: &str) -> Vec<String> {
    let Some(mut rest) = behind_unquoted(definition, " TO ") else { return Vec::new() };
    let mut roles = Vec::new();
    loop {
        let (role, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let Some((role, behind)) = until_quote(quoted) else { break };
                (role, behind)
            }
            None => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if !role.is_empty() && !["PUBLIC", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE"].contains(&&*role) {
            roles.push(role);
        }
        match behind.strip_prefix(", ") {
            Some(more) => rest = more,
            None => break,
        }
    }
    roles
}

/// Returns the role of a mapping: `USER MAPPING odoo SERVER elsewhere` → `odoo`. The names are not
/// quoted there, so a name that contains the word is cut at it.
fn role_of_mapping(tag: &str) -> Option<String> {
    let (role, _) = tag.strip_prefix("USER MAPPING ")?.split_once(" SERVER ")?;
    (role != "public").then(|| role.to_owned())
}

/// Returns what follows a word that precedes every expression, outside quoted names.
fn behind_unquoted<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => return None,
            _ if !quoted && text[at..].starts_with(word) => return Some(&text[at + word.len()..]),
            _ => {}
        }
    }
    None
}

/// Returns the rest of a quoted name after its first quote, and what follows it.
fn until_quote(mut text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    loop {
        let (part, behind) = text.split_once('"')?;
        name.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                text = more;
            }
            None => return Some((name, behind)),
        }
    }
}

/// The maximum recorded of all kinds together.
const MOST: i64 = 500;

/// The catalogues of every version. Those of the others depend on the server's version.
const QUERY: &str = "
SELECT 'publication', pubname::pg_catalog.text, '{}'::pg_catalog.text[], puballtables FROM pg_catalog.pg_publication
UNION ALL
SELECT 'subscription', subname::pg_catalog.text, '{}', true FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database()
UNION ALL
SELECT 'event_trigger', evtname::pg_catalog.text, '{}', true FROM pg_catalog.pg_event_trigger e
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend p WHERE p.deptype = 'e' AND p.objid = e.oid
                      AND p.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass)
UNION ALL
SELECT 'policy', c.relname::pg_catalog.text || ' ' || polname::pg_catalog.text,
    ARRAY(SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r WHERE r.oid = ANY (polroles) ORDER BY 1), false
FROM pg_catalog.pg_policy JOIN pg_catalog.pg_class c ON c.oid = polrelid
UNION ALL
SELECT 'user_mapping', 'USER MAPPING ' || usename::pg_catalog.text || ' SERVER ' || srvname::pg_catalog.text,
    CASE WHEN umuser = 0 THEN '{}' ELSE ARRAY[usename::pg_catalog.text] END, false
FROM pg_catalog.pg_user_mappings
UNION ALL
SELECT 'security_label', objtype || ' ' || objname, '{}', true FROM pg_catalog.pg_seclabels
WHERE objtype NOT IN ('database', 'role', 'tablespace')";

/// Reads those of the session's database, and how many there are.
pub(super) async fn read_specials(session: &Session) -> Result<(u64, Vec<Special>), PostgresError> {
    let query = format!(
        "SELECT kind, name, roles, superuser, pg_catalog.count(*) OVER () FROM ({QUERY}) AS found(kind, name, roles, superuser)
         ORDER BY kind, name LIMIT {MOST}"
    );
    let failed = || session.failed("list publications, policies and the like");
    let rows = session.query(&query, &[]).await.map_err(failed())?;
    let count = rows.first().map_or(0, |row| row.get::<_, i64>(4).unsigned_abs());
    let mut specials: Vec<Special> = rows
        .iter()
        .filter_map(|row| {
            let kind = serde_json::from_value(serde_json::Value::from(row.get::<_, &str>(0))).ok()?;
            Some(Special { kind, name: row.get(1), roles: row.get(2), superuser: row.get(3) })
        })
        .collect();
    for schema in publications_of_schemas(session).await? {
        for one in &mut specials {
            one.superuser |= one.kind == SpecialKind::Publication && one.name == schema;
        }
    }
    Ok((count, specials))
}

/// Reads the publications of whole schemas, which exist since PostgreSQL 15.
async fn publications_of_schemas(session: &Session) -> Result<Vec<String>, PostgresError> {
    let failed = || session.failed("list publications of schemas");
    let there = "SELECT pg_catalog.to_regclass('pg_catalog.pg_publication_namespace') IS NOT NULL";
    if !session.query_one(there, &[]).await.map_err(failed())?.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let query = "SELECT DISTINCT p.pubname::pg_catalog.text FROM pg_catalog.pg_publication p
        JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = p.oid";
    let rows = session.query(query, &[]).await.map_err(failed())?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_statement_names_its_roles() {
        let roles = |text| roles_of_policy(text).join("|");
        assert_eq!(
            roles(r#"CREATE POLICY p ON public.t FOR SELECT TO a, "b ""c", d$1 USING ((x TO y));"#),
            r#"a|b "c|d$1"#
        );
        assert_eq!(roles("CREATE POLICY p ON public.t USING ((a = ' TO b'));"), "");
        assert_eq!(roles(r#"CREATE POLICY "p TO q" ON public.t TO r;"#), "r");
        assert_eq!(roles("CREATE POLICY p ON public.t TO CURRENT_USER;"), "");
        assert_eq!(roles("CREATE POLICY p ON public.t TO \"a"), "");
        assert_eq!(role_of_mapping("USER MAPPING odoo SERVER elsewhere").as_deref(), Some("odoo"));
        assert_eq!(role_of_mapping("USER MAPPING public SERVER elsewhere"), None);
    }

    #[test]
    fn publication_of_schema_needs_superuser() {
        let entry = |id, kind: &str, depends: &[i64]| ArchiveEntry {
            id,
            kind: kind.into(),
            depends: depends.into(),
            ..ArchiveEntry::default()
        };
        let entries = [
            entry(1, "PUBLICATION", &[]),
            entry(2, "PUBLICATION", &[]),
            entry(3, "PUBLICATION TABLES IN SCHEMA", &[2]),
        ];
        let superuser = entries.each_ref().map(|one| Special::of_entry(one, &entries).map(|special| special.superuser));
        assert_eq!(superuser, [Some(false), Some(true), None]);
    }
}
