//! Makes manifests for tests that do not depend on their content.

use jiff::Timestamp;

use super::BackupId;
use super::{DatabaseContent, FORMAT_1, FilestoreContent, Manifest, StoredDump, StoredObject};
use crate::postgres::{Locale, ServerFacts};

/// Returns a locale that exists everywhere.
pub(crate) fn locale() -> Locale {
    Locale {
        encoding: "UTF8".into(),
        collate: "C".into(),
        ctype: "C".into(),
        provider: "libc".into(),
        locale: None,
        rules: None,
    }
}

/// Returns a backup of a database that is not Odoo's, without files.
pub(crate) fn manifest(instance: &str, id: &BackupId, database: StoredObject) -> Manifest {
    let server = ServerFacts {
        version_num: 0,
        version: "0".into(),
        system_identifier: None,
        database_size: 0,
        locale: locale(),
        extensions: Vec::new(),
        in_recovery: false,
    };
    Manifest {
        format: FORMAT_1,
        id: id.clone(),
        instance: instance.into(),
        origin: None,
        previous: None,
        keys: Vec::new(),
        created_at: Timestamp::now(),
        finished_at: Timestamp::now(),
        program: String::new(),
        server,
        source: None,
        odoo: None,
        attachments: None,
        database: DatabaseContent {
            name: instance.into(),
            pg_dump: "0".into(),
            dump: StoredDump::Whole(database),
            rows: None,
        },
        filestore: FilestoreContent::default(),
        imported: None,
        warnings: Vec::new(),
    }
}
