//! Odoo's zip, which is examined before anything is read from it.
//!
//! Its directory is checked against the file's length, the free space and, during reading, the
//! content: no entry yields more than it declares, and all of them together no more than fits.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rawzip::time::ZipDateTimeKind;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder, ZipFileHeaderRecord,
};
use serde::Deserialize;

use super::ImportError;
use crate::filestore::check_path;

/// What Odoo writes next to the dump (`dump_db_manifest` in `odoo/service/db.py`); all of it is
/// informative.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OdooManifest {
    pub(super) db_name: Option<String>,
    pub(super) version: Option<String>,
}

/// A zip and its content.
#[derive(Debug)]
pub(super) struct OdooZip {
    path: PathBuf,
    archive: Arc<ZipArchive<FileReader>>,
    dump: Entry,
    pub(super) made_at: Option<Timestamp>,
    pub(super) manifest: OdooManifest,
    /// The files of the filestore, by their paths in it.
    files: Arc<[(String, Entry)]>,
    /// Names of all other entries.
    pub(super) others: Vec<String>,
}

/// A file in it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    size: u64,
    deflated: bool,
    place: ZipArchiveEntryWayfinder,
}

/// A longer manifest is not one.
const LONGEST_MANIFEST: u64 = 16 * 1024 * 1024;

impl OdooZip {
    /// Opens a zip and examines its directory.
    ///
    /// # Errors
    /// [`ImportError::BadZip`], as an [`io::Error`]'s source; those of the operating system.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let bad = |reason: String| io::Error::other(ImportError::BadZip { path: path.to_owned(), reason });
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| bad(error.to_string()))?;
        let mut survey = Survey::default();
        let mut entries = archive.entries(&mut buffer);
        let mut number = 0;
        while let Some(entry) = entries.next_entry().map_err(|error| bad(error.to_string()))? {
            number += 1;
            survey.look(&entry).map_err(&bad)?;
        }
        if number != archive.entries_hint() {
            return Err(bad(format!("it declares {} entries and contains {number}", archive.entries_hint())));
        }
        // Overlapping entries are how a small file unpacks to any size.
        if survey.stored > length {
            return Err(bad("its entries overlap".to_owned()));
        }
        let Some((dump, made_at)) = survey.dump else {
            return Err(match survey.others.iter().find(|name| name.ends_with(".dump")) {
                Some(dump) => io::Error::other(ImportError::ForeignZip {
                    path: path.to_owned(),
                    dump: dump.escape_debug().to_string(),
                }),
                None => bad("it contains no dump.sql".to_owned()),
            });
        };
        let mut zip = Self {
            path: path.to_owned(),
            archive: Arc::new(archive),
            dump,
            made_at,
            manifest: OdooManifest::default(),
            files: survey.files.into(),
            others: survey.others,
        };
        if let Some(manifest) = survey.manifest.filter(|manifest| manifest.size <= LONGEST_MANIFEST) {
            let mut text = Vec::new();
            zip.read(manifest, |content| content.read_to_end(&mut text).map(drop))?;
            zip.manifest = serde_json::from_slice(&text).unwrap_or_default();
        }
        Ok(zip)
    }

    /// Returns the bytes of the dump.
    pub(super) fn dump_bytes(&self) -> u64 {
        self.dump.size
    }

    /// Returns the number of the filestore's files, and their total bytes.
    pub(super) fn filestore(&self) -> (usize, u64) {
        (self.files.len(), self.files.iter().map(|(_, entry)| entry.size).sum())
    }

    /// Returns what reads the dump on a thread.
    pub(super) fn dump(&self) -> impl FnOnce(&mut dyn io::Write) -> io::Result<()> + Send + use<> {
        let (archive, path, dump) = (self.archive.clone(), self.path.clone(), self.dump);
        move |out| read(&archive, &path, dump, |content| io::copy(content, out).map(drop))
    }

    /// Returns what passes every file of the filestore to `each`, on a thread.
    pub(super) fn files<F: FnMut(&str, &mut dyn Read) -> io::Result<()> + Send + 'static>(
        &self,
        mut each: F,
    ) -> impl FnOnce() -> io::Result<()> + Send + use<F> {
        let (archive, path, files) = (self.archive.clone(), self.path.clone(), self.files.clone());
        move || files.iter().try_for_each(|(name, entry)| read(&archive, &path, *entry, |content| each(name, content)))
    }

    fn read(&self, entry: Entry, take: impl FnOnce(&mut dyn Read) -> io::Result<()>) -> io::Result<()> {
        read(&self.archive, &self.path, entry, take)
    }
}

