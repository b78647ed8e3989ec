//! The loop, with a store that is real, links that are function calls and executors that are closures.

mod circle;
mod jobs;
mod keeping;
