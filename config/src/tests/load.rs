use std::fs;
use std::path::{Path, PathBuf};

use engine::odoo::Script;
use engine::postgres::SslMode;
use engine::secret::Secret;
use engine::store::{S3Config, StoreConfig};

use super::Fixture;

const HEAD: &str = "repository.url = 'file:///r'\n[instance.production]\n";

#[test]
fn section_sets_everything() {
    let fixture = Fixture::new().file("pw", "s3cret\r\n");
    let config = fixture.load(
        "[repository]\nurl = 'file:///var/lib/odoo%20backup/'\n\
         [instance.production]\ndatabase = 'production'\nhost = '/run/postgresql'\nport = 5433\nuser = 'odoo'\n\
         password_file = 'pw'\nsslmode = 'verify-full'\nsslrootcert = '/ca.pem'\npg_path = '~/pg'\nfilestore = './files'\n\
         [target.staging]\ndatabase = 'staging'\ndata_dir = '/srv/staging'\n",
    );
    assert_eq!(config.path, fixture.path("c.toml"));
    assert_eq!(config.repository, StoreConfig::Local { path: "/var/lib/odoo backup".into() });

    let production = config.instance("production").unwrap();
    assert_eq!(production.instance.name, "production");
    assert_eq!(production.instance.filestore, fixture.path("files"));
    let database = &production.instance.database;
    assert_eq!(database.name, "production");
    assert_eq!(database.host.as_deref(), Some("/run/postgresql"));
    assert_eq!(database.port, Some(5433));
    assert_eq!(database.user.as_deref(), Some("odoo"));
    assert_eq!(database.password.as_ref().map(Secret::expose), Some("s3cret"));
    assert_eq!(database.sslmode, SslMode::VerifyFull);
    assert_eq!(database.sslrootcert, Some("/ca.pem".into()));
    assert_eq!(database.pg_path, Some(fixture.path("home/pg")));

    let staging = config.target("staging").unwrap();
    assert_eq!(staging.filestore.to_str(), Some("/srv/staging/filestore/staging"));
    assert_eq!(staging.instance.as_deref(), Some("production"), "the only instance there is");
    assert_eq!(staging.database.sslmode, SslMode::Prefer);
    assert_eq!(staging.database.password, None);
}

#[test]
fn odoo_conf_supplies_missing_keys() {
    let fixture = Fixture::new().file(
        "odoo.conf",
        "[options]\ndb_host = db\ndb_port = 6000\ndb_user = odoo\ndb_password = from-odoo\ndb_name = live\ndb_sslmode = require\n\
         data_dir = /srv/odoo\npg_path = /pg\n",
    );
    let config = fixture.load(&format!("{HEAD}odoo_conf = 'odoo.conf'\n"));
    let instance = &config.instances["production"];
    assert_eq!(instance.instance.filestore.to_str(), Some("/srv/odoo/filestore/live"));
    let database = &instance.instance.database;
    assert_eq!(database.name, "live");
    assert_eq!(database.host.as_deref(), Some("db"));
    assert_eq!(database.port, Some(6000));
    assert_eq!(database.user.as_deref(), Some("odoo"));
    assert_eq!(database.password.as_ref().map(Secret::expose), Some("from-odoo"));
    assert_eq!(database.sslmode, SslMode::Require);
    assert_eq!(database.pg_path, Some("/pg".into()));

    let config = fixture.load(&format!(
        "{HEAD}odoo_conf = 'odoo.conf'\ndatabase = 'other'\nhost = 'h'\nport = 1\nuser = 'u'\npassword = 'p'\n\
         sslmode = 'disable'\npg_path = '/q'\ndata_dir = '/d'\n"
    ));
    let instance = &config.instances["production"];
    assert_eq!(instance.instance.filestore.to_str(), Some("/d/filestore/other"));
    let database = &instance.instance.database;
    assert_eq!(database.host.as_deref(), Some("h"));
    assert_eq!(database.port, Some(1));
    assert_eq!(database.user.as_deref(), Some("u"));
    assert_eq!(database.password.as_ref().map(Secret::expose), Some("p"));
    assert_eq!(database.sslmode, SslMode::Disable);
    assert_eq!(database.pg_path, Some("/q".into()));
}

