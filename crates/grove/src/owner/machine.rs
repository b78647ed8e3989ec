//! How the machine is: what else it does, its warmth, its room, its power and its network. What a system does not tell
//! stays unknown.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) use system::is_alive;

/// How often it is looked at: nothing of it changes faster than that matters.
const EVERY: Duration = Duration::from_secs(2);

/// What was seen last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) load: Option<u32>,
    pub(super) on_battery: Option<bool>,
    pub(super) on_metered: Option<bool>,
    pub(super) celsius: Option<u32>,
    pub(super) memory_free: Option<u64>,
    pub(super) disk_free: Option<u64>,
    pub(super) program: Option<String>,
}

/// Looks now and then.
#[derive(Debug)]
pub(super) struct Machine {
    /// Whose disk matters.
    folder: PathBuf,
    unless: Vec<String>,
    load: system::Load,
    network: system::Network,
    facts: Facts,
    looked: Option<Instant>,
}

impl Machine {
    /// Must be called on the runtime on which it will be looked at.
    pub(super) fn new(folder: &Path, unless: Vec<String>) -> Machine {
        Machine {
            folder: folder.to_owned(),
            unless,
            load: system::Load::default(),
            network: system::Network::watch(),
            facts: Facts::default(),
            looked: None,
        }
    }

    /// Looks for other programs from now on, and at once.
    pub(super) fn heed(&mut self, unless: Vec<String>) {
        (self.unless, self.looked) = (unless, None);
    }

    pub(super) fn facts(&mut self) -> &Facts {
        if self.looked.is_none_or(|looked| looked.elapsed() >= EVERY) {
            self.looked = Some(Instant::now());
            self.facts = Facts {
                load: self.load.foreign(),
                on_battery: system::on_battery(),
                on_metered: self.network.is_metered(),
                celsius: system::celsius(),
                memory_free: system::memory_free(),
                disk_free: system::disk_free(&self.folder),
                program: self.unless.iter().find(|name| system::runs(name)).cloned(),
            };
        }
        &self.facts
    }
}
