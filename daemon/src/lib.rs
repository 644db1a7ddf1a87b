//! The scheduler and the HTTP service. At present empty: backups are made by `odoo-backup now`.
