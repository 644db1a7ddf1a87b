//! Tries the alerts with promtool, and checks that alerts and dashboard use metrics that exist.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::deploy::deployed;

/// Runs `promtool`, and panics with its output if it fails. Skipped if it is not installed.
fn promtool(command: &mut Command) {
    match command.output() {
        Ok(output) => {
            let said =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert!(output.status.success(), "{said}");
        }
        Err(_) => eprintln!("skipped: promtool is not installed"),
    }
}

#[test]
fn alerts_fire_when_they_should() {
    let folder = deployed("prometheus");
    let tests = ["odoo-backup.test.yml", "odoo-backup-textfile.test.yml"];
    promtool(Command::new("promtool").args(["test", "rules"]).args(tests).current_dir(folder));
}

/// Returns the expressions of the dashboard, with its variables replaced.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana/odoo-backup.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().replace("$instance", ".*")).collect()
}

#[test]
fn dashboard_queries_are_valid() {
    let rules = expressions().into_iter().zip(0..).map(|(expression, number)| {
        format!("      - record: panel_{number}\n        expr: {}\n", serde_json::to_string(&expression).unwrap())
    });
    let rules = format!("groups:\n  - name: dashboard\n    rules:\n{}", rules.collect::<String>());
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    fs::write(file.path(), rules).unwrap();
    promtool(Command::new("promtool").args(["check", "rules"]).arg(file.path()));
}

fn read(name: &str) -> String {
    fs::read_to_string(deployed(name)).unwrap()
}

/// Returns the names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("odoo_backup_")).collect()
}

#[test]
fn alerts_and_dashboard_use_known_metrics() {
    let manual = read("../docs/metrics.md");
    let known = metrics(&manual);
    for name in [
        "prometheus/odoo-backup.rules.yml",
        "prometheus/odoo-backup.test.yml",
        "prometheus/odoo-backup-textfile.rules.yml",
        "prometheus/odoo-backup-textfile.test.yml",
        "grafana/odoo-backup.json",
    ] {
        let text = read(name);
        let unknown: Vec<_> = metrics(&text).difference(&known).copied().collect();
        assert_eq!(unknown, [""; 0], "{name}");
    }
    // Every alert has a test, and a row in the manual.
    let monitoring = read("../docs/monitoring.md");
    for name in ["odoo-backup", "odoo-backup-textfile"] {
        let rules = read(&format!("prometheus/{name}.rules.yml"));
        let tests = read(&format!("prometheus/{name}.test.yml"));
        for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
            assert!(tests.contains(alert) && monitoring.contains(&format!("| `{alert}` |")), "{alert}");
        }
    }
}

/// Checks that content in no backup is in the alerts and on the dashboard.
#[test]
fn content_in_no_backup_raises_alert() {
    for name in ["prometheus/odoo-backup.rules.yml", "grafana/odoo-backup.json"] {
        let text = read(name);
        assert!(metrics(&text).contains("odoo_backup_newest_backup_attachments_elsewhere"), "{name}");
    }
}
