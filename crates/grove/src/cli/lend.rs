//! `grove lend`: lend this machine to a hub.

use super::{Exit, Place};
use crate::config::Layer;
use clap::Args;

#[derive(Debug, Args)]
pub struct Lend {
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
}

impl Lend {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings_with(Layer {
            slots: self.slots,
            ..Layer::default()
        })?;
        let _ = settings;
        Ok(Exit::Done)
    }
}
