//! The same with the program `age`, both ways.

use std::fs;
use std::process::{Command, Stdio};

use super::*;

/// Returns a folder to run age in, or `None` if it is not installed.
fn folder() -> Option<tempfile::TempDir> {
    if Command::new("age").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: age is not installed (Debian's package age)");
        return None;
    }
    Some(tempfile::tempdir().unwrap())
}

/// Runs a program in a folder. Returns its standard output.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn content() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// The restore by hand: `age -d` of `key.age`, then of the object.
#[test]
fn program_opens_chain_by_hand() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let (recovery_key, chain, host) = (Identity::generate(), Identity::generate(), Identity::generate());
    recovery_key.create(&folder.join("recovery.key"), Timestamp::UNIX_EPOCH).unwrap();
    let to = Recipients::parse([SSH_PUBLIC, &recovery_key.public().to_string()]).unwrap();
    fs::write(folder.join("key.age"), sealed_key(&chain, &to).unwrap()).unwrap();
    let both = Recipients::new(vec![chain.public(), host.public()]).unwrap();
    fs::write(folder.join("object.age"), seal(&content(), &both).unwrap()).unwrap();
    let id = run(folder, "age", &["-d", "-i", "recovery.key", "key.age"]).unwrap();
    fs::write(folder.join("id"), id).unwrap();
    assert!(run(folder, "age", &["-d", "-i", "id", "object.age"]).unwrap() == content());
    run(folder, "age", &["-d", "-i", "recovery.key", "object.age"]).unwrap_err();
}

#[test]
fn program_opens_with_ssh_key() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    fs::write(folder.join("id_ed25519"), SSH_PRIVATE).unwrap();
    fs::write(folder.join("object.age"), seal(&content(), &Recipients::parse([SSH_PUBLIC]).unwrap()).unwrap()).unwrap();
    assert!(run(folder, "age", &["-d", "-i", "id_ed25519", "object.age"]).unwrap() == content());
}

#[test]
fn object_of_program_opens() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    run(folder, "age-keygen", &["-o", "recovery.key"]).unwrap();
    let public = String::from_utf8(run(folder, "age-keygen", &["-y", "recovery.key"]).unwrap()).unwrap();
    let recipient: Recipient = public.parse().unwrap();
    assert_eq!(recipient.to_string(), public.trim());
    fs::write(folder.join("object"), content()).unwrap();
    let to = ["-e", "-r", public.trim(), "-r", SSH_PUBLIC, "-o", "object.age", "object"];
    run(folder, "age", &to).unwrap();
    let sealed = fs::read(folder.join("object.age")).unwrap();
    let recovery_key = Identities::load(&folder.join("recovery.key")).unwrap();
    let ssh = Identities::parse(Path::new("id_ed25519"), SSH_PRIVATE).unwrap();
    for identities in [recovery_key, ssh] {
        assert!(opened(&sealed, &identities).unwrap() == content(), "{identities:?}");
    }
    let error = opened(&sealed, &recovery(&Identity::generate())).unwrap_err();
    assert!(matches!(error, SealError::WrongIdentity { .. }), "{error}");
}

#[test]
fn keys_of_program_are_read() {
    if Command::new("ssh-keygen").arg("-?").stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: ssh-keygen is not installed (Debian's package openssh-client)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let make = |kind: &str, passphrase: &str, name: &str| {
        run(folder, "ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", "an admin", "-f", name]).unwrap();
    };
    make("ed25519", "", "plain");
    make("ed25519", "a passphrase", "locked");
    make("rsa", "", "rsa");
    let public = fs::read_to_string(folder.join("plain.pub")).unwrap();
    let sealed = seal(b"content", &Recipients::parse([&public]).unwrap()).unwrap();
    let identities = Identities::load(&folder.join("plain")).unwrap();
    assert_eq!(opened(&sealed, &identities).unwrap(), b"content");
    let locked = Identities::load(&folder.join("locked")).unwrap_err();
    assert!(matches!(locked, SealError::Passphrase(_)), "{locked}");
    let rsa = Identities::load(&folder.join("rsa")).unwrap_err();
    assert!(rsa.to_string().contains("only ssh-ed25519"), "{rsa}");
    let public = fs::read_to_string(folder.join("rsa.pub")).unwrap();
    assert_eq!(public.parse::<Recipient>(), Err(Refused::Rsa));
}
