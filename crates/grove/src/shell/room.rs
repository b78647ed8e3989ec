//! A disk that runs short while work goes on: the loop waits until there is room, and whoever asks meanwhile is told so
//! at once. A commit that is refused for want of room has written nothing, so nothing is lost by waiting.

use super::inbox::Inbox;
use super::side::Side;
use crate::store::{Commit, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the disk is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether the loop waits for room, for whoever wants to know.
#[derive(Debug, Clone)]
pub(super) struct Room(watch::Sender<Option<Arc<StoreError>>>);

impl Room {
    pub(super) fn new() -> Room {
        Room(watch::Sender::new(None))
    }

    /// Comes back, with the reason, when the loop waits for room.
    pub(super) async fn wanting(&self) -> Arc<StoreError> {
        let mut reason = self.0.subscribe();
        loop {
            if let Some(reason) = reason.borrow_and_update().clone() {
                return reason;
            }
            if reason.changed().await.is_err() {
                // Nobody is left who could want room.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Commits, as soon as there is room for it. Who is asked to stop meanwhile stops for the want of it.
pub(super) fn commit(store: &mut Store, commit: &Commit<'_>, side: &Side, inbox: &Inbox) -> Result<(), StoreError> {
    let room = side.room();
    loop {
        match store.commit(commit) {
            Err(error @ StoreError::LowSpace { .. }) if !inbox.is_to_stop() => {
                if room.0.borrow().is_none() {
                    tracing::warn!("the node waits for room, and loses nothing: {error}");
                }
                room.0.send_replace(Some(Arc::new(error)));
                std::thread::sleep(LOOK_EVERY);
            }
            committed => {
                if room.0.send_replace(None).is_some() && committed.is_ok() {
                    tracing::warn!("there is room again: the node goes on");
                }
                return committed.map(drop);
            }
        }
    }
}
