use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;
use crate::tests::Fixture;

/// A process with this command line, in the mount namespace `mounts`.
fn process(fixture: Fixture, number: u32, line: &str, mounts: &str) -> Fixture {
    let fixture =
        fixture.file(&format!("proc/{number}/cmdline"), line.replace(' ', "\0")).folder(&format!("proc/{number}/ns"));
    symlink(mounts, fixture.path(&format!("proc/{number}/ns/mnt"))).unwrap();
    symlink("/opt/odoo", fixture.path(&format!("proc/{number}/cwd"))).unwrap();
    fixture
}

/// A machine on which a first process runs, and this one.
fn machine() -> Fixture {
    let fixture = process(Fixture::new(), 1, "/sbin/init", "mnt:[1]").folder("proc/self/ns");
    symlink("mnt:[1]", fixture.path("proc/self/ns/mnt")).unwrap();
    fixture
}

fn look(fixture: &Fixture) -> Discovery {
    Discovery::look(None, &fixture.surroundings()).unwrap()
}

fn clue<'a>(found: &'a Discovery, what: &str) -> &'a Clue {
    found.clues.iter().find(|clue| clue.what == what).unwrap_or_else(|| panic!("{what} in {:?}", found.clues))
}

fn answers(found: &Discovery) -> Vec<(&'static str, Answer)> {
    found.clues.iter().map(|clue| (clue.what, clue.answer)).collect()
}

#[test]
fn bare_machine_has_nothing() {
    let found = look(&machine());
    let not_found = |what| (what, Answer::NotFound);
    let expected =
        ["odoo.conf", "running Odoo", "service", "compose project", "container volume", "addons_path", "odoo_bin"];
    assert_eq!(answers(&found), expected.map(not_found));
    assert_eq!(found.data_dir("x").1.answer, Answer::NotFound);
}

#[test]
fn running_odoo_wins_over_usual_place() {
    let fixture = machine()
        .file("etc/odoo/odoo.conf", "[options]\ndata_dir = /usual\n")
        .file("live.conf", "[options]\ndata_dir = /live\naddons_path = /modules\n");
    let line = format!("/usr/bin/python3 ./odoo-bin -c {} -d live", fixture.path("live.conf").display());
    let fixture = process(process(fixture, 7, &line, "mnt:[1]"), 8, &line, "mnt:[1]");

    let found = look(&fixture);

    assert_eq!(found.odoo_conf.as_ref().unwrap().0, fixture.path("live.conf"));
    assert!(clue(&found, "odoo.conf").source.starts_with("process 7 of "));
    assert_eq!(clue(&found, "another odoo.conf").value, Some(fixture.path("etc/odoo/odoo.conf").display().to_string()));
    assert_eq!(found.databases, ["live"]);
    assert_eq!(found.data_dir("live").0.unwrap().value, Path::new("/live"));
    assert_eq!(clue(&found, "addons_path").value.as_deref(), Some("/modules"));
    assert_eq!(clue(&found, "odoo_bin").value.as_deref(), Some("/opt/odoo/odoo-bin"));
    let running = clue(&found, "running Odoo").value.clone().unwrap();
    assert_eq!(running.matches("odoo-bin").count(), 1, "workers are the same Odoo: {running}");
}

#[test]
fn options_win_over_odoo_conf() {
    let fixture = machine().file("etc/odoo/odoo.conf", "[options]\ndata_dir = /conf\naddons_path = /conf\n");
    let fixture = process(fixture, 7, "/usr/bin/odoo --data-dir=/said --addons-path=/a,b", "mnt:[1]");
    let found = look(&fixture);
    assert_eq!(found.data_dir("x").0.unwrap().value, Path::new("/said"));
    assert_eq!(found.addons_path.unwrap().value, ["/a", "/opt/odoo/b"].map(PathBuf::from));
}

