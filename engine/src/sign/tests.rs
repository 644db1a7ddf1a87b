use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;

mod hostile;
mod programs;

/// The time of the backups in these tests.
pub(super) const AT: &str = "2026-11-21T02:00:03Z";
pub(super) const MANIFEST: &[u8] = b"{\n  \"format\": 2\n}\n";

pub(super) fn key() -> SigningKey {
    SigningKey::generate("the host of shop").unwrap()
}

pub(super) fn signers(text: &str) -> Signers {
    Signers::parse(text.as_bytes(), &TimeZone::UTC).unwrap()
}

/// A manifest of an instance.
pub(super) fn claim(instance: &str) -> Claim<'_> {
    let at = Some(AT.parse::<Timestamp>().unwrap());
    Claim { namespace: Namespace::Manifest, instance, at, bytes: MANIFEST }
}

fn judged(line: &str, key: &SigningKey) -> Verdict {
    let signature = key.sign(Namespace::Manifest, MANIFEST).unwrap();
    signers(line).judge(&claim("shop"), Some(signature.as_bytes()))
}

#[test]
fn configured_signer_is_trusted() {
    let key = key();
    let lines = format!("# keys\n\ncrm {0}\n{1}\n", key.public(), key.signers_line("shop*"));
    let verdict = judged(&lines, &key);
    let by = verdict.trusted().expect("trusted");
    assert_eq!((by.key.clone(), by.line, by.principals.as_str()), (key.fingerprint(), 4, "shop*"));
    assert_eq!(verdict.to_string(), format!("trusted: signed by the key {} (the host of shop)", key.fingerprint()));
}

#[test]
fn every_other_document_is_untrusted() {
    let (key, other) = (key(), key());
    let (public, fingerprint) = (key.public(), key.fingerprint());
    let distrust = |line: &str| match judged(line, &key) {
        Verdict::Untrusted(why) => why,
        verdict => panic!("{line}: {verdict}"),
    };
    assert_eq!(distrust(&other.signers_line("*")), Distrust::UnknownKey { key: fingerprint.clone() });
    let instances = Distrust::OtherInstance {
        key: fingerprint.clone(),
        principals: "crm and *,!shop".into(),
        instance: "shop".into(),
    };
    assert_eq!(distrust(&format!("crm {public}\n*,!shop {public}")), instances);
    let purpose =
        Distrust::NotFor { key: fingerprint.clone(), namespaces: "git,file".into(), expected: Namespace::Manifest };
    assert_eq!(distrust(&format!("crm {public}\nshop namespaces=\"git,file\" {public}")), purpose);
    let early = distrust(&format!("shop valid-after=\"20261121020004Z\" {public}"));
    assert!(matches!(early, Distrust::NotYetValid { .. }), "{early}");
    let late = distrust(&format!("shop namespaces=\"git\" {public}\nshop valid-before=\"20261121020002Z\" {public}"));
    assert!(matches!(late, Distrust::Expired { .. }), "{late}");
    let unsigned = signers(&format!("* {public}")).judge(&claim("shop"), None);
    assert_eq!(unsigned, Verdict::Untrusted(Distrust::Unsigned));
}

#[test]
fn validity_includes_both_ends() {
    let key = key();
    let line = |from: &str, to: &str| format!("shop valid-after=\"{from}Z\",valid-before=\"{to}Z\" {}", key.public());
    for (from, to, expected) in [
        ("20261121020003", "20261121020004", true),
        ("20261121020002", "20261121020003", true),
        ("20261121020004", "20261121020005", false),
        ("20261121020001", "20261121020002", false),
    ] {
        assert_eq!(judged(&line(from, to), &key).trusted().is_some(), expected, "{from} to {to}");
    }
}

#[test]
fn backup_without_time_is_doubtful() {
    let key = key();
    let signature = key.sign(Namespace::Manifest, MANIFEST).unwrap();
    let claim = Claim { at: None, ..claim("shop") };
    let judged = |line: String| signers(&line).judge(&claim, Some(signature.as_bytes()));
    let limited = judged(format!("shop valid-after=\"20200101Z\" {}", key.public()));
    assert_eq!(limited, Verdict::Unknown(Doubt::NoTime { key: key.fingerprint() }));
    assert!(judged(key.signers_line("shop")).trusted().is_some());
}

#[test]
fn namespaces_are_kept_apart() {
    let key = key();
    let signers = signers(&key.signers_line("*"));
    for made in [Namespace::Manifest, Namespace::Proof, Namespace::Accepted] {
        let signature = key.sign(made, MANIFEST).unwrap();
        for expected in [Namespace::Manifest, Namespace::Proof, Namespace::Accepted] {
            let claim = Claim { namespace: expected, ..claim("shop") };
            let verdict = signers.judge(&claim, Some(signature.as_bytes()));
            let other = Distrust::OtherNamespace { found: made.to_string(), expected };
            match made == expected {
                true => assert!(verdict.trusted().is_some(), "{verdict}"),
                false => assert_eq!(verdict, Verdict::Untrusted(other)),
            }
        }
    }
}

#[test]
fn signature_has_name_of_manifest() {
    assert_eq!(signature_name(b"abc"), "manifest.ba7816bf8f01cfea.sig");
    assert!(is_signature_name(&signature_name(MANIFEST)));
    for other in [
        "manifest.json",
        "manifest.ba7816bf8f01cfe.sig",
        "manifest.BA7816BF8F01CFEA.sig",
        "manifest.ba7816bf8f01cfea.sig.sig",
        "manifest.ba7816bf8f01cfeg.sig",
        "ba7816bf8f01cfea.sig",
        "",
    ] {
        assert!(!is_signature_name(other), "{other}");
    }
}

#[test]
fn signers_file_reports_every_problem() {
    let text = format!("# fine\nshop\n* {}\ncrm cert-authority {}\n\u{0}\n", key().public(), key().public());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signers");
    std::fs::write(&path, &text).unwrap();
    let error = Signers::load(&path).unwrap_err();
    let SignersError::Problems { problems, .. } = &error else { panic!("{error}") };
    assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 4, 5]);
    assert!(error.to_string().contains("line 4: certificate authorities are not supported"), "{error}");
}

#[test]
fn signers_file_of_others_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signers");
    std::fs::write(&path, key().signers_line("*")).unwrap();
    for (mode, is_refused) in [(0o644, false), (0o600, false), (0o664, true), (0o602, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(matches!(Signers::load(&path), Err(SignersError::Exposed { .. })), is_refused, "{mode:o}");
    }
    let missing = Signers::load(&folder.path().join("missing")).unwrap_err();
    assert!(missing.hint().unwrap().contains("signers_file"));
}

#[test]
fn empty_and_huge_files_are_refused() {
    let problems = |text: &str| Signers::parse(text.as_bytes(), &TimeZone::UTC).unwrap_err();
    assert!(problems("# no key\n")[0].what.contains("names no key"));
    assert!(problems(&"#\n".repeat(200_000))[0].what.contains("more than"));
    assert!(problems(&format!("# {}\n", "a".repeat(5000)))[0].what.contains("longer than"));
    let many = problems(&"shop\n".repeat(100));
    assert_eq!((many.len(), many[20].what.as_str()), (21, "and 80 more"));
    let not_utf8 = Signers::parse(b"shop \xff\n", &TimeZone::UTC).unwrap_err();
    assert_eq!(not_utf8[0].to_string(), "line 1: it is not UTF-8");
}
