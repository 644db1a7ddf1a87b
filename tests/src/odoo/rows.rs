//! Fills the tables that grow: partners, users, entries, messages, attachments.

use fastrand::Rng;
use jiff::civil::DateTime;
use jiff::{SignedDuration, civil};
use tokio_postgres::{Client, Error};

use super::OdooShape;
use super::copy::Rows;
use super::files::{Kind, StoredFile};
use super::text;

/// Returns the moment at this fraction of the three years that the database has been in use.
fn moment(part: f64) -> DateTime {
    const THREE_YEARS: f64 = 1096.0 * 86_400.0 * 1e6;
    civil::date(2023, 11, 1).at(8, 0, 0, 0) + SignedDuration::from_micros((part * THREE_YEARS) as i64)
}

/// Returns a moment of a day after those three years.
pub(super) fn moment_of_day(day: u64, part: f64) -> DateTime {
    moment(1.0)
        + SignedDuration::from_hours(24 * (day % 10_000) as i64)
        + SignedDuration::from_micros((part * 86_400e6) as i64)
}

/// Ids up to these are in settings.sql.
const FIXED_PARTNERS: u64 = 6;
const FIXED_USERS: u64 = 4;

fn any(rng: &mut Rng, count: u64) -> u64 {
    1 + rng.u64(..count.max(1))
}

pub(super) async fn partners(client: &Client, shape: &OdooShape, rng: &mut Rng) -> Result<(), Error> {
    let columns = "id, company_id, name, parent_id, commercial_partner_id, complete_name, ref, lang, vat, type, street, zip, city, \
                   email, email_normalized, phone, comment, partner_latitude, debit_limit, active, is_company, customer_rank, \
                   signup_token, create_uid, create_date, write_uid, write_date";
    let mut rows = Rows::into(client, "res_partner", columns).await?;
    for number in 0..shape.partners + shape.users {
        let id = FIXED_PARTNERS + 1 + number;
        let is_company = rng.u8(..4) == 0;
        let name = if is_company { text::company(rng) } else { text::person(rng) };
        let email = format!(
            "{}{id}@{}.example",
            name.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), ""),
            text::word(rng).len()
        );
        let parent = (!is_company && rng.bool()).then_some(1);
        let created = moment(number as f64 / (shape.partners + shape.users) as f64);
        rows.plain(id).maybe((rng.u8(..3) == 0).then_some(1)).text(&name).maybe(parent).plain(parent.unwrap_or(id));
        rows.text(&name)
            .maybe_text((rng.u8(..5) == 0).then_some(&format!("C{id:06}")))
            .text(["fr_FR", "en_US", "de_DE"][rng.usize(..3)]);
        rows.maybe_text(is_company.then_some(&format!("BE0{:09}", rng.u32(..1_000_000_000)))).plain("contact");
        rows.text(&format!("{} {}", text::phrase(rng, 2), rng.u8(1..)))
            .plain(rng.u16(1000..9999))
            .text(text::CITIES[rng.usize(..8)]);
        rows.text(&email).text(&email).text(&format!("+32 4{:08}", rng.u32(..100_000_000)));
        match rng.u8(..10) {
            0 => rows.text(&format!("<p>{}\t\\ \"{}\"</p>\r\n", text::phrase(rng, 8), text::word(rng))),
            1 => rows.text(""),
            _ => rows.null(),
        };
        rows.plain(format_args!("{:.7}", rng.f64() * 180.0 - 90.0)).maybe(is_company.then_some("12500.50"));
        rows.plain(rng.u8(..20) > 0)
            .plain(is_company)
            .plain(rng.u8(..3))
            .maybe_text((rng.u8(..20) == 0).then_some(&text::token(rng, 20)));
        rows.plain(2).plain(created).plain(2).plain(created);
        rows.end_row().await?;
    }
    rows.finish().await?;

    let mut rows =
        Rows::into(client, "res_partner_bank", "partner_id, acc_number, sanitized_acc_number, active, create_date")
            .await?;
    for number in 0..shape.partners / 10 {
        let account =
            format!("BE{:02} {:04} {:04} {:04}", rng.u8(..99), rng.u16(..9999), rng.u16(..9999), rng.u16(..9999));
        rows.plain(FIXED_PARTNERS + 1 + number)
            .text(&account)
            .text(&account.replace(' ', ""))
            .plain(true)
            .plain(moment(rng.f64()));
        rows.end_row().await?;
    }
    rows.finish().await?;
    Ok(())
}

