//! Where people are in Odoo's tables, in 12.0 to 19.0 and in unknown modules: patterns of tables
//! and of their columns, and the fake for each. The first match for a column counts.
//!
//! The patterns are PostgreSQL's regular expressions. `docs/anonymization.md` lists them; a test
//! compares it with these.

use super::kinds::Fake;

/// Columns with the same kind of content.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) tables: &'static str,
    pub(super) columns: &'static str,
    pub(super) fake: Fake,
    /// Rows that stay as they are.
    pub(super) unless: Option<&'static Unless>,
    /// Whether the content belongs to a person or a company, and is sought in every other column:
    /// not the name of a record that may be anything.
    pub(super) is_sought: bool,
}

/// A condition on a row.
#[derive(Debug)]
pub(super) struct Unless {
    /// SQL; `{column}` is the column, `{odoo}` the schema of Odoo's tables.
    pub(super) condition: &'static str,
    /// Its subject, in the documentation's words.
    pub(super) about: &'static str,
}

const fn all(tables: &'static str, columns: &'static str, fake: Fake) -> Family {
    Family { tables, columns, fake, unless: None, is_sought: true }
}

const fn quiet(tables: &'static str, columns: &'static str, fake: Fake) -> Family {
    Family { tables, columns, fake, unless: None, is_sought: false }
}

const fn some(tables: &'static str, columns: &'static str, fake: Fake, unless: &'static Unless) -> Family {
    Family { tables, columns, fake, unless: Some(unless), is_sought: true }
}

/// Logins of every database that identify no person.
const ODOOS_OWN: Unless = Unless {
    condition: "login IN ('admin', '__system__', 'default', 'public', 'portaltemplate')",
    about: "`admin` and Odoo's own users",
};

const ADMINISTRATOR: Unless = Unless {
    condition: "login = 'admin' OR id IN (SELECT res_id FROM {odoo}.ir_model_data WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users')",
    about: "the administrator",
};

const EXPRESSION: Unless = Unless { condition: r"{column} ~ '\{\{|\$\{'", about: "what Odoo computes" };

/// Odoo finds such rows by these names.
const TECHNICAL: Unless =
    Unless { condition: "res_field IS NOT NULL OR url !~ '^https?://'", about: "fields' files, and Odoo's own" };

/// An import names records of people here; Odoo finds its records by the modules' own names.
const OF_A_MODULE: Unless = Unless {
    condition: r"module IN (SELECT name FROM public.ir_module_module) OR model !~ '^(res\.(partner|users)|hr\.|crm\.)'",
    about: "those of modules, or of other models than people's",
};

const FILTER_OF_A_MODULE: Unless = Unless {
    condition: "id IN (SELECT res_id FROM {odoo}.ir_model_data WHERE model = 'ir.filters' AND module IN (SELECT name FROM {odoo}.ir_module_module))",
    about: "those of modules",
};

/// Any table except those of Odoo's own machinery, of geography, and of templates.
pub(super) const ANY: &str = "^(?!ir_|res_(country|city|currency|lang|groups)|.*template)";

