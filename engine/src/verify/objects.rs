//! The objects of a copy: whether they are all there, and whether they are valid.

use super::{Check, Notes, Subject, is_own};
use crate::postgres::{ArchiveObjects, ObjectKind, PostgresError, Qualified, Session};

/// Holds the number of objects of each kind against what the dump makes.
pub(super) async fn check_number(session: &Session, dump: &ArchiveObjects) -> Result<Check, PostgresError> {
    let (mut findings, mut total, mut parts) = (Notes::default(), 0, Vec::new());
    for kind in ObjectKind::ALL {
        let row = session.query_one(&number_of(kind), &[]).await;
        let found = row.map_err(session.failed(format!("count the {}", kind.name())))?.get::<_, i64>(0).unsigned_abs();
        let expected = dump.kinds.get(&kind).copied().unwrap_or(0);
        if found != expected {
            findings.add(format!("there are {found} {}, and the dump makes {expected}", kind.name()));
        }
        if found > 0 {
            parts.push(format!("{found} {}", kind.name()));
        }
        total += found;
    }
    let summary = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    Ok(Check::of(Subject::Objects, total, summary, findings, Notes::default()))
}

fn number_of(kind: ObjectKind) -> String {
    let relations = |kinds: &str| {
        let own = is_own("pg_class", "c.oid", "nspname");
        format!(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ({kinds}) AND {own}"
        )
    };
    // What belongs to a table of an extension is the extension's as well.
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
            // Servers before 13 do not say which ones a partition got from its whole.
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
        // What every database has from its beginning has a number below this one.
        ObjectKind::Extensions => "SELECT count(*) FROM pg_extension WHERE oid >= 16384".to_owned(),
    }
}

/// Looks for constraints that are not validated and were so at the source.
pub(super) async fn check_constraints(session: &Session, dump: &ArchiveObjects) -> Result<Check, PostgresError> {
    let query = "SELECT n.nspname::text, coalesce(c.relname, t.typname)::text || ' ' || conname, convalidated
         FROM pg_constraint x JOIN pg_namespace n ON n.oid = connamespace
         LEFT JOIN pg_class c ON c.oid = conrelid LEFT JOIN pg_type t ON t.oid = contypid
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
               AND (convalidated OR coalesce(to_jsonb(x)->>'conenforced', 'true') = 'true')
         ORDER BY 1, 2";
    let rows = session.query(query, &[]).await.map_err(session.failed("look at the constraints"))?;
    let (mut findings, mut known) = (Notes::default(), Notes::default());
    for row in rows.iter().filter(|row| !row.get::<_, bool>(2)) {
        let name: Qualified = (row.get(0), row.get(1));
        let notes = if dump.not_valid.contains(&name) { &mut known } else { &mut findings };
        notes.add(format!("{}.{} is not validated", name.0, name.1));
    }
    let summary = format!("{} constraints, validated", rows.len() as u64 - known.count);
    Ok(Check::of(Subject::Constraints, rows.len() as u64, summary, findings, known))
}

/// Looks for indexes that are not valid. None was at the source, because pg_dump leaves out those that are not; but a partitioned
/// index is not valid for as long as a partition lacks its own.
pub(super) async fn check_indexes(session: &Session) -> Result<Check, PostgresError> {
    let query = "SELECT nspname::text, relname::text, (indisvalid AND indisready) OR relkind = 'I'
         FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1, 2";
    let rows = session.query(query, &[]).await.map_err(session.failed("look at the indexes"))?;
    let mut findings = Notes::default();
    for row in rows.iter().filter(|row| !row.get::<_, bool>(2)) {
        findings.add(format!("{}.{} is not valid", row.get::<_, &str>(0), row.get::<_, &str>(1)));
    }
    let summary = format!("{} indexes, valid", rows.len());
    Ok(Check::of(Subject::Indexes, rows.len() as u64, summary, findings, Notes::default()))
}
