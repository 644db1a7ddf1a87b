//! The scheduler and the HTTP service. At present it knows what is due, and nothing starts it: backups are made by
//! `odoo-backup now`.

pub mod agenda;
