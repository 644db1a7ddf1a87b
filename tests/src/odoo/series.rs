//! The differences between the series 12.0 to 19.0 in the tables that neutralization and
//! anonymization change: a small database of each series, with live data in every table. Names and
//! types are Odoo's own.

/// All series, oldest first.
pub const ALL: [&str; 8] = ["12.0", "13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0"];

/// `database.uuid` of such a database.
pub const UUID: &str = "0d6f0e4c-7b7f-11ee-9c2f-0242ac120002";

/// Returns the SQL that creates a small database of this series: about twenty tables with a few
/// rows each, all of them live.
pub fn small_database(series: &str) -> String {
    let major: u32 = series.split('.').next().and_then(|major| major.parse().ok()).expect("a series");
    let from = |first: u32, text: &str| if major >= first { text.to_owned() } else { String::new() };
    let until = |last: u32, text: &str| if major <= last { text.to_owned() } else { String::new() };
    let audit = "create_uid integer, create_date timestamp, write_uid integer, write_date timestamp";
    // Translated fields became JSON in 16.0, company-dependent ones in 18.0.
    let translated = if major >= 16 { "jsonb" } else { "varchar" };
    let name = |text: &str| if major >= 16 { format!("'{{\"en_US\": \"{text}\"}}'") } else { format!("'{text}'") };
    let mut sql = format!(
        "CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar, latest_version varchar);
         INSERT INTO ir_module_module (name, state, latest_version) VALUES
             ('base', 'installed', '{series}.1.3'), ('mail', 'installed', '{series}.1.0'), ('payment', 'to upgrade', '{series}.1.0'),
             ('delivery', 'to remove', '{series}.1.0'), ('sale', 'uninstalled', NULL);
         CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL{typed}, {audit});
         INSERT INTO ir_config_parameter (key, value{typed_key}) SELECT key, value{typed_value} FROM (VALUES
             ('database.uuid', '{UUID}'), ('database.secret', 'b7a1c6d0-7b7f-11ee-9c2f-0242ac120002'),
             ('web.base.url', 'https://erp.example.com'), ('web.base.url.freeze', 'True'), ('report.url', 'http://10.0.0.7:8069'),
             ('auth_signup.reset_password', 'True'), ('auth_password_policy.minlength', '8'),
             ('mail.catchall.domain', 'example.com'), ('google_calendar_client_secret', 'GOCSPX-0123456789'),
             ('shop.api_key', 'live_0123456789abcdef'), ('mail.web_push_vapid_private_key', 'MHcCAQEE'),
             ('account_edi_proxy_client.demo', 'prod'), ('cloud_storage_provider', 'azure')) AS parameter (key, value);
         CREATE TABLE ir_model_data (id serial PRIMARY KEY, name varchar, module varchar, model varchar, res_id integer);
         INSERT INTO ir_model_data (name, module, model, res_id) VALUES
             ('autovacuum_job', 'base', 'ir.cron', 1), ('user_admin', 'base', 'res.users', 2), ('ir_cron_mail', 'mail', 'ir.cron', 2);
         CREATE TABLE ir_cron (id serial PRIMARY KEY, cron_name varchar, active boolean, nextcall timestamp, {audit});
         INSERT INTO ir_cron (cron_name, active, nextcall) VALUES ('Autovacuum', true, now()), ('Mail queue', true, now()),
             ('Off', false, now());
         CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar NOT NULL, smtp_host varchar NOT NULL, smtp_port integer NOT NULL,
             smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL, smtp_debug boolean, sequence integer,
             active boolean{smtp_authentication}, {audit});
         INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_user, smtp_pass, smtp_encryption, active{smtp_authentication_key})
         VALUES ('Relay', 'smtp.example.com', 587, 'odoo@example.com', 'smtp-secret', 'starttls', true{login}),
                ('Archived', 'relay.internal', 25, NULL, NULL, 'none', false{login});
         CREATE TABLE fetchmail_server (id serial PRIMARY KEY, name varchar NOT NULL, active boolean, state varchar, server varchar,
             port integer, \"user\" varchar, password varchar, {audit});
         INSERT INTO fetchmail_server (name, active, state, server, port, \"user\", password)
         VALUES ('Info', true, 'done', 'imap.example.com', 993, 'info@example.com', 'imap-secret');
         CREATE TABLE ir_act_server (id serial PRIMARY KEY, name {translated} NOT NULL, state varchar NOT NULL{webhook_url}, {audit});
         INSERT INTO ir_act_server (name, state) VALUES ({action_name}, 'code');
         CREATE TABLE mail_template (id serial PRIMARY KEY, name {translated}, mail_server_id integer, {audit});
         INSERT INTO mail_template (name, mail_server_id) VALUES ({template_name}, 1);
         CREATE TABLE mail_message (id serial PRIMARY KEY, subject varchar, body text, email_from varchar, reply_to varchar,
             record_name varchar, author_id integer, model varchar, res_id integer, message_id varchar, message_type varchar, {audit});
         INSERT INTO mail_message (subject, body, email_from, reply_to, record_name, author_id, model, res_id, message_id, message_type) VALUES
             ('Your invoice', '<p>Dear Anna Berger, you owe us 4200.</p>', '\"Anna Berger\" <anna.berger@customer.example>',
              'anna.berger@customer.example', 'Anna Berger', 7, 'res.partner', 7, '<1@erp.example.com>', 'email'),
             (NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'notification');
         CREATE TABLE mail_mail (id serial PRIMARY KEY, mail_message_id integer NOT NULL, body_html text, email_to text, email_cc varchar,
             state varchar, headers text, \"references\" text, failure_reason text, {audit});
         INSERT INTO mail_mail (mail_message_id, body_html, email_to, state)
         VALUES (1, '<p>Dear Anna Berger</p>', 'anna.berger@customer.example', 'outgoing');
         CREATE TABLE mail_tracking_value (id serial PRIMARY KEY, field_desc varchar, old_value_char varchar, new_value_char varchar,
             old_value_text text, new_value_text text, old_value_integer integer, {audit});
         INSERT INTO mail_tracking_value (field_desc, old_value_char, new_value_char) VALUES ('Name', 'Anna Berger', 'Anna Berger-Klein');",
        typed = from(19, ", type varchar NOT NULL"),
        typed_key = from(19, ", type"),
        typed_value = from(19, ", 'str'"),
        smtp_authentication = from(15, ", smtp_authentication varchar NOT NULL"),
        smtp_authentication_key = from(15, ", smtp_authentication"),
        login = from(15, ", 'login'"),
        webhook_url = from(17, ", webhook_url varchar"),
        action_name = name("Tell the warehouse"),
        template_name = name("Invoice"),
    );
    sql += &from(
        15,
        "CREATE TABLE ir_cron_trigger (id serial PRIMARY KEY, cron_id integer, call_at timestamp);
         INSERT INTO ir_cron_trigger (cron_id, call_at) VALUES (2, now());",
    );
    sql += &from(16, "CREATE TABLE ir_ui_view (id serial PRIMARY KEY, key varchar, active boolean, visibility_password varchar);
         INSERT INTO ir_ui_view (key, active, visibility_password) VALUES ('web.neutralize_banner', false, NULL), ('website.page', true, 'hashed');");
    sql += &from(
        17,
        "INSERT INTO ir_act_server (name, state, webhook_url)
         VALUES ('{\"en_US\": \"Tell\"}', 'webhook', 'https://hooks.example.com/orders/4f1e');",
    );
    sql += &match major {
        12 => payments(
            "payment_acquirer",
            "provider varchar, environment varchar, website_published boolean",
            "'stripe', 'prod', true",
        ),
        13..=15 => payments("payment_acquirer", "provider varchar, state varchar", "'stripe', 'enabled'"),
        _ => payments("payment_provider", "code varchar, state varchar", "'stripe', 'enabled'"),
    };
    sql += &format!(
        "CREATE TABLE delivery_carrier (id serial PRIMARY KEY, name {translated}, active boolean, delivery_type varchar, prod_environment boolean,
             ups_passwd varchar);
         INSERT INTO delivery_carrier (active, delivery_type, prod_environment, ups_passwd)
         VALUES (true, 'fixed', false, NULL), (true, 'ups', true, 'ups-secret');
         CREATE TABLE iap_account (id serial PRIMARY KEY, service_name varchar, account_token varchar(43));
         INSERT INTO iap_account (service_name, account_token) VALUES ('sms', '5a9d4cf0c9e84b6b8b7a6f5e4d3c2b1a');
         CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL UNIQUE, email varchar, phone varchar,
             l10n_xx_edi_test_env boolean, l10n_eg_production_env boolean, l10n_sa_api_mode varchar, l10n_mx_edi_pac_password varchar);
         INSERT INTO res_company (name, email, phone, l10n_eg_production_env, l10n_sa_api_mode, l10n_mx_edi_pac_password)
         VALUES ('Müller & Söhne', 'info@mueller.example', '+49 30 5550100', true, 'prod', 'pac-secret');
         CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, active boolean, partner_id integer,
             signature text, company_id integer{totp}{google_users}, oauth_access_token varchar, {audit});
         INSERT INTO res_users (login, password, active, partner_id, signature) VALUES
             ('__system__', NULL, false, 2, NULL), ('admin', '$pbkdf2-sha512$25000$c2FsdA$aGFzaA', true, 3, '<p>Mitchell</p>'),
             ('anna.berger@customer.example', 'x', true, 7, '<p>--<br>Anna Berger</p>'), ('o''brien', 'x', true, 8, NULL);
         UPDATE res_users SET oauth_access_token = 'ya29.secret' WHERE login = 'admin';
         CREATE TABLE queue_job (id serial PRIMARY KEY, state varchar);
         INSERT INTO queue_job (state) VALUES ('pending'), ('done');",
        totp = from(14, ", totp_secret varchar"),
        google_users = until(15, ", google_calendar_rtoken varchar"),
    );
    sql += &from(14, "UPDATE res_users SET totp_secret = 'JBSWY3DPEHPK3PXP' WHERE login = 'admin';");
    sql += &until(15, "UPDATE res_users SET google_calendar_rtoken = '1//secret' WHERE login = 'admin';");
    sql += &from(
        16,
        "CREATE TABLE res_users_settings (id serial PRIMARY KEY, user_id integer, google_calendar_rtoken varchar,
             google_synchronization_stopped boolean);
         INSERT INTO res_users_settings (user_id, google_calendar_rtoken) VALUES (2, '1//secret');",
    );
    sql += &match major {
        17 => push_devices("mail_partner_device"),
        18.. => push_devices("mail_push_device"),
        _ => String::new(),
    };
    sql += &partners(major, audit);
    sql
}

