//! The database half of a backup: the dump, and the rows in it.

use super::base::{DumpBase, FullRules};
use super::earlier::Earlier;
use super::rows::{StoredRows, store_rows};
use super::{BackupOptions, Source};
use crate::dump::{WrittenDump, write_dump};
use crate::error::Error;
use crate::instance::Instance;
use crate::manifest::{DumpVolume, DumpVolumes, FORMAT_1, RowContent, StoredDump};
use crate::postgres;
use crate::repository::Draft;
use crate::run::Run;
use crate::stream::{Body, encode};

/// What was stored of the database, and the warnings.
pub(super) struct StoredDatabase {
    pub(super) dump: StoredDump,
    pub(super) rows: Option<RowContent>,
    pub(super) warnings: Vec<String>,
}

/// Stores the dump, or what is new in it, and the list of its rows.
pub(super) async fn store_database(
    draft: &Draft,
    instance: &Instance,
    source: &Source,
    earlier: &Earlier<'_>,
    options: BackupOptions,
    run: &Run,
) -> Result<StoredDatabase, Error> {
    let base = match earlier.repository.description().format {
        FORMAT_1 => None,
        _ => Some(find_base(instance, source, earlier, options).await?),
    };
    let encoding = &source.server.locale.encoding;
    let dump = postgres::dump(&source.pg_dump, &source.session, &source.snapshot, encoding)?;
    let (dump, counts) = postgres::count_rows(dump);
    let stored = match base {
        None => store_whole(draft, source, dump, options, run).await.map(|dump| (dump, Vec::new())),
        Some(base) => store_new(draft, source, dump, base, options, run).await,
    };
    let (dump, mut warnings) = match stored {
        Ok(stored) => stored,
        Err(error) => {
            // pg_dump names only the table. If the rows cannot be found, the failure stays as it
            // is.
            let looked = async { postgres::too_large_rows(&source.session, error.of_postgres()?).await.ok()? };
            return Err(looked.await.map_or(error, Error::from));
        }
    };
    let StoredRows { content: rows, warning } = store_rows(draft, counts.get(), earlier).await?;
    warnings.extend(warning);
    Ok(StoredDatabase { dump, rows, warnings })
}

/// Finds what the dump can build upon. An import does not continue the chain of the instance.
async fn find_base(
    instance: &Instance,
    source: &Source,
    earlier: &Earlier<'_>,
    options: BackupOptions,
) -> Result<DumpBase, Error> {
    let now = source.taken_at;
    let rules = FullRules {
        asked: options.full || source.origin.is_some(),
        now,
        oldest: instance
            .full_every
            .before(now, instance.retention.policy.zone().rules())
            .unwrap_or(jiff::Timestamp::MIN),
    };
    DumpBase::find(earlier, rules, source.server.database_size).await
}

async fn store_whole(
    draft: &Draft,
    source: &Source,
    dump: Body,
    options: BackupOptions,
    run: &Run,
) -> Result<StoredDump, Error> {
    let task = run.progress.task("database", None);
    let encoded = encode(dump, options.level, options.dump_threads, task);
    // The server's size includes indexes, of which a dump contains only the definition: the dump is
    // smaller by an unknown amount.
    let (object, ()) = draft.add_sized("database.dump.zst", encoded, source.server.database_size).await?;
    Ok(StoredDump::Whole(object))
}

/// Stores what the base lacks, as a volume with its index, and the map.
async fn store_new(
    draft: &Draft,
    source: &Source,
    dump: Body,
    DumpBase { base, volumes, chain, warnings }: DumpBase,
    options: BackupOptions,
    run: &Run,
) -> Result<(StoredDump, Vec<String>), Error> {
    let n = base.number();
    let task = run.progress.task("database", None);
    let encoded = write_dump(dump, base, options.level, options.dump_threads, task);
    let name = format!("database-{n:04}");
    let (object, written) = draft.add_sized(&format!("{name}.zst"), encoded, source.server.database_size).await?;
    let WrittenDump { dump, used, index, map, .. } = written;
    let (index, ()) = draft.add_kept(&format!("{name}.index.zst"), index).await?;
    let (map, ()) = draft.add_kept("database.map.zst", map).await?;
    let mut volumes: Vec<_> = volumes.into_iter().filter(|volume| used.contains(&volume.n)).collect();
    volumes.push(DumpVolume { n, object, index });
    let chain = chain.unwrap_or_else(|| draft.id().clone());
    Ok((StoredDump::Volumes(Box::new(DumpVolumes { dump, map, volumes, chain })), warnings))
}
