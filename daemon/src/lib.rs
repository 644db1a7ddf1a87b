//! The scheduler and the HTTP service. At present it holds nothing: backups are made by `odoo-backup now`.
