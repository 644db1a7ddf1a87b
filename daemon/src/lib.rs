//! The scheduler and the HTTP service. At present it holds the schedules alone: backups are made by `odoo-backup now`.

pub mod schedule;
