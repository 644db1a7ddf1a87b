//! Tests that axe-core finds no violation on any page, in light and in dark.

use std::fs;
use std::path::Path;

use harness::browser::Look;
use harness::project::INSTANCE;

use super::fleet::{self, How};
use super::{DESK, PHONE, Page};

/// Returns the script of axe-core, which `tests/install-axe.sh` installs. If it is not installed,
/// prints that and returns `None`.
fn axe() -> Option<String> {
    let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/axe.min.js")).ok();
    if script.is_none() {
        eprintln!("skipped: axe-core is not installed (tests/install-axe.sh)");
    }
    script.map(|script| format!("{script};undefined"))
}

/// Lists the violations of the page that is shown.
const VIOLATIONS: &str = "axe.run().then(({ violations }) => violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id}: ${help}: ${node.html}`)))";

impl Page {
    async fn assert_accessible(&mut self, axe: &str, what: &str) {
        for look in [DESK, Look { dark: true, ..DESK }, PHONE] {
            self.browser.look(look).await;
            self.browser.value(axe).await;
            let found = self.browser.value(VIOLATIONS).await;
            assert_eq!(found, serde_json::json!([]), "{what}, {look:?}");
        }
        self.browser.look(DESK).await;
    }
}

#[tokio::test]
async fn overview_has_no_violation() {
    let Some(axe) = axe() else { return };
    for count in [1, 30] {
        let Some(mut page) = Page::open_after(async |service| fleet::write(service, count).await).await else { return };
        page.assert_accessible(&axe, "sign-in").await;
        page.sign_in().await;
        page.browser.until("document.querySelector('.totals .good')").await;
        page.assert_accessible(&axe, &format!("overview of {count}")).await;
        page.browser.press("?").await;
        page.browser.until("document.querySelector('dialog[open]')").await;
        page.assert_accessible(&axe, "keys").await;
    }
}

#[tokio::test]
async fn other_pages_have_no_violation() {
    let Some(axe) = axe() else { return };
    let Some(mut page) = Page::open_after(async |service| fleet::write(service, 4).await).await else { return };
    let backups = page.service.backups().await;
    let made = backups.iter().find(|backup| backup["instance"] == INSTANCE).unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    page.sign_in().await;
    let (failed, run) = (fleet::name(fleet::first(How::Failed)), fleet::first(How::Failed));
    for (hash, shown) in [
        (format!("#/instances/{INSTANCE}"), "#backups tbody"),
        (format!("#/instances/{failed}"), "main .note.bad"),
        (format!("#/instances/{INSTANCE}/backups/{id}"), "#objects tbody"),
        ("#/runs".to_owned(), "#runs tbody"),
        (format!("#/runs/{run}"), "#result dl"),
        ("#/repositories".to_owned(), "h1"),
        ("#/nowhere".to_owned(), "h1"),
    ] {
        page.go(&hash).await;
        page.browser.until(&format!("document.querySelector('{shown}')")).await;
        page.assert_accessible(&axe, &hash).await;
    }
    page.go(&format!("#/instances/{INSTANCE}")).await;
    page.browser.click("#restore-staging").await;
    page.browser.until("document.querySelector('dialog[open] #plan[aria-busy=false]')").await;
    page.assert_accessible(&axe, "restore").await;
}
