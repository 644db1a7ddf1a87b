//! PostgreSQL: connections, its client programs, and what a backup asks of a server.
//!
//! The only place that starts pg_dump or pg_restore, or opens a connection.

mod admin;
mod archive;
mod client;
mod dump;
mod endpoint;
mod error;
mod passfile;
mod process;
mod restore;
mod script;
mod tls;
mod tools;

pub use admin::{
    Locale, ServerFacts, create_database, database_exists, drop_database, quote, rename_database, server_facts,
    server_major,
};
pub use archive::{
    ArchiveObjects, ArchiveToc, Misunderstood, ObjectKind, PendingRowCounts, Qualified, RowCounts, SequenceValue,
    TableRows, count_rows, read_objects, read_toc,
};
pub use client::{Session, connect, connect_maintenance};
pub use dump::dump;
pub use endpoint::Endpoint;
pub use error::PostgresError;
pub use restore::{ArchiveSource, restore};
pub use script::script;
pub use tools::{Tool, Tools};
