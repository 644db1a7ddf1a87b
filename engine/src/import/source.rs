//! What is imported, of either kind.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::scratch::Scratch;
use super::zip::OdooZip;
use super::{ImportError, ImportOptions};
use crate::error::Error;
use crate::filestore::{NewFilestore, unpack};
use crate::postgres::{
    self, ArchiveToc, Database, GuardedFor, LeftOut, Loaded, Original, Restoring, Section, Tool, Tools, Tuning,
};
use crate::progress::Task;
use crate::stream::{Body, CHUNK, produce};

/// What is imported.
#[derive(Debug)]
pub(super) enum Source {
    /// Odoo's own zip.
    Zip(Box<OdooZip>, PathBuf),
    /// An archive of pg_dump, and perhaps a filestore.
    Archive(Archive),
}

/// An archive of pg_dump.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    tool: Tool,
    toc: ArchiveToc,
    filestore: Option<Files>,
    /// Whether it may contain what pg_dump does not write.
    trusted: bool,
    /// The encoding of its database, if known.
    encoding: Option<&'static str>,
}

/// A filestore next to an archive.
#[derive(Debug)]
enum Files {
    Folder(PathBuf),
    Tar(PathBuf, u64),
}

impl Source {
    /// Opens and examines what is to be imported.
    pub(super) async fn open(options: &ImportOptions, server: &Database) -> Result<Self, Error> {
        let path = std::path::absolute(&options.file).map_err(reading(&options.file))?;
        if path.is_dir() {
            return Err(ImportError::of_folder(path).into());
        }
        let mut begin = [0; 5];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut begin));
        match read {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ImportError::Unknown(path).into()),
            other => other.map_err(reading(&path))?,
        }
        match &begin {
            b"PGDMP" => Archive::open(path, options, server).await.map(Self::Archive),
            // Of a local header, and of the directory of an empty zip.
            [b'P', b'K', 3 | 5, 4 | 6, _] if options.filestore.is_some() => {
                Err(ImportError::TwoFilestores(path).into())
            }
            [b'P', b'K', 3 | 5, 4 | 6, _] => {
                let opened = path.clone();
                let zip = tokio::task::spawn_blocking(move || OdooZip::open(&opened)).await;
                let zip = zip.map_err(io::Error::from).flatten().map_err(reading(&path))?;
                Ok(Self::Zip(Box::new(zip), path))
            }
            _ => Err(ImportError::Unknown(path).into()),
        }
    }

    /// Returns when the dump was made.
    pub(super) fn made_at(&self) -> Option<Timestamp> {
        match self {
            Self::Zip(zip, _) => zip.made_at,
            Self::Archive(archive) => archive.toc.created_at(),
        }
    }

    /// Returns the name of its database; empty where it is not recorded.
    pub(super) fn database_name(&self) -> String {
        let name = match self {
            Self::Zip(zip, _) => zip.manifest.db_name.clone(),
            Self::Archive(archive) => archive.toc.database().map(str::to_owned),
        };
        name.unwrap_or_default()
    }

    /// Returns the version of Odoo that wrote it.
    pub(super) fn odoo_version(&self) -> Option<String> {
        match self {
            Self::Zip(zip, _) => zip.manifest.version.clone(),
            Self::Archive(_) => None,
        }
    }

    /// Returns whether its text may be any bytes: then it fits into no database with an encoding.
    pub(super) fn is_of_any_bytes(&self) -> bool {
        matches!(self, Self::Archive(archive) if archive.encoding == Some("SQL_ASCII"))
    }

    /// Returns the bytes of the database's dump.
    pub(super) fn database_bytes(&self) -> Option<u64> {
        match self {
            Self::Zip(zip, _) => Some(zip.dump_bytes()),
            Self::Archive(_) => None,
        }
    }

    /// Returns the bytes to unpack.
    pub(super) fn filestore_bytes(&self) -> Option<u64> {
        match self {
            Self::Zip(zip, _) => Some(zip.filestore().1),
            Self::Archive(Archive { filestore: Some(Files::Tar(_, bytes)), .. }) => Some(*bytes),
            Self::Archive(_) => None,
        }
    }

    /// Returns whether it comes without a filestore.
    pub(super) fn has_no_files(&self) -> bool {
        match self {
            Self::Zip(zip, _) => zip.filestore().0 == 0,
            Self::Archive(archive) => archive.filestore.is_none(),
        }
    }

    /// Returns what the operator should know of it.
    pub(super) fn warnings(&self) -> Vec<String> {
        const SHOWN: usize = 3;
        let mut warnings = Vec::new();
        let others = match self {
            Self::Zip(zip, _) => zip.others.as_slice(),
            Self::Archive(_) => &[],
        };
        if self.has_no_files() {
            warnings.push("there is no filestore to import".to_owned());
        }
        if !others.is_empty() {
            let names: Vec<_> = others.iter().take(SHOWN).map(|name| name.escape_debug().to_string()).collect();
            let more = if others.len() > SHOWN { ", …" } else { "" };
            let number = others.len();
            warnings.push(format!(
                "{number} entries of the zip are not part of an Odoo backup and were not imported: {}{more}",
                names.join(", ")
            ));
        }
        warnings
    }

    /// Returns where the filestore is after it was unpacked.
    pub(super) fn filestore(&self, scratch: &Scratch) -> PathBuf {
        match self {
            Self::Archive(Archive { filestore: Some(Files::Folder(folder)), .. }) => folder.clone(),
            _ => scratch.filestore(),
        }
    }

    /// Unpacks the filestore into the scratch folder.
    pub(super) async fn unpack(&self, scratch: &Scratch, task: Task) -> Result<(), Error> {
        let into = NewFilestore::create(&scratch.filestore(), scratch.writers())?;
        let stop = scratch.stop();
        let unpacking = match self {
            Self::Zip(zip, path) => {
                let mut buffer = vec![0; CHUNK];
                let unpack = zip.files(move |name, content| {
                    into.add(name, &mut stop.reader(task.reader(content)), &mut buffer).map(drop)
                });
                (path, tokio::task::spawn_blocking(unpack))
            }
            Self::Archive(Archive { filestore: Some(Files::Tar(path, _)), .. }) => {
                let tar = File::open(path).map_err(reading(path))?;
                let unpack = move || unpack(stop.reader(tar), &into, &task, |_, _| Ok(true)).map(drop);
                (path, tokio::task::spawn_blocking(unpack))
            }
            Self::Archive(_) => return Ok(()),
        };
        let (path, done) = unpacking;
        done.await.map_err(io::Error::from).flatten().map_err(reading(path))
    }

    /// Loads the dump into the scratch database. Returns what could not be created, in sentences.
    pub(super) async fn load(&self, scratch: &Scratch, task: Task) -> Result<Vec<String>, Error> {
        match self {
            Self::Zip(zip, path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let subject = format!("dump.sql of {}", name.escape_debug());
                let dump = zip.dump();
                let (script, _) = produce(move |out| dump(&mut Counting { out, task }));
                let Loaded { statements, left_out, unmade } =
                    postgres::load_script(scratch.session(), script, &subject).await?;
                tracing::info!(statements, left_out, "dump.sql was run");
                Ok(unmade)
            }
            Self::Archive(Archive { path, tool, toc, trusted, .. }) => {
                let jobs = std::thread::available_parallelism().map_or(1, |jobs| jobs.get().min(8) as u32);
                let tuning = Tuning::of(scratch.session(), jobs).await?;
                let endpoint = scratch.session().endpoint();
                let (tuning, scratch_folder) = (&tuning, scratch.folder());
                let mut toc = toc.clone();
                let mut unmade = Vec::new();
                // One section after the other: with several jobs, a trigger could exist before the
                // rows that it must not see.
                for section in [Section::Extensions, Section::PreData, Section::Data, Section::PostData] {
                    let restoring = Restoring {
                        tool,
                        endpoint,
                        toc: &toc,
                        tuning,
                        scratch: scratch_folder,
                        without_tablespaces: true,
                    };
                    // The first reads the whole table of contents. The rows are streamed, so that
                    // nothing in the archive can lead pg_restore to another place than what was
                    // checked.
                    if !trusted && [Section::Extensions, Section::Data].contains(&section) {
                        let dump: Body = Box::pin(tokio::fs::File::open(path).await.map_err(reading(path))?);
                        let dump = postgres::guarded(dump, &path.display().to_string(), GuardedFor::Restore);
                        restoring.stream(dump, section).await?;
                    } else {
                        restoring.file(path, section).await?;
                    }
                    if section == Section::Extensions {
                        let left_out = align(scratch, path).await?;
                        toc.leave_out(left_out.iter().map(|one| one.id));
                        unmade.extend(left_out.iter().map(LeftOut::to_string));
                    }
                }
                Ok(unmade)
            }
        }
    }
}

