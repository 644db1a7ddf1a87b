use super::*;
use crate::dump::made_up::bytes_of_body;

const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const CHUNK: &str = "00112233445566778899aabbccddeeff";
const LENGTHS: Lengths = Lengths { plain: 100_000, stored: 30_000 };

fn header(frame: u64, frames: u64, chunks: u64) -> String {
    let chunker = r#"{"algorithm":"fastcdc-2020-1","minimum":2048,"average":8192,"maximum":65536}"#;
    format!(r#"{{"chunker":{chunker},"key":"{KEY}","frame":{frame},"frames":{frames},"chunks":{chunks}}}"#)
}

/// Returns an index of two frames and three parts.
fn lines() -> Vec<String> {
    let frames = [format!("20000 {SHA}"), format!("10000 {SHA}")];
    let chunks = [format!("60000 {CHUNK}"), "30000 -".into(), format!("10000 {CHUNK}")];
    [header(65_536, 2, 3)].into_iter().chain(frames).chain(chunks).collect()
}

fn read(lines: &[String]) -> io::Result<(Index, Vec<Listed>)> {
    let (mut listed, mut announced) = (Vec::new(), 0);
    let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let begin = |chunks| {
        announced = chunks;
        Ok(())
    };
    let index = read_index_with(text.as_bytes(), LENGTHS, begin, |chunk| listed.push(chunk))?;
    assert_eq!(announced, listed.len() as u64);
    assert_eq!(read_index(text.as_bytes(), LENGTHS).unwrap(), index);
    Ok((index, listed))
}

fn refusal(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut changed = lines();
    change(&mut changed);
    let error = read(&changed).unwrap_err();
    error.get_ref().unwrap().downcast_ref::<Malformed>().expect("not damage").0.clone()
}

#[test]
fn index_lists_frames_and_chunks() {
    let (index, listed) = read(&lines()).unwrap();
    let sha256 = SHA.parse().unwrap();
    let frames = &index.frames;
    assert_eq!(frames.get(0), Some(Frame { stored: 0..20_000, sha256, plain: 65_536 }));
    assert_eq!(frames.get(1), Some(Frame { stored: 20_000..30_000, sha256, plain: 34_464 }));
    assert_eq!(frames.get(2), None);
    assert_eq!([0, 65_535, 65_536, 99_999].map(|at| frames.locate(at)), [(0, 0), (0, 65_535), (1, 0), (1, 34_463)]);
    let chunk = ChunkDigest::parse(CHUNK.as_bytes());
    assert_eq!(listed, [(60_000, chunk), (30_000, None), (10_000, chunk)]);
    assert!(index.chunker.suits(0));
}

#[test]
fn wrong_index_is_refused() {
    type Change = fn(&mut Vec<String>);
    let cases: [(&str, Change); 20] = [
        ("too early", |lines| lines.clear()),
        ("too early", |lines| lines.truncate(2)),
        ("too early", |lines| lines.truncate(5)),
        ("expected", |lines| lines[0] = "?".into()),
        ("64 hexadecimal", |lines| lines[0] = lines[0].replace("0707", "070")),
        ("frames do not fit", |lines| lines[0] = header(65_535, 2, 3)),
        ("frames do not fit", |lines| lines[0] = header(8 << 20, 1, 3)),
        ("frames do not fit", |lines| lines[0] = header(65_536, 1, 3)),
        ("frames do not fit", |lines| lines[0] = header(65_536, u64::MAX, 3)),
        ("too many chunks", |lines| lines[0] = header(65_536, 2, u64::MAX)),
        ("frames do not fit", |lines| lines[1] = lines[1].replace("20000", "20001")),
        ("frames do not fit", |lines| lines[1] = lines[1].replace("20000", "19999")),
        ("frames do not fit", |lines| lines[1] = lines[1].replace("20000", "0")),
        ("no frame", |lines| lines[1] = lines[1].replace("ba78", "ba7g")),
        ("no frame", |lines| lines[1] = lines[1].replace(' ', "")),
        ("no chunk", |lines| lines[3] = lines[3].replace("ff", "FF")),
        ("chunks do not fit", |lines| lines[3] = lines[3].replace("60000", "60001")),
        ("chunks do not fit", |lines| lines[4] = "0 -".into()),
        ("chunks do not fit", |lines| lines[4] = lines[4].replace("30000", "29999")),
        ("chunks do not fit", |lines| lines.push(format!("1 {CHUNK}"))),
    ];
    for (number, (said, change)) in cases.into_iter().enumerate() {
        let refusal = refusal(change);
        assert!(refusal.contains(said), "{number}: {refusal}");
    }
    let long = format!("90000 {CHUNK}");
    let said = refusal(|lines| {
        lines
            .splice(0..6, [header(65_536, 2, 2), lines[1].clone(), lines[2].clone(), long, format!("10000 {CHUNK}")])
            .for_each(drop)
    });
    assert!(said.contains("chunks do not fit"), "longer than the longest chunk: {said}");
}

#[test]
fn endless_line_is_refused() {
    let error = read_index(io::repeat(b'{'), LENGTHS).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[test]
fn written_index_reads_the_same() {
    let mut writer = IndexWriter::new();
    let (chunk, sha256) = (ChunkDigest::parse(CHUNK.as_bytes()).unwrap(), SHA.parse().unwrap());
    writer.frame(700, sha256);
    writer.chunk(9000, chunk);
    writer.chunk(1, chunk);
    let (chunker, key) = (Chunker::for_dump(0), ChunkKey::draw().unwrap());
    let stored = bytes_of_body(writer.finish(chunker.clone(), key).unwrap().body);
    let text = zstd::decode_all(stored.as_slice()).unwrap();
    let mut listed = Vec::new();
    let lengths = Lengths { plain: 9001, stored: 700 };
    let index = read_index_with(text.as_slice(), lengths, |_| Ok(()), |chunk| listed.push(chunk)).unwrap();
    assert_eq!(listed, [(9000, Some(chunk)), (1, Some(chunk))]);
    assert_eq!((index.chunker, index.key), (chunker, key));
    assert_eq!(index.frames.get(0).unwrap().stored, 0..700);
}

#[test]
fn chunks_beyond_limit_become_one_part() {
    let mut writer = IndexWriter::new();
    let chunk = ChunkDigest::parse(CHUNK.as_bytes()).unwrap();
    (0..MOST_CHUNKS + 5).for_each(|_| writer.chunk(2, chunk));
    assert_eq!((writer.chunks.len(), writer.more), (MOST_CHUNKS - 1, 12));
}
