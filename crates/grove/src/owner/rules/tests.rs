//! Stories of owners: when their machines are lent, and why not.

use super::*;

const NOW: Millis = Millis(1_000_000_000);
const AWAY: Millis = Millis(NOW.0 - 3_600_000);

/// The owner left an hour ago, and all is well.
fn calm() -> Signs {
    Signs {
        now: NOW,
        minute: 12 * 60,
        sight: Sight::Input { at: AWAY, probe: "test".into() },
        load: Some(3),
        on_battery: Some(false),
        on_metered: Some(false),
        celsius: Some(50),
        memory_free: Some(8 << 30),
        disk_free: Some(80 << 30),
        program: None,
        asked: None,
    }
}

fn judge() -> Judge {
    Judge::new(Rules { hours: Some("9-18".parse().unwrap()), ..Rules::default() })
}

fn why(verdict: Verdict) -> Option<Why> {
    match verdict {
        Verdict::Lend => None,
        Verdict::Pause(pause) => Some(pause.why),
    }
}

#[test]
fn a_machine_that_is_left_alone_lends_and_one_that_cannot_be_looked_at_does_too() {
    assert_eq!(judge().judge(&calm()), Verdict::Lend);
    let unknown = Signs {
        sight: Sight::Nobody,
        load: None,
        on_battery: None,
        on_metered: None,
        celsius: None,
        memory_free: None,
        disk_free: None,
        ..calm()
    };
    assert_eq!(judge().judge(&unknown), Verdict::Lend);
}

#[test]
fn the_first_key_stops_it_and_five_minutes_without_one_let_it_go_on() {
    let mut judge = judge();
    let touched = |now: Millis| Signs { now, sight: Sight::Input { at: NOW, probe: "test".into() }, ..calm() };
    assert_eq!(judge.judge(&calm()), Verdict::Lend);
    let pause = Pause { why: Why::Input { at: NOW, probe: "test".into() }, until: Some(NOW.plus(Millis(300_000))) };
    assert_eq!(judge.judge(&touched(NOW.plus(Millis(12_000)))), Verdict::Pause(pause.clone()));
    assert_eq!(pause.text(NOW.plus(Millis(12_000))), "keyboard or mouse 12 s ago (probe: test)");
    assert!(pause.until_text(NOW.plus(Millis(12_000))).ends_with(" more without input"));
    assert!(why(judge.judge(&touched(NOW.plus(Millis(299_999))))).is_some());
    assert_eq!(judge.judge(&touched(NOW.plus(Millis(300_000)))), Verdict::Lend);
}

#[test]
fn each_rule_says_no_for_itself() {
    let blind = || "KDE".to_owned();
    let cases = [
        (Signs { sight: Sight::Blind { why: blind() }, ..calm() }, Why::Blind { why: blind() }),
        (Signs { on_battery: Some(true), ..calm() }, Why::Battery),
        (Signs { on_metered: Some(true), ..calm() }, Why::Metered),
        (Signs { celsius: Some(86), ..calm() }, Why::Hot { celsius: 86 }),
        (Signs { memory_free: Some(1 << 20), ..calm() }, Why::Memory { free: 1 << 20 }),
        (Signs { disk_free: Some(1), ..calm() }, Why::Disk { free: 1 }),
        (Signs { program: Some("game".into()), ..calm() }, Why::Program { name: "game".into() }),
        (Signs { minute: 18 * 60, ..calm() }, Why::Hours { hours: "9-18".parse().unwrap() }),
        (Signs { asked: Some(Asked { until: None }), ..calm() }, Why::Asked),
    ];
    for (signs, expect) in cases {
        let Verdict::Pause(pause) = judge().judge(&signs) else { panic!("{expect:?}") };
        assert!(!pause.text(NOW).is_empty() && !pause.until_text(NOW).is_empty() && !pause.hint().is_empty());
        assert_eq!(pause.why, expect);
    }
}

