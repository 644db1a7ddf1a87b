//! What odoo-backup does, as a library: first the verbs, then what they are built on.
//!
//! ```no_run
//! use engine::backup::{BackupOptions, backup};
//! use engine::instance::Instance;
//! use engine::postgres::Database;
//! use engine::repository::Repository;
//! use engine::run::Run;
//! use engine::store::StoreConfig;
//!
//! # async fn example() -> Result<(), engine::error::Error> {
//! let place = StoreConfig::Local { path: "/var/lib/odoo-backup".into() };
//! let repository = Repository::at(&place).await?;
//! let files = "/var/lib/odoo/filestore/production";
//! let instance = Instance::new("production", Database::named("production"), files.into());
//! let options = BackupOptions::of(&instance);
//! let manifest = backup(&repository, &instance, options, &Run::default()).await?;
//! println!("{}: {} files", manifest.id, manifest.filestore.files);
//! # Ok(())
//! # }
//! ```

pub mod backup;
pub mod check;
pub mod copy;
pub mod doctor;
pub mod export;
pub mod fetch;
pub mod hooks;
pub mod import;
pub mod prune;
pub mod restore;
pub mod verify;

pub use restore::drill;

pub mod backoff;
mod backup_files;
pub mod cause;
mod disk;
pub mod dump;
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
mod process_group;
pub mod progress;
pub mod repair;
pub mod repository;
pub mod run;
pub mod seal;
pub mod secret;
pub mod sign;
pub mod small_file;
pub mod store;
pub mod stream;
pub mod text;
