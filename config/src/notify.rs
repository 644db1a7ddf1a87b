//! `[[notify]]`: who gets notices about the backups, and how.

mod channel;
mod mail;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use ::retention::Zone;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::channel::{Channel, INSTANCE_IN_URL, TelegramConfig, WebhookFormat};
pub use self::mail::{MailConfig, SmtpTls};
pub use self::times::{Daily, Quiet};
use super::keys;
use super::section::{Reported, Section};
use super::surroundings::system_zone;
use super::value::{Raw, Refusal, Value, one_of};

/// An occasion for a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOccasion {
    /// A run failed, after all attempts.
    Failure,
    /// An instance has had no good backup for longer than it may.
    Stale,
    /// The first good run after a failure, or a backup after none for too long.
    Recovered,
    /// A run did what it was to do, and there is something that a person should know.
    Warning,
    /// A run did what it was to do.
    Success,
}

impl NotifyOccasion {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Failure, Self::Stale, Self::Recovered, Self::Warning, Self::Success];
    const DEFAULT: [Self; 4] = [Self::Failure, Self::Stale, Self::Recovered, Self::Warning];

    /// Returns its word in the configuration and in what is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Stale => "stale",
            Self::Recovered => "recovered",
            Self::Warning => "warning",
            Self::Success => "success",
        }
    }
}

impl Value for NotifyOccasion {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&String::read(raw)?, &Self::ALL, Self::as_str)
    }
}

/// `[[notify]]`: one receiver of notices.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// What it is called in logs and in `status`; no other is called so.
    pub name: String,
    /// What is reported. A ping is sent for every backup, whatever is set here.
    pub on: BTreeSet<NotifyOccasion>,
    /// Of which instances; `None`: of all.
    pub instances: Option<BTreeSet<String>>,
    /// The time zone of the times in its notices, and of the hours below.
    pub zone: TimeZone,
    /// When notices wait; `None`: never.
    pub quiet: Option<Quiet>,
    /// What does not wait.
    pub quiet_except: BTreeSet<NotifyOccasion>,
    /// When it gets a digest; `None`: never.
    pub digest: Option<Daily>,
    /// Where people reach the dashboard, without a slash at the end: `public_url` of `[daemon]`.
    pub public_url: Option<String>,
    /// How.
    pub channel: Channel,
}

impl NotifyConfig {
    /// Returns whether it gets notices about this instance.
    pub fn covers(&self, instance: &str) -> bool {
        self.instances.as_ref().is_none_or(|instances| instances.contains(instance))
    }
}

/// What the other sections say that a `[[notify]]` needs.
pub(super) struct Others<'a> {
    /// The names of all instances.
    pub(super) instances: &'a [String],
    /// The time zones of those that could be read, by name.
    pub(super) zones: BTreeMap<&'a str, &'a TimeZone>,
    /// `public_url` of `[daemon]`.
    pub(super) public_url: Option<&'a str>,
}

/// Reads every `[[notify]]` of a file.
pub(super) fn read(file: &Section<'_>, others: &Others<'_>) -> Result<Vec<NotifyConfig>, Reported> {
    let sections = file.tables("notify", &keys::NOTIFY)?;
    let numbered = sections.iter().zip(1..);
    // All are read before the first `?`: each notes what is wrong with it.
    let read: Vec<_> = numbered.map(|(section, number)| read_one(section, number, others)).collect();
    let all = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    for (config, section) in all.iter().zip(&sections) {
        if !names.insert(&config.name) {
            return Err(section.refuse("name", format!("another [[notify]] is called {:?}", config.name)));
        }
    }
    Ok(all)
}

fn read_one(section: &Section<'_>, number: usize, others: &Others<'_>) -> Result<NotifyConfig, Reported> {
    let name = section.optional::<String>("name");
    let on = section.optional::<Vec<NotifyOccasion>>("on");
    let instances = read_instances(section, others.instances);
    let zone = section.optional::<Zone>("timezone");
    let quiet = section.optional::<Quiet>("quiet");
    let quiet_except = section.optional::<Vec<NotifyOccasion>>("quiet_except");
    let digest = section.optional::<Daily>("digest");
    let channel = channel::read(section);
    let (name, on, instances, zone, channel) = (name?, on?, instances?, zone?, channel?);
    let (quiet, quiet_except, digest) = (quiet?, quiet_except?, digest?);
    if quiet.is_none() && quiet_except.is_some() {
        return Err(section.refuse("quiet_except", "there are no quiet hours; set `quiet` as well"));
    }
    if let Channel::Ping { url } = &channel {
        if on.is_some() {
            return Err(section.refuse("on", "a ping is sent for every backup; remove this key"));
        }
        if let Some(key) = ["quiet", "quiet_except", "digest"].into_iter().find(|key| section.has(key)) {
            return Err(section.refuse(key, "a ping raises an alarm if it is late; remove this key"));
        }
        let watched = instances.as_ref().map_or(others.instances.len(), BTreeSet::len);
        if watched > 1 && !url.expose().contains(INSTANCE_IN_URL) {
            let message = "one URL for several instances would hide that one of them fails: \
                put {instance} into it, or name one instance in `instances`";
            return Err(section.refuse(if section.has("ping") { "ping" } else { "ping_file" }, message));
        }
    }
    Ok(NotifyConfig {
        name: name.unwrap_or_else(|| format!("{}-{number}", channel.as_str())),
        on: on.map_or_else(|| NotifyOccasion::DEFAULT.into(), |on| on.into_iter().collect()),
        zone: zone.map_or_else(|| common_zone(instances.as_ref(), &others.zones), |zone| zone.rules().clone()),
        instances,
        quiet,
        quiet_except: quiet_except.unwrap_or_default().into_iter().collect(),
        digest,
        public_url: others.public_url.map(ToOwned::to_owned),
        channel,
    })
}

/// Returns the time zone of the instances if it is the same for all of them, else the system's.
fn common_zone(instances: Option<&BTreeSet<String>>, zones: &BTreeMap<&str, &TimeZone>) -> TimeZone {
    let is_covered = |name: &str| instances.is_none_or(|instances| instances.contains(name));
    let mut covered = zones.iter().filter(|(name, _)| is_covered(name)).map(|(_, zone)| *zone);
    match covered.next() {
        Some(first) if covered.all(|zone| zone == first) => first.clone(),
        _ => system_zone().rules().clone(),
    }
}

fn read_instances(section: &Section<'_>, known: &[String]) -> Result<Option<BTreeSet<String>>, Reported> {
    let Some(names) = section.optional::<Vec<String>>("instances")? else { return Ok(None) };
    if names.is_empty() {
        return Err(section.refuse("instances", "the list is empty; remove the key to include all instances"));
    }
    match names.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(section.refuse(
            "instances",
            Refusal {
                message: format!("there is no [instance.{name}]"),
                suggestion: engine::text::nearest(name, known.iter().map(String::as_str)).map(Into::into),
            },
        )),
        None => Ok(Some(names.into_iter().collect())),
    }
}
