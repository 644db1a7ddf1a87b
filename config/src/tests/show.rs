//! What `config show` prints, and that no secret is part of it.

use std::collections::BTreeMap;

use super::super::load::ConfigFile;
use super::super::show::{Origin, ShownSection, ShownValue};
use super::Fixture;

impl Fixture {
    fn show(&self, text: &str) -> Vec<ShownSection> {
        self.try_load(text).unwrap_or_else(|error| panic!("{error}"));
        let file = ConfigFile { path: self.path("c.toml"), searched: false };
        file.show_in(&self.surroundings()).unwrap().1
    }
}

fn value<'a>(sections: &'a [ShownSection], header: &str, key: &str) -> &'a ShownValue {
    let section = sections.iter().find(|section| section.section == header);
    let section = section.unwrap_or_else(|| panic!("there is no [{header}]"));
    section.values.iter().find(|value| value.key == key).unwrap_or_else(|| panic!("[{header}] has no {key}"))
}

/// A configuration with every section and every secret, each in every way that it can be given.
const FULL: &str = r#"
[repository]
url = "s3://bucket/prefix"
endpoint = "https://s3.example.com"
access_key_id = "key"
secret_access_key = "hunter2-2"
cache_dir = "cache"
[repository.offsite]
url = "s3://other"
access_key_id = "key"
secret_access_key_file = "secret"
[instance.production]
odoo_conf = "odoo.conf"
database = "production"
host = "${HOST}"
password = "${PASSWORD}"
filestore = "files"
schedule = "0 2 * * *"
[instance.production.retention]
daily = 3
[instance.production.check]
schedule = "0 3 * * *"
read_data = true
[instance.production.drill]
verify = "full"
[instance.second]
odoo_conf = "odoo.conf"
database = "second"
filestore = "files"
[instance.third]
database = "third"
password_file = "secret"
filestore = "files"
[target.staging]
odoo_conf = "odoo.conf"
database = "staging"
filestore = "staging"
password = "hunter2-3"
admin_password = "hunter2-4"
sql = ["ALTER ROLE x PASSWORD 'hunter2-5'", "own.sql"]
base_url = "https://someone:hunter2-6@example.com"
[target.staging.anonymize]
seed = "hunter2-7"
columns = { "res_partner.x_passport" = "identifier" }
keep = ["res_partner.city"]
[target.inline]
database = "inline"
filestore = "inline"
admin_password_file = "secret"
anonymize = { seed = "hunter2-8" }
[daemon]
token_file = "secret"
[[notify]]
webhook = "https://hooks.example.com/hunter2-9"
token = "hunter2-10"
[[notify]]
webhook_file = "hook"
token_file = "secret"
[[notify]]
ping = "https://ping.example.com/${PASSWORD}/{instance}"
[[notify]]
telegram_chat = "-1001234567890"
telegram_token = "123456789:hunter2-17"
[[notify]]
mail_to = ["admin@example.com"]
mail_from = "odoo@example.com"
smtp_host = "mail.example.com"
smtp_user = "odoo"
smtp_password = "hunter2-11"
"#;

fn full() -> Fixture {
    Fixture::new()
        .file("odoo.conf", "[options]\ndb_user = odoo\ndb_password = hunter2-12\n")
        .file("secret", "hunter2-13\n")
        .file("hook", "https://hooks.example.com/hunter2-14\n")
        .file("own.sql", "SELECT 1")
        .variable("HOST", "db.example.com")
        .variable("PASSWORD", "hunter2-15")
        .variable("PGPASSWORD", "hunter2-16")
        .variable("PGPORT", "6543")
}

