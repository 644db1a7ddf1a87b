//! Credentials: every column with a name for credentials, in any table, which also covers unknown
//! modules; and system parameters likewise. Credentials that only open the copy itself (a user's
//! password, a portal's link) stay.
//!
//! The patterns are PostgreSQL's regular expressions. `docs/neutralization.md` lists them; a test
//! compares it with these.

use serde::Serialize;
use utoipa::ToSchema;

use super::error::NeutralizeError;
use crate::odoo::Schema;
use crate::odoo::tables::{Column, columns_of};
use crate::postgres::{Lossy, PostgresError, Session, lossy, quote};

/// Where credentials are: a pattern of tables, and one of their columns.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) tables: &'static str,
    pub(super) columns: &'static str,
}

pub(super) const FAMILIES: &[Family] = &[
    // In any table.
    Family {
        tables: ".",
        columns: "(^|_)(pass|passwd|password|passphrase|secret|api_?key|private_?key|secret_?key|secret_access_key|aws_access_key|consumer_?key|rtoken|refresh_token|bearer_token|auth_token|api_token|oauth_token|server_env_defaults)$|._access_token$",
    },
    // Mail servers.
    Family {
        tables: "^(ir_mail_server|fetchmail_server)$",
        columns: "^(user|smtp_user|smtp_ssl_certificate|(google_gmail|microsoft_outlook)_.*(token|code))$",
    },
    // Calendars, and telephony.
    Family {
        tables: "^(res_users|res_users_settings|(google|microsoft)_.*)$",
        columns: "^((google|microsoft)_.*token|calendar_.*token|onsip_auth_user)$",
    },
    // Payments and deliveries.
    Family {
        tables: "^(payment_provider|payment_acquirer|pos_payment_method|delivery_carrier)$",
        columns: "._(key|key_?id|public_?token|token|signature|login|merchant.*|seller.*|.*account.*|userid|user_?name|pspid|client_?id|webhook.*|certificate|.*identifier)$",
    },
    // Bank synchronization, social media, shops.
    Family {
        tables: "^(account_online_.*|social_account|whatsapp_account|amazon_account|.*_edi_proxy_client_user)$",
        columns: "^(token|access_token|webhook_verify_token|client_id|user_data)$",
    },
    // E-invoicing.
    Family {
        tables: "^(res_company|account_journal|l10n_.*)$",
        columns: "^l10n_.*_(user_?name|login|token|auth_token|pin|cert_key|security_code|client_?id)$",
    },
    // Storages of attachments: with their keys a copy would write to the original's, and delete
    // from it.
    Family { tables: "^(fs_storage|storage_backend)$", columns: "^(options|eval_options_from_env)$" },
];

/// Columns that look like credentials, but only open the copy itself.
pub(super) const STAY: &[&str] = &[
    "auth_totp_wizard.secret",
    "ir_ui_view.visibility_password",
    "res_users.password",
    "res_users.password_crypt",
    "res_users.totp_secret",
    "website_page.visibility_password",
];

/// Keys of `ir_config_parameter` that contain a credential, if the value has at least eight
/// characters and is not a boolean.
pub(super) const PARAMETERS: &str =
    "(secret|token|passw|api_?key|private_?key|access_?key|account_key|account_sid|credential|server_key|client_id$)";

/// Those of them that stay: Odoo's own, and settings of passwords.
pub(super) const PARAMETERS_STAY: &str = "^(database\\.|auth_signup\\.|auth_password_policy|base\\.)";

/// A table with blanked credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Blanked {
    /// The table.
    pub table: String,
    /// Its columns with possible credentials.
    pub columns: Vec<String>,
    /// Number of rows that had any.
    pub rows: u64,
}

/// The columns with possible credentials, by table.
#[derive(Debug)]
pub(super) struct Credentials {
    schema: Schema,
    columns: Vec<Column>,
    kept_parameters: Vec<String>,
}

impl Credentials {
    /// Looks for them in the catalog. Each entry of `keep` must exist: a misspelt one was meant to
    /// protect something.
    pub(super) async fn find(session: &Session, schema: &Schema, keep: &[String]) -> Result<Self, NeutralizeError> {
        let kept_parameters = keep.iter().filter_map(|name| name.strip_prefix("parameter:")).map(Into::into).collect();
        let query = format!(
            "SELECT DISTINCT c.* FROM ({}) c, unnest($1::text[], $2::text[]) AS family (tables, columns)
             WHERE c.relname ~ family.tables AND c.attname ~ family.columns
               AND c.type IN ('varchar', 'text', 'bpchar', 'bytea', 'json', 'jsonb')
             ORDER BY 1, 2",
            columns_of(schema)
        );
        let tables: Vec<_> = FAMILIES.iter().map(|family| family.tables).collect();
        let columns: Vec<_> = FAMILIES.iter().map(|family| family.columns).collect();
        let rows = session.query(&query, &[&tables, &columns]).await;
        let rows = rows.map_err(session.failed("look for columns with credentials"))?;
        let mut columns: Vec<_> = rows.iter().map(Column::of).collect();
        for name in keep.iter().filter(|name| !name.starts_with("parameter:")) {
            if !columns.iter().any(|column| column.full_name() == *name) {
                return Err(NeutralizeError::NothingToKeep { name: name.clone() });
            }
        }
        columns.retain(|column| {
            let name = column.full_name();
            !STAY.contains(&name.as_str()) && !keep.contains(&name)
        });
        Ok(Self { schema: schema.clone(), columns, kept_parameters })
    }

