//! Real executor processes, honest tools and hostile ones.

mod hostile;
mod run;
mod support;
mod walls;
