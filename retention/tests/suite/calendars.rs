//! Plans to read as calendars. The marks: `d`, `w`, `m`, `y` for a slot, `o` for the oldest, `l`
//! last, `i` within, `N` newest, `P` newest proven, `K` pinned, `F` future, `H` held, `-` removed.

use jiff::civil::date;
use retention::{Backup, Policy, Situation, Zone, plan};

use crate::{backup_at, calendar::assert_drawn, one_a_day, policy};

fn after_the_newest(backups: &[Backup]) -> Situation {
    Situation::at(backups.last().unwrap().created_at)
}

#[test]
fn first_month_under_default_policy() {
    let zone = Zone::utc();
    let backups = one_a_day(date(2026, 11, 2), date(2026, 11, 21), "02:00", zone.rules());
    let plan = plan(&Policy::default(), &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2 o      3 -      4 -      5 -      6 -      7 -      8 w
        W46   9 -     10 -     11 -     12 -     13 -     14 -     15 dw
        W47  16 d     17 d     18 d     19 d     20 d     21 Ndwm  22
        W48  23       24       25       26       27       28       29
        W49  30
        ",
    );
}

#[test]
fn year_of_53_weeks_turns() {
    let zone: Zone = "Europe/Brussels".parse().unwrap();
    let backups = one_a_day(date(2026, 12, 1), date(2027, 1, 12), "02:00", zone.rules());
    let policy = policy("daily = 3\nweekly = 4\nmonthly = 2\nyearly = 2\ntimezone = \"Europe/Brussels\"");
    let plan = plan(&policy, &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        December 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W49            1 -      2 -      3 -      4 -      5 -      6 -
        W50   7 -      8 -      9 -     10 -     11 -     12 -     13 -
        W51  14 -     15 -     16 -     17 -     18 -     19 -     20 -
        W52  21 -     22 -     23 -     24 -     25 -     26 -     27 w
        W53  28 -     29 -     30 -     31 my

        January 2027
             Mo       Tu       We       Th       Fr       Sa       Su
        W53                                       1 -      2 -      3 w
        W01   4 -      5 -      6 -      7 -      8 -      9 -     10 dw
        W02  11 d     12 Ndwmy 13       14       15       16       17
        W03  18       19       20       21       22       23       24
        W04  25       26       27       28       29       30       31
        ",
    );
}

#[test]
fn days_without_backup_take_no_slots() {
    let zone = Zone::utc();
    let mut backups = one_a_day(date(2026, 10, 19), date(2026, 10, 30), "02:00", zone.rules());
    backups.extend(one_a_day(date(2026, 11, 18), date(2026, 11, 20), "02:00", zone.rules()));
    let plan = plan(&policy("daily = 5\nweekly = 2"), &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        October 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W40                              1        2        3        4
        W41   5        6        7        8        9       10       11
        W42  12       13       14       15       16       17       18
        W43  19 -     20 -     21 -     22 -     23 -     24 -     25 -
        W44  26 -     27 -     28 -     29 d     30 dw    31

        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2        3        4        5        6        7        8
        W46   9       10       11       12       13       14       15
        W47  16       17       18 d     19 d     20 Ndw   21       22
        W48  23       24       25       26       27       28       29
        W49  30
        ",
    );
}

#[test]
fn samoa_had_no_30_december_2011() {
    let zone: Zone = "Pacific/Apia".parse().unwrap();
    let start = backup_at(date(2011, 12, 26), "12:00", zone.rules()).created_at;
    let backups: Vec<Backup> =
        (0..9).map(|days| crate::backup(start + jiff::SignedDuration::from_hours(24 * days))).collect();
    let policy = policy("daily = 4\nweekly = 2\nmonthly = 1\ntimezone = \"Pacific/Apia\"");
    let plan = plan(&policy, &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        December 2011
             Mo       Tu       We       Th       Fr       Sa       Su
        W48                              1        2        3        4
        W49   5        6        7        8        9       10       11
        W50  12       13       14       15       16       17       18
        W51  19       20       21       22       23       24       25
        W52  26 -     27 -     28 -     29 -     30       31 -

        January 2012
             Mo       Tu       We       Th       Fr       Sa       Su
        W52                                                         1 dw
        W01   2 d      3 d      4 Ndwm   5        6        7        8
        W02   9       10       11       12       13       14       15
        W03  16       17       18       19       20       21       22
        W04  23       24       25       26       27       28       29
        W05  30       31
        ",
    );
}

#[test]
fn week_of_warnings_displaces_nothing() {
    let zone = Zone::utc();
    let mut backups = one_a_day(date(2026, 11, 2), date(2026, 11, 21), "02:00", zone.rules());
    backups[12..].iter_mut().for_each(|backup| backup.warned = true);
    let plan = plan(&policy("daily = 3\nweekly = 1"), &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2 -      3 -      4 -      5 -      6 -      7 -      8 -
        W46   9 -     10 -     11 d     12 d     13 dw    14 -     15 -
        W47  16 -     17 -     18 -     19 d     20 d     21 Ndw   22
        W48  23       24       25       26       27       28       29
        W49  30
        ",
    );
}

#[test]
fn special_backups_stay_without_slots() {
    let zone = Zone::utc();
    let mut backups = one_a_day(date(2026, 11, 2), date(2026, 11, 21), "02:00", zone.rules());
    let situation = after_the_newest(&backups);
    backups[1].pinned = true;
    backups[5].proven = true;
    backups[9].proven = true;
    backups.push(backup_at(date(2026, 11, 28), "02:00", zone.rules()));
    let plan = plan(&policy("daily = 3"), &backups, &situation).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2 -      3 K      4 -      5 -      6 -      7 -      8 -
        W46   9 -     10 -     11 P     12 -     13 -     14 -     15 -
        W47  16 -     17 -     18 -     19 d     20 d     21 Nd    22
        W48  23       24       25       26       27       28 F     29
        W49  30
        ",
    );
}

#[test]
fn last_and_recent_are_kept() {
    let zone = Zone::utc();
    let backups = one_a_day(date(2026, 11, 2), date(2026, 11, 21), "02:00", zone.rules());
    let plan = plan(&policy("keep_last = 2\nkeep_within = \"1 week\""), &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2 -      3 -      4 -      5 -      6 -      7 -      8 -
        W46   9 -     10 -     11 -     12 -     13 -     14 -     15 i
        W47  16 i     17 i     18 i     19 i     20 li    21 Nli   22
        W48  23       24       25       26       27       28       29
        W49  30
        ",
    );
}

#[test]
fn hold_keeps_all() {
    let zone = Zone::utc();
    let mut backups = one_a_day(date(2026, 11, 2), date(2026, 11, 21), "02:00", zone.rules());
    backups.iter_mut().for_each(|backup| backup.figures.rows = Some(1000));
    backups[19].figures.rows = Some(10);
    let plan = plan(&policy("daily = 3\nweekly = 2"), &backups, &after_the_newest(&backups)).unwrap();
    assert_drawn(
        &plan,
        zone.rules(),
        "
        November 2026
             Mo       Tu       We       Th       Fr       Sa       Su
        W44                                                         1
        W45   2 H      3 H      4 H      5 H      6 H      7 H      8 H
        W46   9 H     10 H     11 H     12 H     13 H     14 H     15 w
        W47  16 H     17 H     18 H     19 d     20 d     21 Ndw   22
        W48  23       24       25       26       27       28       29
        W49  30
        ",
    );
}
