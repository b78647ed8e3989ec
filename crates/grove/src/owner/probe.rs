//! When the owner last touched this machine: a chain of ways to know, each a small file. The first of a desktop's that
//! answers is asked from then on; terminals are looked at too, since an owner may sit at another machine.

mod fake;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

use super::Soon;
use super::rules::Sight;
use fake::Fake;
use grove_core::units::Millis;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A probe that takes longer is worth nothing: the owner waits.
const PATIENCE: Duration = Duration::from_millis(300);
/// After none has answered, or a worse one than before, all are asked again: somebody may have logged in.
const AGAIN: Duration = Duration::from_secs(15);

/// One way to know.
pub(super) trait Probe: Send + Debug {
    fn name(&self) -> &'static str;
    /// Unix time of the last input.
    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>>;
}

/// Why a probe sees nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoSight {
    #[cfg(target_os = "linux")]
    #[error("{0}")]
    Bus(#[from] zbus::Error),
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("it did not answer within {PATIENCE:?}")]
    Slow,
    #[error("there is none")]
    Nothing,
}

/// All ways of this system, and which of them is used.
#[derive(Debug)]
pub struct Probes {
    fake: Option<Fake>,
    desktop: Vec<Box<dyn Probe>>,
    terminals: Option<Box<dyn Probe>>,
    /// The desktop's probe that answered last.
    used: Option<usize>,
    tried: Option<Instant>,
}

impl Probes {
    /// Those of this system; for tests, a file whose time of change is the owner's last input.
    pub fn new(fake: Option<PathBuf>) -> Probes {
        Probes {
            fake: fake.map(Fake::new),
            desktop: system::desktop_probes(),
            terminals: system::terminals(),
            used: None,
            tried: None,
        }
    }

    pub(super) async fn look(&mut self) -> Sight {
        if let Some(fake) = &mut self.fake {
            return match ask(fake).await {
                Ok(at) => Sight::Input { at, probe: fake.name().to_owned() },
                Err(error) => Sight::Blind { why: format!("fake: {error}") },
            };
        }
        let desktop = self.look_at_desktop().await;
        if let (None, Some(name)) = (&desktop, system::desktop()) {
            return Sight::Blind { why: format!("no probe sees what is done on the {name} desktop") };
        }
        let typed = match &mut self.terminals {
            Some(probe) => ask(probe.as_mut()).await.ok().map(|at| (at, probe.name())),
            None => None,
        };
        let latest = desktop.into_iter().chain(typed).max_by_key(|(at, _)| *at);
        latest.map_or(Sight::Nobody, |(at, probe)| Sight::Input { at, probe: probe.to_owned() })
    }

    async fn look_at_desktop(&mut self) -> Option<(Millis, &'static str)> {
        let is_recent = self.tried.is_some_and(|tried| tried.elapsed() < AGAIN);
        if let Some(used) = self.used.filter(|used| *used == 0 || is_recent) {
            let probe = &mut self.desktop[used];
            if let Ok(at) = ask(probe.as_mut()).await {
                return Some((at, probe.name()));
            }
            (self.used, self.tried) = (None, None);
        }
        if (self.used.is_none() && self.tried.is_some() && is_recent) || system::desktop().is_none() {
            return None;
        }
        self.tried = Some(Instant::now());
        for (nth, probe) in self.desktop.iter_mut().enumerate() {
            if let Ok(at) = ask(probe.as_mut()).await {
                self.used = Some(nth);
                return Some((at, probe.name()));
            }
        }
        None
    }

    /// In words what is gone by here, or why nothing is.
    pub async fn sees(&mut self) -> Result<String, String> {
        match self.look().await {
            Sight::Input { probe, .. } if system::desktop().is_none() => {
                Ok(format!("no desktop here: the probe {probe} tells when you are away"))
            }
            Sight::Input { probe, .. } => Ok(format!("the probe {probe} tells when you are away")),
            Sight::Nobody => Ok("no desktop here, and nobody at a terminal: it goes by load".to_owned()),
            Sight::Blind { why } => Err(why),
        }
    }

    /// What each of them says, for `grove doctor`.
    pub async fn try_all(&mut self) -> Vec<(&'static str, Result<Millis, NoSight>)> {
        let mut said = Vec::new();
        for probe in self.desktop.iter_mut().chain(&mut self.terminals) {
            let answer = ask(probe.as_mut()).await;
            said.push((probe.name(), answer));
        }
        said
    }
}

async fn ask(probe: &mut dyn Probe) -> Result<Millis, NoSight> {
    tokio::time::timeout(PATIENCE, probe.last_input()).await.unwrap_or(Err(NoSight::Slow))
}
