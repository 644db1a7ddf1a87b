//! Generated databases and filestores in Odoo's shape: real table names, columns, keys and indexes,
//! plausible content, any size.
//!
//! The same shape with the same seed produces the same rows and the same files. All names and
//! addresses are invented (`.example`). Nothing comes from a real company.

mod activity;
mod copy;
mod files;
pub mod live;
mod rows;
pub mod series;
mod text;

use std::io;
use std::path::Path;

use fastrand::Rng;
use tokio_postgres::Client;

pub use activity::{Changed, Day};

/// The size and series of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OdooShape {
    /// The series that module `base` reports (`17.0` → `17.0.1.3`). The tables are always those of
    /// 17.0.
    pub series: String,
    /// Users in addition to the four that every database has.
    pub users: u64,
    /// Partners in addition to those of the users and the six that every database has.
    pub partners: u64,
    /// Messages: the most frequent rows of a real database. There is one journal entry of three
    /// lines for every eight messages.
    pub messages: u64,
    /// Rows of `ir_attachment`. About 17 in 20 have their own file. The others share one, keep
    /// their content in the database, or name a URL.
    pub attachments: u64,
    /// Total size of all files in bytes, as exactly as the smallest size of a file allows.
    pub filestore_bytes: u64,
    /// Seed of the random content.
    pub seed: u64,
}

impl Default for OdooShape {
    /// Returns a shape that is small enough for any test: about 1 MB of rows and 1 MB of files,
    /// created in one second.
    fn default() -> Self {
        Self {
            series: "17.0".into(),
            users: 12,
            partners: 300,
            messages: 800,
            attachments: 120,
            filestore_bytes: 1_000_000,
            seed: 17,
        }
    }
}

/// Measured growth of the database in bytes for each message and the rows that go with it.
const BYTES_PER_MESSAGE: u64 = 1_090;
/// The average file of a real filestore of 3 GB, in bytes.
const AVERAGE_FILE: u64 = 175_000;

impl OdooShape {
    /// Returns a shape in the proportions of a real instance. The database takes about
    /// `database_bytes` on the server's disk, the filestore about `filestore_bytes`.
    pub fn sized(database_bytes: u64, filestore_bytes: u64) -> Self {
        // An empty database of this shape has 9 MB, most of it PostgreSQL's own.
        let messages = database_bytes.saturating_sub(9_000_000) / BYTES_PER_MESSAGE;
        Self {
            users: 10 + messages / 20_000,
            partners: 100 + messages / 50,
            messages,
            attachments: 60 + filestore_bytes / AVERAGE_FILE,
            filestore_bytes,
            ..Self::default()
        }
    }

    fn moves(&self) -> u64 {
        self.messages / 8
    }

    /// Returns the value of `database.uuid`, which depends only on the seed.
    pub fn uuid(&self) -> String {
        let mut rng = Rng::with_seed(self.seed ^ 0x0001);
        let digits = text::token(&mut rng, 30);
        format!("{}-{}-4{}-8{}-{}", &digits[..8], &digits[8..12], &digits[12..15], &digits[15..18], &digits[18..])
    }

    /// Fills an empty database as the role that will own it, and an empty or missing folder.
    pub async fn fill(&self, client: &Client, filestore: &Path) -> Result<(), FillError> {
        let files = tokio::task::spawn_blocking({
            let (filestore, shape) = (filestore.to_owned(), self.clone());
            move || {
                std::fs::create_dir_all(&filestore)?;
                files::write(
                    &filestore,
                    shape.own_files(),
                    shape.filestore_bytes,
                    &mut Rng::with_seed(shape.seed ^ 0xf11e),
                )
            }
        });
        client.batch_execute(include_str!("tables.sql")).await?;
        let mut rng = Rng::with_seed(self.seed);
        let settings = include_str!("settings.sql")
            .replace("{SERIES}", &self.series)
            .replace("{UUID}", &self.uuid())
            .replace("{SECRET}", &text::token(&mut rng, 36));
        client.batch_execute(&settings).await?;
        rows::partners(client, self, &mut rng).await?;
        rows::users(client, self, &mut rng).await?;
        rows::entries(client, self, &mut rng).await?;
        rows::messages(client, self, &mut rng).await?;
        let files = files.await.map_err(io::Error::other)??;
        rows::attachments(client, self, &files, &mut rng).await?;
        client.batch_execute(include_str!("constraints.sql")).await?;
        Ok(())
    }

    fn own_files(&self) -> u64 {
        self.attachments - self.attachments * 3 / 20
    }
}

/// Why an instance could not be created.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// The database refused a statement.
    #[error("filling the database: {}", .0.as_db_error().map_or_else(|| .0.to_string(), ToString::to_string))]
    Database(#[from] tokio_postgres::Error),
    /// A file could not be written.
    #[error("writing the filestore: {0}")]
    Filestore(#[from] io::Error),
}

#[cfg(test)]
mod tests;
