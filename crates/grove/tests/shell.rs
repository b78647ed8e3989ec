//! The loop, with a store that is real, links that are function calls and executors that are closures; and whole
//! processes.

mod circle;
mod jobs;
mod keeping;
mod processes;
