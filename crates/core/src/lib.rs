//! What a node decides: no IO, no clock, no threads, no floats.
//!
//! Read the modules in the order below; each imports only those above it (a test checks). A hub, a lender and a peer
//! are one [`node::Node`]: events go in, facts are recorded, actions come out. Everything here is deterministic, so a
//! seed is a run ([`sim`]) and a journal is a state ([`state::State::apply`]).

#![forbid(unsafe_code)]

// Numbers, names, and what nothing may exceed.
pub mod units;
pub mod limits;
pub mod id;

// What is wanted, what becomes of it, and what nodes say about it.
pub mod job;
pub mod task;
pub mod message;

// What is kept on the books about credits, neighbours and people.
pub mod ledger;
pub mod peer;
pub mod circle;

// How it is decided who gets what, and whom to believe.
pub mod estimate;
pub mod split;
pub mod place;
pub mod planted;
pub mod verify;

// The whole: what is true, what can be seen, what is done about it.
pub mod state;
pub mod view;
pub mod node;

pub mod sim;
