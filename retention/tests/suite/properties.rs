//! What must hold of every plan.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use retention::{Backup, Figures, Plan, Policy, Reason, Rule, Situation, Tier, Verdict, plan};

/// Zones with rules of every kind: shifts of an hour and of half an hour, in either hemisphere, at
/// midnight, none at all.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Brussels",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Pacific/Apia",
];

/// Late in 2011: Samoa had no 30 December, Brazil shifted at midnight, and ISO week 52 of 2011
/// ended on 1 January.
const START: &str = "2011-10-01T00:00:00Z";
const NOW: &str = "2012-11-01T00:00:00Z";

/// Any policy that keeps something, with few slots so that backups compete for them.
pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let within = prop::option::of(1i64..400);
    let counts = prop::array::uniform6(prop_oneof![Just(0), 1u32..5]);
    (within, counts, prop::sample::select(&ZONES[..])).prop_map(|(within, counts, zone)| {
        let [keep_last, hourly, daily, weekly, monthly, yearly] = counts;
        Policy {
            keep_last: if within.is_none() && counts == [0; 6] { 1 } else { keep_last },
            keep_within: within.map(|hours| SignedDuration::from_hours(hours).try_into().unwrap()),
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            timezone: Some(zone.parse().unwrap()),
            ..Policy::empty()
        }
    })
}

/// Up to forty backups within a year or two, some close together, some in the future, some of one
/// moment.
fn backups() -> impl Strategy<Value = Vec<Backup>> {
    let moment = prop_oneof![0i64..600_000, 500_000i64..520_000, 569_000i64..571_000];
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.2), prop::bool::weighted(0.3));
    let figures = prop::option::of(1u64..1000);
    let drawn = (moment, flags, figures).prop_map(|(minutes, (pinned, proven, warned), rows)| {
        let created_at = start() + SignedDuration::from_mins(minutes);
        let figures = Figures { rows, ..Figures::default() };
        Backup { pinned, proven, warned, figures, ..Backup::new("", "production", created_at) }
    });
    prop::collection::vec(drawn, 0..40).prop_map(|mut backups| {
        backups.iter_mut().enumerate().for_each(|(index, backup)| backup.id = format!("{index:02}"));
        backups
    })
}

/// With and without a schedule and accepted figures, so that holds come and go.
fn situations() -> impl Strategy<Value = Situation> {
    let interval = prop::option::of((1i64..200).prop_map(SignedDuration::from_hours));
    let accepted = prop::option::of((0i64..600_000).prop_map(|minutes| start() + SignedDuration::from_mins(minutes)));
    (interval, accepted).prop_map(|(interval, figures_accepted)| Situation {
        interval,
        figures_accepted,
        ..Situation::at(now())
    })
}

fn start() -> Timestamp {
    START.parse().unwrap()
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Returns the plan where no hold can stand, so that the rules alone decide.
fn by_rules(policy: &Policy, backups: &[Backup]) -> Plan {
    let policy = Policy { hold_if_shrunk: "100%".parse().unwrap(), ..policy.clone() };
    plan(&policy, backups, &Situation::at(now())).unwrap()
}

fn kept(plan: &Plan) -> BTreeSet<String> {
    plan.kept().map(|decision| decision.id.clone()).collect()
}

/// Each backup with each reason that keeps it, from the newest to the oldest.
pub(crate) fn rules_of(plan: &Plan) -> impl Iterator<Item = (String, Reason)> + '_ {
    plan.decisions.iter().flat_map(|decision| {
        let reasons = match &decision.verdict {
            Verdict::Keep { reasons } => reasons.clone(),
            Verdict::Remove => Vec::new(),
        };
        reasons.into_iter().map(|reason| (decision.id.clone(), reason))
    })
}

fn without_removed(backups: &[Backup], plan: &Plan) -> Vec<Backup> {
    let kept = kept(plan);
    backups.iter().filter(|backup| kept.contains(&backup.id)).cloned().collect()
}

