//! Checks the manifests, as kustomize renders them.

use std::process::Command;

use crate::deploy::deployed;

/// Returns what `kubectl apply -k` would send; `None` if kubectl is not installed.
fn rendered(folder: &str) -> Option<String> {
    let output = Command::new("kubectl").arg("kustomize").arg(deployed(&format!("kubernetes/{folder}"))).output();
    let Ok(output) = output else {
        eprintln!("skipped: kubectl is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns the kinds of the objects, sorted.
fn kinds(rendered: &str) -> Vec<&str> {
    let mut kinds: Vec<_> = rendered.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn each_form_renders_its_objects() {
    for (folder, expected) in [
        ("cronjob", vec!["ConfigMap", "CronJob", "CronJob", "ServiceAccount"]),
        ("daemon", vec!["ConfigMap", "Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount"]),
        (
            "monitored",
            vec!["ConfigMap", "Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount", "ServiceMonitor"],
        ),
    ] {
        let Some(rendered) = rendered(folder) else { return };
        assert_eq!(kinds(&rendered), expected, "{rendered}");
    }
}

/// Checks that the ConfigMap's name contains a digest and that each pod mounts it by that name, so
/// that a changed configuration starts new pods.
#[test]
fn pods_mount_configuration_by_digest() {
    for folder in ["cronjob", "daemon"] {
        let Some(rendered) = rendered(folder) else { return };
        let named: Vec<_> = rendered.lines().filter(|line| line.trim().starts_with("name: odoo-backup-")).collect();
        let others = ["-state", "-token", "-drill"];
        let digests = named.iter().filter(|line| !others.iter().any(|other| line.ends_with(other)));
        let digests: Vec<_> = digests.map(|line| line.trim()).collect();
        // The ConfigMap itself, and each pod.
        let pods = kinds(&rendered).iter().filter(|kind| ["CronJob", "Deployment"].contains(kind)).count();
        assert_eq!(digests.len(), 1 + pods, "{named:?}");
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{named:?}");
    }
}

#[test]
fn pods_are_confined() {
    for folder in ["cronjob", "daemon"] {
        let Some(rendered) = rendered(folder) else { return };
        for setting in [
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "runAsNonRoot: true",
            "automountServiceAccountToken: false",
            "type: RuntimeDefault",
            "- ALL",
        ] {
            assert!(rendered.contains(setting), "{folder}: {setting}");
        }
    }
}
