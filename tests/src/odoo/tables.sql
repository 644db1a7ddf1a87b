-- The tables of an Odoo 17.0 database that a backup, a restore or a neutralization uses, with Odoo's
-- own names and types. They are created as by Odoo's ORM: serial ids, varchar without a length, jsonb
-- for translated fields, timestamps without a zone.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE res_company (
    id serial PRIMARY KEY, name varchar NOT NULL, partner_id integer NOT NULL, currency_id integer NOT NULL,
    sequence integer, parent_path varchar, parent_id integer, email varchar, phone varchar, logo_web bytea,
    report_header jsonb, company_details jsonb, invoice_terms_html jsonb, active boolean,
    fiscalyear_last_day integer NOT NULL, fiscalyear_last_month varchar NOT NULL, account_opening_date date NOT NULL,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE res_partner (
    id serial PRIMARY KEY, company_id integer, name varchar, parent_id integer, user_id integer, color integer,
    commercial_partner_id integer, complete_name varchar, ref varchar, lang varchar, tz varchar, vat varchar,
    website varchar, function varchar, type varchar, street varchar, street2 varchar, zip varchar, city varchar,
    email varchar, email_normalized varchar, phone varchar, mobile varchar, date date, comment text,
    partner_latitude numeric, partner_longitude numeric, debit_limit numeric, active boolean, is_company boolean,
    partner_share boolean, message_bounce integer, signup_token varchar, supplier_rank integer, customer_rank integer,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp,
    CONSTRAINT res_partner_check_name CHECK (
        (type::text = 'contact'::text AND name IS NOT NULL) OR type::text <> 'contact'::text)
);

CREATE TABLE res_users (
    id serial PRIMARY KEY, company_id integer NOT NULL, partner_id integer NOT NULL, active boolean,
    login varchar NOT NULL, password varchar, action_id integer, signature text, share boolean, totp_secret varchar,
    notification_type varchar NOT NULL, odoobot_state varchar,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE res_partner_bank (
    id serial PRIMARY KEY, partner_id integer NOT NULL, company_id integer, acc_number varchar NOT NULL,
    sanitized_acc_number varchar, acc_holder_name varchar, active boolean, allow_out_payment boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_module_module (
    id serial PRIMARY KEY, name varchar NOT NULL, author varchar, state varchar(16), latest_version varchar,
    shortdesc jsonb, summary jsonb, category_id integer, application boolean DEFAULT false, demo boolean DEFAULT false,
    web boolean DEFAULT false, license varchar(32), sequence integer DEFAULT 100, auto_install boolean DEFAULT false,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_config_parameter (
    id serial PRIMARY KEY, key varchar NOT NULL, value text NOT NULL,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_model_data (
    id serial PRIMARY KEY, name varchar NOT NULL, module varchar NOT NULL, model varchar NOT NULL, res_id integer,
    noupdate boolean DEFAULT false,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_sequence (
    id serial PRIMARY KEY, name varchar NOT NULL, code varchar, implementation varchar NOT NULL, prefix varchar,
    suffix varchar, number_next integer NOT NULL, number_increment integer NOT NULL, padding integer NOT NULL,
    company_id integer, active boolean, use_date_range boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

-- The sequences of the rows of ir_sequence whose implementation is 'standard'.
CREATE SEQUENCE ir_sequence_001 INCREMENT BY 1;
CREATE SEQUENCE ir_sequence_002 INCREMENT BY 1;

CREATE TABLE ir_act_server (
    id serial PRIMARY KEY, type varchar NOT NULL, binding_type varchar NOT NULL, name jsonb NOT NULL,
    usage varchar NOT NULL, state varchar NOT NULL, model_name varchar, code text, webhook_url varchar,
    sequence integer, create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_cron (
    id serial PRIMARY KEY, ir_actions_server_id integer NOT NULL, user_id integer NOT NULL, cron_name varchar,
    interval_number integer, interval_type varchar, numbercall integer, priority integer, active boolean, doall boolean,
    nextcall timestamp NOT NULL, lastcall timestamp,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_mail_server (
    id serial PRIMARY KEY, name varchar NOT NULL, from_filter varchar, smtp_host varchar, smtp_port integer,
    smtp_authentication varchar NOT NULL, smtp_user varchar, smtp_pass varchar, smtp_encryption varchar NOT NULL,
    smtp_debug boolean, sequence integer, active boolean, smtp_ssl_certificate bytea, smtp_ssl_private_key bytea,
    google_gmail_refresh_token varchar,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp,
    CONSTRAINT ir_mail_server_certificate_requires_tls CHECK (
        smtp_encryption::text <> 'none'::text OR smtp_authentication::text <> 'certificate'::text)
);

CREATE TABLE fetchmail_server (
    id serial PRIMARY KEY, name varchar NOT NULL, active boolean, state varchar, server varchar, port integer,
    server_type varchar NOT NULL, is_ssl boolean, attach boolean, original boolean, "user" varchar, password varchar,
    object_id integer, priority integer, date timestamp, google_gmail_refresh_token varchar,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE mail_template (
    id serial PRIMARY KEY, model varchar, mail_server_id integer, name jsonb, subject jsonb, body_html jsonb,
    email_from varchar, lang varchar, active boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE iap_account (
    id serial PRIMARY KEY, name varchar, service_name varchar, account_token varchar, show_token boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE payment_provider (
    id serial PRIMARY KEY, company_id integer NOT NULL, sequence integer, code varchar NOT NULL,
    state varchar NOT NULL, module_state varchar, name jsonb NOT NULL, pre_msg jsonb, is_published boolean,
    maximum_amount numeric, allow_tokenization boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE ir_attachment (
    id serial PRIMARY KEY, name varchar NOT NULL, description text, res_model varchar, res_field varchar,
    res_id integer, company_id integer, type varchar NOT NULL, url varchar(1024), public boolean,
    access_token varchar, db_datas bytea, store_fname varchar, file_size integer, checksum varchar(40),
    mimetype varchar, index_content text, original_id integer,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE mail_message (
    id serial PRIMARY KEY, parent_id integer, res_id integer, record_company_id integer, author_id integer,
    mail_server_id integer, subject varchar, model varchar, record_name varchar, message_type varchar NOT NULL,
    email_from varchar, message_id varchar, reply_to varchar, email_layout_xmlid varchar, body text,
    is_internal boolean, email_add_signature boolean, date timestamp, pinned_at timestamp,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE message_attachment_rel (message_id integer NOT NULL, attachment_id integer NOT NULL);

CREATE TABLE account_move (
    id serial PRIMARY KEY, sequence_prefix varchar, sequence_number integer, message_main_attachment_id integer,
    journal_id integer NOT NULL, company_id integer, partner_id integer, currency_id integer NOT NULL,
    name varchar, ref varchar, state varchar NOT NULL, move_type varchar NOT NULL, auto_post varchar NOT NULL,
    inalterable_hash varchar, payment_reference varchar, payment_state varchar, access_token varchar,
    date date NOT NULL, invoice_date date, invoice_date_due date, narration text, send_and_print_values jsonb,
    amount_untaxed numeric, amount_tax numeric, amount_total numeric, amount_residual numeric, posted_before boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp
);

CREATE TABLE account_move_line (
    id serial PRIMARY KEY, move_id integer NOT NULL, journal_id integer, company_id integer, sequence integer,
    account_id integer, currency_id integer NOT NULL, partner_id integer, move_name varchar, parent_state varchar,
    ref varchar, name varchar, display_type varchar NOT NULL, date date, date_maturity date,
    analytic_distribution jsonb, debit numeric, credit numeric, balance numeric, amount_currency numeric,
    amount_residual numeric, quantity numeric, price_unit numeric, price_subtotal numeric, discount numeric,
    reconciled boolean,
    create_uid integer, create_date timestamp, write_uid integer, write_date timestamp,
    CONSTRAINT account_move_line_check_credit_debit CHECK (
        display_type::text = ANY (ARRAY['line_section'::text, 'line_note'::text]) OR credit * debit = 0::numeric)
);
