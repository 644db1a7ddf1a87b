//! The kinds of fakes. `fakes.sql` defines what each looks like; this module defines which columns
//! accept one, and how a fake differs from an original.

use serde::Serialize;
use utoipa::ToSchema;

use super::columns::Column;
use crate::postgres::quote;

/// The functions that make them.
pub(super) const FUNCTIONS: &str = include_str!("fakes.sql");

/// The replacement of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fake {
    /// Of people and companies.
    Name,
    /// One e-mail address, one with a name, or several.
    Email,
    /// A user's login.
    Login,
    /// A telephone number.
    Phone,
    /// A street and a number.
    Street,
    /// A city.
    City,
    /// A postal code.
    Zip,
    /// A bank account, as IBAN or otherwise.
    Account,
    /// A tax number.
    TaxNumber,
    /// A number of a person's papers.
    Identifier,
    /// A website.
    Url,
    /// A computer's address.
    Ip,
    /// The `Message-ID` of a mail, or several.
    MessageId,
    /// A file's name with its original ending.
    FileName,
    /// A line of text.
    Text,
    /// Formatted text.
    Html,
    /// A name, an address or a number, similar to the original.
    Value,
    /// A day between 1950 and 1999.
    Date,
    /// A condition of a filter: `[]`, which matches everything.
    Domain,
    /// Nothing.
    Empty,
}

/// The pattern of a word of a fake: three syllables.
const WORD: &str = "([bdfghklmnprstvwz][aeio]){3}";

