#![no_main]

use std::path::Path;

// A configuration. It may name files, and none of them exists.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = config::Config::parse(Path::new("/nowhere/odoo-backup.toml"), text) {
        assert!(!error.to_string().is_empty());
    }
});
