//! When this machine may work for others: what was seen of it, against what its owner allows. Nothing here looks at
//! anything; the time is one of the signs.

mod hours;
mod words;

pub use hours::{Hours, NotHours};

use grove_core::units::Millis;
use serde::{Deserialize, Serialize};

/// A machine that was too busy, too hot or short of memory has to be calm for so long before it lends again: else it
/// would go to and fro with every build or film of its owner.
const CALM: Millis = Millis(30_000);
/// So long it may be busy with other work before that counts: a program that starts is no reason to stop.
const BUSY_FOR: Millis = Millis(4_000);
/// Work begins again so many degrees below the limit.
const COOLER: u32 = 8;

/// What the owner allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The owner has to be away, and the machine must not be busy with other work.
    pub heeds_owner: bool,
    /// After so long without input the owner is away.
    pub idle_after: Millis,
    /// Per cent of all cores that other work may take.
    pub load_most: u32,
    pub on_battery: bool,
    pub on_metered: bool,
    pub hours: Option<Hours>,
    /// Of the hottest sensor, in degrees Celsius.
    pub celsius_most: u32,
    /// Bytes of memory that stay free for the owner.
    pub memory_least: u64,
    /// Bytes of disk that stay free for the owner.
    pub disk_least: u64,
    /// While one of these runs, nothing else does.
    pub unless: Vec<String>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            heeds_owner: true,
            idle_after: Millis(5 * 60_000),
            load_most: 30,
            on_battery: false,
            on_metered: false,
            hours: None,
            celsius_most: 85,
            memory_least: 512 << 20,
            disk_least: 256 << 20,
            unless: Vec::new(),
        }
    }
}

impl Rules {
    /// For whoever starts a hub: it begins with jobs of their own, and must not wait for them to go away or plug in. On a
    /// full disk it waits by itself.
    #[must_use]
    pub fn of_a_hub(self) -> Rules {
        Rules { heeds_owner: false, on_battery: true, on_metered: true, memory_least: 0, disk_least: 0, ..self }
    }
}

/// What was seen of the machine. What could not be seen is no reason to stop, but for the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signs {
    pub now: Millis,
    /// Of the owner's day.
    pub minute: u16,
    pub sight: Sight,
    /// Per cent of all cores that other work takes.
    pub load: Option<u32>,
    pub on_battery: Option<bool>,
    pub on_metered: Option<bool>,
    pub celsius: Option<u32>,
    pub memory_free: Option<u64>,
    pub disk_free: Option<u64>,
    /// The one of `unless` that runs.
    pub program: Option<String>,
    pub asked: Option<Asked>,
}

/// What is known of the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// The last input, and who saw it.
    Input { at: Millis, probe: String },
    /// Somebody may sit there, and nothing here could tell.
    Blind { why: String },
    /// There is no desktop and no terminal: nobody sits there.
    Nobody,
}

/// The owner said `grove pause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Without it, until `grove resume`.
    pub until: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Lend,
    Pause(Pause),
}

impl Verdict {
    pub fn pause(self) -> Option<Pause> {
        match self {
            Verdict::Lend => None,
            Verdict::Pause(pause) => Some(pause),
        }
    }
}

/// Nothing is run, for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub why: Why,
    /// When that may be over; not known for everything.
    pub until: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Why {
    Asked,
    Input {
        at: Millis,
        probe: String,
    },
    Blind {
        why: String,
    },
    Hours {
        hours: Hours,
    },
    Program {
        name: String,
    },
    Battery,
    Metered,
    Hot {
        celsius: u32,
    },
    Memory {
        free: u64,
    },
    Disk {
        free: u64,
    },
    Load {
        percent: u32,
    },
    /// The watch over all of this broke off.
    Unwatched,
}

impl Why {
    /// It may come and go within seconds.
    fn flickers(&self) -> bool {
        matches!(self, Why::Hot { .. } | Why::Memory { .. } | Why::Load { .. })
    }
}

/// Remembers just enough not to go to and fro.
#[derive(Debug)]
pub struct Judge {
    rules: Rules,
    lends: bool,
    busy_since: Option<Millis>,
    /// What flickered last, and when it was last there.
    flickered: Option<(Why, Millis)>,
}

