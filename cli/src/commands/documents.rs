//! The schemas of what the commands print with `--json`, in a file: the end-to-end tests compare
//! what is printed with it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use super::check::CheckDocument;
use super::config::ConfigDocument;
use super::copy::CopyRunDocument;
use super::daemon::DaemonDocument;
use super::doctor::DoctorDocument;
use super::drill::DrillDocument;
use super::export::ExportDocument;
use super::fetch::FetchDocument;
use super::files::FilesDocument;
use super::forget::ForgetDocument;
use super::import::ImportDocument;
use super::init::InitDocument;
use super::list::ListDocument;
use super::manual::ManualDocument;
use super::notify::NotifyDocument;
use super::now::NowDocument;
use super::pin::{PinDocument, UnpinDocument};
use super::prune::PruneDocument;
use super::repair::RepairDocument;
use super::restore::{DryRunDocument, RestoreDocument, UndoDocument};
use super::runs::{LogsDocument, RunsDocument};
use super::schedule::ScheduleDocument;
use super::show::ShowDocument;
use super::status::StatusDocument;
use super::unlock::UnlockDocument;
use super::upgrade::UpgradeDocument;
use crate::events::EventDocument;
use crate::output::Failed;

macro_rules! documents {
    ($($command:literal: $document:ident,)*) => {
        #[derive(OpenApi)]
        #[openapi(components(schemas($($document),*)))]
        struct Documents;

        fn commands() -> Map<String, Value> {
            let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
            Map::from_iter([$(($command.to_owned(), reference(&$document::name()))),*])
        }

        fn all() -> Vec<(String, RefOr<Schema>)> {
            let mut all = vec![$(($document::name().into_owned(), $document::schema())),*];
            $($document::schemas(&mut all);)*
            all
        }
    };
}

documents! {
    "check": CheckDocument,
    "config show": ConfigDocument,
    "copy": CopyRunDocument,
    "daemon": DaemonDocument,
    "doctor": DoctorDocument,
    "drill": DrillDocument,
    "error": Failed,
    "event": EventDocument,
    "export": ExportDocument,
    "fetch": FetchDocument,
    "files": FilesDocument,
    "forget": ForgetDocument,
    "import": ImportDocument,
    "init": InitDocument,
    "list": ListDocument,
    "logs": LogsDocument,
    "manual": ManualDocument,
    "notify test": NotifyDocument,
    "now": NowDocument,
    "pin": PinDocument,
    "prune": PruneDocument,
    "repair": RepairDocument,
    "restore": RestoreDocument,
    "restore --dry-run": DryRunDocument,
    "restore --undo": UndoDocument,
    "runs": RunsDocument,
    "schedule": ScheduleDocument,
    "show": ShowDocument,
    "status": StatusDocument,
    "unlock --list": UnlockDocument,
    "unpin": UnpinDocument,
    "upgrade": UpgradeDocument,
}

/// A comment that is worded better changes nothing for those who read the documents.
fn remove_descriptions(schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            words.retain(|word, value| word != "description" || !value.is_string());
            words.values_mut().for_each(remove_descriptions);
        }
        Value::Array(schemas) => schemas.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}

#[test]
fn schemas_are_those_of_the_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots/schemas.json");
    let mut components = serde_json::to_value(Documents::openapi()).unwrap()["components"].take();
    remove_descriptions(&mut components);
    let text = format!("{:#}\n", json!({ "commands": commands(), "components": components }));
    if std::env::var("ODOO_BACKUP_SNAPSHOTS").is_ok_and(|value| value == "update") {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "if this is meant: ODOO_BACKUP_SNAPSHOTS=update writes {} again", path.display());
}

/// One of them would take the place of the other.
#[test]
fn schemas_of_same_name_are_equal() {
    let mut known = BTreeMap::new();
    for (name, schema) in all() {
        let schema = serde_json::to_value(schema).unwrap();
        let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
        assert_eq!(*first, schema, "two types are called {name}");
    }
}
