//! Tests the overview of one instance, of thirty and of five hundred.

use std::fs;
use std::time::Duration;

use harness::browser::{Browser, Look};
use harness::http::Client;
use harness::project::INSTANCE;

use super::fleet::{self, How};
use super::{DESK, PHONE, Page};
use crate::daemon::Service;

/// The width of the pictures in the manual.
const WIDE: Look = Look { width: 1400, height: 900, dark: false };

/// Counts the rows of the table or the list.
const ROWS: &str = "document.querySelectorAll('#instances [data-row]').length";

async fn open(count: usize) -> Option<Page> {
    let mut page = Page::open_after(async |service| fleet::write(service, count).await).await?;
    page.browser.look(WIDE).await;
    page.sign_in().await;
    // Until the repository is read, nothing is known of any.
    let known = format!("document.querySelector('#total-ok')?.textContent === '{} ok'", fleet::count(count, How::Ok));
    page.browser.until(&known).await;
    Some(page)
}

/// Returns the number of a state in the line of totals.
async fn total(page: &mut Page, word: &str) -> usize {
    let text = page.browser.value(&format!("document.querySelector('#total-{word}').textContent")).await;
    let (number, said) = text.as_str().unwrap().split_once(' ').unwrap();
    assert_eq!(said, word);
    number.parse().unwrap()
}

#[tokio::test]
async fn thirty_instances_are_table_problems_first() {
    let Some(mut page) = open(30).await else { return };
    for (word, how) in
        [("ok", How::Ok), ("warning", How::Warning), ("failed", How::Failed), ("stale", How::Stale), ("new", How::New)]
    {
        assert_eq!(total(&mut page, word).await, fleet::count(30, how), "{word}");
    }
    assert_eq!(page.browser.value(ROWS).await, 30);
    let states = "[...document.querySelectorAll('#instances tbody tr')].map((row) => row.querySelector('.state').textContent).join()";
    let states = page.browser.value(states).await.as_str().unwrap().to_owned();
    let first: Vec<_> = states.split(',').take(fleet::count(30, How::Failed) + 1).collect();
    assert!(first.iter().rev().skip(1).all(|state| *state == "failed") && first.last() == Some(&"stale"), "{states}");
    // One server that is down is one problem, whose instances can be unfolded.
    let others = format!("and {} other instances", fleet::count(30, How::Failed) - 1);
    page.browser.until(&format!("document.querySelector('#attention summary')?.textContent === '{others}'")).await;
    // A fresh instance is neither amber nor red.
    let neutral = "[...document.querySelectorAll('#instances .state')].filter((state) => state.textContent === 'new').every((state) => state.className.trim() === 'state')";
    assert_eq!(page.browser.value(neutral).await, true);
    page.picture("overview-light").await;
    page.assert_no_faults().await;
    page.browser.look(Look { dark: true, ..WIDE }).await;
    page.picture("overview-dark").await;
    page.assert_no_faults().await;
    page.browser.look(PHONE).await;
    page.browser.until("document.querySelectorAll('ul.rows > li').length === 30").await;
    let two_lines =
        "[...document.querySelectorAll('ul.rows > li')].every((row) => row.getBoundingClientRect().height < 60)";
    assert_eq!(page.browser.value(two_lines).await, true, "a row has two lines");
    page.picture("overview-narrow").await;
    page.assert_no_faults().await;
}

#[tokio::test]
async fn table_is_searched_filtered_and_sorted() {
    let Some(mut page) = open(30).await else { return };
    page.browser.press("/").await;
    assert_eq!(page.browser.value("document.activeElement.id").await, "search");
    page.browser.type_text("shop-01").await;
    page.browser.until(&format!("{ROWS} === 10")).await;
    page.browser.until_text("10 of 30 instances").await;
    page.browser.press("Escape").await;
    page.browser.until(&format!("{ROWS} === 30")).await;
    page.browser.click("#total-stale").await;
    page.browser.until(&format!("{ROWS} === {}", fleet::count(30, How::Stale))).await;
    page.browser.click("#total-stale").await;
    page.browser.until(&format!("{ROWS} === 30")).await;
    let names = "[...document.querySelectorAll('#instances [data-main]')].map((link) => link.textContent)";
    page.browser.click("#instances th:nth-child(2) button").await;
    page.browser.until(&format!("{names}[0] === '{INSTANCE}' && {names}[29] === 'shop-029'")).await;
    page.browser.click("#instances th:nth-child(2) button").await;
    page.browser.until(&format!("{names}[0] === 'shop-029'")).await;
    assert_eq!(page.browser.value("document.querySelectorAll('th[aria-sort=descending]').length").await, 1);
    page.assert_no_faults().await;
}