impl Fake {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 20] = [
        Self::Name,
        Self::Email,
        Self::Login,
        Self::Phone,
        Self::Street,
        Self::City,
        Self::Zip,
        Self::Account,
        Self::TaxNumber,
        Self::Identifier,
        Self::Url,
        Self::Ip,
        Self::MessageId,
        Self::FileName,
        Self::Text,
        Self::Html,
        Self::Value,
        Self::Date,
        Self::Domain,
        Self::Empty,
    ];

    /// Returns its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Login => "login",
            Self::Phone => "phone",
            Self::Street => "street",
            Self::City => "city",
            Self::Zip => "zip",
            Self::Account => "account",
            Self::TaxNumber => "tax_number",
            Self::Identifier => "identifier",
            Self::Url => "url",
            Self::Ip => "ip",
            Self::MessageId => "message_id",
            Self::FileName => "file_name",
            Self::Text => "text",
            Self::Html => "html",
            Self::Value => "value",
            Self::Date => "date",
            Self::Domain => "domain",
            Self::Empty => "empty",
        }
    }

    /// Returns whether a column can contain it.
    pub(super) fn fits(self, column: &Column) -> bool {
        match self {
            Self::Date => is_date(column),
            Self::Empty => !column.not_null || is_text(column) || is_json(column),
            _ => is_text(column) || is_json(column),
        }
    }

    /// Returns the condition that a row's column contains something to replace.
    pub(super) fn present(self, column: &Column) -> String {
        let name = quote(&column.name);
        match self {
            _ if is_json(column) => format!("coalesce({name}::text, '') NOT IN ('', '{{}}', '[]', '\"\"', 'null')"),
            // NULL is as empty as an empty text.
            _ if is_text(column) => format!("btrim({name}, E' \\t\\r\\n') <> ''"),
            _ => format!("{name} IS NOT NULL"),
        }
    }

    /// Returns the column's new value. `clashing` is a list of values that may not have their
    /// regular fake.
    pub(super) fn expression(self, column: &Column, clashing: Option<&str>) -> String {
        let name = quote(&column.name);
        let kind = &column.kind;
        match self {
            Self::Date => format!("(date '1950-01-01' + pg_temp.fake_days({name}::text))::{kind}"),
            Self::Empty => match (column.not_null, is_json(column)) {
                (false, _) => "NULL".into(),
                (true, true) => "'{}'".into(),
                (true, false) => "''".into(),
            },
            _ if is_json(column) => {
                // Two values that differ in case get the same fake, and the column is unique.
                let exact = |value: &str| if column.unique { format!("md5({value})") } else { value.to_owned() };
                let fake = self.call(&exact("value #>> '{}'"));
                // Translations, or the values of several companies.
                format!(
                    "(CASE jsonb_typeof({name}::jsonb)
                         WHEN 'object' THEN (
                             SELECT jsonb_object_agg(key, CASE jsonb_typeof(value)
                                 WHEN 'string' THEN to_jsonb(CASE WHEN btrim(value #>> '{{}}') = '' THEN '' ELSE {fake} END)
                                 WHEN 'boolean' THEN value ELSE 'null' END)
                             FROM jsonb_each({name}::jsonb))
                         WHEN 'string' THEN to_jsonb({string}) ELSE 'null' END)::{kind}",
                    string = self.call(&exact(&format!("{name}::jsonb #>> '{{}}'"))),
                )
            }
            _ => {
                let value = match clashing {
                    Some(list) => format!(
                        "CASE WHEN {name}::text = ANY ({list}::text[]) THEN md5({name}) || CASE WHEN strpos({name}, '@') > 0 THEN '@x' ELSE '' END ELSE {name} END"
                    ),
                    None => name,
                };
                self.cut(column, self.call(&value))
            }
        }
    }

    /// Returns the query for values of a unique column whose fakes would be equal: all but the
    /// first of them.
    pub(super) fn clashing(self, column: &Column, table: &str, condition: &str) -> Option<String> {
        if !column.unique || !is_text(column) || self == Self::Empty {
            return None;
        }
        let name = quote(&column.name);
        let fake = self.cut(column, self.call("value"));
        Some(format!(
            "(SELECT coalesce(array_agg(value), '{{}}') FROM (
                 SELECT value, row_number() OVER (PARTITION BY {fake} ORDER BY value COLLATE \"C\") AS place
                 FROM (SELECT DISTINCT {name}::text AS value FROM {table} WHERE {condition}) AS values) AS fakes WHERE place > 1)"
        ))
    }

    /// Returns the condition that a column which is [`present`](Self::present) does not contain a
    /// fake; `None` where that is unknown.
    pub(super) fn original(self, column: &Column) -> Option<String> {
        let name = quote(&column.name);
        let Some(shape) = self.shape() else {
            return match self {
                // A column that may not be NULL is not present when it is empty.
                Self::Empty => Some("true".into()),
                _ => None,
            };
        };
        if is_json(column) {
            return Some(format!(
                "EXISTS (SELECT FROM jsonb_each_text(CASE jsonb_typeof({name}::jsonb) WHEN 'object' THEN {name}::jsonb ELSE jsonb_build_object('', {name}::jsonb) END) AS one
                         WHERE btrim(one.value) <> '' AND one.value NOT IN ('true', 'false') AND one.value !~ '{shape}')"
            ));
        }
        // A truncated fake has no shape.
        let whole = column.limit.map(|limit| format!(" AND length({name}) < {limit}")).unwrap_or_default();
        Some(format!("{name} !~ '{shape}'{whole}"))
    }

    /// Returns a regular expression of PostgreSQL that matches every fake, and hardly anything
    /// else.
    fn shape(self) -> Option<String> {
        let one_name = r"[BDFGHKLMNPRSTVWZ][aeio]([bdfghklmnprstvwz][aeio]){2}( [BDFGHKLMNPRSTVWZ][aeio]([bdfghklmnprstvwz][aeio]){2}){2}";
        let name = format!("{one_name}(, {one_name})*");
        let address = format!(r"{WORD}\.({WORD}){{2}}@example\.com");
        let email = format!(r#"({address}(, {address})*|"{name}" <{address}>)"#);
        let phone = r"\+999\d{12}";
        let shape = match self {
            Self::Name => name,
            Self::Email => email,
            Self::Login => format!("({email}|({WORD}){{3}})"),
            Self::Phone => phone.into(),
            Self::Street => r"[A-Z][a-z]{9} Street \d{1,3}".into(),
            Self::City => r"[BDFGHKLMNPRSTVWZ][aeio]([bdfghklmnprstvwz][aeio]){3}".into(),
            Self::Zip => r"\d{5}".into(),
            Self::Account => r"XX00\d{16}".into(),
            Self::TaxNumber => r"XX\d{12}".into(),
            Self::Identifier => r"X\d{16}".into(),
            Self::Url => format!(r"https://({WORD}){{3}}\.example\.com"),
            Self::Ip => "2001:db8::[0-9a-f:]{19}".into(),
            Self::MessageId => {
                let one = r"<[0-9a-f]{24}@example\.com>";
                format!("{one}( {one})*")
            }
            Self::FileName => format!(r"{WORD}-({WORD}){{2}}(\.[a-z0-9]{{1,5}})?"),
            Self::Text => format!("[BDFGHKLMNPRSTVWZ][aeio]([bdfghklmnprstvwz][aeio]){{2}}( {WORD}){{2}}"),
            Self::Html => "<p>Anonymized</p>".into(),
            Self::Domain => r"\[\]".into(),
            Self::Value => format!("({email}|{phone}|{name})"),
            Self::Date | Self::Empty => return None,
        };
        Some(format!("^{shape}$"))
    }

    fn call(self, value: &str) -> String {
        format!("pg_temp.fake_{}({value})", self.as_str())
    }

    fn cut(self, column: &Column, fake: String) -> String {
        column.limit.map_or_else(|| fake.clone(), |limit| format!("left({fake}, {limit})"))
    }
}

pub(super) fn is_text(column: &Column) -> bool {
    ["varchar", "text", "bpchar", "citext"].contains(&column.kind.as_str())
}

pub(super) fn is_json(column: &Column) -> bool {
    ["json", "jsonb"].contains(&column.kind.as_str())
}

fn is_date(column: &Column) -> bool {
    ["date", "timestamp", "timestamptz"].contains(&column.kind.as_str())
}
