//! Writes a volume again with some of its files, and compares a volume with its list.

use std::collections::HashMap;
use std::io;

use super::FilestoreError;
use super::content::Seen;
use super::unpack::read_files;
use super::volume::{ListForm, ListedFile, VolumeWriter, WrittenVolume};
use super::walk::{BATCH_BYTES, BATCH_FILES};
use crate::progress::Task;
use crate::stream::{Body, CHUNK, DecodeReader, DigestReader, Encoded, Fingerprint, Level, copy, transform};

/// Writes a volume again with only the files `wanted`, which it must contain as listed. `stored`
/// are its bytes. They are compared with their fingerprints before the end of the new volume is
/// reported.
pub(crate) fn reduce(
    stored: Body,
    fingerprints: (Fingerprint, Fingerprint),
    wanted: HashMap<String, ListedFile>,
    (level, form): (Level, ListForm),
    task: Task,
) -> Encoded<WrittenVolume> {
    let (body, outcome) = transform(stored, CHUNK, move |bytes, out| {
        let (plain, stored) = fingerprints;
        let archive = task.reader(DecodeReader::new(bytes, plain, stored)?);
        write_wanted(archive, wanted, VolumeWriter::new(out, level, form)?)?.finish()
    });
    Encoded { body, outcome }
}

fn write_wanted<W: io::Write>(
    archive: impl io::Read,
    mut wanted: HashMap<String, ListedFile>,
    mut volume: VolumeWriter<W>,
) -> io::Result<VolumeWriter<W>> {
    let mut buffer = vec![0; CHUNK];
    let (mut files, mut bytes) = (0, 0);
    read_files(archive, |path, size, content| {
        let Some(listed) = wanted.remove(path) else {
            return copy(content, &mut io::sink(), &mut buffer).map(drop);
        };
        // Batched as in a backup: a file that would make the frame too large starts the next one.
        if files == BATCH_FILES || bytes + size > BATCH_BYTES {
            volume.end_frame()?;
            (files, bytes) = (0, 0);
        }
        (files, bytes) = (files + 1, bytes + size);
        let expected = Fingerprint { size: listed.size, sha256: listed.sha256 };
        volume.append(path, (size, listed.mtime), |archive| {
            let mut content = DigestReader::new(content);
            copy(&mut content, archive, &mut buffer)?;
            match content.fingerprint() {
                found if found == expected => Ok(Seen { sha256: found.sha256, as_named: true, changed: false }),
                _ => Err(FilestoreError::BadArchive(format!("{path:?} is not what the list says")).into()),
            }
        })?;
        Ok(())
    })?;
    match wanted.into_keys().min() {
        None => Ok(volume),
        Some(path) => Err(FilestoreError::BadArchive(format!("{path:?} is in the list only")).into()),
    }
}

/// Returns how an archive differs from its list. Returns `None` if it contains exactly what is
/// listed.
///
/// # Errors
/// Those of `archive`; an error if it is not a volume
pub(crate) fn compare(archive: impl io::Read, mut listed: HashMap<String, Fingerprint>) -> io::Result<Option<String>> {
    let mut wrong = Wrong::default();
    read_files(archive, |path, _, content| {
        let mut content = DigestReader::new(content);
        io::copy(&mut content, &mut io::sink())?;
        match listed.remove(path) {
            Some(expected) if expected == content.fingerprint() => {}
            Some(_) => wrong.add(path, "is not what the list says"),
            None => wrong.add(path, "is not in the list"),
        }
        Ok(())
    })?;
    let mut only_listed: Vec<_> = listed.into_keys().collect();
    only_listed.sort();
    only_listed.iter().for_each(|path| wrong.add(path, "is in the list only"));
    Ok(wrong.in_a_sentence())
}

/// Problems of files, of which there may be very many.
#[derive(Default)]
struct Wrong {
    first: Vec<String>,
    number: usize,
}

impl Wrong {
    fn add(&mut self, path: &str, what: &str) {
        const SHOWN: usize = 10;
        self.number += 1;
        if self.first.len() < SHOWN {
            self.first.push(format!("{} {what}", path.escape_debug()));
        }
    }

    fn in_a_sentence(mut self) -> Option<String> {
        self.first.sort();
        let more = self.number - self.first.len();
        let first = self.first.join("; ");
        match (self.number, more) {
            (0, _) => None,
            (_, 0) => Some(first),
            (_, more) => Some(format!("{first}; and {more} more")),
        }
    }
}

#[cfg(test)]
mod tests;
