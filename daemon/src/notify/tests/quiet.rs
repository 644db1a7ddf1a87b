//! Quiet hours.

use super::*;
use crate::notify::collected::Collected;
use crate::notify::quiet::MOST_HELD;
use crate::notify::snapshots::notifier;

const QUIET: &str = "quiet = '22:00-07:00'\n";

#[tokio::test(start_paused = true)]
async fn notices_of_quiet_hours_arrive_together() {
    let fixture = Fixture::new();
    fixture.plan(&[None; 3]);
    let (keys, sections) = ("schedule = '0 2-4 * * *'", format!("{HOOK}{QUIET}"));
    let running = fixture.start(keys, &sections);
    fixture.until("2026-11-01T03:30:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    assert_eq!(running.handle.notifiers()[0].waiting, 1);
    running.stop().await;
    let running = fixture.start(keys, &sections);
    fixture.until("2026-11-01T06:59:00Z").await;
    assert_eq!(fixture.taken(), [""; 0], "a restart does not end the hours");
    fixture.until("2026-11-01T07:01:00Z").await;
    assert_eq!(fixture.taken(), ["hook: collected: a: backup failed | a: backup failed | a: backup failed"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn single_notice_of_quiet_hours_stays() {
    let fixture = Fixture::new();
    fixture.plan(&[None]);
    let running = fixture.start(DAILY, &format!("{HOOK}{QUIET}"));
    fixture.until("2026-11-01T07:01:00Z").await;
    assert_eq!(fixture.taken(), ["hook: failure: a: backup failed"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn exception_breaks_quiet_hours() {
    let fixture = Fixture::new();
    fixture.plan(&[None, Some(&[])]);
    let running = fixture.start("schedule = '0 2-3 * * *'", &format!("{HOOK}{QUIET}quiet_except = ['failure']\n"));
    fixture.until("2026-11-01T06:00:00Z").await;
    assert_eq!(fixture.taken(), ["hook: failure: a: backup failed"]);
    fixture.until("2026-11-01T07:01:00Z").await;
    assert_eq!(fixture.taken(), ["hook: recovered: a: backup works again"]);
    running.stop().await;
}

/// The receiver accepts nothing before the hours begin, and everything in them.
#[tokio::test(start_paused = true)]
async fn unaccepted_notice_waits_in_quiet_hours() {
    let fixture = Fixture::new();
    fixture.plan(&[None, None]);
    fixture.is_down(true);
    let running = fixture.start("schedule = '0 20-21 * * *'", &format!("{HOOK}{QUIET}"));
    fixture.until("2026-11-01T22:30:00Z").await;
    fixture.is_down(false);
    fixture.until("2026-11-02T06:30:00Z").await;
    assert_eq!(fixture.taken(), [""; 0]);
    fixture.until("2026-11-02T07:31:00Z").await;
    assert_eq!(fixture.taken(), ["hook: collected: a: backup failed | a: backup failed"]);
    running.stop().await;
}

#[test]
fn least_urgent_notices_are_left_out() {
    let to = notifier(&format!("webhook = 'https://example.com'\n{QUIET}"));
    let now = "2026-12-01T03:00:00Z".parse().unwrap();
    let mut state = State::default();
    state.notify(&to, Notice::of_alarm("production", "damaged", now), now);
    for _ in 0..MOST_HELD + 5 {
        state.notify(&to, Notice::of_freshness("production", now, now), now);
    }
    let [Delivery { message: Message::Collected(Collected { notices, omitted }), held: true, .. }] =
        &state.deliveries[..]
    else {
        panic!("one message");
    };
    assert_eq!((notices.len(), *omitted, notices[0].summary.as_str()), (MOST_HELD, 6, "production: damaged"));
    let kept = serde_json::from_str::<State>(&serde_json::to_string(&state).unwrap()).unwrap();
    assert!(kept == state, "all of it is on the disk");
}
