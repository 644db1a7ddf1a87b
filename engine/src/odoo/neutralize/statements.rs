//! What the program itself does to a copy, in addition to Odoo's modules: one statement for each
//! thing that reaches outside, each where its table and columns exist. `docs/neutralization.md` has
//! this as a table; a test compares it with this one.
//!
//! Facts: the `data/neutralize.sql` files of 16.0 to 19.0, and the models of 12.0 to 15.0, which
//! have none.

use crate::odoo::Schema;

/// Returns a check with the full names of its tables, so that its meaning does not depend on the
/// database: `= FROM ir_cron WHERE`.
pub(super) fn in_schema(sql: &str, schema: &Schema) -> String {
    let (mut words, mut before): (Vec<String>, [&str; 2]) = (Vec::new(), ["", ""]);
    for word in sql.split(' ') {
        let (name, rest) =
            word.split_at(word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len()));
        // `IS DISTINCT FROM false` names no table.
        let is_table = before[1].trim_start_matches('(') == "FROM" && before[0] != "DISTINCT" && !name.is_empty();
        words.push(if is_table { format!("{}{rest}", schema.table(name)) } else { word.to_owned() });
        before = [before[1], word];
    }
    words.join(" ")
}

/// One thing to neutralize.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its area, in the documentation's words.
    pub(super) area: &'static str,
    /// Its effect, in a few words.
    pub(super) about: &'static str,
    pub(super) table: &'static str,
    /// The columns that it writes. It runs where all of them exist, so there are as few as
    /// possible. Other columns that it reads may be missing (`to_jsonb(row) ->> 'column'`).
    pub(super) columns: &'static [&'static str],
    pub(super) sql: &'static str,
}

const fn on(
    area: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    about: &'static str,
    sql: &'static str,
) -> Statement {
    Statement { area, about, table, columns, sql }
}

