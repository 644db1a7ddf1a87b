//! Tests notices over the network: webhooks, a dead man's switch, and mail with STARTTLS.

use std::fs;

use harness::certificates::Authority;
use harness::receiver::Receiver;
use harness::smtp::MailServer;
use serde_json::Value;

use crate::daemon::{Service, wait_for};

/// Returns the text of a quoted-printable mail.
fn unquoted(data: &str) -> String {
    data.replace("=\r\n", "")
}

#[tokio::test]
async fn notify_test_reports_each_channel() {
    let receiver = Receiver::start();
    let authority = Authority::new("notify");
    let mail = MailServer::start(Some(&authority.issue(&["localhost"])));
    let service = Service::with("", "").await;
    let ca = service.project.path("ca.pem");
    fs::write(&ca, authority.certificate()).unwrap();
    let mail_keys = |ca: &str| {
        format!(
            "mail_to = ['admin@example.com', 'boss@example.com']\nmail_from = 'backup@example.com'\nsmtp_host = 'localhost'\n\
             smtp_port = {}\nsmtp_user = 'user'\nsmtp_password = 's3cret'\n{ca}\non = ['failure']\n",
            mail.port
        )
    };
    let trusted = format!("smtp_root_cert = '{}'", ca.display());
    let more = format!(
        "[[notify]]\nname = 'hook'\nwebhook = '{}'\ntoken = 't0ken'\n[[notify]]\nname = 'chat'\nwebhook = '{}'\nformat = 'slack'\n\
         on = ['stale']\n[[notify]]\nname = 'switch'\nping = '{}'\n[[notify]]\nname = 'admins'\n{}",
        receiver.url("/hook"),
        receiver.url("/chat"),
        receiver.url("/ping/{instance}"),
        mail_keys(&trusted),
    );
    service.configure("", &more);
    let sent = service.program.run(["notify", "test", "--json"]).await.success().json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 4 + 1 + 3 + 1, "{sent:#}");

    let requests = receiver.requests();
    let hook: Vec<Value> = requests
        .iter()
        .filter(|request| request.path == "/hook")
        .map(|request| {
            assert_eq!((request.method.as_str(), request.header("authorization")), ("POST", Some("Bearer t0ken")));
            serde_json::from_str(&request.body).unwrap()
        })
        .collect();
    let events: Vec<_> = hook.iter().map(|body| body["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["failure", "stale", "recovered", "warning"]);
    assert!(hook.iter().all(|body| body["test"] == true && body["instance"] == "production"), "{hook:?}");
    let chat = requests.iter().find(|request| request.path == "/chat").unwrap();
    let text = serde_json::from_str::<Value>(&chat.body).unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("production: this is a test of `stale`; nothing happened\nat: "), "{text}");
    let pings: Vec<_> = requests.iter().filter_map(|request| request.path.strip_prefix("/ping/production")).collect();
    assert_eq!(pings, ["/start", "/fail", ""]);

    let mails = mail.mails();
    let [one] = &mails[..] else { panic!("{mails:?}") };
    assert!(one.encrypted);
    // NUL, user, NUL, password.
    assert_eq!(one.auth.as_deref(), Some("AHVzZXIAczNjcmV0"));
    assert_eq!((one.from.as_str(), one.to.len()), ("backup@example.com", 2));
    let data = unquoted(&one.data);
    assert!(data.contains("Subject: odoo-backup: production: this is a test of `failure`"), "{one:?}");
    assert!(data.contains("Content-Type: multipart/alternative;"), "{data}");
    assert!(data.contains("Auto-Submitted: auto-generated") && data.contains("Message-ID: <"), "{data}");
    assert!(data.contains("Content-Type: text/plain") && data.contains("Content-Type: text/html"), "{data}");

    // Each channel fails in its own way, and the others are tried anyway.
    receiver.answer(404);
    let untrusted = MailServer::start(None);
    let more = more.replace(&mail_keys(&trusted), &mail_keys(""));
    let more = format!(
        "{more}[[notify]]\nname = 'plain'\n{}",
        mail_keys(&trusted).replace(&mail.port.to_string(), &untrusted.port.to_string())
    );
    service.configure("", &more);
    let failed = service.program.run(["notify", "test"]).await.expect_code(1).stdout;
    assert!(failed.contains("hook (webhook): failure: 127.0.0.1:"), "{failed}");
    assert!(failed.contains(" answered with status 404\n"), "{failed}");
    // An unknown authority, and a server without STARTTLS: the password reaches neither server.
    assert!(failed.contains("admins (mail): failure: the mail server localhost did not accept the mail"), "{failed}");
    assert!(failed.contains("plain (mail): failure: the mail server localhost did not accept the mail"), "{failed}");
    assert!(mail.mails().len() == 1 && untrusted.mails().is_empty());
    assert!(!failed.contains("s3cret") && !failed.contains("/hook"), "{failed}");
    service.program.run(["notify", "test", "hok"]).await.expect_code(2);
}

