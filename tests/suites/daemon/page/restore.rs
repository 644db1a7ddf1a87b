//! Tests restores on the page: shown first, then confirmed.

use harness::project::INSTANCE;

use super::{DESK, PHONE, Page};

#[tokio::test]
async fn restore_on_page_needs_typed_name() {
    let Some(mut page) = Page::open().await else { return };
    page.service.program.run(["now"]).await.success();
    let id = page.service.backups().await[0]["id"].as_str().unwrap().to_owned();
    page.sign_in().await;
    page.browser.click(&format!("#backup-{INSTANCE}")).await;
    page.until_badge("done").await;
    page.go(&format!("#/instances/{INSTANCE}/backups/{id}")).await;
    page.browser.until_text("database staging, NOT neutralized").await;
    page.browser.click("#restore-staging").await;
    page.browser.until_text("NOT neutralized.").await;
    page.browser.click("#confirm").await;
    page.browser.until("document.querySelector('dialog .note.bad')?.textContent === 'Type staging to confirm.'").await;
    assert!(!page.service.project.cluster().has_database("staging"));
    page.browser.click("#confirm-name").await;
    page.browser.type_text("staging").await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
    page.browser.look(DESK).await;
    page.browser.click("#confirm").await;
    page.browser.until_text(&format!("Restore of {INSTANCE} to staging")).await;
    page.until_badge("done").await;
    page.browser.until_text("Restored files").await;
    assert!(page.service.project.cluster().has_database("staging"));
    page.assert_no_faults().await;
}
