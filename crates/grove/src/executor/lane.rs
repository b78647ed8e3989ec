//! One executor at work for one job: what it was given and has not answered, and the two threads at its socket.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use grove_core::id::JobId;
use grove_sandbox::frame::{FrameError, frame, offer, receive, send_frame};
use grove_sandbox::order::{Answer, Ask, Order, Tell};
use grove_sandbox::{Limits, Outcome, Part, Status, Terms};

use super::code::Code;
use super::dispatch::{Dispatch, LaneId};
use super::process::Process;
use super::work::{Key, Number};

/// Parts worth this much time are given at once: long against the cost of giving, short for another job that waits.
const CHUNK_MICROS: u64 = 2_000;
/// Parts in one chunk, however tiny.
const CHUNK_PARTS_MAX: u64 = 256;
/// Before the first answer nobody knows how long a part takes; it may be minutes.
const FIRST_CHUNK: u64 = 1;
/// Inputs in one chunk, unless a single part has more.
pub(super) const CHUNK_BYTES: usize = 4 << 20;
/// Parts shorter than this are given a chunk ahead, so that the executor need not wait for the next.
const AHEAD_BELOW_MICROS: u64 = 2_000;
/// How much later than a part's own limit an executor that says nothing is given up.
const SILENT_FOR: Duration = Duration::from_secs(2);
/// The threads only copy.
const THREAD_STACK_BYTES: usize = 128 << 10;

/// An executor that serves a job.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) job: JobId,
    pub(super) code: Arc<str>,
    pub(super) process: Process,
    pub(super) chunks: VecDeque<Chunk>,
    /// Since when it is its turn; nothing while it rests.
    pub(super) turn: Option<Instant>,
    /// Its last turn: they are numbered.
    pub(super) begun: Option<Number>,
    pub(super) timed_out: bool,
    heard: Instant,
    micros_each: Option<u64>,
    asks: mpsc::Sender<Outgoing>,
    /// Frames that the writing thread has not written yet.
    unwritten: Arc<AtomicUsize>,
}

/// A frame, how much of it was sent already, and what goes with it.
type Outgoing = (Vec<u8>, usize, Option<Arc<File>>);

/// Parts given and not all answered.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: Number,
    pub(super) first: u64,
    pub(super) terms: Terms,
    pub(super) parts: Arc<[Part]>,
    pub(super) done: usize,
}

impl Chunk {
    /// What was not answered, with places.
    pub(super) fn rest(&self) -> impl Iterator<Item = (u64, Part)> {
        let from = self.done as u64 + self.first;
        (from..).zip(self.parts[self.done..].iter().cloned())
    }
}

