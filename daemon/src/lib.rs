//! The scheduler and the HTTP service. At present it knows what is due and keeps a journal, and nothing starts it: backups are made by
//! `odoo-backup now`.

pub mod agenda;
pub mod journal;
