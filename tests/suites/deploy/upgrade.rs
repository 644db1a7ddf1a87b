//! Runs `upgrade-with-rollback.sh` on a real server, with stand-ins for Odoo.

use std::fs;
use std::process::{Output, Stdio};

use harness::odoo_backup;
use harness::postgres::SUPERUSER;
use harness::project::{INSTANCE, Project};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::deploy::deployed;

/// The state after an upgrade that fails halfway: a missing table, other rows, one more file.
const BREAK: &str = r#"
    $PSQL -c "DROP TABLE mail_message CASCADE" -c "UPDATE res_partner SET name = 'half upgraded'"
    echo half > "$FILESTORE/half-upgraded"
"#;

/// An instance with a repository, ready for the script.
struct Upgrade {
    project: Project,
}

impl Upgrade {
    async fn new() -> Self {
        let project = Project::start().await;
        odoo_backup!(project.config()).run(["init"]).await.success();
        Self { project }
    }

    /// Returns the script, with a shell command in place of Odoo.
    fn script(&self, options: &[&str], odoo: &str) -> Command {
        let psql = self.project.cluster().command("psql", SUPERUSER);
        let psql_line = format!("{} -X -q -v ON_ERROR_STOP=1 -d {INSTANCE}", psql.get_program().display());
        let mut command = Command::new(deployed("upgrade-with-rollback.sh"));
        command.envs(psql.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PSQL", psql_line).env("FILESTORE", self.project.filestore());
        command.current_dir(self.project.path(""));
        command.args(["--program", env!("CARGO_BIN_EXE_odoo-backup"), "--config"]).arg(self.project.config());
        command.args(["--stop", "echo stop >> odoo.log", "--start", "echo start >> odoo.log"]).args(options);
        command.args([INSTANCE, "--", "sh", "-c", odoo]);
        command.kill_on_drop(true);
        command
    }

    /// Returns what the script did to Odoo.
    fn odoo_actions(&self) -> String {
        fs::read_to_string(self.project.path("odoo.log")).unwrap_or_default().replace('\n', " ")
    }

    fn names(&self) -> String {
        self.project.cluster().execute(INSTANCE, "SELECT name FROM res_partner ORDER BY id")
    }

    /// Panics unless database and filestore are unchanged.
    fn assert_as_before(&self, names: &str, output: &Output) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(self.names(), names, "{said}");
        self.project.cluster().execute(INSTANCE, "SELECT count(*) FROM mail_message");
        assert!(!self.project.filestore().join("half-upgraded").exists(), "{said}");
    }
}

#[tokio::test]
async fn upgrade_success_leaves_pinned_backup() {
    let upgrade = Upgrade::new().await;
    let odoo = "$PSQL -c \"UPDATE res_partner SET name = 'upgraded'\"; echo upgrade >> odoo.log";
    let output = upgrade.script(&["--check", "echo check >> odoo.log"], odoo).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(upgrade.odoo_actions(), "stop upgrade check start ");
    assert!(upgrade.names().starts_with("upgraded\n"));
    let list = odoo_backup!(upgrade.project.config()).run(["list", "--json"]).await.success().json();
    assert_eq!(list["backups"][0]["pinned"], true, "{list:#}");
}

#[tokio::test]
async fn upgrade_failure_restores_backup() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.names();
    for (options, odoo) in [
        (vec![], format!("{BREAK} exit 1")),
        // Odoo may exit with 0 although a module could not be upgraded.
        (vec!["--check", "false"], BREAK.to_owned()),
    ] {
        fs::remove_file(upgrade.project.path("odoo.log")).ok();
        let output = upgrade.script(&options, &odoo).output().await.unwrap();
        assert_eq!(output.status.code(), Some(10), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(upgrade.odoo_actions(), "stop start ");
        upgrade.assert_as_before(&before, &output);
    }
}

#[tokio::test]
async fn upgrade_stopped_restores_backup() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.names();
    let odoo = format!("{BREAK} echo broken; exec sleep 1000");
    let mut script = upgrade.script(&[], &odoo).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(script.stdout.take().unwrap()).lines();
    assert_eq!(printed.next_line().await.unwrap().as_deref(), Some("broken"));
    let pid = script.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let output = script.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(upgrade.odoo_actions(), "stop start ");
    upgrade.assert_as_before(&before, &output);
}

#[tokio::test]
async fn upgrade_without_backup_changes_nothing() {
    let upgrade = Upgrade::new().await;
    let before = upgrade.names();
    fs::rename(upgrade.project.repository(), upgrade.project.path("unplugged")).unwrap();
    let output = upgrade.script(&[], &format!("{BREAK} exit 0")).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(upgrade.odoo_actions(), "stop start ");
    upgrade.assert_as_before(&before, &output);
}
