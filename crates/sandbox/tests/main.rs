//! Runs small modules written in WebAssembly's text form. `wat::parse_str` is the only toolchain needed.

mod files;
mod hostile;
mod inspect;
mod python;
mod run;
mod support;
