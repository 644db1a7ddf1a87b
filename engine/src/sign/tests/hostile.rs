//! Signatures that no honest signer made.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::*;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----\n";

/// Returns the bytes in a signature.
fn unarmored(signature: &str) -> Vec<u8> {
    let text = signature.strip_prefix(BEGIN).unwrap().strip_suffix(END).unwrap();
    BASE64_STANDARD.decode(text.replace('\n', "")).unwrap()
}

fn armored(bytes: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(bytes);
    let lines: Vec<_> = text.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("{BEGIN}{}{END}", lines.join("\n"))
}

fn judged(key: &SigningKey, signature: &[u8]) -> Verdict {
    signers(&key.signers_line("*")).judge(&claim("shop"), Some(signature))
}

#[test]
fn cut_signature_is_damaged() {
    let key = key();
    let signature = key.sign(Namespace::Manifest, MANIFEST).unwrap();
    assert_eq!(armored(&unarmored(&signature)), signature);
    for length in 0..signature.len() - 1 {
        let verdict = judged(&key, &signature.as_bytes()[..length]);
        assert!(matches!(verdict, Verdict::Untrusted(Distrust::Malformed(_))), "{length}: {verdict}");
    }
    let bytes = unarmored(&signature);
    for length in 0..bytes.len() {
        assert_eq!(judged(&key, armored(&bytes[..length]).as_bytes()).trusted(), None, "{length}");
    }
}

#[test]
fn changed_byte_is_never_trusted() {
    let key = key();
    let bytes = unarmored(&key.sign(Namespace::Manifest, MANIFEST).unwrap());
    for position in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[position] ^= bit;
            let verdict = judged(&key, armored(&changed).as_bytes());
            assert_eq!(verdict.trusted(), None, "byte {position}: {verdict}");
        }
    }
}

#[test]
fn bytes_around_signature_are_refused() {
    let key = key();
    let signature = key.sign(Namespace::Manifest, MANIFEST).unwrap();
    let mut longer = unarmored(&signature);
    longer.extend([0; 3]);
    let within = signature.replace("-----END", "AAAA\n-----END");
    for other in [
        format!("{signature}{signature}"),
        format!("{signature}more"),
        format!("a preamble\n{signature}"),
        signature.replace('\n', "\r\n"),
        armored(&longer),
        within,
    ] {
        let verdict = judged(&key, other.as_bytes());
        assert!(matches!(verdict, Verdict::Untrusted(Distrust::Malformed(_))), "{other}: {verdict}");
    }
    // A text editor may leave a line end more or less.
    assert!(judged(&key, signature.trim_end().as_bytes()).trusted().is_some());
}

#[test]
fn signature_of_another_document_is_untrusted() {
    let key = key();
    let swapped = key.sign(Namespace::Manifest, b"the manifest of another backup").unwrap();
    let expected = Distrust::OtherBytes { key: key.fingerprint() };
    assert_eq!(judged(&key, swapped.as_bytes()), Verdict::Untrusted(expected));
}

#[test]
fn claimed_key_must_have_signed() {
    // A forger names the configured key in a signature that another key made.
    let (key, forger) = (key(), key());
    let mine = unarmored(&key.sign(Namespace::Manifest, MANIFEST).unwrap());
    let mut forged = unarmored(&forger.sign(Namespace::Manifest, MANIFEST).unwrap());
    // "SSHSIG", version, length, length of the type, the type, length of the key.
    let at = 6 + 4 + 4 + 4 + "ssh-ed25519".len() + 4;
    forged[at..at + 32].copy_from_slice(&mine[at..at + 32]);
    let expected = Distrust::OtherBytes { key: key.fingerprint() };
    assert_eq!(judged(&key, armored(&forged).as_bytes()), Verdict::Untrusted(expected));
}

#[test]
fn huge_signature_is_not_read() {
    let verdict = judged(&key(), &vec![b'A'; 64 * 1024 * 1024]);
    assert!(verdict.to_string().contains("67108864 bytes"), "{verdict}");
    // Lengths within it that claim more than there is.
    let mut bytes = unarmored(&key().sign(Namespace::Manifest, MANIFEST).unwrap());
    bytes[10..14].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(judged(&key(), armored(&bytes).as_bytes()).trusted().is_none());
}

#[test]
fn newer_version_is_doubtful() {
    let key = key();
    let mut bytes = unarmored(&key.sign(Namespace::Manifest, MANIFEST).unwrap());
    bytes[9] = 2;
    assert_eq!(judged(&key, armored(&bytes).as_bytes()), Verdict::Unknown(Doubt::NewerSignature(2)));
}