/// Each service gets its own form of a notice, over a real connection.
#[tokio::test]
async fn each_service_gets_own_form() {
    let receiver = Receiver::start();
    let service = Service::with("", "").await;
    let mut more = String::new();
    for format in ["json", "slack", "mattermost", "teams", "discord", "ntfy"] {
        let url = receiver.url(&format!("/{format}"));
        more += &format!(
            "[[notify]]\nname = '{format}'\nwebhook = '{url}'\nformat = '{format}'\ntoken = 't0ken'\non = ['failure']\n"
        );
    }
    let api = receiver.url("/");
    more += &format!(
        "[[notify]]\nname = 'bot'\ntelegram_chat = '@backups'\ntelegram_token = '123:s3cret'\ntelegram_api = '{api}'\n\
         on = ['failure']\n"
    );
    service.configure("timezone = 'Europe/Zurich'", &more);
    let shown = service.program.run(["notify", "test", "--dry-run"]).await.success().stdout;
    assert!(receiver.requests().is_empty(), "{shown}");
    assert!(shown.contains("ntfy (webhook): failure: not sent\n  To: 127.0.0.1:"), "{shown}");
    assert!(shown.contains("\n  Authorization: Bearer ***\n") && shown.contains("\n  Priority: 4\n"), "{shown}");
    assert!(!shown.contains("t0ken") && !shown.contains("s3cret") && !shown.contains("/ntfy"), "{shown}");
    service.program.run(["notify", "test"]).await.success();
    let requests = receiver.requests();
    let sent = |path: &str| requests.iter().find(|request| request.path == path).unwrap();
    let body = |path: &str| serde_json::from_str::<Value>(&sent(path).body).unwrap();
    assert_eq!(sent("/json").header("authorization"), Some("Bearer t0ken"));
    let words = "production: this is a test of `failure`; nothing happened";
    assert_eq!(body("/json")["summary"], words);
    assert_eq!(body("/slack")["blocks"][0]["text"]["text"], format!("*{words}*"));
    assert_eq!(body("/mattermost")["attachments"][0]["fallback"], words);
    let card = &body("/teams")["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["body"][0]["inlines"][0]["text"], words);
    assert_eq!(body("/discord")["allowed_mentions"]["parse"], Value::Array(Vec::new()));
    let ntfy = sent("/ntfy");
    assert_eq!((ntfy.header("title"), ntfy.header("priority")), (Some(words), Some("4")));
    assert!(ntfy.body.starts_with("at: ") && ntfy.body.ends_with(" Europe/Zurich"), "{}", ntfy.body);
    let bot = body("/bot123:s3cret/sendMessage");
    assert_eq!((&bot["chat_id"], &bot["parse_mode"]), (&"@backups".into(), &"HTML".into()));

    // The bot's token is a part of the URL, and no part of what is said about it.
    receiver.answer(404);
    let failed = service.program.run(["notify", "test", "bot", "--json"]).await.expect_code(1).stdout;
    assert!(failed.contains(" answered with status 404") && !failed.contains("s3cret"), "{failed}");
}

/// Lets the backups of a daemon fail, and then succeed. The notices arrive, although the receiver
/// was away at first.
#[tokio::test]
async fn failure_and_recovery_arrive() {
    let receiver = Receiver::start();
    receiver.answer(503);
    let more = format!(
        "[[notify]]\nname = 'hook'\nwebhook = '{}'\n[[notify]]\nping = '{}'\n",
        receiver.url("/hook"),
        receiver.url("/ping")
    );
    let service = Service::with("", "").await;
    service.pretend_absence();
    service.configure("schedule = \"0 2 * * *\"\nretries = 0", &more);
    let repository = service.project.repository();
    let unplugged = service.project.path("unplugged");
    fs::rename(&repository, &unplugged).unwrap();
    let mut daemon = service.start();
    service.ended(&mut daemon, 1).await;
    // The delivery was tried, and is tried again.
    wait_for(&mut daemon, || receiver.requests().iter().any(|request| request.path == "/hook").then_some(())).await;
    // The failure is visible to an operator and contains no URL. The outcome of the backup itself
    // is unchanged.
    let refused = wait_for(&mut daemon, || {
        let kept = fs::read_to_string(service.state().join("notify.json")).ok()?;
        kept.contains("answered with status 503").then_some(kept)
    });
    refused.await;
    let status = service.program.run(["status"]).await.expect_code(1).stdout;
    assert!(status.contains("warning: the notifier hook (webhook) has accepted nothing since "), "{status}");
    assert!(status.contains(": 127.0.0.1:") && !status.contains("/hook"), "{status}");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.wait().await.success();

    receiver.answer(200);
    fs::rename(&unplugged, &repository).unwrap();
    service.pretend_absence();
    let before = receiver.requests().len();
    let mut daemon = service.start();
    let recovered = wait_for(&mut daemon, || {
        let requests = receiver.requests().split_off(before);
        let events = requests.iter().filter(|request| request.path == "/hook");
        let events: Vec<Value> = events.map(|request| serde_json::from_str(&request.body).unwrap()).collect();
        let pings = requests.iter().filter(|request| request.path == "/ping").count();
        events
            .iter()
            .any(|event| event["event"] == "recovered")
            .then_some((events, pings))
            .filter(|(_, pings)| *pings > 0)
    });
    let (events, _) = recovered.await;
    assert_eq!(events[0]["event"], "failure", "{events:#?}");
    assert!(events[0]["error"]["message"].is_string(), "{events:#?}");
    daemon.signal(rustix::process::Signal::TERM);
    daemon.wait().await.success();
}
