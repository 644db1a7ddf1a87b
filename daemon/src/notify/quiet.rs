//! Quiet hours: notices wait in one message, which is sent when the hours end.
//!
//! The message is a delivery that is held. It is on the disk like every other, so that a restart
//! loses nothing.

use config::NotifyConfig;
use jiff::Timestamp;

use super::collected::Collected;
use super::notice::Notice;
use super::state::{Delivery, Message, State};

/// The most notices that wait as one. The least urgent are left out first, and counted.
pub(super) const MOST_HELD: usize = 1000;

/// Returns whether a notifier gets this message now.
pub(super) fn may_go(to: &NotifyConfig, message: &Message, now: Timestamp) -> bool {
    end(to, now).is_none()
        || match message {
            Message::Notice(notice) => breaks_quiet(to, notice),
            Message::Collected(_) => false,
            // The one has its own time, the other has to be in time.
            Message::Digest(_) | Message::Ping { .. } => true,
        }
}

/// Returns when the quiet hours of a notifier end that it is in.
pub(super) fn end(to: &NotifyConfig, now: Timestamp) -> Option<Timestamp> {
    to.quiet.and_then(|quiet| quiet.end_of(now, &to.zone))
}

fn breaks_quiet(to: &NotifyConfig, notice: &Notice) -> bool {
    notice.occasions.iter().any(|occasion| to.on.contains(occasion) && to.quiet_except.contains(occasion))
}

impl State {
    /// Queues a notice, or adds it to those that wait for the end of the quiet hours.
    pub(super) fn notify(&mut self, to: &NotifyConfig, notice: Notice, now: Timestamp) {
        let message = Message::Notice(Box::new(notice));
        match message {
            Message::Notice(notice) if !may_go(to, &Message::Notice(notice.clone()), now) => {
                self.hold(&to.name, *notice, now);
            }
            message => self.write(&to.name, message, now),
        }
    }

    fn hold(&mut self, to: &str, notice: Notice, now: Timestamp) {
        let held = self.deliveries.iter_mut().find(|delivery| delivery.held && delivery.to == to);
        let Some(Delivery { message: Message::Collected(collected), .. }) = held else {
            self.write(to, Message::Collected(Collected { notices: vec![notice], omitted: 0 }), now);
            self.deliveries.iter_mut().rev().take(1).for_each(|delivery| delivery.held = true);
            return;
        };
        collected.notices.push(notice);
        if collected.notices.len() > MOST_HELD {
            let urgency = |notice: &Notice| notice.occasions.first().copied();
            let least = collected.notices.iter().map(urgency).max().flatten();
            let index = collected.notices.iter().position(|notice| urgency(notice) == least).unwrap_or(0);
            collected.notices.remove(index);
            collected.omitted += 1;
        }
    }

    /// Lets what was held for a notifier go once its quiet hours are over, and holds what waits for
    /// it while they are not.
    pub(super) fn heed_quiet(&mut self, to: &NotifyConfig, now: Timestamp) {
        if end(to, now).is_none() {
            for delivery in self.deliveries.iter_mut().filter(|delivery| delivery.held && delivery.to == to.name) {
                (delivery.held, delivery.written_at) = (false, now);
                if let Message::Collected(Collected { notices, omitted: 0 }) = &delivery.message
                    && let [only] = notices.as_slice()
                {
                    delivery.message = Message::Notice(Box::new(only.clone()));
                }
            }
            return;
        }
        let waits = |delivery: &mut Delivery| {
            delivery.to == to.name
                && !delivery.held
                && matches!(delivery.message, Message::Notice(_))
                && !may_go(to, &delivery.message, now)
        };
        let waiting: Vec<_> = self.deliveries.extract_if(.., waits).collect();
        for delivery in waiting {
            if let Message::Notice(notice) = delivery.message {
                self.hold(&to.name, *notice, now);
            }
        }
    }
}
