//! Where answers wait until they are worth a write, and a watch over the part that is running.
//! Tiny parts share a write; a part that takes long does not hold back those before it, and one that takes too
//! long is answered for and ends the process.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::{FrameError, send};
use crate::limits::{FLUSH_AFTER, FLUSH_ANSWERS, FLUSH_BYTES};
use crate::order::{Answer, Tell};
use crate::part::{Outcome, Status};

/// How often the watch looks. Only an answer just before a long part waits so long.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The answers of one executor.
#[derive(Debug)]
pub(super) struct Desk {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    begun: Condvar,
    socket: UnixStream,
}

#[derive(Debug)]
struct State {
    waiting: Vec<Answer>,
    bytes: usize,
    written: Instant,
    running: Option<Running>,
    /// Counts parts, so that the watch can tell one from the next.
    serial: u64,
    /// The watch sleeps until a part begins.
    asleep: bool,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    order: u64,
    place: u64,
    wall: Duration,
}

impl Desk {
    /// Opens a desk that writes to a socket.
    pub(super) fn open(socket: &UnixStream) -> Result<Desk, FrameError> {
        let state =
            State { waiting: Vec::new(), bytes: 0, written: Instant::now(), running: None, serial: 0, asleep: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), begun: Condvar::new(), socket: socket.try_clone()? });
        let watched = Arc::clone(&shared);
        std::thread::Builder::new().name("watch".into()).spawn(move || watched.watch())?;
        Ok(Desk { shared })
    }

    /// A part begins.
    pub(super) fn begin(&self, order: u64, place: u64, wall: Duration) {
        let mut state = self.shared.lock();
        state.running = Some(Running { order, place, wall });
        state.serial += 1;
        if state.asleep {
            self.shared.begun.notify_one();
        }
    }

    /// A part has ended; the last of an order never waits.
    pub(super) fn end(&self, answer: Answer, last: bool) -> Result<(), FrameError> {
        let mut state = self.shared.lock();
        state.running = None;
        state.bytes += answer.outcome.stdout.len() + answer.outcome.files.iter().map(|f| f.bytes.len()).sum::<usize>();
        state.waiting.push(answer);
        let due = state.waiting.len() >= FLUSH_ANSWERS || state.bytes >= FLUSH_BYTES;
        if last || due || state.written.elapsed() >= FLUSH_AFTER { self.shared.write(&mut state) } else { Ok(()) }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked ends the process soon; what waits is still worth sending.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, state: &mut State) -> Result<(), FrameError> {
        state.bytes = 0;
        state.written = Instant::now();
        let answers = std::mem::take(&mut state.waiting);
        if answers.is_empty() { Ok(()) } else { send(&self.socket, &Tell::Ran(answers), &[]) }
    }

    /// Time is counted in looks, each for what it can at most have taken, so that a process which its node froze
    /// and thawed does not count the time between.
    fn watch(&self) {
        let (mut serial, mut spent, mut looked) = (0, Duration::ZERO, Instant::now());
        let mut state = self.lock();
        loop {
            if state.running.is_none() && state.waiting.is_empty() {
                state.asleep = true;
                state = self.begun.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.asleep = false;
                looked = Instant::now();
            }
            state = self.begun.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            let since = looked.elapsed().min(LOOK_EVERY * 2);
            looked = Instant::now();
            if !state.waiting.is_empty() && self.write(&mut state).is_err() {
                std::process::exit(1);
            }
            spent = if state.serial == serial { spent + since } else { since };
            serial = state.serial;
            if let Some(running) = state.running
                && spent > running.wall
            {
                self.give_up(&mut state, running, spent);
            }
        }
    }

    /// WebAssembly cannot be interrupted cheaply, so the whole process goes; its node has others ready.
    fn give_up(&self, state: &mut State, running: Running, spent: Duration) -> ! {
        let micros = u64::try_from(spent.as_micros()).unwrap_or(u64::MAX);
        let outcome = Outcome { wall_us: micros, cpu_us: micros, ..Outcome::early(Status::TimedOut) };
        state.waiting.push(Answer { order: running.order, place: running.place, outcome });
        // Should the node be gone, there is nobody to tell.
        let told = self.write(state).is_ok();
        std::process::exit(i32::from(!told))
    }
}
