//! What a node decides: no IO, no clock, no threads, no floats.
//!
//! Read the modules in the order below; each imports only those above it (a test checks). A hub, a lender and a peer
//! are one [`node::Node`]: events go in, facts are recorded, actions come out. Everything here is deterministic, so a
//! seed is a run ([`sim`]) and a journal is a state ([`state::State::apply`]).

pub mod estimate;
pub mod id;
pub mod job;
pub mod ledger;
pub mod limits;
pub mod message;
pub mod node;
pub mod peer;
pub mod place;
pub mod split;
pub mod state;
pub mod task;
pub mod units;
pub mod verify;
pub mod view;

pub mod planted;
pub mod sim;
