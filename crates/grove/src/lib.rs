//! Grove: one node of a shared computer, and the command line that speaks to it.

#![forbid(unsafe_code)]

pub mod store;
