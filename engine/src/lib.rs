//! What odoo-backup does, as a library: the verbs first, then what they stand on.

pub mod backup;
pub mod check;
pub mod copy;
pub mod doctor;
pub mod export;
pub mod fetch;
pub mod import;
pub mod prune;
pub mod restore;
pub mod verify;

pub use restore::drill;

pub mod backoff;
mod backup_files;
mod cause;
mod disk;
pub mod error;
pub mod filestore;
pub mod folder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod instance;
pub mod manifest;
pub mod odoo;
pub mod postgres;
pub mod progress;
pub mod repair;
pub mod repository;
pub mod run;
pub mod secret;
pub mod small_file;
pub mod store;
pub mod stream;
pub mod text;
