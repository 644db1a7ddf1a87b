//! Changes an instance as a day of use does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fastrand::Rng;
use tokio_postgres::Client;

use super::files::{self, Kind, StoredFile};
use super::rows::{self, Content};
use super::{FillError, OdooShape, copy::Rows, text};

/// How much one day changes. [`Day::of`] scales it to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Added messages.
    pub new_messages: u64,
    /// Edited messages of the newest eighth.
    pub edited_recent: u64,
    /// Edited messages of any age.
    pub edited_old: u64,
    /// Deleted messages of the older half.
    pub deleted_messages: u64,
    /// Added attachments, each with a new file.
    pub new_attachments: u64,
    /// Deleted rows of `ir_attachment` that have a file.
    pub deleted_attachments: u64,
}

impl Day {
    /// Returns the changes measured on a database of 2.4 million messages, scaled to `shape`, with
    /// at least one of each kind.
    pub fn of(shape: &OdooShape) -> Self {
        let part = |of_a_million: u64, least: u64| (shape.messages * of_a_million / 1_000_000).max(least);
        Self {
            new_messages: part(2_900, 5),
            edited_recent: part(5_000, 5),
            edited_old: part(80, 2),
            deleted_messages: part(40, 1),
            new_attachments: (shape.attachments * 5 / 1_000).max(4),
            deleted_attachments: (shape.attachments * 2 / 1_000).max(3),
        }
    }
}

/// The files that a day added and removed, as `ab/abcdef…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Files that exist now and did not exist before.
    pub added: BTreeSet<String>,
    /// Files that existed before and were removed because no row names them.
    pub removed: BTreeSet<String>,
}

impl OdooShape {
    /// Applies a day of activity to an instance that [`OdooShape::fill`] created, including Odoo's
    /// nightly collector. The same days in the same order produce the same instance. `seed`
    /// distinguishes the days.
    pub async fn day_of_activity(&self, client: &Client, filestore: &Path, seed: u64) -> Result<Changed, FillError> {
        self.activity(client, filestore, &Day::of(self), seed).await
    }

    /// Applies the activity of [`OdooShape::day_of_activity`] in the amount that `day` gives.
    pub async fn activity(
        &self,
        client: &Client,
        filestore: &Path,
        day: &Day,
        seed: u64,
    ) -> Result<Changed, FillError> {
        let mut rng = Rng::with_seed(self.seed.wrapping_mul(1_000_003) ^ seed ^ 0xda7);
        let first_new = self.add_messages(client, day.new_messages, seed, &mut rng).await?;
        edit_messages(client, first_new - first_new / 8..first_new, day.edited_recent, &mut rng).await?;
        edit_messages(client, 1..first_new, day.edited_old, &mut rng).await?;
        let ids = ids(1..first_new / 2, day.deleted_messages, &mut rng);
        client.execute("DELETE FROM mail_message WHERE id = ANY($1)", &[&ids]).await?;

        let before = names(client).await?;
        delete_attachments(client, day.deleted_attachments, &mut rng).await?;
        self.add_attachments(client, filestore, first_new, day.new_attachments, seed, &mut rng).await?;
        let after = names(client).await?;
        let changed = Changed { added: &after - &before, removed: &before - &after };
        for name in &changed.removed {
            collect(filestore, name)?;
        }
        Ok(changed)
    }

    /// Adds messages. Returns the id of the first one.
    async fn add_messages(&self, client: &Client, count: u64, seed: u64, rng: &mut Rng) -> Result<u64, FillError> {
        let first = next_id(client, "mail_message").await?;
        let mut messages = Rows::into(client, "mail_message", rows::MESSAGE_COLUMNS).await?;
        for number in 0..count {
            let date = rows::moment_of_day(seed, number as f64 / count as f64);
            rows::message(&mut messages, first + number, date, self, rng).await?;
        }
        messages.finish().await?;
        continue_ids_after(client, "mail_message").await?;
        Ok(first)
    }