proptest! {
    #[test]
    fn guaranteed_backups_stay(
        policy in policies(), backups in backups(), situation in situations(),
    ) {
        let plan = plan(&policy, &backups, &situation).unwrap();
        let kept = kept(&plan);
        let present = || backups.iter().filter(|backup| backup.created_at <= situation.now);
        let newest = present().max_by_key(|backup| (backup.created_at, &backup.id));
        let newest_clean = present().filter(|b| !b.warned).max_by_key(|backup| (backup.created_at, &backup.id));
        let newest_proven = present().filter(|b| b.proven).max_by_key(|backup| (backup.created_at, &backup.id));
        for backup in newest.into_iter().chain(newest_clean).chain(newest_proven) {
            prop_assert!(kept.contains(&backup.id), "{backup:?}");
        }
        for backup in backups.iter().filter(|backup| backup.pinned || backup.created_at > situation.now) {
            prop_assert!(kept.contains(&backup.id), "{backup:?}");
        }
    }

    #[test]
    fn every_backup_has_one_decision(
        policy in policies(), backups in backups(), situation in situations(),
    ) {
        let plan = plan(&policy, &backups, &situation).unwrap();
        prop_assert!(plan.decisions.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at));
        let decided: BTreeSet<&String> = plan.decisions.iter().map(|decision| &decision.id).collect();
        prop_assert_eq!(decided, backups.iter().map(|backup| &backup.id).collect());
        prop_assert_eq!(plan.decisions.len(), backups.len());
        for decision in plan.kept() {
            let unexplained = matches!(&decision.verdict, Verdict::Keep { reasons } if reasons.is_empty());
            prop_assert!(!unexplained, "{decision:?}");
        }
    }

    #[test]
    fn hold_removes_nothing(policy in policies(), backups in backups(), situation in situations()) {
        let plan = plan(&policy, &backups, &situation).unwrap();
        prop_assert!(plan.holds.is_empty() || plan.removals().count() == 0);
        let held = rules_of(&plan).filter(|(_, reason)| *reason == Reason::Held).count();
        prop_assert_eq!(held, if plan.holds.is_empty() { 0 } else { by_rules(&policy, &backups).removals().count() });
    }

    #[test]
    fn plan_applied_twice_is_stable(policy in policies(), backups in backups(), situation in situations()) {
        let first = plan(&policy, &backups, &situation).unwrap();
        let left = without_removed(&backups, &first);
        let second = plan(&policy, &left, &situation).unwrap();
        prop_assert_eq!(second.removals().count(), 0);
        // And for the same reasons: nothing moves up into a slot that was given.
        let left = without_removed(&backups, &by_rules(&policy, &backups));
        prop_assert!(rules_of(&by_rules(&policy, &left)).eq(rules_of(&by_rules(&policy, &backups))));
    }

    #[test]
    fn order_of_list_is_ignored(
        policy in policies(), situation in situations(),
        (backups, shuffled) in backups().prop_flat_map(|backups| (Just(backups.clone()), Just(backups).prop_shuffle())),
    ) {
        prop_assert_eq!(plan(&policy, &backups, &situation).unwrap(), plan(&policy, &shuffled, &situation).unwrap());
    }

    /// What a rule keeps depends on that rule alone: the plan keeps exactly what its rules keep one
    /// by one.
    #[test]
    fn rules_are_independent(policy in policies(), backups in backups()) {
        let alone = |change: &dyn Fn(&mut Policy)| {
            let mut one = Policy { timezone: policy.timezone.clone(), ..Policy::empty() };
            change(&mut one);
            if one.validate().is_err() { BTreeSet::new() } else { kept(&by_rules(&one, &backups)) }
        };
        let parts = [
            alone(&|one| one.keep_last = policy.keep_last),
            alone(&|one| one.keep_within = policy.keep_within),
            alone(&|one| one.hourly = policy.hourly),
            alone(&|one| one.daily = policy.daily),
            alone(&|one| one.weekly = policy.weekly),
            alone(&|one| one.monthly = policy.monthly),
            alone(&|one| one.yearly = policy.yearly),
        ];
        prop_assert_eq!(kept(&by_rules(&policy, &backups)), parts.into_iter().flatten().collect());
    }

    #[test]
    fn more_slots_never_keep_fewer(policy in policies(), backups in backups(), more in prop::array::uniform6(0u32..3)) {
        let [keep_last, hourly, daily, weekly, monthly, yearly] = more;
        let wider = Policy {
            keep_last: policy.keep_last + keep_last,
            hourly: policy.hourly + hourly,
            daily: policy.daily + daily,
            weekly: policy.weekly + weekly,
            monthly: policy.monthly + monthly,
            yearly: policy.yearly + yearly,
            ..policy.clone()
        };
        prop_assert!(kept(&by_rules(&policy, &backups)).is_subset(&kept(&by_rules(&wider, &backups))));
    }

    #[test]
    fn warned_backups_displace_no_clean_ones(policy in policies(), backups in backups()) {
        let (warned, clean): (Vec<Backup>, Vec<Backup>) = backups.iter().cloned().partition(|backup| backup.warned);
        let with = kept(&by_rules(&policy, &backups));
        // A proven backup with warnings is the newest proven one all the same; that guarantee is
        // not a matter of slots.
        let proofs_apart: Vec<Backup> = clean.into_iter().map(|backup| Backup { proven: false, ..backup }).collect();
        let without = kept(&by_rules(&policy, &proofs_apart));
        prop_assert!(without.is_subset(&with), "{without:?} {with:?} {warned:?}");
    }

    /// "Adding a backup never makes an older kept one of a longer period vanish for a shorter
    /// period's sake", said exactly: a backup loses the slot of a period either to the added one
    /// within that same period, which is newer, or has no warnings where the loser has some; or
    /// because the added one opened a period of the same tier and the loser's was the last to have
    /// a slot. Periods of other tiers play no part.
    #[test]
    fn slots_are_lost_within_tier_only(
        policy in policies(), backups in backups(), pick in any::<prop::sample::Index>(),
    ) {
        prop_assume!(!backups.is_empty());
        let mut before = backups.clone();
        let added = before.swap_remove(pick.index(backups.len()));
        prop_assume!(added.created_at <= now());
        let zone = policy.zone().rules();

        let slots = |backups: &[Backup]| -> Vec<(String, retention::Period)> {
            rules_of(&by_rules(&policy, backups))
                .filter_map(|(id, reason)| match reason {
                    Reason::Rule(Rule::Slot(period)) => Some((id, period)),
                    _ => None,
                })
                .collect()
        };
        let (had, has) = (slots(&before), slots(&backups));
        for (id, period) in had.iter().filter(|slot| !has.contains(slot)) {
            let tier = period.tier();
            let loser = before.iter().find(|backup| backup.id == *id).unwrap();
            let newer = (added.created_at, &added.id) > (loser.created_at, &loser.id);
            if tier.period(added.created_at, zone) == *period {
                prop_assert!((newer && (!added.warned || loser.warned)) || (loser.warned && !added.warned));
            } else {
                let opened = before.iter().filter(|backup| backup.created_at <= now())
                    .all(|backup| tier.period(backup.created_at, zone) != tier.period(added.created_at, zone));
                let of_tier = || had.iter().filter(|(_, period)| period.tier() == tier);
                prop_assert!(newer && opened);
                prop_assert_eq!(of_tier().next_back().map(|(_, last)| last), Some(period));
                prop_assert_eq!(of_tier().count(), policy.slots(tier) as usize);
            }
        }
    }

    /// Pruning after every backup leaves what one pruning at the end would have left: no backup
    /// that a longer period will need is lost on the way for want of a slot in a shorter one.
    #[test]
    fn repeated_pruning_loses_nothing(policy in policies(), backups in backups()) {
        let rules = |backups: &[Backup]| -> BTreeSet<(String, String)> {
            rules_of(&by_rules(&policy, backups))
                .filter(|(_, reason)| matches!(reason, Reason::Rule(_) | Reason::RuleAmongClean(_)))
                .map(|(id, reason)| (id, reason.to_string()))
                .collect()
        };
        let mut all: Vec<Backup> = backups.into_iter().filter(|backup| backup.created_at <= now()).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let mut left: Vec<Backup> = Vec::new();
        for (index, backup) in all.iter().enumerate() {
            left.push(backup.clone());
            left = without_removed(&left, &by_rules(&policy, &left));
            prop_assert_eq!(rules(&left), rules(&all[..=index]));
        }
    }
}

#[test]
fn zones_and_tiers_of_properties_exist() {
    assert!(ZONES.iter().all(|zone| zone.parse::<retention::Zone>().is_ok()));
    assert_eq!(Tier::ALL.len(), 5);
}