pub(super) async fn users(client: &Client, shape: &OdooShape, rng: &mut Rng) -> Result<(), Error> {
    let columns = "id, company_id, partner_id, active, login, password, signature, share, notification_type, create_uid, create_date";
    let mut rows = Rows::into(client, "res_users", columns).await?;
    for number in 0..shape.users {
        let id = FIXED_USERS + 1 + number;
        rows.plain(id).plain(any(rng, 2)).plain(FIXED_PARTNERS + shape.partners + number + 1).plain(rng.u8(..10) > 0);
        rows.text(&format!("user{id}@lefevre.example"))
            .text(&format!("$pbkdf2-sha512$600000${}", text::token(rng, 86)));
        rows.text(&format!("<p data-o-mail-quote=\"1\">--<br>{}</p>", text::person(rng))).plain(number % 5 == 4);
        rows.plain(["email", "inbox"][rng.usize(..2)]).plain(1).plain(moment(number as f64 / shape.users as f64));
        rows.end_row().await?;
    }
    rows.finish().await?;
    Ok(())
}

pub(super) async fn entries(client: &Client, shape: &OdooShape, rng: &mut Rng) -> Result<(), Error> {
    let (moves, partners) = (shape.moves(), FIXED_PARTNERS + shape.partners);
    let columns = "id, sequence_prefix, sequence_number, message_main_attachment_id, journal_id, company_id, partner_id, currency_id, name, \
                   ref, state, move_type, auto_post, inalterable_hash, payment_state, access_token, date, invoice_date, narration, \
                   send_and_print_values, amount_untaxed, amount_tax, amount_total, amount_residual, posted_before, create_uid, create_date";
    // The amount of each entry in cents, for its lines.
    let mut amounts = Vec::new();
    let mut rows = Rows::into(client, "account_move", columns).await?;
    for id in 1..=moves {
        let created = moment(id as f64 / moves as f64);
        let posted = rng.u8(..20) > 0;
        let prefix = format!("INV/{}/", created.year());
        let cents = 100 * rng.u64(10..500_000);
        amounts.push((cents, created.date(), any(rng, partners), format!("{prefix}{id:05}")));
        let (_, date, partner, name) = &amounts[amounts.len() - 1];
        rows.text(&id.to_string()).text(&prefix).plain(id);
        rows.maybe((shape.attachments > 0 && rng.u8(..20) == 0).then(|| any(rng, shape.attachments)));
        rows.plain(1).plain(1).plain(partner).plain(1).text(if posted { name } else { "/" });
        rows.maybe_text((rng.u8(..3) == 0).then_some(&text::phrase(rng, 2)))
            .plain(if posted { "posted" } else { "draft" })
            .plain("out_invoice");
        rows.plain("no")
            .maybe_text((posted && id % 50 == 0).then_some(&text::token(rng, 64)))
            .plain(["paid", "not_paid"][rng.usize(..2)]);
        rows.text(&text::token(rng, 36)).plain(date).plain(date);
        rows.maybe_text((rng.u8(..10) == 0).then_some(&format!("<p>{}</p>", text::phrase(rng, 10))));
        rows.maybe_text((rng.u8(..30) == 0).then_some("{\"sp_partner_id\": 3, \"mail_lang\": \"fr_FR\"}"));
        rows.plain(money(cents))
            .plain(money(cents * 21 / 100))
            .plain(money(cents * 121 / 100))
            .plain("0.00")
            .plain(posted);
        rows.plain(2).plain(created);
        rows.end_row().await?;
    }
    rows.finish().await?;
    lines(client, &amounts, rng).await
}

