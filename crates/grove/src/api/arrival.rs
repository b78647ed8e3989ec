//! One connection, as the requests on it see it: where it comes from, its place at the door, and who it turned out
//! to be.

use super::guard::{By, Who};
use crate::device::Caller;
use crate::door::Roll;
use crate::doorstep::{Full, Place};
use grove_core::id::PersonId;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Connections of one person: enough for many windows and scripts.
const CONNECTIONS_PER_PERSON_MAX: usize = 256;
/// Under this name those are counted who come by the token of this folder: the machine's owner is never crowded out by
/// whatever is done in the name of an account.
const OWNER: u64 = u64::MAX;

/// A cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Arrival(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    caller: Caller,
    from: IpAddr,
    who: OnceLock<(Who, Roll)>,
    entered: Notify,
}

impl Arrival {
    pub(super) fn new(place: Place, caller: Caller, from: IpAddr) -> Arrival {
        Arrival(Arc::new(Inner { place, caller, from, who: OnceLock::new(), entered: Notify::new() }))
    }

    pub(super) fn caller(&self) -> Caller {
        self.0.caller
    }

    pub(super) fn from(&self) -> IpAddr {
        self.0.from
    }

    pub(super) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Somebody has shown on it who they are. The first one counts: it is their connection.
    pub(super) fn enter(&self, who: Who, roll: &Roll) -> Result<(), Full> {
        if who.by == By::Nothing || self.0.who.get().is_some() {
            return Ok(());
        }
        let PersonId(person) = who.person;
        let guest = if who.by == By::Token { OWNER } else { person };
        self.0.place.admit(guest, CONNECTIONS_PER_PERSON_MAX)?;
        // Two requests do not come at one time on one connection.
        let _ = self.0.who.set((who, roll.clone()));
        self.0.entered.notify_one();
        Ok(())
    }

    /// Comes back when whoever it belongs to may not be here any more.
    pub(super) async fn put_out(&self) {
        if self.0.who.get().is_none() {
            self.0.entered.notified().await;
        }
        match self.0.who.get() {
            Some((who, roll)) => who.put_out(roll.clone()).await,
            None => std::future::pending().await,
        }
    }
}
