//! Tests a run on the page: started, watched, cancelled and read afterwards.

use std::fs;

use harness::project::INSTANCE;

use super::{PHONE, Page, TOKEN, reach};
use crate::daemon::Service;

#[tokio::test]
async fn backup_on_page_is_watched() {
    let Some(mut page) = Page::open().await else { return };
    page.browser.click("#token").await;
    page.browser.type_text("not the token").await;
    page.browser.press("Enter").await;
    page.browser.until_text("This token is not valid.").await;
    page.browser.open("about:blank").await;
    page.load("/").await;
    page.browser.until_text("Sign in").await;
    page.sign_in().await;
    // Nothing is wrong yet.
    page.browser.until("document.querySelector('.card .badge')?.textContent === 'no backup yet'").await;
    let tones = "['good', 'warn', 'bad'].some((tone) => document.querySelector(`main .${tone}`))";
    assert_eq!(page.browser.value(tones).await, false, "a new instance is neutral");

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
    page.until_badge("done").await;

    page.browser.click("a[href*='/backups/']").await;
    page.browser.until_text("Newly stored").await;
    page.browser.until_text("database-0001.zst").await;
    page.browser.click("#show-files").await;
    page.browser.until("document.querySelectorAll('[aria-label=\"Table: Attachments\"] tbody tr').length > 1").await;
    page.browser.click("#pin").await;
    page.browser.until("document.querySelector('#pin').textContent === 'Unpin'").await;
    page.picture("backup").await;
    page.assert_no_faults().await;

    page.go(&format!("#/instances/{INSTANCE}")).await;
    page.browser.until("document.querySelectorAll('.calendar .day.pinned').length === 1").await;
    page.browser.look(PHONE).await;
    page.assert_no_faults().await;
    page.go("#/").await;
    page.browser.until_text("in 1 backup").await;
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
    page.until_badge("cancelled").await;
    drop(holder);
    assert!(page.service.backups().await.is_empty());
    page.assert_no_faults().await;
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
    page.load("/#/runs/1").await;
    page.browser.until_text("Drill of").await;
    page.browser.until_text("1 min 7 s").await;
    assert!(!page.browser.text().await.contains("18 h"));
}

#[tokio::test]
async fn log_is_searched_and_filtered() {
    let prepare = async |service: &Service| {
        fs::create_dir_all(service.state().join("logs")).unwrap();
        let began = format!(
            r#"{{"event":"began","run":1,"instance":"{INSTANCE}","job":"backup","trigger":{{"by":"request"}},"at":"2026-11-21T02:00:00Z"}}"#
        );
        let ended = r#"{"event":"ended","run":1,"at":"2026-11-21T02:01:08Z","outcome":{"result":"cancelled"}}"#;
        fs::write(service.state().join("journal.jsonl"), format!("{began}\n{ended}\n")).unwrap();
        let line = |second: u32, level: &str, message: &str| {
            format!(r#"{{"at":"2026-11-21T02:00:{second:02}Z","level":"{level}","message":"{message}"}}"#)
        };
        let lines = [
            line(1, "info", "snapshot taken"),
            line(2, "warn", "a file is missing"),
            line(3, "error", "connection reset"),
        ];
        fs::write(service.state().join("logs/1.jsonl"), lines.join("\n") + "\n").unwrap();
    };
    let Some(mut page) = Page::open_after(prepare).await else { return };
    page.sign_in().await;
    page.go("#/runs/1").await;
    let lines = "[...document.querySelectorAll('#log .log-line')].map((line) => line.lastChild.textContent).join()";
    page.browser.until(&format!("{lines} === 'snapshot taken,a file is missing,connection reset'")).await;
    let choose = |level: &str| {
        format!(
            "(() => {{ const level = document.querySelector('#level'); level.value = '{level}'; level.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()"
        )
    };
    page.browser.value(&choose("warn")).await;
    page.browser.until(&format!("{lines} === 'a file is missing,connection reset'")).await;
    page.browser.value(&choose("info")).await;
    page.browser.press("/").await;
    page.browser.type_text("RESET").await;
    page.browser.until(&format!("{lines} === 'connection reset'")).await;
    page.browser.until("document.querySelector('#log mark')?.textContent === 'reset'").await;
    page.browser.until_text("1 of 3 lines").await;
    page.assert_no_faults().await;
}
