//! Finds Odoo's tables in a database, and decides whether they may be read.
//!
//! The backup does not trust a database's owner: a view with an ordinary table's name could call a
//! function of the owner, with the privileges of the role that reads it. So tables are found in the
//! catalogs first, by numbers and not by names that a `search_path` resolves, and are read only if
//! the server runs no code of the owner for it.

mod path;

use crate::postgres::{PostgresError, Session, quote};

/// The schema with Odoo's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    name: String,
}

/// A table that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name in SQL, with its schema, quoted.
    pub sql: String,
    /// Its columns whose types are the server's own: only these may be read.
    pub columns: Vec<String>,
}

impl Table {
    /// Returns whether it has this column, and the column may be read.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own == column)
    }
}

/// The result of looking for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundTable {
    /// It may be read.
    Table(Table),
    /// There is none.
    Nothing,
    /// There is one, and it is not read, for this reason.
    Refused(String),
}

impl FoundTable {
    /// Returns the table, if it may be read.
    pub fn table(self) -> Option<Table> {
        match self {
            Self::Table(table) => Some(table),
            Self::Nothing | Self::Refused(_) => None,
        }
    }
}

impl Schema {
    /// Finds the schema with `ir_module_module`, in the session's database. If several have it,
    /// returns the one that the settings of the tables' owner and of the database lead to, as they
    /// lead Odoo. `None` where there is none, or the choice is ambiguous.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub async fn find(session: &Session) -> Result<Option<Self>, PostgresError> {
        Ok(path::choose(&path::candidates(session).await?).ok().map(|name| Self { name }))
    }

    /// Returns why [`Self::find`] finds none, or why the program does not consider the database
    /// Odoo's; `None` where it does.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub async fn reason_not_odoo(session: &Session) -> Result<Option<String>, PostgresError> {
        let schema = match path::choose(&path::candidates(session).await?) {
            Ok(name) => Self { name },
            Err(reason) => return Ok(Some(reason)),
        };
        let mut missing = Vec::new();
        for name in ["ir_module_module", "ir_attachment"] {
            match schema.look(session, name).await? {
                FoundTable::Table(_) => {}
                FoundTable::Nothing => missing.push(name),
                FoundTable::Refused(reason) => return Ok(Some(reason)),
            }
        }
        Ok((!missing.is_empty()).then(|| format!("it has no {}", missing.join(" and "))))
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a table's name in SQL, with the schema, quoted: it means this table, whatever a
    /// `search_path` says.
    pub fn table(&self, name: &str) -> String {
        format!("{}.{}", quote(&self.name), quote(name))
    }

    /// Looks for a table that may be read: an ordinary or partitioned one, without a function or
    /// operator of another role that planning or running a query over it could call.
    ///
    /// # Errors
    /// [`PostgresError::Query`]
    pub async fn look(&self, session: &Session, name: &str) -> Result<FoundTable, PostgresError> {
        let query = "SELECT c.oid, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";
        let failed = || session.failed(format!("look at the table {name}"));
        let Some(row) = session.query_opt(query, &[&self.name, &name]).await.map_err(failed())? else {
            return Ok(FoundTable::Nothing);
        };
        let (oid, kind): (u32, String) = (row.get(0), row.get(1));
        let is = match kind.as_str() {
            "v" => Some("a view"),
            "m" => Some("a materialized view"),
            "f" => Some("a foreign table"),
            _ => None,
        };
        if let Some(is) = is {
            return Ok(FoundTable::Refused(format!("{}.{name} is {is}, and is not read", self.name)));
        }
        let query = format!("SELECT reason FROM ({}) AS found ORDER BY reason LIMIT 1", unsafe_tables("c.oid = $1"));
        if let Some(row) = session.query_opt(&query, &[&oid]).await.map_err(failed())? {
            let reason: String = row.get(0);
            return Ok(FoundTable::Refused(format!("{}.{name} is not read: {reason}", self.name)));
        }
        // By number, because all lower ones are the server's own: a type with such a name could be
        // from anywhere.
        let query = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
             AND atttypid::bigint < {FIRST_OF_USERS} ORDER BY attnum"
        );
        let rows = session.query(&query, &[&oid]).await.map_err(failed())?;
        let columns = rows.iter().map(|row| row.get(0)).collect();
        Ok(FoundTable::Table(Table { sql: self.table(name), columns }))
    }
}

/// Returns a query for tables (`root`) that must not be read, and why (`reason`), of those in
/// `pg_class c` for which `roots` is true.
///
/// A view is not the only thing that runs code. When the planner loads what belongs to a table, it
/// evaluates immutable functions of constants: expressions and predicates of its indexes, check
/// constraints, statistics, partition keys, generated columns; and a table has children. Each such
/// function is named in `pg_depend`. Those of a superuser (including an extension's) and the
/// session's own are as trusted as the server and the session.
pub(super) fn unsafe_tables(roots: &str) -> String {
    format!(
        "WITH RECURSIVE family (root, oid) AS (
            SELECT c.oid, c.oid FROM pg_class c WHERE c.relkind IN ('r', 'p') AND {roots}
            UNION SELECT family.root, i.inhrelid FROM family JOIN pg_inherits i ON i.inhparent = family.oid),
        trusted AS (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = current_user),
        foreign_code (classid, objid, what) AS (
            SELECT 'pg_proc'::regclass::oid, oid, 'function ' || proname::text FROM pg_proc
            WHERE oid::bigint >= {FIRST_OF_USERS} AND proowner NOT IN (SELECT oid FROM trusted)
            UNION ALL SELECT 'pg_operator'::regclass::oid, oid, 'operator ' || oprname::text FROM pg_operator
            WHERE oid::bigint >= {FIRST_OF_USERS} AND oprowner NOT IN (SELECT oid FROM trusted)),
        callers AS (
            SELECT d.classid, d.objid, f.what FROM pg_depend d
            JOIN foreign_code f ON f.classid = d.refclassid AND f.objid = d.refobjid),
        parts (root, classid, objid) AS (
            SELECT root, 'pg_class'::regclass::oid, oid FROM family
            UNION ALL SELECT root, 'pg_class'::regclass::oid, i.indexrelid FROM family JOIN pg_index i ON i.indrelid = oid
            UNION ALL SELECT root, 'pg_constraint'::regclass::oid, c.oid FROM family f JOIN pg_constraint c ON c.conrelid = f.oid
            UNION ALL SELECT root, 'pg_attrdef'::regclass::oid, a.oid FROM family f JOIN pg_attrdef a ON a.adrelid = f.oid
            UNION ALL SELECT root, 'pg_statistic_ext'::regclass::oid, s.oid
            FROM family f JOIN pg_statistic_ext s ON s.stxrelid = f.oid)
        SELECT root, 'it depends on the ' || what || ', which belongs to a role that is no superuser' AS reason
        FROM parts JOIN callers ON callers.classid = parts.classid AND callers.objid = parts.objid
        UNION ALL SELECT root, 'its part ' || c.relname::text || ' is no ordinary table' FROM family f
        JOIN pg_class c ON c.oid = f.oid WHERE c.relkind NOT IN ('r', 'p')"
    )
}

/// Lower numbers are the server's own objects.
const FIRST_OF_USERS: u32 = 16_384;

#[cfg(test)]
mod tests;
