use std::io::{Read, Write};

use tokio::io::AsyncReadExt;

use super::*;
use crate::stream::{Encoded, Level, body_of, encode, produce};

async fn encoded(plain: &[u8]) -> (Vec<u8>, Fingerprint, Fingerprint) {
    let Encoded { mut body, outcome } = encode(body_of(plain.to_vec()), Level::default(), 0, Task::default());
    let mut stored_bytes = Vec::new();
    body.read_to_end(&mut stored_bytes).await.unwrap();
    let packed = outcome.get().unwrap();
    (stored_bytes, packed.plain, packed.stored)
}

fn read(stored_bytes: &[u8], plain: Fingerprint, stored: Fingerprint) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    DecodeReader::new(stored_bytes, plain, stored)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn mismatch(result: io::Result<Vec<u8>>) -> Mismatch {
    let error = result.expect_err("damage passed as intact");
    *error.get_ref().and_then(|e| e.downcast_ref::<Mismatch>()).expect("not a mismatch")
}

#[tokio::test]
async fn encoded_body_decodes_to_itself() {
    for plain in [Vec::new(), b"short".to_vec(), b"0123456789".repeat(300_000)] {
        let (bytes, before, after) = encoded(&plain).await;
        assert_eq!((before, after), (Fingerprint::of(&plain), Fingerprint::of(&bytes)));
        assert_eq!(read(&bytes, before, after).unwrap(), plain);
        let mut body = decode(body_of(bytes), before, after, Task::default());
        let mut back = Vec::new();
        body.read_to_end(&mut back).await.unwrap();
        assert_eq!(back, plain);
    }
}

#[tokio::test]
async fn flipped_or_missing_byte_is_damage() {
    let (bytes, plain, stored) = encoded(b"the only copy of a company's books").await;
    for position in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[position] ^= 1;
        assert!(matches!(mismatch(read(&damaged, plain, stored)), Mismatch::Stored { .. }), "byte {position}");
        assert!(
            matches!(mismatch(read(&bytes[..position], plain, stored)), Mismatch::Stored { .. }),
            "cut at {position}"
        );
    }
}

#[tokio::test]
async fn other_object_is_damage() {
    let (_, plain, stored) = encoded(b"mine").await;
    let (other, ..) = encoded(b"theirs").await;
    let found = mismatch(read(&other, plain, stored));
    assert!(matches!(found, Mismatch::Stored { .. } | Mismatch::StoredLonger { .. }), "{found}");
}

#[tokio::test]
async fn trailing_bytes_are_damage() {
    let (mut bytes, plain, stored) = encoded(b"mine").await;
    bytes.extend_from_slice(b"?");
    assert!(matches!(mismatch(read(&bytes, plain, stored)), Mismatch::StoredLonger { .. }));
    let error = verified(body_of(bytes), stored, Task::default()).read_to_end(&mut Vec::new()).await.unwrap_err();
    assert!(matches!(mismatch(Err(error)), Mismatch::StoredLonger { .. }));
}

/// Returns a quarter of a gigabyte of zeros, compressed to some kilobytes.
fn bomb() -> Vec<u8> {
    let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
    io::copy(&mut io::repeat(0).take(256 << 20), &mut out).unwrap();
    out.finish().unwrap()
}

#[test]
fn plain_bytes_stop_at_their_size() {
    let bytes = bomb();
    let (plain, stored) = (Fingerprint::of(&[0; 1000]), Fingerprint::of(&bytes));
    let mut reader = DecodeReader::new(bytes.as_slice(), plain, stored).unwrap();
    let mut out = Vec::new();
    let error = reader.read_to_end(&mut out).unwrap_err();
    assert_eq!(out.len(), 1000);
    assert_eq!(mismatch(Err(error)), Mismatch::PlainLonger { expected: 1000 });
}

#[test]
fn stored_bytes_stop_at_their_size() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 += buf.len() as u64;
            assert!(self.0 < 10_000_000, "reading does not stop");
            Ok(buf.len())
        }
    }
    let (plain, stored) = (Fingerprint::of(b""), Fingerprint::of(&[0; 1000]));
    let error = DecodeReader::new(Endless(0), plain, stored).unwrap().read(&mut [0; 8]).unwrap_err();
    assert!(matches!(mismatch(Err(error)), Mismatch::StoredLonger { expected: 1000 } | Mismatch::Stored { .. }));
}

#[test]
fn stored_garbage_is_malformed() {
    let bytes = b"no zstd at all".as_slice();
    let error = DecodeReader::new(bytes, Fingerprint::of(b""), Fingerprint::of(bytes)).unwrap().read(&mut [0; 8]);
    assert!(error.unwrap_err().get_ref().unwrap().is::<super::super::Malformed>());
}

#[test]
fn huge_window_is_refused() {
    let mut out = zstd::Encoder::new(Vec::new(), 19).unwrap();
    out.window_log(27).unwrap();
    out.include_contentsize(false).unwrap();
    io::copy(&mut io::repeat(7).take(1000), &mut out).unwrap();
    let bytes = out.finish().unwrap();
    let (plain, stored) = (Fingerprint::of(&[7; 1000]), Fingerprint::of(&bytes));
    let error = DecodeReader::new(bytes.as_slice(), plain, stored).unwrap().read(&mut [0; 8]).unwrap_err();
    assert!(error.get_ref().unwrap().is::<super::super::Malformed>(), "{error}");
}

#[tokio::test]
async fn wrong_plain_digest_is_damage() {
    let (bytes, _, stored) = encoded(b"mine").await;
    assert!(matches!(mismatch(read(&bytes, Fingerprint::of(b"else"), stored)), Mismatch::Plain { .. }));
}

#[tokio::test]
async fn failed_source_reports_its_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("connection lost"))
        }
    }
    let (_, plain, stored) = encoded(b"mine").await;
    let error = DecodeReader::new(Broken, plain, stored).unwrap().read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.to_string(), "connection lost");
}

#[tokio::test]
async fn broken_body_reports_its_error() {
    let noise: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (bytes, plain, stored) = encoded(&noise).await;
    let half = bytes[..bytes.len() / 2].to_vec();
    let (broken, _) = produce::<(), _>(move |out| {
        out.write_all(&half)?;
        Err(io::Error::new(io::ErrorKind::TimedOut, "connection lost"))
    });
    let error = decode(broken, plain, stored, Task::default()).read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "connection lost");
}

#[tokio::test]
async fn error_is_followed_by_no_end() {
    let (bytes, plain, stored) = encoded(&b"mine".repeat(100)).await;
    for damaged in [&bytes[..bytes.len() - 1], &[bytes.as_slice(), b"?"].concat()] {
        let mut reader = DecodeReader::new(damaged, plain, stored).unwrap();
        reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(reader.read(&mut [0; 8]).is_err());
    }
    let mut sound = DecodeReader::new(bytes.as_slice(), plain, stored).unwrap();
    sound.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(sound.read(&mut [0; 8]).unwrap(), 0);
}
