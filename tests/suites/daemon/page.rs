//! Tests the daemon's page in a real browser.

mod history;

use std::fs;
use std::time::Duration;

use harness::browser::{Browser, Look};
use harness::cli::Running;
use harness::http::Client;
use harness::project::{INSTANCE, Project};

use crate::daemon::Service;

const TOKEN: &str = "a-token-of-the-tests-0123456789abcdef";
const DESK: Look = Look { width: 1200, height: 900, dark: false };
const PHONE: Look = Look { width: 390, height: 844, dark: true };

struct Page {
    service: Service,
    daemon: Running,
    browser: Browser,
}

impl Page {
    /// Starts a daemon that requires the token, and a browser that has not signed in yet. `None` if
    /// there is no browser.
    async fn open() -> Option<Self> {
        Self::open_after(async |_| ()).await
    }

    /// Opens like [`Self::open`], after `prepare` has changed the new repository before the daemon
    /// reads it.
    async fn open_after(prepare: impl AsyncFnOnce(&Service)) -> Option<Self> {
        let mut browser = Browser::start().await?;
        let service = Service::of(Project::start().await);
        let file = service.project.path("token");
        fs::write(&file, format!("{TOKEN}\n")).unwrap();
        service.configure("schedule = \"0 2 * * *\"", &format!("token_file = \"{}\"\n", file.display()));
        service.program.run(["init"]).await.success();
        prepare(&service).await;
        let daemon = service.start();
        service.until_reported("READY=1").await;
        let address = fs::read_to_string(service.state().join("address")).unwrap();
        browser.look(DESK).await;
        browser.open(&format!("http://{}/", address.trim())).await;
        browser.until_text("Sign in").await;
        Some(Self { service, daemon, browser })
    }

