//! `[[notify]]`: who gets notices about the backups, and how.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::PathBuf;

use engine::secret::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use super::keys;
use super::secrets::{self, SecretKeys};
use super::section::{Reported, Section};
use super::value::{Raw, Refusal, Value, one_of};

/// Stands in a ping's URL for the name of the instance.
pub const INSTANCE_IN_URL: &str = "{instance}";

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
    /// How.
    pub channel: Channel,
}

impl NotifyConfig {
    /// Returns whether it gets notices about this instance.
    pub fn covers(&self, instance: &str) -> bool {
        self.instances.as_ref().is_none_or(|instances| instances.contains(instance))
    }
}

/// How notices are sent.
#[derive(Debug, Clone)]
pub enum Channel {
    /// A POST of JSON.
    Webhook {
        /// Where to: often a secret itself.
        url: Secret,
        /// What is posted.
        format: WebhookFormat,
        /// What signs it, as `Authorization: Bearer`.
        token: Option<Secret>,
    },
    /// A dead man's switch, which gets the start and the end of each backup, and raises an alarm if
    /// it gets nothing.
    Ping {
        /// Where to, with [`INSTANCE_IN_URL`] or for one instance.
        url: Secret,
    },
    /// Mail.
    Mail(MailConfig),
}

impl Channel {
    /// Returns its word in what is printed.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Ping { .. } => "ping",
            Self::Mail(_) => "mail",
        }
    }
}

/// What a webhook is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// All that is known, as an object of this program's own.
    Json,
    /// A text, as Slack, Mattermost and others take it.
    Slack,
}

impl WebhookFormat {
    const ALL: [Self; 2] = [Self::Json, Self::Slack];

    fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
        }
    }
}

impl Value for WebhookFormat {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&String::read(raw)?, &Self::ALL, Self::as_str)
    }
}

/// Mail by SMTP.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Whom to: plain addresses, one or more.
    pub to: Vec<String>,
    /// Whom from.
    pub from: String,
    /// The server.
    pub host: String,
    /// Its port; `None`: the usual one of `tls`.
    pub port: Option<u16>,
    /// How it is spoken to.
    pub tls: SmtpTls,
    /// Whom to sign in as, and with what.
    pub login: Option<(String, Secret)>,
    /// PEM file of the authorities that are trusted instead of the system's.
    pub root_cert: Option<PathBuf>,
}

/// How far SMTP is encrypted. What is encrypted is verified, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From its begin, port 465.
    Tls,
    /// After STARTTLS, port 587; a server that does not offer it is refused.
    StartTls,
    /// Not at all, port 25.
    None,
}

impl SmtpTls {
    const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }
}

impl Value for SmtpTls {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&String::read(raw)?, &Self::ALL, Self::as_str)
    }
}

const WEBHOOK: SecretKeys = SecretKeys { value: "webhook", file: "webhook_file" };
const PING: SecretKeys = SecretKeys { value: "ping", file: "ping_file" };
const TOKEN: SecretKeys = SecretKeys { value: "token", file: "token_file" };
const SMTP_PASSWORD: SecretKeys = SecretKeys { value: "smtp_password", file: "smtp_password_file" };

/// The keys that say how, and those that go with each of them.
const WAYS: [(&[&str], &[&str]); 3] = [
    (&["webhook", "webhook_file"], &["format", "token", "token_file"]),
    (&["ping", "ping_file"], &[]),
    (
        &["mail_to"],
        &[
            "mail_from",
            "smtp_host",
            "smtp_port",
            "smtp_tls",
            "smtp_user",
            "smtp_password",
            "smtp_password_file",
            "smtp_root_cert",
        ],
    ),
];

/// Reads every `[[notify]]` of a file whose instances are `known`.
pub(super) fn read(file: &Section<'_>, known: &[String]) -> Result<Vec<NotifyConfig>, Reported> {
    let sections = file.tables("notify", &keys::NOTIFY)?;
    let numbered = sections.iter().zip(1..);
    // All are read before the first `?`: each notes what is wrong with it.
    let read: Vec<_> = numbered.map(|(section, number)| read_one(section, number, known)).collect();
    let all = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut names = BTreeSet::new();
    for (config, section) in all.iter().zip(&sections) {
        if !names.insert(&config.name) {
            return Err(section.refuse("name", format!("another [[notify]] is called {:?}", config.name)));
        }
    }
    Ok(all)
}

