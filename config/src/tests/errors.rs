//! The messages are what an operator gets to see of this module, so they are compared word for
//! word.

use super::Fixture;
use crate::{Config, ConfigError};

/// One mistake, or several, after `head`, and all that is said of it.
type Case<'a> = (&'a str, &'a [&'a str]);

/// A secret in a case is written like this, and must never come back.
const SECRET: &str = "hunter2";

#[track_caller]
fn check(fixture: &Fixture, head: &str, cases: &[Case<'_>]) {
    for (text, expected) in cases {
        let text = format!("{head}{text}");
        let errors = fixture.errors(&text);
        assert_eq!(errors, *expected, "\n{text}");
        assert!(!errors.concat().contains(SECRET), "{errors:?}");
    }
}

#[test]
fn file_problems_are_reported() {
    let cases: &[Case<'_>] = &[
        ("", &["c.toml: the section [repository] is missing"]),
        ("[repositry]\nurl = 'x'\n", &["c.toml:1: unknown section [repositry]; did you mean [repository]?"]),
        (
            "repository.url = 'file:///r'\n[instnce.production]\n[[notifiers]]\n[foo]\n",
            &[
                "c.toml:2: unknown section [instnce]; did you mean [instance]?",
                "c.toml:3: unknown section [notifiers]",
                "c.toml:4: unknown section [foo]",
            ],
        ),
        (
            "url = 'x'\nhost = 'y'\nfoo = 1\n[repository]\nurl = 'file:///r'\n",
            &[
                "c.toml:1: unknown key `url` outside of any section; it belongs under [repository]",
                "c.toml:2: unknown key `host` outside of any section; it belongs under [instance.NAME]",
                "c.toml:3: unknown key `foo` outside of any section",
            ],
        ),
        (
            "repository = 'file:///r'\ninstance = 3\n[target]\ndatabase = 'x'\n[[target.staging]]\n",
            &[
                "c.toml:1: expected a section [repository]",
                "c.toml:2: expected sections [instance.NAME]",
                "c.toml:4: `database` needs a section with a name: [target.NAME]",
                "c.toml:5: expected a section [target.staging]",
            ],
        ),
    ];
    check(&Fixture::new(), "", cases);
}

#[test]
fn invalid_toml_is_reported() {
    let cases: &[Case<'_>] = &[
        ("[repository\nurl = 'x'\n", &["c.toml:1: unclosed table, expected `]`"]),
        (
            "[repository]\nurl = file:///srv/backup\n",
            &["c.toml:2: the value of `url` is text; put it in quotes: url = \"…\""],
        ),
        (
            "[repository]\nsecret_access_key = hunter2\n",
            &["c.toml:2: the value of `secret_access_key` is text; put it in quotes: secret_access_key = \"…\""],
        ),
        (
            "[repository]\nurl = 'a'\nurl = 'b'\n[instance.x]\n[instance.x]\n",
            &["c.toml:3: duplicate key `url`", "c.toml:5: duplicate key `x`"],
        ),
        (
            "[repository]\nsecret_access_key = \"hunter2\nurl = 'x'\n",
            &["c.toml:2: invalid basic string, expected `\"`"],
        ),
    ];
    check(&Fixture::new(), "", cases);
}

#[test]
fn repository_url_problems_are_reported() {
    let cases: &[Case<'_>] = &[
        ("", &["c.toml:1: [repository] `url` is missing"]),
        ("ur = 'file:///r'", &["c.toml:2: [repository] unknown key `ur`; did you mean `url`?"]),
        ("path = '/r'", &["c.toml:2: [repository] unknown key `path`; did you mean `url`?"]),
        ("url = 5", &["c.toml:2: [repository] `url`: expected a string, found an integer"]),
        ("url = ''", &["c.toml:2: [repository] `url`: the value is empty; set one, or remove the key"]),
        (
            "url = '/var/lib/x'",
            &[
                "c.toml:2: [repository] `url`: expected `file:///folder` or `s3://bucket/prefix`; did you mean `file:///var/lib/x`?",
            ],
        ),
        (
            "url = 'ftp://me:hunter2@x'",
            &["c.toml:2: [repository] `url`: expected `file:///folder` or `s3://bucket/prefix`, found \"ftp://…\""],
        ),
        (
            "url = 'https://s3.example.com/b'",
            &[
                "c.toml:2: [repository] `url`: expected `file:///folder` or `s3://bucket/prefix`; the address of an S3 server goes into `endpoint`",
            ],
        ),
        (
            "url = 'file://var/lib'",
            &[
                "c.toml:2: [repository] `url`: a `file` URL needs an absolute path, with three slashes: `file:///var/lib/odoo-backup`",
            ],
        ),
        (
            "url = 'file:///a%'",
            &[
                "c.toml:2: [repository] `url`: `%` must be followed by two hexadecimal digits; write `%25` for a percent sign",
            ],
        ),
        (
            "url = 'file:///'",
            &["c.toml:2: [repository] `url`: the root folder cannot be a repository; set a folder in it"],
        ),
        ("url = 's3://'", &["c.toml:2: [repository] `url`: the bucket's name is missing: `s3://bucket/prefix`"]),
        (
            "url = 's3://key:hunter2@b'",
            &[
                "c.toml:2: [repository] `url`: credentials do not belong in the URL; use `access_key_id` and `secret_access_key`",
            ],
        ),
        ("url = 's3://B b/x'", &["c.toml:2: [repository] `url`: \"B b\" is not a valid name of a bucket"]),
        (
            "url = 's3://b/x//y'",
            &[
                "c.toml:2: [repository] `url`: \"x//y\" is not a valid prefix: use parts of letters, digits, `-`, `_` and `.`, separated by `/`, and start no part with `.`",
            ],
        ),
    ];
    check(&Fixture::new(), "[repository]\n", cases);
}

#[test]
fn s3_key_problems_are_reported() {
    let local: &[Case<'_>] = &[(
        "region = 'x'\naccess_key = 'x'\npath_style = true",
        &[
            "c.toml:3: [repository] `region`: this key is only for S3 repositories, and `url` is a folder",
            "c.toml:4: [repository] unknown key `access_key`; did you mean `access_key_id`?",
            "c.toml:5: [repository] `path_style`: this key is only for S3 repositories, and `url` is a folder",
        ],
    )];
    let s3: &[Case<'_>] = &[
        (
            "endpoint = 's3.example.com'\npath_style = 'yes'\nregion = 1",
            &[
                "c.toml:3: [repository] `endpoint`: expected a URL like `https://s3.example.com` or `http://127.0.0.1:9000`",
                "c.toml:4: [repository] `path_style`: expected true or false, without quotes, found a string",
                "c.toml:5: [repository] `region`: expected a string, found an integer",
            ],
        ),
        (
            "endpoint = 'https://a:hunter2@h'",
            &[
                "c.toml:3: [repository] `endpoint`: credentials do not belong in the URL; use `access_key_id` and `secret_access_key`",
            ],
        ),
        (
            "endpoint = 'https://h/?q'",
            &["c.toml:3: [repository] `endpoint`: expected only the address of the server, without `?` and `#`"],
        ),
        ("path_style = '${WORD}'", &["c.toml:3: [repository] `path_style`: expected true or false in the environment"]),
        ("access_key_id = 'x'", &["c.toml:1: [repository] `secret_access_key` is missing: `access_key_id` needs it"]),
        (
            "secret_access_key = 'hunter2'",
            &["c.toml:1: [repository] `access_key_id` is missing: the secret key needs it"],
        ),
        (
            "access_key_id = 'x'\nsecret_key = 'hunter2'",
            &["c.toml:4: [repository] unknown key `secret_key`; did you mean `secret_access_key`?"],
        ),
        (
            "access_key_id = 'x'\nsecret_access_key = 'hunter2'\nsecret_access_key_file = 'x'",
            &[
                "c.toml:5: [repository] `secret_access_key_file`: `secret_access_key` is set as well; remove one of the two",
            ],
        ),
        (
            "access_key_id = 'x'\nsecret_access_key = ['hunter2']",
            &["c.toml:4: [repository] `secret_access_key`: expected a string, found an array"],
        ),
    ];
    let fixture = Fixture::new().variable("WORD", "word");
    check(&fixture, "[repository]\nurl = 'file:///r'\n", local);
    check(&fixture, "[repository]\nurl = 's3://b'\n", s3);
}

