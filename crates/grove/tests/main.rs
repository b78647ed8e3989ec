//! Tests of the program from outside: processes, disks, links. One binary, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails at once")]

mod executor;
mod faces;
mod link;
mod shell;
mod store;
mod tools;
