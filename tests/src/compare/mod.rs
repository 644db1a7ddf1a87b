//! Compares a restored instance with its source: every table row by row, every file byte by byte.

mod database;
mod tree;

pub use database::{Owners, assert_same_content, assert_same_database, database_difference};
pub use tree::{assert_same_tree, file_paths, tree_differences};