#[test]
fn what_the_owner_waives_is_no_reason() {
    let rules = Rules { heeds_owner: false, on_battery: true, on_metered: true, ..Rules::default() };
    let signs = Signs {
        sight: Sight::Input { at: NOW, probe: "test".into() },
        load: Some(100),
        on_battery: Some(true),
        on_metered: Some(true),
        ..calm()
    };
    let mut judge = Judge::new(rules);
    assert_eq!(judge.judge(&signs), Verdict::Lend);
    assert_eq!(judge.judge(&Signs { now: NOW.plus(Millis(60_000)), ..signs.clone() }), Verdict::Lend);
    let asked = Signs { asked: Some(Asked { until: None }), ..signs };
    assert_eq!(why(judge.judge(&asked)), Some(Why::Asked), "a pause that was asked for holds for everybody");
}

#[test]
fn a_pause_that_was_asked_for_ends_by_itself() {
    let mut judge = judge();
    let signs = |now| Signs { now, asked: Some(Asked { until: Some(NOW.plus(Millis(60_000))) }), ..calm() };
    assert_eq!(why(judge.judge(&signs(NOW))), Some(Why::Asked));
    assert_eq!(judge.judge(&signs(NOW.plus(Millis(60_000)))), Verdict::Lend);
}

#[test]
fn a_short_burst_of_other_work_is_borne_a_long_one_is_not_and_then_it_has_to_be_calm() {
    let mut judge = judge();
    let at = |seconds: u64, load: u32| Signs { now: NOW.plus(Millis(seconds * 1_000)), load: Some(load), ..calm() };
    assert_eq!(judge.judge(&at(0, 90)), Verdict::Lend);
    assert_eq!(judge.judge(&at(2, 10)), Verdict::Lend);
    assert_eq!(judge.judge(&at(3, 90)), Verdict::Lend);
    assert_eq!(why(judge.judge(&at(7, 90))), Some(Why::Load { percent: 90 }));
    assert_eq!(why(judge.judge(&at(9, 25))), Some(Why::Load { percent: 25 }), "a little less is not enough");
    assert_eq!(why(judge.judge(&at(11, 5))), Some(Why::Load { percent: 25 }), "and not at once");
    assert_eq!(why(judge.judge(&at(38, 5))), Some(Why::Load { percent: 25 }));
    assert_eq!(judge.judge(&at(39, 5)), Verdict::Lend);
    assert_eq!(judge.judge(&at(40, 25)), Verdict::Lend);
}

#[test]
fn heat_has_to_go_down_well_below_the_limit() {
    let mut judge = judge();
    let at =
        |seconds: u64, celsius: u32| Signs { now: NOW.plus(Millis(seconds * 1_000)), celsius: Some(celsius), ..calm() };
    assert_eq!(judge.judge(&at(0, 85)), Verdict::Lend);
    assert_eq!(why(judge.judge(&at(1, 90))), Some(Why::Hot { celsius: 90 }));
    assert_eq!(why(judge.judge(&at(60, 80))), Some(Why::Hot { celsius: 80 }));
    assert_eq!(judge.judge(&at(91, 77)), Verdict::Lend);
}

#[test]
fn hours_go_over_midnight_and_say_when_they_begin() {
    let night: Hours = "22-7".parse().unwrap();
    let minutes = [(22, true), (23, true), (0, true), (6, true), (7, false), (12, false), (21, false)];
    minutes.iter().for_each(|(hour, holds)| assert_eq!(night.hold(hour * 60), *holds, "{hour}"));
    let day: Hours = "9:30-17".parse().unwrap();
    assert!(!day.hold(9 * 60 + 29) && day.hold(9 * 60 + 30) && !day.hold(17 * 60));
    assert!("0-24".parse::<Hours>().unwrap().hold(77), "all day");
    assert_eq!(night.opens(Millis(61_000), 21 * 60), Millis(60_000 + 3_600_000));
    assert_eq!(day.opens(Millis(0), 23 * 60), Millis((60 + 9 * 60 + 30) * 60_000));
    assert_eq!(night.to_string(), "22:00-7:00");
    for wrong in ["", "22", "25-7", "a-b", "9:60-10", "-1-3", "7-7", "0-0"] {
        assert!(wrong.parse::<Hours>().unwrap_err().to_string().contains("hint: for instance 22-7"), "{wrong}");
    }
}
