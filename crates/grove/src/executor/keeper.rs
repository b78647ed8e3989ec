//! One thread that starts executors ahead of need, reaps those that were killed, and gives up those that are
//! silent. It lives as long as the executors do: the kernel kills an executor when the thread that started it ends.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::dispatch::{Dispatch, State};

/// How often busy executors are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An executor that its job has not used for so long goes; the next costs a millisecond.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// After a failure to start one, the next attempt.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Starts the thread.
pub(super) fn start(dispatch: &Arc<Dispatch>) {
    let dispatch = Arc::clone(dispatch);
    let started = std::thread::Builder::new().name("keeper".into()).spawn(move || keep(&dispatch));
    if let Err(error) = started {
        tracing::error!("no executor will be started, because a thread cannot be: {error}");
    }
}

fn keep(dispatch: &Arc<Dispatch>) {
    loop {
        let mut state = dispatch.lock();
        let dead = std::mem::take(&mut state.dead);
        let closed = state.closed;
        let wanted = !closed && !state.frozen && state.blanks.len() < dispatch.settings.blanks.max(1);
        if wanted || !dead.is_empty() {
            drop(state);
            // Somebody may wait for it, and nobody for the end of those that were killed.
            if wanted {
                start_one(dispatch);
            }
            drop(dead);
            continue;
        }
        if closed {
            return;
        }
        if !state.frozen {
            dispatch.give_up_silent(&mut state);
            dispatch.kill(&mut state, |lane| lane.idle() && lane.quiet_for() > IDLE_FOR);
        }
        if !state.dead.is_empty() {
            continue;
        }
        rest(dispatch, state, LOOK_EVERY);
    }
}

fn start_one(dispatch: &Arc<Dispatch>) {
    match dispatch.start_one() {
        Ok(process) => {
            let mut state = dispatch.lock();
            state.walls = process.walls().to_vec();
            if state.frozen {
                // Everything was stopped while it started; there will be another.
                drop(state);
                return drop(process);
            }
            state.blanks.push(process);
            dispatch.fill(&mut state);
        }
        Err(error) => {
            tracing::error!("{error}");
            dispatch.fail_waiting(error);
            let _rested = dispatch.keeper.wait_timeout(dispatch.lock(), RETRY_AFTER);
        }
    }
}

/// Sleeps until something happens, or until it is time to look again.
fn rest(dispatch: &Dispatch, state: std::sync::MutexGuard<'_, State>, look: Duration) {
    let woken = if state.lanes.is_empty() {
        dispatch.keeper.wait(state).unwrap_or_else(PoisonError::into_inner)
    } else {
        dispatch.keeper.wait_timeout(state, look).unwrap_or_else(PoisonError::into_inner).0
    };
    drop(woken);
}
