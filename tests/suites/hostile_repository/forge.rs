//! A repository with one backup. Each case forges a fresh copy of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::stream::{Digest, Fingerprint, body_of, encode_list};
use harness::cli::{OdooBackup, Run};
use harness::odoo::OdooShape;
use harness::project::{INSTANCE, Project, ProjectOptions, Source, TARGET};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

/// Limit of a command's address space, in KiB.
const ADDRESS_SPACE: u64 = 1_000_000;
/// Time limit of a command. It includes the wait for a processor while other tests run.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// A project whose repository has one intact backup.
pub(super) struct Forge {
    pub(super) project: Project,
    pub(super) program: OdooBackup,
    /// The intact repository.
    intact: PathBuf,
    pub(super) id: String,
}

impl Forge {
    pub(super) async fn start() -> Self {
        let shape = OdooShape { attachments: 20, filestore_bytes: 200_000, ..OdooShape::default() };
        let project = Project::with(ProjectOptions { source: Source::Shape(shape), ..ProjectOptions::default() }).await;
        // No attachment names it: a finding.
        let unnamed = project.filestore().join("zz");
        fs::create_dir(&unnamed).unwrap();
        fs::write(unnamed.join("unnamed"), b"x").unwrap();
        let wrapper = project.path("limited");
        let script = format!(
            "#!/bin/sh\nulimit -v {ADDRESS_SPACE}\nexec {} \"$@\"\n",
            shell_word(env!("CARGO_BIN_EXE_odoo-backup"))
        );
        fs::write(&wrapper, script).unwrap();
        fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o700)).unwrap();
        let program = OdooBackup::new(&wrapper, project.config());
        program.run(["init"]).await.success();
        let now = program.run(["now", "--json"]).await.success().json();
        let id = now["backups"][0]["id"].as_str().unwrap().to_owned();
        let intact = project.path("sound");
        fs::rename(project.repository(), &intact).unwrap();
        Self { project, program, intact, id }
    }

    /// Puts a fresh copy of the intact repository in its place.
    pub(super) fn renew(&self) {
        let repository = self.project.repository();
        let _ = fs::remove_dir_all(&repository);
        copy(&self.intact, &repository);
    }

    /// Returns a path in the repository.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        self.project.repository().join(key)
    }

    /// Returns the key of an object of the backup.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{INSTANCE}/{}/{name}", self.id)
    }

    /// Stores an object under any key.
    pub(super) fn put(&self, key: &str, content: &[u8]) {
        let path = self.path(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn manifest(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path(&self.key("manifest.json"))).unwrap()).unwrap()
    }

    /// Stores a manifest, and checksums that match it and the objects that it names.
    pub(super) fn put_manifest(&self, manifest: &Value) {
        self.put_manifest_bytes(serde_json::to_string_pretty(manifest).unwrap().as_bytes());
    }

    pub(super) fn put_manifest_bytes(&self, bytes: &[u8]) {
        self.put(&self.key("manifest.json"), bytes);
        let folder = self.path(&self.key("manifest.json")).parent().unwrap().to_owned();
        let mut sums = String::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let small = entry.metadata().unwrap().len() < 100 * MIB;
            if name != "SHA256SUMS" && small {
                sums.push_str(&format!("{}  {name}\n", Digest::of(&fs::read(entry.path()).unwrap())));
            }
        }
        self.put(&self.key("SHA256SUMS"), sums.as_bytes());
    }

    /// Stores an object of the backup. The manifest then has the right digest of the stored bytes,
    /// and claims `plain` for the decompressed ones. `at` is its place in the manifest:
    /// `/filestore/volumes/0/list`.
    pub(super) fn put_object(&self, at: &str, stored: &[u8], plain: Fingerprint) {
        let mut manifest = self.manifest();
        let key = manifest.pointer(at).unwrap()["key"].as_str().unwrap().to_owned();
        self.put(&key, stored);
        let object = manifest.pointer_mut(at).unwrap();
        object["stored"] = json!(Fingerprint::of(stored));
        object["plain"] = json!(plain);
        self.put_manifest(&manifest);
    }

    /// Makes a volume of these bytes the only one of the dump, with an index and a map that fit it.
    /// Of the dump's fingerprint only the size is right.
    pub(super) async fn put_dump(&self, plain: &[u8], segments: impl Iterator<Item = (usize, usize)>) {
        const FRAME: usize = 2 << 20;
        let chunker = json!({"algorithm": "fastcdc-2020-1", "minimum": 2048, "average": 8192, "maximum": 65536});
        let (mut stored, mut frames) = (Vec::new(), String::new());
        for part in plain.chunks(FRAME) {
            let frame = compressed(part).await;
            frames.push_str(&format!("{} {}\n", frame.len(), Digest::of(&frame)));
            stored.extend(frame);
        }
        let header = json!({
            "chunker": chunker, "key": "00".repeat(32), "frame": FRAME, "frames": frames.lines().count(), "chunks": 1,
        });
        let index = format!("{header}\n{frames}{} -\n", plain.len());
        let (mut map, mut size) = (String::new(), 0);
        for (offset, length) in segments {
            map.push_str(&format!("1 {offset} {length}\n"));
            size += length as u64;
        }
        self.put_object("/database/volumes/0/object", &stored, Fingerprint::of(plain));
        for (at, list) in [("/database/volumes/0/index", index), ("/database/map", map)] {
            self.put_object(at, &compressed(list.as_bytes()).await, Fingerprint::of(list.as_bytes()));
        }
        self.change(|manifest| manifest["database"]["dump"] = json!(claimed(size)));
    }

    /// Changes the manifest.
    pub(super) fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest();
        change(&mut manifest);
        self.put_manifest(&manifest);
    }

    /// Runs a command, which must end without being killed.
    pub(super) async fn run(&self, case: &str, arguments: &[&str]) -> Run {
        let run = tokio::time::timeout(PATIENCE, self.program.run(arguments)).await;
        let run = run.unwrap_or_else(|_| panic!("{case}: {arguments:?} does not end"));
        let said = format!("{case}: {arguments:?}\n{}\n{}", tail(&run.stdout), tail(&run.stderr));
        // 101 is a panic. An abort, because of memory or otherwise, is a signal.
        assert!(run.code.is_some_and(|code| code != 101), "{:?}: {said}", run.code);
        assert!(!said.contains("panicked at") && !said.contains("memory allocation of"), "{said}");
        let lines_fit = run.stderr.lines().all(|line| line.len() < 4000);
        assert!(lines_fit, "{case}: {arguments:?} floods the terminal");
        run
    }

    /// Runs all commands of a case. The first must fail with this text. `now` comes last, because
    /// it may make an intact backup.
    pub(super) async fn try_case(&self, case: &str, said: &str, commands: &[&[&str]]) {
        let (last, first): (Vec<&[&str]>, Vec<_>) = commands.iter().partition(|arguments| arguments[0] == "now");
        for (number, arguments) in first.iter().chain(&last).enumerate() {
            let run = self.run(case, arguments).await;
            if number == 0 && !said.is_empty() {
                let text = format!("{}\n{}", run.stdout, run.stderr);
                assert!(run.code != Some(0), "{case}: {arguments:?} passes\n{}", tail(&text));
                assert!(text.contains(said), "{case}: {arguments:?} does not say {said:?}:\n{}", tail(&text));
            }
        }
        // A restore may succeed: a list that is only compared does not prevent the restore of the
        // rest.
        let mut databases = self.project.cluster().databases();
        databases.retain(|name| name != TARGET);
        assert_eq!(databases, [INSTANCE], "{case}: something is left");
        // No file was created outside of the program's own folders.
        assert!(!self.project.path("escaped").exists(), "{case}");
        assert!(!self.project.data_dir().join("filestore/escaped").exists(), "{case}");
    }
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn tail(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(2000))..]
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Compresses like a list or a small volume.
pub(super) async fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    encode_list(body_of(plain.to_vec())).body.read_to_end(&mut stored).await.unwrap();
    stored
}

