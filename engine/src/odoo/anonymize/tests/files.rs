//! Attachments and the filestore.

use sha1::{Digest as _, Sha1};

use super::*;
use crate::filestore::FileName;

/// Adds an attachment with a file of its own to a copy. Returns the file's path.
fn attach(fixture: &SmallDatabase, filestore: &Path, model: &str, mimetype: &str, content: &str) -> String {
    let path = FileName::Sha1(Sha1::digest(content.as_bytes()).into()).to_string();
    let sha1 = &path[3..];
    fs::create_dir_all(filestore.join(&sha1[..2])).unwrap();
    fs::write(filestore.join(&path), content).unwrap();
    fixture.sql(&format!(
        "INSERT INTO ir_attachment (name, res_model, type, store_fname, checksum, file_size, mimetype, index_content)
         VALUES ('{content}.TXT', nullif('{model}', ''), 'binary', '{path}', '{sha1}', {}, '{mimetype}', '{content}')",
        content.len()
    ));
    path
}

#[tokio::test]
async fn attachments_of_people_become_placeholders() {
    let cluster = Arc::new(Cluster::start());
    for series in ["12.0", "19.0"] {
        let fixture = SmallDatabase::on(&cluster, series, &series::small_database(series));
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let gone = [
            attach(&fixture, folder, "res.partner", "image/jpeg", "portrait"),
            attach(&fixture, folder, "hr.employee", "image/svg+xml", "drawing"),
            attach(&fixture, folder, "account.move", "application/pdf", "invoice"),
            attach(&fixture, folder, "x_visit", "application/vnd.oasis.opendocument.text", "visit"),
            attach(&fixture, folder, "", "text/html", "upload"),
            attach(&fixture, folder, "product.template", "application/pdf", "offer"),
        ];
        let stay = [
            attach(&fixture, folder, "product.template", "image/png", "chair"),
            attach(&fixture, folder, "crm.lead", "text/plain", "lead"),
            attach(&fixture, folder, "ir.ui.view", "text/css", "asset"),
        ];
        // The same file under a model that stays must stay.
        let shared = attach(&fixture, folder, "res.partner", "image/png", "shared");
        attach(&fixture, folder, "product.template", "image/png", "shared");
        fixture.sql("UPDATE ir_attachment SET res_field = 'image_1920' WHERE res_model = 'product.template' AND name <> 'offer.TXT'");
        fixture.sql(
            "INSERT INTO ir_attachment (name, res_model, type, url, store_fname, db_datas, mimetype) VALUES
                 ('in the database', 'hr.applicant', 'binary', NULL, NULL, 'Anna', 'text/csv'),
                 ('in a bucket', 'res.users', 'cloud_storage', 'https://bucket.example/anna', 's3://bucket/anna', NULL, 'application/json'),
                 ('a link', 'res.partner', 'url', 'https://drive.example/anna', NULL, NULL, NULL),
                 ('placeholder.png', NULL, 'url', '/web/static/img/placeholder.png', NULL, NULL, 'image/png')",
        );
        fs::create_dir_all(folder.join("00")).unwrap();
        fs::write(folder.join("00/unreferenced file"), "Anna").unwrap();
        let settings = Anonymize {
            attachments: vec!["x_visit".into()],
            keep_attachments: vec!["crm.lead".into()],
            ..seeded("seed")
        };
        let report = fixture.anonymize_with(folder, &settings).await.unwrap().attachments;
        assert_eq!((report.files_removed, report.files_added), (7, 6), "{report:?}");
        assert_eq!(report.replaced.iter().map(|of| of.rows).sum::<u64>(), 10, "{report:?}");
        assert_eq!(report.left.iter().map(|of| of.rows).sum::<u64>(), 5, "{report:?}");
        assert!(gone.iter().all(|path| !folder.join(path).exists()) && !folder.join("00/unreferenced file").exists());
        assert!(stay.iter().chain([&shared]).all(|path| folder.join(path).exists()));
        // Each row describes its file correctly.
        for line in fixture.lines("SELECT store_fname, checksum, file_size FROM ir_attachment WHERE store_fname <> ''")
        {
            let [path, checksum, size] = <[&str; 3]>::try_from(line.split('|').collect::<Vec<_>>()).unwrap();
            let content = fs::read(folder.join(path)).unwrap();
            let named = FileName::Sha1(Sha1::digest(&content).into()).to_string();
            assert_eq!((&*named, &named[3..], &*content.len().to_string()), (path, checksum, size));
        }
        let types = "SELECT string_agg(DISTINCT mimetype, ' ' ORDER BY mimetype) FROM ir_attachment WHERE res_model ~ 'res|hr|account'";
        assert_eq!(fixture.sql(types), "application/json application/pdf image/png image/svg+xml text/plain");
        let rows = "SELECT string_agg(DISTINCT type, ' '), count(*) FILTER (WHERE url ~ 'anna'), count(db_datas), count(index_content) FROM ir_attachment";
        assert_eq!(fixture.sql(rows), "binary url|0|0|0");
        assert_eq!(fixture.sql("SELECT count(*) FROM ir_attachment WHERE name ~ '^[a-z]{6}-[a-z]{12}(.txt)?$'"), "12");
    }
}

#[tokio::test]
async fn unknown_model_is_refused() {
    let fixture = SmallDatabase::of_series("17.0");
    fixture.sql("CREATE TABLE ir_model (model varchar); INSERT INTO ir_model VALUES ('res.partner'), ('x_visit')");
    let cases = [
        (
            Anonymize { attachments: vec!["x_vist".into()], ..seeded("s") },
            "`attachments` names the model x_vist, and there is none; did you mean `x_visit`?",
        ),
        (
            Anonymize { keep_attachments: vec!["unknown".into()], ..seeded("s") },
            "`keep` names the model unknown, and there is none",
        ),
    ];
    for (settings, expected) in cases {
        let error = fixture.anonymize(&settings).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().is_some()), (expected, true));
    }
}