fn read_one(section: &Section<'_>, number: usize, known: &[String]) -> Result<NotifyConfig, Reported> {
    let name = section.optional::<String>("name");
    let on = section.optional::<Vec<NotifyOccasion>>("on");
    let instances = read_instances(section, known);
    let channel = read_channel(section);
    let (name, on, instances, channel) = (name?, on?, instances?, channel?);
    if let Channel::Ping { url } = &channel {
        if on.is_some() {
            return Err(section.refuse("on", "a ping is sent for every backup; remove this key"));
        }
        let watched = instances.as_ref().map_or(known.len(), BTreeSet::len);
        if watched > 1 && !url.expose().contains(INSTANCE_IN_URL) {
            let message = "one URL for several instances would hide that one of them fails: \
                put {instance} into it, or name one instance in `instances`";
            return Err(section.refuse(if section.has("ping") { "ping" } else { "ping_file" }, message));
        }
    }
    Ok(NotifyConfig {
        name: name.unwrap_or_else(|| format!("{}-{number}", channel.as_str())),
        on: on.map_or_else(|| NotifyOccasion::DEFAULT.into(), |on| on.into_iter().collect()),
        instances,
        channel,
    })
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

fn read_channel(section: &Section<'_>) -> Result<Channel, Reported> {
    let given: Vec<_> = WAYS.iter().filter(|(ways, _)| ways.iter().any(|key| section.has(key))).collect();
    let (ways, own) = match given.as_slice() {
        [way] => **way,
        [] => return Err(section.missing("webhook", "one of `webhook`, `ping` and `mail_to` is missing".into())),
        _ => {
            return Err(
                section.refuse_all("`webhook`, `ping` and `mail_to` each need a [[notify]] of their own".into())
            );
        }
    };
    let foreign = WAYS.iter().flat_map(|(_, keys)| *keys).find(|key| section.has(key) && !own.contains(key));
    if let Some(key) = foreign {
        return Err(section.refuse(key, format!("it is not a key for `{}`", ways[0])));
    }
    match ways[0] {
        "webhook" => {
            let url = read_url(section, WEBHOOK);
            let token = secrets::read(section, TOKEN);
            let format = section.optional("format");
            Ok(Channel::Webhook { url: url?, token: token?, format: format?.unwrap_or(WebhookFormat::Json) })
        }
        "ping" => Ok(Channel::Ping { url: read_url(section, PING)? }),
        _ => read_mail(section).map(Channel::Mail),
    }
}

fn read_url(section: &Section<'_>, keys: SecretKeys) -> Result<Secret, Reported> {
    let url = secrets::read(section, keys)?.ok_or(Reported)?;
    let parsed = Url::parse(url.expose()).ok().filter(|parsed| ["http", "https"].contains(&parsed.scheme()));
    // Not repeated in the message: everyone who knows the URL can post to it.
    let key = if section.has(keys.value) { keys.value } else { keys.file };
    let refused = || section.refuse(key, "expected a URL that begins with https:// or http://");
    parsed.filter(Url::has_host).map(|_| url).ok_or_else(refused)
}

fn read_mail(section: &Section<'_>) -> Result<MailConfig, Reported> {
    let to = section.required::<Vec<Address>>("mail_to");
    let from = section.required::<Address>("mail_from");
    let host = section.required("smtp_host");
    let port = section.optional::<NonZeroU16>("smtp_port");
    let tls = section.optional("smtp_tls");
    let user = section.optional::<String>("smtp_user");
    let password = secrets::read(section, SMTP_PASSWORD);
    let root_cert = section.optional("smtp_root_cert");
    let (to, from, host, port, tls) = (to?, from?, host?, port?, tls?.unwrap_or(SmtpTls::StartTls));
    if to.is_empty() {
        return Err(section.refuse("mail_to", "the list is empty; add an address"));
    }
    let login = match (user?, password?) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => return Err(section.missing("smtp_password", "`smtp_user` needs `smtp_password`".into())),
        (None, Some(_)) => return Err(section.missing("smtp_user", "`smtp_password` needs `smtp_user`".into())),
    };
    if login.is_some() && tls == SmtpTls::None {
        return Err(
            section.refuse("smtp_tls", "`smtp_password` would be sent without encryption; set `tls` or `starttls`")
        );
    }
    let to = to.into_iter().map(|address| address.0).collect();
    Ok(MailConfig { to, from: from.0, host, port: port.map(NonZeroU16::get), tls, login, root_cert: root_cert? })
}

/// A mail address without a name.
struct Address(String);

impl Value for Address {
    const EXPECTED: &'static str = "a mail address";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = String::read(raw)?;
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
        };
        match text.split_once('@') {
            Some((user, host)) if plain(user) && plain(host) => Ok(Self(text)),
            _ => Err(format!("expected an address such as \"admin@example.com\", found {text:?}").into()),
        }
    }
}