/// See the module.
pub(super) const STATEMENTS: &[Statement] = &[
    // Only the column `active` decides. Modules that store the others elsewhere
    // (`mail_environment`) remove them.
    on(
        "outgoing mail",
        "ir_mail_server",
        &["active"],
        "every server inactive except one whose host is `invalid`",
        "UPDATE ir_mail_server s SET active = false
         WHERE active IS DISTINCT FROM false AND coalesce(to_jsonb(s) ->> 'smtp_host', '') <> 'invalid'",
    ),
    // Code that names an archived server still sends through it, and a relay inside the company may
    // need no password.
    on(
        "outgoing mail",
        "ir_mail_server",
        &["smtp_host"],
        "the host of every server set to `invalid`",
        "UPDATE ir_mail_server SET smtp_host = 'invalid' WHERE smtp_host IS DISTINCT FROM 'invalid'",
    ),
    on(
        "outgoing mail",
        "mail_template",
        &["mail_server_id"],
        "templates without a server of their own",
        "UPDATE mail_template SET mail_server_id = NULL WHERE mail_server_id IS NOT NULL",
    ),
    on(
        "outgoing mail",
        "mail_mail",
        &["state"],
        "mails in the queue cancelled",
        "UPDATE mail_mail SET state = 'cancel' WHERE state = 'outgoing'",
    ),
    on(
        "outgoing mail",
        "mailing_mailing",
        &["state"],
        "mailings in the queue back to draft",
        "UPDATE mailing_mailing SET state = 'draft' WHERE state IN ('in_queue', 'sending')",
    ),
    on(
        "outgoing mail",
        "mail_mass_mailing",
        &["state"],
        "the same, before 13.0",
        "UPDATE mail_mass_mailing SET state = 'draft' WHERE state IN ('in_queue', 'sending')",
    ),
    on(
        "incoming mail",
        "fetchmail_server",
        &["active"],
        "every server inactive",
        "UPDATE fetchmail_server SET active = false WHERE active IS DISTINCT FROM false",
    ),
    on(
        "incoming mail",
        "fetchmail_server",
        &["state"],
        "every server unconfirmed",
        "UPDATE fetchmail_server SET state = 'draft' WHERE state IS DISTINCT FROM 'draft'",
    ),
    on(
        "SMS and letters",
        "sms_sms",
        &["state"],
        "messages in the queue cancelled",
        "UPDATE sms_sms SET state = 'canceled' WHERE state IN ('outgoing', 'process')",
    ),
    on(
        "SMS and letters",
        "snailmail_letter",
        &["state"],
        "letters in the queue cancelled",
        "UPDATE snailmail_letter SET state = 'canceled' WHERE state = 'pending'",
    ),
    on(
        "SMS and letters",
        "whatsapp_message",
        &["state"],
        "messages in the queue cancelled",
        "UPDATE whatsapp_message SET state = 'cancel' WHERE state = 'outgoing'",
    ),
    on(
        "SMS and letters",
        "social_post",
        &["state"],
        "scheduled posts back to draft",
        "UPDATE social_post SET state = 'draft' WHERE state IN ('scheduled', 'posting')",
    ),
    on(
        "scheduled actions",
        "ir_cron",
        &["active"],
        "all inactive except Odoo's own autovacuum",
        "UPDATE ir_cron SET active = false WHERE active IS DISTINCT FROM false AND id NOT IN (SELECT res_id FROM ir_model_data
         WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron' AND res_id IS NOT NULL)",
    ),
    on("scheduled actions", "ir_cron_trigger", &["cron_id"], "no run requested", "DELETE FROM ir_cron_trigger"),
    // The runner of the Odoo Community Association works on the queue of every database that it
    // sees, without a scheduled action.
    on(
        "scheduled actions",
        "queue_job",
        &["state"],
        "waiting jobs of `queue_job` set to failed",
        "UPDATE queue_job SET state = 'failed' WHERE state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
    ),
    on(
        "webhooks",
        "ir_act_server",
        &["webhook_url"],
        "addresses of server actions replaced",
        "UPDATE ir_act_server SET webhook_url = 'neutralization - disable webhook'
         WHERE webhook_url <> '' AND webhook_url <> 'neutralization - disable webhook'",
    ),
    on(
        "payments",
        "payment_provider",
        &["state"],
        "providers disabled, except those in test mode",
        "UPDATE payment_provider SET state = 'disabled' WHERE coalesce(state, '') NOT IN ('test', 'disabled')",
    ),
    on(
        "payments",
        "payment_provider",
        &["is_live"],
        "providers not live, in series with this column",
        "UPDATE payment_provider SET is_live = false WHERE is_live",
    ),
    on(
        "payments",
        "payment_acquirer",
        &["state"],
        "the same, 13.0 to 15.0",
        "UPDATE payment_acquirer SET state = 'disabled' WHERE coalesce(state, '') NOT IN ('test', 'disabled')",
    ),
    on(
        "payments",
        "payment_acquirer",
        &["environment"],
        "in the test environment, 12.0",
        "UPDATE payment_acquirer SET environment = 'test' WHERE environment <> 'test'",
    ),
    on(
        "payments",
        "payment_acquirer",
        &["website_published"],
        "not published, 12.0",
        "UPDATE payment_acquirer SET website_published = false WHERE website_published",
    ),
    on(
        "payments",
        "payment_token",
        &["active"],
        "saved cards inactive",
        "UPDATE payment_token SET active = false WHERE active IS DISTINCT FROM false",
    ),
    on(
        "payments",
        "pos_payment_method",
        &["adyen_test_mode"],
        "terminals in test mode",
        "UPDATE pos_payment_method SET adyen_test_mode = true WHERE adyen_test_mode IS DISTINCT FROM true",
    ),
    on(
        "deliveries",
        "delivery_carrier",
        &["active"],
        "carriers inactive, except those that only compute",
        "UPDATE delivery_carrier c SET active = false
         WHERE active AND coalesce(to_jsonb(c) ->> 'delivery_type', '') NOT IN ('fixed', 'base_on_rule')",
    ),
    on(
        "deliveries",
        "delivery_carrier",
        &["prod_environment"],
        "carriers in test mode",
        "UPDATE delivery_carrier SET prod_environment = false WHERE prod_environment",
    ),
    on(
        "calendars",
        "res_users",
        &["google_synchronization_stopped"],
        "no synchronization with Google",
        "UPDATE res_users SET google_synchronization_stopped = true WHERE google_synchronization_stopped IS DISTINCT FROM true",
    ),
    on(
        "calendars",
        "res_users",
        &["microsoft_synchronization_stopped"],
        "no synchronization with Microsoft",
        "UPDATE res_users SET microsoft_synchronization_stopped = true
         WHERE microsoft_synchronization_stopped IS DISTINCT FROM true",
    ),
    on(
        "calendars",
        "res_users_settings",
        &["google_synchronization_stopped"],
        "the same, where it is a setting",
        "UPDATE res_users_settings SET google_synchronization_stopped = true
         WHERE google_synchronization_stopped IS DISTINCT FROM true",
    ),
    on(
        "calendars",
        "res_users_settings",
        &["microsoft_synchronization_stopped"],
        "the same, where it is a setting",
        "UPDATE res_users_settings SET microsoft_synchronization_stopped = true
         WHERE microsoft_synchronization_stopped IS DISTINCT FROM true",
    ),
    // As in Odoo, but without the original's token in front: removing the ending must not restore
    // it. The column has room for 43 characters.
    on(
        "services of Odoo S.A.",
        "iap_account",
        &["account_token"],
        "accounts with invalid tokens",
        "UPDATE iap_account SET account_token = md5(random()::text || id) || '+disabled' WHERE account_token <> ''",
    ),
    on(
        "services of Odoo S.A.",
        "iap_account_info",
        &["account_token"],
        "the wizard's copies of them removed",
        "UPDATE iap_account_info SET account_token = '' WHERE account_token <> ''",
    ),
    on(
        "services of Odoo S.A.",
        "ir_config_parameter",
        &["key", "value"],
        "telephony (`voip.mode`) in its demonstration mode",
        "UPDATE ir_config_parameter SET value = 'demo' WHERE key = 'voip.mode' AND value <> 'demo'",
    ),
    on(
        "push notifications",
        "ir_config_parameter",
        &["key", "value"],
        "the keys that they are signed with removed",
        "DELETE FROM ir_config_parameter WHERE key LIKE 'mail.web\\_push\\_vapid%' OR key IN ('ocn.uuid', 'odoo_ocn.project_id')",
    ),
    on("push notifications", "mail_push", &["id"], "the queue emptied (18.0 and later)", "DELETE FROM mail_push"),
    on(
        "push notifications",
        "mail_push_device",
        &["id"],
        "registered browsers removed (18.0 and later)",
        "DELETE FROM mail_push_device",
    ),
    on(
        "push notifications",
        "mail_notification_web_push",
        &["id"],
        "the queue emptied (17.0)",
        "DELETE FROM mail_notification_web_push",
    ),
    on(
        "push notifications",
        "mail_partner_device",
        &["id"],
        "registered browsers removed (17.0)",
        "DELETE FROM mail_partner_device",
    ),
    on(
        "e-invoicing",
        "account_edi_proxy_client_user",
        &["active"],
        "users of Odoo's proxy inactive",
        "UPDATE account_edi_proxy_client_user SET active = false WHERE active",
    ),
    on(
        "e-invoicing",
        "ir_config_parameter",
        &["key", "value"],
        "modes of the proxy and of Peppol from `prod` to `test`",
        "UPDATE ir_config_parameter SET value = 'test' WHERE key ~ '(edi[._]mode|edi_proxy_mode|edi_proxy_client\\.demo)$' AND value = 'prod'",
    ),
    on(
        "sign-in by others",
        "auth_oauth_provider",
        &["enabled"],
        "providers disabled, except those of `auth_oauth.dont_neutralize_providers`",
        "UPDATE auth_oauth_provider SET enabled = false WHERE enabled AND id::text NOT IN (
             SELECT regexp_split_to_table(translate(value, '[] ', ''), ',') FROM ir_config_parameter
             WHERE key = 'auth_oauth.dont_neutralize_providers')",
    ),
    on(
        "social media and shops",
        "social_account",
        &["is_media_disconnected"],
        "accounts disconnected",
        "UPDATE social_account SET is_media_disconnected = true WHERE is_media_disconnected IS DISTINCT FROM true",
    ),
    on(
        "social media and shops",
        "amazon_account",
        &["active"],
        "accounts inactive",
        "UPDATE amazon_account SET active = false WHERE active",
    ),
    // With them a copy would write to the original's bucket, and delete from it.
    on(
        "files elsewhere",
        "ir_config_parameter",
        &["key", "value"],
        "`cloud_storage_provider` removed",
        "DELETE FROM ir_config_parameter WHERE key = 'cloud_storage_provider'",
    ),
    // Fields that have a value for each company, until 17.0.
    on(
        "credentials",
        "ir_property",
        &["name", "value_text"],
        "credentials that differ from company to company",
        "UPDATE ir_property SET value_text = NULL
         WHERE name ~ '(password|passwd|secret|api_?key|private_?key|refresh_token)$' AND value_text <> ''",
    ),
    on("websites", "website", &["domain"], "no domain", "UPDATE website SET domain = NULL WHERE domain IS NOT NULL"),
    on(
        "websites",
        "website",
        &["cdn_activated"],
        "no content delivery network",
        "UPDATE website SET cdn_activated = false WHERE cdn_activated",
    ),
    on(
        "websites",
        "website",
        &["robots_txt"],
        "search engines excluded",
        "UPDATE website SET robots_txt = E'User-agent: *\\nDisallow: /'",
    ),
    on(
        "websites",
        "website",
        &["google_analytics_key"],
        "visits not counted as the original's",
        "UPDATE website SET google_analytics_key = NULL WHERE google_analytics_key IS NOT NULL",
    ),
    on(
        "websites",
        "website",
        &["plausible_shared_key"],
        "the same for Plausible",
        "UPDATE website SET plausible_shared_key = NULL WHERE plausible_shared_key IS NOT NULL",
    ),
    on(
        "banner",
        "ir_ui_view",
        &["key", "active"],
        "`web.neutralize_banner` and `website.neutralize_ribbon` shown (16.0 and later)",
        "UPDATE ir_ui_view SET active = true WHERE key IN ('web.neutralize_banner', 'website.neutralize_ribbon') AND NOT active",
    ),
];

