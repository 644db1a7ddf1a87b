//! Connections to PostgreSQL, and what is asked of a server over them.

mod abilities;
mod admin;
mod backend;
pub(in crate::postgres) mod client;
mod database;
mod databases;
mod endpoint;
mod identity;
mod large_rows;
mod lossy;
mod members;
mod passfile;
mod pulse;
mod security;
mod settings;
mod source;
mod tls;
mod tuning;

pub(crate) use abilities::{
    Abilities, Extension, abilities, data_folder, find_extensions, has_locale, known_roles, unusable_tablespaces,
};
pub use admin::system_identifier;
pub(crate) use admin::{Locale, ServerFacts, is_powerful, server_facts, server_major, template_ctype};
pub use client::connect;
pub(crate) use client::{Session, connect_maintenance};
pub use database::{Database, SslMode};
pub use databases::quote;
pub(crate) use databases::{
    ForeignSession, HiddenDatabase, Renaming, abandoned_databases, claim_database, close_database, comment_database,
    create_hidden_database, database_bytes, database_comment, database_exists, drop_database, drop_subscriptions,
    find_database, foreign_sessions, open_database, rename_databases,
};
pub(crate) use databases::{ending_of_sessions, sessions_text};
pub use endpoint::Endpoint;
pub(crate) use identity::{ServerSameness, same_server};
pub(crate) use large_rows::too_large_rows;
pub(crate) use lossy::{Lossy, lossy};
pub(crate) use members::{Aligned, Member, Members, Original, align_members, make_immutable, read_members};
pub(crate) use pulse::with_pulse;
pub(crate) use security::{ForcedTable, resume_row_security, suspend_row_security};
pub(crate) use settings::{Stubborn, stubborn_settings};
pub(crate) use source::Special;
pub use source::{SomeNames, SourceFacts};
pub(crate) use source::{SpecialKind, source_facts};
pub(crate) use tuning::Tuning;
