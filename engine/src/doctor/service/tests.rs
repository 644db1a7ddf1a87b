use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use super::*;
use crate::hooks::HookCommand;

/// A machine with the daemon's unit, and further files below its root.
fn machine(unit: &str, more: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in [("etc/systemd/system/odoo-backup-daemon.service", unit)].iter().chain(more) {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn read_unit(unit: &str) -> ServiceUnit {
    ServiceUnit::installed(machine(unit, &[]).path()).unwrap()
}

#[test]
fn unit_is_read_with_drop_ins() {
    let unit = "[Unit]\nUser=daemon\n[Service]\nUser=odoo\nExecStart=odoo-backup --config /etc/x.toml \\\n  daemon\nReadWritePaths=/a /b\n";
    let drop_in = "[Service]\nReadWritePaths=\nReadWritePaths=/c\nEnvironment=A=1 B=2\nEnvironmentFile=/etc/env\n";
    let root = machine(
        unit,
        &[("etc/systemd/system/odoo-backup-daemon.service.d/x.conf", drop_in), ("etc/env", "# C=3\nD=\"4\"\n")],
    );
    let unit = ServiceUnit::installed(root.path()).unwrap();
    assert_eq!((unit.name.as_str(), unit.user.as_deref(), unit.is_daemon), ("odoo-backup-daemon", Some("odoo"), true));
    assert_eq!(unit.config, Path::new("/etc/x.toml"));
    assert_eq!(unit.paths("ReadWritePaths"), [(PathBuf::from("/c"), false)]);
    let variables: Vec<_> = unit.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(variables, ["A=1", "B=2", "D=4"]);
    assert_eq!(ServiceUnit::installed(tempfile::tempdir().unwrap().path()), None);
}

#[test]
fn strict_sandbox_allows_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let [there, absent] = ["there", "absent"].map(|name| folder.path().canonicalize().unwrap().join(name));
    fs::create_dir(&there).unwrap();
    let unit = read_unit(&format!(
        "[Service]\nProtectSystem=strict\nProtectHome=read-only\nStateDirectory=odoo-backup-state\n\
         ReadWritePaths=-{} -{}\nReadOnlyPaths={}/ro\n",
        there.display(),
        absent.display(),
        there.display()
    ));
    let reach = |path: &Path| sandbox::reach(&unit, path);
    assert_eq!(reach(&there.join("deep")), Reach::Write);
    assert_eq!(reach(&there.join("ro/deep")), Reach::Read);
    assert_eq!(reach(&absent.join("deep")), Reach::Absent(absent));
    assert_eq!(reach(Path::new("/srv/elsewhere")), Reach::Read);
    assert_eq!(reach(Path::new("/var/lib/odoo-backup-state/x")), Reach::Write);
    assert_eq!(reach(Path::new("/home/odoo/x")), Reach::Read);
}

#[test]
fn looser_sandboxes_hide_less() {
    let full = read_unit("[Service]\nProtectSystem=full\nProtectHome=true\nPrivateTmp=yes\n");
    let reach = |unit: &ServiceUnit, path: &str| sandbox::reach(unit, Path::new(path));
    let expected = [Reach::Write, Reach::Read, Reach::Hidden, Reach::Hidden];
    assert_eq!(["/srv/x", "/etc/x", "/home/x", "/tmp/x"].map(|path| reach(&full, path)), expected);
    let none = read_unit("[Service]\nExecStart=odoo-backup daemon\n");
    assert_eq!(
        ["/etc/x", "/home/x", "/tmp/x"].map(|path| reach(&none, path)),
        [Reach::Write, Reach::Write, Reach::Write]
    );
}

fn subjects() -> Subjects {
    Subjects {
        configuration: "/etc/odoo-backup/config.toml".into(),
        warnings: Vec::new(),
        exposed: Vec::new(),
        repositories: vec![("repository".into(), StoreConfig::Local { path: "/srv/backups".into() })],
        instances: Vec::new(),
        targets: Vec::new(),
        drills: Vec::new(),
        hooks: BTreeMap::new(),
        patience: BTreeMap::new(),
    }
}

#[test]
fn read_only_repository_is_a_failure() {
    let subjects = subjects();
    let start = "[Service]\nUser=odoo\nExecStart=odoo-backup --config /etc/odoo-backup/config.toml daemon\nProtectSystem=strict\n";
    let failed = try_service(&read_unit(start), &subjects);
    let found: Vec<_> = failed.iter().map(|finding| (&*finding.trial, finding.outcome)).collect();
    assert_eq!(found, [("unit", TrialOutcome::Ok), ("write", TrialOutcome::Failed)]);
    assert_eq!(failed[1].detail, "its sandbox makes /srv/backups read-only");
    let hint = failed[1].hint.as_deref().unwrap();
    assert!(
        hint.contains("systemctl edit odoo-backup-daemon") && hint.contains("ReadWritePaths=/srv/backups"),
        "{hint}"
    );

    let ok = try_service(&read_unit(&format!("{start}ReadWritePaths=/srv\n")), &subjects);
    assert!(ok.iter().all(|finding| finding.outcome == TrialOutcome::Ok), "{ok:?}");
    assert!(read_unit(start).is_for(Path::new("/etc/odoo-backup/config.toml")));
    assert!(!read_unit(start).is_for(Path::new("/etc/odoo-backup/other.toml")));
}

#[test]
fn hidden_hook_is_a_failure() {
    let before = Some(HookCommand { program: "/home/admin/hook".into(), arguments: Vec::new() });
    let hooks = BTreeMap::from([("instance production".into(), Hooks { before, ..Hooks::default() })]);
    let subjects = Subjects { hooks, ..subjects() };
    let start = "[Service]\nUser=odoo\nExecStart=odoo-backup daemon\nReadWritePaths=/srv\n";
    let found = |more: &str| try_service(&read_unit(&format!("{start}{more}")), &subjects);
    let hidden = found("ProtectHome=true\n");
    assert!(hidden.iter().any(|finding| finding.detail == "its sandbox hides /home/admin/hook"), "{hidden:?}");
    let shown = found("ProtectHome=read-only\n");
    assert!(shown.iter().all(|finding| finding.outcome == TrialOutcome::Ok), "{shown:?}");
}