    async fn add_attachments(
        &self,
        client: &Client,
        filestore: &Path,
        message: u64,
        count: u64,
        seed: u64,
        rng: &mut Rng,
    ) -> Result<(), FillError> {
        let average = self.filestore_bytes / self.own_files().max(1);
        let files: Vec<StoredFile> = (0..count)
            .map(|number| {
                let kind = [Kind::Pdf, Kind::Jpeg, Kind::Csv, Kind::Xml][number as usize % 4];
                let size = 200 + rng.u64(..2 * average.max(1));
                let file = files::store(filestore, kind, &files::content(kind, size, rng))?;
                files::mark(filestore, &file.store_fname())?;
                Ok(file)
            })
            .collect::<std::io::Result<_>>()?;
        let first = next_id(client, "ir_attachment").await?;
        let mut linked = Vec::new();
        let mut attachments = Rows::into(client, "ir_attachment", rows::ATTACHMENT_COLUMNS).await?;
        for (id, file) in (first..).zip(&files) {
            let date = rows::moment_of_day(seed, 0.5);
            if rows::attachment(&mut attachments, id, date, &Content::Stored(file), self, rng).await? {
                linked.push(id as i32);
            }
        }
        attachments.finish().await?;
        let link = "INSERT INTO message_attachment_rel SELECT $1, unnest($2::int[])";
        client.execute(link, &[&(message as i32), &linked]).await?;
        continue_ids_after(client, "ir_attachment").await?;
        Ok(())
    }
}

async fn edit_messages(
    client: &Client,
    range: std::ops::Range<u64>,
    count: u64,
    rng: &mut Rng,
) -> Result<(), FillError> {
    let ids = ids(range, count, rng);
    let bodies: Vec<String> = ids.iter().map(|_| format!("<p>{}</p>", text::phrase(rng, 60))).collect();
    let edit = "UPDATE mail_message SET body = new.body, write_date = write_date + interval '1 hour'
        FROM unnest($1::int[], $2::text[]) AS new (id, body) WHERE mail_message.id = new.id";
    client.execute(edit, &[&ids, &bodies]).await?;
    Ok(())
}

async fn delete_attachments(client: &Client, count: u64, rng: &mut Rng) -> Result<(), FillError> {
    let rows = client.query("SELECT id FROM ir_attachment WHERE store_fname IS NOT NULL ORDER BY id", &[]).await?;
    let ids: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    let chosen = rng.choose_multiple(ids.iter().copied(), count as usize);
    client.execute("DELETE FROM ir_attachment WHERE id = ANY($1)", &[&chosen]).await?;
    Ok(())
}

/// Collects as Odoo does if no row names a marked file: removes the file, then its marker.
fn collect(filestore: &Path, name: &str) -> std::io::Result<()> {
    fs::remove_file(filestore.join(name))?;
    match fs::remove_file(filestore.join("checklist").join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns the files that rows name.
async fn names(client: &Client) -> Result<BTreeSet<String>, FillError> {
    let rows =
        client.query("SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns at most `count` different ids.
fn ids(range: std::ops::Range<u64>, count: u64, rng: &mut Rng) -> Vec<i32> {
    if range.is_empty() {
        return Vec::new();
    }
    (0..count).map(|_| rng.u64(range.clone()) as i32).collect::<BTreeSet<_>>().into_iter().collect()
}

async fn next_id(client: &Client, table: &str) -> Result<u64, FillError> {
    let id: i32 = client.query_one(&format!("SELECT coalesce(max(id), 0) + 1 FROM {table}"), &[]).await?.get(0);
    Ok(u64::from(id.unsigned_abs()))
}

/// Sets the sequence after the highest id, because rows were copied with explicit ids.
async fn continue_ids_after(client: &Client, table: &str) -> Result<(), FillError> {
    client.execute(&format!("SELECT setval('{table}_id_seq', max(id)) FROM {table}"), &[]).await?;
    Ok(())
}
