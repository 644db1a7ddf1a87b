//! Every section and key of a configuration, in one place. Unknown keys are found by it, `init`
//! writes its comments from it, and a test compares the reference in `docs/configuration.md` with
//! it.

mod daemon;
mod hooks;
mod instance;
mod notify;
mod place;
mod repository;
mod retention;
mod target;

use self::daemon::SERVICE;
use self::hooks::CALLS;
use self::instance::{BACKUP, CHECK_ROUTINE, ROUTINE, SCRATCH};
use self::notify::{MAIL, PING, RECEIVER, TELEGRAM, WEBHOOK};
use self::place::{DATABASE, FILESTORE, ODOO};
pub(super) use self::repository::S3;
use self::repository::{COPY, PLACE};
use self::retention::{LIMITS, SLOTS};
pub(super) use self::target::NEUTRAL;
use self::target::{ANONYMITY, ANONYMIZATION, SOURCE, TRUST};
use engine::text::nearest;

/// One key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// The type of its value, in the reference's words.
    pub kind: &'static str,
    /// What holds where it is left out, in the reference's words.
    pub default: &'static str,
    /// What it means, in a sentence without its final stop.
    pub about: &'static str,
    /// A value, written as TOML.
    pub example: &'static str,
    /// What people write for it when they know other tools' words, odoo.conf's first.
    pub also: &'static [&'static str],
}

/// A kind of section.
#[derive(Debug)]
pub struct SectionKeys {
    /// Its header: `repository`, `instance.NAME`.
    pub header: &'static str,
    /// Its keys; sections share groups of them.
    pub groups: &'static [&'static [Key]],
    /// The sections inside it.
    pub sections: &'static [Key],
    /// Whether sections of any name stand inside it.
    pub named: bool,
}

impl SectionKeys {
    /// Returns every key, in the order of the reference.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.groups.iter().copied().flatten()
    }

    /// Returns whether there is a key or a section of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.all().any(|key| key.name == name)
    }

    fn all(&self) -> impl Iterator<Item = &'static Key> + Clone + use<> {
        self.keys().chain(self.sections)
    }

    /// Returns the key that an unknown name was most likely meant to be.
    pub(super) fn nearest(&self, name: &str) -> Option<&'static str> {
        let same_thing = self.all().find(|key| key.also.contains(&name)).map(|key| key.name);
        same_thing.or_else(|| nearest(name, self.all().map(|key| key.name)))
    }
}

/// The file itself: its sections.
pub const FILE: SectionKeys = SectionKeys { header: "", groups: &[], sections: SECTIONS, named: false };

/// `[repository]`
pub const REPOSITORY: SectionKeys =
    SectionKeys { header: "repository", groups: &[PLACE, S3], sections: &[], named: true };

/// `[repository.NAME]`
pub const COPIES: SectionKeys =
    SectionKeys { header: "repository.NAME", groups: &[PLACE, S3, COPY], sections: &[KEPT], named: false };

/// `[instance.NAME]`
pub const INSTANCE: SectionKeys = SectionKeys {
    header: "instance.NAME",
    groups: &[ODOO, DATABASE, FILESTORE, BACKUP, ROUTINE],
    sections: INSIDE,
    named: false,
};

/// `[instance.NAME.retention]`
pub const RETENTION: SectionKeys =
    SectionKeys { header: "instance.NAME.retention", groups: &[SLOTS, LIMITS], sections: &[], named: false };

/// `[instance.NAME.check]`
pub const CHECK: SectionKeys =
    SectionKeys { header: "instance.NAME.check", groups: &[CHECK_ROUTINE], sections: &[], named: false };

/// `[instance.NAME.drill]`
pub const DRILL: SectionKeys =
    SectionKeys { header: "instance.NAME.drill", groups: &[SCRATCH], sections: &[], named: false };

/// `[target.NAME]`
pub const TARGET: SectionKeys = SectionKeys {
    header: "target.NAME",
    groups: &[ODOO, DATABASE, FILESTORE, SOURCE, NEUTRAL, ANONYMITY, TRUST],
    sections: &[HOOKED],
    named: false,
};

/// `[instance.NAME.hooks]`
pub const INSTANCE_HOOKS: SectionKeys =
    SectionKeys { header: "instance.NAME.hooks", groups: &[CALLS], sections: &[], named: false };

/// `[target.NAME.hooks]`
pub const TARGET_HOOKS: SectionKeys =
    SectionKeys { header: "target.NAME.hooks", groups: &[CALLS], sections: &[], named: false };

/// `[daemon]`
pub const DAEMON: SectionKeys = SectionKeys { header: "daemon", groups: &[SERVICE], sections: &[], named: false };

/// `[target.NAME.anonymize]`
pub const ANONYMIZE: SectionKeys =
    SectionKeys { header: "target.NAME.anonymize", groups: &[ANONYMIZATION], sections: &[], named: false };

/// `[[notify]]`
pub const NOTIFY: SectionKeys =
    SectionKeys { header: "notify", groups: &[RECEIVER, WEBHOOK, PING, TELEGRAM, MAIL], sections: &[], named: false };

const fn section(name: &'static str, about: &'static str, also: &'static [&'static str]) -> Key {
    Key { name, kind: "section", default: "", about, example: "", also }
}

const SECTIONS: &[Key] = &[
    section("repository", "Where backups are kept", &["storage", "destination", "store", "s3"]),
    section("instance", "One Odoo database and its filestore", &["instances", "source", "database", "odoo"]),
    section("target", "A place to restore to", &["targets", "restore"]),
    section("daemon", "The service that runs the schedules", &["service", "server", "scheduler", "http"]),
    section(
        "notify",
        "Who receives notices of the daemon",
        &["notification", "notifications", "notifier", "alert", "alerts"],
    ),
];

const KEPT: Key =
    section("retention", "Which of its backups are kept", &["keep", "policy", "prune", "rotation", "forget"]);

const HOOKED: Key = section("hooks", "Programs that run before and after", &["hook", "scripts", "commands"]);

const INSIDE: &[Key] = &[
    KEPT,
    HOOKED,
    section("check", "When the daemon checks its backups", &["verify", "verification"]),
    section("drill", "When and where its backups are restored for verification", &["drills", "rehearsal", "scratch"]),
];
