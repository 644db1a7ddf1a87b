//! The sessions that make fakes, and their key.

use std::fmt::Write;

use bytes::Bytes;
use futures::SinkExt;
use sha2::{Digest, Sha256};

use super::error::AnonymizeError;
use super::kinds::FUNCTIONS;
use crate::postgres::{PostgresError, Session, Tuning};
use crate::secret::Secret;

/// The key of all fakes of a copy. Its owner can test whether a fake is that of a given name, so it
/// is stored nowhere.
pub(super) struct Key(Secret);

impl Key {
    /// Returns the key of the seed; without one, a random key.
    pub(super) fn of(seed: Option<&Secret>) -> Result<Self, AnonymizeError> {
        let mut bytes = [0; 32];
        match seed {
            Some(seed) => bytes.copy_from_slice(&Sha256::digest(seed.expose().as_bytes())),
            None => getrandom::fill(&mut bytes).map_err(AnonymizeError::Random)?,
        }
        let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        });
        Ok(Self(Secret::new(digits)))
    }
}

/// Everything else has full names: no operator or function of the database can replace one of the
/// server.
const SEARCH_PATH: &str = "SET search_path = pg_catalog";

/// Gives the functions and the key to a session, and to no other.
pub(super) async fn prepare(session: &Session, key: &Key, tuning: &Tuning) -> Result<(), PostgresError> {
    let failed = || session.failed("prepare the anonymization");
    session.batch_execute(&format!("{}; {SEARCH_PATH}", tuning.statements())).await.map_err(failed())?;
    session
        .batch_execute("SET jit = off; SET row_security = off; CREATE TEMPORARY TABLE odoo_backup_key (key text)")
        .await
        .map_err(failed())?;
    // A server may log statements and their parameters. It never logs copied data.
    let sink = session.copy_in::<_, Bytes>("COPY pg_temp.odoo_backup_key FROM STDIN").await.map_err(failed())?;
    futures::pin_mut!(sink);
    sink.send(Bytes::from(format!("{}\n", key.0.expose()))).await.map_err(failed())?;
    sink.finish().await.map_err(failed())?;
    let take = "SELECT length(set_config('odoo_backup.key', key, false)) FROM pg_temp.odoo_backup_key;
         DROP TABLE pg_temp.odoo_backup_key";
    session.batch_execute(take).await.map_err(failed())?;
    session.batch_execute(FUNCTIONS).await.map_err(failed())
}
