//! Tests restores on the page: shown first, then confirmed.

use harness::project::{INSTANCE, TARGET};

use super::{DESK, PHONE, Page};
use crate::daemon::Service;

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

#[tokio::test]
async fn undo_on_page_restores_former_copy() {
    let prepare = async |service: &Service| {
        // A copy that is not neutralized looks like production.
        service.project.write_target_keys("");
        service.program.run(["now"]).await.success();
        service.program.run(["restore", "--to", TARGET]).await.success();
        let copy = service.project.cluster().connect(TARGET).await;
        copy.batch_execute("CREATE TABLE first_copy ()").await.unwrap();
    };
    let Some(mut page) = Page::open_after(prepare).await else { return };
    page.sign_in().await;
    let instance = format!("#/instances/{INSTANCE}");
    page.go(&instance).await;
    page.browser.until_text("in use a copy of production of").await;

    // A dry run says what a restore would do, and does nothing.
    page.browser.click("#plan-staging").await;
    page.browser.until(NOTHING_IN_THE_WAY).await;
    page.browser.until_text("which is kept for undo").await;
    page.assert_no_faults().await;
    page.browser.press("Escape").await;
    page.browser.until("!document.querySelector('dialog')").await;
    assert!(has_mark(&page).await);
    assert_eq!(page.browser.value("document.querySelectorAll('#undo-staging').length").await, 0);

    page.browser.click("#restore-staging").await;
    confirm(&mut page).await;
    page.until_badge("done").await;
    assert!(!has_mark(&page).await);

    page.go(&instance).await;
    page.browser.click("#undo-staging").await;
    page.browser.until_text("so that this undo can be undone").await;
    confirm(&mut page).await;
    page.browser.until_text("Undo of staging").await;
    page.until_badge("done").await;
    assert!(has_mark(&page).await);
    page.assert_no_faults().await;
}

const NOTHING_IN_THE_WAY: &str = "document.querySelector('dialog .badge')?.textContent === 'nothing is in the way'";

/// Types the name of the target into the dialog, which has the focus, once the daemon has looked.
async fn confirm(page: &mut Page) {
    page.browser.until(NOTHING_IN_THE_WAY).await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
    page.browser.look(DESK).await;
    page.browser.type_text(TARGET).await;
    page.browser.press("Enter").await;
    page.browser.until("location.hash.startsWith('#/runs/')").await;
}

/// Returns whether the copy that was marked is the target.
async fn has_mark(page: &Page) -> bool {
    let client = page.service.project.cluster().connect(TARGET).await;
    let query = "SELECT count(*) FROM pg_class WHERE relname = 'first_copy'";
    client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) == 1
}
