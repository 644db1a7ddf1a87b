//! Seals an encoded object on its way to the store.

use std::io::Write;

use super::produce::transform;
use super::{CHUNK, DigestWriter, Encoded, Packed};
use crate::seal::{Recipients, SealWriter};

/// Seals what an encoder makes, on a thread of its own. The stored fingerprint is that of the
/// sealed bytes.
///
/// Must be called within a tokio runtime.
pub fn seal<T: Send + 'static>(encoded: Encoded<T>, to: Recipients) -> Encoded<T> {
    let Encoded { body, outcome } = encoded;
    let (body, outcome) = transform(body, CHUNK, move |mut open, out| {
        let mut writer = SealWriter::new(DigestWriter::new(out), &to)?;
        while let Some(chunk) = open.next_chunk()? {
            writer.write_all(&chunk)?;
        }
        let (_, stored) = writer.finish()?.finish();
        // Its body was read to the end.
        let Packed { plain, value, .. } = outcome.get()?;
        Ok(Packed { plain, stored, value })
    });
    Encoded { body, outcome }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::progress::Task;
    use crate::seal::{Identities, Identity, SealError, open};
    use crate::stream::{
        DecodeReader, Digest, Fingerprint, FramePart, Level, Mismatch, Outcome, body_of, decode_sealed, encode, produce,
    };

    struct Sealed {
        bytes: Vec<u8>,
        plain: Fingerprint,
        stored: Fingerprint,
    }

    async fn sealed(plain: &[u8], key: &Identity) -> Sealed {
        let encoded = encode(body_of(plain.to_vec()), Level::default(), 1, Task::default());
        let Encoded { mut body, outcome } = seal(encoded, key.public().into());
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await.unwrap();
        let Packed { plain, stored, .. } = outcome.get().unwrap();
        Sealed { bytes, plain, stored }
    }

    async fn decoded(bytes: &[u8], sealed: &Sealed, key: &Identity) -> io::Result<Vec<u8>> {
        let with = Identities::of([key.clone()]);
        let mut body = decode_sealed(body_of(bytes.to_vec()), with, sealed.plain, sealed.stored, Task::default());
        let mut plain = Vec::new();
        body.read_to_end(&mut plain).await?;
        Ok(plain)
    }

    fn cause<E: std::error::Error + Send + Sync + 'static>(result: io::Result<Vec<u8>>) -> E {
        *result.expect_err("damage passed as intact").into_inner().unwrap().downcast().expect("another error")
    }

    #[tokio::test]
    async fn sealed_body_decodes_to_itself() {
        let key = Identity::generate();
        for plain in [Vec::new(), b"short".to_vec(), b"0123456789".repeat(1_000_000)] {
            let sealed = sealed(&plain, &key).await;
            assert_eq!((sealed.plain, sealed.stored), (Fingerprint::of(&plain), Fingerprint::of(&sealed.bytes)));
            assert!(sealed.bytes.starts_with(b"age-encryption.org/v1\n"));
            assert!(decoded(&sealed.bytes, &sealed, &key).await.unwrap() == plain);
        }
    }

    #[tokio::test]
    async fn changed_object_is_mismatch() {
        let key = Identity::generate();
        let sealed = sealed(&b"0123456789".repeat(100), &key).await;
        for position in 0..sealed.bytes.len() {
            let mut changed = sealed.bytes.clone();
            changed[position] ^= 1;
            for bytes in [&changed, &sealed.bytes[..position]] {
                let found: Mismatch = cause(decoded(bytes, &sealed, &key).await);
                assert!(matches!(found, Mismatch::Stored { .. }), "{position}: {found}");
            }
        }
        let longer = [sealed.bytes.as_slice(), b"more"].concat();
        let found: Mismatch = cause(decoded(&longer, &sealed, &key).await);
        assert!(matches!(found, Mismatch::StoredLonger { .. }), "{found}");
    }

    /// Every writer of the repository knows the recipient, and can seal what they like.
    #[tokio::test]
    async fn swapped_object_is_mismatch() {
        let key = Identity::generate();
        let (mine, theirs) = (sealed(b"mine", &key).await, sealed(b"theirs!", &key).await);
        let found: Mismatch = cause(decoded(&theirs.bytes, &mine, &key).await);
        assert!(matches!(found, Mismatch::Stored { .. } | Mismatch::StoredLonger { .. }), "{found}");
    }

    /// What another writer sealed does not reach zstd, whatever the digest of the whole says later.
    #[tokio::test]
    async fn frame_is_compared_before_zstd() {
        let key = Identity::generate();
        let (mine, theirs) = (sealed(b"mine", &key).await, sealed(b"them", &key).await);
        let keys = Identities::of([key.clone()]);
        let zstd = open(&mine.bytes, &keys, 1000).unwrap();
        let frames = vec![FramePart { length: zstd.len() as u64, sha256: Digest::of(&zstd) }];
        let read = |object: &Sealed, stored: Fingerprint| {
            let reader =
                DecodeReader::sealed(object.bytes.as_slice(), keys.clone(), frames.clone(), mine.plain, stored);
            let mut plain = Vec::new();
            reader.unwrap().read_to_end(&mut plain).map(|_| plain)
        };
        assert_eq!(read(&mine, mine.stored).unwrap(), b"mine");
        // Even if the manifest had the digest of the whole object.
        let found: Mismatch = cause(read(&theirs, theirs.stored));
        assert!(matches!(found, Mismatch::Frame { number: 0, .. }), "{found}");
        let found: Mismatch = cause(read(&theirs, mine.stored));
        assert!(matches!(found, Mismatch::Stored { .. } | Mismatch::StoredLonger { .. }), "{found}");
    }

    #[tokio::test]
    async fn object_of_other_key_says_so() {
        let key = Identity::generate();
        let sealed = sealed(b"mine", &key).await;
        let found: SealError = cause(decoded(&sealed.bytes, &sealed, &Identity::generate()).await);
        assert!(matches!(found, SealError::UnknownKey { .. }), "{found}");
    }

    #[tokio::test]
    async fn unsealed_object_says_so() {
        let Encoded { mut body, outcome } = encode(body_of("plain"), Level::default(), 1, Task::default());
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).await.unwrap();
        let Packed { plain, stored, .. } = outcome.get().unwrap();
        let open = Sealed { bytes, plain, stored };
        let found: SealError = cause(decoded(&open.bytes, &open, &Identity::generate()).await);
        assert!(matches!(found, SealError::NotSealed), "{found}");
    }

    #[tokio::test]
    async fn failed_encoder_never_looks_ended() {
        let (body, _) = produce::<(), _>(|out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk on fire"))
        });
        let packed = Packed { plain: Fingerprint::of(b""), stored: Fingerprint::of(b""), value: () };
        let key = Identity::generate();
        let Encoded { mut body, outcome } =
            seal(Encoded { body, outcome: Outcome::known(packed) }, key.public().into());
        assert_eq!(body.read_to_end(&mut Vec::new()).await.unwrap_err().to_string(), "disk on fire");
        assert!(outcome.get().is_err());
    }
}
