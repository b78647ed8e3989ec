//! `grove up`: a hub that also lends this machine.

use super::{Exit, Place};
use crate::config::Layer;
use clap::Args;

#[derive(Debug, Args)]
pub struct Up {
    /// Where the API listens; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where other nodes are heard
    #[arg(long, value_name = "ADDRESS")]
    link: Option<String>,
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Hand out work only
    #[arg(long)]
    no_lend: bool,
}

impl Up {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let flags = Layer {
            listen: self.listen.clone(),
            link: self.link.clone(),
            slots: self.slots,
            ..Layer::default()
        };
        let settings = place.settings_with(flags)?;
        let _ = (settings, self.no_lend);
        Ok(Exit::Done)
    }
}
