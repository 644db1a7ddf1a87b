//! Reads the functions of a database's extensions from its catalogue.

use serde::{Deserialize, Serialize};

use super::Member;
use crate::postgres::{PostgresError, Session};

/// The functions of a database's extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The functions: first those that were altered, or are used by indexes.
    pub functions: Vec<Member>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// The version of each function's extension.
    #[serde(skip)]
    pub(super) versions: Vec<Option<String>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// PostgreSQL's own functions that were changed after initdb, and those with these names.
const QUERY: &str = "
WITH member AS (
    SELECT p.oid, e.extname, e.extversion, e.extowner,
           d.xmin::pg_catalog.text <> p.xmin::pg_catalog.text
               OR p.cmin::pg_catalog.text::pg_catalog.int8 > d.cmin::pg_catalog.text::pg_catalog.int8 AS altered
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    JOIN pg_catalog.pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e'
      AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    UNION ALL
    SELECT p.oid, NULL, NULL, NULL, true FROM pg_catalog.pg_proc p
    WHERE p.oid < 16384 AND p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
      AND (p.proname::pg_catalog.text = ANY ($1::pg_catalog.text[]) OR pg_catalog.age(p.xmin) < (
          SELECT pg_catalog.min(pg_catalog.age(l.xmin)) FROM pg_catalog.pg_proc l
          WHERE l.oid < 16384 AND l.pronamespace = 'information_schema'::pg_catalog.regnamespace))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                          AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT m.extname::pg_catalog.text, m.extversion,
    pg_catalog.quote_ident(n.nspname::pg_catalog.text) || '.' || pg_catalog.quote_ident(p.proname::pg_catalog.text) || '('
        || coalesce((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(tn.nspname::pg_catalog.text) || '.'
                                || pg_catalog.quote_ident(t.typname::pg_catalog.text), ', ' ORDER BY a.position)
                     FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) WITH ORDINALITY AS a(type, position)
                     JOIN pg_catalog.pg_type t ON t.oid = a.type JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace), '')
        || ')',
    CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END
        || CASE WHEN p.proisstrict THEN ', STRICT' ELSE ', CALLED ON NULL INPUT' END
        || CASE p.proparallel WHEN 's' THEN ', PARALLEL SAFE' WHEN 'r' THEN ', PARALLEL RESTRICTED' ELSE ', PARALLEL UNSAFE' END
        || CASE WHEN p.prosecdef THEN ', SECURITY DEFINER' ELSE ', SECURITY INVOKER' END
        || CASE WHEN p.proleakproof THEN ', LEAKPROOF' ELSE ', NOT LEAKPROOF' END
        || ', COST ' || p.procost::pg_catalog.text
        || CASE WHEN p.proretset THEN ', ROWS ' || p.prorows::pg_catalog.text ELSE '' END,
    coalesce(p.proconfig, '{}'),
    CASE WHEN p.proowner <> 10 AND p.proowner <> m.extowner
         THEN pg_catalog.pg_get_userbyid(p.proowner)::pg_catalog.text END,
    CASE WHEN p.proacl IS NOT NULL AND p.proacl IS DISTINCT FROM
             (SELECT i.initprivs FROM pg_catalog.pg_init_privs i WHERE i.objoid = p.oid AND i.objsubid = 0
                  AND i.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
         THEN ARRAY(SELECT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(x.grantee)::pg_catalog.text END
                    FROM pg_catalog.aclexplode(p.proacl) x WHERE x.privilege_type = 'EXECUTE' AND x.grantee <> p.proowner
                    ORDER BY 1) END,
    m.altered,
    EXISTS (SELECT FROM pg_catalog.pg_depend u
            WHERE u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND u.refobjid = p.oid AND u.deptype IN ('n', 'a')
              AND u.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass,
                                'pg_catalog.pg_attrdef'::pg_catalog.regclass)),
    EXISTS (SELECT FROM pg_catalog.pg_depend u
            LEFT JOIN pg_catalog.pg_class c ON c.oid = u.objid AND u.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            LEFT JOIN pg_catalog.pg_attrdef f ON f.oid = u.objid AND u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            LEFT JOIN pg_catalog.pg_attribute g ON g.attrelid = coalesce(f.adrelid, c.oid)
                AND g.attnum = coalesce(f.adnum::pg_catalog.int4, nullif(u.objsubid, 0))
            WHERE u.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND u.refobjid = p.oid
              AND (c.relkind = 'p' OR g.attgenerated <> ''))
FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.oid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'w') ORDER BY 9 DESC, 8 DESC, 1 NULLS LAST, 3";

/// Reads the functions of a database's extensions, and those of PostgreSQL's own that were altered
/// or have these names; at most so many of them.
///
/// # Errors
/// [`PostgresError::Query`]
pub(crate) async fn read_members(session: &Session, own: &[&str], most: usize) -> Result<Members, PostgresError> {
    let rows = session.query(QUERY, &[&own]).await.map_err(session.failed("look at the functions of extensions"))?;
    let mut members = Members { more: rows.len().saturating_sub(most) as u64, ..Members::default() };
    for row in rows.iter().take(most) {
        members.functions.push(Member {
            extension: row.get(0),
            function: row.get(2),
            attributes: row.get(3),
            settings: row.get(4),
            owner: row.get(5),
            callers: row.get(6),
            altered: row.get(7),
            used: row.get(8),
            needed: row.get(9),
        });
        members.versions.push(row.get(1));
    }
    Ok(members)
}
