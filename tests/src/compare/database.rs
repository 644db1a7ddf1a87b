//! Compares two databases: properties, schema, every row of every table, sequences, large objects.

use std::process::Command;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use tokio_postgres::Client;

use crate::postgres::{Database, SUPERUSER, quote_identifier, run};

/// Panics and names the first difference unless the two databases are equal. Compares the encoding
/// and locale, and the schema as pg_dump prints it with owners and privileges. Then compares each
/// row of each table, the position of each sequence, and each large object.
pub async fn assert_same_database(a: Database<'_>, b: Database<'_>) {
    if let Some(difference) = database_difference(a, b, Owners::Compared).await {
        panic!("databases {} and {} differ: {difference}", a.name, b.name);
    }
}

/// Compares like [`assert_same_database`], for a copy that belongs to another role: owners and
/// privileges are ignored.
pub async fn assert_same_content(a: Database<'_>, b: Database<'_>) {
    if let Some(difference) = database_difference(a, b, Owners::Ignored).await {
        panic!("databases {} and {} differ: {difference}", a.name, b.name);
    }
}

/// Whether a comparison includes owners and privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// They are compared.
    Compared,
    /// They are ignored.
    Ignored,
}

/// Returns a description of the first difference, or `None`. The memory does not grow with the
/// tables: both servers sort, and the rows are compared as they arrive.
pub async fn database_difference(a: Database<'_>, b: Database<'_>, owners: Owners) -> Option<String> {
    // The superuser reads everything, including tables with row security and large objects of other
    // roles.
    let clients = [a.cluster.connect_as(SUPERUSER, a.name).await, b.cluster.connect_as(SUPERUSER, b.name).await];
    for client in &clients {
        // One snapshot of each, even if other sessions write. Both print dates, floats and bytes
        // alike.
        client
            .batch_execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL datestyle = ISO; SET LOCAL timezone = 'UTC'; \
                 SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = hex; SET LOCAL intervalstyle = postgres",
            )
            .await
            .expect("a transaction to compare in");
    }

    if let Some(difference) = query_difference(&clients, PROPERTIES).await {
        return Some(format!("the databases' properties: {difference}"));
    }
    if let Some(difference) = schema_difference(a, b, owners) {
        return Some(format!("the schema: {difference}"));
    }
    // The schemas are equal, so both have the tables and sequences of the first.
    for table in names(&clients[0], TABLES).await {
        let rows = format!("SELECT whole_row::text FROM {table} whole_row ORDER BY whole_row::text COLLATE \"C\"");
        if let Some(difference) = query_difference(&clients, &rows).await {
            return Some(format!("table {table}: {difference}"));
        }
    }
    if let Some(difference) = query_difference(&clients, MATERIALIZED_VIEWS).await {
        return Some(format!("materialized views: {difference}"));
    }
    for sequence in names(&clients[0], SEQUENCES).await {
        let position = format!("SELECT last_value, is_called FROM {sequence}");
        if let Some(difference) = query_difference(&clients, &position).await {
            return Some(format!("sequence {sequence}: {difference}"));
        }
    }
    query_difference(&clients, LARGE_OBJECTS).await.map(|difference| format!("large objects: {difference}"))
}

const PROPERTIES: &str =
    "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = current_database()";

/// Reads a partitioned table as a whole: rows that are distributed by hash may be in other
/// partitions in another database.
const TABLES: &str = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/// Reads only whether they have been filled: a restore computes their rows, it does not copy them.
const MATERIALIZED_VIEWS: &str = "SELECT schemaname, matviewname, ispopulated FROM pg_matviews ORDER BY 1, 2";

const SEQUENCES: &str = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND n.nspname NOT LIKE 'pg\\_%' ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

const LARGE_OBJECTS: &str =
    "SELECT oid, md5(lo_get(oid)), length(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid";

async fn names(client: &Client, sql: &str) -> Vec<String> {
    let rows = client.query(sql, &[]).await.expect("the list of tables or sequences");
    rows.iter()
        .map(|row| format!("{}.{}", quote_identifier(row.get::<_, &str>(0)), quote_identifier(row.get::<_, &str>(1))))
        .collect()
}

