//! Grove: one node of a shared computer, and the command line that speaks to it.

#![forbid(unsafe_code)]

pub mod address;
pub mod amount;
pub mod api;
pub mod cli;
pub mod config;
pub mod device;
pub mod door;
pub mod doorstep;
pub mod executor;
pub mod invite;
pub mod link;
pub mod nearby;
pub mod owner;
pub mod peers;
pub mod python;
pub mod shape;
pub mod shell;
pub mod store;
pub mod tokens;
pub mod tool;
pub mod words;
