use std::path::{Path, PathBuf};

use super::{OdooConf, conf_candidates, data_dir_candidates};
use crate::postgres::SslMode;

fn read(text: &[u8]) -> Result<OdooConf, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odoo.conf");
    std::fs::write(&path, text).unwrap();
    OdooConf::read_with_home(&path, Some(Path::new("/home/odoo")))
        .map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "odoo.conf"))
}

#[test]
fn usual_file_is_read() {
    let conf = read(
        b"[options]\n; the password that allows database operations:\nadmin_passwd = admin\ndb_host = db.example.com\ndb_port = 5433\n\
          db_user = odoo\ndb_password = s3cret\ndb_name = production\ndb_sslmode = verify-full\ndata_dir = /srv/odoo\n\
          pg_path = /usr/lib/postgresql/16/bin\naddons_path = /opt/odoo/addons, ~/custom\nxmlrpc_port = 8069\n",
    )
    .unwrap();
    assert_eq!(conf.host.as_deref(), Some("db.example.com"));
    assert_eq!(conf.port, Some(5433));
    assert_eq!(conf.user.as_deref(), Some("odoo"));
    assert_eq!(conf.password.unwrap().expose(), "s3cret");
    assert_eq!(conf.databases, ["production"]);
    assert_eq!(conf.sslmode, Some(SslMode::VerifyFull));
    assert_eq!(conf.data_dir, Some("/srv/odoo".into()));
    assert_eq!(conf.pg_path, Some("/usr/lib/postgresql/16/bin".into()));
    assert_eq!(conf.addons_path, [PathBuf::from("/opt/odoo/addons"), "/home/odoo/custom".into()]);
}

#[test]
fn false_none_and_empty_mean_unset() {
    let conf = read(
        b"[options]\ndb_host = False\ndb_port = False\ndb_user =\ndb_password = False\ndb_name = False\ndb_sslmode = None\n\
          data_dir = false\naddons_path = None\n",
    )
    .unwrap();
    assert_eq!(conf.host, None);
    assert_eq!(conf.port, None);
    assert_eq!(conf.user, None);
    assert_eq!(conf.password, None);
    assert_eq!(conf.sslmode, None);
    assert_eq!(conf.databases, Vec::<String>::new());
    assert_eq!(conf.data_dir, None);
    assert_eq!(conf.pg_path, None);
    assert_eq!(conf.addons_path, Vec::<PathBuf>::new());
}

/// The expected passwords are those that Python's `RawConfigParser` returned.
#[test]
fn value_is_read_as_by_python() {
    for (text, password) in [
        ("[options]\ndb_password=a%b%(c)s", "a%b%(c)s"),
        ("[options]\ndb_password : a=b", "a=b"),
        ("[options]\nDB_Password = Mixed", "Mixed"),
        ("[options]\ndb_password = a # b ; c", "a # b ; c"),
        ("[options]\ndb_password = \"quoted\"", "\"quoted\""),
        ("[options]\ndb_password = a\\nb", "a\\nb"),
        ("[options]\ndb_password = a\n  b\n", "a\nb"),
        ("[options]\ndb_password = a\n\n  b\n\n", "a\n\nb"),
        ("[options]\ndb_password = a\n# comment\n  # comment\n  b\nx = y", "a\nb"),
        ("[options]\n  db_password = a\n  db_user = b", "a"),
        ("[options]\ndb_password =\n  a", "\na"),
        ("[options]\r\ndb_password = a\r\n", "a"),
        ("[DEFAULT]\ndb_password = a\n[options]\n", "a"),
        ("[DEFAULT]\ndb_password = a\n[options]\ndb_password = b\n", "b"),
        ("[options]\ndb_password = a\n[queue_job]\ndb_password = b\nchannels = root:2\n", "a"),
        ("[options] ; Odoo\ndb_password = a", "a"),
        ("[other]\n[options]\ndb_password = a\n", "a"),
        ("[other]\nx = y\n[options]\n  db_password = a\n", "a"),
        ("[options]\n; no key\ndb_password = a\n  ; no value\n", "a"),
    ] {
        let conf = read(text.as_bytes()).unwrap();
        assert_eq!(conf.password.unwrap().expose(), password, "{text:?}");
    }
}

#[test]
fn several_databases_are_a_list() {
    let conf = read(b"[options]\ndb_name = production, test,\n  archive\n").unwrap();
    assert_eq!(conf.databases, ["production", "test", "archive"]);
}

#[test]
fn libpqs_allow_is_read_as_prefer() {
    assert_eq!(read(b"[options]\ndb_sslmode = allow").unwrap().sslmode, Some(SslMode::Prefer));
}

#[test]
fn error_names_line_but_no_value() {
    for (text, message) in [
        (&b""[..], "odoo.conf: there is no section [options]"),
        (b"# nothing\n[queue_job]\na = b\n", "odoo.conf: there is no section [options]"),
        (b"\ndb_name = x\n", "odoo.conf:2: expected the section header [options] before any option"),
        (b"[options]\ndb_user = x\nhunter2\n", "odoo.conf:3: expected `key = value`"),
        (b"[options]\n= hunter2\n", "odoo.conf:2: expected `key = value`"),
        (b"[options]\ndb_name = a\nDB_NAME = b\n", "odoo.conf:3: `db_name` appears a second time, first on line 2"),
        (b"[options]\na = b\n[options]\n", "odoo.conf:3: the section [options] appears a second time"),
        (b"[options]\n\ndb_port = 70000\n", "odoo.conf:3: `db_port`: expected an integer from 1 to 65535"),
        (b"[options]\ndb_port = 0\n", "odoo.conf:2: `db_port`: expected an integer from 1 to 65535"),
        (
            b"[options]\ndb_sslmode = on\n",
            "odoo.conf:2: `db_sslmode`: expected one of allow, disable, prefer, require, verify-ca, verify-full",
        ),
        (b"[options]\n# caf\xe9\n", "odoo.conf:2: not UTF-8 text"),
    ] {
        assert_eq!(read(text).unwrap_err(), message, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn missing_file_fails_with_hint() {
    let error = OdooConf::read(Path::new("/nonexistent/odoo.conf")).unwrap_err();
    assert_eq!(error.to_string(), "unable to read /nonexistent/odoo.conf: No such file or directory (os error 2)");
    assert!(error.hint().unwrap().contains("systemctl cat odoo"));
}

#[test]
fn usual_places_are_searched() {
    let conf = conf_candidates(Path::new("/"), Some(Path::new("/home/me")));
    assert_eq!(conf.first(), Some(&"/etc/odoo/odoo.conf".into()));
    assert!(conf.contains(&"/home/me/.odoorc".into()));

    let data = data_dir_candidates(Path::new("/"), Some(Path::new("/home/me")));
    let expected = ["/var/lib/odoo/.local/share/Odoo", "/var/lib/odoo", "/home/me/.local/share/Odoo"];
    assert_eq!(data, expected.map(PathBuf::from));
    assert_eq!(data_dir_candidates(Path::new("/"), Some(Path::new("/var/lib/odoo"))).len(), 2);
}

#[test]
fn byte_order_mark_is_skipped() {
    let conf = read("\u{feff}[options]\ndb_name = production\n".as_bytes()).unwrap();
    assert_eq!(conf.databases, ["production"]);
}
