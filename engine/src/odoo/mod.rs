//! Everything specific to Odoo: its configuration file, the facts in its database, the place of its
//! filestore.

mod activity;
mod anonymize;
mod attachments;
mod collector;
pub mod conf;
mod databases;
mod facts;
mod neutralize;
mod readable;
mod schema;
#[cfg(test)]
mod small_database;
mod tables;

pub use activity::RECENT_MINUTES;
pub(crate) use activity::{LastWrite, last_write};
pub use activity::{is_neutralized, sessions};
pub(crate) use anonymize::AnonymizedAttachments;
pub use anonymize::{Anonymize, AnonymizeError, Anonymized, Fake, Left, anonymize};
pub use anonymize::{AnonymizedColumn, AnonymizedTable, AttachmentsOf, EmptiedTable, NetReport};
pub use attachments::Inventory;
pub(crate) use attachments::still_named;
pub use attachments::{Attachment, AttachmentCounts, attachments};
pub use collector::HoldCollector;
pub(crate) use collector::{CollectorHold, hold_collector};
pub use databases::{DatabaseKind, ServerDatabase, list_databases};
pub use facts::PendingModule;
pub(crate) use facts::is_series;
pub(crate) use facts::{OdooFacts, odoo_facts};
pub use neutralize::{Applied, Assertion, Blanked};
pub use neutralize::{Means, Neutralize, NeutralizeError, Neutralized, Script, neutralize};
pub(crate) use neutralize::{assert_still_neutral, check_neutralization};
pub use schema::{FoundTable, Schema, Table};
