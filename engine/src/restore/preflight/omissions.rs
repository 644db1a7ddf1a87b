//! What a restore leaves out of a dump, and why: what a copy must not have, and what the server or
//! the role does not support.

use std::collections::HashSet;

use crate::error::Obstacle;
use crate::postgres::{
    self, Abilities, ArchiveEntry, LeftOut, PostgresError, Session, SourceFacts, Special, SpecialKind, with_dependents,
};
use crate::restore::TargetIdentity;
use crate::restore::target::Target;

/// Returns whether a restore makes a copy that lives next to its original. Such a copy is
/// neutralized.
pub(in crate::restore) fn is_copy(target: &Target, identity: TargetIdentity) -> bool {
    identity == TargetIdentity::Copy && target.neutralize.is_some()
}

/// A server and a role that receive the dump.
#[derive(Debug)]
pub(in crate::restore) struct Taker {
    can: Abilities,
    role: String,
    /// The needed roles that the server has.
    roles: HashSet<String>,
    /// The result of [`is_copy`].
    is_copy: bool,
}

/// Why something is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::restore) struct OmissionReason {
    pub(in crate::restore) why: String,
    /// Whether to warn. What a copy never has needs no warning.
    pub(in crate::restore) warns: bool,
}

impl Taker {
    /// Asks the server.
    pub(in crate::restore) async fn ask(
        server: &Session,
        specials: &[Special],
        is_copy: bool,
    ) -> Result<Self, PostgresError> {
        let can = postgres::abilities(server).await?;
        let wanted: Vec<&String> = specials.iter().flat_map(|special| &special.roles).collect();
        let roles = postgres::known_roles(server, &wanted).await?;
        Ok(Self { can, role: server.endpoint().user.clone(), roles, is_copy })
    }

    /// Returns why an object is left out; `None`: it is restored.
    pub(in crate::restore) fn leaves_out(&self, special: &Special) -> Option<OmissionReason> {
        use SpecialKind::{EventTrigger, Publication, SecurityLabel, Subscription};
        let warns = |why: String| Some(OmissionReason { why, warns: true });
        if self.is_copy && matches!(special.kind, Publication | Subscription | EventTrigger | SecurityLabel) {
            return Some(OmissionReason { why: "a neutralized copy has none".into(), warns: false });
        }
        if special.kind == SecurityLabel {
            return warns("unable to tell whether the server has the module that reads it".into());
        }
        if special.superuser && !self.can.is_superuser {
            return warns(format!("only a superuser may create it, not {:?}", self.role));
        }
        let missing: Vec<_> = special.roles.iter().filter(|role| !self.roles.contains(*role)).collect();
        let names: Vec<_> = missing.iter().map(|role| format!("{role:?}")).collect();
        match missing.len() {
            0 => None,
            1 => warns(format!("the server has no role {}", names.join(", "))),
            _ => warns(format!("the server has no roles {}", names.join(", "))),
        }
    }
}

/// What of a dump is left out, and the warnings.
#[derive(Debug, Default)]
pub(in crate::restore) struct Omissions {
    pub(in crate::restore) left_out: Vec<LeftOut>,
    pub(in crate::restore) warnings: Vec<String>,
    /// Whether everything goes to the database's own tablespace.
    pub(in crate::restore) without_tablespaces: bool,
}

