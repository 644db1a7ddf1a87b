//! Tests that a daemon that reads a forged repository keeps running.

use std::fs;
use std::time::Duration;

use harness::http::Client;
use harness::project::INSTANCE;
use rustix::process::Signal;
use serde_json::json;

use super::forge::Forge;

#[tokio::test]
async fn daemon_survives_forged_documents() {
    let forge = Forge::start().await;
    forge.renew();
    // A second backup, which is forged. The first one stays unchanged.
    forge.program.run(["now"]).await.success();
    let text = "[".repeat(1_000_000);
    forge.put(&format!("{INSTANCE}/99991231T235959Z-ffff/manifest.json"), text.as_bytes());
    forge.put(&format!("{INSTANCE}/99991230T235959Z-ffff/manifest.json"), &vec![b' '; 33 << 20]);
    forge.put(&format!("{INSTANCE}/check.json"), b"{\"objects\": 7}");
    forge.put(&format!("{INSTANCE}/pins/{}.json", forge.id), text.as_bytes());
    forge.put(&format!("locks/{INSTANCE}/read-0123456789abcdef.json"), text.as_bytes());
    forge.change(|manifest| manifest["warnings"] = json!(["\x1b[2J\nfake line"]));
    let state = forge.project.path("state");
    let daemon = format!("[daemon]\nlisten = \"127.0.0.1:0\"\nstate_dir = \"{}\"\n", state.display());
    let repository = format!("url = \"file://{}\"", forge.project.repository().display());
    forge.project.write_config(&repository, &daemon);
    let mut running = forge.program.spawn(["daemon"]);
    let read = async {
        loop {
            assert!(!running.has_ended(), "the daemon has ended");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Ok(address) = fs::read_to_string(state.join("address")) else { continue };
            let client = Client::new(address.trim());
            let status = client.get("/api/v1/status").await;
            if status.status == 200 && !status.json()["repository"]["refreshed_at"].is_null() {
                break client;
            }
        }
    };
    let client = tokio::time::timeout(Duration::from_secs(60), read).await.expect("the daemon reads the repository");
    for path in ["/healthz", "/metrics", "/api/v1/instances", "/"] {
        assert!(client.get(path).await.status < 500, "{path}");
    }
    running.signal(Signal::TERM);
    let ended = tokio::time::timeout(Duration::from_secs(60), running.wait()).await.expect("the daemon ends");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
