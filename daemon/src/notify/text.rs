//! A notice in words, before a channel writes it in its own form.
//!
//! What comes from outside (names of databases, what servers and files say) is made printable and
//! bounded here. The channels escape it, because each has other characters that it obeys.

use config::{NotifyConfig, NotifyOccasion};
use engine::text::{counted, one_line};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::figures::figure_text;
use super::notice::Notice;

/// The most characters of the first sentence.
const HEADLINE: usize = 300;
/// The most characters of an error in the first sentence; the rest follows as details.
const ERROR: usize = 180;
/// The most characters of a detail.
const VALUE: usize = 600;
/// The most warnings of one run.
const WARNINGS: usize = 10;

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Nothing to do.
    Good,
    /// To be read.
    Warning,
    /// To be acted on.
    Bad,
}

impl From<NotifyOccasion> for Tone {
    fn from(occasion: NotifyOccasion) -> Self {
        match occasion {
            NotifyOccasion::Failure | NotifyOccasion::Stale => Self::Bad,
            NotifyOccasion::Warning => Self::Warning,
            NotifyOccasion::Recovered | NotifyOccasion::Success => Self::Good,
        }
    }
}

/// One thing that is known, with a word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) label: String,
    pub(super) value: String,
}

impl Detail {
    pub(super) fn new(label: &str, value: &str) -> Self {
        Self { label: label.to_owned(), value: shorten(&one_line(value), VALUE) }
    }

    /// Writes it without markup.
    pub(super) fn plain(&self) -> String {
        format!("{}: {}", self.label, self.value)
    }
}

/// A page of the dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) title: String,
    pub(super) url: String,
}

/// What a person reads: the sentence that matters, details, and links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) tone: Tone,
    pub(super) at: Timestamp,
    pub(super) headline: String,
    pub(super) details: Vec<Detail>,
    pub(super) links: Vec<Link>,
}

impl Text {
    /// Returns a notice as this notifier gets it.
    pub(super) fn of(notice: &Notice, to: &NotifyConfig) -> Self {
        let occasion = notice.occasion_for(to).or_else(|| notice.occasions.first().copied());
        let (headline, is_cut) = headline(notice, &to.zone);
        Self {
            tone: occasion.map_or(Tone::Warning, Tone::from),
            at: notice.at,
            headline,
            details: details(notice, &to.zone, is_cut),
            links: links(notice, to.public_url.as_deref()),
        }
    }

    /// Returns all of it without markup, in lines.
    pub(super) fn plain(&self) -> String {
        let details = self.details.iter().map(Detail::plain);
        let links = self.links.iter().map(|link| format!("{}: {}", link.title, link.url));
        let lines: Vec<_> = std::iter::once(self.headline.clone()).chain(details).chain(links).collect();
        lines.join("\n") + "\n"
    }

    /// Returns the details as `write` writes each, as far as they fit into so many `units`, and
    /// says how many do not.
    pub(super) fn fitting(
        &self,
        room: usize,
        units: fn(&str) -> usize,
        write: impl Fn(&Detail) -> String,
    ) -> Vec<String> {
        let lines: Vec<_> = self.details.iter().map(&write).collect();
        let sizes: Vec<_> = lines.iter().map(|line| units(line) + 1).collect();
        if sizes.iter().sum::<usize>() <= room {
            return lines;
        }
        let more = |left: usize| {
            write(&Detail::new("not shown", &format!("{}, for lack of space", counted(left as u64, "more line"))))
        };
        let room = room.saturating_sub(units(&more(lines.len())) + 1);
        let fit = |(kept, sum): (usize, usize), size: &usize| {
            let sum = sum + size;
            if sum <= room { Some((kept + 1, sum)) } else { None }
        };
        let kept = sizes.iter().try_fold((0, 0), |so_far, size| fit(so_far, size).ok_or(so_far));
        let kept = kept.map_or_else(|(kept, _)| kept, |(kept, _)| kept);
        let left = lines.len() - kept;
        lines.into_iter().take(kept).chain([more(left)]).collect()
    }
}

/// Returns the length that most services count: code units of UTF-16.
pub(super) fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns the text with at most so many characters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// Returns the sentence that matters, and whether the error in it was cut.
fn headline(notice: &Notice, zone: &TimeZone) -> (String, bool) {
    let summary = one_line(&notice.summary);
    let (Some(_), Some(error)) = (notice.run, &notice.error) else {
        return (shorten(&summary, HEADLINE), false);
    };
    let (clock, error) = (clock(notice.at, zone), error.to_string());
    let error = one_line(&error);
    let short = shorten(&error, ERROR);
    (shorten(&format!("{summary} at {clock}: {short}"), HEADLINE), short != error)
}

