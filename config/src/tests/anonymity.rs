use engine::odoo::Fake;

use super::Fixture;

fn target(keys: &str) -> String {
    format!("repository.url = 'file:///r'\n[target.t]\ndatabase = 't'\nfilestore = '/f'\n{keys}\n")
}

#[test]
fn target_is_anonymized_only_on_request() {
    let fixture = Fixture::new().variable("SEED", "hunter2");
    let read = |keys: &str| fixture.load(&target(keys)).targets["t"].anonymize.clone();
    assert!(read("").is_none() && read("anonymize = false").is_none());
    for keys in ["anonymize = true", "[target.t.anonymize]", "anonymize = {}"] {
        let settings = read(keys).unwrap();
        assert!(settings.columns.is_empty() && settings.keep.is_empty() && settings.seed.is_none(), "{keys}");
    }
    let section = "[target.t.anonymize]\nkeep = ['res_partner.city', 'attachments:account.move']\nattachments = ['x_visit']\nseed = '${SEED}'\n\
                   [target.t.anonymize.columns]\n'res_partner.x_id' = 'identifier'\nx_visit.report = 'html'\nx_visit.by = 'name'\n";
    let settings = read(section).unwrap();
    let mut columns = settings.columns.clone();
    columns.sort_by(|(one, _), (other, _)| one.cmp(other));
    let expected = [("res_partner.x_id", Fake::Identifier), ("x_visit.by", Fake::Name), ("x_visit.report", Fake::Html)];
    assert_eq!(columns, expected.map(|(name, fake)| (name.to_owned(), fake)));
    assert_eq!(settings.keep, ["res_partner.city"]);
    assert_eq!(settings.keep_attachments, ["account.move"]);
    assert_eq!(settings.attachments, ["x_visit"]);
    assert_eq!(settings.seed.as_ref().unwrap().expose(), "hunter2");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn contradictions_are_refused() {
    let fixture = Fixture::new();
    let section = |keys: &str| fixture.errors(&target(&format!("[target.t.anonymize]\n{keys}")));
    assert_eq!(
        fixture.errors(&target("anonymize = 'yes'")),
        ["c.toml:5: [target.t] `anonymize`: expected true or false, without quotes, found a string"]
    );
    assert_eq!(
        section("columns = { 'res_partner.x' = 'naem' }"),
        [
            "c.toml:6: [target.t.anonymize] `columns`: res_partner.x: expected one of name, email, login, phone, street, city, zip, account, tax_number, identifier, url, ip, message_id, file_name, text, html, value, date, domain, empty, found \"naem\"; did you mean `name`?"
        ]
    );
    assert_eq!(
        section("columns = { partner = 'name' }\nkeep = ['x', 'a.b.c']\nseeds = 'x'"),
        [
            "c.toml:6: [target.t.anonymize] `columns`: expected `table.column`, with the names in PostgreSQL, found \"partner\"",
            "c.toml:7: [target.t.anonymize] `keep`: expected `table.column`, with the names in PostgreSQL, found \"x\"",
            "c.toml:8: [target.t.anonymize] unknown key `seeds`; did you mean `seed`?",
        ]
    );
    assert_eq!(
        section("columns = { 'a.b' = 'name' }\nkeep = ['a.b']"),
        ["c.toml:7: [target.t.anonymize] `keep`: a.b is also in `columns`; remove one of the two"]
    );
}
