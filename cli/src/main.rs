//! The command line of odoo-backup.

fn main() {}
