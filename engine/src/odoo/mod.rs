//! All that is Odoo's own: its configuration file, what its database says of itself, where its filestore lies.

pub mod conf;
mod facts;

pub use facts::{OdooFacts, odoo_facts};