/// See the module.
pub(super) const FAMILIES: &[Family] = &[
    // People and companies.
    all(
        "^res_partner$",
        "^(name|complete_name|display_name|(commercial_)?company_name|(legal|trade|second|alternate)_name|comercial)$",
        Fake::Name,
    ),
    all("^res_partner$", "^(comment|(sale|invoice|purchase|picking)_warn_msg)$", Fake::Html),
    all("^res_partner$", "^partner_(latitude|longitude)$", Fake::Empty),
    some("^res_users$", "^login$", Fake::Login, &ODOOS_OWN),
    some("^res_users$", "^(password|password_crypt|totp_secret)$", Fake::Empty, &ADMINISTRATOR),
    all("^res_users$", "^signature$", Fake::Html),
    all("^res_users$", "^oauth_uid$", Fake::Identifier),
    all("^res_company$", "^name$", Fake::Name),
    quiet("^(stock_warehouse|resource_resource|website)$", "^name$", Fake::Name),
    all("^res_partner$", "^function$", Fake::Text),
    all("^res_partner_category$", "^name$", Fake::Text),
    all("^res_company$", "^(company_details|report_header|report_footer)$", Fake::Html),
    // Employees and applicants.
    all(
        "^(hr_employee|hr_version)$",
        "^(name|display_name|legal_name|spouse_complete_name|emergency_contact)$",
        Fake::Name,
    ),
    all(
        "^(hr_employee|hr_version)$",
        "^(ssnid|sinid|identification_id|passport_id|permit_no|visa_no|barcode|registration_number)$",
        Fake::Identifier,
    ),
    all("^(hr_employee|hr_version)$", "^place_of_birth$", Fake::City),
    all(
        "^(hr_employee|hr_version)$",
        "^(study_field|study_school|additional_note|departure_description|notes)$",
        Fake::Text,
    ),
    all("^hr_employee$", "^pin$", Fake::Empty),
    all("^hr_resume_line$", "^(name|description)$", Fake::Text),
    all("^(hr_leave|hr_leave_allocation|resource_calendar_leaves)$", "^(name|private_name)$", Fake::Text),
    all("^(hr_leave|hr_leave_allocation)$", "^(notes|report_note)$", Fake::Html),
    all("^(hr_contract|hr_work_entry|hr_payslip|hr_payslip_run|hr_appraisal)$", "^name$", Fake::Text),
    all("^(hr_contract|hr_payslip|hr_appraisal)$", "^(notes?|employee_feedback|manager_feedback)$", Fake::Html),
    all("^(hr_applicant|hr_candidate)$", "^name$", Fake::Text),
    all("^(hr_applicant|hr_candidate)$", "^(description|applicant_notes)$", Fake::Html),
    // Customers.
    all("^(crm_lead|helpdesk_ticket|project_task|project_project|account_analytic_account)$", "^name$", Fake::Text),
    all(
        "^(crm_lead|helpdesk_ticket|project_task|project_project|project_update|calendar_event)$",
        "^description$",
        Fake::Html,
    ),
    all("^crm_lead$", "^email_domain_criterion$", Fake::Email),
    all("^crm_lead$", "^function$", Fake::Text),
    all("^project_tags$", "^name$", Fake::Text),
    all("^mailing_list$", "^name$", Fake::Text),
    all("^mailing_(mailing|trace)$", "^(subject|preview|sms_subject|body_plaintext)$", Fake::Text),
    all("^mailing_mailing$", "^(body_html|body_arch)$", Fake::Html),
    all("^mailing_mailing$", "^mailing_domain$", Fake::Domain),
    all("^calendar_event$", "^(name|location)$", Fake::Text),
    all("^calendar_event$", "^videocall_location$", Fake::Url),
    all("^calendar_attendee$", "^common_name$", Fake::Name),
    all("^(rating_rating)$", "^(feedback|publisher_comment)$", Fake::Text),
    quiet("^(rating_rating)$", "^(res_name|parent_res_name)$", Fake::Name),
    all(
        "^(mailing_contact|mail_mass_mailing_contact|event_registration|website_visitor|mail_guest)$",
        "^name$",
        Fake::Name,
    ),
    all("^event_registration$", "^barcode$", Fake::Identifier),
    all("^survey_user_input_line$", "^value_(char_box|text_box|free_text|text)$", Fake::Text),
    all("^sign_(request_)?item_value$", "^value$", Fake::Empty),
    // Sales and accounting.
    all("^account_move$", "^invoice_partner_display_name$", Fake::Name),
    all("^account_invoice$", "^(vendor_display_name|source_email)$", Fake::Value),
    all("^(account_move|account_invoice|account_bank_statement_line)$", "^(narration|comment|note)$", Fake::Html),
    all(
        "^(account_move|account_move_line|account_bank_statement_line|account_payment)$",
        "^(ref|memo|communication|payment_ref)$",
        Fake::Text,
    ),
    all("^(account_move_line|account_bank_statement_line|account_analytic_line)$", "^name$", Fake::Text),
    all("^account_bank_statement_line$", "^(transaction_details|raw_data)$", Fake::Empty),
    all(
        "^(sale_order|purchase_order|pos_order|stock_picking)$",
        "^(note|notes|general_note|internal_note)$",
        Fake::Html,
    ),
    all("^(sale_order|purchase_order)$", "^(client_order_ref|partner_ref)$", Fake::Text),
    all("^(sale_order_line|purchase_order_line)$", "^name$", Fake::Text),
    all("^pos_order_line$", "^(customer_note|note)$", Fake::Text),
    all("^payment_transaction$", "^(provider_reference|acquirer_reference)$", Fake::Identifier),
    all("^payment_transaction$", "^(state_message|html_3ds|callback_res_name)$", Fake::Text),
    all("^payment_token$", "^(name|payment_details|provider_ref|acquirer_ref)$", Fake::Identifier),
    all("^fleet_vehicle$", "^name$", Fake::Text),
    // Messages.
    all("^(mail_message|mail_message_translation|mail_scheduled_message)$", "^body$", Fake::Html),
    all("^(mail_message|mail_mail|mail_scheduled_message)$", "^subject$", Fake::Text),
    quiet("^mail_message$", "^record_name$", Fake::Name),
    all("^(mail_message|mail_mail)$", "^(message_id|references)$", Fake::MessageId),
    all("^mail_mail$", "^body_html$", Fake::Html),
    all("^mail_mail$", "^headers$", Fake::Empty),
    all("^(mail_mail|mail_notification|sms_sms|mailing_trace)$", "^failure_reason$", Fake::Text),
    all("^mail_tracking_value$", "^(old|new)_value_(char|text)$", Fake::Value),
    all("^mail_activity$", "^summary$", Fake::Text),
    all("^mail_activity$", "^(note|feedback)$", Fake::Html),
    quiet("^mail_activity$", "^res_name$", Fake::Name),
    quiet("^(mail_channel|discuss_channel)$", "^(name|anonymous_name)$", Fake::Name),
    all("^(mail_channel|discuss_channel)$", "^description$", Fake::Text),
    all("^mail_alias$", "^(alias_name|alias_full_name)$", Fake::Login),
    some("^mail_template$", "^(email_from|email_to|email_cc|reply_to)$", Fake::Email, &EXPRESSION),
    all("^(sms_sms|whatsapp_message)$", "^body$", Fake::Text),
    all("^(phone_blacklist|sms_sms|sms_tracker)$", "^number$", Fake::Phone),
    all("^(note_note|knowledge_article)$", "^(name|memo|body)$", Fake::Text),
    // Files.
    some("^ir_attachment$", "^name$", Fake::FileName, &TECHNICAL),
    all("^ir_attachment$", "^(description|index_content)$", Fake::Empty),
    some("^ir_model_data$", "^name$", Fake::Identifier, &OF_A_MODULE),
    some("^ir_filters$", "^name$", Fake::Text, &FILTER_OF_A_MODULE),
    some("^ir_filters$", "^domain$", Fake::Domain, &FILTER_OF_A_MODULE),
    // Any module's.
    all(ANY, "(^|_)ip(_address)?$", Fake::Ip),
    all(ANY, "(^|_)(message_id|in_reply_to)$", Fake::MessageId),
    all(
        ANY,
        "(^|_)e?mail_(from|to|cc|bcc)$|(^|_)email(_(normalized|formatted|sanitized|address|account|[0-9]))?$|^reply_to$",
        Fake::Email,
    ),
    all(ANY, "(^|_)(phone|telephone|mobile|fax)(_number)?(_(sanitized|formatted|[0-9]))?$|^sms_number$", Fake::Phone),
    all(
        ANY,
        "(^|_)(street[0-9]?|street_?(name|number[0-9]?)|address|contact_address(_complete|_inline)?|house_number)$",
        Fake::Street,
    ),
    all(ANY, "(^|_)city$", Fake::City),
    all(ANY, "(^|_)(zip|zip_?code|postal_?code|post_?code)$", Fake::Zip),
    all(ANY, "(^|_)(latitude|longitude)$", Fake::Empty),
    all(ANY, "(^|_)(iban|(sanitized_)?acc_number|(bank_)?account_number)$", Fake::Account),
    all(ANY, "(^|_)(vat|tin|tax_id|company_registry|fiscal_code|codice_fiscale|siret|siren)$", Fake::TaxNumber),
    all(
        ANY,
        "(^|_)((acc_holder|partner|contact|customer|company|author|signer|recipient|guest|visitor|driver|employee|first|last|middle|family)_name|(first|last|middle|sur|nick)name[0-9]?|signed_by|emergency_contact)$",
        Fake::Name,
    ),
    all(
        ANY,
        "(^|_)(website|linkedin_profile)$|^social_(twitter|facebook|github|linkedin|youtube|instagram|tiktok)$",
        Fake::Url,
    ),
    all(ANY, "(^|_)(ssn|ssnid|passport(_id|_no|_number)?|license_plate|car_plate|vin_sn)$", Fake::Identifier),
    all(ANY, "(^|_)(birthday|birthdate|birth_date|date_of_birth|birthdate_date)$", Fake::Date),
];

/// Tables to empty: logs of who did what from where, queues, and uploads that were never meant to
/// stay.
pub(super) const EMPTIED: &[&str] = &[
    "auditlog_http_request",
    "auditlog_http_session",
    "auditlog_log",
    "auth_totp_device",
    "auth_totp_rate_limit_log",
    "base_import_import",
    "bus_bus",
    "ir_logging",
    "mail_compose_message",
    "mail_tracking_event",
    "queue_job",
    "res_device_log",
    "res_users_log",
    "website_track",
];