/// Returns the first row in which the two answers to the query differ.
async fn query_difference(clients: &[Client; 2], sql: &str) -> Option<String> {
    let mut a = Box::pin(rows(&clients[0], sql).await);
    let mut b = Box::pin(rows(&clients[1], sql).await);
    let mut number = 0_u64;
    loop {
        let (row_a, row_b) = tokio::join!(a.try_next(), b.try_next());
        let (row_a, row_b) = (row_a.expect("rows of the first database"), row_b.expect("rows of the second database"));
        if row_a.is_none() && row_b.is_none() {
            return None;
        }
        number += 1;
        if row_a != row_b {
            return Some(format!(
                "row {number} in order is {} in the first and {} in the second",
                show(row_a),
                show(row_b)
            ));
        }
    }
}

/// Streams one row at a time: the server sends each row of a COPY in its own message.
async fn rows(client: &Client, sql: &str) -> impl Stream<Item = Result<Bytes, tokio_postgres::Error>> {
    client.copy_out(&format!("COPY ({sql}) TO STDOUT")).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))
}

fn show(row: Option<Bytes>) -> String {
    const LIMIT: usize = 500;
    let Some(row) = row else { return "missing".into() };
    let text = String::from_utf8_lossy(&row);
    let text = text.trim_end();
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn schema_difference(a: Database<'_>, b: Database<'_>, owners: Owners) -> Option<String> {
    // One pg_dump for both, because its output depends on its version. The newer one can read
    // either server.
    let newer = if a.cluster.version() >= b.cluster.version() { a } else { b };
    let words = if a.cluster.version() == b.cluster.version() { Words::Compared } else { Words::Ignored };
    let [schema_a, schema_b] = [schema(newer, a, owners, words), schema(newer, b, owners, words)];
    let [mut lines_a, mut lines_b] = [schema_a.lines(), schema_b.lines()];
    let mut about = "the beginning";
    loop {
        let (line_a, line_b) = (lines_a.next(), lines_b.next());
        if line_a.is_none() && line_b.is_none() {
            return None;
        }
        if line_a != line_b {
            let show = |line: Option<&str>| line.map_or("missing".to_owned(), |line| format!("`{line}`"));
            return Some(format!("after `{about}`: {} in the first is {} in the second", show(line_a), show(line_b)));
        }
        about = line_a.filter(|line| line.starts_with("-- Name:")).unwrap_or(about);
    }
}

/// Whether a comparison of schemas includes server-specific wording. Each version prints the
/// queries of views in its own way, and since 18 `NOT NULL` constraints have names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Compared,
    Ignored,
}

/// Returns the schema as text, without the parts that differ between runs and between servers.
fn schema(tools: Database<'_>, of: Database<'_>, owners: Owners, words: Words) -> String {
    let mut dump = Command::new(tools.cluster.bin("pg_dump"));
    of.cluster.set_environment(&mut dump, SUPERUSER);
    dump.args(["--schema-only", "--dbname", of.name]);
    if owners == Owners::Ignored {
        dump.args(["--no-owner", "--no-privileges"]);
    }
    // \restrict and its random key exist since the security releases of August 2025.
    const PASSING: [&str; 4] =
        ["-- Dumped from database version", "-- Dumped by pg_dump version", "\\restrict ", "\\unrestrict "];
    let lasting = |line: &&str| !PASSING.iter().any(|prefix| line.starts_with(prefix));
    let mut passed_over = false;
    let of_content = |line: &&str| {
        let is_name = line.starts_with("-- Name:");
        if is_name {
            // Since 15 the schema `public` belongs to pg_database_owner. pg_dump prints it if an
            // older server created it.
            let public = owners == Owners::Ignored && line.contains("public; Type: SCHEMA;");
            let query = words == Words::Ignored && line.contains("VIEW; Schema:");
            passed_over = public || query;
            return !public;
        }
        !passed_over
    };
    let unnamed = |line: &str| match (words, line.split_once(" CONSTRAINT ")) {
        (Words::Ignored, Some((column, rest))) if rest.contains(" NOT NULL") => {
            format!("{column} NOT NULL{}", if rest.ends_with(',') { "," } else { "" })
        }
        _ => line.to_owned(),
    };
    run(&mut dump).lines().filter(lasting).filter(of_content).map(unnamed).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
