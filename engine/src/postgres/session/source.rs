//! The properties of a source that a copy must respect.
//!
//! They are read once, in the backup's snapshot, and recorded in the manifest. Their size is
//! bounded, whatever the database contains.

mod specials;

use serde::{Deserialize, Serialize};

pub(crate) use self::specials::{Special, SpecialKind};
use crate::postgres::{Members, PostgresError, Session, read_members};

/// What a dump does not contain, or not every server and role supports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceFacts {
    /// Functions of its extensions.
    pub members: Members,
    /// Publications, subscriptions, event triggers, policies and other objects that concern more
    /// than the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub specials: Vec<Special>,
    /// How many more of them there are.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_specials: u64,
    /// What only a superuser may create, except in extensions: operator classes, functions in C.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub superuser_only: SomeNames,
    /// Collations of ICU in the database or its columns.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub icu_collations: SomeNames,
    /// Locales of the server's system in its collations and columns.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub locales: SomeNames,
    /// Tablespaces of its tables and indexes, other than its own.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub tablespaces: SomeNames,
    /// Unlogged tables. A dump made on a hot standby has no rows of them.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub unlogged: SomeNames,
    /// Constraints that are not validated, including those that children inherit.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub not_valid: SomeNames,
    /// Tables whose policies also apply to their owner.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub forced_row_security: SomeNames,
    /// Foreign servers.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub foreign_servers: SomeNames,
    /// Schemas other than `public`.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub schemas: SomeNames,
    /// Roles that own something in it. A copy belongs to the role that restored it.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub owners: SomeNames,
    /// Settings of the database itself, and of roles in it. A dump does not contain them.
    #[serde(skip_serializing_if = "SomeNames::is_none")]
    pub settings: SomeNames,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl SourceFacts {
    /// Returns the recorded names of one kind.
    pub fn names_of(&self, kind: SpecialKind) -> SomeNames {
        SomeNames::of(self.specials.iter().filter(|one| one.kind == kind).map(|one| one.name.clone()))
    }

    /// Describes what is special about it: for each kind its name, number and names.
    pub fn described(&self) -> Vec<String> {
        let lists = [
            ("tablespace", &self.tablespaces),
            ("unlogged table", &self.unlogged),
            ("constraint that is not validated", &self.not_valid),
            ("table with forced row security", &self.forced_row_security),
            ("foreign server", &self.foreign_servers),
            ("object that only a superuser may create", &self.superuser_only),
            ("schema other than public", &self.schemas),
            ("setting of the database", &self.settings),
        ];
        let mut found: Vec<String> = Vec::new();
        let kinds = self.specials.chunk_by(|a, b| a.kind == b.kind);
        for kind in kinds {
            let names =
                SomeNames { count: kind.len() as u64, first: kind.iter().map(|one| one.name.clone()).collect() };
            found.extend(kind.first().map(|one| names.described(one.kind.name())));
        }
        let altered = self.members.functions.iter().filter(|one| one.altered && one.used);
        let altered = SomeNames::of(altered.map(|one| one.function.clone()));
        let lists = lists.into_iter().chain([("altered function of an extension", &altered)]);
        found.extend(lists.filter(|(_, names)| !names.is_none()).map(|(what, names)| names.described(what)));
        found
    }
}

/// Some names, of which the first are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SomeNames {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl SomeNames {
    /// Names that are kept of each kind.
    const KEPT: usize = 100;

    fn of(names: impl Iterator<Item = String>) -> Self {
        let first: Vec<_> = names.collect();
        Self { count: first.len() as u64, first }
    }

    /// Returns whether there is none.
    pub fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Describes the names: `2 publications: a, b`.
    fn described(&self, what: &str) -> String {
        let what = match (self.count, what.split_once(' ')) {
            (1, _) => what.to_owned(),
            // Only the first noun has a plural: `tables with …`, `objects that …`.
            (_, Some((noun, rest)))
                if rest.starts_with("with ")
                    || rest.starts_with("that ")
                    || rest.starts_with("of ")
                    || rest.starts_with("but ") =>
            {
                format!("{noun}s {rest}")
            }
            _ if what.ends_with("policy") => "policies".to_owned(),
            _ => format!("{what}s"),
        };
        format!("{} {what}: {self}", self.count)
    }
}

