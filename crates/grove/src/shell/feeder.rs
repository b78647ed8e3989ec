//! Who makes the inputs: the loop itself where that takes microseconds, else a thread of its own, so that a merge of
//! large outputs delays nobody's heartbeat. What goes out keeps its order.

use super::feed::{self, Feeder};
use super::inbox::Gone;
use super::lent::Lent;
use super::rows::{RowError, Rows};
use super::side::Side;
use super::wires::Wires;
use grove_core::id::{Digest, NodeId};
use grove_core::message::{Answer, Data, Gift, Message, Outcome, Output};
use grove_core::node::{Action, Event, Feed, Row};
use grove_core::units::Fuel;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// What goes out.
enum Outgoing {
    Give(Vec<(Gift, Feed)>),
    Send(Message),
}

#[derive(Debug)]
pub(super) struct Feeding {
    quick: Feeder,
    outlet: Outlet,
    queue: mpsc::Sender<(NodeId, Outgoing)>,
    /// What is in the queue or being made.
    waiting: Arc<AtomicUsize>,
}

/// Where gifts go when their inputs are made.
#[derive(Debug, Clone)]
struct Outlet {
    me: NodeId,
    wires: Arc<dyn Wires>,
    lent: Lent,
    side: Side,
}

impl Feeding {
    pub(super) fn start(
        me: NodeId,
        rows: &Rows,
        wires: Arc<dyn Wires>,
        lent: Lent,
        side: Side,
    ) -> std::io::Result<Feeding> {
        let (queue, outgoing) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let outlet = Outlet { me, wires, lent, side };
        let (slow, out, left) = (Feeder::new(rows.clone()), outlet.clone(), Arc::clone(&waiting));
        std::thread::Builder::new().name("grove-feed".into()).spawn(move || feed_all(slow, &out, &left, outgoing))?;
        Ok(Feeding { quick: Feeder::new(rows.clone()), outlet, queue, waiting })
    }

    /// Inputs that are given out before they lie in their rows.
    pub(super) fn expect(&mut self, inputs: &[(Row, Vec<Data>)]) {
        self.quick.fresh.clear();
        self.quick.fresh.extend_from_slice(inputs);
    }

    /// Whether the inputs of these gifts are made beside the loop.
    pub(super) fn is_slow(action: &Action) -> bool {
        matches!(action, Action::Give { gifts, .. } if !gifts.iter().all(|(_, feed)| feed::is_quick(feed)))
    }

    /// Lends pieces.
    pub(super) fn give(&mut self, to: NodeId, gifts: Vec<(Gift, Feed)>) {
        if gifts.iter().all(|(_, feed)| feed::is_quick(feed)) {
            // The node has stopped: nobody is lent anything any more.
            let _ = self.outlet.give(&mut self.quick, to, gifts);
        } else {
            self.put(to, Outgoing::Give(gifts));
        }
    }

    /// Sends to a neighbour, behind what is still being made.
    pub(super) fn send(&self, to: NodeId, message: Message) {
        if self.waiting.load(Ordering::Acquire) == 0 {
            self.outlet.wires.send(to, message);
        } else {
            self.put(to, Outgoing::Send(message));
        }
    }

    fn put(&self, to: NodeId, what: Outgoing) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The other end lives as long as this one.
        let _ = self.queue.send((to, what));
    }
}

fn feed_all(mut feeder: Feeder, outlet: &Outlet, waiting: &AtomicUsize, outgoing: mpsc::Receiver<(NodeId, Outgoing)>) {
    for (to, what) in outgoing {
        let done = match what {
            Outgoing::Give(gifts) => outlet.give(&mut feeder, to, gifts),
            Outgoing::Send(message) => {
                outlet.wires.send(to, message);
                Ok(())
            }
        };
        waiting.fetch_sub(1, Ordering::AcqRel);
        if done.is_err() {
            return;
        }
    }
}

impl Outlet {
    fn give(&self, feeder: &mut Feeder, to: NodeId, gifts: Vec<(Gift, Feed)>) -> Result<(), Gone> {
        let mut ready = Vec::with_capacity(gifts.len());
        for (mut gift, feed) in gifts {
            match feeder.inputs(&gift, &feed) {
                Ok(inputs) => {
                    gift.inputs = inputs;
                    ready.push(gift);
                }
                Err(error) => self.cannot(to, &gift, &error)?,
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        if to == self.me {
            return self.side.happened(Event::Heard { from: to, message: Message::Give { gifts: ready } });
        }
        self.lent.note(to, &ready);
        self.wires.send(to, Message::Give { gifts: ready });
        Ok(())
    }

    /// A part whose input cannot be made is a part that nobody can run.
    fn cannot(&self, to: NodeId, gift: &Gift, error: &RowError) -> Result<(), Gone> {
        tracing::error!(job = %gift.job, lease = gift.lease.0, "inputs cannot be made: {error}");
        let note: Arc<str> = Arc::from(error.to_string());
        let answers = gift.runs().map(|span| Answer {
            span,
            outcome: Outcome::Broken,
            fuel: Fuel(0),
            micros: 0,
            digest: Digest::default(),
            output: Output { note: Arc::clone(&note), ..Output::of(Data::empty()) },
            pieces: 0,
        });
        let message = Message::Done { lease: gift.lease, answers: answers.collect() };
        self.side.happened(Event::Heard { from: to, message })
    }
}