#[test]
fn instance_problems_are_reported() {
    let cases: &[Case<'_>] = &[
        ("databse = 'x'", &["c.toml:4: [instance.production] unknown key `databse`; did you mean `database`?"]),
        ("db_name = 'x'", &["c.toml:4: [instance.production] unknown key `db_name`; did you mean `database`?"]),
        (
            "SSL-Mode = 'disable'\ndatabase = 'x'",
            &["c.toml:4: [instance.production] unknown key `SSL-Mode`; did you mean `sslmode`?"],
        ),
        (
            "burst = 3\ndatabase = 'x'",
            &[
                "c.toml:4: [instance.production] unknown key `burst`; the keys of this section are odoo_conf, database, host, port, \
               user, password, password_file, sslmode, sslrootcert, pg_path, data_dir, filestore, hold_filestore_gc, compression_level, full_every, timezone, \
               schedule, prune, catch_up, splay, retries, stall_timeout, stale_after",
            ],
        ),
        (
            "database = 'x'\nschedule = '0 2 * *'\ntimezone = 'Brussels'\ncatch_up = 1\nsplay = '1 day'\nretries = -1\n\
             stall_timeout = '0s'\n[instance.production.check]\nread_data = 'half'",
            &[
                "c.toml:5: [instance.production] `schedule`: unable to read the schedule \"0 2 * *\": it has 4 fields, expected five; write minute, hour, \
                 day of the month, month and day of the week, as in \"30 2 * * *\"",
                "c.toml:6: [instance.production] `timezone`: unknown time zone \"Brussels\"; write a name of the IANA time zone database, as in \
                 \"Europe/Brussels\" or \"UTC\"",
                "c.toml:7: [instance.production] `catch_up`: expected true or false, without quotes, found an integer",
                "c.toml:8: [instance.production] `splay`: unable to read \"1 day\" as a length of time; write it as in \"90 seconds\" or \"1h 30m\"",
                "c.toml:9: [instance.production] `retries`: expected an integer from 0 to 4294967295, found -1",
                "c.toml:10: [instance.production] `stall_timeout`: expected more than zero",
                "c.toml:11: [instance.production.check] `schedule` is missing",
                "c.toml:12: [instance.production.check] `read_data`: \"half\" is neither a percentage, such as 5%, nor a size, such as 10GB or 10GiB",
            ],
        ),
        (
            "database = 'x'\n[instance.production.retentoin]\ndaily = 7",
            &[
                "c.toml:5: [instance.production] unknown section [instance.production.retentoin]; did you mean [instance.production.retention]?",
            ],
        ),
        (
            "database = 'x'\n[instance.production.drill]\ntarget = 'stagin'\nverify = 'deep'\n[target.staging]\ndatabase = 'y'\nfilestore = '/g'",
            &[
                "c.toml:6: [instance.production.drill] `target`: there is no section [target.stagin]; did you mean `staging`?",
                "c.toml:7: [instance.production.drill] `verify`: expected one of quick, full, found \"deep\"",
            ],
        ),
        ("", &["c.toml:2: [instance.production] `database` is missing, and `odoo_conf` is not set either"]),
        (
            "database = 'a/b'\nport = 0\nsslmode = 'verify_ful'\nhost = 5\nuser = true\npassword = 12345\nsslrootcert = 1.5\npg_path = []",
            &[
                "c.toml:4: [instance.production] `database`: \"a/b\" is not a valid name of an Odoo database: it must also be valid as the name of a folder, and have at most 63 bytes",
                "c.toml:5: [instance.production] `port`: expected an integer from 1 to 65535, found 0",
                "c.toml:6: [instance.production] `sslmode`: expected one of disable, prefer, require, verify-ca, verify-full, found \"verify_ful\"; did you mean `verify-full`?",
                "c.toml:7: [instance.production] `host`: expected a string, found an integer",
                "c.toml:8: [instance.production] `user`: expected a string, found a boolean",
                "c.toml:9: [instance.production] `password`: expected a string, found an integer",
                "c.toml:10: [instance.production] `sslrootcert`: expected a path in quotes, found a float",
                "c.toml:11: [instance.production] `pg_path`: expected a path in quotes, found an array",
            ],
        ),
        (
            "database = 'x'\nport = 70000",
            &["c.toml:5: [instance.production] `port`: expected an integer from 1 to 65535, found 70000"],
        ),
        (
            "database = 'x'\nport = '5432'",
            &[
                "c.toml:5: [instance.production] `port`: expected an integer from 1 to 65535, without quotes, found a string",
            ],
        ),
        (
            "database = 2026-01-01",
            &["c.toml:4: [instance.production] `database`: expected a string, found a date or time"],
        ),
        (
            "database = 'x'\nfilestore = '/f'",
            &["c.toml:5: [instance.production] `filestore`: `data_dir` is set as well; remove one of the two"],
        ),
    ];
    check(&Fixture::new(), "repository.url = 'file:///r'\n[instance.production]\ndata_dir = '/d'\n", cases);
}

