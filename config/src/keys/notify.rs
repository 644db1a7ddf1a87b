//! The keys of those who are told.

use super::Key;

pub(crate) const TOLD: &[Key] = &[
    Key {
        name: "name",
        kind: "string",
        default: "what it is, and its number: `webhook-1`",
        about: "What it is called in logs and in what is printed",
        example: "\"admins\"",
        also: &["id", "title"],
    },
    Key {
        name: "on",
        kind: "array of strings",
        default: "all but `success`",
        about: "What is told: `failure`, `stale`, `recovered`, `warning`, `success`; not for `ping`, which is told of every backup",
        example: "[\"failure\", \"stale\", \"recovered\"]",
        also: &["events", "when", "occasions"],
    },
    Key {
        name: "instances",
        kind: "array of strings",
        default: "all",
        about: "Of which instances",
        example: "[\"production\"]",
        also: &["instance", "of"],
    },
];

pub(crate) const WEBHOOK: &[Key] = &[
    Key {
        name: "webhook",
        kind: "string",
        default: "–",
        about: "URL that is sent a POST with JSON",
        example: "\"${WEBHOOK_URL}\"",
        also: &["url", "hook", "slack"],
    },
    Key {
        name: "webhook_file",
        kind: "path",
        default: "–",
        about: "File that holds that URL and nothing else; instead of `webhook`",
        example: "\"/etc/odoo-backup/webhook\"",
        also: &["url_file"],
    },
    Key {
        name: "format",
        kind: "string",
        default: "`json`",
        about: "What a webhook is sent: `json`, all that is known, or `slack`, a text as Slack and Mattermost take it",
        example: "\"slack\"",
        also: &["type", "kind"],
    },
    Key {
        name: "token",
        kind: "string",
        default: "–",
        about: "What a webhook is signed with, as `Authorization: Bearer`",
        example: "\"${WEBHOOK_TOKEN}\"",
        also: &["bearer", "authorization"],
    },
    Key {
        name: "token_file",
        kind: "path",
        default: "–",
        about: "File that holds that token and nothing else; instead of `token`",
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
        about: "File that holds that URL and nothing else; instead of `ping`",
        example: "\"/etc/odoo-backup/ping\"",
        also: &[],
    },
];

pub(crate) const MAIL: &[Key] = &[
    Key {
        name: "mail_to",
        kind: "array of strings",
        default: "–",
        about: "Addresses that are sent mail",
        example: "[\"admin@example.com\"]",
        also: &["email", "to", "mail", "recipients"],
    },
    Key {
        name: "mail_from",
        kind: "string",
        default: "required for mail",
        about: "Address that it comes from",
        example: "\"odoo-backup@example.com\"",
        also: &["from", "sender"],
    },
    Key {
        name: "smtp_host",
        kind: "string",
        default: "required for mail",
        about: "Server that takes the mail",
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
        about: "How it is spoken to: `starttls`, which must then be offered, `tls` from the begin, or `none`",
        example: "\"starttls\"",
        also: &["tls", "ssl", "smtp_ssl", "starttls"],
    },
    Key {
        name: "smtp_user",
        kind: "string",
        default: "–",
        about: "Whom to sign in as",
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
        about: "File that holds that password and nothing else; instead of `smtp_password`",
        example: "\"/etc/odoo-backup/smtp.password\"",
        also: &["password_file"],
    },
    Key {
        name: "smtp_root_cert",
        kind: "path",
        default: "the system's",
        about: "PEM file of the authorities that are trusted for the server's certificate",
        example: "\"/etc/ssl/mail-ca.pem\"",
        also: &["smtp_ca", "ca", "sslrootcert"],
    },
];
