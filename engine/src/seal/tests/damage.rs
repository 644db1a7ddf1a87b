//! Sealed objects that were changed, cut or exchanged.

use super::*;
use crate::seal::header::Header;

fn sealed(plain: &[u8], key: &Identity) -> Vec<u8> {
    seal(plain, &key.public().into()).unwrap()
}

fn header_of(sealed: &[u8]) -> usize {
    Header::read(&mut &*sealed).unwrap().bytes.len()
}

#[test]
fn cut_object_is_refused_everywhere() {
    let key = Identity::generate();
    let object = sealed(b"the books of a company", &key);
    let with = Identities::of([key]);
    for length in 0..object.len() {
        let error = opened(&object[..length], &with).unwrap_err();
        assert!(error.is_of_object(), "{length}: {error}");
        let expected = match length {
            0..19 => matches!(error, SealError::NotSealed),
            length if length <= header_of(&object) + 16 => matches!(error, SealError::Truncated),
            _ => matches!(error, SealError::AlteredEnd),
        };
        assert!(expected, "{length}: {error}");
    }
}

#[test]
fn object_cut_between_pieces_is_truncated() {
    let key = Identity::generate();
    let object = sealed(&[1; 200_000], &key);
    let piece = header_of(&object) + 16 + 65_536 + 16;
    let error = opened(&object[..piece], &Identities::of([key])).unwrap_err();
    assert!(matches!(error, SealError::Truncated), "{error}");
}

#[test]
fn changed_byte_never_opens() {
    let key = Identity::generate();
    let object = sealed(b"the books of a company", &key);
    let with = Identities::of([key]);
    for position in 0..object.len() {
        let mut changed = object.clone();
        changed[position] ^= 1;
        let error = opened(&changed, &with).expect_err("a changed byte was not noticed");
        assert!(!matches!(error, SealError::Io(_)), "byte {position}: {error}");
    }
}

#[test]
fn appended_bytes_are_refused() {
    let key = Identity::generate();
    let with = Identities::of([key.clone()]);
    for length in [10, 65_536] {
        let mut object = sealed(&vec![1; length], &key);
        object.extend(b"more");
        assert!(opened(&object, &with).unwrap_err().is_of_object(), "{length}");
    }
}

#[test]
fn content_of_another_object_is_refused() {
    let key = Identity::generate();
    let (mine, theirs) = (sealed(&[1; 100_000], &key), sealed(&[2; 100_000], &key));
    let mut mixed = mine[..header_of(&mine)].to_vec();
    mixed.extend(&theirs[header_of(&theirs)..]);
    let error = opened(&mixed, &Identities::of([key.clone()])).unwrap_err();
    assert!(matches!(error, SealError::Altered), "{error}");
    // A whole object of the same chain opens: only a digest in a signed manifest shows the swap.
    assert_eq!(opened(&theirs, &Identities::of([key])).unwrap(), [2; 100_000]);
}

#[test]
fn exchanged_recipients_are_noticed() {
    let (one, two) = (Identity::generate(), Identity::generate());
    let both = Recipients::new(vec![one.public(), two.public()]).unwrap();
    let object = seal(b"content", &both).unwrap();
    let text = String::from_utf8_lossy(&object[..header_of(&object)]).into_owned();
    // Without the second recipient, the code over the header is wrong.
    let second = text.match_indices("-> ").nth(1).unwrap().0;
    let third = text.match_indices("-> ").nth(2).unwrap().0;
    let mut fewer = [&object[..second], &object[third..]].concat();
    let error = opened(&fewer, &Identities::of([one])).unwrap_err();
    assert!(matches!(error, SealError::Altered), "{error}");
    fewer.truncate(20);
    assert!(opened(&fewer, &Identities::of([two])).is_err());
}

#[test]
fn hostile_headers_are_bounded() {
    let with = Identities::of([Identity::generate()]);
    let magic = "age-encryption.org/v1\n";
    for text in [
        format!("{magic}--- {}\n", "A".repeat(43)),
        format!("{magic}-> X25519\n\n--- {}\n", "A".repeat(43)),
        format!("{magic}-> X25519 {0}\n{0}\n--- {0}\n", "A".repeat(43)),
        format!("{magic}-> ssh-ed25519\n\n--- {}\n", "A".repeat(43)),
        format!("{magic}{}--- {}\n", "-> a\n".repeat(3000), "A".repeat(43)),
        format!("{magic}\n\n\n--- \n"),
        format!("{magic}-> \u{1b}[2J\n\n---\n"),
    ] {
        let text = format!("{text}{}", "0".repeat(100));
        let error = opened(text.as_bytes(), &with).unwrap_err();
        assert!(!matches!(error, SealError::Io(_)), "{text:.60}: {error}");
    }
}
