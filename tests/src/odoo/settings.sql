-- The rows that are the same in every database of this shape. {SERIES}, {UUID}, {SECRET} are filled in.

INSERT INTO res_company (id, name, partner_id, currency_id, sequence, parent_path, email, phone, logo_web, report_header,
    company_details, active, fiscalyear_last_day, fiscalyear_last_month, account_opening_date, create_uid, create_date)
VALUES
    (1, 'Ferronnerie Lefèvre & Fils', 1, 1, 10, '1/', 'info@lefevre.example', '+32 2 555 01 00',
     decode('89504e470d0a1a0a0000000d49484452', 'hex'), '{"en_US": "<p>Iron since 1893</p>", "fr_FR": "<p>Le fer depuis 1893</p>"}',
     '{"en_US": "<p>Rue du Marché 7<br>5000 Namur</p>"}', true, 31, '12', '2023-01-01', 1, '2023-11-01 08:00:00.123456'),
    (2, 'Lefèvre Deutschland GmbH', 5, 1, 20, '1/2/', NULL, NULL, NULL, NULL, NULL, true, 31, '12', '2024-01-01', 1,
     '2024-01-15 09:30:00');
UPDATE res_company SET parent_id = 1 WHERE id = 2;

INSERT INTO res_partner (id, name, complete_name, type, email, is_company, active, company_id, commercial_partner_id, lang, tz)
VALUES
    (1, 'Ferronnerie Lefèvre & Fils', 'Ferronnerie Lefèvre & Fils', 'contact', 'info@lefevre.example', true, true, 1, 1, 'fr_FR', NULL),
    (2, 'OdooBot', 'OdooBot', 'contact', 'odoobot@example.com', false, false, 1, 2, 'en_US', NULL),
    (3, 'Administrator', 'Ferronnerie Lefèvre & Fils, Administrator', 'contact', 'admin@lefevre.example', false, true, 1, 1, 'fr_FR',
     'Europe/Brussels'),
    (4, 'Public user', 'Public user', 'contact', NULL, false, false, 1, 4, 'en_US', NULL),
    (5, 'Lefèvre Deutschland GmbH', 'Lefèvre Deutschland GmbH', 'contact', NULL, true, true, NULL, 5, 'de_DE', NULL),
    (6, 'Portal User Template', 'Portal User Template', 'contact', NULL, false, false, 1, 6, 'en_US', NULL);

INSERT INTO res_users (id, company_id, partner_id, active, login, password, signature, share, totp_secret, notification_type, create_uid)
VALUES
    (1, 1, 2, false, '__system__', NULL, '<p>--<br>System</p>', false, NULL, 'email', 1),
    (2, 1, 3, true, 'admin', '$pbkdf2-sha512$600000$c2FsdHNhbHRzYWx0$bm90IGEgcmVhbCBoYXNo', '<p>--<br>Administrator</p>', false,
     'JBSWY3DPEHPK3PXP', 'inbox', 1),
    (3, 1, 4, false, 'public', '', NULL, true, NULL, 'email', 1),
    (4, 1, 6, false, 'portaltemplate', NULL, NULL, true, NULL, 'email', 1);

INSERT INTO ir_module_module (name, author, state, latest_version, shortdesc, summary, application, demo, web, license, auto_install)
SELECT name, 'Odoo S.A.', 'installed', '{SERIES}.' || version,
       jsonb_build_object('en_US', initcap(replace(name, '_', ' '))), '{"en_US": ""}', name IN ('account', 'sale', 'mail'), false, name LIKE 'web%',
       'LGPL-3', name LIKE '%\_%'
FROM (VALUES ('base', '1.3'), ('web', '1.0'), ('bus', '1.0'), ('mail', '1.15'), ('fetchmail', '1.0'), ('auth_totp', '1.0'), ('iap', '1.1'),
      ('product', '1.2'), ('payment', '2.0'), ('account', '1.2'), ('account_payment', '2.0'), ('sale', '1.2'), ('portal', '1.0'),
      ('phone_validation', '2.1'), ('sms', '3.0'), ('google_gmail', '1.2')) AS module (name, version);
INSERT INTO ir_module_module (name, author, state, latest_version, shortdesc, summary, license)
SELECT 'l10n_' || country, 'Odoo S.A.', 'uninstalled', NULL, jsonb_build_object('en_US', upper(country) || ' - Accounting'), NULL, 'LGPL-3'
FROM unnest(ARRAY['be', 'de', 'fr', 'mx', 'nl', 'pl', 'us']) AS country;

INSERT INTO ir_config_parameter (key, value, create_uid, create_date) VALUES
    ('database.uuid', '{UUID}', 1, '2023-11-01 08:00:00'),
    ('database.secret', '{SECRET}', 1, '2023-11-01 08:00:00'),
    ('database.create_date', '2023-11-01 08:00:00', 1, '2023-11-01 08:00:00'),
    ('web.base.url', 'https://odoo.lefevre.example', 2, '2023-11-01 08:05:00'),
    ('mail.default.from', 'notifications', 2, '2023-11-01 08:05:00'),
    ('report.url', 'http://127.0.0.1:8069', 2, '2023-11-01 08:05:00');

