use std::path::Path;

use super::Fixture;
use crate::Config;

#[test]
fn first_named_or_existing_file_wins() {
    let locate = |fixture: &Fixture, explicit: Option<&str>| {
        let path = Config::locate_in(explicit.map(Path::new), &fixture.surroundings()).unwrap();
        fixture.shortened(path.path.to_str().unwrap())
    };
    let fixture = Fixture::new().file("etc/odoo-backup/config.toml", "");
    assert_eq!(locate(&fixture, None), "DIR/etc/odoo-backup/config.toml");
    let fixture = fixture.file("odoo-backup.toml", "");
    assert_eq!(locate(&fixture, None), "DIR/odoo-backup.toml");
    let fixture = fixture.file("variable.toml", "").variable("ODOO_BACKUP_CONFIG", "variable.toml");
    assert_eq!(locate(&fixture, None), "variable.toml");
    let fixture = fixture.file("explicit.toml", "");
    assert_eq!(locate(&fixture, Some("explicit.toml")), "explicit.toml");
    let empty = fixture.variable("ODOO_BACKUP_CONFIG", "");
    assert_eq!(locate(&empty, None), "DIR/odoo-backup.toml");
}

#[test]
fn missing_file_lists_searched_places() {
    let fixture = Fixture::new();
    let error = Config::locate_in(None, &fixture.surroundings()).unwrap_err();
    assert_eq!(
        fixture.shortened(&error.to_string()),
        "no configuration file found; looked for DIR/odoo-backup.toml, DIR/etc/odoo-backup/config.toml"
    );
    assert_eq!(error.hint().unwrap(), "run `odoo-backup init` to write one, or name a file by `--config FILE`");
}

#[test]
fn missing_named_file_is_an_error() {
    let fixture = Fixture::new().file("odoo-backup.toml", "").variable("ODOO_BACKUP_CONFIG", "absent.toml");
    let error = |explicit| Config::locate_in(explicit, &fixture.surroundings()).unwrap_err().to_string();
    assert_eq!(error(None), "the configuration file absent.toml, named by $ODOO_BACKUP_CONFIG, does not exist");
    assert_eq!(error(Some(Path::new("x.toml"))), "the configuration file x.toml, named by --config, does not exist");
}

#[test]
fn strangers_found_file_is_refused() {
    let fixture = Fixture::new().file("odoo-backup.toml", "").mode("odoo-backup.toml", 0o666);
    let error = Config::locate_in(None, &fixture.surroundings()).unwrap_err();
    assert_eq!(
        fixture.shortened(&error.to_string()),
        "the configuration file DIR/odoo-backup.toml is not used: others may write to DIR/odoo-backup.toml (mode 0666)"
    );
    assert!(error.hint().unwrap().contains("--config"), "{error}");
    Config::locate_in(Some(Path::new("odoo-backup.toml")), &fixture.surroundings()).unwrap();
    let named = fixture.variable("ODOO_BACKUP_CONFIG", "odoo-backup.toml");
    assert!(!Config::locate_in(None, &named.surroundings()).unwrap().searched);
}

#[test]
fn found_file_names_no_strangers_files() {
    let head = "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'd'\nfilestore = '/f'\n";
    let target = "[target.t]\ndatabase = 't'\nfilestore = '/t'\n";
    for (name, text) in [
        ("open/pg", format!("{head}pg_path = 'open/pg'\n")),
        ("open/pw", format!("{head}password_file = 'open/pw'\n")),
        ("open/odoo.conf", format!("{head}odoo_conf = 'open/odoo.conf'\n")),
        ("open/odoo-bin", format!("{head}{target}odoo_bin = 'open/odoo-bin'\n")),
        ("open/x.sql", format!("{head}{target}sql = ['open/x.sql']\n")),
        ("open/hook", format!("{head}[instance.production.hooks]\nbefore = ['open/hook']\n")),
        ("open/hook", format!("{head}{target}[target.t.hooks]\nfinally = ['open/hook']\n")),
        ("open/token", format!("{head}[daemon]\ntoken_file = 'open/token'\n")),
    ] {
        let fixture = Fixture::new().file(name, "x = 1").mode("open", 0o777).file("odoo-backup.toml", text);
        let fixture = if name.ends_with(".conf") { fixture.file(name, "[options]\n") } else { fixture };
        let located = Config::locate_in(None, &fixture.surroundings()).unwrap();
        let error = located.load_in(&fixture.surroundings()).unwrap_err().to_string();
        assert!(error.contains("is not used") && error.contains("(mode 0777)"), "{name}: {error}");
        Config::load_in(&located.path, &fixture.surroundings()).unwrap();
    }
}
