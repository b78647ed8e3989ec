//! Tests of the program from outside: processes, disks, links. One binary, so that it is linked once.

mod executor;
mod faces;
mod link;
mod shell;
mod store;