impl std::fmt::Display for SomeNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 5;
        // A name is data: characters that could manipulate a terminal or a log are escaped.
        let shown: Vec<_> = self.first.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
        let more = if self.count > shown.len() as u64 { ", …" } else { "" };
        write!(f, "{}{more}", shown.join(", "))
    }
}

/// Functions of extensions that are recorded.
const MEMBERS: usize = 500;

/// Reads the properties of the session's database, in the session's current transaction.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn source_facts(session: &Session) -> Result<SourceFacts, PostgresError> {
    let (count, specials) = specials::read_specials(session).await?;
    Ok(SourceFacts {
        members: read_members(session, &[], MEMBERS).await?,
        more_specials: count.saturating_sub(specials.len() as u64),
        specials,
        superuser_only: names(session, "objects that only a superuser may create", SUPERUSER_ONLY).await?,
        icu_collations: names(session, "collations of ICU", ICU_COLLATIONS).await?,
        locales: names(session, "locales of collations", LOCALES).await?,
        tablespaces: names(session, "tablespaces", TABLESPACES).await?,
        unlogged: names(session, "unlogged tables", UNLOGGED).await?,
        not_valid: names(session, "constraints that are not validated", NOT_VALID).await?,
        forced_row_security: names(session, "tables with forced row security", FORCED).await?,
        foreign_servers: names(session, "foreign servers", SERVERS).await?,
        schemas: names(session, "schemas", SCHEMAS).await?,
        owners: names(session, "owners", OWNERS).await?,
        settings: names(session, "settings of the database", SETTINGS).await?,
    })
}

const ICU_COLLATIONS: &str = "SELECT n.nspname::pg_catalog.text || '.' || l.collname::pg_catalog.text
    FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
    WHERE l.collprovider = 'i' AND (l.oid >= 16384 AND n.nspname <> 'pg_catalog'
        OR l.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attrelid >= 16384)) ORDER BY 1";

const LOCALES: &str =
    "SELECT DISTINCT v.locale FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
    CROSS JOIN LATERAL (VALUES (l.collcollate::pg_catalog.text), (l.collctype::pg_catalog.text)) AS v(locale)
    WHERE l.collprovider = 'c' AND v.locale NOT IN ('C', 'POSIX') AND (l.oid >= 16384 AND n.nspname <> 'pg_catalog'
        OR l.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attrelid >= 16384)) ORDER BY 1";

const UNLOGGED: &str = "SELECT n.nspname::pg_catalog.text || '.' || c.relname::pg_catalog.text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'p') ORDER BY 1";

const FORCED: &str = "SELECT n.nspname::pg_catalog.text || '.' || c.relname::pg_catalog.text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1";

const NOT_VALID: &str =
    "SELECT n.nspname::pg_catalog.text || '.' || coalesce(c.relname, t.typname)::pg_catalog.text || ' '
        || x.conname::pg_catalog.text
    FROM pg_catalog.pg_constraint x JOIN pg_catalog.pg_namespace n ON n.oid = x.connamespace
    LEFT JOIN pg_catalog.pg_class c ON c.oid = x.conrelid LEFT JOIN pg_catalog.pg_type t ON t.oid = x.contypid
    WHERE NOT x.convalidated ORDER BY 1";

const TABLESPACES: &str = "SELECT s.spcname::pg_catalog.text FROM pg_catalog.pg_tablespace s
    WHERE s.oid IN (SELECT c.reltablespace FROM pg_catalog.pg_class c) AND s.spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1";

const SERVERS: &str = "SELECT s.srvname::pg_catalog.text FROM pg_catalog.pg_foreign_server s ORDER BY 1";

const SCHEMAS: &str = "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public') ORDER BY 1";