fn payments(table: &str, columns: &str, values: &str) -> String {
    format!(
        "CREATE TABLE {table} (id serial PRIMARY KEY, {columns}, stripe_secret_key varchar, stripe_publishable_key varchar, stripe_webhook_secret varchar);
         INSERT INTO {table} VALUES (DEFAULT, {values}, 'sk_live_secret', 'pk_live_1', 'whsec_1');"
    )
}

fn push_devices(table: &str) -> String {
    format!(
        "CREATE TABLE {table} (id serial PRIMARY KEY, endpoint varchar); INSERT INTO {table} (endpoint) VALUES ('https://push.example.com/1');"
    )
}

/// Returns people, with the columns that Odoo computes from their names.
fn partners(major: u32, audit: &str) -> String {
    let mobile = if major <= 18 { "mobile varchar," } else { "" };
    // `display_name` was stored until 16.0, `complete_name` is stored since 17.0.
    let (full, full_type) = if major <= 16 {
        ("display_name", "display_name varchar,")
    } else {
        ("complete_name", "complete_name varchar,")
    };
    let mobile_key = if major <= 18 { ", mobile" } else { "" };
    let mobile_value = |text: &str| if major <= 18 { format!(", {text}") } else { String::new() };
    format!(
        "CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, {full_type} parent_id integer, email varchar, email_normalized varchar,
             phone varchar, {mobile} phone_sanitized varchar, street varchar, street2 varchar, zip varchar, city varchar, vat varchar,
             website varchar, comment text, is_company boolean, active boolean, type varchar, signup_token varchar, {audit});
         INSERT INTO res_partner (id, name, {full}, parent_id, email, email_normalized, phone{mobile_key}, street, zip, city, vat, comment, is_company, type) VALUES
             (1, 'Müller & Söhne', 'Müller & Söhne', NULL, 'info@mueller.example', 'info@mueller.example', '+49 30 5550100'{none}, 'Hauptstr. 1', '10115', 'Berlin', 'DE123456788', NULL, true, 'contact'),
             (2, 'OdooBot', 'OdooBot', NULL, NULL, NULL, NULL{none}, NULL, NULL, NULL, NULL, NULL, false, 'contact'),
             (3, 'Mitchell Admin', 'Müller & Söhne, Mitchell Admin', 1, 'mitchell@mueller.example', 'mitchell@mueller.example', NULL{none}, NULL, NULL, NULL, NULL, NULL, false, 'contact'),
             (7, 'Anna Berger', 'Berger GmbH, Anna Berger', 8, 'Anna.Berger@customer.example', 'anna.berger@customer.example', '+49 170 1234567'{mobile_number}, 'Gartenweg 4', '80331', 'München', 'DE987654321', '<p>Her son is ill.</p>', false, 'contact'),
             (8, 'Berger GmbH', 'Berger GmbH', NULL, '', NULL, ''{none}, NULL, NULL, NULL, 'DE987654321', NULL, true, 'contact'),
             (9, NULL, 'Berger GmbH', 8, NULL, NULL, NULL{none}, 'Lager 2', NULL, NULL, NULL, NULL, false, 'delivery');
         SELECT setval('res_partner_id_seq', 100);
         CREATE TABLE res_partner_bank (id serial PRIMARY KEY, acc_number varchar NOT NULL, sanitized_acc_number varchar, acc_holder_name varchar,
             partner_id integer NOT NULL, UNIQUE (sanitized_acc_number, partner_id));
         INSERT INTO res_partner_bank (acc_number, sanitized_acc_number, acc_holder_name, partner_id) VALUES
             ('DE89 3704 0044 0532 0130 00', 'DE89370400440532013000', 'Anna Berger', 7), ('BE71 0961 2345 6769', 'BE71096123456769', NULL, 8);
         CREATE TABLE ir_attachment (id serial PRIMARY KEY, name varchar NOT NULL, res_model varchar, res_field varchar, res_id integer, type varchar NOT NULL,
             url varchar(1024), db_datas bytea, store_fname varchar, file_size integer, checksum varchar(40), mimetype varchar, index_content text, {audit});",
        none = mobile_value("NULL"),
        mobile_number = mobile_value("'0170 7654321'"),
    )
}
