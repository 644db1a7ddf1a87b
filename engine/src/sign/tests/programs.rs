//! The same with ssh-keygen, both ways.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::*;

/// Returns a folder to run ssh-keygen in, or `None` if it is not installed.
fn folder() -> Option<tempfile::TempDir> {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: ssh-keygen is not installed (Debian's package openssh-client)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.json"), MANIFEST).unwrap();
    Some(folder)
}

/// Runs ssh-keygen in a folder, with `input` as standard input.
fn ssh_keygen(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let input = File::open(folder.join(input)).unwrap();
    Command::new("ssh-keygen").args(arguments).current_dir(folder).stdin(input).output().unwrap()
}

fn succeeded(output: &Output) -> String {
    let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    said
}

/// Makes a key and signs the manifest with it. Returns the signature's file.
fn signed_by_program(folder: &Path, kind: &str, namespace: &str) -> PathBuf {
    succeeded(&ssh_keygen(folder, &["-q", "-t", kind, "-N", "", "-C", "by program", "-f", kind], "manifest.json"));
    succeeded(&ssh_keygen(folder, &["-Y", "sign", "-f", kind, "-n", namespace, "manifest.json"], "manifest.json"));
    folder.join("manifest.json.sig")
}

#[test]
fn program_verifies_our_signature() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let key = SigningKey::create(&folder.join("signing.key"), "the host of shop").unwrap();
    fs::write(folder.join("signature"), key.sign(Namespace::Manifest, MANIFEST).unwrap()).unwrap();
    fs::write(folder.join("signers"), format!("# ours\n{}\n", key.signers_line("shop*,!shop-test"))).unwrap();
    let verify = |instance: &str, namespace: &str, file: &str| {
        let arguments = ["-Y", "verify", "-f", "signers", "-I", instance, "-n", namespace, "-s", "signature"];
        ssh_keygen(folder, &arguments, file)
    };
    let said = succeeded(&verify("shop", "odoo-backup-manifest@1", "manifest.json"));
    assert!(said.contains(&key.fingerprint()), "{said}");
    for (instance, namespace, file) in [
        ("shop-test", "odoo-backup-manifest@1", "manifest.json"),
        ("crm", "odoo-backup-manifest@1", "manifest.json"),
        ("shop", "odoo-backup-proof@1", "manifest.json"),
        ("shop", "odoo-backup-manifest@1", "signers"),
    ] {
        assert!(!verify(instance, namespace, file).status.success(), "{instance} {namespace} {file}");
    }
    let found = ssh_keygen(folder, &["-Y", "find-principals", "-f", "signers", "-s", "signature"], "manifest.json");
    // A line for each pattern, or one for all, by version.
    assert_eq!(succeeded(&found).trim().replace('\n', ","), "shop*,!shop-test");
}

#[test]
fn program_reads_our_key() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let key = SigningKey::create(&folder.join("signing.key"), "the host of shop").unwrap();
    let public = succeeded(&ssh_keygen(folder, &["-y", "-f", "signing.key"], "manifest.json"));
    assert_eq!(public.trim(), key.public());
    let listed = succeeded(&ssh_keygen(folder, &["-l", "-f", "signing.key.pub"], "manifest.json"));
    assert!(listed.contains(&key.fingerprint()), "{listed}");
    // What the program signs with it is what this program signs.
    succeeded(&ssh_keygen(
        folder,
        &["-Y", "sign", "-f", "signing.key", "-n", Namespace::Manifest.as_str(), "manifest.json"],
        "manifest.json",
    ));
    let theirs = fs::read_to_string(folder.join("manifest.json.sig")).unwrap();
    assert_eq!(theirs, key.sign(Namespace::Manifest, MANIFEST).unwrap());
}

#[test]
fn signature_of_program_is_trusted() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let signature = fs::read(signed_by_program(folder, "ed25519", Namespace::Manifest.as_str())).unwrap();
    let public = fs::read_to_string(folder.join("ed25519.pub")).unwrap();
    let verdict = signers(&format!("shop {public}")).judge(&claim("shop"), Some(&signature));
    assert_eq!(verdict.trusted().expect("trusted").comment, "by program");
    let key = SigningKey::load(&folder.join("ed25519")).unwrap();
    assert_eq!(key.public(), public.trim());
}

#[test]
fn other_keys_of_program_are_untrusted() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    for kind in ["rsa", "ecdsa"] {
        let signature = fs::read(signed_by_program(folder, kind, Namespace::Manifest.as_str())).unwrap();
        fs::remove_file(folder.join("manifest.json.sig")).unwrap();
        let verdict = signers(&key().signers_line("*")).judge(&claim("shop"), Some(&signature));
        assert_eq!(verdict, Verdict::Untrusted(Distrust::OtherAlgorithm), "{kind}");
        let refused = SigningKey::load(&folder.join(kind)).unwrap_err();
        assert!(matches!(refused, SignError::OtherType { .. } | SignError::NotKey { .. }), "{kind}: {refused}");
    }
    let other = fs::read(signed_by_program(folder, "ed25519", "git")).unwrap();
    let verdict = signers(&key().signers_line("*")).judge(&claim("shop"), Some(&other));
    assert!(matches!(verdict, Verdict::Untrusted(Distrust::OtherNamespace { .. })), "{verdict}");
}

#[test]
fn key_with_passphrase_is_refused() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    succeeded(&ssh_keygen(folder, &["-q", "-t", "ed25519", "-N", "a passphrase", "-f", "key"], "manifest.json"));
    let refused = SigningKey::load(&folder.join("key")).unwrap_err();
    assert!(matches!(refused, SignError::Passphrase(_)), "{refused}");
}

/// Both programs read one signers file, and must agree on whom it trusts and when.
#[test]
fn program_reads_validity_alike() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let key = SigningKey::create(&folder.join("signing.key"), "").unwrap();
    fs::write(folder.join("signature"), key.sign(Namespace::Manifest, MANIFEST).unwrap()).unwrap();
    let signature = fs::read(folder.join("signature")).unwrap();
    for options in [
        "",
        "valid-after=\"20261121020003Z\" ",
        "valid-after=\"20261121020004Z\" ",
        "valid-before=\"20261121020003Z\" ",
        "valid-before=\"20261121020002Z\" ",
        "valid-after=\"20261121Z\",valid-before=\"20261122Z\" ",
        "valid-before=\"202611210200Z\" ",
        "NAMESPACES=\"odoo-backup-manifest@?\",valid-after=\"20200101\" ",
        "namespaces=\"*,!odoo-backup-*\" ",
        "namespaces=\"git\" ",
    ] {
        let line = format!("shop {options}{}\n", key.public());
        fs::write(folder.join("signers"), &line).unwrap();
        let arguments = [
            "-Y",
            "verify",
            "-f",
            "signers",
            "-I",
            "shop",
            "-n",
            "odoo-backup-manifest@1",
            "-s",
            "signature",
            "-O",
            "verify-time=20261121020003Z",
        ];
        let output = ssh_keygen(folder, &arguments, "manifest.json");
        let verdict = Signers::parse(line.as_bytes(), &TimeZone::UTC).unwrap().judge(&claim("shop"), Some(&signature));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(verdict.trusted().is_some(), output.status.success(), "{line}{verdict}\n{said}");
    }
}
