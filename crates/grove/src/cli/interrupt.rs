//! Ctrl-C: says how to come back, and leaves. What was submitted keeps running.

use super::exit::Exit;
use super::say;
use std::sync::{Mutex, PoisonError};

/// What is said when the person leaves now.
static FAREWELL: Mutex<String> = Mutex::new(String::new());

/// From now on a Ctrl-C says this and ends the process.
pub(super) fn say_on_leaving(farewell: impl Into<String>) {
    let mut text = FAREWELL.lock().unwrap_or_else(PoisonError::into_inner);
    let listening = !text.is_empty();
    *text = farewell.into();
    if !listening {
        // Where no thread can be had, Ctrl-C ends the process as it always does.
        let _ = std::thread::Builder::new().name("ctrl-c".to_owned()).spawn(listen);
    }
}

fn listen() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return;
    };
    if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
        let text = FAREWELL.lock().unwrap_or_else(PoisonError::into_inner).clone();
        say::talk(&format!("\n{text}"));
        std::process::exit(Exit::Interrupted as i32);
    }
}