#[test]
fn no_secret_is_shown() {
    let sections = full().show(FULL);
    let text = serde_json::to_string(&sections).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!format!("{sections:?}").contains("hunter2"));
    let masked: Vec<_> = sections
        .iter()
        .flat_map(|section| section.values.iter().map(move |value| (section.section.as_str(), value)))
        .filter(|(_, value)| value.secret)
        .map(|(section, value)| format!("{section} {}", value.key))
        .collect();
    assert_eq!(
        masked,
        [
            "repository secret_access_key",
            "instance.production password",
            "instance.second password",
            "instance.third password",
            "target.staging password",
            "target.staging admin_password",
            "target.staging.anonymize seed",
            // Of $PGPASSWORD.
            "target.inline password",
            "target.inline.anonymize seed",
            "notify webhook",
            "notify token",
            "notify ping",
            "notify telegram_token",
            "notify smtp_password",
        ]
    );
}

#[test]
fn value_has_its_origin() {
    let fixture = full();
    let sections = fixture.show(FULL);
    let shown = |header: &str, key: &str| {
        let value = value(&sections, header, key);
        (value.value.as_deref().map(|value| fixture.shortened(value)), value.from, value.line)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(shown("repository", "url"), (text("s3://bucket/prefix"), Origin::File, Some(3)));
    assert_eq!(shown("repository", "cache_dir"), (text("DIR/cache"), Origin::File, Some(7)));
    assert_eq!(shown("repository.offsite", "cache_dir").0, text("DIR/home/.cache/odoo-backup"));
    assert_eq!(shown("instance.production", "host"), (text("db.example.com"), Origin::Environment, Some(15)));
    assert_eq!(shown("instance.production", "port"), (text("6543"), Origin::Environment, None));
    assert_eq!(shown("instance.production", "user"), (text("odoo"), Origin::OdooConf, None));
    assert_eq!(shown("instance.production", "retries"), (text("3"), Origin::Default, None));
    assert_eq!(shown("instance.production", "compression_level"), (text("2"), Origin::Default, None));
    assert_eq!(shown("instance.production.retention", "daily"), (text("3"), Origin::File, Some(20)));
    assert_eq!(shown("instance.production.retention", "weekly"), (text("4"), Origin::Default, None));
    assert_eq!(shown("instance.second.retention", "daily"), (text("7"), Origin::Default, None));
    assert_eq!(shown("instance.second", "password"), (None, Origin::OdooConf, None));
    assert_eq!(shown("instance.third", "password"), (None, Origin::File, None));
    assert_eq!(shown("target.staging", "sql").0, text("(a statement), DIR/own.sql"));
    assert_eq!(value(&sections, "instance.production", "host").variables, ["HOST"]);
    assert_eq!(value(&sections, "instance.production", "port").variables, ["PGPORT"]);
}

#[test]
fn each_section_is_shown_once() {
    let sections = full().show(FULL);
    let mut number: BTreeMap<(&str, Option<usize>), usize> = BTreeMap::new();
    for section in &sections {
        *number.entry((&section.section, section.line)).or_default() += 1;
        assert!(!section.values.is_empty(), "{}", section.section);
    }
    assert!(number.values().all(|number| *number == 1), "{number:?}");
    assert_eq!(sections.iter().filter(|section| section.section == "notify").count(), 5);
    assert_eq!(sections.iter().filter(|section| section.line.is_none()).count(), 2, "defaults of two retentions");
    let bare = Fixture::new().show("repository.url = 'file:///r'");
    let headers: Vec<_> = bare.iter().map(|section| section.section.as_str()).collect();
    assert_eq!(headers, ["repository", "daemon"]);
}

#[test]
fn arguments_of_hooks_are_counted() {
    let text = "repository.url = 'file:///r'\n[target.a]\ndatabase = 'd'\nfilestore = '/f'\n\
                [target.a.hooks]\nbefore = ['/bin/hook', '${TOKEN}']\nafter = ['/bin/hook']\n";
    let sections = Fixture::new().variable("TOKEN", "hunter2").show(text);
    let shown = |key: &str| value(&sections, "target.a.hooks", key).value.clone();
    assert_eq!(shown("before").as_deref(), Some("/bin/hook with 1 argument"));
    assert_eq!(shown("after").as_deref(), Some("/bin/hook"));
    assert_eq!(shown("timeout").as_deref(), Some("10 minutes"));
}
