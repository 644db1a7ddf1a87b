//! The daily digest.

use super::*;
use crate::condition::Backups;
use crate::notify::digest::Digest;
use crate::notify::snapshots::{assert_within_limits, notifier};
use crate::notify::watch::Seen;

const DIGEST: &str = "[[notify]]\nname = 'hook'\nwebhook = 'https://example.com'\non = []\ndigest = '08:00'\n";
const KNOWN: &str = "hook: digest: daily digest: the repository cannot be read; as far as the daemon knows, ";

#[tokio::test(start_paused = true)]
async fn digest_arrives_once_a_day() {
    let fixture = Fixture::new();
    fixture.plan(&[None]);
    let running = fixture.start(DAILY, DIGEST);
    fixture.until("2026-11-01T07:59:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    fixture.until("2026-11-01T08:01:00Z").await;
    assert_eq!(fixture.taken(), [format!("{KNOWN}1 of 1 instance with problems (1 failed): 1 failed")]);
    running.stop().await;
    let running = fixture.start(DAILY, DIGEST);
    fixture.until("2026-11-02T07:59:00Z").await;
    assert_eq!(fixture.taken(), [""; 0], "a restart does not repeat it");
    fixture.until("2026-11-02T08:01:00Z").await;
    assert_eq!(fixture.taken(), [format!("{KNOWN}the instance is ok: 1 backup")]);
    running.stop().await;
    fixture.until("2026-11-05T12:00:00Z").await;
    let running = fixture.start(DAILY, DIGEST);
    fixture.until("2026-11-05T13:00:00Z").await;
    assert_eq!(fixture.taken().len(), 1, "the missed ones are one");
    running.stop().await;
}

/// Lists problems first, and fits into a message of every channel.
#[tokio::test(start_paused = true)]
async fn digest_of_many_instances_is_bounded() {
    let fixture = Fixture::new();
    fixture.plan(&[None]);
    let section = |name: &str| format!("[instance.{name}]\ndatabase = '{name}'\nfilestore = '/{name}'\nretries = 0\n");
    let sections: String = (0..498).map(|number| section(&format!("customer-{number}"))).collect();
    let running = fixture.start("", &format!("{sections}{}", section("z")));
    running.handle.start("z", crate::Order::Backup { reread: false }).await.unwrap();
    fixture.until("2026-11-01T01:00:00Z").await;
    let to = notifier("webhook = 'https://example.com'\n");
    let (began, now) = ("2026-11-01T00:00:00Z".parse().unwrap(), running.handle.now());
    let good = Backups { newest_good: Some(began), ..Backups::default() };
    let backups = running.handle.instances().into_iter().map(|view| (view.name, good.clone())).collect();
    let digest = Digest::of(&running.handle, &to, &Seen { backups, unread: None }, began, now);
    assert_eq!((digest.all(), digest.ok, digest.failed, digest.runs.failed), (500, 499, 1, 1));
    assert_eq!((digest.instances.len(), digest.instances[0].instance.as_str()), (100, "z"));
    assert!(
        digest.text(&to).plain().contains("\nnot shown: 400 more instances without problems\n"),
        "{}",
        digest.text(&to).plain()
    );
    assert_within_limits(&Message::Digest(Box::new(digest)));
    running.stop().await;
}
