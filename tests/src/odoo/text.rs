//! Words, names and message bodies that compress about as well as real ones.

use std::fmt::Write as _;
use std::sync::LazyLock;

use fastrand::Rng;

/// Words used in an office, some of them with letters outside ASCII.
const SEED_WORDS: &str = "the to and of for is a in we you on your please this with be have invoice order are will delivery \
    not our can from as at it customer that payment has price by sales quotation if been product all meeting thank was date \
    new attached find or need an stock team any project hello best regards know regarding week confirm they which before \
    number due amount could would contract supplier warehouse when send sent after but out their account tomorrow today one \
    more also time only there discount purchase tax bank address email phone call follow production schedule shipment \
    reference line journal credit note report issue solved waiting reply received goods packaging pallet truck customs \
    certificate quality inspection batch serial lot expiry cost margin budget forecast quarter year month monday tuesday \
    wednesday thursday friday urgent approved rejected draft cancelled posted reconciled statement transfer IBAN café naïve \
    Straße Zürich Łódź señor déjà façade Ærø крым договор 請求書 納品 ありがとう 合同 €1.250,00 ✔ 🚚";

const SYLLABLES: [&str; 32] = [
    "ra", "lo", "men", "tic", "ver", "sta", "con", "pro", "dis", "tion", "al", "er", "ing", "pre", "sub", "mit", "com",
    "ple", "tor", "ly", "ness", "un", "re", "form", "port", "duc", "scri", "be", "able", "ment", "ous", "é",
];

/// Four thousand words, the most frequent first.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut words: Vec<String> = SEED_WORDS.split_whitespace().map(str::to_owned).collect();
    let mut rng = Rng::with_seed(0x0d00);
    while words.len() < 4000 {
        words.push((0..rng.usize(2..=4)).map(|_| SYLLABLES[rng.usize(..SYLLABLES.len())]).collect());
    }
    words
});

const FIRST_NAMES: [&str; 16] = [
    "Anna",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "François",
    "Giulia",
    "Hana",
    "İbrahim",
    "José",
    "Katarzyna",
    "Lien",
    "Mehdi",
    "Nóra",
    "Oluwaseun",
    "Yuki",
];
const LAST_NAMES: [&str; 16] = [
    "Andersson",
    "Baker",
    "Çelik",
    "Dubois",
    "Esposito",
    "Fernández",
    "Grünwald",
    "Horváth",
    "Ivanova",
    "Janssens",
    "Kowalski",
    "Lefèvre",
    "Müller",
    "Nguyễn",
    "O'Brien",
    "Tanaka",
];
pub(super) const CITIES: [&str; 8] =
    ["Bruxelles", "Köln", "Kraków", "Lyon", "México", "São Paulo", "Saint-Étienne", "Zürich"];

/// Returns a word by Zipf's law: the n-th word is about 1/n as frequent as the first.
pub(super) fn word(rng: &mut Rng) -> &'static str {
    let words = &*WORDS;
    let rank = (words.len() as f64).powf(rng.f64()) as usize - 1;
    &words[rank.min(words.len() - 1)]
}

pub(super) fn words(rng: &mut Rng, count: usize, text: &mut String) {
    for position in 0..count {
        if position > 0 {
            text.push(' ');
        }
        text.push_str(word(rng));
    }
}

pub(super) fn phrase(rng: &mut Rng, count: usize) -> String {
    let mut text = String::new();
    words(rng, count, &mut text);
    text
}

pub(super) fn person(rng: &mut Rng) -> String {
    format!("{} {}", FIRST_NAMES[rng.usize(..16)], LAST_NAMES[rng.usize(..16)])
}

pub(super) fn company(rng: &mut Rng) -> String {
    let kind = ["GmbH", "SRL", "S.A.", "& Söhne", "Ltd.", "株式会社"][rng.usize(..6)];
    format!("{} {} {kind}", LAST_NAMES[rng.usize(..16)], word(rng))
}

/// Returns a random hexadecimal token, as in access tokens and message ids: it does not compress
/// below half its length.
pub(super) fn token(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(rng.u32(..16), 16).unwrap_or('0')).collect()
}

/// Returns the body of a message: written by a person, made from a template, or empty, as in a
/// chatter that tracks values.
pub(super) fn message_body(rng: &mut Rng) -> String {
    let mut body = String::with_capacity(1024);
    match rng.u8(..10) {
        0..3 => {}
        3..8 => paragraphs(rng, &mut body),
        _ => template(rng, &mut body),
    }
    body
}

fn paragraphs(rng: &mut Rng, body: &mut String) {
    for _ in 0..rng.usize(1..=6) {
        body.push_str("<p>");
        for _ in 0..rng.usize(1..=3) {
            let count = rng.usize(4..=16);
            words(rng, count, body);
            body.push_str(". ");
        }
        body.push_str("</p>\n");
    }
    let _ = write!(body, "<p data-o-mail-quote=\"1\">--<br data-o-mail-quote=\"1\">{}</p>", person(rng));
}

fn template(rng: &mut Rng, body: &mut String) {
    let (name, subject) = (person(rng), phrase(rng, 4));
    let (access, record) = (token(rng, 32), rng.u32(1..100_000));
    let _ = write!(
        body,
        "<div style=\"margin: 0px; padding: 0px;\">\n    <p style=\"margin: 0px; padding: 0px; font-size: 13px;\">\n        \
         Hello {name},<br><br>\n        <strong>{subject}</strong>\n    </p>\n    <div style=\"text-align:center; padding:16px \
         0px 16px 0px\">\n        <a style=\"padding:5px 10px; color:#FFFFFF; text-decoration:none; background-color:#875A7B; \
         border:1px solid #875A7B; border-radius:3px\" href=\"https://odoo.example.com/mail/view?model=account.move&amp;\
         res_id={record}&amp;access_token={access}\">View</a>\n    </div>\n</div>\n"
    );
    paragraphs(rng, body);
}
