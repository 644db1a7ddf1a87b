-- Constraints and indexes of Odoo's tables; created after the rows, which is many times faster.

ALTER TABLE res_users ADD CONSTRAINT res_users_login_key UNIQUE (login);
ALTER TABLE res_company ADD CONSTRAINT res_company_name_uniq UNIQUE (name);
ALTER TABLE ir_module_module ADD CONSTRAINT ir_module_module_name_uniq UNIQUE (name);
ALTER TABLE ir_config_parameter ADD CONSTRAINT ir_config_parameter_key_uniq UNIQUE (key);
ALTER TABLE message_attachment_rel ADD PRIMARY KEY (message_id, attachment_id);
CREATE UNIQUE INDEX ir_model_data_module_name_uniq_index ON ir_model_data (module, name);
CREATE INDEX ir_model_data_model_res_id_index ON ir_model_data (model, res_id);
CREATE INDEX ir_module_module__state_index ON ir_module_module (state);

CREATE INDEX ir_attachment__store_fname_index ON ir_attachment (store_fname);
CREATE INDEX ir_attachment__url_index ON ir_attachment (url) WHERE url IS NOT NULL;
CREATE INDEX ir_attachment_res_idx ON ir_attachment (res_model, res_id);
CREATE INDEX res_partner__complete_name_index ON res_partner (complete_name);
CREATE INDEX res_partner__name_trgm_index ON res_partner USING gin (name gin_trgm_ops);
CREATE INDEX res_partner__vat_index ON res_partner (vat);
CREATE INDEX mail_message__author_id_index ON mail_message (author_id);
CREATE INDEX mail_message__message_id_index ON mail_message (message_id);
CREATE INDEX mail_message__parent_id_index ON mail_message (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX mail_message_model_res_id_id_idx ON mail_message (model, res_id, id);
CREATE INDEX message_attachment_rel_attachment_id_message_id_idx ON message_attachment_rel (attachment_id, message_id);
CREATE UNIQUE INDEX account_move_unique_name ON account_move (name, journal_id)
    WHERE state::text = 'posted'::text AND name::text <> '/'::text;
CREATE INDEX account_move__date_index ON account_move (date);
CREATE INDEX account_move__partner_id_index ON account_move (partner_id);
CREATE INDEX account_move_line__move_id_index ON account_move_line (move_id);
CREATE INDEX account_move_line__account_id_index ON account_move_line (account_id);
CREATE INDEX account_move_line__partner_id_index ON account_move_line (partner_id, date, id);

-- res_company, res_partner and res_users refer to each other in a circle, as in Odoo.
ALTER TABLE res_company ADD CONSTRAINT res_company_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES res_partner (id) ON DELETE RESTRICT;
ALTER TABLE res_partner ADD CONSTRAINT res_partner_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE SET NULL;
ALTER TABLE res_users ADD CONSTRAINT res_users_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT;
ALTER TABLE res_users ADD CONSTRAINT res_users_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE RESTRICT;
ALTER TABLE res_partner_bank ADD CONSTRAINT res_partner_bank_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE CASCADE;
ALTER TABLE ir_cron ADD CONSTRAINT ir_cron_ir_actions_server_id_fkey
    FOREIGN KEY (ir_actions_server_id) REFERENCES ir_act_server (id) ON DELETE RESTRICT;
ALTER TABLE ir_cron ADD CONSTRAINT ir_cron_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES res_users (id) ON DELETE RESTRICT;
ALTER TABLE mail_template ADD CONSTRAINT mail_template_mail_server_id_fkey
    FOREIGN KEY (mail_server_id) REFERENCES ir_mail_server (id) ON DELETE SET NULL;
ALTER TABLE payment_provider ADD CONSTRAINT payment_provider_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE RESTRICT;
ALTER TABLE ir_attachment ADD CONSTRAINT ir_attachment_company_id_fkey
    FOREIGN KEY (company_id) REFERENCES res_company (id) ON DELETE SET NULL;
ALTER TABLE ir_attachment ADD CONSTRAINT ir_attachment_original_id_fkey
    FOREIGN KEY (original_id) REFERENCES ir_attachment (id) ON DELETE SET NULL;
ALTER TABLE mail_message ADD CONSTRAINT mail_message_author_id_fkey
    FOREIGN KEY (author_id) REFERENCES res_partner (id) ON DELETE SET NULL;
ALTER TABLE mail_message ADD CONSTRAINT mail_message_parent_id_fkey
    FOREIGN KEY (parent_id) REFERENCES mail_message (id) ON DELETE SET NULL;
ALTER TABLE message_attachment_rel ADD CONSTRAINT message_attachment_rel_message_id_fkey
    FOREIGN KEY (message_id) REFERENCES mail_message (id) ON DELETE CASCADE;
ALTER TABLE message_attachment_rel ADD CONSTRAINT message_attachment_rel_attachment_id_fkey
    FOREIGN KEY (attachment_id) REFERENCES ir_attachment (id) ON DELETE CASCADE;
ALTER TABLE account_move ADD CONSTRAINT account_move_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT;
ALTER TABLE account_move ADD CONSTRAINT account_move_message_main_attachment_id_fkey
    FOREIGN KEY (message_main_attachment_id) REFERENCES ir_attachment (id) ON DELETE SET NULL;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_move_id_fkey
    FOREIGN KEY (move_id) REFERENCES account_move (id) ON DELETE CASCADE;
ALTER TABLE account_move_line ADD CONSTRAINT account_move_line_partner_id_fkey
    FOREIGN KEY (partner_id) REFERENCES res_partner (id) ON DELETE RESTRICT;

-- A report view as in Odoo, and additions of third-party modules: a materialized view, a function, a
-- trigger.
CREATE VIEW account_invoice_report AS
    SELECT line.id, move.partner_id, move.invoice_date, line.quantity, -line.balance AS price_subtotal
    FROM account_move_line line JOIN account_move move ON move.id = line.move_id
    WHERE move.move_type::text = 'out_invoice'::text AND line.display_type::text = 'product'::text;

CREATE MATERIALIZED VIEW partner_turnover AS
    SELECT partner_id, date_trunc('month', invoice_date::timestamp) AS month, sum(price_subtotal) AS turnover
    FROM account_invoice_report GROUP BY 1, 2;
CREATE INDEX partner_turnover_partner_id_idx ON partner_turnover (partner_id);

CREATE FUNCTION partner_searchable(name text) RETURNS text LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT lower(translate(name, 'éèàüöß', 'eeauos')) $$;

CREATE FUNCTION forbid_change_of_hashed_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.inalterable_hash IS NOT NULL AND NEW.inalterable_hash IS DISTINCT FROM OLD.inalterable_hash THEN
        RAISE EXCEPTION 'entry % is sealed', OLD.name;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_move_sealed BEFORE UPDATE ON account_move
    FOR EACH ROW EXECUTE FUNCTION forbid_change_of_hashed_move();

-- Odoo comments every table with the model's description and every column with the field's label.
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT table_name, column_name FROM information_schema.columns
             JOIN information_schema.tables USING (table_schema, table_name)
             WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1, ordinal_position
    LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', c.table_name, c.column_name,
                       initcap(replace(c.column_name, '_', ' ')));
    END LOOP;
END $$;
COMMENT ON TABLE res_partner IS 'Contact';
COMMENT ON TABLE res_users IS 'User';
COMMENT ON TABLE ir_attachment IS 'Attachment';
COMMENT ON TABLE mail_message IS 'Message';
COMMENT ON TABLE account_move IS 'Journal Entry';
COMMENT ON CONSTRAINT res_users_login_key ON res_users IS 'UNIQUE (login)';

-- Every id continues after the last one.
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT table_name FROM information_schema.columns
             WHERE table_schema = 'public' AND column_name = 'id' AND column_default LIKE 'nextval%'
    LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), max(id)) FROM %I', c.table_name, c.table_name);
    END LOOP;
END $$;
SELECT setval('ir_sequence_002', 42, true);
ANALYZE;
