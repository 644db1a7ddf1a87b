//! Makes a copy another database than its original: its identity, its address, and the login of its
//! administrator.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use ring::pbkdf2;

use super::error::NeutralizeError;
use crate::odoo::Schema;
use crate::postgres::{Lossy, PostgresError, Session, lossy};
use crate::secret::Secret;

/// Odoo's value before the first login. It takes over the address of the next administrator who
/// signs in.
const NO_ADDRESS: &str = "http://localhost:8069";

/// Rounds of the password's hash: Odoo's own number since 15.0. It accepts any number, from 12.0
/// on.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

/// passlib's `ab64`: the common alphabet with `.` for `+`.
static ADAPTED: LazyLock<GeneralPurpose> = LazyLock::new(|| {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./";
    GeneralPurpose::new(&Alphabet::new(digits).unwrap_or(base64::alphabet::STANDARD), NO_PAD)
});

/// The new parameters.
pub(super) struct CopyIdentity {
    pub(super) uuid: String,
    pub(super) base_url: String,
}

/// Gives the database an identity and an address of its own.
pub(super) async fn renew(
    session: &Session,
    schema: &Schema,
    base_url: Option<&str>,
    typed: bool,
) -> Result<CopyIdentity, NeutralizeError> {
    let table = &schema.table("ir_config_parameter");
    let identity = CopyIdentity { uuid: uuid()?, base_url: base_url.unwrap_or(NO_ADDRESS).to_owned() };
    set(session, table, "database.uuid", &identity.uuid, typed).await?;
    set(session, table, "database.secret", &uuid()?, typed).await?;
    set(session, table, "database.is_neutralized", "true", typed).await?;
    set(session, table, "web.base.url", &identity.base_url, typed).await?;
    match base_url {
        Some(_) => set(session, table, "web.base.url.freeze", "True", typed).await?,
        None => remove(session, table, "web.base.url.freeze").await?,
    }
    // wkhtmltopdf would load style sheets and images from the original.
    remove(session, table, "report.url").await?;
    Ok(identity)
}

/// Sets a parameter. The newest series give it a type.
async fn set(session: &Session, table: &str, key: &str, value: &str, typed: bool) -> Result<(), PostgresError> {
    let failed = || session.failed(format!("set the system parameter {key}"));
    let updated = session.execute(&format!("UPDATE {table} SET value = $2 WHERE key = $1"), &[&key, &value]).await;
    if updated.map_err(failed())? == 0 {
        let insert = match typed {
            true => format!("INSERT INTO {table} (key, value, type) VALUES ($1, $2, 'str')"),
            false => format!("INSERT INTO {table} (key, value) VALUES ($1, $2)"),
        };
        session.execute(&insert, &[&key, &value]).await.map_err(failed())?;
    }
    Ok(())
}

async fn remove(session: &Session, table: &str, key: &str) -> Result<(), PostgresError> {
    let deleted = session.execute(&format!("DELETE FROM {table} WHERE key = $1"), &[&key]).await;
    deleted.map(|_| ()).map_err(session.failed(format!("remove the system parameter {key}")))
}

/// Returns a random UUID (version 4).
fn uuid() -> Result<String, NeutralizeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(NeutralizeError::Random)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Sets the administrator's password. Returns the login. A second factor would ask for the
/// telephone of the original's administrator.
pub(super) async fn reset_administrator(
    session: &Session,
    schema: &Schema,
    password: &Secret,
    second_factor: bool,
) -> Result<String, NeutralizeError> {
    let failed = || session.failed("set the administrator's password");
    let (users, names) = (schema.table("res_users"), schema.table("ir_model_data"));
    let query = format!(
        "SELECT id, {} FROM {users}
         WHERE id IN (SELECT res_id FROM {names} WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users')
            OR login = 'admin'
         ORDER BY login = 'admin', id LIMIT 1",
        lossy("login")
    );
    let found = session.query_opt(&query, &[]).await.map_err(failed())?;
    let Some(found) = found else { return Err(NeutralizeError::NoAdministrator) };
    let (id, Lossy(login)): (i32, Lossy) = (found.get(0), found.get(1));
    let hash = hash(password).map_err(NeutralizeError::Random)?;
    let update = match second_factor {
        true => format!("UPDATE {users} SET password = $2, active = true, totp_secret = NULL WHERE id = $1"),
        false => format!("UPDATE {users} SET password = $2, active = true WHERE id = $1"),
    };
    session.execute(&update, &[&id, &hash]).await.map_err(failed())?;
    Ok(login)
}

/// Hashes a password as Odoo stores it, in passlib's format: `$pbkdf2-sha512$ROUNDS$SALT$HASH`,
/// both in base64 with `.` for `+` and no padding
/// (<https://passlib.readthedocs.io/en/stable/lib/passlib.hash.pbkdf2_digest.html>).
fn hash(password: &Secret) -> Result<String, getrandom::Error> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    Ok(hash_with(password, ROUNDS, &salt))
}

fn hash_with(password: &Secret, rounds: NonZeroU32, salt: &[u8]) -> String {
    let mut hash = [0; 64];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, rounds, salt, password.expose().as_bytes(), &mut hash);
    format!("$pbkdf2-sha512${rounds}${}${}", ADAPTED.encode(salt), ADAPTED.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value is from Python's `hashlib.pbkdf2_hmac`, which passlib uses.
    #[test]
    fn password_is_hashed_as_by_passlib() {
        let rounds = NonZeroU32::new(1000).unwrap();
        let expected = "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0MTIzNA$MEzJvkvXzhH4.BGOMPAB0Uabj5bkfIljtCLpgDP2H.z/9Ksqp332RKvJQW0i2iJzuYktsIaWym.W5jr/yLSRHg";
        assert_eq!(hash_with(&Secret::new("pass word\u{e9}"), rounds, b"saltsaltsalt1234"), expected);
        assert!(hash(&Secret::new("x")).unwrap().starts_with("$pbkdf2-sha512$600000$"));
    }

    #[test]
    fn uuids_are_random_version_4() {
        let (one, other) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
        assert!(one.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    }
}
