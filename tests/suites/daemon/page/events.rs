//! Tests that all tabs share one event stream also without shared workers.

use harness::project::INSTANCE;

use super::Page;

/// Takes shared workers away, counts the streams of a tab, and lets both tabs be visible, as in two
/// windows.
const WITHOUT_WORKERS: &str = "Object.defineProperty(document, 'visibilityState', { get: () => 'visible' }); delete globalThis.SharedWorker; globalThis.streams = 0; globalThis.EventSource = class extends EventSource { constructor(url) { super(url); globalThis.streams += 1; } };";

#[tokio::test]
async fn tabs_without_shared_workers_share_stream() {
    let Some(mut page) = Page::open().await else { return };
    page.browser.before_load(WITHOUT_WORKERS).await;
    page.load("/?first").await;
    page.browser.until_text("Sign in").await;
    page.sign_in().await;
    page.browser.until("globalThis.streams === 1").await;
    page.browser.open_tab().await;
    page.browser.before_load(WITHOUT_WORKERS).await;
    page.load("/?second").await;
    page.browser.until("document.querySelector('.card .badge')?.textContent === 'no backup yet'").await;
    let start = format!(
        "fetch('/api/v1/instances/{INSTANCE}/runs', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '{{\"job\":\"backup\"}}' }}).then((answer) => answer.status)"
    );
    assert_eq!(page.browser.value(&start).await, 202);
    page.browser.until("document.querySelector('.card .badge')?.textContent === 'ok'").await;
    assert_eq!(page.browser.value("globalThis.streams").await, 0, "the first tab has the stream");
    page.assert_no_faults().await;
}
