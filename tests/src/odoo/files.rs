//! The filestore: files named by the SHA-1 of their content, in Odoo's mix of kinds and sizes.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use fastrand::Rng;
use sha1::{Digest, Sha1};

use super::text;

/// One file of a filestore.
#[derive(Debug, Clone)]
pub(super) struct StoredFile {
    /// The SHA-1 of its content, in hexadecimal.
    pub(super) checksum: String,
    /// Its length in bytes.
    pub(super) size: u64,
    pub(super) kind: Kind,
}

impl StoredFile {
    /// Returns `ab/abcdef…`, as in `ir_attachment.store_fname`.
    pub(super) fn store_fname(&self) -> String {
        format!("{}/{}", &self.checksum[..2], self.checksum)
    }
}

/// The kind of content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Pdf,
    Zip,
    Csv,
    Xml,
    Asset,
}

impl Kind {
    pub(super) fn mimetype(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Pdf => "application/pdf",
            Self::Zip => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Csv => "text/csv",
            Self::Xml => "application/xml",
            Self::Asset => "application/javascript",
        }
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Pdf => "pdf",
            Self::Zip => "xlsx",
            Self::Csv => "csv",
            Self::Xml => "xml",
            Self::Asset => "min.js",
        }
    }

    /// Returns the first bytes of such a file. `None` for text.
    fn magic(self) -> Option<&'static [u8]> {
        match self {
            Self::Jpeg => Some(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
            Self::Pdf => Some(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
            Self::Zip => Some(b"PK\x03\x04\x14\x00\x06\x00"),
            Self::Csv | Self::Xml | Self::Asset => None,
        }
    }
}

/// In a real filestore of 3 GB, 65 % of the bytes were incompressible.
const INCOMPRESSIBLE: f64 = 0.65;
const SMALLEST: u64 = 200;

/// Writes `count` files of about `bytes` in total. Next to some of them it writes the markers that
/// Odoo leaves for its collector.
pub(super) fn write(filestore: &Path, count: u64, bytes: u64, rng: &mut Rng) -> io::Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    let (mut written, mut incompressible) = (0_u64, 0_u64);
    for size in sizes(count, bytes, rng) {
        let kind = if (incompressible as f64) <= INCOMPRESSIBLE * written as f64 {
            incompressible += size;
            [Kind::Jpeg, Kind::Jpeg, Kind::Pdf, Kind::Pdf, Kind::Zip][rng.usize(..5)]
        } else {
            [Kind::Csv, Kind::Xml, Kind::Asset][rng.usize(..3)]
        };
        written += size;
        files.push(store(filestore, kind, &content(kind, size, rng))?);
    }
    for file in files.iter().filter(|_| rng.u8(..100) == 0) {
        mark(filestore, &file.store_fname())?;
    }
    Ok(files)
}

/// Returns log-normal sizes: most files are small, most bytes are in a few large ones.
fn sizes(count: u64, bytes: u64, rng: &mut Rng) -> Vec<u64> {
    let drawn: Vec<f64> = (0..count).map(|_| (1.8 * normal(rng)).clamp(-5.0, 5.0).exp()).collect();
    let scale = bytes.saturating_sub(count * SMALLEST) as f64 / drawn.iter().sum::<f64>();
    drawn.iter().map(|size| SMALLEST + (size * scale) as u64).collect()
}

/// Returns a normally distributed number by the method of Box and Muller.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Returns the SHA-1 in hexadecimal.
pub(super) fn checksum(content: &[u8]) -> String {
    Sha1::digest(content).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes a file as Odoo does: under its SHA-1, where a file with the same content may already
/// exist.
pub(super) fn store(filestore: &Path, kind: Kind, content: &[u8]) -> io::Result<StoredFile> {
    let file = StoredFile { checksum: checksum(content), size: content.len() as u64, kind };
    let path = filestore.join(file.store_fname());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)?;
    Ok(file)
}

/// Creates the empty file with which Odoo asks its collector to check whether a file is still
/// needed.
pub(super) fn mark(filestore: &Path, store_fname: &str) -> io::Result<()> {
    let marker = filestore.join("checklist").join(store_fname);
    if let Some(folder) = marker.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(marker, "")
}

pub(super) fn content(kind: Kind, size: u64, rng: &mut Rng) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let Some(magic) = kind.magic() else { return text_content(kind, size, rng) };
    let mut content = vec![0; size];
    rng.fill(&mut content);
    content[..magic.len()].copy_from_slice(magic);
    content
}

fn text_content(kind: Kind, size: usize, rng: &mut Rng) -> Vec<u8> {
    let mut text = String::with_capacity(size + 256);
    // The first line is unique, so two files of the same kind are never equal by chance.
    let _ = writeln!(text, "# {:016x}", rng.u64(..));
    let mut line = 0;
    while text.len() < size {
        line += 1;
        let _ = match kind {
            Kind::Csv => writeln!(
                text,
                "{line};{};{};{};{:04}-{:02}-{:02};{}.{:02}",
                text::token(rng, 48),
                text::person(rng),
                text::phrase(rng, 3),
                rng.u16(2020..2027),
                rng.u8(1..13),
                rng.u8(1..29),
                rng.u32(..100_000),
                rng.u8(..100)
            ),
            Kind::Xml => writeln!(
                text,
                "  <cac:InvoiceLine>\n    <cbc:ID>{line}</cbc:ID>\n    <cbc:UUID>{}</cbc:UUID>\n    <cbc:Name>{}</cbc:Name>\n  \
                 </cac:InvoiceLine>",
                text::token(rng, 64),
                text::phrase(rng, 12)
            ),
            _ => writeln!(
                text,
                "odoo.define('@{0}/{1}',['@web/{0}'],function(require){{const {{{1}}}=require('@{2}');return '{3}';}});",
                text::word(rng),
                text::word(rng),
                text::phrase(rng, 6),
                text::token(rng, 64)
            ),
        };
    }
    let mut content = text.into_bytes();
    content.truncate(size);
    content
}
