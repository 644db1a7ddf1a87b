//! The keys of notifiers.

use super::Key;

pub(crate) const RECEIVER: &[Key] = &[
    Key {
        name: "name",
        kind: "string",
        default: "its channel and number: `webhook-1`",
        about: "Its name in logs and output",
        example: "\"admins\"",
        also: &["id", "title"],
    },
    Key {
        name: "on",
        kind: "array of strings",
        default: "all but `success`",
        about: "What is reported: `failure`, `stale`, `recovered`, `warning`, `success`; not for `ping`, which gets every backup",
        example: "[\"failure\", \"stale\", \"recovered\"]",
        also: &["events", "when", "occasions"],
    },
    Key {
        name: "instances",
        kind: "array of strings",
        default: "all",
        about: "Which instances it is about",
        example: "[\"production\"]",
        also: &["instance", "of"],
    },
    Key {
        name: "timezone",
        kind: "string",
        default: "its instances', if they all have the same; else the system's",
        about: "Time zone of the times in its notices: a name of the IANA database",
        example: "\"Europe/Zurich\"",
        also: &["tz", "time_zone"],
    },
];

pub(crate) const WEBHOOK: &[Key] = &[
    Key {
        name: "webhook",
        kind: "string",
        default: "–",
        about: "URL that gets a POST",
        example: "\"${WEBHOOK_URL}\"",
        also: &["url", "hook", "slack"],
    },
    Key {
        name: "webhook_file",
        kind: "path",
        default: "–",
        about: "File that contains only that URL; instead of `webhook`",
        example: "\"/etc/odoo-backup/webhook\"",
        also: &["url_file"],
    },
    Key {
        name: "format",
        kind: "string",
        default: "`json`",
        about: "What a webhook gets: `json`, all details; or a text for `slack`, `mattermost`, `teams`, `discord` or `ntfy`",
        example: "\"slack\"",
        also: &["type", "kind"],
    },
    Key {
        name: "token",
        kind: "string",
        default: "–",
        about: "Token that a webhook gets as `Authorization: Bearer`",
        example: "\"${WEBHOOK_TOKEN}\"",
        also: &["bearer", "authorization"],
    },
    Key {
        name: "token_file",
        kind: "path",
        default: "–",
        about: "File that contains only that token; instead of `token`",
        example: "\"/etc/odoo-backup/webhook-token\"",
        also: &[],
    },
];

pub(crate) const PING: &[Key] = &[
    Key {
        name: "ping",
        kind: "string",
        default: "–",
        about: "URL of a dead man's switch; `{instance}` in it is replaced by the instance's name",
        example: "\"https://hc-ping.com/${PING_KEY}/{instance}\"",
        also: &["ping_url", "healthcheck", "heartbeat"],
    },
    Key {
        name: "ping_file",
        kind: "path",
        default: "–",
        about: "File that contains only that URL; instead of `ping`",
        example: "\"/etc/odoo-backup/ping\"",
        also: &[],
    },
];

pub(crate) const TELEGRAM: &[Key] = &[
    Key {
        name: "telegram_chat",
        kind: "string or integer",
        default: "–",
        about: "Chat that a Telegram bot writes to: its number, or the name of a public channel",
        example: "\"-1001234567890\"",
        also: &["telegram", "chat", "chat_id"],
    },
    Key {
        name: "telegram_token",
        kind: "string",
        default: "required for Telegram",
        about: "The bot's token, as @BotFather issues it",
        example: "\"${TELEGRAM_TOKEN}\"",
        also: &["bot_token"],
    },
    Key {
        name: "telegram_token_file",
        kind: "path",
        default: "–",
        about: "File that contains only that token; instead of `telegram_token`",
        example: "\"/etc/odoo-backup/telegram-token\"",
        also: &["bot_token_file"],
    },
    Key {
        name: "telegram_api",
        kind: "string",
        default: "`\"https://api.telegram.org\"`",
        about: "URL of the bot API, for a server of one's own",
        example: "\"https://api.telegram.org\"",
        also: &["telegram_url"],
    },
];

pub(crate) const MAIL: &[Key] = &[
    Key {
        name: "mail_to",
        kind: "array of strings",
        default: "–",
        about: "Addresses that get mail",
        example: "[\"admin@example.com\"]",
        also: &["email", "to", "mail", "recipients"],
    },
    Key {
        name: "mail_from",
        kind: "string",
        default: "required for mail",
        about: "Sender address",
        example: "\"odoo-backup@example.com\"",
        also: &["from", "sender"],
    },
    Key {
        name: "smtp_host",
        kind: "string",
        default: "required for mail",
        about: "Mail server",
        example: "\"mail.example.com\"",
        also: &["host", "smtp", "smtp_server"],
    },
    Key {
        name: "smtp_port",
        kind: "integer, 1 to 65535",
        default: "587; with `smtp_tls`: `tls` 465, `none` 25",
        about: "Its port",
        example: "587",
        also: &["port"],
    },
    Key {
        name: "smtp_tls",
        kind: "string",
        default: "`starttls`",
        about: "Encryption: `starttls`, which the server must then offer, `tls` from the start, or `none`",
        example: "\"starttls\"",
        also: &["tls", "ssl", "smtp_ssl", "starttls"],
    },
    Key {
        name: "smtp_user",
        kind: "string",
        default: "–",
        about: "User of the mail server",
        example: "\"odoo-backup\"",
        also: &["smtp_username", "user", "username"],
    },
    Key {
        name: "smtp_password",
        kind: "string",
        default: "–",
        about: "Password of that user",
        example: "\"${SMTP_PASSWORD}\"",
        also: &["smtp_pass", "password"],
    },
    Key {
        name: "smtp_password_file",
        kind: "path",
        default: "–",
        about: "File that contains only that password; instead of `smtp_password`",
        example: "\"/etc/odoo-backup/smtp.password\"",
        also: &["password_file"],
    },
    Key {
        name: "smtp_root_cert",
        kind: "path",
        default: "the system's",
        about: "PEM file of the authorities to trust for the server's certificate",
        example: "\"/etc/ssl/mail-ca.pem\"",
        also: &["smtp_ca", "ca", "sslrootcert"],
    },
];