    /// Writes the screenshot for the manual, if that is requested.
    async fn picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("ODOO_BACKUP_PICTURES") {
            let png = self.browser.screenshot().await;
            fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
        }
    }

    async fn sign_in(&mut self) {
        self.browser.click("#token").await;
        self.browser.type_text(TOKEN).await;
        self.browser.press("Enter").await;
        self.browser.until_text("Instances").await;
        self.browser.until_text(INSTANCE).await;
    }

    /// Checks that nothing is wider than the window, and that the browser reported no errors except
    /// those of requests without the token.
    async fn assert_no_faults(&mut self) {
        let wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(self.browser.value(wider).await, false, "it is wider than the window");
        let complaints: Vec<_> =
            self.browser.complaints().iter().filter(|complaint| !complaint.contains("401 (Unauthorized)")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

#[tokio::test]
async fn backup_on_page_is_watched() {
    let Some(mut page) = Page::open().await else { return };
    page.browser.click("#token").await;
    page.browser.type_text("not the token").await;
    page.browser.press("Enter").await;
    page.browser.until_text("This token is not valid.").await;
    page.browser.open("about:blank").await;
    let address = fs::read_to_string(page.service.state().join("address")).unwrap();
    page.browser.open(&format!("http://{}/", address.trim())).await;
    page.browser.until_text("Sign in").await;
    page.sign_in().await;
    page.browser.until_text("no good backup").await;

    // The run waits for the table, so that there is something to watch.
    let holder = page.service.hold_pg_dump().await;
    page.browser.click(&format!("#backup-{INSTANCE}")).await;
    page.browser.until("location.hash.startsWith('#/runs/')").await;
    page.browser.until("document.querySelector('.badge.busy') && document.querySelector('#cancel')").await;
    page.browser.until_text(&format!("Backup of {INSTANCE}")).await;
    page.browser
        .until("document.querySelector('.tasks li') && document.querySelector('#log').textContent.length > 0")
        .await;
    page.picture("run").await;
    page.assert_no_faults().await;
    drop(holder);
    page.browser.until("document.querySelector('.badge.good')?.textContent === 'done'").await;

    page.browser.click("a[href*='/backups/']").await;
    page.browser.until_text("Newly stored").await;
    page.browser.until_text("database.dump.zst").await;
    page.browser.click("#show-files").await;
    page.browser.until("document.querySelectorAll('[aria-label=Files] tbody tr').length > 1").await;
    page.browser.click("#pin").await;
    page.browser.until("document.querySelector('#pin').textContent === 'Unpin'").await;
    page.picture("backup").await;
    page.assert_no_faults().await;

    page.browser.value(&format!("location.hash = '#/instances/{INSTANCE}'")).await;
    page.browser.until("document.querySelectorAll('.calendar .day.pinned').length === 1").await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
    page.browser.value("location.hash = '#/'").await;
    page.browser.until_text("1 backup, ").await;
    page.assert_no_faults().await;

    page.browser.click("#sign-out").await;
    page.browser.until_text("Sign in").await;
    let refused = page.browser.value("fetch('/api/v1/instances').then((answer) => answer.status)").await;
    assert_eq!(refused, 401);
    assert_eq!(page.service.backups().await.len(), 1);
    page.daemon.signal(rustix::process::Signal::TERM);
    page.daemon.wait().await.success();
}

#[tokio::test]
async fn calendar_links_year_of_backups() {
    let prepare = async |service: &Service| {
        let config = fs::read_to_string(service.project.config()).unwrap();
        let retention = "daily = 14\nweekly = 10\nmonthly = 12\nyearly = 1";
        fs::write(service.project.config(), format!("{config}\n[instance.{INSTANCE}.retention]\n{retention}\n"))
            .unwrap();
        service.program.run(["now"]).await.success();
        history::write(&service.project.repository());
        service.program.run(["drill"]).await.success();
    };
    let Some(mut page) = Page::open_after(prepare).await else { return };
    page.sign_in().await;
    page.browser.value(&format!("location.hash = '#/instances/{INSTANCE}'")).await;
    page.browser.until_text("The past year").await;
    let backups = history::days().len() + 1;
    page.browser.until(&format!("document.querySelectorAll('.calendar a').length === {backups}")).await;
    for hold in ["daily", "weekly", "monthly"] {
        page.browser.until(&format!("document.querySelectorAll('.calendar .day.{hold}').length > 2")).await;
    }
    for chart in ["Size of database and files", "Newly stored", "Duration"] {
        page.browser.until(&format!("document.querySelector('.chart svg[aria-label^=\"{chart}: from\"]')")).await;
    }
    let dots = "[...document.querySelectorAll('.chart')].map((chart) => chart.querySelectorAll('.dot').length).join()";
    assert_eq!(page.browser.value(dots).await, [backups; 3].map(|dots| dots.to_string()).join(","));
    page.picture("instance-light").await;
    page.assert_no_faults().await;
    page.browser.look(Look { dark: true, ..DESK }).await;
    page.picture("instance-dark").await;
    page.browser.look(PHONE).await;
    let newest = "(({ scrollLeft, clientWidth, scrollWidth }) => scrollLeft + clientWidth > scrollWidth - 2)(document.querySelector('.calendar .scroll'))";
    page.browser.until(newest).await;
    page.picture("instance-narrow").await;
    page.assert_no_faults().await;
    page.browser.value("document.querySelector('.calendar a').dispatchEvent(new MouseEvent('click'))").await;
    page.browser.until("location.hash.includes('/backups/')").await;
}

#[tokio::test]
async fn restore_on_page_needs_typed_name() {
    let Some(mut page) = Page::open().await else { return };
    page.service.program.run(["now"]).await.success();
    let id = page.service.backups().await[0]["id"].as_str().unwrap().to_owned();
    page.sign_in().await;
    page.browser.click(&format!("#backup-{INSTANCE}")).await;
    page.browser.until("document.querySelector('.badge.good')?.textContent === 'done'").await;
    page.browser.value(&format!("location.hash = '#/instances/{INSTANCE}/backups/{id}'")).await;
    page.browser.until_text("database staging, NOT neutralized").await;
    page.browser.click("#restore").await;
    page.browser.until_text("Type staging to confirm").await;
    assert!(!page.service.project.cluster().has_database("staging"));
    page.browser.click("#restore-name").await;
    page.browser.type_text("staging").await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
    page.browser.look(DESK).await;
    page.browser.click("#restore").await;
    page.browser.until_text(&format!("Restore of {INSTANCE} to staging")).await;
    page.browser.until("document.querySelector('.badge.good')?.textContent === 'done'").await;
    page.browser.until_text("Restored files").await;
    assert!(page.service.project.cluster().has_database("staging"));
    page.assert_no_faults().await;
}

#[tokio::test]
async fn keyboard_cancels_run() {
    let Some(mut page) = Page::open().await else { return };
    // The field has the focus from the start.
    page.browser.type_text(TOKEN).await;
    page.browser.press("Enter").await;
    page.browser.until_text(INSTANCE).await;
    let holder = page.service.hold_pg_dump().await;
    reach(&mut page.browser, &format!("backup-{INSTANCE}")).await;
    page.browser.press("Enter").await;
    page.browser.until("document.querySelector('#cancel')").await;
    page.service.until_pg_dump_waits(&mut page.daemon).await;
    reach(&mut page.browser, "cancel").await;
    page.browser.press("Enter").await;
    page.browser.until("document.querySelector('.badge.warn')?.textContent === 'cancelled'").await;
    drop(holder);
    assert!(page.service.backups().await.is_empty());
    page.assert_no_faults().await;
}

/// Moves the focus from element to element until it is on the one with this id.
async fn reach(browser: &mut Browser, id: &str) {
    browser.until(&format!("document.getElementById('{id}')")).await;
    for _ in 0..60 {
        browser.press("Tab").await;
        if browser.value("document.activeElement.id").await == id {
            let outlined = "getComputedStyle(document.activeElement).outlineStyle !== 'none'";
            assert_eq!(browser.value(outlined).await, true, "the focus is not visible");
            return;
        }
    }
    panic!("{id} cannot be reached by the keyboard");
}

#[tokio::test]
async fn run_page_shows_milliseconds_as_seconds() {
    let prepare = async |service: &Service| {
        fs::create_dir_all(service.state()).unwrap();
        let began = format!(
            r#"{{"event":"began","run":1,"instance":"{INSTANCE}","job":"drill","trigger":{{"by":"request"}},"at":"2026-11-21T02:00:00Z"}}"#
        );
        let ended = r#"{"event":"ended","run":1,"at":"2026-11-21T02:01:08Z","outcome":{"result":"done","figures":{"restore_milliseconds":67412}}}"#;
        fs::write(service.state().join("journal.jsonl"), format!("{began}\n{ended}\n")).unwrap();
    };
    let Some(mut page) = Page::open_after(prepare).await else { return };
    page.sign_in().await;
    let address = fs::read_to_string(page.service.state().join("address")).unwrap();
    page.browser.open(&format!("http://{}/#/runs/1", address.trim())).await;
    page.browser.until_text("Drill of").await;
    page.browser.until_text("1 min 7 s").await;
    assert!(!page.browser.text().await.contains("18 h"));
}

#[tokio::test]
async fn failing_notifier_is_shown() {
    let Some(mut browser) = Browser::start().await else { return };
    // No process listens on a port that was just free.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hook =
        format!("[[notify]]\nname = \"hook\"\nwebhook = \"http://127.0.0.1:{port}/s3cret\"\non = [\"success\"]\n");
    let service = Service::with("", &hook).await;
    let mut daemon = service.start();
    service.until_reported("READY=1").await;
    let address = fs::read_to_string(service.state().join("address")).unwrap();
    browser.open(&format!("http://{}/", address.trim())).await;
    browser.until_text(INSTANCE).await;
    browser.click(&format!("#backup-{INSTANCE}")).await;
    service.ended(&mut daemon, 1).await;
    browser.until("location.hash.startsWith('#/runs/')").await;
    let client = Client::new(address.trim());
    while client.get("/api/v1/status").await.expect(200).json()["notifiers"][0]["problem"].is_null() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.open(&format!("http://{}/#/", address.trim())).await;
    browser.until_text(&format!("127.0.0.1:{port}")).await;
    assert!(!browser.text().await.contains("s3cret"));
}