INSERT INTO ir_sequence (name, code, implementation, prefix, suffix, number_next, number_increment, padding, company_id, active, use_date_range)
VALUES ('Sales Order', 'sale.order', 'standard', 'S', NULL, 1, 1, 5, NULL, true, false),
       ('Payment', 'account.payment', 'standard', 'PAY/%(year)s/', NULL, 1, 1, 4, 1, true, false),
       ('Batch', 'stock.lot.serial', 'no_gap', NULL, '/%(y)s', 1077, 1, 7, 1, true, false);

INSERT INTO ir_act_server (type, binding_type, name, usage, state, model_name, code, webhook_url, sequence)
VALUES ('ir.actions.server', 'action', '{"en_US": "Base: Auto-vacuum internal data"}', 'ir_cron', 'code', 'ir.autovacuum',
        'model._run_vacuum_cleaner()', NULL, 5),
       ('ir.actions.server', 'action', '{"en_US": "Mail: Email Queue Manager"}', 'ir_cron', 'code', 'mail.mail',
        'model.process_email_queue()', NULL, 5),
       ('ir.actions.server', 'action', '{"en_US": "Mail: Fetchmail Service"}', 'ir_cron', 'code', 'fetchmail.server',
        'model._fetch_mails()', NULL, 5),
       ('ir.actions.server', 'action', '{"en_US": "Tell the warehouse", "fr_FR": "Prévenir l''entrepôt"}', 'ir_actions_server', 'webhook',
        'sale.order', NULL, 'https://hooks.example.com/orders/4f1e', 10);

INSERT INTO ir_cron (ir_actions_server_id, user_id, cron_name, interval_number, interval_type, numbercall, priority, active, doall, nextcall,
    lastcall)
VALUES (1, 1, 'Base: Auto-vacuum internal data', 1, 'days', -1, 3, true, false, '2026-11-02 03:00:00', '2026-11-01 03:00:00.5'),
       (2, 1, 'Mail: Email Queue Manager', 1, 'hours', -1, 6, true, false, '2026-11-01 12:00:00', '2026-11-01 11:00:00'),
       (3, 1, 'Mail: Fetchmail Service', 5, 'minutes', -1, 5, true, false, '2026-11-01 11:35:00', NULL);

INSERT INTO ir_model_data (name, module, model, res_id, noupdate)
VALUES ('main_company', 'base', 'res.company', 1, true), ('main_partner', 'base', 'res.partner', 1, true),
       ('user_root', 'base', 'res.users', 1, true), ('user_admin', 'base', 'res.users', 2, true),
       ('public_user', 'base', 'res.users', 3, true), ('autovacuum_job', 'base', 'ir.cron', 1, true),
       ('ir_cron_mail_scheduler_action', 'mail', 'ir.cron', 2, true), ('ir_cron_mail_gateway_action', 'mail', 'ir.cron', 3, true);
INSERT INTO ir_model_data (name, module, model, res_id, noupdate)
SELECT 'module_' || name, 'base', 'ir.module.module', id, true FROM ir_module_module;

INSERT INTO ir_mail_server (name, from_filter, smtp_host, smtp_port, smtp_authentication, smtp_user, smtp_pass, smtp_encryption, smtp_debug,
    sequence, active)
VALUES ('Outgoing', 'lefevre.example', 'smtp.lefevre.example', 587, 'login', 'odoo@lefevre.example', 'smtp-secret', 'starttls', false, 10, true),
       ('Newsletter', NULL, 'smtp.bulk.example', 465, 'login', 'lefevre', 'bulk-secret', 'ssl', false, 20, true);

INSERT INTO fetchmail_server (name, active, state, server, port, server_type, is_ssl, attach, original, "user", password, priority, date)
VALUES ('Info', true, 'done', 'imap.lefevre.example', 993, 'imap', true, true, false, 'info@lefevre.example', 'imap-secret', 5,
        '2026-11-01 11:30:00');

INSERT INTO mail_template (model, mail_server_id, name, subject, body_html, email_from, lang, active)
VALUES ('account.move', 1, '{"en_US": "Invoice: Sending", "fr_FR": "Facture : envoi"}', '{"en_US": "{{ object.company_id.name }} Invoice"}',
        '{"en_US": "<div><p>Dear <t t-out=\"object.partner_id.name\"/>,</p></div>"}', '{{ user.email_formatted }}', '{{ object.partner_id.lang }}', true);

INSERT INTO iap_account (name, service_name, account_token, show_token)
VALUES ('SMS', 'sms', '5a9d4cf0c9e84b6b8b7a6f5e4d3c2b1a', false);

INSERT INTO payment_provider (company_id, sequence, code, state, module_state, name, pre_msg, is_published, maximum_amount, allow_tokenization)
VALUES (1, 1, 'stripe', 'enabled', 'installed', '{"en_US": "Stripe"}', NULL, true, 5000.00, true),
       (1, 2, 'paypal', 'test', 'installed', '{"en_US": "PayPal"}', '{"en_US": "<p>You will be redirected.</p>"}', true, NULL, false),
       (1, 3, 'adyen', 'disabled', 'uninstalled', '{"en_US": "Adyen"}', NULL, false, NULL, false),
       (2, 4, 'custom', 'enabled', 'installed', '{"en_US": "Wire Transfer"}', NULL, true, NULL, false);
