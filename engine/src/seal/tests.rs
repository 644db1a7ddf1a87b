use std::io::{self, Read, Write};
use std::path::Path;

use jiff::Timestamp;

use super::*;

mod damage;
mod programs;

/// An ssh-ed25519 key of these tests alone.
const SSH_PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";
const SSH_PRIVATE: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYgAAAJgAIAxdACAM
XQAAAAtzc2gtZWQyNTUxOQAAACCzPq7zfqLffKoBDe/eo04kH2XxtSmk9D7RQyf1xUqrYg
AAAEC2BsIi0QwW2uFscKTUUXNHLsYX4FxlaSDSblbAj7WR7bM+rvN+ot98qgEN796jTiQf
ZfG1KaT0PtFDJ/XFSqtiAAAAEHVzZXJAZXhhbXBsZS5jb20BAgMEBQ==
-----END OPENSSH PRIVATE KEY-----
";

/// More than any object in these tests has.
const MOST: u64 = 1 << 24;

/// Returns the identity file of a key, as if it had been read from `/root/recovery.key`.
fn recovery(identity: &Identity) -> Identities {
    let text = identity.to_file(Timestamp::UNIX_EPOCH);
    Identities::parse(Path::new("/root/recovery.key"), &text).unwrap()
}

fn opened(sealed: &[u8], with: &Identities) -> Result<Vec<u8>, SealError> {
    open(sealed, with, MOST).map(|bytes| bytes.to_vec())
}

#[test]
fn every_recipient_opens() {
    let (one, two) = (Identity::generate(), Identity::generate());
    let to = Recipients::parse([&one.public().to_string(), SSH_PUBLIC, &two.public().to_string()]).unwrap();
    let ssh = Identities::parse(Path::new("id_ed25519"), SSH_PRIVATE).unwrap();
    for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
        let plain = vec![7; length];
        let sealed = seal(&plain, &to).unwrap();
        for identities in [recovery(&one), recovery(&two), Identities::of([two.clone()]), ssh.clone()] {
            assert!(opened(&sealed, &identities).unwrap() == plain, "{length} {identities:?}");
        }
    }
}

#[test]
fn missing_key_is_not_damage() {
    let (right, wrong) = (Identity::generate(), Identity::generate());
    let to = Recipients::parse([&right.public().to_string(), SSH_PUBLIC]).unwrap();
    let sealed = seal(b"the books", &to).unwrap();
    let by_file = opened(&sealed, &recovery(&wrong)).unwrap_err();
    let text = by_file.to_string();
    assert!(matches!(by_file, SealError::WrongIdentity { .. }), "{text}");
    assert!(text.contains("/root/recovery.key") && text.contains("1 X25519 key and 1 ssh-ed25519 key"), "{text}");
    let by_keys = opened(&sealed, &Identities::of([wrong])).unwrap_err();
    assert!(matches!(by_keys, SealError::UnknownKey { .. }), "{by_keys}");
    let without = opened(&sealed, &Identities::of([])).unwrap_err();
    assert!(matches!(without, SealError::UnknownKey { .. }), "{without}");
    for error in [by_file, by_keys, without] {
        assert!(!error.is_of_object() && error.hint().is_some(), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::PermissionDenied);
    }
}

#[test]
fn chain_key_opens_by_recovery_identity() {
    let (chain, recovery_key, host) = (Identity::generate(), Identity::generate(), Identity::generate());
    let to = Recipients::parse([&recovery_key.public().to_string(), SSH_PUBLIC]).unwrap();
    let key_age = sealed_key(&chain, &to).unwrap();
    let object = seal(b"a volume", &chain.public().into()).unwrap();
    let key = open_key(&key_age, &recovery(&recovery_key), &chain.public()).unwrap();
    assert_eq!(opened(&object, &Identities::of([key])).unwrap(), b"a volume");
    let refused = open_key(&key_age, &recovery(&host), &chain.public()).unwrap_err();
    assert!(matches!(refused, SealError::WrongIdentity { .. }), "{refused}");
}

#[test]
fn planted_chain_key_is_refused() {
    // All who can write to the repository know the recipients, and can seal another key to them.
    let (chain, planted, recovery_key) = (Identity::generate(), Identity::generate(), Identity::generate());
    let to = Recipients::from(recovery_key.public());
    let open = |bytes: &[u8]| open_key(bytes, &recovery(&recovery_key), &chain.public()).unwrap_err();
    let refused = open(&sealed_key(&planted, &to).unwrap());
    assert!(matches!(&refused, SealError::OtherKey { found, .. } if *found == planted.public().key()), "{refused}");
    for text in ["", "# nothing\n", "hello\n", "\u{0}"] {
        assert!(matches!(open(&seal(text.as_bytes(), &to).unwrap()), SealError::NoKey), "{text:?}");
    }
    let two = seal(chain.to_file(Timestamp::UNIX_EPOCH).repeat(2).as_bytes(), &to).unwrap();
    assert!(matches!(open(&two), SealError::NoKey));
    let large = seal(&vec![b'#'; 1 << 20], &to).unwrap();
    assert!(matches!(open(&large), SealError::TooLong(_)));
}

#[test]
fn output_is_bounded() {
    let key = Identity::generate();
    let sealed = seal(&[0; 1000], &key.public().into()).unwrap();
    let with = Identities::of([key]);
    assert_eq!(open(&sealed, &with, 1000).unwrap().len(), 1000);
    assert!(matches!(open(&sealed, &with, 999), Err(SealError::TooLong(999))));
}

#[test]
fn errors_of_source_are_unchanged() {
    struct Broken<'a>(&'a [u8]);
    impl Read for Broken<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "the line broke")),
                read => Ok(read),
            }
        }
    }
    let key = Identity::generate();
    let sealed = seal(&[0; 200_000], &key.public().into()).unwrap();
    for length in [0, 10, 100, 150, 1000, 100_000] {
        let mut reader = OpenReader::new(Broken(&sealed[..length]), Identities::of([key.clone()]));
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::ConnectionReset, "the line broke"));
        assert!(reader.source_failed() && reader.read(&mut [0; 8]).is_err(), "{length}");
    }
}

#[test]
fn source_is_returned_after_content() {
    let key = Identity::generate();
    let sealed = seal(b"content", &key.public().into()).unwrap();
    let mut reader = OpenReader::new(sealed.as_slice(), Identities::of([key.clone()]));
    io::copy(&mut reader, &mut io::sink()).unwrap();
    assert_eq!(reader.into_source().unwrap(), b"");
    // What is not understood is left to who has to say what it is.
    let mut reader = OpenReader::new(b"plain bytes".as_slice(), Identities::of([key]));
    assert!(reader.read(&mut [0; 8]).is_err());
    assert_eq!(reader.into_source().unwrap(), b"lain bytes");
}

#[test]
fn unfinished_object_does_not_open() {
    let key = Identity::generate();
    let mut sealed = Vec::new();
    let mut writer = SealWriter::new(&mut sealed, &key.public().into()).unwrap();
    writer.write_all(&[0; 100_000]).unwrap();
    drop(writer);
    let error = opened(&sealed, &Identities::of([key])).unwrap_err();
    assert!(matches!(error, SealError::Truncated), "{error}");
}
