use std::path::{Path, PathBuf};

use engine::odoo::conf::OdooConf;
use engine::store::StoreConfig;

use super::Fixture;
use crate::discovery::{Discovery, Sourced};
use crate::keys::{CHECK, COPIES, DAEMON, DRILL, INSTANCE, NOTIFY, REPOSITORY, RETENTION, SectionKeys, TARGET};
use crate::template::{InitOptions, template};

/// Options as `init` gathers them, with `conf` as the fixture's odoo.conf.
fn options(fixture: Fixture, conf: &str) -> (Fixture, InitOptions) {
    let fixture = fixture.file("odoo.conf", conf);
    let found = Discovery::look(Some(&fixture.path("odoo.conf")), &fixture.surroundings()).unwrap();
    (fixture, InitOptions::new(found, Vec::new(), &[]))
}

#[test]
fn usual_odoo_conf_fills_template() {
    let (fixture, options) =
        options(Fixture::new(), "[options]\ndb_name = production\ndata_dir = /srv/odoo\ndb_user = odoo\n");
    let text = template(&options);
    let config = fixture.load(&text);
    assert_eq!(config.repository, StoreConfig::Local { path: "/var/lib/odoo-backup".into() });
    let production = config.instance("production").unwrap();
    assert_eq!(production.instance.database.name, "production");
    assert_eq!(production.instance.database.user.as_deref(), Some("odoo"));
    assert_eq!(production.instance.filestore, PathBuf::from("/srv/odoo/filestore/production"));
    assert_eq!(config.target("staging").unwrap().database.name, "staging");
    assert_eq!(config.target("staging").unwrap().filestore, PathBuf::from("/srv/odoo/filestore/staging"));
    assert!(config.warnings.is_empty());
    assert!(text.contains("\n#data_dir = \"/srv/odoo\"\n"), "{text}");
}

#[test]
fn template_has_instance_per_database() {
    let (fixture, options) =
        options(Fixture::new(), "[options]\ndb_name = a, b.c, ä é, locks, ../x, ö, café\ndata_dir = /d\n");
    let config = fixture.load(&template(&options));
    let names: Vec<_> =
        config.instances.iter().map(|(name, it)| (name.as_str(), it.instance.database.name.as_str())).collect();
    let expected = [
        ("a", "a"),
        ("b.c", "b.c"),
        ("caf-", "café"),
        ("locks-2", "locks"),
        ("production", "ä é"),
        ("production-2", "ö"),
    ];
    assert_eq!(names, expected, "and none of ../x, which is no database's name");
}

#[test]
fn template_without_findings_has_placeholders() {
    let text = template(&InitOptions::new(Discovery::default(), Vec::new(), &[]));
    let config = Fixture::new().load(&text);
    let production = config.instance("production").unwrap();
    assert_eq!(production.instance.filestore, PathBuf::from("/var/lib/odoo/filestore/production"));
}

#[test]
fn usual_data_dir_is_written() {
    let fixture = Fixture::new().folder("var/lib/odoo/filestore/live");
    let (fixture, options) = options(fixture, "[options]\ndb_name = live\n");
    let text = template(&options);
    let found = fixture.path("var/lib/odoo");
    assert!(text.contains(&format!("\ndata_dir = \"{}\"\n", found.display())), "{text}");
    assert_eq!(fixture.load(&text).instances["live"].instance.filestore, found.join("filestore/live"));
}

#[test]
fn text_survives_toml_escapes() {
    for database in
        ["a\"b", "a\\b", "'''", "\"\"\"", "a#b", "a]b", "${HOME}", "$${x", "a\nb", "a\u{7f}b\u{1}", "[x]", "é"]
    {
        let odoo_conf =
            OdooConf { databases: vec![database.into()], data_dir: Some("/d".into()), ..OdooConf::default() };
        let fixture = Fixture::new().file("a \"quoted\" ${x}.conf", "[options]\ndata_dir = /d\n");
        let found = Discovery {
            odoo_conf: Some((fixture.path("a \"quoted\" ${x}.conf"), odoo_conf)),
            addons_path: Some(Sourced { value: vec!["/\"x\"/${y}".into()], source: "a \"place\"".into() }),
            odoo_bin: Some(Sourced { value: "/\"x\"/${y}".into(), source: "a \"place\"".into() }),
            ..Discovery::default()
        };
        let options = InitOptions {
            repository_url: Some("file:///my \"disk\"/${x}".into()),
            ..InitOptions::new(found, Vec::new(), &[])
        };
        let config = fixture.load(&template(&options));
        let instance = config.instances.values().next().unwrap();
        assert_eq!(instance.instance.database.name, database);
        assert_eq!(config.repository, StoreConfig::Local { path: "/my \"disk\"/${x}".into() });
    }
}

