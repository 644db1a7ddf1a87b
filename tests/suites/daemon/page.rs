//! Tests the daemon's page in a real browser.

mod accessibility;
mod downloads;
mod events;
mod fleet;
mod history;
mod instance;
mod overview;
mod repositories;
mod restore;
mod runs;

use std::fs;

use harness::browser::{Browser, Look};
use harness::cli::Running;
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
        browser.look(DESK).await;
        let mut page = Self { service, daemon, browser };
        page.load("/").await;
        page.browser.until_text("Sign in").await;
        Some(page)
    }

    /// Loads the page with this path, as the address bar does.
    async fn load(&mut self, path: &str) {
        let address = fs::read_to_string(self.service.state().join("address")).unwrap();
        self.browser.open(&format!("http://{}{path}", address.trim())).await;
    }

    /// Goes to another page, as a link does.
    async fn go(&mut self, hash: &str) {
        self.browser.value(&format!("location.hash = '{hash}'")).await;
    }

    /// Writes the screenshot for the manual, if that is requested.
    async fn picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("ODOO_BACKUP_PICTURES") {
            let png = self.browser.screenshot().await;
            fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
        }
    }

    /// Waits until the badge in the heading has these words.
    async fn until_badge(&mut self, words: &str) {
        self.browser.until(&format!("document.querySelector('h1 + .badge')?.textContent === '{words}'")).await;
    }

    async fn sign_in(&mut self) {
        self.browser.click("#token").await;
        self.browser.type_text(TOKEN).await;
        self.browser.press("Enter").await;
        self.browser.until("document.querySelector('#sign-out')").await;
        self.browser.until("document.querySelector('#instances-heading')").await;
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
