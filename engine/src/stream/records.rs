//! Splits what is read into lines and other records, none of which takes more memory than it
//! should.

use std::io::{self, BufRead, BufReader, Read};

/// The content of an object is not valid: it was damaged when it was written, or forged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl From<Malformed> for io::Error {
    /// Wraps the error, so that it passes through a stream and can be found as its source.
    fn from(error: Malformed) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// Splits what `source` yields into records that end in `end`, and returns them without it. A
/// record longer than `longest` bytes is an error, `Malformed`, and so is everything after it.
pub fn records(source: impl Read, end: u8, longest: usize) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let mut source = BufReader::new(source);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let read = next(&mut source, end, longest);
        failed = read.is_err();
        read.transpose()
    })
}

fn next(source: &mut impl BufRead, end: u8, longest: usize) -> io::Result<Option<Vec<u8>>> {
    let mut record = Vec::new();
    if source.take(longest as u64 + 1).read_until(end, &mut record)? == 0 {
        return Ok(None);
    }
    if record.last() == Some(&end) {
        record.pop();
    } else if record.len() > longest {
        return Err(Malformed(format!("an entry of it is longer than {longest} bytes")).into());
    }
    Ok(Some(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_split_at_their_ends() {
        let read = |text: &'static str| records(text.as_bytes(), b'\n', 4).collect::<io::Result<Vec<_>>>().unwrap();
        assert_eq!(read("a\n\nfour\nlast"), [&b"a"[..], b"", b"four", b"last"]);
        assert_eq!(read(""), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn endless_record_is_malformed() {
        let mut endless = records(io::repeat(0), b'\n', 1000);
        let error = endless.next().unwrap().unwrap_err();
        assert!(error.get_ref().unwrap().is::<Malformed>(), "{error}");
        assert!(endless.next().is_none());
    }
}