#[test]
fn odoo_conf_problems_are_reported() {
    let fixture = Fixture::new()
        .file("many.conf", "[options]\ndb_name = a, b,c\ndata_dir = /d\n")
        .file("none.conf", "[options]\ndata_dir = /d\n")
        .file("rel.conf", "[options]\ndb_name = p\ndata_dir = data\n")
        .file("bad.conf", "[options]\ndb_password = hunter2\ndb_port = x\n")
        .file("hosts.conf", "[options]\ndb_name = p\ndata_dir = /d\ndb_host = a,b\n")
        .file("slash.conf", "[options]\ndb_name = ../x\n");
    let cases: &[Case<'_>] = &[
        (
            "odoo_conf = 'absent.conf'",
            &[
                "c.toml:3: [instance.production] `odoo_conf`: unable to read DIR/absent.conf: No such file or directory (os error 2)",
            ],
        ),
        (
            "odoo_conf = 'bad.conf'\nport = 'x'",
            &[
                "c.toml:3: [instance.production] `odoo_conf`: DIR/bad.conf:3: `db_port`: expected an integer from 1 to 65535",
                "c.toml:4: [instance.production] `port`: expected an integer from 1 to 65535, without quotes, found a string",
            ],
        ),
        (
            "odoo_conf = 'many.conf'",
            &[
                "c.toml:2: [instance.production] `database` is missing, and DIR/many.conf names several: `a`, `b` and `c`",
            ],
        ),
        (
            "odoo_conf = 'none.conf'",
            &["c.toml:2: [instance.production] `database` is missing, and DIR/none.conf sets no `db_name`"],
        ),
        (
            "odoo_conf = 'hosts.conf'",
            &[
                "c.toml:3: [instance.production] `odoo_conf`: it contains several hosts; set `host` to the server to back up from",
            ],
        ),
        (
            "odoo_conf = 'hosts.conf'\nhost = 'a,b'",
            &[
                "c.toml:4: [instance.production] `host`: it contains several hosts; set `host` to the server to back up from",
            ],
        ),
        (
            "odoo_conf = 'slash.conf'",
            &[
                "c.toml:3: [instance.production] `odoo_conf`: \"../x\" is not a valid name of an Odoo database: it must also be valid as the name of a folder, and have at most 63 bytes",
            ],
        ),
        (
            "odoo_conf = 'rel.conf'",
            &[
                "c.toml:3: [instance.production] `odoo_conf`: its `data_dir`, \"data\", depends on where Odoo was started; set `data_dir` here, as an absolute path",
            ],
        ),
    ];
    let head = "repository.url = 'file:///r'\n[instance.production]\n";
    check(&fixture, head, cases);
}

