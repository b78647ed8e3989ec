//! Whether every byte costs: NetworkManager knows, where there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use zbus::Connection;
use zbus::OwnedVariant;

const NAME: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const EVERY: Duration = Duration::from_secs(30);
/// Its answers: 1 and 3 mean yes and probably yes, 2 and 4 no and probably no.
const YES: [u8; 2] = [1, 3];
const NO: [u8; 2] = [2, 4];

/// Asked beside the watch, which must not wait for it.
#[derive(Debug)]
pub(in crate::owner::machine) struct Network {
    said: Arc<AtomicU8>,
}

impl Network {
    pub(in crate::owner::machine) fn watch() -> Network {
        let said = Arc::new(AtomicU8::new(0));
        let kept = Arc::downgrade(&said);
        tokio::spawn(async move {
            while let Some(said) = kept.upgrade() {
                said.store(ask().await.unwrap_or(0), Ordering::Relaxed);
                drop(said);
                tokio::time::sleep(EVERY).await;
            }
        });
        Network { said }
    }

    pub(in crate::owner::machine) fn is_metered(&self) -> Option<bool> {
        let said = self.said.load(Ordering::Relaxed);
        match said {
            said if YES.contains(&said) => Some(true),
            said if NO.contains(&said) => Some(false),
            _ => None,
        }
    }
}

async fn ask() -> Result<u8, zbus::Error> {
    let bus = Connection::system().await?;
    let said = bus.call_method(Some(NAME), PATH, Some(PROPERTIES), "Get", &(NAME, "Metered")).await?;
    let value: OwnedVariant = said.body().deserialize()?;
    Ok(u8::try_from(u32::try_from(value)?).unwrap_or(0))
}
