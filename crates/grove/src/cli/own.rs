//! This machine's own lenders, as `status` and `why` tell of them. A lender listens nowhere: what it says lies in its
//! folder.

use super::say;
use crate::amount::time_text;
use crate::config::Settings;
use crate::owner::{self, Note};
use grove_core::units::Millis;

/// How each lender of this folder is.
pub(super) fn notes(settings: &Settings) -> Vec<Note> {
    owner::notes(settings.home.path())
}

/// One paragraph each; nothing where nothing is lent.
pub(super) fn lines(notes: &[Note], now: Millis) -> Vec<String> {
    notes.iter().flat_map(|note| of(note, now)).collect()
}

fn of(note: &Note, now: Millis) -> Vec<String> {
    let slots = say::many(note.slots.into(), "slot");
    let since = time_text(now.since(note.since));
    let mut lines = match (&note.pause, &note.others) {
        (None, Some(others)) => vec![
            format!(
                "this machine lends {slots} to your own jobs, and none to others, since {since}: {}; {}",
                others.text(now),
                others.until_text(now)
            ),
            "  hint: `grove config set always yes` lends to others while you are here too".to_owned(),
        ],
        (None, None) => vec![format!("this machine lends {slots}, since {since} (probe: {})", note.probe)],
        (Some(pause), _) => vec![
            format!("this machine lends nothing, since {since}: {}; {}", pause.text(now), pause.until_text(now)),
            format!("  hint: {}", pause.hint()),
        ],
    };
    if !note.limits.is_empty() {
        lines.push(format!("  within: {}", note.limits.join("; ")));
    }
    if let Some(ms) = note.compiling_ms {
        lines.push(format!("  a tool is being compiled, for {} so far; that is done once", time_text(Millis(ms))));
    }
    let returns = note.returns;
    if returns.count > 0 {
        lines.push(format!(
            "  you came back {}: everything stood still after {} ms (99 %: {} ms), nothing was left after {} ms (99 %: {} ms)",
            if returns.count == 1 { "once".to_owned() } else { format!("{} times", returns.count) },
            returns.frozen_p50_ms,
            returns.frozen_p99_ms,
            returns.free_p50_ms,
            returns.free_p99_ms,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::Returns;
    use crate::owner::rules::{Pause, Why};

    #[test]
    fn an_owner_reads_why_and_how_fast() {
        let note = Note {
            v: 1,
            pid: 1,
            slots: 2,
            limits: vec!["2 cores".into()],
            compiling_ms: None,
            since: Millis(0),
            pause: None,
            others: None,
            probe: "mutter".into(),
            returns: Returns::default(),
        };
        assert_eq!(
            lines(std::slice::from_ref(&note), Millis(60_000)),
            ["this machine lends 2 slots, since 1m 00s (probe: mutter)", "  within: 2 cores"]
        );
        let why = Why::Input { at: Millis(48_000), probe: "mutter".into() };
        let pause = Some(Pause { why, until: Some(Millis(348_000)) });
        let own_only = Note { others: pause.clone(), ..note.clone() };
        assert!(
            lines(&[own_only], Millis(60_000))[0]
                .starts_with("this machine lends 2 slots to your own jobs, and none to others")
        );
        let returns = Returns {
            count: 1,
            frozen_p50_ms: 60,
            frozen_p99_ms: 60,
            free_p50_ms: 70,
            free_p99_ms: 70,
            ..note.returns
        };
        let lines = lines(&[Note { pause, returns, ..note }], Millis(60_000));
        assert_eq!(
            lines[0],
            "this machine lends nothing, since 1m 00s: keyboard or mouse 12 s ago (probe: mutter); for 4m 48s more without input"
        );
        assert!(
            lines[1].contains("hint: ") && lines[3].contains("you came back once: everything stood still after 60 ms")
        );
    }
}