/// Decides what of a dump is left out.
pub(in crate::restore) async fn omissions(
    server: &Session,
    entries: &[ArchiveEntry],
    is_copy: bool,
) -> Result<Omissions, PostgresError> {
    let specials = entries.iter().filter_map(|entry| Some((entry.id, Special::of_entry(entry, entries)?)));
    let (ids, specials): (Vec<i64>, Vec<Special>) = specials.unzip();
    let taker = Taker::ask(server, &specials, is_copy).await?;
    let mut found = Omissions::default();
    let (mut reasons, mut kept_subscriptions) = (Vec::new(), Vec::new());
    for (id, special) in ids.iter().zip(&specials) {
        match taker.leaves_out(special) {
            Some(reason) => reasons.push((*id, reason)),
            None if special.kind == SpecialKind::Subscription => kept_subscriptions.push(special.name.as_str()),
            None => {}
        }
    }
    // Before PostgreSQL 15 the schema `public` belongs to the superuser, and no other role may
    // comment on it.
    if !taker.can.is_superuser && taker.can.major < 15 {
        let comments = entries.iter().filter(|entry| entry.kind == "COMMENT" && entry.name == "SCHEMA public");
        let why = "only the owner of the schema may write it";
        reasons.extend(comments.map(|entry| (entry.id, OmissionReason { why: why.into(), warns: false })));
    }
    let warned: HashSet<i64> = reasons.iter().filter(|(_, reason)| reason.warns).map(|(id, _)| *id).collect();
    let dependents = with_dependents(entries, reasons.iter().map(|(id, _)| *id));
    let named: HashSet<i64> = reasons.iter().map(|(id, _)| *id).collect();
    let mut ids: Vec<_> = reasons.into_iter().map(|(id, reason)| (id, reason.why)).collect();
    let mut others: Vec<_> = dependents.into_iter().filter(|id| !named.contains(id)).collect();
    others.sort_unstable();
    ids.extend(others.into_iter().map(|id| (id, "it depends on what was left out".to_owned())));
    found.left_out = LeftOut::of(entries, ids);
    found.warnings.extend(found.left_out.iter().filter(|one| warned.contains(&one.id)).map(LeftOut::to_string));
    for name in kept_subscriptions {
        found.warnings.push(format!(
            "the subscription {name:?} was restored disabled: ALTER SUBSCRIPTION … ENABLE where this server is to follow; a database with a subscription cannot be dropped"
        ));
    }
    let mut tablespaces: Vec<&str> = entries.iter().map(|entry| entry.tablespace.as_str()).collect();
    tablespaces.sort_unstable();
    tablespaces.dedup();
    tablespaces.retain(|name| !name.is_empty());
    if let Some(warning) = unusable_tablespaces(server, &tablespaces).await? {
        found.without_tablespaces = true;
        found.warnings.push(warning);
    }
    Ok(found)
}

/// Returns the warning about tablespaces that the server does not have, or that the role may not
/// use; `None` where there are none.
async fn unusable_tablespaces(server: &Session, names: &[&str]) -> Result<Option<String>, PostgresError> {
    let unusable = postgres::unusable_tablespaces(server, names).await?;
    let names: Vec<_> = unusable.iter().map(|name| format!("{name:?}")).collect();
    let warning = format!(
        "the tablespaces {} are not on the server, or the role may not use them: everything goes to the database's own tablespace",
        names.join(", ")
    );
    Ok((!names.is_empty()).then_some(warning))
}

/// Adds the obstacles and warnings for the source's special objects, before anything is created.
pub(in crate::restore) async fn preview(
    server: &Session,
    source: &SourceFacts,
    is_copy: bool,
) -> Result<(Vec<Obstacle>, Vec<Obstacle>), PostgresError> {
    let taker = Taker::ask(server, &source.specials, is_copy).await?;
    let (mut obstacles, mut warnings) = (Vec::new(), Vec::new());
    for special in &source.specials {
        if let Some(reason) = taker.leaves_out(special).filter(|reason| reason.warns) {
            let message =
                format!("the {} {} will be left out: {}", special.kind.name(), special.name.escape_debug(), reason.why);
            let hint = match special.roles.is_empty() {
                true => "restore as a superuser to keep it",
                false => "create the role to keep it",
            };
            warnings.push(Obstacle::new("objects", message, hint));
        }
    }
    let tablespaces: Vec<&str> = source.tablespaces.first.iter().map(String::as_str).collect();
    if let Some(message) = unusable_tablespaces(server, &tablespaces).await? {
        let hint = "create them, and GRANT CREATE ON TABLESPACE … to the role, to keep them";
        warnings.push(Obstacle::new("tablespaces", message, hint));
    }
    if !taker.can.is_superuser && !source.superuser_only.is_none() {
        let message = format!(
            "only a superuser, not {:?}, may create these objects of the database: {}",
            taker.role, source.superuser_only
        );
        obstacles.push(Obstacle::new("privileges", message, "restore as a superuser"));
    }
    if !taker.can.has_icu && !source.icu_collations.is_none() {
        let message = format!(
            "the server was built without ICU, which collations of the database need: {}",
            source.icu_collations
        );
        let hint = "restore into a server built with ICU, such as the PostgreSQL project's own packages";
        obstacles.push(Obstacle::new("locale", message, hint));
    }
    for locale in &source.locales.first {
        if !postgres::has_locale(server, locale).await? {
            let message = format!("a collation has the locale {locale:?}, which the server's system does not have");
            let hint = "add it there (Debian: `dpkg-reconfigure locales`), and restart PostgreSQL";
            obstacles.push(Obstacle::new("locale", message, hint));
        }
    }
    Ok((obstacles, warnings))
}
