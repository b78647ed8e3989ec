//! Settings that change while a node runs. The file is looked at now and then; what can hold at once does, and what
//! cannot is said in the log.

use super::Place;
use crate::config::{Layer, Settings};
use crate::door::Door;
use crate::owner::Rules;
use std::time::Duration;
use tokio::sync::watch;

/// A small file, read whole: nobody waits for a setting.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a running node goes by.
pub(super) struct Heeding {
    pub(super) place: Place,
    /// What was said when it was started comes before the file, later too.
    pub(super) flags: Layer,
    pub(super) door: Door,
    /// None where no owner is watched for.
    pub(super) rules: Option<watch::Sender<Rules>>,
}

impl Heeding {
    /// For as long as the node runs.
    pub(super) async fn go(self, mut held: Settings) {
        let mut wrong = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match self.place.settings_with(self.flags.clone()) {
                Ok(now) if now != held => {
                    self.heed(&held, &now);
                    (held, wrong) = (now, None);
                }
                Ok(_) => wrong = None,
                Err(failure) => {
                    let why = failure.message;
                    if wrong.as_ref() != Some(&why) {
                        tracing::warn!("the settings stay as they were: {why}");
                    }
                    wrong = Some(why);
                }
            }
        }
    }

    fn heed(&self, held: &Settings, now: &Settings) {
        self.door.heed(now.disk_bytes, now.keep);
        if let Some(rules) = &self.rules {
            rules.send_replace(now.rules.clone());
        }
        let at_once = Settings { disk_bytes: now.disk_bytes, keep: now.keep, rules: now.rules.clone(), ..held.clone() };
        if at_once == *now {
            tracing::info!("settings changed, and hold");
        } else {
            tracing::warn!("settings changed; some of them hold after a restart: `grove config` says which");
        }
    }
}
