//! Tests downloads on the page: the zip with its progress, and one attachment.

use std::fs;
use std::time::Duration;

use harness::project::INSTANCE;

use super::Page;
use crate::daemon::Service;

/// Stands in for the dialog in which the reader chooses a file; keeps what is written.
const PICKER: &str = "globalThis.saved = []; globalThis.showSaveFilePicker = async ({ suggestedName }) => ({ name: suggestedName, createWritable: async () => new WritableStream({ write(chunk) { for (const byte of chunk) globalThis.saved.push(byte); } }) });";

async fn open() -> Option<Page> {
    let mut page = Page::open_after(async |service: &Service| {
        service.program.run(["now"]).await.success();
    })
    .await?;
    page.browser.before_load(PICKER).await;
    page.load("/?again").await;
    page.browser.until_text("Sign in").await;
    page.sign_in().await;
    let id = page.service.backups().await[0]["id"].as_str().unwrap().to_owned();
    page.go(&format!("#/instances/{INSTANCE}/backups/{id}")).await;
    Some(page)
}

#[tokio::test]
async fn zip_is_saved_with_progress() {
    let Some(mut page) = open().await else { return };
    page.browser.click("#zip").await;
    page.browser
        .until("document.querySelector('#zip-progress')?.textContent.startsWith('Downloaded production-')")
        .await;
    // The first entry of a zip, and the end of its directory.
    let ends = "[saved.slice(0, 4).join(), saved.slice(-22, -18).join()].join(' ')";
    assert_eq!(page.browser.value(ends).await, "80,75,3,4 80,75,5,6");
    page.assert_no_faults().await;
}

#[tokio::test]
async fn attachment_is_found_and_downloaded() {
    let Some(mut page) = open().await else { return };
    let folder = tempfile::tempdir().unwrap();
    page.browser.download_to(folder.path()).await;
    page.browser.click("#show-files").await;
    let rows = "document.querySelectorAll('#attachments tbody tr')";
    page.browser.until(&format!("{rows}.length > 10")).await;
    let cell = |number: usize| format!("{rows}[0].children[{number}].textContent");
    let name = page.browser.value(&cell(0)).await.as_str().unwrap().to_owned();
    let path = page.browser.value(&cell(4)).await.as_str().unwrap().to_owned();
    page.browser.click("#like").await;
    page.browser.type_text(&path).await;
    page.browser.press("Enter").await;
    page.browser.until(&format!("[...{rows}].every((row) => row.children[4].textContent === '{path}')")).await;
    page.browser.click("#attachments tbody button").await;
    let content = fs::read(page.service.project.filestore().join(&path)).unwrap();
    let is_there = async || {
        while !fs::read(folder.path().join(&name)).is_ok_and(|saved| saved == content) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let names = || fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();
    assert!(tokio::time::timeout(Duration::from_secs(60), is_there()).await.is_ok(), "{name}: {:?}", names());
    page.assert_no_faults().await;
}
