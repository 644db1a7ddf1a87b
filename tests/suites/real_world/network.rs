//! Tests peers that are slow, send without end, or ask too much: clients of the daemon, mail
//! servers, webhooks, stores.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use harness::browser::Browser;
use harness::cli::Running;
use harness::http::Client;
use harness::odoo_backup;
use harness::project::{Project, ProjectOptions};
use harness::proxy::Proxy;
use harness::seaweed::SeaweedFs;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::daemon::Service;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Starts a daemon that requires the token. Returns it and a client without credentials.
async fn serve(more: &str) -> (Service, Running, Client) {
    let service = Service::of(Project::start().await);
    let file = service.project.path("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    service.configure("retries = 0", &format!("token_file = \"{}\"\n{more}", file.display()));
    service.program.run(["init"]).await.success();
    let daemon = service.start();
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    (service, daemon, Client::new(address.trim()))
}

/// Starts a server on loopback that does this with each connection, on its own thread.
fn server(act: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let act = act.clone();
            thread::spawn(move || act(connection));
        }
    });
    port
}

/// Sends the same bytes until the other side closes the connection.
fn pour(mut connection: TcpStream, first: &[u8], rest: &[u8]) {
    let mut sent = connection.write_all(first);
    while sent.is_ok() {
        sent = connection.write_all(rest);
    }
}

fn mail_to(port: u16) -> String {
    format!(
        "[[notify]]\nname = \"admins\"\nmail_to = [\"admin@example.com\"]\nmail_from = \"backup@example.com\"\n\
         smtp_host = \"127.0.0.1\"\nsmtp_port = {port}\nsmtp_tls = \"none\"\non = [\"failure\"]\n"
    )
}