/// Writes three lines for each entry: the product, the tax, and the customer's debt.
async fn lines(client: &Client, moves: &[(u64, civil::Date, u64, String)], rng: &mut Rng) -> Result<(), Error> {
    let columns = "id, move_id, journal_id, company_id, sequence, account_id, currency_id, partner_id, move_name, parent_state, name, \
                   display_type, date, date_maturity, analytic_distribution, debit, credit, balance, amount_currency, amount_residual, \
                   quantity, price_unit, price_subtotal, reconciled, create_uid, create_date, write_date";
    let mut rows = Rows::into(client, "account_move_line", columns).await?;
    let mut id = 0;
    for (index, (cents, date, partner, name)) in moves.iter().enumerate() {
        let created = date.at(9, 30, 0, 0);
        for (kind, account, debit, credit) in
            [("product", 70, 0, *cents), ("tax", 45, 0, cents * 21 / 100), ("payment_term", 40, cents * 121 / 100, 0)]
        {
            id += 1;
            let balance = if debit > 0 { money(debit) } else { format!("-{}", money(credit)) };
            rows.plain(id)
                .plain(index + 1)
                .plain(1)
                .plain(1)
                .plain(id % 3 * 10)
                .plain(account)
                .plain(1)
                .plain(partner)
                .text(name)
                .plain("posted");
            rows.maybe_text((kind == "product").then_some(&text::phrase(rng, 5))).plain(kind).plain(date);
            rows.maybe((kind == "payment_term").then_some(date))
                .maybe_text((rng.u8(..8) == 0).then_some("{\"7\": 60.0, \"9\": 40.0}"));
            rows.plain(money(debit)).plain(money(credit)).plain(&balance).plain(&balance).plain("0.00");
            rows.plain("1.00")
                .plain(money(*cents))
                .plain(money(*cents))
                .plain(rng.bool())
                .plain(2)
                .plain(created)
                .plain(created);
            rows.end_row().await?;
        }
    }
    rows.finish().await?;
    Ok(())
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

pub(super) const MESSAGE_COLUMNS: &str = "id, parent_id, res_id, record_company_id, author_id, subject, model, record_name, message_type, \
                                          email_from, message_id, reply_to, body, is_internal, email_add_signature, date, create_uid, \
                                          create_date, write_uid, write_date";

pub(super) async fn messages(client: &Client, shape: &OdooShape, rng: &mut Rng) -> Result<(), Error> {
    let mut rows = Rows::into(client, "mail_message", MESSAGE_COLUMNS).await?;
    for id in 1..=shape.messages {
        message(&mut rows, id, moment(id as f64 / shape.messages as f64), shape, rng).await?;
    }
    rows.finish().await?;
    Ok(())
}

pub(super) async fn message(
    rows: &mut Rows,
    id: u64,
    date: DateTime,
    shape: &OdooShape,
    rng: &mut Rng,
) -> Result<(), Error> {
    let body = text::message_body(rng);
    let model = ["account.move", "res.partner", "sale.order", "crm.lead", "project.task"][rng.usize(..5)];
    let author = text::person(rng);
    let address =
        format!("\"{author}\" <{}@lefevre.example>", author.split(' ').next().unwrap_or_default().to_lowercase());
    rows.plain(id)
        .maybe((id > 10 && rng.u8(..3) == 0).then(|| id - rng.u64(1..10)))
        .plain(rng.u32(1..100_000))
        .plain(1);
    rows.plain(any(rng, FIXED_PARTNERS + shape.partners))
        .maybe_text((rng.u8(..4) == 0).then_some(&text::phrase(rng, 5)))
        .plain(model);
    rows.maybe_text((rng.u8(..4) == 0).then_some(&text::phrase(rng, 2)))
        .plain(["comment", "notification", "email"][rng.usize(..3)]);
    rows.text(&address).text(&format!(
        "<{}.{}-openerp-{id}-{model}@odoo>",
        rng.u64(100_000_000_000_000..999_999_999_999_999),
        rng.u32(..)
    ));
    rows.text(&address).text(&body).plain(rng.u8(..3) == 0).plain(rng.bool()).plain(date.date().at(
        date.hour(),
        date.minute(),
        date.second(),
        0,
    ));
    rows.plain(2).plain(date).plain(2).plain(date);
    rows.end_row().await
}

/// The content of a row of ir_attachment.
#[derive(Debug, Clone)]
pub(super) enum Content<'a> {
    /// A file of the filestore.
    Stored(&'a StoredFile),
    /// `db_datas`
    InDatabase(Vec<u8>),
    /// `type = 'url'`
    Elsewhere,
}

pub(super) const ATTACHMENT_COLUMNS: &str = "id, name, res_model, res_field, res_id, company_id, type, url, public, access_token, db_datas, \
                                             store_fname, file_size, checksum, mimetype, index_content, create_uid, create_date, \
                                             write_uid, write_date";

/// Writes a row for each file. Other rows share a file with an earlier one, keep their content in
/// the database, or name a URL.
pub(super) async fn attachments(
    client: &Client,
    shape: &OdooShape,
    files: &[StoredFile],
    rng: &mut Rng,
) -> Result<(), Error> {
    let mut rows = Rows::into(client, "ir_attachment", ATTACHMENT_COLUMNS).await?;
    let mut unused = files.iter();
    let mut with_messages = Vec::new();
    for id in 1..=shape.attachments {
        // Rows without their own file are mixed in as long as enough rows are left for the files.
        let left = shape.attachments - id + 1;
        let content = if (unused.len() as u64) < left
            && (id > 1 || unused.len() == 0)
            && rng.u64(..left) >= unused.len() as u64
        {
            match rng.u8(..10) {
                0..2 => Content::Elsewhere,
                2 => Content::InDatabase(text::phrase(rng, 40).into_bytes()),
                _ if files.len() == unused.len() => Content::Elsewhere,
                _ => Content::Stored(&files[rng.usize(..files.len() - unused.len())]),
            }
        } else {
            Content::Stored(unused.next().expect("files are no more than rows"))
        };
        let linked =
            attachment(&mut rows, id, moment(id as f64 / shape.attachments as f64), &content, shape, rng).await?;
        if linked && shape.messages > 0 {
            with_messages.push((any(rng, shape.messages), id));
        }
    }
    rows.finish().await?;
    let mut rows = Rows::into(client, "message_attachment_rel", "message_id, attachment_id").await?;
    for (message, attachment) in with_messages {
        rows.plain(message).plain(attachment).end_row().await?;
    }
    rows.finish().await?;
    Ok(())
}

/// Adds a row. Returns `true` if it belongs to a message.
pub(super) async fn attachment(
    rows: &mut Rows,
    id: u64,
    date: DateTime,
    content: &Content<'_>,
    shape: &OdooShape,
    rng: &mut Rng,
) -> Result<bool, Error> {
    let kind = match content {
        Content::Stored(file) => file.kind,
        Content::InDatabase(_) => Kind::Csv,
        Content::Elsewhere => Kind::Jpeg,
    };
    let asset = kind == Kind::Asset;
    let field = (kind == Kind::Jpeg).then(|| ["image_1920", "image_1024", "image_512", "image_128"][rng.usize(..4)]);
    let name = match field {
        Some(field) => field.to_owned(),
        None => format!("{} {id}.{}", text::phrase(rng, 2), kind.extension()),
    };
    let (model, record) = match kind {
        Kind::Asset => ("ir.ui.view", 0),
        Kind::Jpeg => ("res.partner", any(rng, FIXED_PARTNERS + shape.partners)),
        Kind::Pdf | Kind::Xml => ("account.move", any(rng, shape.moves())),
        Kind::Zip | Kind::Csv => ("mail.compose.message", 0),
    };
    let url = match content {
        Content::Elsewhere => Some("/web/static/img/placeholder.png".to_owned()),
        _ if asset => Some(format!("/web/assets/{}/web.assets_backend.min.js", text::token(rng, 7))),
        _ => None,
    };
    let kind_of_row = if matches!(content, Content::Elsewhere) { "url" } else { "binary" };
    rows.plain(id).text(&name).plain(model).maybe(field).plain(record).maybe((!asset).then_some(1)).plain(kind_of_row);
    rows.maybe_text(url.as_deref()).plain(asset).maybe_text((rng.u8(..20) == 0).then_some(&text::token(rng, 36)));
    match content {
        Content::Stored(file) => rows.null().text(&file.store_fname()).plain(file.size).text(&file.checksum),
        Content::InDatabase(bytes) => rows.bytes(bytes).null().plain(bytes.len()).text(&super::files::checksum(bytes)),
        Content::Elsewhere => rows.null().null().null().null(),
    };
    rows.text(kind.mimetype()).maybe_text((kind == Kind::Pdf).then_some(&text::phrase(rng, 30)));
    rows.plain(2).plain(date).plain(2).plain(date);
    rows.end_row().await?;
    Ok(field.is_none() && !asset)
}