fn details(notice: &Notice, zone: &TimeZone, is_cut: bool) -> Vec<Detail> {
    let mut details = Vec::new();
    let mut add = |label: &str, value: &str| details.push(Detail::new(label, value));
    if let Some(error) = &notice.error {
        error.hint.iter().for_each(|hint| add("hint", hint));
        if is_cut {
            add("error", &error.message);
            error.causes.iter().for_each(|cause| add("because", cause));
            error.obstacles.iter().for_each(|obstacle| add("because", &obstacle.message));
        } else if notice.run.is_none() {
            error.causes.iter().for_each(|cause| add("because", cause));
        }
    }
    notice.warnings.iter().take(WARNINGS).for_each(|warning| add("warning", warning));
    if let Some(more) = notice.warnings.len().checked_sub(WARNINGS + 1) {
        add("not shown", &counted(more as u64 + 1, "more warning"));
    }
    notice.backup.iter().for_each(|backup| add("backup", &format!("{}/{backup}", notice.instance)));
    for (name, figure) in &notice.figures {
        let (words, figure) = figure_text(name, *figure);
        add(&words, &figure);
    }
    let at = moment(notice.at, zone);
    match notice.run {
        Some(run) => add("run", &format!("{run}, ended {at}")),
        None => add("at", &at),
    }
    details
}

/// Returns the pages of the dashboard about a notice, the most exact one first.
pub(super) fn links(notice: &Notice, dashboard: Option<&str>) -> Vec<Link> {
    let Some(dashboard) = dashboard else { return Vec::new() };
    let run = notice.run.map(|run| Link { title: format!("Run {run}"), url: format!("{dashboard}/#/runs/{run}") });
    let name = &notice.instance;
    // Names of instances have no character that a URL or a channel reads as something else.
    let instance = Link { title: name.clone(), url: format!("{dashboard}/#/instances/{name}") };
    run.into_iter().chain([instance]).collect()
}

/// Returns the time of day with its zone: `02:00 Europe/Zurich`.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    format!("{} {}", at.to_zoned(zone.clone()).strftime("%H:%M"), zone_name(at, zone))
}

/// Returns the day and the time with its zone: `2026-12-01 02:00:31 Europe/Zurich`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    format!("{} {}", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S"), zone_name(at, zone))
}

/// Returns the day and the time of day, for lists whose zone is stated elsewhere.
pub(super) fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns the dashboard's first page.
pub(super) fn dashboard(url: Option<&str>) -> Option<Link> {
    url.map(|url| Link { title: "Dashboard".into(), url: format!("{url}/") })
}

/// Returns the name of a zone; the offset of one that has none.
pub(super) fn zone_name(at: Timestamp, zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some("Etc/UTC") => "UTC".into(),
        Some(name) => name.to_owned(),
        None => at.to_zoned(zone.clone()).strftime("%:z").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(details: usize) -> Text {
        let details = (0..details).map(|number| Detail::new("n", &number.to_string())).collect();
        Text { tone: Tone::Good, at: Timestamp::UNIX_EPOCH, headline: "h".into(), details, links: Vec::new() }
    }

    #[test]
    fn details_beyond_limit_are_counted() {
        let all = text(10).fitting(50, str::len, Detail::plain);
        assert_eq!(all.len(), 10, "each has four bytes and a line end");
        let some = text(100).fitting(70, str::len, Detail::plain);
        assert!(some.iter().map(|line| line.len() + 1).sum::<usize>() <= 70, "{some:?}");
        assert_eq!(some.last().unwrap(), &format!("not shown: {} more lines, for lack of space", 101 - some.len()));
    }

    #[test]
    fn shortened_text_ends_with_ellipsis() {
        assert_eq!((shorten("äöü", 3), shorten("äöüx", 3)), ("äöü".to_owned(), "äö…".to_owned()));
    }

    #[test]
    fn times_name_their_zone() {
        let at = "2026-12-01T01:00:31Z".parse().unwrap();
        let zurich = TimeZone::get("Europe/Zurich").unwrap();
        assert_eq!(clock(at, &zurich), "02:00 Europe/Zurich");
        assert_eq!(moment(at, &TimeZone::UTC), "2026-12-01 01:00:31 UTC");
        assert_eq!(clock(at, &TimeZone::fixed(jiff::tz::offset(-3))), "22:00 -03:00");
    }
}