/// Returns `plain`, compressed and repeated: a few hundred kilobytes expand to any number of
/// gigabytes.
pub(super) async fn compressed_often(plain: &[u8], times: usize) -> (Vec<u8>, Fingerprint) {
    let stored = compressed(plain).await.repeat(times);
    (stored, claimed(plain.len() as u64 * times as u64))
}

/// Returns a fingerprint of which only the size is right: a command that compares the digest has
/// read everything.
pub(super) fn claimed(size: u64) -> Fingerprint {
    Fingerprint { size, ..Fingerprint::of(b"") }
}

/// Returns a tar header.
pub(super) fn tar_header(kind: u8, name: &str, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    let octal = |value: u64, width: usize| format!("{value:0width$o}\0", width = width - 1).into_bytes();
    header[100..108].copy_from_slice(&octal(0o600, 8));
    header[108..116].copy_from_slice(&octal(0, 8));
    header[116..124].copy_from_slice(&octal(0, 8));
    if size < 1 << 33 {
        header[124..136].copy_from_slice(&octal(size, 12));
    } else {
        header[124] = 0x80;
        header[128..136].copy_from_slice(&size.to_be_bytes());
    }
    header[136..148].copy_from_slice(&octal(0, 12));
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// Returns a file in a tar archive.
pub(super) fn tar_file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = tar_header(b'0', name, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// Returns a line of a volume's list.
pub(super) fn line(path: &str, content: &[u8]) -> String {
    let line = json!({
        "path": path, "size": content.len(), "sha256": Digest::of(content).to_string(), "mtime": 0,
        "frame": 0, "frame_length": 1, "offset": 512,
    });
    format!("{line}\n")
}