impl Lane {
    /// Gives a blank executor to a job for ever.
    pub(super) fn adopt(
        id: LaneId,
        job: JobId,
        (code, package): (&Code, Option<Arc<[u8]>>),
        process: Process,
        dispatch: &Arc<Dispatch>,
    ) -> io::Result<Lane> {
        let (asks, asked) = mpsc::channel();
        let (reading, writing) = (process.socket()?, process.socket()?);
        let dispatch = Arc::clone(dispatch);
        let thread = |name: &str| std::thread::Builder::new().name(name.into()).stack_size(THREAD_STACK_BYTES);
        thread("lane-read").spawn(move || read(id, &reading, &dispatch))?;
        let unwritten = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&unwritten);
        thread("lane-write").spawn(move || write(&writing, &asked, &left))?;
        let now = Instant::now();
        let lane = Lane {
            job,
            code: Arc::clone(&code.name),
            process,
            chunks: VecDeque::new(),
            turn: None,
            begun: None,
            timed_out: false,
            heard: now,
            micros_each: None,
            asks,
            unwritten,
        };
        let load = Ask::Load { options: code.options, package: package.unwrap_or_default() };
        lane.ask(&load, Some(Arc::clone(&code.file)));
        Ok(lane)
    }

    /// What the socket takes at once goes at once; the writing thread waits for the rest.
    fn ask(&self, ask: &Ask, file: Option<Arc<File>>) {
        if self.try_ask(ask, file).is_err() {
            // The reading thread is woken, and reports it.
            self.process.hang_up();
        }
    }

    fn try_ask(&self, ask: &Ask, file: Option<Arc<File>>) -> Result<(), FrameError> {
        let (frame, mut sent) = (frame(ask)?, 0);
        if file.is_none() && self.unwritten.load(Ordering::Acquire) == 0 {
            sent = offer(self.process.link(), &frame)?;
            if sent == frame.len() {
                return Ok(());
            }
        }
        self.unwritten.fetch_add(1, Ordering::AcqRel);
        // When the writing thread has ended, the reading one is about to say so.
        let _ = self.asks.send((frame, sent, file));
        Ok(())
    }

    pub(super) fn is(&self, key: &Key) -> bool {
        self.job == key.0 && self.code == key.1
    }

    pub(super) fn idle(&self) -> bool {
        self.chunks.is_empty()
    }

    /// It could work, and it is not its turn.
    pub(super) fn rests(&self) -> bool {
        self.idle() && self.turn.is_none()
    }

    /// Its turn begins.
    pub(super) fn begin(&mut self, turn: Number) {
        (self.turn, self.begun) = (Some(Instant::now()), Some(turn));
    }

    /// Since when it has had nothing to do or said nothing.
    pub(super) fn quiet_for(&self) -> Duration {
        self.heard.elapsed()
    }

    /// Whether it should be given more.
    pub(super) fn has_room(&self) -> bool {
        match self.chunks.len() {
            0 => true,
            1 => self.micros_each.is_some_and(|micros| micros < AHEAD_BELOW_MICROS),
            _ => false,
        }
    }

    /// How many parts to give it next, by how long they have taken it.
    pub(super) fn appetite(&self) -> u64 {
        match self.micros_each {
            Some(micros) => (CHUNK_MICROS / micros.max(1)).clamp(1, CHUNK_PARTS_MAX),
            None => FIRST_CHUNK,
        }
    }

    pub(super) fn give(&mut self, chunk: Chunk) {
        if self.chunks.is_empty() {
            self.heard = Instant::now();
        }
        let (number, first, terms) = (chunk.number.0, chunk.first, chunk.terms);
        self.ask(&Ask::Run(Order { number, first, terms, parts: Arc::clone(&chunk.parts) }), None);
        self.chunks.push_back(chunk);
    }

    /// Takes answers in the order in which parts were given; nothing if it answers what it was not asked.
    pub(super) fn take(&mut self, answers: Vec<Answer>) -> Option<Vec<(Number, usize, Outcome)>> {
        self.heard = Instant::now();
        let (mut taken, mut micros, count) = (Vec::with_capacity(answers.len()), 0_u64, answers.len() as u64);
        for Answer { order, place, outcome } in answers {
            let chunk = self.chunks.front_mut()?;
            let expected = chunk.first + chunk.done as u64;
            if order != chunk.number.0 || place != expected || !within(&outcome, chunk.terms.limits.bounded()) {
                return None;
            }
            micros = micros.saturating_add(outcome.wall_us);
            self.timed_out = outcome.status == Status::TimedOut;
            taken.push((chunk.number, usize::try_from(place).ok()?, outcome));
            chunk.done += 1;
            if chunk.done == chunk.parts.len() {
                self.chunks.pop_front();
            }
        }
        if let Some(each) = micros.checked_div(count) {
            self.micros_each = Some(self.micros_each.map_or(each, |before| (before + each).div_ceil(2)));
        }
        Some(taken)
    }

    /// Whether it has said nothing for longer than its part may take. Its own watch should have spoken before.
    pub(super) fn overdue(&self) -> bool {
        let wall = |chunk: &Chunk| Duration::from_millis(chunk.terms.limits.wall_ms) + SILENT_FOR;
        self.chunks.front().is_some_and(|chunk| self.heard.elapsed() > wall(chunk))
    }

    /// Time that it was frozen does not count.
    pub(super) fn forgive(&mut self) {
        self.heard = Instant::now();
    }
}

/// An executor that a tool broke into can say anything; more than was allowed it did not get from a tool.
fn within(outcome: &Outcome, limits: Limits) -> bool {
    let files: u64 = outcome.files.iter().map(|file| file.bytes.len() as u64).sum();
    outcome.stdout.len() as u64 <= limits.stdout_bytes
        && files <= limits.files_bytes
        && outcome.files.len() <= limits.files_count as usize
        && outcome.stderr_tail.len() <= grove_sandbox::limits::STDERR_TAIL_BYTES
        && outcome.fuel <= limits.fuel
        && outcome.files.iter().all(|file| plain(&file.path))
}

/// A path that leads down and nowhere else, on this kind of system; where it is kept its names are made safe.
fn plain(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
}

fn read(id: LaneId, socket: &UnixStream, dispatch: &Arc<Dispatch>) {
    while let Ok(Some((tell, _))) = receive::<Tell>(socket) {
        dispatch.heard(id, tell);
    }
    dispatch.lost(id);
}

fn write(socket: &UnixStream, asked: &mpsc::Receiver<Outgoing>, unwritten: &AtomicUsize) {
    for (frame, sent, file) in asked {
        if send_frame(socket, &frame[sent..], file.as_ref().map(|file| file.as_fd()).as_slice()).is_err() {
            // Wakes the reading thread, which reports it.
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
        unwritten.fetch_sub(1, Ordering::AcqRel);
    }
}
