//! The map of a dump: of which parts of which volumes it consists.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use crate::stream::{Encoded, FrameWriter, Level, Malformed, records};

/// A part of a dump: consecutive bytes of an uncompressed volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The number of the volume.
    pub volume: u32,
    /// Its first byte in the volume.
    pub offset: u64,
    /// Its length, never 0.
    pub length: u64,
}

/// A volume's number, and its length before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeSize {
    /// Its number in the map.
    pub number: u32,
    /// Its bytes before compression.
    pub bytes: u64,
}

/// The most segments of a map, in 48 MB of memory. A writer reuses nothing more from there on.
pub(super) const MOST_SEGMENTS: u64 = 2_000_000;

/// Longer than any line: three numbers of at most 20 digits.
const LONGEST_LINE: usize = 64;

/// Writes a map: one line a segment, `VOLUME OFFSET LENGTH`.
pub(super) struct MapWriter {
    list: FrameWriter<Vec<u8>>,
    last: Option<Segment>,
    segments: u64,
    used: BTreeSet<u32>,
}

impl MapWriter {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            list: FrameWriter::new(Vec::new(), Level::OF_LISTS)?,
            last: None,
            segments: 0,
            used: BTreeSet::new(),
        })
    }

    /// Appends bytes of the dump. What continues the last segment becomes part of it.
    pub(super) fn push(&mut self, next: Segment) -> io::Result<()> {
        match &mut self.last {
            Some(last) if last.volume == next.volume && last.offset + last.length == next.offset => {
                last.length += next.length;
                Ok(())
            }
            last => {
                self.segments += 1;
                self.used.insert(next.volume);
                last.replace(next).map_or(Ok(()), |last| write(&mut self.list, last))
            }
        }
    }

    /// Returns whether one more segment of earlier volumes, and one after it, still fit.
    pub(super) fn has_room(&self) -> bool {
        self.segments + 2 <= MOST_SEGMENTS
    }

    /// Returns the list, how many segments it has, and the numbers of the volumes in it.
    pub(super) fn finish(mut self) -> io::Result<(Encoded, u64, BTreeSet<u32>)> {
        if let Some(last) = self.last {
            write(&mut self.list, last)?;
        }
        Ok((self.list.into_list()?, self.segments, self.used))
    }
}

fn write(list: &mut FrameWriter<Vec<u8>>, Segment { volume, offset, length }: Segment) -> io::Result<()> {
    writeln!(list, "{volume} {offset} {length}")
}

/// Reads a map of a dump of `dump` bytes, made of these volumes.
///
/// # Errors
/// Those of `map`; `Malformed` if it is no such map
pub fn read_map(map: impl Read, volumes: &[VolumeSize], dump: u64) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    let mut left = dump;
    for line in records(map, b'\n', LONGEST_LINE) {
        let line = line?;
        let segment = parse(&line).ok_or_else(|| malformed("a line of it is no segment".to_owned()))?;
        let Segment { volume: number, offset, length } = segment;
        let volume = volumes.iter().find(|volume| volume.number == number);
        let volume = volume.ok_or_else(|| malformed(format!("it names volume {number}, which the backup lacks")))?;
        if length == 0 || offset.checked_add(length).is_none_or(|end| end > volume.bytes) {
            let bytes = volume.bytes;
            let text = format!("{length} bytes at {offset} are not in volume {number}, which has {bytes} bytes");
            return Err(malformed(text));
        }
        left =
            left.checked_sub(length).ok_or_else(|| malformed(format!("it has more than the dump's {dump} bytes")))?;
        if segments.len() as u64 == MOST_SEGMENTS {
            return Err(malformed(format!("it has more than {MOST_SEGMENTS} segments")));
        }
        segments.push(segment);
    }
    match left {
        0 => Ok(segments),
        left => Err(malformed(format!("it lacks {left} of the dump's {dump} bytes"))),
    }
}

fn malformed(text: String) -> io::Error {
    Malformed(text).into()
}

fn parse(line: &[u8]) -> Option<Segment> {
    let mut fields = line.split(|byte| *byte == b' ');
    let [volume, offset, length] = [fields.next()?, fields.next()?, fields.next()?].map(number);
    let segment = Segment { volume: u32::try_from(volume?).ok()?, offset: offset?, length: length? };
    fields.next().is_none().then_some(segment)
}

/// Parses a number as this program writes it: digits without a sign and without leading zeros.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let is_written_so = !text.is_empty() && (text[0] != b'0' || text.len() == 1);
    let digits = text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    digits.filter(|_| is_written_so)
}

/// Returns how many different bytes of each volume a map needs, in the order of `volumes`.
pub fn needs(segments: &[Segment], volumes: &[VolumeSize]) -> Vec<u64> {
    let mut ranges: Vec<_> =
        segments.iter().map(|part| (part.volume, part.offset, part.offset + part.length)).collect();
    ranges.sort_unstable();
    let mut needed = vec![0; volumes.len()];
    for (needed, volume) in needed.iter_mut().zip(volumes) {
        let from = ranges.partition_point(|range| range.0 < volume.number);
        let mut seen = 0;
        for (_, start, end) in ranges[from..].iter().take_while(|range| range.0 == volume.number) {
            *needed += end.saturating_sub(seen.max(*start));
            seen = seen.max(*end);
        }
    }
    needed
}

#[cfg(test)]
mod tests;
