//! Compares what each channel is sent with `tests/snapshots/notices`, a file each.
//! `ODOO_BACKUP_SNAPSHOTS=update` writes them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, NotifyConfig};

use super::channels::{Composed, Post, compose};
use super::collected::Collected;
use super::digest::{Digest, Row, Runs};
use super::notice::samples;
use super::state::Message;
use super::web;
use crate::condition::Severity;

const CONFIG: &str = "
repository.url = 'file:///nowhere'
[daemon]
public_url = 'https://backup.example.com/'
[instance.production]
database = 'production'
filestore = '/f'
timezone = 'Europe/Zurich'
";

/// Returns a notifier with these keys.
pub(super) fn notifier(keys: &str) -> NotifyConfig {
    let text = format!("{CONFIG}[[notify]]\non = ['failure', 'stale', 'recovered', 'warning', 'success']\n{keys}");
    let config = Config::parse(Path::new("/c.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
    config.notify.into_iter().next().unwrap()
}

/// Returns all messages of a notifier, each under its title.
fn written(to: &NotifyConfig) -> String {
    let mut written = String::new();
    let notices: Vec<_> = samples().into_iter().map(|(_, notice)| notice).take(7).collect();
    let all = samples().into_iter().map(|(title, notice)| (title, Message::Notice(Box::new(notice))));
    let rest = [
        ("Notices from quiet hours", Message::Collected(Collected { notices, omitted: 3 })),
        ("A digest", Message::Digest(Box::new(digest()))),
        ("A digest of an instance without problems", Message::Digest(Box::new(good_digest()))),
    ];
    for (title, message) in all.chain(rest) {
        let composed = compose(to, &message).unwrap();
        write!(written, "## {title}\n\n{}\n", shown(&composed)).unwrap();
    }
    written.trim_end().to_owned() + "\n"
}

/// Returns a digest of instances with and without problems.
fn digest() -> Digest {
    let at = |time: &str| time.parse().unwrap();
    let runs = Runs { backups: 2, checks: 1, with_warnings: 1, failed: 3, ..Runs::default() };
    let failed = Row {
        instance: "production".into(),
        severity: Severity::Failed,
        problems: vec![
            "no good backup since 2026-11-29T01:00:00Z".into(),
            "the latest backup (run 17, 2026-12-01T01:00:00Z) failed: database \"@channel <!here>\" does not exist"
                .into(),
            "the latest check is old".into(),
        ],
        runs: Runs { failed: 3, ..Runs::default() },
        stored_bytes: 0,
        newest_good: Some(at("2026-11-29T01:00:00Z")),
    };
    let ok = Row {
        instance: "shop".into(),
        severity: Severity::Ok,
        problems: Vec::new(),
        runs: Runs { failed: 0, ..runs },
        stored_bytes: 9_437_184,
        newest_good: Some(at("2026-12-01T01:00:00Z")),
    };
    Digest {
        from: at("2026-11-30T07:00:00Z"),
        to: at("2026-12-01T07:00:00Z"),
        ok: 498,
        warning: 1,
        failed: 1,
        runs,
        stored_bytes: 9_437_184,
        instances: vec![failed, ok],
        ..Digest::default()
    }
}

fn good_digest() -> Digest {
    let digest = digest();
    let instances = digest.instances.into_iter().filter(|row| row.severity == Severity::Ok).collect();
    let runs = Runs { failed: 0, ..digest.runs };
    Digest { ok: 1, warning: 0, failed: 0, instances, runs, ..digest }
}

/// Returns a message as it is sent, with JSON in lines.
fn shown(composed: &Composed) -> String {
    match composed {
        Composed::Letter(letter) => format!("Subject: {}\n\n{}\n{}", letter.subject, letter.text, letter.html),
        Composed::Post(Post { url, content_type, headers, body, .. }) => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let body = match serde_json::from_str::<serde_json::Value>(body) {
                // Spaces without width would not be seen.
                Ok(json) => format!("{json:#}").replace('\u{200b}', "\\u200b"),
                Err(_) => body.clone(),
            };
            assert!(headers.is_ascii(), "{headers}");
            format!("POST to {}\nContent-Type: {content_type}\n{headers}\n{body}\n", web::host(url.expose()))
        }
    }
}

fn compare(name: &str, written: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/notices").join(name);
    if std::env::var("ODOO_BACKUP_SNAPSHOTS").is_ok_and(|value| value == "update") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(path, written).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let differs = there.lines().zip(written.lines()).find(|(there, written)| there != written);
    assert!(there == written, "{} differs: {differs:#?}\nODOO_BACKUP_SNAPSHOTS=update writes it", path.display());
}

#[test]
fn mail_shows_what_its_file_shows() {
    let keys = "mail_to = ['a@example.com']\nmail_from = 'b@example.com'\nsmtp_host = 'mail.example.com'\n";
    compare("mail.txt", &written(&notifier(keys)));
}

#[test]
fn webhooks_get_what_their_files_show() {
    for format in config::WebhookFormat::ALL {
        let keys = format!("webhook = 'https://hook.example.com/s3cret'\nformat = '{}'\n", format.as_str());
        let written = written(&notifier(&keys));
        assert!(!written.contains("s3cret"));
        compare(&format!("{}.txt", format.as_str()), &written);
    }
}

#[test]
fn telegram_gets_what_its_file_shows() {
    let keys = "telegram_chat = -1001234567890\ntelegram_token = '123:s3cret'\n";
    let written = written(&notifier(keys));
    assert!(!written.contains("s3cret"));
    compare("telegram.txt", &written);
}

/// The longest texts that a notice can have stay within the limits of each service.
#[test]
fn longest_notice_stays_within_limits() {
    let notice = super::notice::longest();
    assert_within_limits(&Message::Notice(Box::new(notice.clone())));
    assert_within_limits(&Message::Collected(Collected { notices: vec![notice; 500], omitted: 0 }));
}

/// Fails where a service would refuse or cut the message.
pub(super) fn assert_within_limits(message: &Message) {
    let composed = |keys: &str| compose(&notifier(keys), message).unwrap();
    let json = |format: &str| {
        let keys = format!("webhook = 'https://example.com'\nformat = '{format}'\n");
        let Composed::Post(post) = composed(&keys) else { panic!("a request") };
        (serde_json::from_str::<serde_json::Value>(&post.body).unwrap_or_default(), post)
    };
    let length = |value: &serde_json::Value| value.as_str().unwrap().encode_utf16().count();
    let (slack, _) = json("slack");
    assert!(slack["blocks"].as_array().unwrap().iter().all(|block| length(&block["text"]["text"]) <= 3000));
    assert!(length(&json("mattermost").0["attachments"][0]["text"]) <= 4000);
    assert!(json("teams").1.body.len() < 28_000, "{}", json("teams").1.body.len());
    let (discord, _) = json("discord");
    assert!(length(&discord["content"]) <= 2000 && length(&discord["embeds"][0]["description"]) <= 4096);
    assert!(json("ntfy").1.body.len() <= 4096);
    let Composed::Post(telegram) = composed("telegram_chat = 1\ntelegram_token = '1:a'\n") else { panic!("a request") };
    assert!(length(&serde_json::from_str::<serde_json::Value>(&telegram.body).unwrap()["text"]) <= 4096);
    let mail = "mail_to = ['a@example.com']\nmail_from = 'b@example.com'\nsmtp_host = 'mail.example.com'\n";
    let Composed::Letter(letter) = composed(mail) else { panic!("a letter") };
    assert!(letter.subject.chars().count() <= 200 && !letter.subject.contains('\n'));
}
