//! Windows and macOS answer a question about the last input of the session that asks.

use super::{NoSight, Probe};
use crate::owner::{Soon, now};
use grove_core::units::Millis;

#[derive(Debug)]
struct Session;

impl Probe for Session {
    fn name(&self) -> &'static str {
        "system"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        let idle = system_idle_time::get_idle_time().map_err(|_| NoSight::Nothing);
        let at = idle.map(|idle| Millis(now().0.saturating_sub(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX))));
        Box::pin(std::future::ready(at))
    }
}

pub(super) fn desktop_probes() -> Vec<Box<dyn Probe>> {
    vec![Box::new(Session)]
}

pub(super) fn terminals() -> Option<Box<dyn Probe>> {
    None
}

/// Somebody may always sit there.
pub(super) fn desktop() -> Option<String> {
    Some(std::env::consts::OS.to_owned())
}
