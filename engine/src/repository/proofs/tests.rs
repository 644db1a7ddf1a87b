use std::sync::Arc;

use super::*;
use crate::manifest::{StoredObject, made_up};
use crate::repository::Listing;
use crate::store::{LocalStore, Store};
use crate::stream::Fingerprint;

const BACKUP: &str = "20261121T020003Z-3f9c";

fn seen(at: &str, depth: Depth, outcome: ProofOutcome) -> ProofName {
    ProofName::new(BackupRef::new("production", BACKUP.parse().unwrap()), at.parse().unwrap(), depth, outcome)
}

#[test]
fn proof_name_contains_listed_facts() {
    let name = seen("2026-11-22T04:05:06.5Z", Depth::Full, ProofOutcome::Passed);
    assert_eq!(name.key.as_str(), "production/proofs/20261121T020003Z-3f9c/20261122T040506Z-8000-full-passed.json");
    assert_eq!(ProofName::of(&name.key), Some(name));
    for other in [
        "production/20261121T020003Z-3f9c/manifest.json",
        "proofs/production/20261121T020003Z-3f9c/20261122T040506Z-8000-full-passed.json",
        "production/proofs/20261122T040506Z-8000-full-passed.json",
        "production/proofs/latest/20261122T040506Z-8000-full-passed.json",
        "production/proofs/20261121T020003Z-3f9c/20261122T040506Z-8000-full-passed",
        "production/proofs/20261121T020003Z-3f9c/20261122T040506Z-8000-deep-passed.json",
        "production/proofs/20261121T020003Z-3f9c/20261122T040506Z-8000-full-so-so.json",
        "production/proofs/20261121T020003Z-3f9c/20261122T250506Z-8000-full-passed.json",
        "production/proofs/20261121T020003Z-3f9c/20261122T040506Z-8000-full-passed.json/more",
    ] {
        assert_eq!(ProofName::of(&Key::new(other).unwrap()), None, "{other}");
    }
}

#[test]
fn failure_counts_until_equal_depth_passes() {
    use Depth::{Full, Quick};
    use ProofOutcome::{Failed, Passed};
    let cases = [
        (vec![], None),
        (vec![(Quick, Passed)], Some((true, 0))),
        (vec![(Full, Passed), (Quick, Passed)], Some((true, 1))),
        (vec![(Quick, Failed)], Some((false, 0))),
        (vec![(Full, Passed), (Quick, Failed)], Some((false, 1))),
        (vec![(Quick, Failed), (Quick, Passed)], Some((true, 1))),
        (vec![(Full, Failed), (Quick, Passed)], Some((false, 0))),
        (vec![(Full, Failed), (Quick, Failed), (Quick, Passed)], Some((false, 0))),
        (vec![(Full, Failed), (Quick, Passed), (Full, Passed)], Some((true, 2))),
    ];
    for (proofs, expected) in cases {
        let names: Vec<_> = proofs
            .iter()
            .zip(10..)
            .map(|((depth, outcome), minute)| seen(&format!("2026-11-22T04:{minute}:00Z"), *depth, *outcome))
            .collect();
        let expected = expected.map(|(proven, at)| {
            let name = names[at].clone();
            if proven { Evidence::Proven(name) } else { Evidence::Refuted(name) }
        });
        let backwards = names.iter().rev().cloned().collect();
        assert_eq!(Evidence::of(backwards), expected, "{proofs:?}");
    }
    let both = [Passed, Failed].map(|outcome| seen("2026-11-22T04:10:00Z", Quick, outcome));
    assert_eq!(Evidence::of(both.to_vec()), Some(Evidence::Refuted(both[1].clone())));
}

#[test]
fn newest_good_backup_skips_refuted() {
    let nothing = Fingerprint::of(b"");
    let at = |text: &str| BackupId::new(text.parse().unwrap());
    let ids = [at("2026-11-20T02:00:00Z"), at("2026-11-21T02:00:00Z")];
    let backup = |id: &BackupId| {
        let key = BackupRef::new("production", id.clone()).object("database.dump.zst");
        made_up::manifest("production", id, StoredObject { key, plain: nothing, stored: nothing })
    };
    let mut listing = Listing { backups: ids.iter().map(backup).collect(), ..Default::default() };
    assert_eq!(listing.newest_good()["production"].id, ids[1]);
    let name = seen("2026-11-22T04:10:00Z", Depth::Quick, ProofOutcome::Failed);
    listing.evidence.insert(BackupRef::new("production", ids[1].clone()), Evidence::Refuted(name));
    assert_eq!(listing.newest_good()["production"].id, ids[0]);
}

#[tokio::test]
async fn stored_proof_must_match_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::open(folder.path().to_owned(), false).await.unwrap());
    let repository = Repository::init(store.clone(), Timestamp::now()).await.unwrap();
    let id = BackupId::new(Timestamp::now());
    let key = BackupRef::new("production", id.clone()).object("database.dump.zst");
    let nothing = Fingerprint::of(b"");
    let manifest = made_up::manifest("production", &id, StoredObject { key, plain: nothing, stored: nothing });
    let prepare = async |manifest: &Manifest| {
        repository.prepare_proof(manifest, ProofOccasion::Drill, ProofOutcome::Passed, Depth::Quick).await
    };
    assert!(prepare(&manifest).await.is_err(), "there is no such backup");
    let bytes = manifest.to_bytes().unwrap();
    let manifest_key = manifest.backup().manifest();
    store.put(&manifest_key, body_of(bytes.clone()), Mode::CreateNew).await.unwrap();
    let mut other = manifest.clone();
    other.program = "another".into();
    assert!(matches!(prepare(&other).await, Err(RepositoryError::Damaged { .. })));

    let timings = Timings { total: Duration::from_millis(1500), ..Timings::default() };
    let proof = Proof { seconds: Some(timings), ..prepare(&manifest).await.unwrap() };
    assert_eq!(proof.manifest, Digest::of(&bytes));
    let name = repository.store_proof(&proof).await.unwrap();
    assert!(repository.store_proof(&proof).await.is_err(), "create-only");
    assert_eq!(repository.proof(&name).await.unwrap(), proof);
    let found = repository.proofs("production").await.unwrap();
    assert_eq!(found[&id].proven().map(|found| &found.key), Some(&name.key));
    let listed = repository.list(Some("production")).await.unwrap().evidence;
    assert_eq!(listed[&manifest.backup()], found[&id]);
    assert!(repository.proofs("prod").await.unwrap().is_empty());

    let stored = String::from_utf8(read_document(&*store, &name.key).await.unwrap()).unwrap();
    let replace = async |from: &str, to: &str| {
        assert!(stored.contains(from));
        let text = stored.replace(from, to);
        store.put(&name.key, body_of(text), Mode::Replace).await.unwrap();
        repository.proof(&name).await
    };
    assert_eq!(replace("\"format\"", "\"later\": {}, \"format\"").await.unwrap(), proof);
    assert!(matches!(replace("\"format\": 1", "\"format\": 2").await, Err(RepositoryError::NewerFormat { .. })));
    assert!(matches!(replace("\"passed\"", "\"failed\"").await, Err(RepositoryError::Damaged { .. })));
}
