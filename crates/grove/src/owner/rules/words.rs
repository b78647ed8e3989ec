//! Why nothing is lent, as people read it.

use super::{Pause, Why};
use crate::amount::{bytes_text, time_text};
use grove_core::units::Millis;

impl Pause {
    /// For instance: `keyboard or mouse 12 s ago (probe: mutter)`.
    pub fn text(&self, now: Millis) -> String {
        match &self.why {
            Why::Asked => "you said `grove pause`".to_owned(),
            Why::Input { at, probe } => {
                format!("keyboard or mouse {} ago (probe: {probe})", seconds(now.since(*at)))
            }
            Why::Blind { why } => format!("whether you are away cannot be told: {why}"),
            Why::Hours { hours } => format!("it lends from {}", hours.to_string().replace('-', " to ")),
            Why::Program { name } => format!("{name} runs"),
            Why::Battery => "on battery".to_owned(),
            Why::Metered => "the network is metered".to_owned(),
            Why::Hot { celsius } => format!("the machine is too hot: {celsius} °C"),
            Why::Memory { free } => format!("only {} of memory free", bytes_text(*free)),
            Why::Disk { free } => format!("only {} of disk free", bytes_text(*free)),
            Why::Load { percent } => format!("other work takes {percent} % of the machine"),
            Why::Unwatched => "the watch over your presence broke off, which is a defect: please report it".to_owned(),
        }
    }

    /// When it is over, as far as that is known.
    pub fn until_text(&self, now: Millis) -> String {
        match (&self.why, self.until) {
            (Why::Asked, None) => "until `grove resume`".to_owned(),
            (Why::Unwatched, _) => "until it is started anew".to_owned(),
            (Why::Input { .. }, Some(until)) => format!("for {} more without input", seconds(until.since(now))),
            (_, Some(until)) => format!("for {} at least", seconds(until.since(now))),
            (_, None) => "until that changes".to_owned(),
        }
    }

    /// What the owner could do about it.
    pub fn hint(&self) -> &'static str {
        match self.why {
            Why::Asked => "`grove resume` ends the pause",
            Why::Input { .. } => {
                "`grove lend --always` lends while you are here too; `--idle-after` says how soon you count as away"
            }
            Why::Load { .. } => "`grove lend --load` says how much other work may take; with 100 it is not looked at",
            Why::Blind { .. } => "`grove doctor` tells what was tried; `grove lend --always` lends without knowing",
            Why::Hours { .. } => "`grove lend --hours` or the setting `hours` changes them",
            Why::Program { .. } => "it is on your list of the setting `unless`",
            Why::Battery => "plug it in, or `grove lend --on-battery yes`",
            Why::Metered => "`grove lend --on-metered yes` lends all the same",
            Why::Hot { .. } => "`grove lend --temperature` sets the limit",
            Why::Unwatched => "stop it with Ctrl-C and start it again; what it printed says what broke",
            Why::Memory { .. } | Why::Disk { .. } => "close or remove something; this much is kept free for you",
        }
    }
}

/// Nobody counts in less.
fn seconds(time: Millis) -> String {
    time_text(Millis(time.0.div_ceil(1_000) * 1_000))
}
