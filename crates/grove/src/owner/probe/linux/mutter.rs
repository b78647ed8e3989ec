//! GNOME's compositor counts the time since the last input of its user.

use super::super::{NoSight, Probe};
use crate::owner::{Soon, now};
use grove_core::units::Millis;
use zbus::Connection;

const NAME: &str = "org.gnome.Mutter.IdleMonitor";
const PATH: &str = "/org/gnome/Mutter/IdleMonitor/Core";

#[derive(Debug, Default)]
pub(super) struct Mutter {
    bus: Option<Connection>,
}

impl Mutter {
    async fn ask(&mut self) -> Result<Millis, NoSight> {
        let bus = match &self.bus {
            Some(bus) => bus,
            None => self.bus.insert(Connection::session().await?),
        };
        let idle: u64 =
            bus.call_method(Some(NAME), PATH, Some(NAME), "GetIdletime", &()).await?.body().deserialize()?;
        Ok(Millis(now().0.saturating_sub(idle)))
    }
}

impl Probe for Mutter {
    fn name(&self) -> &'static str {
        "mutter"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        Box::pin(async {
            let said = self.ask().await;
            if said.is_err() {
                // The next attempt begins anew.
                self.bus = None;
            }
            said
        })
    }
}