#[test]
fn s3_repository_is_read() {
    let fixture = Fixture::new().file("secret", "from-file\n");
    let s3 = |text: &str| match fixture.load(&format!("[repository]\nurl = 's3://bucket/deep/er/'\n{text}")).repository
    {
        StoreConfig::S3(s3) => s3,
        other => panic!("{other:?}"),
    };
    let bare = S3Config {
        bucket: "bucket".into(),
        prefix: "deep/er".into(),
        endpoint: None,
        region: None,
        path_style: None,
        access_key_id: None,
        secret_access_key: None,
        cache_dir: Some(fixture.path("home/.cache/odoo-backup")),
        part_size: None,
    };
    assert_eq!(s3(""), bare);
    let full = s3(
        "endpoint = 'http://127.0.0.1:9000/'\nregion = 'garage'\npath_style = false\naccess_key_id = 'AK'\nsecret_access_key_file = 'secret'\n",
    );
    assert_eq!(full.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(full.region.as_deref(), Some("garage"));
    assert_eq!(full.path_style, Some(false));
    assert_eq!(full.access_key_id.as_deref(), Some("AK"));
    assert_eq!(full.secret_access_key.as_ref().map(Secret::expose), Some("from-file"));
}

#[test]
fn cache_folder_is_chosen() {
    let cache_dir = |fixture: Fixture, text: &str| {
        let config = fixture.load(&format!("[repository]\nurl = 's3://bucket'\n{text}"));
        let StoreConfig::S3(s3) = config.repository else { panic!() };
        s3.cache_dir.map(|path| fixture.shortened(path.to_str().unwrap()))
    };
    let both = || Fixture::new().variable("CACHE_DIRECTORY", "/a:/b").variable("XDG_CACHE_HOME", "/x");
    assert_eq!(cache_dir(both(), "cache_dir = 'here'").as_deref(), Some("DIR/here"));
    assert_eq!(cache_dir(both(), "cache_dir = false"), None);
    assert_eq!(cache_dir(both(), "").as_deref(), Some("/a"));
    assert_eq!(cache_dir(Fixture::new().variable("XDG_CACHE_HOME", "/x"), "").as_deref(), Some("/x/odoo-backup"));
    let relative = Fixture::new().variable("XDG_CACHE_HOME", "x");
    assert_eq!(cache_dir(relative, "").as_deref(), Some("DIR/home/.cache/odoo-backup"));
    assert_eq!(
        Fixture::new().errors("[repository]\nurl = 's3://bucket'\ncache_dir = true\n"),
        ["c.toml:3: [repository] `cache_dir`: expected a path in quotes, or false"]
    );
}

#[test]
fn target_of_several_instances_takes_none() {
    let fixture = Fixture::new();
    let rest = "database = 'x'\ndata_dir = '/d'\n";
    let text = format!("{HEAD}{rest}[instance.shop]\n{rest}[target.staging]\n{rest}");
    assert_eq!(fixture.load(&text).targets["staging"].instance, None);
    let text = format!("{text}instance = 'shop'\n");
    assert_eq!(fixture.load(&text).targets["staging"].instance.as_deref(), Some("shop"));
}

#[test]
fn variables_anywhere_are_replaced() {
    let fixture =
        Fixture::new().variable("A", "x").variable("B_2", "y$${A}").variable("PORT", "5433").variable("STYLE", "true");
    for (written, value) in [
        ("${A}", "x"),
        ("a${A}b${A}", "axbx"),
        ("${B_2}", "y$${A}"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $$ {A}", "$A $ $$ {A}"),
        ("}$", "}$"),
    ] {
        let config = fixture.load(&format!("{HEAD}database = 'x'\ndata_dir = '/d'\nuser = '{written}'\n"));
        assert_eq!(config.instances["production"].instance.database.user.as_deref(), Some(value), "{written}");
    }
    let config = fixture.load(&format!("{HEAD}database = 'x'\ndata_dir = '/d'\nport = '${{PORT}}'\n"));
    assert_eq!(config.instances["production"].instance.database.port, Some(5433));
    let config = fixture.load("[repository]\nurl = 's3://${A}/${A}'\npath_style = '${STYLE}'\n");
    let StoreConfig::S3(s3) = config.repository else { panic!() };
    assert_eq!((s3.bucket.as_str(), s3.prefix.as_str(), s3.path_style), ("x", "x", Some(true)));
}

#[test]
fn usual_data_dir_with_database_wins() {
    let filestore = |fixture: &Fixture| {
        let config = fixture.load(&format!("{HEAD}database = 'live'\n"));
        fixture.shortened(config.instances["production"].instance.filestore.to_str().unwrap())
    };
    let debian = Fixture::new().folder("var/lib/odoo/.local/share/Odoo/filestore/live");
    assert_eq!(filestore(&debian), "DIR/var/lib/odoo/.local/share/Odoo/filestore/live");
    let docker = Fixture::new().folder("var/lib/odoo/filestore").folder("home/.local/share/Odoo/sessions");
    assert_eq!(filestore(&docker), "DIR/var/lib/odoo/filestore/live");
    let own = Fixture::new().folder("var/lib/odoo/filestore/other").folder("home/.local/share/Odoo/filestore/live");
    assert_eq!(filestore(&own), "DIR/home/.local/share/Odoo/filestore/live");
}

#[test]
fn readable_secret_is_warned_about() {
    let section = format!("{HEAD}database = 'x'\ndata_dir = '/d'\n");
    let warnings = |fixture: &Fixture, rest: &str| -> Vec<String> {
        let config = fixture.load(&format!("{section}{rest}"));
        config.warnings.iter().map(|warning| fixture.shortened(warning)).collect()
    };
    let open = Fixture::new().variable("A", "x").file("c.toml", "").mode("c.toml", 0o644);
    assert_eq!(
        warnings(&open, "password = 'p'"),
        [
            "c.toml contains `password` and is accessible to users other than its owner (mode 0644); fix it with `chmod 600 c.toml`"
        ]
    );
    assert_eq!(warnings(&open, "password = '${A}'"), [""; 0], "the file itself contains no secret");
    assert_eq!(warnings(&open, "password = 'p${A}'").len(), 1, "it contains a part of one");
    let closed = Fixture::new().file("c.toml", "").mode("c.toml", 0o600);
    assert_eq!(warnings(&closed, "password = 'p'"), [""; 0]);

    let files = Fixture::new().file("my pw", "p").mode("my pw", 0o640).file("key", "k").mode("key", 0o604);
    assert_eq!(
        warnings(&files, "password_file = 'my pw'"),
        [
            "DIR/my pw contains a secret and is accessible to users other than its owner (mode 0640); fix it with `chmod 600 'DIR/my pw'`"
        ]
    );
    let config = files.load("[repository]\nurl = 's3://b'\naccess_key_id = 'x'\nsecret_access_key_file = 'key'\n");
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn group_readable_odoo_conf_is_accepted() {
    let text = format!("{HEAD}odoo_conf = 'odoo.conf'\n[target.again]\nodoo_conf = 'odoo.conf'\n");
    let conf = "[options]\ndb_name = x\ndb_password = p\ndata_dir = /d\n";
    let fixture = Fixture::new().file("odoo.conf", conf).mode("odoo.conf", 0o640);
    assert_eq!(fixture.load(&text).warnings, [""; 0]);
    let fixture = fixture.mode("odoo.conf", 0o644);
    let warnings: Vec<_> = fixture.load(&text).warnings.iter().map(|warning| fixture.shortened(warning)).collect();
    let expected = "DIR/odoo.conf contains `db_password` and is accessible to every user of this machine (mode 0644); fix it with `chmod 640 DIR/odoo.conf`, if its group is that of Odoo";
    assert_eq!(warnings, [expected], "reported once for both sections");
    fs::write(fixture.path("odoo.conf"), conf.replace("db_password = p\n", "")).unwrap();
    assert_eq!(fixture.load(&text).warnings, [""; 0]);
}

#[test]
fn secrets_are_not_printed() {
    let config = Fixture::new().load(&format!("{HEAD}database = 'x'\ndata_dir = '/d'\npassword = 'hunter2'\n"));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn target_is_neutralized_by_default() {
    let fixture = Fixture::new().file("odoo.conf", "[options]\naddons_path = /opt/odoo/addons,relative,/opt/own\n");
    let target = |keys: &str| {
        format!(
            "repository.url = 'file:///r'\n[target.t]\nodoo_conf = 'odoo.conf'\ndatabase = 't'\nfilestore = '/f'\n{keys}\n"
        )
    };
    let neutralize = fixture.load(&target("")).targets["t"].neutralize.clone().unwrap();
    assert_eq!(neutralize.addons_path, [PathBuf::from("/opt/odoo/addons"), PathBuf::from("/opt/own")]);
    assert!(fixture.load(&target("neutralize = false")).targets["t"].neutralize.is_none());
    let keys = "addons_path = ['a']\nbase_url = 'https://s.example/'\nsql = ['SELECT 1', 's.sql']\nkeep_credentials = ['a.b', 'parameter:c']";
    let neutralize = fixture.load(&target(keys)).targets["t"].neutralize.clone().unwrap();
    assert_eq!(neutralize.addons_path, [fixture.path("a")]);
    assert_eq!(neutralize.base_url.as_deref(), Some("https://s.example"));
    assert_eq!(neutralize.sql, [Script::Text("SELECT 1".into()), Script::File(fixture.path("s.sql"))]);
    let wrong = "neutralize = false\nsql = ['SELECT 1']\nadmin_password = '${NONE}'\nbase_url = 'staging'\nkeep_credentials = ['x']";
    assert_eq!(
        fixture.errors(&target(wrong)),
        [
            "c.toml:7: [target.t] `sql`: it configures the neutralization, and `neutralize` is false",
            "c.toml:8: [target.t] `admin_password`: ${NONE} is not set in the environment",
            "c.toml:8: [target.t] `admin_password`: it configures the neutralization, and `neutralize` is false",
            "c.toml:9: [target.t] `base_url`: expected an address that begins with http:// or https://",
            "c.toml:9: [target.t] `base_url`: it configures the neutralization, and `neutralize` is false",
            "c.toml:10: [target.t] `keep_credentials`: expected `table.column` or `parameter:key`, found \"x\"",
            "c.toml:10: [target.t] `keep_credentials`: it configures the neutralization, and `neutralize` is false",
        ]
    );
}

#[test]
fn repositories_have_names_and_main() {
    let text = "[repository]\nurl = 'file:///r'\n[repository.offsite]\nurl = 's3://b/odoo'\n\
                [repository.disk]\nurl = 'file:///mnt/disk'\n";
    let config = Fixture::new().load(text);
    let names: Vec<_> = config.copies.values().map(|copy| copy.name.as_str()).collect();
    assert_eq!(names, ["disk", "offsite"]);
    assert_eq!(config.repository("main").unwrap(), &config.repository);
    assert_eq!(config.repository("disk").unwrap(), &StoreConfig::Local { path: "/mnt/disk".into() });
    let unknown = config.repository("ofsite").unwrap_err();
    assert!(unknown.to_string().contains("there is no repository \"ofsite\""), "{unknown}");
    assert!(unknown.to_string().ends_with("did you mean `offsite`?"), "{unknown}");
    assert_eq!(unknown.hint().unwrap(), "the repositories are `disk`, `main` and `offsite`");
}

#[test]
fn daemon_without_section_has_defaults() {
    let fixture = Fixture::new().variable("STATE_DIRECTORY", "/state:/other");
    let config = fixture.load("repository.url = 'file:///r'\n[instance.a]\ndatabase = 'a'\nfilestore = '/f'\n");
    assert_eq!(config.daemon.listen.to_string(), "127.0.0.1:8479");
    assert_eq!(config.daemon.state_dir.as_deref(), Some(Path::new("/state")));
    assert_eq!((config.daemon.max_concurrent, config.daemon.shutdown_grace.as_secs()), (2, 60));
    let routine = &config.instances["a"].routine;
    assert!(routine.backup.is_none() && routine.check.is_none() && routine.catch_up);
    assert_eq!((routine.retries, routine.stall_timeout.as_secs()), (3, 1800));

    let fixture = Fixture::new();
    let state_dir = |fixture: &Fixture| fixture.load("repository.url = 'file:///r'").daemon.state_dir;
    assert_eq!(state_dir(&fixture), Some(fixture.path("home/.local/state/odoo-backup")));
    let fixture = fixture.folder("var/lib/odoo-backup-state");
    assert_eq!(state_dir(&fixture), Some(fixture.path("var/lib/odoo-backup-state")), "as systemd made it");
}

#[test]
fn instance_routine_is_read() {
    let config = Fixture::new().load(
        "repository.url = 'file:///r'\n[instance.a]\ndatabase = 'a'\nfilestore = '/f'\nschedule = '@daily'\n\
         timezone = 'Europe/Brussels'\ncatch_up = false\nsplay = '10 minutes'\nretries = 0\nstall_timeout = '1h 30m'\n\
         [instance.a.check]\nschedule = '30 4 * * 0'\nread_data = '5%'\n",
    );
    let routine = &config.instances["a"].routine;
    assert_eq!(routine.zone.iana_name(), Some("Europe/Brussels"));
    assert_eq!(routine.backup.as_ref().map(ToString::to_string).as_deref(), Some("@daily"));
    assert!(routine.check.as_ref().is_some_and(|check| check.read_data == "5%".parse().ok()));
    assert_eq!((routine.catch_up, routine.retries), (false, 0));
    assert_eq!((routine.splay.as_secs(), routine.stall_timeout.as_secs()), (600, 5400));
}

#[test]
fn copies_follow_their_repository() {
    let text = "[repository]\nurl = 'file:///r'\n[repository.offsite]\nurl = 's3://b'\ncopy = 'after_backup'\n\
                [repository.offsite.retention]\nmonthly = 12\ngrace = '2 days'\n[repository.disk]\nurl = 'file:///mnt/disk'\n\
                [instance.production]\ndatabase = 'x'\nfilestore = '/f'\nretention.monthly = 5\n";
    let config = Fixture::new().load(text);
    let instance = &config.instances["production"];
    let there = |name: &str| {
        let copy = &config.copies[name];
        let retention = copy.instance(instance).instance.retention;
        (copy.after_backup, retention.policy.monthly, retention.grace().as_secs() / 3600)
    };
    assert_eq!(there("offsite"), (true, 12, 48));
    assert_eq!(there("disk"), (false, 5, 24));
}

#[test]
fn prune_follows_backups_by_default() {
    let load = |own: &str, offsite: &str| {
        let text = format!(
            "[repository]\nurl = 'file:///r'\n[repository.offsite]\nurl = 'file:///o'\n{offsite}\n\
             [instance.production]\ndatabase = 'x'\nfilestore = '/f'\n{own}\n"
        );
        let config = Fixture::new().load(&text);
        let instance = &config.instances["production"];
        (instance.prune, config.copies["offsite"].instance(instance).prune)
    };
    assert_eq!(load("", ""), (true, true));
    assert_eq!(load("prune = false", ""), (false, false));
    assert_eq!(load("prune = false", "retention.daily = 3"), (false, true));
    assert_eq!(load("prune = false", "prune = true"), (false, true));
    assert_eq!(load("", "prune = false\nretention.daily = 3"), (true, false));
}

/// On a new server there is no filestore yet, and `list` must work there.
#[test]
fn unknown_data_dir_is_a_warning() {
    const PLACES: &str = "DIR/var/lib/odoo/.local/share/Odoo, DIR/var/lib/odoo, DIR/home/.local/share/Odoo";
    let fixture = Fixture::new().file("nodir.conf", "[options]\ndb_name = p\n");
    let load = |fixture: &Fixture, keys: &str| {
        let config = fixture.load(&format!("repository.url = 'file:///r'\n[instance.production]\n{keys}\n"));
        let warnings: Vec<_> = config.warnings.iter().map(|warning| fixture.shortened(warning)).collect();
        (config.instances["production"].instance.filestore.clone(), warnings)
    };
    let missing = |why: &str| vec![format!("c.toml:2: [instance.production] `data_dir` is missing: {why}")];
    let none = |why: &str| missing(&format!("{why}, and none of {PLACES} has a folder `filestore`"));

    let of_conf = load(&fixture, "odoo_conf = 'nodir.conf'");
    assert_eq!(of_conf, (PathBuf::new(), none("DIR/nodir.conf sets no `data_dir`")));
    let of_section = load(&fixture, "database = 'p'");
    assert_eq!(of_section, (PathBuf::new(), none("`odoo_conf` is not set either")));

    let two = fixture.folder("var/lib/odoo/filestore/p").folder("home/.local/share/Odoo/filestore/p");
    let several = missing("several folders are possible: DIR/var/lib/odoo, DIR/home/.local/share/Odoo");
    assert_eq!(load(&two, "database = 'p'"), (PathBuf::new(), several));
}

#[test]
fn unknown_filestore_is_not_drilled_elsewhere() {
    let config = Fixture::new().load("repository.url = 'file:///r'\n[instance.x]\ndatabase = 'p'\n");
    assert_eq!(crate::drill_place(&config, "x", None).unwrap().filestore, PathBuf::new());
}
