//! The objects of a copy: whether all exist, and whether they are valid.

use super::is_own;
use crate::manifest::{Check, Notes, Subject};
use crate::postgres::{ArchiveObjects, LeftOut, ObjectKind, PostgresError, Qualified, Session};
use crate::text::counted;

/// Compares the number of objects of each kind with those that the dump creates, without those that
/// the restore left out, which are known.
pub(super) async fn check_number(
    session: &Session,
    dump: &ArchiveObjects,
    left_out: &[LeftOut],
) -> Result<Check, PostgresError> {
    let (mut findings, mut total, mut parts) = (Notes::default(), 0, Vec::new());
    for kind in ObjectKind::ALL {
        let row = session.query_one(&number_of(kind), &[]).await;
        let found = row
            .map_err(session.failed(format!("count objects of the kind {}", kind.noun())))?
            .get::<_, i64>(0)
            .unsigned_abs();
        let expected = dump.kinds.get(&kind).copied().unwrap_or(0);
        if found != expected {
            findings.add(format!("the copy has {}, and the dump creates {expected}", counted(found, kind.noun())));
        }
        if found > 0 {
            parts.push(counted(found, kind.noun()));
        }
        total += found;
    }
    let summary = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    let mut known = Notes::default();
    for one in left_out {
        known.add(one.to_string());
    }
    Ok(Check::of(Subject::Objects, total, summary, findings, known))
}

fn number_of(kind: ObjectKind) -> String {
    let relations = |kinds: &str| {
        let own = is_own("pg_class", "c.oid", "nspname");
        format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ({kinds}) AND {own}"
        )
    };
    // What belongs to a table of an extension belongs to the extension.
    let of_tables = |from: &str, table: &str, and: &str| {
        let own = is_own("pg_class", "c.oid", "nspname");
        format!(
            "SELECT count(*) FROM {from} JOIN pg_class c ON c.oid = {table} JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE {and} AND {own}"
        )
    };
    match kind {
        ObjectKind::Tables => relations("'r', 'p'"),
        ObjectKind::Views => relations("'v'"),
        ObjectKind::MaterializedViews => relations("'m'"),
        ObjectKind::Sequences => relations("'S'"),
        ObjectKind::Indexes => of_tables(
            "pg_index i",
            "i.indrelid",
            "NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u', 'x'))",
        ),
        ObjectKind::Keys => of_tables("pg_constraint x", "x.conrelid", "contype IN ('p', 'u', 'x')"),
        // Those of partitions come with that of the partitioned table.
        ObjectKind::ForeignKeys => of_tables("pg_constraint x", "x.conrelid", "contype = 'f' AND conparentid = 0"),
        ObjectKind::Triggers => of_tables(
            "pg_trigger t",
            "t.tgrelid",
            // Servers before 13 do not say which ones a partition got from its parent.
            "NOT tgisinternal AND coalesce(to_jsonb(t)->>'tgparentid', '0') = '0'",
        ),
        ObjectKind::Functions => {
            let own = is_own("pg_proc", "p.oid", "nspname");
            // The constructors of a range type come with it.
            format!(
                "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE {own} AND NOT EXISTS (
                     SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'i')"
            )
        }
        // Every object of a new database has a lower number.
        ObjectKind::Extensions => "SELECT count(*) FROM pg_extension WHERE oid >= 16384".to_owned(),
    }
}

/// Looks for constraints that are not validated but were at the source. The dump marks only the one
/// that it creates: children inherit it, and are not mentioned.
pub(super) async fn check_constraints(session: &Session, dump: &ArchiveObjects) -> Result<Check, PostgresError> {
    let number = "SELECT count(*) FROM pg_constraint x JOIN pg_namespace n ON n.oid = connamespace
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
               AND (convalidated OR coalesce(to_jsonb(x)->>'conenforced', 'true') = 'true')";
    let number = session.query_one(number, &[]).await.map_err(session.failed("count the constraints"))?;
    let number = number.get::<_, i64>(0).unsigned_abs();
    // A constraint and all that it was inherited from. A child's NOT NULL may have a name of its
    // own.
    let lines = "WITH RECURSIVE line(oid, above) AS (
             SELECT oid, oid FROM pg_constraint x
             WHERE NOT convalidated AND coalesce(to_jsonb(x)->>'conenforced', 'true') = 'true'
             UNION
             SELECT line.oid, p.oid FROM line JOIN pg_constraint x ON x.oid = above AND coninhcount > 0
             JOIN pg_inherits ON inhrelid = x.conrelid JOIN pg_constraint p ON p.conrelid = inhparent
                  AND p.contype = x.contype AND (p.oid = x.conparentid OR p.conname = x.conname OR x.contype = 'n' AND
                      (SELECT attname FROM pg_attribute WHERE attrelid = p.conrelid AND attnum = p.conkey[1]) =
                      (SELECT attname FROM pg_attribute WHERE attrelid = x.conrelid AND attnum = x.conkey[1])))
         SELECT line.oid, n.nspname::text, coalesce(c.relname, t.typname)::text || ' ' || conname
         FROM line JOIN pg_constraint x ON x.oid = line.above JOIN pg_namespace n ON n.oid = connamespace
         LEFT JOIN pg_class c ON c.oid = conrelid LEFT JOIN pg_type t ON t.oid = contypid
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY line.oid, x.oid <> line.oid, 2, 3";
    let rows = session.query(lines, &[]).await.map_err(session.failed("look at the constraints"))?;
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    for line in rows.chunk_by(|a, b| a.get::<_, u32>(0) == b.get::<_, u32>(0)) {
        let names: Vec<Qualified> = line.iter().map(|row| (row.get(1), row.get(2))).collect();
        let Some((schema, name)) = names.first() else { continue };
        let notes = if names.iter().any(|name| dump.not_valid.contains(name)) { &mut known } else { &mut findings };
        notes.add(format!("{schema}.{name} is not validated"));
    }
    let summary = format!("{}, validated", counted(number.saturating_sub(known.count), "constraint"));
    Ok(Check::of(Subject::Constraints, number, summary, findings, known))
}

/// Looks for invalid indexes. None was invalid at the source, because pg_dump leaves those out; but
/// a partitioned index is invalid while a partition lacks its own.
pub(super) async fn check_indexes(session: &Session) -> Result<Check, PostgresError> {
    let query = "SELECT nspname::text, relname::text, (indisvalid AND indisready) OR relkind = 'I'
         FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1, 2";
    let rows = session.query(query, &[]).await.map_err(session.failed("look at the indexes"))?;
    let mut findings = Notes::default();
    for row in rows.iter().filter(|row| !row.get::<_, bool>(2)) {
        findings.add(format!("{}.{} is not valid", row.get::<_, &str>(0), row.get::<_, &str>(1)));
    }
    let number = rows.len() as u64;
    let summary = format!("{}, valid", counted(number, "index"));
    Ok(Check::of(Subject::Indexes, number, summary, findings, Notes::default()))
}