const OWNERS: &str = "SELECT DISTINCT pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text
    FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY 1";

/// The names, without the values, which may be secret.
const SETTINGS: &str =
    "SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole)::pg_catalog.text || ': ' END
        || pg_catalog.split_part(c.setting, '=', 1)
    FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c(setting)
    WHERE d.datname = pg_catalog.current_database() ORDER BY 1";

/// What only a superuser may create, except in extensions. The constructors of a range type are in
/// the server's own language, and come with the type.
const SUPERUSER_ONLY: &str = "
    SELECT found.what FROM (
        SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid, 'operator class ' || n.nspname::pg_catalog.text || '.' || o.opcname::pg_catalog.text
        FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, o.oid, 'operator family ' || n.nspname::pg_catalog.text || '.' || o.opfname::pg_catalog.text
        FROM pg_catalog.pg_opfamily o JOIN pg_catalog.pg_namespace n ON n.oid = o.opfnamespace
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'base type ' || n.nspname::pg_catalog.text || '.' || t.typname::pg_catalog.text
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 'function ' || n.nspname::pg_catalog.text || '.' || p.proname::pg_catalog.text
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE p.prokind <> 'a' AND (NOT l.lanpltrusted AND l.lanname <> 'sql' OR p.proleakproof OR EXISTS (
            SELECT FROM pg_catalog.unnest(p.proconfig) AS c(setting) JOIN pg_catalog.pg_settings s
                ON s.name = pg_catalog.split_part(c.setting, '=', 1) WHERE s.context IN ('superuser', 'superuser-backend')))
        UNION ALL
        SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 'language ' || l.lanname::pg_catalog.text FROM pg_catalog.pg_language l
        UNION ALL
        SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid, 'access method ' || a.amname::pg_catalog.text FROM pg_catalog.pg_am a
        UNION ALL
        SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid, 'cast of ' || pg_catalog.format_type(c.castsource, NULL)
        FROM pg_catalog.pg_cast c WHERE c.castmethod = 'b'
        UNION ALL
        SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, t.oid, 'text search parser ' || t.prsname::pg_catalog.text FROM pg_catalog.pg_ts_parser t
        UNION ALL
        SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, t.oid, 'text search template ' || t.tmplname::pg_catalog.text FROM pg_catalog.pg_ts_template t
        UNION ALL
        SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, 'foreign-data wrapper ' || w.fdwname::pg_catalog.text
        FROM pg_catalog.pg_foreign_data_wrapper w
        UNION ALL
        SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 'foreign server ' || s.srvname::pg_catalog.text
        FROM pg_catalog.pg_foreign_server s
    ) AS found(catalog, id, what)
    WHERE found.id >= 16384 AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d WHERE d.classid = found.catalog AND d.objid = found.id AND d.deptype IN ('e', 'i'))
    ORDER BY 1";

/// Lists the names of a query, and counts all of them.
async fn names(session: &Session, what: &str, query: &str) -> Result<SomeNames, PostgresError> {
    let query = format!(
        "SELECT pg_catalog.count(*) OVER (), listed.name FROM ({query}) AS listed(name) LIMIT {}",
        SomeNames::KEPT
    );
    let rows = session.query(&query, &[]).await.map_err(session.failed(format!("list the {what}")))?;
    let count = rows.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
    Ok(SomeNames { count, first: rows.iter().map(|row| row.get(1)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_names_read_as_sentences() {
        let names =
            |count, first: &[&str]| SomeNames { count, first: first.iter().map(|&name| name.to_owned()).collect() };
        assert_eq!(names(1, &["a"]).described("policy"), "1 policy: a");
        assert_eq!(names(2, &["a", "b\n"]).described("policy"), "2 policies: a, b\\n");
        assert_eq!(
            names(200, &["a"]).described("table with forced row security"),
            "200 tables with forced row security: a, …"
        );
        assert_eq!(names(2, &["a", "b"]).described("unlogged table"), "2 unlogged tables: a, b");
    }
}
