//! PostgreSQL: connections, its client programs, and what a backup asks a server.
//!
//! The only place that starts pg_dump or pg_restore, or opens a connection.

mod archive;
mod error;
mod programs;
mod script;
mod session;

#[cfg(feature = "fuzzing")]
pub(crate) use archive::fuzz as fuzz_archive;
pub(crate) use archive::guarded;
pub(crate) use archive::{
    ArchiveEntry, ArchiveError, ArchiveObjects, ArchiveTables, ArchiveToc, GuardedFor, LeftOut, Misunderstood,
    ObjectKind, Qualified, RowCounts, SequenceValue, TableRows, count_rows, read_encoding, read_entries, read_objects,
    read_toc, with_dependents,
};
pub use error::PostgresError;
pub(crate) use programs::Restoring;
pub use programs::Section;
pub(crate) use programs::Tool;
pub use programs::Tools;
pub use programs::dump;
pub use programs::script;
pub use script::Loaded;
#[cfg(feature = "fuzzing")]
pub(crate) use script::fuzz_script;
pub(crate) use script::load_rows;
pub(crate) use script::{ScriptStatement, load_script, script_statements};
pub use session::Endpoint;
pub(crate) use session::Special;
pub(crate) use session::Tuning;
pub use session::connect;
pub use session::quote;
pub use session::system_identifier;
pub(crate) use session::too_large_rows;
pub(crate) use session::with_pulse;
pub(crate) use session::{
    Abilities, Extension, abilities, data_folder, find_extensions, has_locale, known_roles, unusable_tablespaces,
};
pub(crate) use session::{Aligned, Member, Members, Original, align_members, make_immutable, read_members};
pub use session::{Database, SslMode};
pub(crate) use session::{ForcedTable, resume_row_security, suspend_row_security};
pub(crate) use session::{
    ForeignSession, HiddenDatabase, Renaming, abandoned_databases, claim_database, close_database, comment_database,
    create_hidden_database, database_bytes, database_comment, database_exists, drop_database, drop_subscriptions,
    find_database, foreign_sessions, open_database, rename_databases,
};
pub(crate) use session::{Locale, ServerFacts, is_powerful, server_facts, server_major, template_ctype};
pub(crate) use session::{Lossy, lossy};
pub(crate) use session::{ServerSameness, same_server};
pub(crate) use session::{Session, connect_maintenance};
pub use session::{SomeNames, SourceFacts};
pub(crate) use session::{SpecialKind, source_facts};
pub(crate) use session::{Stubborn, stubborn_settings};
pub(crate) use session::{ending_of_sessions, sessions_text};