#[tokio::test]
async fn slow_bodies_do_not_block_others() {
    // As many descriptors as the clients need, in this process too.
    let limit = getrlimit(Resource::Nofile);
    let more = limit.maximum.map_or(4096, |maximum| maximum.min(4096));
    setrlimit(Resource::Nofile, Rlimit { current: Some(more), maximum: limit.maximum }).unwrap();
    let (service, daemon, client) = serve("").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    let mut crowd = Vec::new();
    for _ in 0..520 {
        let mut stream = tokio::net::TcpStream::connect(address.trim()).await.unwrap();
        let head = "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    let began = Instant::now();
    client.get("/healthz").await.expect(200);
    client.post("/api/v1/session", &json!({ "token": TOKEN })).await.expect(204);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: other clients do not wait for slow ones", began.elapsed());
    drop(crowd);
    daemon.signal(Signal::TERM);
    daemon.wait().await.success();
}

#[tokio::test]
async fn wrong_logins_are_limited_by_address() {
    let (_service, _daemon, client) = serve("").await;
    let wrong = json!({ "token": "not the token, but long enough" });
    let attacker = client.clone().with("x-forwarded-for", "203.0.113.9");
    for _ in 0..10 {
        attacker.post("/api/v1/session", &wrong).await.expect(401);
    }
    let refused = attacker.post("/api/v1/session", &wrong).await.expect(429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    attacker.post("/api/v1/session", &json!({ "token": TOKEN })).await.expect(429);
    // Another client can sign in meanwhile.
    let friend = client.clone().with("x-forwarded-for", "203.0.113.10");
    friend.post("/api/v1/session", &json!({ "token": TOKEN })).await.expect(204);
}

/// Checks that wrong tokens in requests count as guesses too.
#[tokio::test]
async fn wrong_bearers_are_limited_by_address() {
    let (_service, _daemon, client) = serve("").await;
    let guessing = client.clone().with("authorization", "Bearer not-the-token-but-long-enough");
    for _ in 0..120 {
        guessing.get("/api/v1/status").await.expect(401);
    }
    guessing.get("/api/v1/status").await.expect(429);
    let right = client.clone().with("authorization", &format!("Bearer {TOKEN}"));
    assert_eq!(right.get("/api/v1/session").await.expect(200).json()["valid"], false);
    right.with("x-forwarded-for", "203.0.113.10").get("/api/v1/status").await.expect(200);
}

#[tokio::test]
async fn endless_smtp_line_ends_only_delivery() {
    let port = server(|connection| pour(connection, b"220 ", &[b'x'; 64 << 10]));
    let (service, daemon, client) = serve(&mail_to(port)).await;
    let tried = service.program.run(["notify", "test", "--json"]).await.expect_code(1);
    assert!(tried.peak_rss < 400 << 20, "{} bytes", tried.peak_rss);
    let error = tried.json()["messages"][0]["error"].to_string();
    assert!(error.contains("more than 256 KiB"), "{error}");
    // The daemon's own delivery, for a backup that fails.
    service.project.cluster().execute("postgres", "ALTER DATABASE production RENAME TO elsewhere");
    let friend = client.with("authorization", &format!("Bearer {TOKEN}"));
    friend.post("/api/v1/instances/production/runs", &json!({ "job": "backup" })).await.expect(202);
    loop {
        let status = friend.get("/api/v1/status").await.expect(200).json();
        if !status["notifiers"][0]["problem"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(daemon.peak_rss() < 400 << 20, "{} bytes", daemon.peak_rss());
}

/// Sends many lines, which is as bad as a long one.
#[tokio::test]
async fn endless_smtp_lines_end_delivery() {
    let port = server(|connection| pour(connection, b"", b"220-still here\r\n"));
    let (service, _daemon, _) = serve(&mail_to(port)).await;
    let tried = service.program.run(["notify", "test", "--json"]).await.expect_code(1);
    let error = &tried.json()["messages"][0]["error"];
    assert!(error["message"].as_str().unwrap().contains("did not accept the mail"), "{error:#}");
}

#[tokio::test]
async fn notify_test_ends_on_sigterm() {
    // Neither the mail server nor the webhook ever answers.
    let (called, calls) = mpsc::channel();
    let silent = server(move |mut connection| {
        let _ = called.send(());
        let _ = connection.read_to_end(&mut Vec::new());
    });
    let hook = format!("[[notify]]\nname = \"hook\"\nwebhook = \"http://127.0.0.1:{silent}/x\"\n");
    for sections in [mail_to(silent), hook] {
        let (service, _daemon, _) = serve(&sections).await;
        let running = service.program.spawn(["notify", "test"]);
        while calls.try_recv().is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let began = Instant::now();
        running.signal(Signal::TERM);
        running.wait().await.expect_code(130);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn endless_webhook_answer_is_not_read() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
    let port = server(move |mut connection| {
        let _ = connection.read(&mut [0; 4096]);
        pour(connection, head, &[b'x'; 64 << 10]);
    });
    let hook = format!("[[notify]]\nname = \"hook\"\nwebhook = \"http://127.0.0.1:{port}/x\"\non = [\"failure\"]\n");
    let (service, _daemon, _) = serve(&hook).await;
    let began = Instant::now();
    let tried = service.program.run(["notify", "test"]).await.success();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(tried.peak_rss < 400 << 20, "{} bytes", tried.peak_rss);
}

#[tokio::test]
async fn trace_log_holds_no_webhook_secret() {
    let port = server(|mut connection| {
        let _ = connection.read(&mut [0; 4096]);
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
    let hook = format!(
        "[[notify]]\nname = \"hook\"\nwebhook = \"http://127.0.0.1:{port}/s3cret-path?key=s3cret-key\"\ntoken = \"s3cret-token\"\n\
         [[notify]]\nname = \"ping\"\nping = \"http://127.0.0.1:{port}/s3cret-ping\"\n"
    );
    let (service, _daemon, _) = serve(&hook).await;
    let program = service.program.env("RUST_LOG", "trace");
    let tried = program.run(["-vv", "notify", "test"]).await.success();
    assert!(!tried.stderr.contains("s3cret"), "{}", tried.stderr);
}

#[tokio::test]
async fn log_to_pipe_has_no_escapes() {
    let (_service, daemon, _) = serve("").await;
    daemon.signal(Signal::TERM);
    let run = daemon.wait().await.success();
    assert!(run.stderr.contains("daemon stopped") && !run.stderr.contains('\x1b'), "{:?}", run.stderr);
}

/// Opens nine tabs. A browser opens at most six connections to a server: with a connection for the
/// events of each tab, the seventh would stay blank.
#[tokio::test]
async fn ninth_tab_is_shown() {
    let Some(mut browser) = Browser::start().await else { return };
    let service = Service::with("", "").await;
    let _daemon = service.start();
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    for tab in 0..9 {
        if tab > 0 {
            browser.open_tab().await;
        }
        browser.open(&format!("http://{}/", address.trim())).await;
        browser.until_text("production").await;
    }
    // And events reach it.
    service.program.run(["now"]).await.success();
    Client::new(address.trim()).post("/api/v1/instances/production/runs", &json!({ "job": "check" })).await.expect(202);
    browser.until("document.querySelector('.card dd a')?.getAttribute('href').includes('/backups/')").await;
    assert!(browser.complaints().is_empty(), "{:#?}", browser.complaints());
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_store_does_not_delay_sigterm() {
    let server = SeaweedFs::start();
    let proxy = Proxy::start(server.port).await;
    let repository = format!(
        "url = \"s3://{}/stalled\"\nendpoint = \"http://127.0.0.1:{}\"\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\ncache_dir = false",
        server.bucket, proxy.port, server.access_key, server.secret_key
    );
    let project = Project::with(ProjectOptions { repository: Some(repository), ..ProjectOptions::default() }).await;
    let program = odoo_backup!(project.config());
    program.run(["init"]).await.success();
    // The dump waits for the lock, so that the store stops answering during a backup.
    let client = project.cluster().connect("production").await;
    client.batch_execute("BEGIN; LOCK TABLE mail_message IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let watcher = project.cluster().connect("postgres").await;
    let mut now = program.spawn(["now"]);
    let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'production' AND wait_event_type = 'Lock'";
    while watcher.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!now.has_ended(), "the backup has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.stop_forwarding();
    now.signal(Signal::TERM);
    let began = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(90), now.wait()).await.expect("it outlives SIGTERM");
    assert!(ended.code.is_some_and(|code| code != 0), "{}", ended.stderr);
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}", began.elapsed());
}
