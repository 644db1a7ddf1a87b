//! The notices of quiet hours, as one message.

use config::{NotifyConfig, NotifyOccasion};
use engine::text::counted;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::notice::Notice;
use super::text::{Detail, Text, Tone, dashboard, minute, shorten, zone_name};

/// The most notices that are shown; a mail has no limit of its own.
const SHOWN: usize = 100;
/// The most characters of a notice.
const NOTICE: usize = 240;

/// Notices that waited for the end of quiet hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Collected {
    /// In their order.
    pub(super) notices: Vec<Notice>,
    /// How many more there were.
    #[serde(default)]
    pub(super) omitted: u64,
}

impl Collected {
    /// Returns it as a notifier gets it.
    pub(super) fn text(&self, to: &NotifyConfig) -> Text {
        let word = |notice: &Notice| notice.occasion_for(to).or_else(|| notice.occasions.first().copied());
        let mut notices: Vec<_> = self.notices.iter().map(|notice| (word(notice), notice)).collect();
        // The order of occasions is their urgency.
        notices.sort_by_key(|(occasion, notice)| (*occasion, notice.at));
        let details = notices.iter().take(SHOWN).map(|(occasion, notice)| {
            let label =
                format!("{} {}", minute(notice.at, &to.zone), occasion.map_or("notice", NotifyOccasion::as_str));
            Detail::new(&label, &shorten(&sentence(notice), NOTICE))
        });
        let left = notices.len().saturating_sub(SHOWN) as u64 + self.omitted;
        let more = (left > 0).then(|| Detail::new("not shown", &counted(left, "more notice")));
        Text {
            tone: notices.first().and_then(|(occasion, _)| *occasion).map_or(Tone::Warning, Tone::from),
            at: self.at(),
            headline: self.headline(to),
            details: details.chain(more).collect(),
            links: dashboard(to.public_url.as_deref()).into_iter().collect(),
        }
    }

    /// Returns how many there are of each kind.
    pub(super) fn headline(&self, to: &NotifyConfig) -> String {
        let of = |occasion: NotifyOccasion| {
            let is_one = |notice: &&Notice| notice.occasion_for(to).as_ref() == Some(&occasion);
            let number = self.notices.iter().filter(is_one).count();
            (number > 0).then(|| words(number as u64, occasion))
        };
        let kinds: Vec<_> = NotifyOccasion::ALL.into_iter().filter_map(of).collect();
        let all = counted(self.notices.len() as u64 + self.omitted, "notice");
        let zone = zone_name(self.at(), &to.zone);
        format!("{all} from the quiet hours (times in {zone}): {}", kinds.join(", "))
    }

    /// Returns when the last one was written.
    pub(super) fn at(&self) -> Timestamp {
        self.notices.iter().map(|notice| notice.at).max().unwrap_or_default()
    }
}

fn words(number: u64, occasion: NotifyOccasion) -> String {
    match occasion {
        NotifyOccasion::Failure => counted(number, "failure"),
        NotifyOccasion::Warning => counted(number, "warning"),
        NotifyOccasion::Success => format!("{number} successful"),
        NotifyOccasion::Stale | NotifyOccasion::Recovered => format!("{number} {}", occasion.as_str()),
    }
}

fn sentence(notice: &Notice) -> String {
    match (&notice.run, &notice.error) {
        (Some(_), Some(error)) => format!("{}: {error}", notice.summary),
        _ => notice.summary.clone(),
    }
}