    fn by_table(&self) -> impl Iterator<Item = &[Column]> {
        self.columns.chunk_by(|one, other| one.table == other.table)
    }

    /// Blanks them.
    pub(super) async fn blank(&self, session: &Session) -> Result<Vec<Blanked>, PostgresError> {
        let mut blanked = Vec::new();
        for columns in self.by_table() {
            let table = &columns[0].table;
            let values: Vec<_> =
                columns.iter().map(|column| format!("{} = {}", quote(&column.name), blank_of(column))).collect();
            let any: Vec<_> = columns.iter().map(|column| format!("({})", holds_some(column))).collect();
            let statement =
                format!("UPDATE {} SET {} WHERE {}", self.schema.table(table), values.join(", "), any.join(" OR "));
            let rows = session.execute(&statement, &[]).await;
            let rows = rows.map_err(session.failed(format!("blank the credentials in {table}")))?;
            if rows > 0 {
                let columns = columns.iter().map(|column| column.name.clone()).collect();
                blanked.push(Blanked { table: table.clone(), columns, rows });
            }
        }
        Ok(blanked)
    }

    /// Removes parameters that contain credentials. Returns their keys.
    pub(super) async fn remove_parameters(&self, session: &Session) -> Result<Vec<String>, PostgresError> {
        let statement = format!(
            "DELETE FROM {} WHERE {HOLDS_CREDENTIAL} RETURNING {}",
            self.schema.table("ir_config_parameter"),
            lossy("key")
        );
        let rows = session.query(&statement, &[&PARAMETERS, &PARAMETERS_STAY, &self.kept_parameters]).await;
        let rows = rows.map_err(session.failed("remove system parameters with credentials"))?;
        let mut keys: Vec<String> = rows.iter().map(|row| row.get::<_, Lossy>(0).0).collect();
        keys.sort();
        Ok(keys)
    }

    /// Returns what still contains some: `table.column (3 rows)` and `parameter:key`.
    pub(super) async fn left(&self, session: &Session) -> Result<Vec<String>, PostgresError> {
        let mut left = Vec::new();
        for columns in self.by_table() {
            let table = &columns[0].table;
            let counts: Vec<_> =
                columns.iter().map(|column| format!("count(*) FILTER (WHERE {})", holds_some(column))).collect();
            let query = format!("SELECT {} FROM {}", counts.join(", "), self.schema.table(table));
            let row = session.query_one(&query, &[]).await;
            let row = row.map_err(session.failed(format!("look for credentials in {table}")))?;
            for (index, column) in columns.iter().enumerate() {
                match row.get::<_, i64>(index) {
                    0 => {}
                    1 => left.push(format!("{} (1 row)", column.full_name())),
                    rows => left.push(format!("{} ({rows} rows)", column.full_name())),
                }
            }
        }
        let query = format!(
            "SELECT {} FROM {} WHERE {HOLDS_CREDENTIAL} ORDER BY 1",
            lossy("key"),
            self.schema.table("ir_config_parameter")
        );
        let rows = session.query(&query, &[&PARAMETERS, &PARAMETERS_STAY, &self.kept_parameters]).await;
        let rows = rows.map_err(session.failed("look for system parameters with credentials"))?;
        left.extend(rows.iter().map(|row| format!("parameter:{}", row.get::<_, Lossy>(0).0)));
        Ok(left)
    }
}

const HOLDS_CREDENTIAL: &str = "key::text ~* $1 AND key::text !~ $2 AND NOT key::text = ANY($3::text[])
    AND length(value::text) >= 8 AND value::text !~* '^(true|false|[0-9.]+)$'";

/// Returns an empty value of the column's type. A unique column that may not be NULL gets a value
/// that says what it is.
fn blank_of(column: &Column) -> &'static str {
    match (column.not_null, column.kind.as_str()) {
        (false, _) => "NULL",
        (true, "json" | "jsonb") => "'{}'",
        (true, "bytea") => "''::bytea",
        (true, _) if column.unique => "'neutralized ' || ctid::text",
        (true, _) => "''",
    }
}

fn holds_some(column: &Column) -> String {
    let name = quote(&column.name);
    format!("coalesce({name}::text, '') NOT IN ('', '{{}}', 'null', '\\x') AND {name}::text NOT LIKE 'neutralized (%'")
}