#[test]
fn variable_and_secret_problems_are_reported() {
    let fixture = Fixture::new()
        .variable("EMPTY", "")
        .variable("WORD", "hunter2")
        .file("empty", "\n")
        .file("two", "hunter2\nhunter2\n")
        .file("binary", b"hunter2\xff")
        .file("pw", "hunter2\n");
    let cases: &[Case<'_>] = &[
        (
            "password = 'hunter2${NOPE}'",
            &["c.toml:5: [instance.production] `password`: ${NOPE} is not set in the environment"],
        ),
        (
            "password = 'hunter2${hunter2-}'",
            &[
                "c.toml:5: [instance.production] `password`: `${` is not followed by the name of a variable and `}`; write `$${` for a literal `${`",
            ],
        ),
        (
            "password = 'hunter2${'",
            &[
                "c.toml:5: [instance.production] `password`: `${` is not followed by the name of a variable and `}`; write `$${` for a literal `${`",
            ],
        ),
        ("host = '${EMPTY}'", &["c.toml:5: [instance.production] `host`: ${EMPTY} is empty in the environment"]),
        (
            "port = '${WORD}'",
            &["c.toml:5: [instance.production] `port`: expected an integer from 1 to 65535 in the environment"],
        ),
        ("port = '${PGPORT}'", &["c.toml:5: [instance.production] `port`: ${PGPORT} is not set in the environment"]),
        ("user = \"a\\u0000\"", &["c.toml:5: [instance.production] `user`: the value contains a NUL character"]),
        (
            "password = 'hunter2'\npassword_file = 'pw'",
            &["c.toml:6: [instance.production] `password_file`: `password` is set as well; remove one of the two"],
        ),
        (
            "password_file = 'absent'",
            &[
                "c.toml:5: [instance.production] `password_file`: unable to read DIR/absent: No such file or directory (os error 2)",
            ],
        ),
        (
            "password_file = 'two'",
            &[
                "c.toml:5: [instance.production] `password_file`: DIR/two contains more than one line; put only the secret into it",
            ],
        ),
        (
            "password_file = 'binary'",
            &["c.toml:5: [instance.production] `password_file`: DIR/binary is not UTF-8 text"],
        ),
        ("password_file = 'empty'", &["c.toml:5: [instance.production] `password_file`: DIR/empty is empty"]),
        (
            "password_file = '~postgres/pw'",
            &[
                "c.toml:5: [instance.production] `password_file`: only `~/` is supported, not the home of another user; write an absolute path",
            ],
        ),
    ];
    check(&fixture, "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'x'\ndata_dir = '/d'\n", cases);
}

