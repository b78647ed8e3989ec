//! Habits of the repository, checked. They read the sources as text, so they hold for every crate and every target.

mod bare;
mod names;
mod order;
mod paths;
mod size;
mod sources;
mod words;
