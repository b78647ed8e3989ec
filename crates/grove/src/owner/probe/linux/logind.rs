//! Sessions tell logind when they are idle. It is coarse, and some desktops never say so; then nothing is lent, which is
//! the safe side.

use super::super::{NoSight, Probe};
use super::bus::{Bus, Whose};
use crate::owner::{Soon, now};
use grove_core::units::Millis;
use zbus::Connection;
use zbus::OwnedVariant;

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

#[derive(Debug)]
pub(super) struct Logind {
    bus: Bus,
}

impl Logind {
    pub(super) fn new() -> Logind {
        Logind { bus: Bus::new(Whose::System) }
    }
}

impl Probe for Logind {
    fn name(&self) -> &'static str {
        "logind"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        Box::pin(self.bus.ask(|bus| Box::pin(idle_since(bus))))
    }
}

async fn idle_since(bus: &Connection) -> Result<Millis, NoSight> {
    let idle = bool::try_from(property(bus, "IdleHint").await?)?;
    if !idle {
        return Ok(now());
    }
    let since = u64::try_from(property(bus, "IdleSinceHint").await?)?;
    Ok(Millis(since / 1_000))
}

async fn property(bus: &Connection, name: &str) -> Result<OwnedVariant, zbus::Error> {
    bus.call_method(Some(NAME), PATH, Some(PROPERTIES), "Get", &(MANAGER, name)).await?.body().deserialize()
}
