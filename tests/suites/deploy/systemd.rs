//! Lets systemd analyze the units.

use std::process::Command;

use crate::deploy::deployed;

/// The figure above which systemd calls an exposure worse than "OK".
const EXPOSED: f64 = 2.5;

/// Returns the exposure of a unit, from 0 to 10. `None` if systemd cannot analyze it here.
fn exposure(name: &str) -> Option<f64> {
    let unit = deployed("systemd").join(name);
    let output = Command::new("systemd-analyze").args(["security", "--offline=yes", "--no-pager"]).arg(unit).output();
    let Ok(output) = output else {
        eprintln!("skipped: systemd-analyze is not installed");
        return None;
    };
    let printed = String::from_utf8_lossy(&output.stdout);
    let Some((_, overall)) = printed.split_once(&format!("Overall exposure level for {name}: ")) else {
        // Before version 250 systemd looks only at running services.
        eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim());
        return None;
    };
    Some(overall.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn units_have_low_exposure() {
    for unit in ["odoo-backup.service", "odoo-backup-daemon.service"] {
        let exposure = exposure(unit);
        assert!(exposure.is_none_or(|exposure| exposure < EXPOSED), "{unit}: {exposure:?}");
    }
}
