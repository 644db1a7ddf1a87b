//! Makes volumes for tests that have no filestore.

use std::io::Write;

use super::content::Seen;
use super::volume::{ListForm, VolumeWriter, WrittenVolume};
use crate::stream::{Digest, Encoded, Level, produce};

/// Returns a volume of these files, by path and content, each in its own frame.
pub(crate) fn volume(files: impl IntoIterator<Item = (String, Vec<u8>)> + Send + 'static) -> Encoded<WrittenVolume> {
    let (body, outcome) = produce(move |out| {
        let mut volume = VolumeWriter::new(out, Level::default(), ListForm::FramesAndFiles)?;
        for (number, (path, content)) in (1_u64..).zip(files) {
            volume.append(&path, (content.len() as u64, number), |archive| {
                archive.write_all(&content)?;
                Ok(Seen { sha256: Digest::of(&content), as_named: true, changed: false })
            })?;
            volume.end_frame()?;
        }
        volume.finish()
    });
    Encoded { body, outcome }
}