#[tokio::test]
async fn keys_move_open_and_explain() {
    let Some(mut page) = open(30).await else { return };
    page.browser.click("#total-new").await;
    page.browser.until(&format!("{ROWS} === {}", fleet::count(30, How::New))).await;
    page.browser.click("#instances th:nth-child(2) button").await;
    let problems = "document.querySelectorAll('#attention [data-row]').length";
    let problems = page.browser.value(problems).await.as_u64().unwrap();
    for _ in 0..problems + 2 {
        page.browser.press("j").await;
    }
    page.browser.press("k").await;
    let first = fleet::name(fleet::first(How::New));
    assert_eq!(page.browser.value("document.activeElement.textContent").await, first);
    page.browser.press("Enter").await;
    page.browser.until(&format!("location.hash === '#/instances/{first}'")).await;
    page.browser.until_text("There is no backup yet").await;
    page.browser.press("?").await;
    page.browser.until("document.querySelector('dialog[open]')?.textContent.includes('Next row')").await;
    page.browser.press("Escape").await;
    page.browser.until("!document.querySelector('dialog')").await;
    for (key, place) in [("r", "#/runs"), ("p", "#/repositories"), ("o", "#/")] {
        page.browser.press("g").await;
        page.browser.press(key).await;
        page.browser.until(&format!("location.hash === '{place}'")).await;
    }
}

#[tokio::test]
async fn focus_stays_while_table_changes() {
    let Some(mut page) = open(30).await else { return };
    page.browser.until("document.querySelector('#instances [data-main]')").await;
    page.browser.value("document.querySelectorAll('#instances [data-main]')[20].focus()").await;
    let focused = page.browser.value("document.activeElement.textContent").await;
    let runs = "document.querySelector('.totals .rest').textContent";
    let before = page.browser.value(runs).await;
    let name = fleet::name(fleet::first(How::Ok));
    // Its database does not exist: the run fails, and the table is drawn again.
    let start = format!(
        "fetch('/api/v1/instances/{name}/runs', {{ method: 'POST', headers: {{ 'content-type': 'application/json' }}, body: '{{\"job\":\"check\"}}' }}).then((answer) => answer.status)"
    );
    assert_eq!(page.browser.value(&start).await, 202);
    page.browser.until(&format!("{runs} !== {before}")).await;
    assert_eq!(page.browser.value("document.activeElement.textContent").await, focused);
}

#[tokio::test]
async fn five_hundred_instances_are_shown() {
    let Some(mut page) = open(500).await else { return };
    // A hundred at first, and all when asked for.
    assert_eq!(page.browser.value(ROWS).await, 100);
    page.picture("overview-500").await;
    page.assert_no_faults().await;
    page.browser.click("#instances .more button").await;
    page.browser.until(&format!("{ROWS} === 500")).await;
    page.browser.look(PHONE).await;
    page.browser.until("document.querySelectorAll('ul.rows > li').length === 500").await;
    page.assert_no_faults().await;
}

#[tokio::test]
async fn utc_switch_changes_zone_of_times() {
    let Some(mut page) = Page::open().await else { return };
    page.service.program.run(["now"]).await.success();
    page.sign_in().await;
    page.browser.value("Intl.DateTimeFormat().resolvedOptions().timeZone").await;
    page.go(&format!("#/instances/{INSTANCE}")).await;
    page.browser.until("document.querySelector('#backups-heading')").await;
    page.browser.look(DESK).await;
    page.browser.zone("Asia/Kolkata").await;
    page.load(&format!("/?again#/instances/{INSTANCE}")).await;
    let zones = "[...document.querySelectorAll('time')].map((time) => /[A-Z]{3}(?:[+-][0-9:]+)?$/.exec(time.textContent)?.[0]).filter(Boolean).filter((zone, at, all) => all.indexOf(zone) === at).join()";
    page.browser.until(&format!("{zones} === 'UTC+5:30'")).await;
    page.browser.press("u").await;
    page.browser.until(&format!("{zones} === 'UTC'")).await;
    page.load("/?once-more").await;
    page.browser.until("document.querySelector('#utc')?.textContent === 'UTC'").await;
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