/// Commented keys must work without the comment sign: every key is known and its
/// example of the right type.
#[test]
fn commented_keys_are_valid() {
    let (fixture, options) = options(Fixture::new(), "[options]\ndb_name = production\ndata_dir = /d\n");
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    let text = template(&options);
    let sections = [REPOSITORY, COPIES, INSTANCE, RETENTION, DRILL, CHECK, TARGET, DAEMON, NOTIFY];
    for key in sections.iter().flat_map(SectionKeys::keys) {
        let is_there = |line: &str| line.trim_start_matches('#').starts_with(&format!("{} = ", key.name));
        assert!(text.lines().any(is_there), "{} in {text}", key.name);
    }

    let everything: String =
        text.lines().map(|line| format!("{}\n", if is_key(&line) { &line[1..] } else { line })).collect();
    let fixture = fixture
        .variable("S3_ACCESS_KEY_ID", "x")
        .variable("S3_SECRET_ACCESS_KEY", "x")
        .variable("PRODUCTION_DB_PASSWORD", "x")
        .variable("STAGING_ADMIN_PASSWORD", "x");
    // All at once contradict each other and name files that are not there, and nothing else may be
    // wrong.
    let contradictions = [
        "this key is only for S3 repositories",
        "is set as well",
        "unable to read /etc/odoo/staging.conf",
        "each need a [[notify]] of their own",
    ];
    for error in fixture.errors(&everything) {
        assert!(contradictions.iter().any(|expected| error.contains(expected)), "{error}");
    }
    let s3 = everything.replace("file:///var/lib/odoo-backup", "s3://bucket");
    assert!(!fixture.errors(&s3).concat().contains("only for S3 repositories"));
}

/// A newcomer needs no edit: the daemon backs up, prunes and drills.
#[test]
fn template_has_routine_of_each_instance() {
    let (fixture, options) = options(Fixture::new(), "[options]\ndb_name = a, b\ndata_dir = /d\n");
    let config = fixture.load(&template(&options));
    assert_eq!(config.instances.len(), 2);
    for instance in config.instances.values() {
        assert!(instance.routine.backup.is_some());
        assert!(instance.prune);
        assert_ne!(instance.instance.retention, engine::instance::Retention::default());
        assert!(instance.drill.schedule.is_some());
    }
    assert_eq!(config.target("staging").unwrap().instance.as_deref(), Some("a"));
    let never = InitOptions { schedule: None, ..options };
    assert!(fixture.load(&template(&never)).instances["a"].routine.backup.is_none());
}

#[test]
fn staging_database_is_a_free_name() {
    let new = |databases: &[&str], others: &[&str]| {
        let [databases, others] = [databases, others].map(|names| names.iter().map(|&name| name.into()).collect());
        let others: Vec<String> = others;
        InitOptions::new(Discovery::default(), databases, &others).staging
    };
    assert_eq!(new(&["live"], &["live"]), "staging");
    assert_eq!(new(&["staging"], &["staging_2"]), "staging_3");
}

#[test]
fn examples_are_named() {
    let missing = |conf: &str| options(Fixture::new(), conf).1.missing();
    assert_eq!(missing("[options]\n"), ["`database`", "`data_dir`"]);
    assert_eq!(missing("[options]\ndata_dir = /d\n"), ["`database`"]);
    assert_eq!(missing("[options]\ndb_name = a\n"), ["`data_dir`"]);
    assert!(missing("[options]\ndb_name = a\ndata_dir = /d\n").is_empty());
}

#[test]
fn answers_replace_what_was_found() {
    let (fixture, options) = options(Fixture::new(), "[options]\ndb_name = a\n");
    let options = InitOptions { databases: vec!["b".into()], data_dir: Some("/mine".into()), ..options };
    let config = fixture.load(&template(&options));
    assert_eq!(config.instances["b"].instance.filestore, Path::new("/mine/filestore/b"));
    assert_eq!(config.targets["staging"].filestore, Path::new("/mine/filestore/staging"));
}
