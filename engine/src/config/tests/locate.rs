use std::path::Path;

use super::Fixture;
use crate::config::Config;

#[test]
fn the_first_that_is_named_or_there() {
    let locate = |fixture: &Fixture, explicit: Option<&str>| {
        let path = Config::locate_in(explicit.map(Path::new), &fixture.surroundings()).unwrap();
        fixture.shortened(path.to_str().unwrap())
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
fn none_found_says_where_it_looked() {
    let fixture = Fixture::new();
    let error = Config::locate_in(None, &fixture.surroundings()).unwrap_err();
    assert_eq!(
        fixture.shortened(&error.to_string()),
        "no configuration file found; looked for DIR/odoo-backup.toml, DIR/etc/odoo-backup/config.toml"
    );
    assert_eq!(error.hint().unwrap(), "`odoo-backup init` writes one; `--config FILE` names another place");
}

#[test]
fn a_named_file_that_is_not_there_is_not_replaced_by_another() {
    let fixture = Fixture::new().file("odoo-backup.toml", "").variable("ODOO_BACKUP_CONFIG", "absent.toml");
    let error = |explicit| Config::locate_in(explicit, &fixture.surroundings()).unwrap_err().to_string();
    assert_eq!(error(None), "there is no configuration file absent.toml, which $ODOO_BACKUP_CONFIG names");
    assert_eq!(error(Some(Path::new("x.toml"))), "there is no configuration file x.toml, which --config names");
}
