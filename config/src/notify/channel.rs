//! How a `[[notify]]` is sent.

use engine::secret::Secret;
use url::Url;

use super::super::secrets::{self, SecretKeys};
use super::super::section::{Reported, Section};
use super::super::value::{PlainUrl, Raw, Refusal, Value, one_of};
use super::mail::{self, MailConfig};

/// Stands in a ping's URL for the name of the instance.
pub const INSTANCE_IN_URL: &str = "{instance}";

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
    /// A message of a Telegram bot.
    Telegram(TelegramConfig),
    /// Mail.
    Mail(MailConfig),
}

impl Channel {
    /// Returns its word in what is printed.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Ping { .. } => "ping",
            Self::Telegram(_) => "telegram",
            Self::Mail(_) => "mail",
        }
    }
}

/// The bot API of Telegram.
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// The bot's token: a secret, which is a part of the URL.
    pub token: Secret,
    /// The chat: its number, or the name of a public channel with its `@`.
    pub chat: String,
    /// The server, without a slash at the end.
    pub api: String,
}

/// What a webhook is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookFormat {
    /// All that is known, as an object of this program's own.
    Json,
    /// A text and blocks, as Slack and others take them.
    Slack,
    /// An attachment in Markdown, for Mattermost.
    Mattermost,
    /// An Adaptive Card, for a workflow of Microsoft Teams.
    Teams,
    /// A text and an embed, for Discord.
    Discord,
    /// A text with headers, for a topic of ntfy.
    Ntfy,
}

impl WebhookFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Json, Self::Slack, Self::Mattermost, Self::Teams, Self::Discord, Self::Ntfy];

    /// Returns its word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Mattermost => "mattermost",
            Self::Teams => "teams",
            Self::Discord => "discord",
            Self::Ntfy => "ntfy",
        }
    }
}

impl Value for WebhookFormat {
    const EXPECTED: &'static str = "a string";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        one_of(&String::read(raw)?, &Self::ALL, Self::as_str)
    }
}

const WEBHOOK: SecretKeys = SecretKeys { value: "webhook", file: "webhook_file" };
const TELEGRAM: SecretKeys = SecretKeys { value: "telegram_token", file: "telegram_token_file" };
const PING: SecretKeys = SecretKeys { value: "ping", file: "ping_file" };
const TOKEN: SecretKeys = SecretKeys { value: "token", file: "token_file" };

/// Where Telegram's own servers are.
const TELEGRAM_API: &str = "https://api.telegram.org";

/// The names of the keys that say how, for messages.
const ONE_OF: &str = "`webhook`, `ping`, `telegram_chat` and `mail_to`";

/// The keys that say how, and those that go with each of them.
const WAYS: [(&[&str], &[&str]); 4] = [
    (&["webhook", "webhook_file"], &["format", "token", "token_file"]),
    (&["ping", "ping_file"], &[]),
    (&["telegram_chat"], &["telegram_token", "telegram_token_file", "telegram_api"]),
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

/// Reads the keys that say how.
pub(super) fn read(section: &Section<'_>) -> Result<Channel, Reported> {
    let given: Vec<_> = WAYS.iter().filter(|(ways, _)| ways.iter().any(|key| section.has(key))).collect();
    let (ways, own) = match given.as_slice() {
        [way] => **way,
        [] => return Err(section.missing("webhook", format!("one of {ONE_OF} is missing"))),
        _ => {
            return Err(section.refuse_all(format!("{ONE_OF} each need a [[notify]] of their own")));
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
        "telegram_chat" => read_telegram(section).map(Channel::Telegram),
        _ => mail::read(section).map(Channel::Mail),
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

fn read_telegram(section: &Section<'_>) -> Result<TelegramConfig, Reported> {
    let chat = section.required::<Chat>("telegram_chat");
    let api = section.optional::<PlainUrl>("telegram_api");
    let token = secrets::read(section, TELEGRAM);
    let (chat, api, token) = (chat?, api?, token?);
    let Some(token) = token else {
        return Err(section.missing("telegram_token", "`telegram_chat` needs `telegram_token`".into()));
    };
    let is_token_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let valid = token.expose().split_once(':').is_some_and(|(bot, key)| {
        !bot.is_empty() && bot.chars().all(|c| c.is_ascii_digit()) && !key.is_empty() && key.chars().all(is_token_part)
    });
    if !valid {
        let key = if section.has(TELEGRAM.value) { TELEGRAM.value } else { TELEGRAM.file };
        return Err(section.refuse(key, "expected a token as @BotFather issues it: digits, a colon, and a key"));
    }
    Ok(TelegramConfig { token, chat: chat.0, api: api.map_or_else(|| TELEGRAM_API.to_owned(), |api| api.0) })
}

/// A chat of Telegram, written as an integer or a string.
struct Chat(String);

impl Value for Chat {
    const EXPECTED: &'static str = "the number of a chat, or the name of a channel";

    fn read(raw: Raw<'_>) -> Result<Self, Refusal> {
        let text = match raw.value.as_integer() {
            Some(integer) => integer.as_str().to_owned(),
            None => String::read(raw)?,
        };
        let is_number = text.parse::<i64>().is_ok();
        let is_name = text
            .strip_prefix('@')
            .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        match is_number || is_name {
            true => Ok(Self(text)),
            false => {
                Err(format!("expected a number such as -1001234567890, or a name such as @backups, found {text:?}")
                    .into())
            }
        }
    }
}
