//! GNOME's compositor counts the time since the last input of its user.

use super::super::{NoSight, Probe};
use super::bus::{Bus, Whose};
use crate::owner::{Soon, now};
use grove_core::units::Millis;
use zbus::Connection;

const NAME: &str = "org.gnome.Mutter.IdleMonitor";
const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";

#[derive(Debug)]
pub(super) struct Mutter {
    bus: Bus,
}

impl Mutter {
    pub(super) fn new() -> Mutter {
        Mutter { bus: Bus::new(Whose::Session) }
    }
}

impl Probe for Mutter {
    fn name(&self) -> &'static str {
        "mutter"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        Box::pin(self.bus.ask(|bus| Box::pin(idle_since(bus))))
    }
}

async fn idle_since(bus: &Connection) -> Result<Millis, NoSight> {
    let idle: u64 = bus.call_method(Some(NAME), PATH, Some(NAME), "GetIdletime", &()).await?.body().deserialize()?;
    Ok(Millis(now().0.saturating_sub(idle)))
}