/// Lets `take` read an entry to its end, and compares its length and checksum.
fn read(
    archive: &ZipArchive<FileReader>,
    path: &Path,
    entry: Entry,
    take: impl FnOnce(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let bad = |reason: String| io::Error::other(ImportError::BadZip { path: path.to_owned(), reason });
    let found = archive.get_entry(entry.place).map_err(|error| bad(error.to_string()))?;
    let reader = found.reader();
    // One byte more than declared is enough to know.
    let limit = entry.size.saturating_add(1);
    let mut content: Box<dyn Read> = match entry.deflated {
        true => Box::new(found.verifying_reader(flate2::read::DeflateDecoder::new(reader).take(limit))),
        false => Box::new(found.verifying_reader(reader.take(limit))),
    };
    let taken = take(&mut content);
    match taken.and_then(|()| io::copy(&mut content, &mut io::sink())) {
        Ok(_) => Ok(()),
        // The library wraps its error about a mismatch of the content.
        Err(error) if error.get_ref().is_some_and(|inner| inner.is::<rawzip::Error>()) => Err(bad(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(bad("its compressed data is damaged".into())),
        Err(error) => Err(error),
    }
}

/// What was found in a zip's directory.
#[derive(Default)]
struct Survey {
    dump: Option<(Entry, Option<Timestamp>)>,
    manifest: Option<Entry>,
    files: Vec<(String, Entry)>,
    others: Vec<String>,
    /// Names in lower case: two that differ only in case are one on some systems, and Odoo writes
    /// none.
    names: HashSet<String>,
    /// Bytes that the entries occupy in the file.
    stored: u64,
}

impl Survey {
    fn look(&mut self, entry: &ZipFileHeaderRecord<'_>) -> Result<(), String> {
        const TYPE: u32 = 0o170_000;
        const FILE: u32 = 0o100_000;
        const FOLDER: u32 = 0o040_000;
        let bytes = entry.file_path().as_bytes();
        let shown = || format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
        let is_folder = bytes.ends_with(b"/");
        let name = check_path(bytes.strip_suffix(b"/").unwrap_or(bytes)).ok();
        // Two ways to write a path would be two names of one file.
        let plain = name.filter(|name| name.split('/').all(|part| !part.is_empty() && part != "."));
        let name = plain.ok_or_else(|| format!("the name {} leads out of the folder", shown()))?;
        if !self.names.insert(name.to_lowercase()) {
            return Err(format!("it contains {} twice", shown()));
        }
        // Not every writer sets the type of an entry.
        let kind = (entry.external_attributes() >> 16) & TYPE;
        if ![0, if is_folder { FOLDER } else { FILE }].contains(&kind) {
            return Err(format!("{} is not a plain file", shown()));
        }
        if is_folder {
            return Ok(());
        }
        if entry.flags().is_encrypted() || entry.flags().has_strong_encryption() {
            return Err(format!("{} is encrypted", shown()));
        }
        let deflated = match entry.compression_method() {
            CompressionMethod::DEFLATE => true,
            CompressionMethod::STORE => false,
            _ => return Err(format!("{} is compressed in a way that Odoo does not use", shown())),
        };
        self.stored = self.stored.saturating_add(entry.compressed_size_hint());
        let found = Entry { size: entry.uncompressed_size_hint(), deflated, place: entry.wayfinder() };
        match (name, name.strip_prefix("filestore/")) {
            ("dump.sql", _) => self.dump = Some((found, modified(entry))),
            ("manifest.json", _) => self.manifest = Some(found),
            // The queue of Odoo's collector is not data.
            (_, Some(path)) if path.starts_with("checklist/") => {}
            (_, Some(path)) => self.files.push((path.to_owned(), found)),
            _ => self.others.push(name.to_owned()),
        }
        Ok(())
    }
}

/// Returns when a file was made: its time in UTC if the zip has it, otherwise in this machine's
/// time zone. A date before 1981 is ignored.
fn modified(entry: &ZipFileHeaderRecord<'_>) -> Option<Timestamp> {
    match entry.last_modified() {
        ZipDateTimeKind::Utc(time) => Timestamp::from_second(time.to_unix()).ok(),
        ZipDateTimeKind::Local(time) => {
            let part = |part: u8| i8::try_from(part).ok();
            let year = i16::try_from(time.year()).ok().filter(|year| *year > 1980)?;
            let (month, day) = (part(time.month())?, part(time.day())?);
            let (hour, minute, second) = (part(time.hour())?, part(time.minute())?, part(time.second())?);
            let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
            civil.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
        }
    }
}
