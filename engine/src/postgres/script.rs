//! Loads SQL scripts, statement by statement, and rows, over this program's own connections.

pub(in crate::postgres) mod encoding;
pub(in crate::postgres) mod load;
mod rows;

pub use load::Loaded;
#[cfg(feature = "fuzzing")]
pub(crate) use load::fuzz as fuzz_script;
pub(crate) use load::{ScriptStatement, load_script, script_statements};
pub(crate) use rows::load_rows;
