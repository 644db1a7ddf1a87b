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

pub(crate) use abilities::{
    Abilities, Extension, abilities, data_folder, find_extensions, has_locale, known_roles, unusable_tablespaces,
};
pub use admin::system_identifier;
pub(crate) use admin::{Locale, ServerFacts, is_powerful, server_facts, server_major, template_ctype};
#[cfg(feature = "fuzzing")]
pub(crate) use archive::fuzz as fuzz_archive;
pub(crate) use archive::guarded;
pub(crate) use archive::{
    ArchiveEntry, ArchiveError, ArchiveObjects, ArchiveTables, ArchiveToc, GuardedFor, LeftOut, Misunderstood,
    ObjectKind, Qualified, RowCounts, SequenceValue, TableRows, count_rows, read_encoding, read_entries, read_objects,
    read_toc, with_dependents,
};
pub use client::connect;
pub(crate) use client::{Session, connect_maintenance};
pub use database::{Database, SslMode};
pub use databases::quote;
pub(crate) use databases::{
    ForeignSession, Listed, Renaming, abandoned_databases, claim_database, close_database, create_hidden_database,
    database_exists, drop_database, drop_subscriptions, find_database, foreign_sessions, open_database,
    rename_databases,
};
pub use dump::dump;
pub use endpoint::Endpoint;
pub use error::PostgresError;
pub(crate) use identity::{Sameness, same_server};
pub(crate) use large_rows::too_large_rows;
pub use load::Loaded;
#[cfg(feature = "fuzzing")]
pub(crate) use load::fuzz as fuzz_script;
pub(crate) use load::{ScriptStatement, load_script, script_statements};
pub(crate) use lossy::{Lossy, lossy};
pub(crate) use members::{Aligned, Member, Members, Original, align_members, make_immutable, read_members};
pub(crate) use pulse::with_pulse;
pub(crate) use restore::Restoring;
pub use restore::Section;
pub(crate) use rows::load_rows;
pub use script::script;
pub(crate) use security::{ForcedTable, resume_row_security, suspend_row_security};
pub(crate) use sessions::{ending_of_sessions, sessions_text};
pub(crate) use settings::{Stubborn, stubborn_settings};
pub(crate) use source::Special;
pub use source::{Names, SourceFacts};
pub(crate) use source::{SpecialKind, source_facts};
pub(crate) use tools::Tool;
pub use tools::Tools;
pub(crate) use tuning::Tuning;
