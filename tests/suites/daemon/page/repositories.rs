//! Tests the page of the repositories.

use harness::project::INSTANCE;
use jiff::{Timestamp, ToSpan};

use super::fleet::Real;
use super::{PHONE, Page};
use crate::daemon::Service;

#[tokio::test]
async fn repositories_show_instances_no_longer_configured() {
    let prepare = async |service: &Service| {
        service.program.run(["now"]).await.success();
        service.program.run(["check", "--read-data"]).await.success();
        Real::of(service).write_like("old-shop", 1, Timestamp::now() - (24 * 90).hours());
    };
    let Some(mut page) = Page::open_after(prepare).await else { return };
    page.sign_in().await;
    page.go("#/repositories").await;
    page.browser.until("document.querySelector('#repository-main .badge')?.textContent === 'ok'").await;
    let names = |label: &str| {
        format!(
            "[...document.querySelectorAll('[aria-label=\"Table: {label}\"] tbody td:first-child')].map((cell) => cell.textContent).join()"
        )
    };
    page.browser.until(&format!("{} === 'old-shop'", names("Instances in main that are not configured"))).await;
    page.browser.until(&format!("{} === '{INSTANCE}'", names("Instances in main"))).await;
    page.browser.until_text("90 days ago").await;
    page.browser.until("/data read .* ago/.test(document.querySelector('#repository-main')?.textContent)").await;
    // The manual shows the path of an operator, not that of a test.
    let shown = page.browser.value("[...document.querySelectorAll('#repository-main .id')].map((each) => each.textContent = each.textContent.replace(/^file:.*repository$/, 'file:///srv/backup/odoo')).join()").await;
    assert_eq!(shown, "file:///srv/backup/odoo");
    page.picture("repositories").await;
    page.assert_no_faults().await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
}
