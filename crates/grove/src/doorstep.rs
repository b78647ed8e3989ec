//! Who stands at a door: connections are counted, in all and by the network that they come from, and whoever has not
//! shown yet that it may come in is a stranger.
//!
//! There is always room for one more: the oldest stranger of the network that has the most goes, and the oldest
//! connection of a guest that has too many. So whoever holds ten thousand connections open and says nothing on them only
//! drives out their own. Channels are agreed on no faster than a processor can stand. What is said behind the door is
//! not known here.

mod steady;

pub use steady::{Pending, Steady};

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;

/// Connections that have not yet shown who is there: each costs a file and up to 64 KiB of what it has sent.
pub const STRANGERS_MAX: usize = 512;
/// ... of one network: a school behind one address can still come in at once, and nobody takes all places.
pub const STRANGERS_PER_NETWORK_MAX: usize = 256;
/// Whoever connects has shown who it is by then, TLS and the headers of a request included.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Connections of those who may be here. They are known by name and their own number is bounded; this bounds files.
pub const GUESTS_MAX: usize = 8_192;
/// Channels agreed on in a second with one network, after a first burst. One costs some 0.3 ms of a core.
const CHANNELS_PER_NETWORK: u32 = 200;
/// ... and with all of them: a third of a core goes into greeting at the most.
const CHANNELS: u32 = 1_000;
/// So many come at once after a quiet while, as when a hub comes back and all its lenders with it.
const CHANNELS_AT_ONCE: u32 = 200;
/// Networks whose pace is remembered; those that have been quiet go first.
const NETWORKS_MAX: usize = 4_096;

/// The connections of one listener; a cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Doorstep(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    strangers: BTreeMap<IpAddr, VecDeque<Open>>,
    waiting: usize,
    guests: BTreeMap<u64, Guest>,
    inside: usize,
    channels: Pace,
    channels_of: BTreeMap<IpAddr, Pace>,
}

/// A connection that can be asked to go.
#[derive(Debug)]
struct Open {
    number: u64,
    out: Arc<watch::Sender<bool>>,
}

/// The connections of one guest.
#[derive(Debug, Default)]
struct Guest {
    open: usize,
    /// Those that have not been asked to go, the oldest first.
    stay: VecDeque<Open>,
}

/// One connection, from its first moment to its last: dropped, it is not counted any more.
#[derive(Debug)]
pub struct Place {
    door: Doorstep,
    network: IpAddr,
    number: u64,
    guest: Mutex<Option<u64>>,
    out: Arc<watch::Sender<bool>>,
}

/// There are too many connections of that guest, or of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many connections are open")]
pub struct Full;

impl Doorstep {
    /// Somebody has connected. If there is no room, the oldest stranger of the largest crowd is asked to go.
    pub fn arrive(&self, from: IpAddr) -> Place {
        let network = network(from);
        let out = Arc::new(watch::Sender::new(false));
        let mut inner = self.lock();
        let number = inner.next;
        inner.next += 1;
        let own = inner.strangers.entry(network).or_default();
        if own.len() >= STRANGERS_PER_NETWORK_MAX {
            inner.put_out(network);
        } else if inner.waiting >= STRANGERS_MAX {
            inner.make_room();
        }
        inner.strangers.entry(network).or_default().push_back(Open { number, out: Arc::clone(&out) });
        inner.waiting += 1;
        drop(inner);
        Place { door: self.clone(), network, number, guest: Mutex::default(), out }
    }

    /// The system has no room for another connection: somebody who has shown nothing goes.
    pub fn make_room(&self) {
        self.lock().make_room();
    }

    /// Comes back when it is this network's turn to agree on a channel; false if that takes too long.
    pub async fn turn(&self, from: IpAddr) -> bool {
        // First its own, so that a crowd that waits takes nothing of what is everybody's.
        for turn in [Inner::turn_of_network, Inner::turn_of_all] {
            let wait = turn(&mut self.lock(), network(from), Instant::now());
            match wait {
                Some(wait) if wait.is_zero() => {}
                Some(wait) => sleep(wait).await,
                None => return false,
            }
        }
        true
    }

