//! Why a copy could not be neutralized.

use std::io;
use std::path::PathBuf;

use super::Assertion;
use crate::postgres::PostgresError;

/// A failed neutralization. The copy then never gets the target's name.
#[derive(Debug, thiserror::Error)]
pub enum NeutralizeError {
    /// A statement of the program itself, or the connection.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// SQL of Odoo's modules or of the operator.
    #[error("unable to run {script}")]
    Script {
        /// Its origin: a file, `the first statement of ` + "`sql`".
        script: String,
        /// Why.
        #[source]
        source: PostgresError,
    },
    /// SQL that ended the transaction.
    #[error("{script} ends the transaction: it must not contain COMMIT, ROLLBACK or BEGIN")]
    OwnTransaction {
        /// Its origin.
        script: String,
    },
    /// A file or a folder in the configuration.
    #[error("unable to read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Odoo's program could not be started.
    #[error("unable to run {}", program.display())]
    Run {
        /// Its path.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Odoo's program ran and failed, or printed something other than its neutralization.
    #[error("{} {what}: {said}", program.display())]
    OdooFailed {
        /// Its path.
        program: PathBuf,
        /// `failed (exit status: 1)`
        what: String,
        /// The end of what it wrote to stderr.
        said: String,
    },
    /// `keep_credentials` names a column that is not blanked, or does not exist.
    #[error("`keep_credentials` names {name}, which is not a column that would be blanked")]
    NothingToKeep {
        /// As the configuration has it.
        name: String,
    },
    /// There is no administrator whose password could be set.
    #[error(
        "unable to set the administrator's password: there is no user `base.user_admin`, and none with the login `admin`"
    )]
    NoAdministrator,
    /// There was no random number.
    #[error("unable to make a random number: {0}")]
    Random(getrandom::Error),
    /// The target requires neutralization, and the database has none of Odoo's tables.
    #[error("the copy is not neutralized: its database has none of Odoo's tables")]
    NotOdoo,
    /// The most important properties cannot be checked.
    #[error("unable to tell whether the copy is neutralized: {0}")]
    CouldNotTell(String),
    /// An assertion is violated.
    #[error("the copy would not be neutralized: {}", described(.0))]
    NotNeutral(Vec<Assertion>),
}

fn described(failed: &[Assertion]) -> String {
    let one = |assertion: &Assertion| {
        let more = assertion.found.saturating_sub(assertion.examples.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}: {}{more}", assertion.asserted, assertion.examples.join(", "))
    };
    failed.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl NeutralizeError {
    /// Returns how the operator can fix it, if known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Postgres(error) => return error.hint(),
            Self::Script { .. } => {
                "check `addons_path` or `odoo_bin`, which must be of the copy's series, or your own SQL in `sql`".into()
            }
            Self::OwnTransaction { .. } => "remove those statements: the neutralization takes effect as a whole or not at all".into(),
            Self::Read { .. } => "check `sql` and `addons_path` in the target's section".into(),
            Self::Run { .. } | Self::OdooFailed { .. } => {
                "`odoo_bin` must be Odoo of the copy's series (16.0 or later) and run for this user; without it the SQL of the modules under `addons_path` is run".into()
            }
            Self::NothingToKeep { .. } => "see docs/neutralization.md for these columns".into(),
            Self::NoAdministrator => "leave `admin_password` out, and set a user's password by `sql`".into(),
            Self::Random(_) => return None,
            Self::NotOdoo => "set `neutralize = false` in the target's section to restore another program's database as it is".into(),
            Self::CouldNotTell(_) => {
                "set `neutralize = false` in the target's section to restore the copy as it is, as live as its original; only Odoo's ordinary tables can be neutralized".into()
            }
            Self::NotNeutral(_) => {
                "fix it by `sql` in the target's section, which runs before the assertions (a trigger or a rule of the database may change it back); name what is not a credential in `keep_credentials`".into()
            }
        })
    }
}
