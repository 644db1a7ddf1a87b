//! A busy instance: users who constantly add, replace and delete attachments, and Odoo's collector
//! of deleted files.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::FillError;
use super::files::{self, Kind};
use crate::postgres::Cluster;

/// Pause between the actions of a user and of the collector: the processor is for the program under
/// test.
const PAUSE: Duration = Duration::from_millis(5);
/// Odoo's collector waits ten seconds, and the users wait behind it.
const PATIENCE: &str = "SET LOCAL lock_timeout = '40ms'";
/// Maximum number of attachments with a file, however long the activity lasts.
const ENOUGH: usize = 60;

/// Users and a collector that run until [`Live::stop`].
#[derive(Debug)]
pub struct Live {
    stop: Arc<AtomicBool>,
    users: JoinHandle<Result<u64, FillError>>,
    collector: JoinHandle<Result<(u64, u64), FillError>>,
}

/// A summary of their actions.
#[derive(Debug, Clone, Copy)]
pub struct ActivitySummary {
    /// Attachments that were added, replaced or deleted in committed transactions.
    pub changes: u64,
    /// Files that the collector removed.
    pub collected: u64,
    /// How often the collector did not get its lock.
    pub refused: u64,
}

impl Live {
    /// Starts them on an instance that [`OdooShape::fill`](super::OdooShape::fill) created.
    pub async fn start(cluster: &Cluster, database: &str, filestore: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let users =
            Users { client: cluster.connect(database).await, filestore: filestore.to_owned(), deleted: Vec::new() };
        let collector = Collector { client: cluster.connect(database).await, filestore: filestore.to_owned() };
        Self {
            users: tokio::spawn(users.work(stop.clone())),
            collector: tokio::spawn(collector.work(stop.clone())),
            stop,
        }
    }

    /// Stops them. Panics if one of them failed.
    pub async fn stop(self) -> ActivitySummary {
        self.stop.store(true, Ordering::Relaxed);
        let changes = self.users.await.expect("the users' task").unwrap_or_else(|error| panic!("{error}"));
        let collector = self.collector.await.expect("the collector's task");
        let (collected, refused) = collector.unwrap_or_else(|error| panic!("{error}"));
        ActivitySummary { changes, collected, refused }
    }
}

struct Users {
    client: Client,
    filestore: PathBuf,
    /// Contents of deleted attachments.
    deleted: Vec<Vec<u8>>,
}

impl Users {
    async fn work(mut self, stop: Arc<AtomicBool>) -> Result<u64, FillError> {
        let mut rng = Rng::with_seed(4711);
        let mut changes = 0;
        while !stop.load(Ordering::Relaxed) {
            // A transaction of Odoo has usually written to the table before it writes a file. The
            // collector then waits for the end of the transaction.
            self.client.batch_execute("BEGIN; LOCK TABLE ir_attachment IN ROW EXCLUSIVE MODE").await?;
            self.change(&mut rng).await?;
            // A failed transaction leaves its file without a row.
            let end = if rng.u8(..8) == 0 { "ROLLBACK" } else { "COMMIT" };
            self.client.batch_execute(end).await?;
            changes += u64::from(end == "COMMIT");
            tokio::time::sleep(PAUSE).await;
        }
        Ok(changes)
    }

    async fn change(&mut self, rng: &mut Rng) -> Result<(), FillError> {
        let rows = "SELECT id, store_fname FROM ir_attachment WHERE store_fname LIKE '__/%' ORDER BY id";
        let rows: Vec<(i32, String)> =
            self.client.query(rows, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
        let Some((id, old)) = rng.choice(&rows) else { return self.add(rng).await };
        match rng.u8(..4) {
            0 | 1 if rows.len() < ENOUGH => self.add(rng).await,
            0..=2 => {
                let (path, size) = self.write(rng)?;
                files::mark(&self.filestore, old)?;
                let update = "UPDATE ir_attachment SET store_fname = $1::varchar, checksum = split_part($1::varchar, '/', 2), file_size = $2 WHERE id = $3";
                self.client.execute(update, &[&path, &size, id]).await?;
                Ok(())
            }
            _ => {
                self.deleted.extend(fs::read(self.filestore.join(old)).ok());
                files::mark(&self.filestore, old)?;
                self.client.execute("DELETE FROM ir_attachment WHERE id = $1", &[id]).await?;
                Ok(())
            }
        }
    }

    async fn add(&mut self, rng: &mut Rng) -> Result<(), FillError> {
        let (path, size) = self.write(rng)?;
        let insert = "INSERT INTO ir_attachment (name, type, store_fname, checksum, file_size)
            VALUES ('live.csv', 'binary', $1::varchar, split_part($1::varchar, '/', 2), $2)";
        self.client.execute(insert, &[&path, &size]).await?;
        Ok(())
    }

    /// Writes a file and marks it as Odoo marks each new one. Sometimes reuses a content that was
    /// deleted before.
    fn write(&mut self, rng: &mut Rng) -> io::Result<(String, i32)> {
        let again = if rng.u8(..3) == 0 { self.deleted.pop() } else { None };
        let content = again.unwrap_or_else(|| files::content(Kind::Csv, rng.u64(200..3000), rng));
        let file = files::store(&self.filestore, Kind::Csv, &content)?;
        files::mark(&self.filestore, &file.store_fname())?;
        Ok((file.store_fname(), content.len() as i32))
    }
}

struct Collector {
    client: Client,
    filestore: PathBuf,
}

impl Collector {
    /// Returns how many files were removed, and how often the lock was not available.
    async fn work(self, stop: Arc<AtomicBool>) -> Result<(u64, u64), FillError> {
        let (mut collected, mut refused) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            let lock = format!("BEGIN; {PATIENCE}; LOCK TABLE ir_attachment IN SHARE MODE");
            match self.client.batch_execute(&lock).await {
                Ok(()) => {
                    collected += self.collect().await?;
                    self.client.batch_execute("COMMIT").await?;
                }
                Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                    refused += 1;
                    self.client.batch_execute("ROLLBACK").await?;
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok((collected, refused))
    }

    /// Removes marked files that no row names, and all markers.
    async fn collect(&self) -> Result<u64, FillError> {
        let checklist = self.filestore.join("checklist");
        let marked = if checklist.exists() { marked(&checklist)? } else { Vec::new() };
        let query = "SELECT store_fname FROM ir_attachment WHERE store_fname = ANY($1)";
        let named = self.client.query(query, &[&marked]).await?;
        let named: HashSet<String> = named.iter().map(|row| row.get(0)).collect();
        let mut collected = 0;
        for name in marked {
            if !named.contains(&name) {
                collected += u64::from(remove(&self.filestore.join(&name))?);
            }
            remove(&checklist.join(&name))?;
        }
        Ok(collected)
    }
}

/// Returns the files that the checklist names.
fn marked(checklist: &Path) -> io::Result<Vec<String>> {
    let mut marked = Vec::new();
    for folder in fs::read_dir(checklist)? {
        let folder = folder?;
        for file in fs::read_dir(folder.path())? {
            let path = Path::new(&folder.file_name()).join(file?.file_name());
            marked.extend(path.to_str().map(str::to_owned));
        }
    }
    Ok(marked)
}

/// Removes a file. Returns whether it existed.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
