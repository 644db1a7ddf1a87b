use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn entry(schedule: &str, zone: &str) -> Entry {
    Entry::new("production", Job::Backup, schedule.parse().unwrap(), TimeZone::get(zone).unwrap())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Lives through the time from `from` to `to` as a daemon does: sleeps until something is due,
/// serves it, remembers it.
fn live(entry: &Entry, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let (mut now, mut last, mut served) = (from, from, Vec::new());
    while now < to {
        match entry.due(last, now) {
            Due::Later(Some(slot)) => now = slot.begins,
            Due::Later(None) => break,
            Due::Now { slot, late } => {
                assert!(!late, "{} is late at {now}", slot.time);
                served.push(slot.time);
                last = slot.time;
            }
            Due::Missed(slot) => panic!("{} was missed at {now}", slot.time),
        }
    }
    served
}

#[test]
fn year_of_nights_has_every_backup() {
    // 02:30 does not exist on 28 March 2027 in Brussels, and comes twice on 31 October.
    let entry = entry("30 2 * * *", "Europe/Brussels");
    let zone = entry.zone.clone();
    let new_year = |year| date(year, 1, 1).to_zoned(zone.clone()).unwrap().timestamp();
    let served = live(&entry, new_year(2027), new_year(2028));
    let local: Vec<_> = served.iter().map(|time| time.to_zoned(zone.clone()).datetime()).collect();
    assert_eq!(local.len(), 365);
    for (day, time) in date(2027, 1, 1).series(jiff::Span::new().days(1)).zip(&local) {
        let expected = if day == date(2027, 3, 28) { day.at(3, 0, 0, 0) } else { day.at(2, 30, 0, 0) };
        assert_eq!(*time, expected);
    }
}

#[test]
fn missed_slots_are_caught_up_once() {
    let entry = entry("0 2 * * *", "UTC");
    let last = at("2026-11-01T02:00:00Z");
    let now = at("2026-11-21T13:00:00Z");
    let Due::Now { slot, late: true } = entry.due(last, now) else { panic!("{:?}", entry.due(last, now)) };
    assert_eq!(slot.time, at("2026-11-21T02:00:00Z"));
    let Due::Later(Some(next)) = entry.due(slot.time, now) else { panic!("it is served twice") };
    assert_eq!(next.time, at("2026-11-22T02:00:00Z"));
}

#[test]
fn missed_slots_are_skipped_on_request() {
    let entry = Entry { catch_up: false, ..entry("0 2 * * *", "UTC") };
    let last = at("2026-11-19T02:00:00Z");
    let missed = entry.due(last, at("2026-11-21T02:05:01Z"));
    assert!(matches!(missed, Due::Missed(slot) if slot.time == at("2026-11-21T02:00:00Z")), "{missed:?}");
    // A moment too late is on time.
    let now = entry.due(last, at("2026-11-21T02:04:59Z"));
    assert!(matches!(now, Due::Now { late: false, .. }), "{now:?}");
}

#[test]
fn instances_spread_over_splay() {
    let splay = SignedDuration::from_mins(30);
    let nightly = entry("0 2 * * *", "UTC");
    let slots: Vec<_> = (0..100)
        .map(|number| {
            let entry = Entry { instance: format!("customer-{number}"), splay, ..nightly.clone() };
            let slot = entry.next_after(at("2026-11-20T02:00:00Z")).unwrap();
            let delay = slot.begins.duration_since(slot.time);
            assert!(delay >= SignedDuration::ZERO && delay < splay);
            let again = entry.next_after(slot.time).unwrap();
            assert_eq!(again.begins.duration_since(again.time), delay);
            delay
        })
        .collect();
    // In each of three thirds of the half hour begins a good part of them.
    for third in 0..3 {
        let bounds = (splay / 3 * third)..(splay / 3 * (third + 1));
        let within = slots.iter().filter(|delay| bounds.contains(delay)).count();
        assert!(within > 15, "{within} begin in third {third}");
    }
}

#[test]
fn slot_waits_for_its_splay() {
    let entry = Entry { splay: SignedDuration::from_mins(30), ..entry("0 2 * * *", "UTC") };
    let last = at("2026-11-20T02:00:00Z");
    let slot = entry.next_after(last).unwrap();
    assert!(slot.begins > slot.time);
    assert_eq!(entry.due(last, slot.time), Due::Later(Some(slot)));
    assert_eq!(entry.due(last, slot.begins), Due::Now { slot, late: false });
}

#[test]
fn long_sleep_hides_no_rare_slot() {
    // Once a year; the daemon was down for three.
    let entry = entry("@yearly", "UTC");
    let due = entry.due(at("2024-01-01T00:00:00Z"), at("2027-11-21T00:00:00Z"));
    assert!(matches!(due, Due::Now { slot, late: true } if slot.time == at("2027-01-01T00:00:00Z")), "{due:?}");
}

proptest! {
    /// However the daemon's life is cut into pieces, no slot is served twice, none before its time,
    /// and after each look nothing that has begun is left over.
    #[test]
    fn naps_lose_no_slot(
        entry in prop::sample::select(
            ["30 2 * * *", "*/15 * * * *", "0 2 1 * 0", "0 */6 * * 1-5"].map(|text| entry(text, "Europe/Brussels")).to_vec(),
        ),
        splay in 0_i64..7200,
        naps in prop::collection::vec(1_i64..400_000, 1..60),
    ) {
        let entry = Entry { splay: SignedDuration::from_secs(splay), ..entry };
        let mut now = at("2026-03-01T00:00:00Z");
        let mut last = now;
        for nap in naps {
            now = now.checked_add(SignedDuration::from_secs(nap)).unwrap();
            if let Due::Now { slot, .. } = entry.due(last, now) {
                prop_assert!(slot.time > last && slot.begins <= now);
                last = slot.time;
            }
            let Due::Later(Some(next)) = entry.due(last, now) else { panic!("something is left over") };
            prop_assert!(next.begins > now && next.time > last);
        }
    }
}
