//! PostgreSQL's own programs: which to run, and their output as streams.

mod dump;
mod pipe;
mod plain;
pub(in crate::postgres) mod process;
mod restore;
mod skipping;
mod tools;

pub use dump::dump;
pub use plain::script;
pub(crate) use restore::Restoring;
pub use restore::Section;
pub(crate) use tools::Tool;
pub use tools::Tools;