/// A mail server that leads nowhere: without an active one Odoo sends through that of its command
/// line or odoo.conf.
pub(super) const DUMMY: Statement = on(
    "outgoing mail",
    "ir_mail_server",
    &["active", "smtp_host"],
    "a dummy server where none is active, so that Odoo does not use that of its command line",
    // The required columns differ between series.
    "",
);

/// One thing that must be true of a neutral database.
#[derive(Debug)]
pub(super) struct Check {
    /// What must not exist, in the report's words.
    pub(super) none: &'static str,
    pub(super) table: &'static str,
    /// The columns that the check needs. If they are missing it does not apply, except for
    /// [`ESSENTIAL`].
    pub(super) columns: &'static [&'static str],
    /// Selects one column of text: the violations.
    pub(super) sql: &'static str,
}

const fn none_of(
    none: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    sql: &'static str,
) -> Check {
    Check { none, table, columns, sql }
}

/// Columns that the table has in every series: a database without them is not understood. The
/// tables of every Odoo database come with `true`.
pub(super) const ESSENTIAL: &[(&str, &str, bool)] =
    &[("ir_cron", "active", true), ("ir_mail_server", "active", true), ("fetchmail_server", "active", false)];

/// Checked after everything else, including the operator's own SQL. Several may have the same name:
/// the series differ in where a thing is.
pub(super) const CHECKS: &[Check] = &[
    none_of(
        "active mail server except the dummy",
        "ir_mail_server",
        &["active"],
        "SELECT coalesce(to_jsonb(s) ->> 'name', 'mail server ' || id) || ' (' || coalesce(to_jsonb(s) ->> 'smtp_host', 'no host') || ')' FROM ir_mail_server s
         WHERE active IS DISTINCT FROM false AND coalesce(to_jsonb(s) ->> 'smtp_host', '') <> 'invalid'",
    ),
    none_of(
        "active incoming mail server",
        "fetchmail_server",
        &["active"],
        "SELECT coalesce(to_jsonb(s) ->> 'name', 'server ' || id) FROM fetchmail_server s WHERE active IS DISTINCT FROM false",
    ),
    none_of(
        "template with a mail server of its own",
        "mail_template",
        &["mail_server_id"],
        "SELECT 'template ' || id FROM mail_template WHERE mail_server_id IS NOT NULL",
    ),
    none_of(
        "waiting mail or job",
        "mail_mail",
        &["state"],
        "SELECT 'mail ' || id FROM mail_mail WHERE state = 'outgoing'",
    ),
    none_of(
        "waiting mail or job",
        "sms_sms",
        &["state"],
        "SELECT 'SMS ' || id FROM sms_sms WHERE state IN ('outgoing', 'process')",
    ),
    none_of(
        "waiting mail or job",
        "queue_job",
        &["state"],
        "SELECT 'job ' || id FROM queue_job WHERE state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
    ),
    none_of(
        "active scheduled action except autovacuum",
        "ir_cron",
        &["active"],
        "SELECT 'scheduled action ' || id FROM ir_cron WHERE active IS DISTINCT FROM false AND id NOT IN (SELECT res_id FROM ir_model_data
         WHERE module = 'base' AND name = 'autovacuum_job' AND model = 'ir.cron' AND res_id IS NOT NULL)",
    ),
    none_of(
        "enabled payment provider",
        "payment_provider",
        &["state"],
        "SELECT coalesce(to_jsonb(p) ->> 'code', 'provider') || ' ' || id FROM payment_provider p WHERE coalesce(state, '') NOT IN ('test', 'disabled')",
    ),
    none_of(
        "enabled payment provider",
        "payment_provider",
        &["is_live"],
        "SELECT coalesce(to_jsonb(p) ->> 'code', 'provider') || ' ' || id FROM payment_provider p WHERE is_live",
    ),
    none_of(
        "enabled payment provider",
        "payment_acquirer",
        &["state"],
        "SELECT coalesce(to_jsonb(p) ->> 'provider', 'provider') || ' ' || id FROM payment_acquirer p WHERE coalesce(state, '') NOT IN ('test', 'disabled')",
    ),
    none_of(
        "enabled payment provider",
        "payment_acquirer",
        &["environment"],
        "SELECT coalesce(to_jsonb(p) ->> 'provider', 'provider') || ' ' || id FROM payment_acquirer p WHERE environment <> 'test'",
    ),
    none_of(
        "webhook",
        "ir_act_server",
        &["webhook_url"],
        "SELECT 'server action ' || id FROM ir_act_server WHERE webhook_url ~* '^\\s*[a-z][a-z0-9+.-]*://'",
    ),
    none_of(
        "carrier in production",
        "delivery_carrier",
        &["active"],
        "SELECT coalesce(to_jsonb(c) ->> 'delivery_type', 'carrier') || ' ' || id FROM delivery_carrier c
         WHERE active AND coalesce(to_jsonb(c) ->> 'delivery_type', '') NOT IN ('fixed', 'base_on_rule')",
    ),
    none_of(
        "carrier in production",
        "delivery_carrier",
        &["prod_environment"],
        "SELECT coalesce(to_jsonb(c) ->> 'delivery_type', 'carrier') || ' ' || id FROM delivery_carrier c WHERE prod_environment",
    ),
    none_of(
        "user of an e-invoicing proxy in production",
        "account_edi_proxy_client_user",
        &["active"],
        "SELECT 'user ' || id FROM account_edi_proxy_client_user u WHERE active AND coalesce(to_jsonb(u) ->> 'edi_mode', 'prod') = 'prod'",
    ),
    none_of("browser registered for push", "mail_push_device", &["id"], "SELECT 'device ' || id FROM mail_push_device"),
    none_of(
        "browser registered for push",
        "mail_partner_device",
        &["id"],
        "SELECT 'device ' || id FROM mail_partner_device",
    ),
    none_of(
        "usable token of Odoo's paid services",
        "iap_account",
        &["account_token"],
        "SELECT 'account ' || id FROM iap_account WHERE account_token <> '' AND account_token NOT LIKE '%+disabled'",
    ),
];
