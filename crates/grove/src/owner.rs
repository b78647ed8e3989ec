//! The owner comes first: whether this machine's owner is away, and giving the machine back when that ends.
//!
//! It looks at the machine and at nothing of Grove: what is to be stopped it knows only as [`Reins`].

mod asked;
mod diary;
mod machine;
mod note;
mod probe;
pub mod rules;
mod watch;

pub use asked::{AskedError, pause, resume};
pub use diary::{Done, Entry, diary};
pub(crate) use machine::is_alive;
pub use note::{Note, Returns, notes, returns};
pub use probe::{NoSight, Probes};
pub use rules::{Pause, Rules};
pub use watch::{Setup, Watch, WatchError};

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

/// What comes soon.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What works for others on this machine, as far as its owner cares.
pub trait Reins: Send + Sync + Debug {
    /// When this comes back, nothing of any job uses a processor.
    fn freeze(&self);
    /// Gives up what is not finished. When it comes back, nothing of any job is left.
    fn give_up(&self) -> Soon<'_, ()>;
    /// From now on work is taken.
    fn lend(&self);
    /// Whether there is anything to be stopped.
    fn is_at_work(&self) -> bool;
    /// From now on only the owner's own jobs run. When it comes back, those of others have been given up.
    fn keep(&self) -> Soon<'_, ()>;
    /// Comes back when there is.
    fn work_begins(&self) -> Soon<'_, ()>;
    /// For how long a tool has been compiled, if one is.
    fn compiling(&self) -> Option<std::time::Duration>;
    /// What was done since this was last asked.
    fn done(&self) -> Vec<Done>;
}

/// Unix time.
pub(crate) fn now() -> grove_core::units::Millis {
    since_epoch(std::time::SystemTime::now())
}

/// A clock before 1970 is wrong in any case.
fn since_epoch(time: std::time::SystemTime) -> grove_core::units::Millis {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    grove_core::units::Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
