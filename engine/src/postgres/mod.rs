//! PostgreSQL: connections, its client programs, and what a backup asks of a server.
//!
//! The only place that starts pg_dump or pg_restore, or opens a connection.

mod abilities;
mod admin;
mod archive;
mod backend;
mod client;
mod database;
mod databases;
mod dump;
mod encoding;
mod endpoint;
mod error;
mod identity;
mod large_rows;
mod load;
mod lossy;
mod members;
mod passfile;
mod pipe;
mod process;
mod pulse;
mod restore;
mod rows;
mod script;
mod security;
mod sessions;
mod settings;
mod skipping;
mod source;
mod tls;
mod tools;
mod tuning;

pub use abilities::{
    Abilities, Extension, abilities, data_folder, find_extensions, has_locale, known_roles, unusable_tablespaces,
};
pub use admin::{Locale, ServerFacts, is_powerful, server_facts, server_major, system_identifier, template_ctype};
#[cfg(feature = "fuzzing")]
pub(crate) use archive::fuzz as fuzz_archive;
pub use archive::{
    ArchiveEntry, ArchiveError, ArchiveObjects, ArchiveTables, ArchiveToc, GuardedFor, LeftOut, Misunderstood,
    ObjectKind, PendingRowCounts, Qualified, RowCounts, SequenceValue, TableRows, count_rows, guarded, read_encoding,
    read_entries, read_objects, read_toc, with_dependents,
};
pub use client::{Session, connect, connect_maintenance};
pub use database::{Database, SslMode};
pub use databases::{
    ForeignSession, Listed, Renaming, abandoned_databases, claim_database, close_database, create_hidden_database,
    database_exists, drop_database, drop_subscriptions, find_database, foreign_sessions, open_database, quote,
    rename_databases,
};
pub use dump::dump;
pub use endpoint::Endpoint;
pub use error::PostgresError;
pub use identity::{Sameness, same_server};
pub use large_rows::too_large_rows;
#[cfg(feature = "fuzzing")]
pub(crate) use load::fuzz as fuzz_script;
pub use load::{Loaded, ScriptStatement, load_script, script_statements};
pub use lossy::{Lossy, lossy};
pub use members::{Aligned, Member, Members, Original, align_members, make_immutable, read_members};
pub use pulse::with_pulse;
pub use restore::{Restoring, Section};
pub use rows::load_rows;
pub use script::script;
pub use security::{ForcedTable, resume_row_security, suspend_row_security};
pub(crate) use sessions::{ending_of_sessions, sessions_text};
pub use settings::{Stubborn, stubborn_settings};
pub use source::{Names, SourceFacts, Special, SpecialKind, source_facts};
pub use tools::{Tool, Tools};
pub use tuning::Tuning;