#[test]
fn name_and_target_problems_are_reported() {
    let cases: &[Case<'_>] = &[
        (
            "[instance.locks]\n",
            &["c.toml:5: [instance.locks] the name \"locks\" is reserved for files of the repository"],
        ),
        (
            "[instance.'repository.json']\n",
            &[
                "c.toml:5: [instance.\"repository.json\"] the name \"repository.json\" is reserved for files of the repository",
            ],
        ),
        (
            "[target.'a b']\n",
            &[
                "c.toml:5: [target.\"a b\"] \"a b\" is not a valid name: use at most 100 letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`",
            ],
        ),
        (
            "[instance.-x]\n",
            &[
                "c.toml:5: [instance.-x] \"-x\" is not a valid name: use at most 100 letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`",
            ],
        ),
        (
            "[instance.\"a\\n/b\"]\n",
            &[
                "c.toml:5: [instance.\"a\\n/b\"] \"a\\n/b\" is not a valid name: use at most 100 letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`",
            ],
        ),
        (
            "[target.staging]\ninstance = 'prod'\n",
            &["c.toml:6: [target.staging] `instance`: there is no section [instance.prod]; did you mean `production`?"],
        ),
        (
            "[target.staging]\ninstance = ['x']\n",
            &["c.toml:6: [target.staging] `instance`: expected a string, found an array"],
        ),
        (
            "[target.staging]\nneutralise = true\n",
            &["c.toml:6: [target.staging] unknown key `neutralise`; did you mean `neutralize`?"],
        ),
    ];
    let head = "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'x'\ndata_dir = '/d'\n";
    for (text, expected) in cases {
        check(&Fixture::new(), head, &[(&format!("{text}database = 'y'\ndata_dir = '/d'\n"), expected)]);
    }
}

#[test]
fn unreadable_file_is_reported() {
    let fixture = Fixture::new().folder("folder.toml").file("latin1.toml", b"# caf\xe9\n");
    let message = |name: &str| fixture.shortened(&Config::load(&fixture.path(name)).unwrap_err().to_string());
    assert_eq!(
        message("absent.toml"),
        "unable to read the configuration file DIR/absent.toml: No such file or directory (os error 2)"
    );
    assert_eq!(message("folder.toml"), "unable to read the configuration file DIR/folder.toml: is a directory");
    assert_eq!(
        message("latin1.toml"),
        "unable to read the configuration file DIR/latin1.toml: stream did not contain valid UTF-8"
    );
}

#[test]
fn problem_in_json_has_parts() {
    let fixture = Fixture::new();
    let error = fixture
        .try_load("repository.url = 'file:///r'\n[instance.production]\nfilestore = '/f'\ndatabse = 'x'\n")
        .unwrap_err();
    assert!(matches!(error, ConfigError::Invalid { .. }));
    let expected = serde_json::json!([{
        "file": fixture.path("c.toml"),
        "line": 4,
        "section": "instance.production",
        "key": "databse",
        "message": "unknown key `databse`",
        "suggestion": "database",
    }]);
    assert_eq!(serde_json::to_value(error.problems()).unwrap(), expected);
}