#[test]
fn unit_names_odoo_conf() {
    let conf = "[options]\ndb_name = live\n";
    let fixture = machine().file("srv/live.conf", conf);
    let unit =
        format!("[Service]\nExecStart=/opt/odoo/odoo-bin --config={}\n", fixture.path("srv/live.conf").display());
    let fixture = fixture.file("etc/systemd/system/odoo.service", unit);
    let found = look(&fixture);
    assert_eq!(found.odoo_conf.as_ref().unwrap().0, fixture.path("srv/live.conf"));
    assert_eq!(clue(&found, "odoo.conf").source, "odoo.service");
    assert_eq!(clue(&found, "service").answer, Answer::Found);
}

#[test]
fn container_shows_its_volume() {
    let fixture = process(machine(), 7, "/usr/bin/odoo -c /etc/odoo/odoo.conf", "mnt:[2]");
    let fixture = fixture
        .file("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
        .file("proc/7/mountinfo", "9 8 8:1 /volumes/odoo /var/lib/odoo rw - ext4 /dev/sda1 rw\n")
        .file("srv/shop/compose.yml", "services:\n  web:\n    image: \"odoo:18\"\n");
    let found = look(&fixture);
    assert!(found.odoo_conf.is_none(), "that of a container is not this machine's");
    assert!(clue(&found, "running Odoo").value.as_ref().unwrap().contains("in a container"));
    assert_eq!(found.data_dir("x").0.unwrap().value, Path::new("/volumes/odoo"));
    assert!(clue(&found, "compose project").value.as_ref().unwrap().ends_with("srv/shop/compose.yml (odoo:18)"));
}

#[test]
fn volume_with_filestore_is_found() {
    let volume = "var/lib/docker/volumes/shop_data/_data";
    let found = look(&machine().folder(&format!("{volume}/filestore")).folder("var/lib/docker/volumes/db/_data"));
    assert_eq!(clue(&found, "container volume").answer, Answer::Found);
    assert!(found.data_dir("x").0.unwrap().value.ends_with(volume));
}

#[test]
fn hidden_processes_are_unknown() {
    let found = look(&Fixture::new().folder("proc"));
    assert_eq!(clue(&found, "running Odoo").answer, Answer::Unknown);
    let found = look(&Fixture::new());
    assert_eq!(clue(&found, "running Odoo").answer, Answer::Unknown);
}

#[test]
fn several_data_folders_are_unknown() {
    let fixture = machine().folder("var/lib/odoo/filestore/x").folder("home/.local/share/Odoo/filestore/x");
    let (found, clue) = look(&fixture).data_dir("x");
    assert_eq!((found, clue.answer), (None, Answer::Unknown));
}

#[test]
fn named_odoo_conf_hides_other_odoo() {
    let fixture =
        machine().file("mine.conf", "[options]\ndb_name = x\n").folder("var/lib/docker/volumes/x/_data/filestore");
    let fixture = process(fixture, 7, "/usr/bin/odoo -c /etc/other.conf -d other", "mnt:[1]");
    let found = Discovery::look(Some(&fixture.path("mine.conf")), &fixture.surroundings()).unwrap();
    assert_eq!(found.databases, Vec::<String>::new());
    let expected = [("odoo.conf", Answer::Found), ("addons_path", Answer::NotFound), ("odoo_bin", Answer::NotFound)];
    assert_eq!(answers(&found), expected);
    assert_eq!(found.data_dir("x").1.answer, Answer::NotFound);
}

#[test]
fn filestore_has_three_answers() {
    let fixture = Fixture::new().file("d/filestore/x/ab/abc", "").folder("d/filestore/empty").file("f/filestore", "");
    let look = |data: &str, database: &str| Discovery::filestore(&fixture.path(data), database).answer;
    assert_eq!(look("d", "x"), Answer::Found);
    assert_eq!(look("d", "empty"), Answer::Found);
    assert_eq!(look("d", "other"), Answer::NotFound);
    symlink("loop", fixture.path("loop")).unwrap();
    assert_eq!(look("loop", "x"), Answer::Unknown);
}
