//! Tests the page of an instance.

use std::fs;

use harness::browser::Look;
use harness::project::INSTANCE;

use super::{DESK, PHONE, Page, history};
use crate::daemon::Service;

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
    page.go(&format!("#/instances/{INSTANCE}")).await;
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
    // The value under the pointer, and the numbers of all.
    let output = "document.querySelector('.chart output').textContent";
    page.browser.until(&format!("{output}.endsWith(', newest')")).await;
    page.browser.hover(".chart svg").await;
    page.browser.until(&format!("/^[0-9.]+ [KM]iB, 2[0-9-]+ [0-9:]+ UTC$/.test({output})")).await;
    page.browser.click("#year summary").await;
    page.browser.until("document.querySelectorAll('#year tbody tr').length === 3").await;
    page.browser.click("#year summary").await;
    page.browser.value("window.scrollTo(0, 0)").await;
    // The labels of months do not collide.
    let apart = "(() => { const labels = [...document.querySelectorAll('.calendar text')].map((text) => text.getBoundingClientRect()).filter((box, at, all) => box.top === all[0].top); return labels.length > 9 && labels.every((box, at) => at === 0 || labels[at - 1].right + 3 < box.left); })()";
    assert_eq!(page.browser.value(apart).await, true);
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
