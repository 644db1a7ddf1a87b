//! Tells whether the server supports the database, and the role may create it.

use super::Preflight;
use crate::error::Obstacle;
use crate::manifest::Manifest;
use crate::postgres::{
    Abilities, Extension, Locale, Member, Members, PostgresError, Session, abilities, find_extensions, has_locale,
    is_powerful, quote,
};
use crate::restore::Target;

pub(in crate::restore) async fn look(
    manifest: &Manifest,
    server: &Session,
    found: &mut Preflight,
) -> Result<(), PostgresError> {
    let can = abilities(server).await?;
    let role = &server.endpoint().user;
    if can.in_recovery {
        let hint = "restore to its primary";
        found.obstacles.push(Obstacle::new("server", "the server is a hot standby, which is read-only", hint));
    }
    if !can.creates_databases {
        // A role made for backups would own the copy, and Odoo could not use it.
        let hint = format!(
            "set `user` of the target to the role that Odoo connects as, because a copy belongs to the role that restores it; if that is {role:?}, run `ALTER ROLE {} CREATEDB` as a superuser",
            quote(role)
        );
        found.obstacles.push(Obstacle::new("privileges", format!("the role {role:?} may not create databases"), hint));
    }
    let source = manifest.server.major();
    if can.major < source {
        let message = format!(
            "the server is PostgreSQL {}, older than the {source} of the backup: if the dump needs a newer feature, the restore fails and changes nothing",
            can.major
        );
        let hint = format!("if it fails, restore into PostgreSQL {source} or later");
        found.warnings.push(Obstacle::new("version", message, hint));
    }
    found.obstacles.extend(provider(&manifest.server.locale, &can));
    found.obstacles.extend(locales(&manifest.server.locale, server).await?);
    // Every new database has it.
    let names = manifest.server.extensions.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "plpgsql");
    let extensions = find_extensions(server, &names.collect::<Vec<_>>()).await?;
    found.obstacles.extend(extensions.iter().filter_map(|one| extension(one, role, &can)));
    if let Some(source) = &manifest.source {
        found.warnings.extend(altered_members(&source.members, role, &can));
        found.obstacles.extend(needed_members(&source.members, role, &can));
    }
    Ok(())
}

/// Returns the warning about functions of extensions that were altered at the source for an index,
/// and that the role may not alter here.
pub(crate) fn altered_members(members: &Members, role: &str, can: &Abilities) -> Option<Obstacle> {
    // PostgreSQL does not record what calls its own functions.
    let matters = |one: &&Member| one.used || one.extension.is_none();
    let altered = members.functions.iter().filter(|one| one.altered && one.is_immutable()).filter(matters);
    let names: Vec<_> = altered.map(|one| one.function.escape_debug().to_string()).collect();
    let message = format!(
        "functions of extensions were altered at the source, which only a superuser, not {role:?}, may do here: {}; indexes that depend on the change are left out",
        names.join(", ")
    );
    let hint = "restore as a superuser, or create the indexes reported as left out by hand afterwards";
    (!names.is_empty() && !can.is_superuser).then(|| Obstacle::new("extensions", message, hint))
}

/// Returns the obstacle of altered functions that the role may not alter here, and that tables
/// need.
fn needed_members(members: &Members, role: &str, can: &Abilities) -> Option<Obstacle> {
    let needed = members.functions.iter().filter(|one| one.altered && one.needed && one.is_immutable());
    let names: Vec<_> = needed.map(|one| one.function.escape_debug().to_string()).collect();
    let message = format!(
        "generated columns or partition keys call functions of extensions that were altered at the source, which only a superuser, not {role:?}, may do here: {}",
        names.join(", ")
    );
    (!names.is_empty() && !can.is_superuser).then(|| Obstacle::new("extensions", message, "restore as a superuser"))
}

/// Checks whether the server knows the provider of the database's locale.
fn provider(locale: &Locale, can: &Abilities) -> Option<Obstacle> {
    let needed = match (locale.provider.as_str(), locale.locale.as_deref()) {
        ("builtin", Some("PG_UNICODE_FAST")) => 18,
        ("builtin", _) => 17,
        ("icu", _) if locale.rules.is_some() => 16,
        ("icu", _) => 15,
        _ => return None,
    };
    let Locale { provider, locale, .. } = locale;
    let locale = locale.as_deref().unwrap_or_default();
    if can.major < needed {
        let message = format!(
            "the database has the locale {locale:?} of {provider}, which PostgreSQL {} does not know",
            can.major
        );
        return Some(Obstacle::new("locale", message, format!("restore into PostgreSQL {needed} or later")));
    }
    let message = format!("the database has the locale {locale:?} of ICU, and the server was built without ICU");
    let hint = "restore into a server built with ICU, such as the PostgreSQL project's own packages";
    (provider == "icu" && !can.has_icu).then(|| Obstacle::new("locale", message, hint))
}

/// Checks whether the server's system has the locales that are needed in addition to a provider's.
async fn locales(locale: &Locale, server: &Session) -> Result<Vec<Obstacle>, PostgresError> {
    let mut names = vec![&locale.collate, &locale.ctype];
    names.dedup();
    let mut missing = Vec::new();
    for name in names {
        if !has_locale(server, name).await? {
            let message = format!("the database has the locale {name:?}, which the server's system does not have");
            let hint =
                "add it there (Debian: `dpkg-reconfigure locales`, or the package locales-all), and restart PostgreSQL";
            missing.push(Obstacle::new("locale", message, hint));
        }
    }
    Ok(missing)
}

fn extension(found: &Extension, role: &str, can: &Abilities) -> Option<Obstacle> {
    let Extension { name, is_available, is_for_owners } = found;
    if !is_available {
        let message = format!("the database has the extension {name}, which the server does not have");
        let hint = "install it there; most are in the package postgresql-contrib";
        return Some(Obstacle::new("extensions", message, hint));
    }
    let message = format!(
        "the database has the extension {name}, which on this server only a superuser, not {role:?}, may create"
    );
    let hint = format!(
        "DROP EXTENSION {} at the source where nothing needs it; or set `trusted = true` in its control file on the server",
        quote(name)
    );
    (!is_for_owners && !can.creates_extensions).then(|| Obstacle::new("extensions", message, hint))
}

/// Refuses a role that may run programs on its server or read its files: a dump runs code during
/// the restore, with these privileges.
pub(in crate::restore) async fn look_at_powers(
    target: &Target,
    server: &Session,
    found: &mut Preflight,
) -> Result<(), PostgresError> {
    if target.trusted || !is_powerful(server).await? {
        return Ok(());
    }
    let role = &server.endpoint().user;
    let message = format!(
        "the role {role:?} can run programs or read files on its server, and so could everyone who can write to the repository"
    );
    let hint = "set `user` to a role that is not a superuser; or, if you trust everyone who can write to the repository, add --trusted, or set `trusted = true` for the daemon";
    found.obstacles.push(Obstacle::new("trust", message, hint));
    Ok(())
}
