//! The manifests, as kustomize renders them.

use std::process::Command;

use crate::deploy::deployed;

/// What `kubectl apply -k` would send; `None` where there is no kubectl.
fn rendered(folder: &str) -> Option<String> {
    let output = Command::new("kubectl").arg("kustomize").arg(deployed(&format!("kubernetes/{folder}"))).output();
    let Ok(output) = output else {
        eprintln!("skipped: kubectl is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The kinds of the objects, in order.
fn kinds(rendered: &str) -> Vec<&str> {
    let mut kinds: Vec<_> = rendered.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    kinds.sort_unstable();
    kinds
}

#[test]
fn each_form_has_its_objects() {
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

/// A change of the configuration starts the pod anew: its name holds a digest, and the pod mounts it by that name.
#[test]
fn the_pods_mount_the_configuration_by_its_digest_and_are_confined() {
    for folder in ["cronjob", "daemon"] {
        let Some(rendered) = rendered(folder) else { return };
        let named: Vec<_> = rendered.lines().filter(|line| line.trim().starts_with("name: odoo-backup-")).collect();
        let others = ["-state", "-token", "-drill"];
        let digests = named.iter().filter(|line| !others.iter().any(|other| line.ends_with(other)));
        let digests: Vec<_> = digests.map(|line| line.trim()).collect();
        // Itself, and each pod.
        let pods = kinds(&rendered).iter().filter(|kind| ["CronJob", "Deployment"].contains(kind)).count();
        assert_eq!(digests.len(), 1 + pods, "{named:?}");
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{named:?}");
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