impl Judge {
    pub fn new(rules: Rules) -> Judge {
        // At first as if it lent: whatever is only a little too much does not keep it from beginning.
        Judge { rules, lends: true, busy_since: None, flickered: None }
    }

    /// Judges by other rules from now on.
    pub fn heed(&mut self, rules: Rules) {
        self.rules = rules;
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn judge(&mut self, signs: &Signs) -> Verdict {
        let pause = self.objection(signs).or_else(|| self.not_yet_calm(signs.now));
        self.lends = pause.is_none();
        pause.map_or(Verdict::Lend, Verdict::Pause)
    }

    /// The owner's word first, then the owner, then what was agreed, then how the machine is.
    fn objection(&mut self, signs: &Signs) -> Option<Pause> {
        let pause = self.owner(signs).or_else(|| self.agreed(signs)).or_else(|| self.strained(signs));
        if let Some(pause) = pause.as_ref().filter(|pause| pause.why.flickers()) {
            self.flickered = Some((pause.why.clone(), signs.now));
        }
        pause
    }

    fn owner(&self, signs: &Signs) -> Option<Pause> {
        let rules = &self.rules;
        if let Some(asked) = signs.asked.filter(|asked| asked.until.is_none_or(|until| until > signs.now)) {
            return Some(Pause { why: Why::Asked, until: asked.until });
        }
        match &signs.sight {
            _ if !rules.heeds_owner => None,
            Sight::Nobody => None,
            Sight::Blind { why } => Some(Pause { why: Why::Blind { why: why.clone() }, until: None }),
            Sight::Input { at, .. } if signs.now.since(*at) >= rules.idle_after => None,
            Sight::Input { at, probe } => {
                let until = Some(at.plus(rules.idle_after));
                Some(Pause { why: Why::Input { at: *at, probe: probe.clone() }, until })
            }
        }
    }

    fn agreed(&self, signs: &Signs) -> Option<Pause> {
        let rules = &self.rules;
        let pause = |why| Some(Pause { why, until: None });
        if let Some(hours) = rules.hours.filter(|hours| !hours.hold(signs.minute)) {
            return Some(Pause { why: Why::Hours { hours }, until: Some(hours.opens(signs.now, signs.minute)) });
        }
        if let Some(name) = &signs.program {
            return pause(Why::Program { name: name.clone() });
        }
        if signs.on_battery == Some(true) && !rules.on_battery {
            return pause(Why::Battery);
        }
        if signs.on_metered == Some(true) && !rules.on_metered {
            return pause(Why::Metered);
        }
        signs.disk_free.filter(|free| *free < rules.disk_least).and_then(|free| pause(Why::Disk { free }))
    }

    /// What has once been too much has to become clearly less.
    fn strained(&mut self, signs: &Signs) -> Option<Pause> {
        let (rules, lends) = (&self.rules, self.lends);
        let pause = |why| Some(Pause { why, until: None });
        let celsius_most = if lends { rules.celsius_most } else { rules.celsius_most.saturating_sub(COOLER) };
        if let Some(celsius) = signs.celsius.filter(|celsius| *celsius > celsius_most) {
            return pause(Why::Hot { celsius });
        }
        let memory_least = if lends { rules.memory_least } else { rules.memory_least / 2 * 3 };
        if let Some(free) = signs.memory_free.filter(|free| *free < memory_least) {
            return pause(Why::Memory { free });
        }
        let load_most = if lends { rules.load_most } else { rules.load_most / 3 * 2 };
        // Who allows other work to take everything does not care how much it is.
        let heeds_load = rules.heeds_owner && rules.load_most < 100;
        let Some(percent) = signs.load.filter(|percent| heeds_load && *percent > load_most) else {
            self.busy_since = None;
            return None;
        };
        let since = *self.busy_since.get_or_insert(signs.now);
        let lasts = !lends || signs.now.since(since) >= BUSY_FOR;
        lasts.then_some(Pause { why: Why::Load { percent }, until: None })
    }

    fn not_yet_calm(&mut self, now: Millis) -> Option<Pause> {
        let (why, at) = self.flickered.as_ref()?;
        let until = at.plus(CALM);
        if self.lends || until <= now {
            self.flickered = None;
            return None;
        }
        Some(Pause { why: why.clone(), until: Some(until) })
    }
}

#[cfg(test)]
mod tests;
