//! The keys of a target: what is made of a copy.

use super::Key;

pub(crate) const SOURCE: &[Key] = &[Key {
    name: "instance",
    kind: "string",
    default: "the only instance, where there is one",
    about: "Whose backups the target takes where a restore names none",
    example: "\"production\"",
    also: &["source", "from"],
}];

pub(crate) const TRUST: &[Key] = &[Key {
    name: "trusted",
    kind: "boolean",
    default: "`false`",
    about: "Whether whoever can write to the repository is trusted with the target's server: a role that may run programs on its server, as a superuser may, is not refused, and what pg_dump does not write is run",
    example: "true",
    also: &["trust", "trusted_repository"],
}];

/// What [`TARGET`] says of making the copy harmless.
pub(crate) const NEUTRAL: &[Key] = &[
    Key {
        name: "neutralize",
        kind: "boolean",
        default: "`true`",
        about: "Whether the copy is made harmless before it gets the target's name: no mail, no scheduled action, no payment, no credentials",
        example: "true",
        also: &["neutralise", "neutralized", "neutral"],
    },
    Key {
        name: "odoo_bin",
        kind: "path",
        default: "–",
        about: "Odoo's own program, of the copy's series (16.0 or later), which is asked for its neutralization",
        example: "\"/usr/bin/odoo\"",
        also: &["odoo", "odoo-bin", "odoo_path"],
    },
    Key {
        name: "addons_path",
        kind: "array of paths",
        default: "`addons_path` of odoo.conf, else the place of Odoo's own packages",
        about: "Folders with Odoo's modules, whose `data/neutralize.sql` are run where there is no `odoo_bin`",
        example: "[\"/usr/lib/python3/dist-packages/odoo/addons\"]",
        also: &["addons", "modules"],
    },
    Key {
        name: "base_url",
        kind: "string",
        default: "–",
        about: "Address of the copy, for `web.base.url`, which is then frozen; without it Odoo takes the one that an administrator signs in at",
        example: "\"https://staging.example.com\"",
        also: &["web_base_url", "url"],
    },
    Key {
        name: "admin_password",
        kind: "string",
        default: "as in the original",
        about: "New password of the administrator (`base.user_admin`), whose second factor is taken away",
        example: "\"${STAGING_ADMIN_PASSWORD}\"",
        also: &["admin_passwd"],
    },
    Key {
        name: "admin_password_file",
        kind: "path",
        default: "–",
        about: "File that holds that password and nothing else; instead of `admin_password`",
        example: "\"/etc/odoo-backup/staging-admin.password\"",
        also: &[],
    },
    Key {
        name: "sql",
        kind: "array of strings",
        default: "`[]`",
        about: "SQL of your own, run last: statements, or paths of files that end in `.sql`",
        example: "[\"UPDATE res_company SET name = 'Staging'\", \"/etc/odoo-backup/staging.sql\"]",
        also: &["post_sql", "queries"],
    },
    Key {
        name: "keep_credentials",
        kind: "array of strings",
        default: "`[]`",
        about: "Columns (`table.column`) and system parameters (`parameter:key`) that look like credentials and are to stay",
        example: "[\"asset.serial_secret\", \"parameter:shop.api_key\"]",
        also: &["keep", "keep_secrets"],
    },
];

pub(crate) const ANONYMITY: &[Key] = &[Key {
    name: "anonymize",
    kind: "boolean or section",
    default: "`false`",
    about: "Whether the people in the copy are replaced by fakes before it gets the target's name; as a section, how",
    example: "true",
    also: &["anonymise", "anonymized", "anonymous", "pseudonymize"],
}];

pub(crate) const ANONYMIZATION: &[Key] = &[
    Key {
        name: "columns",
        kind: "table of strings",
        default: "`{}`",
        about: "Further columns and the kinds of their fakes, or other kinds for those of the page",
        example: "{ \"res_partner.x_passport\" = \"identifier\" }",
        also: &["fields", "column"],
    },
    Key {
        name: "keep",
        kind: "array of strings",
        default: "`[]`",
        about: "Columns (`table.column`) and attachments (`attachments:model`) that are left as they are",
        example: "[\"res_partner.city\", \"attachments:account.move\"]",
        also: &["keep_columns", "exclude", "except"],
    },
    Key {
        name: "attachments",
        kind: "array of strings",
        default: "`[]`",
        about: "Further models whose attachments become placeholders",
        example: "[\"x_visit\"]",
        also: &["models", "files"],
    },
    Key {
        name: "seed",
        kind: "string",
        default: "a random key for each restore, which is kept nowhere",
        about: "What the fakes follow from: the same seed makes the same fakes again, and whoever knows it can try which fake a name has",
        example: "\"${STAGING_SEED}\"",
        also: &["key", "salt"],
    },
    Key {
        name: "seed_file",
        kind: "path",
        default: "–",
        about: "File that holds the seed and nothing else; instead of `seed`",
        example: "\"/etc/odoo-backup/staging.seed\"",
        also: &["key_file"],
    },
];
