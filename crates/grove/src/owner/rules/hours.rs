//! Hours of the day in which a machine may be used, as `22-7` or `22:30-7:15`.

use grove_core::units::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const MINUTES_PER_DAY: u16 = 24 * 60;
const MILLIS_PER_MINUTE: u64 = 60_000;

/// From a minute of the day to another, which may be of the next day. `0-24` is all day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hours {
    from: u16,
    to: u16,
}

/// It is not a span of hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a span of hours\nhint: for instance 22-7, or 22:30-7:15; without it, all day")]
pub struct NotHours {
    text: String,
}

impl Hours {
    pub fn hold(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// When they begin next.
    pub fn opens(self, now: Millis, minute: u16) -> Millis {
        let minutes = (self.from + MINUTES_PER_DAY - minute % MINUTES_PER_DAY) % MINUTES_PER_DAY;
        // On the minute, as people say it.
        let begun = Millis(now.0 - now.0 % MILLIS_PER_MINUTE);
        begun.plus(Millis(u64::from(minutes) * MILLIS_PER_MINUTE))
    }
}

impl FromStr for Hours {
    type Err = NotHours;

    fn from_str(text: &str) -> Result<Hours, NotHours> {
        let wrong = || NotHours { text: text.to_owned() };
        let (from, to) = text.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (minute(from).ok_or_else(wrong)?, minute(to).ok_or_else(wrong)?);
        // All day and no time at all would both be a guess.
        if from == to {
            return Err(wrong());
        }
        Ok(Hours { from: from % MINUTES_PER_DAY, to: to % MINUTES_PER_DAY })
    }
}

fn minute(text: &str) -> Option<u16> {
    let text = text.trim();
    let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let at = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && at <= MINUTES_PER_DAY).then_some(at)
}

impl fmt::Display for Hours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{:02}-{}:{:02}", self.from / 60, self.from % 60, self.to / 60, self.to % 60)
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        hours.to_string()
    }
}

impl TryFrom<String> for Hours {
    type Error = NotHours;

    fn try_from(text: String) -> Result<Hours, NotHours> {
        text.parse()
    }
}
