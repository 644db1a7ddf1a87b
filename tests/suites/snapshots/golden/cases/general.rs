//! What the program prints before a command has done anything: help, wrong usage, and a
//! configuration that does not load.

use super::super::{Walk, at_columns, with_config};

pub(in super::super) async fn all(walk: &mut Walk) {
    let page = "odoo-backup";
    for (title, arguments) in [
        ("Help", &["--help"][..]),
        ("Version", &["--version"]),
        ("Without a command", &[]),
        ("A command that does not exist", &["backup"]),
        ("An option that does not exist", &["now", "--all-of-it"]),
    ] {
        // Without `--config`, which would count as an argument.
        let program = at_columns(harness::odoo_backup!("")).searching_in(walk.project().path(""));
        let run = program.run(arguments).await;
        walk.note(page, title, arguments, &run);
    }
    let missing = at_columns(harness::odoo_backup!("")).searching_in("/");
    let run = missing.run(["list"]).await;
    walk.note(page, "No configuration is found", &["list"], &run);
    let named = at_columns(harness::odoo_backup!(walk.project().path("missing.toml")));
    let run = named.run(["list"]).await;
    walk.note(page, "The configuration that --config names does not exist", &["list"], &run);
    for (title, text) in [
        ("A key is misspelt", "[repository]\nurl = \"file:///x\"\n[instance.production]\ndatabse = \"x\"\n"),
        ("The configuration is no TOML", "[repository\nurl = \"file:///x\"\n"),
    ] {
        let program = with_config(walk.project(), "wrong.toml", text);
        let run = program.run(["list"]).await;
        walk.note(page, title, &["list"], &run);
    }
    let run = walk.service.program.run(["list", "--repository", "offsit"]).await;
    walk.note(page, "A repository that is not configured", &["list", "--repository", "offsit"], &run);
}