impl Archive {
    async fn open(path: PathBuf, options: &ImportOptions, server: &Database) -> Result<Self, Error> {
        // Which version wrote it is unknown before a program has read it.
        let tools = Tools::new(server.pg_path.as_deref());
        let newest = tools.installed("pg_restore").await.into_iter().max_by_key(|tool| tool.major);
        let tool = match newest {
            Some(newest) => newest,
            None => tools.find("pg_restore", 1).await?,
        };
        let body: Body = Box::pin(tokio::fs::File::open(&path).await.map_err(reading(&path))?);
        let encoding = postgres::read_encoding(body).await.map_err(reading(&path))?;
        let body: Body = Box::pin(tokio::fs::File::open(&path).await.map_err(reading(&path))?);
        let toc = postgres::read_toc(&tool, body, &path.display().to_string()).await?;
        let sibling = path.with_extension("tar");
        let filestore = options.filestore.clone().or_else(|| sibling.is_file().then_some(sibling));
        let filestore = filestore.as_deref().map(|filestore| {
            let found = filestore.metadata().map_err(reading(filestore))?;
            let absolute = std::path::absolute(filestore).map_err(reading(filestore))?;
            Ok::<_, Error>(if found.is_dir() { Files::Folder(absolute) } else { Files::Tar(absolute, found.len()) })
        });
        Ok(Self { path, tool, toc, filestore: filestore.transpose()?, trusted: options.trusted, encoding })
    }
}

/// Makes the functions of extensions immutable that the archive's indexes call: they were so at the
/// source. Returns what cannot be created because the role may not.
async fn align(scratch: &Scratch, archive: &Path) -> Result<Vec<LeftOut>, Error> {
    let file = tokio::fs::File::open(archive).await.map_err(reading(archive))?;
    let entries = postgres::read_entries(Box::pin(file)).await.map_err(reading(archive))?;
    // Nothing is known of an older archive; then pg_restore reports what is missing.
    let entries = entries.unwrap_or_default();
    let original = Original { members: None, extensions: &[], major: 0 };
    let aligned = postgres::align_members(scratch.session(), original, &entries).await?;
    Ok(LeftOut::of(&entries, aligned.left_out))
}

/// Counts what is written.
struct Counting<'a, W> {
    out: &'a mut W,
    task: Task,
}

impl<W: io::Write> io::Write for Counting<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buf)?;
        self.task.advance(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let action = format!("read {}", path.display());
    move |source| Error::Io { action, source }
}