#[test]
fn unknown_name_lists_known_names() {
    let fixture = Fixture::new();
    let config = fixture.load(
        "repository.url = 'file:///r'\n[instance.production]\ndatabase = 'x'\ndata_dir = '/d'\n\
         [instance.shop]\ndatabase = 'y'\ndata_dir = '/d'\n",
    );
    assert_eq!(config.instance("shop").unwrap().instance.database.name, "y");
    for (name, message) in [
        ("prodcution", "there is no instance \"prodcution\" in c.toml; did you mean `production`?"),
        ("prod", "there is no instance \"prod\" in c.toml; did you mean `production`?"),
        ("archive", "there is no instance \"archive\" in c.toml"),
    ] {
        let error = config.instance(name).unwrap_err();
        assert_eq!(fixture.shortened(&error.to_string()), message);
        assert_eq!(error.hint().unwrap(), "the instances are `production` and `shop`");
    }
    let error = config.target("staging").unwrap_err();
    assert_eq!(error.hint().unwrap(), "add a section [target.NAME] to the configuration, which has no target yet");
}

#[test]
fn further_repository_problems_are_reported() {
    let head = "[repository]\nurl = 'file:///r'\n";
    let cases: &[Case<'_>] = &[
        ("[repository.offsite]\n", &["c.toml:3: [repository.offsite] `url` is missing"]),
        (
            "[repository.offsite]\nurl = 's3://b'\nregin = 'x'\ncopy = 'after'\nretention.dayly = 3\n",
            &[
                "c.toml:5: [repository.offsite] unknown key `regin`; did you mean `region`?",
                "c.toml:6: [repository.offsite] `copy`: expected one of after_backup, on_request, found \"after\"; did you mean `after_backup`?",
                "c.toml:7: [repository.offsite.retention] unknown key `dayly`; did you mean `daily`?",
            ],
        ),
        (
            "[repository.main]\nurl = 'file:///a'\n[repository.\"-x\"]\nurl = 'file:///b'\n",
            &[
                "c.toml:3: [repository.main] the name \"main\" is reserved for [repository] itself",
                "c.toml:5: [repository.-x] \"-x\" is not a valid name: use at most 100 letters, digits, `-`, `_` and `.`, and start with neither `-` nor `.`",
            ],
        ),
        (
            "[repository.offsite]\nurl = 'file:///r/'\n",
            &[
                "c.toml:4: [repository.offsite] `url`: the repository main has the same place; set another one for the copies",
            ],
        ),
        (
            "[repository.a]\nurl = 's3://b/p'\n[repository.b]\nurl = 's3://b/p/'\n",
            &["c.toml:6: [repository.b] `url`: the repository a has the same place; set another one for the copies"],
        ),
        (
            "[[repository.offsite]]\nurl = 'file:///a'\n",
            &["c.toml:3: [repository] unknown section [repository.offsite]"],
        ),
    ];
    check(&Fixture::new(), head, cases);
}

#[test]
fn daemon_problems_are_reported() {
    let cases: &[Case<'_>] = &[
        (
            "listen = '8479'\ntoken_file = 1\nmax_concurrent = 'two'\nshutdown_grace = '-1s'",
            &[
                "c.toml:3: [daemon] `listen`: expected an address and a port such as \"127.0.0.1:8479\" or \"[::1]:8479\", found \"8479\"; \
                 did you mean `127.0.0.1:8479`?",
                "c.toml:4: [daemon] `token_file`: expected a path in quotes, found an integer",
                "c.toml:5: [daemon] `max_concurrent`: expected an integer from 0 on, without quotes, found a string",
                "c.toml:6: [daemon] `shutdown_grace`: unable to read \"-1s\" as a length of time; write it as in \"90 seconds\" or \"1h 30m\"",
            ],
        ),
        ("max_concurrent = 0", &["c.toml:3: [daemon] `max_concurrent`: expected 1 or more"]),
        (
            "listen = '0.0.0.0:8479'",
            &["c.toml:3: [daemon] `listen`: other machines can reach this address; set `token_file` as well"],
        ),
        ("state = '/s'", &["c.toml:3: [daemon] unknown key `state`; did you mean `state_dir`?"]),
    ];
    for (text, expected) in cases {
        let text = format!("repository.url = 'file:///r'\n[daemon]\n{text}\n");
        assert_eq!(Fixture::new().errors(&text), *expected, "{text}");
    }
}
