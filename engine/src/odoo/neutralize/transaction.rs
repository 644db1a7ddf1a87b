//! The one transaction of the neutralization, and SQL in it from outside the program.

use tokio_postgres::error::SqlState;

use super::Sql;
use super::error::NeutralizeError;
use super::statements::STATEMENTS;
use crate::odoo::Schema;
use crate::postgres::{self, PostgresError, ScriptStatement, Session, quote};

/// Rolled back with the session unless it is committed.
pub(super) struct Transaction<'a> {
    session: &'a Session,
    id: i64,
    /// The search path of names without a schema, as for Odoo's own connections.
    path: String,
}

impl<'a> Transaction<'a> {
    pub(super) async fn begin(session: &'a Session, schema: &Schema) -> Result<Self, PostgresError> {
        let failed = || session.failed("begin the neutralization");
        let path = format!("SET search_path = {}, public", quote(schema.name()));
        session.batch_execute(&format!("BEGIN; {path}")).await.map_err(failed())?;
        let id = session.query_one("SELECT pg_catalog.txid_current()", &[]).await.map_err(failed())?.get(0);
        Ok(Self { session, id, path })
    }

    /// Runs the operator's SQL.
    pub(super) async fn run(&self, sql: &Sql) -> Result<(), NeutralizeError> {
        self.session.batch_execute(&sql.text).await.map_err(|source| self.failed(sql)(source))?;
        self.check(sql).await
    }

    /// Runs SQL of modules, statement by statement. A partly removed module still contains
    /// statements for tables and columns that are gone, which need nothing. For the tables of the
    /// program's own statements, these and the assertions decide whether they are neutral. Any
    /// other failure is an error. Returns what was skipped, in words.
    pub(super) async fn run_modules(&self, sql: &Sql) -> Result<Vec<String>, NeutralizeError> {
        let Some(statements) = postgres::script_statements(&sql.text) else {
            return self.run(sql).await.map(|()| Vec::new());
        };
        let mut passed_over = Vec::new();
        for statement in statements {
            self.session.batch_execute("SAVEPOINT module").await.map_err(|source| self.failed(sql)(source))?;
            let error = match self.session.batch_execute(&statement.text).await {
                Ok(()) => {
                    match self.session.batch_execute("RELEASE module").await {
                        // The statement has ended the transaction, and the savepoint with it.
                        Err(_) => return Err(NeutralizeError::OwnTransaction { script: sql.origin.clone() }),
                        Ok(()) => continue,
                    }
                }
                Err(error) => error,
            };
            if !may_be_passed_over(&statement, &error) {
                return Err(self.failed(sql)(error));
            }
            let back = self.session.batch_execute("ROLLBACK TO module; RELEASE module").await;
            back.map_err(|source| self.failed(sql)(source))?;
            let why = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
            passed_over.push(format!("skipped a statement of {}: {why}", sql.origin));
        }
        self.check(sql).await?;
        Ok(passed_over)
    }

    fn failed(&self, sql: &Sql) -> impl FnOnce(tokio_postgres::Error) -> NeutralizeError {
        let (script, name) = (sql.origin.clone(), sql.name.clone());
        let failed = self.session.failed(format!("neutralize by {name}"));
        move |source| NeutralizeError::Script { script, source: failed(source) }
    }

    /// Checks that foreign SQL has not ended the transaction, which would put half of the changes
    /// into effect.
    async fn check(&self, sql: &Sql) -> Result<(), NeutralizeError> {
        // Names in the following statements keep their meaning, whatever the SQL set.
        self.session.batch_execute(&self.path).await.map_err(|source| self.failed(sql)(source))?;
        let id = self.session.query_one("SELECT pg_catalog.txid_current()", &[]).await;
        let id: i64 = id.map_err(|source| self.failed(sql)(source))?.get(0);
        if id == self.id { Ok(()) } else { Err(NeutralizeError::OwnTransaction { script: sql.origin.clone() }) }
    }

    /// Removes every schema but the server's own from the path: assertions use the server's own
    /// operators, and not some of the database's that may answer otherwise. Nothing is changed from
    /// then on, so that no trigger needs the path.
    pub(super) async fn distrust(&self) -> Result<(), PostgresError> {
        let set = self.session.batch_execute("SET search_path = pg_catalog").await;
        set.map_err(self.session.failed("prepare the assertions"))
    }

    /// Runs the triggers that the database defers to the end of a transaction, while their effect
    /// can still be seen.
    pub(super) async fn fire_deferred(&self) -> Result<(), PostgresError> {
        let fired = self.session.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await;
        fired.map_err(self.session.failed("run the deferred triggers of the database"))
    }

    pub(super) async fn roll_back(self) -> Result<(), PostgresError> {
        self.session.batch_execute("ROLLBACK").await.map_err(self.session.failed("end the transaction"))
    }

    pub(super) async fn commit(self) -> Result<(), PostgresError> {
        self.session.batch_execute("COMMIT").await.map_err(self.session.failed("commit the neutralization"))
    }
}

/// Returns whether the failed statement names only what does not exist, and assertions cover the
/// rest.
fn may_be_passed_over(statement: &ScriptStatement, error: &tokio_postgres::Error) -> bool {
    let covered = || statement.table().is_some_and(|table| STATEMENTS.iter().any(|one| one.table == table));
    match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => true,
        Some(&SqlState::UNDEFINED_COLUMN) => covered(),
        _ => false,
    }
}
