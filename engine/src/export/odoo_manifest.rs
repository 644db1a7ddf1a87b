//! `manifest.json` as Odoo writes it into its own backups (`dump_db_manifest` in
//! `odoo/service/db.py`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Error;
use crate::manifest::Manifest;

#[derive(Serialize)]
struct OdooManifest<'a> {
    odoo_dump: &'static str,
    db_name: &'a str,
    version: &'a str,
    version_info: (Part<'a>, Part<'a>, u32, &'static str, u32, &'static str),
    major_version: &'a str,
    pg_version: String,
    modules: BTreeMap<&'a str, &'a str>,
}

/// `17` is a number, `saas~17` is not.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Number(u32),
    Text(&'a str),
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Text(text), Self::Number)
    }
}

/// Returns Odoo's manifest of a backup, with an empty series if the database did not name it.
/// `version` and `version_info` are those of the series' final release: the database does not
/// record which one the server ran.
///
/// # Errors
/// [`Error::NotOdoo`]
pub(super) fn of(manifest: &Manifest) -> Result<Vec<u8>, Error> {
    let odoo = manifest.odoo.as_ref().ok_or_else(|| Error::NotOdoo { backup: manifest.id.to_string() })?;
    let series = odoo.series.as_str();
    let (major, minor) = series.split_once('.').unwrap_or((series, "0"));
    let server = manifest.server.version_num;
    let document = OdooManifest {
        odoo_dump: "1",
        db_name: &manifest.database.name,
        version: series,
        version_info: (Part::of(major), Part::of(minor), 0, "final", 0, ""),
        major_version: series,
        // 150018 → 15.0, as Odoo formats it.
        pg_version: format!("{}.{}", server / 10_000, server / 100 % 100),
        modules: odoo.installed(),
    };
    serde_json::to_vec_pretty(&document)
        .map_err(|error| Error::Io { action: "write manifest.json".into(), source: error.into() })
}
