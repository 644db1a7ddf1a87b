//! All that is Odoo's own: its configuration file, what its database says of itself, where its filestore lies.

mod activity;
mod anonymize;
mod attachments;
mod collector;
pub mod conf;
mod facts;
mod neutralize;
mod readable;
mod schema;
#[cfg(test)]
mod small_database;
mod tables;

pub use activity::{LastWrite, RECENT_MINUTES, is_neutralized, last_write, sessions};
pub use anonymize::{
    Anonymize, AnonymizeError, Anonymized, AnonymizedAttachments, AnonymizedColumn, AnonymizedTable, AttachmentsOf,
    EmptiedTable, Fake, Left, NetReport, anonymize,
};
pub use attachments::{Attachment, AttachmentCounts, Inventory, attachments, still_named};
pub use collector::{CollectorHold, HoldCollector, hold_collector};
pub(crate) use facts::is_series;
pub use facts::{OdooFacts, PendingModule, odoo_facts};
pub use neutralize::{
    Applied, Assertion, Blanked, Means, Neutralize, NeutralizeError, Neutralized, Script, assert_still_neutral,
    check_neutralization, neutralize,
};
pub use schema::{Found, Schema, Table};
