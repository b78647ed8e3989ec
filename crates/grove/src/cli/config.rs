//! `grove config`: every setting, what it means, and what it is unless somebody says otherwise.

use super::{Exit, say};
use crate::config::{Settings, user_file};
use clap::Args;

#[derive(Debug, Args)]
pub struct Config {}

impl Config {
    pub fn go(&self) -> anyhow::Result<Exit> {
        say::line(Settings::explained().trim_end())?;
        if let Some(path) = user_file() {
            let is = if path.exists() { "is read" } else { "is not there yet" };
            say::talk(&format!("{} {is}: what it says comes before these", path.display()));
        }
        Ok(Exit::Done)
    }
}