    /// Asks all connections of those guests to go who may not stay.
    pub fn put_out(&self, may_stay: impl Fn(u64) -> bool) {
        for (_, own) in self.lock().guests.iter_mut().filter(|(guest, _)| !may_stay(**guest)) {
            for open in own.stay.drain(..) {
                open.out.send_replace(true);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn make_room(&mut self) {
        let largest = self.strangers.iter().max_by_key(|(_, crowd)| crowd.len());
        if let Some(network) = largest.map(|(network, _)| *network) {
            self.put_out(network);
        }
    }

    fn put_out(&mut self, network: IpAddr) {
        let Some(crowd) = self.strangers.get_mut(&network) else { return };
        if let Some(oldest) = crowd.pop_front() {
            oldest.out.send_replace(true);
            self.waiting -= 1;
        }
        if crowd.is_empty() {
            self.strangers.remove(&network);
        }
    }

    /// A stranger is none any more, if it still was one.
    fn forget(&mut self, network: IpAddr, number: u64) -> bool {
        let Some(crowd) = self.strangers.get_mut(&network) else { return false };
        let before = crowd.len();
        crowd.retain(|stranger| stranger.number != number);
        let found = crowd.len() < before;
        self.waiting -= usize::from(found);
        if crowd.is_empty() {
            self.strangers.remove(&network);
        }
        found
    }

    /// One more connection of a guest; its oldest one is asked to go if there are too many.
    fn enter(&mut self, guest: u64, each: usize, open: Open) -> Result<(), Full> {
        let own = self.guests.entry(guest).or_default();
        if self.inside >= GUESTS_MAX || own.open >= 2 * each {
            return Err(Full);
        }
        if own.stay.len() >= each
            && let Some(oldest) = own.stay.pop_front()
        {
            oldest.out.send_replace(true);
        }
        own.stay.push_back(open);
        own.open += 1;
        self.inside += 1;
        Ok(())
    }

    fn leave(&mut self, guest: u64, number: u64) {
        let Some(own) = self.guests.get_mut(&guest) else { return };
        own.stay.retain(|open| open.number != number);
        own.open -= 1;
        self.inside -= 1;
        if own.open == 0 {
            self.guests.remove(&guest);
        }
    }

    fn turn_of_network(&mut self, network: IpAddr, now: Instant) -> Option<Duration> {
        if self.channels_of.len() >= NETWORKS_MAX {
            self.channels_of.retain(|_, pace| !pace.is_idle(now));
        }
        if self.channels_of.len() >= NETWORKS_MAX {
            self.channels_of.pop_first();
        }
        self.channels_of.entry(network).or_default().take(now, CHANNELS_PER_NETWORK)
    }

    fn turn_of_all(&mut self, _: IpAddr, now: Instant) -> Option<Duration> {
        self.channels.take(now, CHANNELS)
    }
}

impl Place {
    /// Whoever is there has shown that it may be, as a guest of that name. More than `each` connections are too many:
    /// older ones are asked to go, and if they do not, this one has to.
    pub fn admit(&self, guest: u64, each: usize) -> Result<(), Full> {
        let mut known = self.guest.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some() {
            return Ok(());
        }
        let mut inner = self.door.lock();
        // Otherwise it was asked to go a moment ago.
        if !inner.forget(self.network, self.number) {
            return Err(Full);
        }
        inner.enter(guest, each, Open { number: self.number, out: Arc::clone(&self.out) })?;
        *known = Some(guest);
        Ok(())
    }

    pub fn is_admitted(&self) -> bool {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Comes back when somebody else needs the place more, or when patience with a stranger has ended.
    pub async fn asked_to_go(&self) {
        self.asked_to_go_after(PATIENCE).await;
    }

    async fn asked_to_go_after(&self, patience: Duration) {
        let mut told = self.out.subscribe();
        let out = async {
            // The sender lives as long as this.
            let _ = told.wait_for(|out| *out).await;
        };
        tokio::pin!(out);
        if tokio::time::timeout(patience, &mut out).await.is_err() && self.is_admitted() {
            out.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let guest = *self.guest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut inner = self.door.lock();
        match guest {
            Some(guest) => inner.leave(guest, self.number),
            None => {
                inner.forget(self.network, self.number);
            }
        }
    }
}

/// So many in a second, and a burst after a quiet while; whoever comes too early waits.
#[derive(Debug, Default, Clone, Copy)]
struct Pace {
    /// When the next one would come, if they came evenly.
    next: Option<Instant>,
}

impl Pace {
    /// How long the next one has to wait; nothing if that is too long, and then it is not counted.
    fn take(&mut self, now: Instant, each_second: u32) -> Option<Duration> {
        let each = Duration::from_secs(1) / each_second;
        let next = self.next.map_or(now, |next| next.max(now));
        let wait = next.saturating_duration_since(now).saturating_sub(each * CHANNELS_AT_ONCE);
        (wait < PATIENCE).then(|| {
            self.next = Some(next + each);
            wait
        })
    }

    fn is_idle(self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }
}

/// Somebody with IPv6 has as many addresses as they like, in one network.
pub fn network(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_out(place: &Place) -> bool {
        *place.out.borrow()
    }

    #[test]
    fn a_crowd_drives_out_its_own_oldest_and_nobody_else() {
        let door = Doorstep::default();
        let quiet = door.arrive(ip(1));
        let crowd: Vec<Place> = (0..2_000).map(|_| door.arrive(ip(2))).collect();
        assert!(!is_out(&quiet), "another network is not touched");
        let left = crowd.iter().filter(|place| !is_out(place)).count();
        assert_eq!(left, STRANGERS_PER_NETWORK_MAX);
        assert!(!is_out(crowd.last().unwrap()), "there is always room for the newest");
        assert_eq!(quiet.admit(7, 4), Ok(()));
        assert_eq!(crowd[0].admit(8, 4), Err(Full), "who was put out does not come in any more");
        drop((quiet, crowd));
        let inner = door.lock();
        assert!(inner.strangers.is_empty() && inner.guests.is_empty() && inner.waiting == 0 && inner.inside == 0);
    }

    #[test]
    fn many_networks_together_have_a_bound_too() {
        let door = Doorstep::default();
        let early = door.arrive(ip(0));
        let places: Vec<Place> = (1..=250).flat_map(|n| (0..4).map(move |_| ip(n))).map(|ip| door.arrive(ip)).collect();
        let left = places.iter().filter(|place| !is_out(place)).count();
        assert_eq!(left + 1, STRANGERS_MAX);
        assert!(!is_out(&early), "it is alone where it comes from: others have more");
    }

    #[test]
    fn a_guest_has_so_many_connections_and_the_oldest_make_room() {
        let door = Doorstep::default();
        let mut places: Vec<Place> = (0..8).map(|_| door.arrive(ip(1))).collect();
        assert!(places.iter().all(|place| place.admit(7, 4) == Ok(()) && place.is_admitted()));
        assert!(places[..4].iter().all(is_out) && !places[4..].iter().any(is_out));
        let more = door.arrive(ip(1));
        assert_eq!(more.admit(7, 4), Err(Full), "those that were asked to go have not gone");
        assert_eq!(door.arrive(ip(1)).admit(9, 4), Ok(()), "another guest");
        places.remove(0);
        let more = door.arrive(ip(1));
        assert_eq!((more.admit(7, 4), more.admit(7, 4)), (Ok(()), Ok(())), "once is enough");
        drop((places, more));
        assert!(door.lock().guests.is_empty());
    }

    #[tokio::test]
    async fn patience_ends_for_strangers_only() {
        let door = Doorstep::default();
        let (stranger, guest) = (door.arrive(ip(1)), door.arrive(ip(1)));
        guest.admit(1, 1).unwrap();
        let patience = Duration::from_millis(20);
        stranger.asked_to_go_after(patience).await;
        assert!(tokio::time::timeout(patience * 5, guest.asked_to_go_after(patience)).await.is_err());
    }

    #[test]
    fn channels_are_agreed_on_at_a_pace() {
        let mut inner = Inner::default();
        let now = Instant::now();
        let crowd: Vec<_> = (0..20_000).map(|_| inner.turn_of_network(ip(1), now)).collect();
        let at_once = crowd.iter().filter(|wait| **wait == Some(Duration::ZERO)).count();
        assert_eq!(at_once, CHANNELS_AT_ONCE as usize + 1);
        let waiting = crowd.iter().filter(|wait| wait.is_some()).count();
        assert!(waiting <= at_once + (CHANNELS_PER_NETWORK * 10) as usize, "{waiting} wait, the others are sent away");
        assert_eq!(inner.turn_of_network(ip(2), now), Some(Duration::ZERO), "others do not notice");
    }

    #[tokio::test]
    async fn who_waits_for_a_channel_takes_nothing_of_what_is_everybodys() {
        let door = Doorstep::default();
        let crowd: Vec<_> = (0..CHANNELS)
            .map(|_| {
                tokio::spawn({
                    let door = door.clone();
                    async move { door.turn(ip(1)).await }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(tokio::time::timeout(Duration::from_millis(100), door.turn(ip(2))).await.unwrap());
        crowd.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[test]
    fn one_network_is_one_place() {
        let [one, other] = ["2001:db8::1", "2001:db8::2:3"].map(|ip| network(ip.parse().unwrap()));
        assert_eq!(one, other);
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), ip(1));
    }
}
