//! `[[notify]]`: what is read, and what is refused.

use std::collections::BTreeSet;

use super::Fixture;
use crate::{Channel, MailConfig, NotifyConfig, NotifyOccasion, SmtpTls};

const INSTANCES: &str = "repository.url = 'file:///r'\n[instance.one]\ndatabase = 'one'\ndata_dir = '/d'\n\
    [instance.two]\ndatabase = 'two'\ndata_dir = '/d'\n";

fn load(text: &str) -> Result<Vec<NotifyConfig>, String> {
    let loaded = Fixture::new().file("p", "s3cret\n").try_load(&format!("{INSTANCES}{text}"));
    loaded.map(|config| config.notify).map_err(|error| error.to_string())
}

#[test]
fn channels_have_defaults() {
    let all = load(
        "[[notify]]\nwebhook = 'https://example.com/hook'\n[[notify]]\nname = 'switch'\nping = 'https://example.com/{instance}'\n\
         [[notify]]\nmail_to = ['a@example.com']\nmail_from = 'b@example.com'\nsmtp_host = 'mail'\nsmtp_user = 'u'\n\
         smtp_password_file = 'p'\ninstances = ['two']\non = ['stale', 'success']\n",
    )
    .unwrap();
    let [webhook, ping, mail] = &all[..] else { panic!("{all:?}") };
    assert_eq!((webhook.name.as_str(), ping.name.as_str(), mail.name.as_str()), ("webhook-1", "switch", "mail-3"));
    assert_eq!(webhook.on, NotifyOccasion::ALL.into_iter().filter(|on| *on != NotifyOccasion::Success).collect());
    assert!(webhook.covers("one") && !mail.covers("one") && mail.covers("two"));
    assert_eq!(mail.on, BTreeSet::from([NotifyOccasion::Stale, NotifyOccasion::Success]));
    let Channel::Mail(MailConfig { tls, port, login, .. }) = &mail.channel else { panic!("{mail:?}") };
    assert_eq!((*tls, *port), (SmtpTls::StartTls, None));
    assert_eq!(login.as_ref().map(|(user, password)| (user.as_str(), password.expose())), Some(("u", "s3cret")));
    assert!(!format!("{all:?}").contains("example.com/hook"), "{all:?}");
}

#[test]
fn impossible_sections_are_refused() {
    let mail = "mail_to = ['a@b']\nmail_from = 'a@b'\nsmtp_host = 'h'\n";
    for (text, expected) in [
        ("", "one of `webhook`, `ping`, `telegram_chat` and `mail_to` is missing"),
        ("webhook = 'https://e'\nping = 'https://e'\n", "each need a [[notify]] of their own"),
        ("webhook = 'ftp://e/s3cret'\n", "expected a URL"),
        ("webhook = 'https://e'\nsmtp_host = 'h'\n", "it is not a key for `webhook`"),
        ("webhook = 'https://e'\non = ['failures']\n", "did you mean `failure`"),
        ("webhook = 'https://e'\ninstances = ['tow']\n", "did you mean `two`"),
        ("ping = 'https://e/x'\n", "would hide that one of them fails"),
        ("ping = 'https://e/{instance}'\non = ['failure']\n", "sent for every backup"),
        ("telegram_chat = 'backups'\ntelegram_token = '1:a'\n", "expected a number such as -1001234567890"),
        ("telegram_chat = 5\n", "`telegram_chat` needs `telegram_token`"),
        ("telegram_chat = 5\ntelegram_token = 's3cret'\n", "expected a token as @BotFather issues it"),
        ("telegram_chat = 5\ntelegram_token = '1:a/../s3cret'\n", "expected a token as @BotFather issues it"),
        ("webhook = 'https://e'\ntimezone = 'Europe/Zurch'\n", "Europe/Zurch"),
        ("webhook = 'https://e'\nquiet = '22-7'\n", "expected hours such as"),
        ("webhook = 'https://e'\nquiet = '22:00-22:00'\n", "begin and end at the same time"),
        ("webhook = 'https://e'\nquiet_except = ['failure']\n", "there are no quiet hours"),
        ("webhook = 'https://e'\ndigest = '24:00'\n", "expected a time such as"),
        ("ping = 'https://e/{instance}'\nquiet = '22:00-07:00'\n", "a ping raises an alarm if it is late"),
        ("mail_to = ['A <a@b>']\n", "expected an address"),
        (&format!("{mail}smtp_user = 'u'\n"), "`smtp_user` needs `smtp_password`"),
        (
            &format!("{mail}smtp_user = 'u'\nsmtp_password = 'p'\nsmtp_tls = 'none'\n"),
            "would be sent without encryption",
        ),
    ] {
        let error = load(&format!("[[notify]]\n{text}")).unwrap_err();
        assert!(error.contains(expected) && !error.contains("s3cret"), "{text}: {error}");
    }
    let twice = "[[notify]]\nname = 'a'\nwebhook = 'https://e'\n";
    assert!(load(&format!("{twice}{twice}")).unwrap_err().contains("another [[notify]]"));
    assert!(load("[notify]\nwebhook = 'https://e'\n").unwrap_err().contains("[[notify]]"));
}

#[test]
fn times_are_in_zone_of_instances() {
    let zones = |keys: [&str; 2], own: &str| {
        let instances = INSTANCES.replacen("data_dir = '/d'\n", &format!("data_dir = '/d'\n{}", keys[0]), 1);
        let text = format!("{instances}{}[[notify]]\nwebhook = 'https://e'\n{own}", keys[1]);
        let config = Fixture::new().try_load(&text).unwrap();
        config.notify[0].zone.iana_name().unwrap().to_owned()
    };
    let [zurich, lisbon] = ["timezone = 'Europe/Zurich'\n", "timezone = 'Europe/Lisbon'\n"];
    let system = zones(["", ""], "");
    assert_eq!(zones([zurich, zurich], ""), "Europe/Zurich");
    assert_eq!(zones([zurich, lisbon], ""), system, "they differ");
    assert_eq!(zones([zurich, lisbon], "instances = ['two']\n"), "Europe/Lisbon");
    assert_eq!(zones([zurich, zurich], "timezone = 'Asia/Tokyo'\n"), "Asia/Tokyo");
}

#[test]
fn dashboard_url_reaches_notifiers() {
    let load = |url: &str| {
        let text = format!("{INSTANCES}[daemon]\npublic_url = '{url}'\n[[notify]]\nwebhook = 'https://e'\n");
        Fixture::new().try_load(&text).map(|config| config.notify[0].public_url.clone())
    };
    assert_eq!(load("https://backup.example.com/odoo/").unwrap().as_deref(), Some("https://backup.example.com/odoo"));
    for url in ["backup.example.com", "ftp://e", "https://e/?a", "https://e/#/runs", "https://user@e"] {
        assert!(load(url).unwrap_err().to_string().contains("expected a URL"), "{url}");
    }
}
