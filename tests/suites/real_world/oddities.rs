//! Oddities in Odoo's tables, encodings, and limits of PostgreSQL's programs.
