//! An owner for tests: whenever a file is changed, somebody has touched the machine.

use super::{NoSight, Probe};
use crate::owner::{Soon, since_epoch};
use grove_core::units::Millis;
use std::path::PathBuf;

#[derive(Debug)]
pub(super) struct Fake {
    file: PathBuf,
}

impl Fake {
    pub(super) fn new(file: PathBuf) -> Fake {
        Fake { file }
    }
}

impl Probe for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        let changed = std::fs::metadata(&self.file).and_then(|found| found.modified());
        Box::pin(std::future::ready(changed.map(since_epoch).map_err(NoSight::from)))
    }
}
