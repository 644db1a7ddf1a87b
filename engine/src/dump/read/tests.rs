use std::sync::Arc;

use super::*;
use crate::dump::made_up::{noise, read_body};
use crate::dump::tests::Backup;
use crate::dump::{Lengths, VolumeSize, read_index, read_map};

#[tokio::test]
async fn opening_error_is_returned_unchanged() {
    let backup = Backup::next(None, &noise(1, 100_000)).await;
    let (dump, _) = backup.parts(&Arc::default()).unwrap();
    let open: Open = Arc::new(|_, _| Box::pin(async { Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")) }));
    let error = read_body(read_dump(Arc::new(dump), open, Task::default())).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::TimedOut, "no answer".to_owned()));
}

#[tokio::test]
async fn broken_connection_is_no_damage() {
    let backup = Backup::next(None, &noise(1, 100_000)).await;
    let (dump, _) = backup.parts(&Arc::default()).unwrap();
    let open: Open = Arc::new(|_, _| {
        Box::pin(async {
            let (broken, _) = crate::stream::produce::<(), _>(|out| {
                out.write_all(&[0; 100])?;
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended early"))
            });
            Ok(broken)
        })
    });
    let error = read_body(read_dump(Arc::new(dump), open, Task::default())).await.unwrap_err();
    assert_eq!(error.to_string(), "the connection ended early");
}

#[tokio::test]
async fn damage_names_volume_and_frame() {
    let mut backup = Backup::next(None, &noise(1, 5_000_000)).await;
    let bytes = &mut backup.volumes.get_mut(&1).unwrap().0.bytes;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let (bytes, error) = backup.read().await;
    let error = error.unwrap();
    let text = error.to_string();
    assert!(text.starts_with("shop/database-0001.zst is damaged: frame 2: expected SHA-256 "), "{text}");
    assert!(bytes.len() <= 4 << 20 && noise(1, 5_000_000).starts_with(&bytes));
}

#[tokio::test]
async fn dropped_reader_ends_its_requests() {
    let backup = Backup::next(None, &noise(1, 100_000)).await;
    let (dump, _) = backup.parts(&Arc::default()).unwrap();
    let (mut never_written, stuck) = tokio::io::duplex(64);
    let stuck = std::sync::Mutex::new(Some(stuck));
    let open: Open = Arc::new(move |_, _| {
        let stuck: Body = Box::pin(stuck.lock().unwrap().take().unwrap());
        Box::pin(async { Ok(stuck) })
    });
    drop(read_dump(Arc::new(dump), open, Task::default()));
    assert_eq!(never_written.read(&mut [0; 8]).await.unwrap(), 0);
}

/// Returns the frames of a volume whose one frame has these stored bytes, and should have `plain`.
fn one_frame(stored: &[u8], plain: u64) -> Frames {
    let header = r#"{"chunker":{"algorithm":"fastcdc-2020-1","minimum":2048,"average":8192,"maximum":65536},"key":"KEY","frame":65536,"frames":1,"chunks":1}"#;
    let text =
        format!("{}\n{} {}\n{plain} -\n", header.replace("KEY", &"07".repeat(32)), stored.len(), Digest::of(stored));
    read_index(text.as_bytes(), Lengths { plain, stored: stored.len() as u64 }).unwrap().frames
}

async fn read_one(stored: Vec<u8>, plain: u64) -> io::Result<Vec<u8>> {
    let volume =
        StoredVolume { number: 1, key: Key::new("shop/database-0001.zst").unwrap(), frames: one_frame(&stored, plain) };
    let segments = read_map(format!("1 0 {plain}\n").as_bytes(), &[VolumeSize { number: 1, bytes: plain }], plain)?;
    let dump = Dump::new(vec![volume], segments, Fingerprint { size: plain, ..Fingerprint::of(b"") })?;
    let open: Open = Arc::new(move |_, range| {
        let bytes = stored[range.start as usize..range.end as usize].to_vec();
        Box::pin(async { Ok(crate::stream::body_of(bytes)) })
    });
    read_body(read_dump(Arc::new(dump), open, Task::default())).await
}

#[tokio::test]
async fn frame_decompresses_to_its_length_alone() {
    let bomb = zstd::bulk::compress(&vec![0; 100_000_000], 1).unwrap();
    for (stored, said) in [
        (bomb, "cannot be decompressed"),
        (zstd::bulk::compress(&[1; 999], 1).unwrap(), "it has 999 bytes"),
        (b"no zstd at all".to_vec(), "cannot be decompressed"),
    ] {
        let error = read_one(stored, 1000).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<DamagedVolume>() && error.to_string().contains(said), "{error}");
    }
}

#[tokio::test]
async fn unfitting_parts_are_refused() {
    let frames = one_frame(b"?", 1000);
    let volume = |number| StoredVolume { number, key: Key::new("a").unwrap(), frames: frames.clone() };
    let whole = Fingerprint { size: 10, ..Fingerprint::of(b"") };
    let refused = |volumes: Vec<StoredVolume>, segment: (u32, u64, u64)| {
        let (volume, offset, length) = segment;
        let error = Dump::new(volumes, vec![Segment { volume, offset, length }], whole).unwrap_err();
        error.get_ref().unwrap().is::<Malformed>()
    };
    for segment in [(2, 0, 10), (1, 991, 10), (1, u64::MAX, 10), (1, 0, 0), (1, 0, 9), (1, 0, 11)] {
        assert!(refused(vec![volume(1)], segment), "{segment:?}");
    }
    let many: Vec<_> = (1..=MOST_VOLUMES as u32 + 1).map(volume).collect();
    assert!(refused(many, (1, 0, 10)));
    assert!(Dump::new(vec![volume(1)], vec![Segment { volume: 1, offset: 0, length: 10 }], whole).is_ok());
}
