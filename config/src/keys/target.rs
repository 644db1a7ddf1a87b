//! The keys of a target: what is made of a copy.

use super::Key;

pub(crate) const SOURCE: &[Key] = &[Key {
    name: "instance",
    kind: "string",
    default: "the only instance, if there is only one",
    about: "Instance whose latest backup is restored if the command names none",
    example: "\"production\"",
    also: &["source", "from"],
}];

pub(crate) const TRUST: &[Key] = &[Key {
    name: "trusted",
    kind: "boolean",
    default: "`false`",
    about: "Whether everybody who can write to the repository is trusted with the target's server: a role that may run programs there, such as a superuser, is accepted, and statements that pg_dump does not write are run",
    example: "true",
    also: &["trust", "trusted_repository"],
}];

/// What [`TARGET`] says about neutralizing the copy.
pub(crate) const NEUTRAL: &[Key] = &[
    Key {
        name: "neutralize",
        kind: "boolean",
        default: "`true`",
        about: "Whether the copy is neutralized before it gets the target's name: no mail, no scheduled action, no payment, no credentials",
        example: "true",
        also: &["neutralise", "neutralized", "neutral"],
    },
    Key {
        name: "odoo_bin",
        kind: "path",
        default: "–",
        about: "Odoo's own program, of the copy's series (16.0 or later); its neutralization is used",
        example: "\"/usr/bin/odoo\"",
        also: &["odoo", "odoo-bin", "odoo_path"],
    },
    Key {
        name: "addons_path",
        kind: "array of paths",
        default: "`addons_path` of odoo.conf, else the place of Odoo's own packages",
        about: "Folders with Odoo's modules, whose `data/neutralize.sql` are run without `odoo_bin`",
        example: "[\"/usr/lib/python3/dist-packages/odoo/addons\"]",
        also: &["addons", "modules"],
    },
    Key {
        name: "base_url",
        kind: "string",
        default: "–",
        about: "Address of the copy, for `web.base.url`, which is then frozen; without it Odoo takes the address at which an administrator signs in",
        example: "\"https://staging.example.com\"",
        also: &["web_base_url", "url"],
    },
    Key {
        name: "admin_password",
        kind: "string",
        default: "as at the source",
        about: "New password of the administrator (`base.user_admin`); the second factor is removed",
        example: "\"${STAGING_ADMIN_PASSWORD}\"",
        also: &["admin_passwd"],
    },
    Key {
        name: "admin_password_file",
        kind: "path",
        default: "–",
        about: "File that contains only that password; instead of `admin_password`",
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
        about: "Columns (`table.column`) and system parameters (`parameter:key`) that look like credentials and must stay",
        example: "[\"asset.serial_secret\", \"parameter:shop.api_key\"]",
        also: &["keep", "keep_secrets"],
    },
];

pub(crate) const ANONYMITY: &[Key] = &[Key {
    name: "anonymize",
    kind: "boolean or section",
    default: "`false`",
    about: "Whether personal data is replaced by fakes before the copy gets the target's name; as a section, how",
    example: "true",
    also: &["anonymise", "anonymized", "anonymous", "pseudonymize"],
}];

pub(crate) const ANONYMIZATION: &[Key] = &[
    Key {
        name: "columns",
        kind: "table of strings",
        default: "`{}`",
        about: "Further columns with the kind of their fakes, or other kinds for known columns",
        example: "{ \"res_partner.x_passport\" = \"identifier\" }",
        also: &["fields", "column"],
    },
    Key {
        name: "keep",
        kind: "array of strings",
        default: "`[]`",
        about: "Columns (`table.column`) and attachments (`attachments:model`) that stay as they are",
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
        default: "a random key for each restore, which is stored nowhere",
        about: "Seed of the fakes: the same seed makes the same fakes again, and with it one can find out which fake a name has",
        example: "\"${STAGING_SEED}\"",
        also: &["key", "salt"],
    },
    Key {
        name: "seed_file",
        kind: "path",
        default: "–",
        about: "File that contains only the seed; instead of `seed`",
        example: "\"/etc/odoo-backup/staging.seed\"",
        also: &["key_file"],
    },
];
