//! One executor process as its node sees it: started, spoken to, killed and reaped.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grove_sandbox::frame::{FrameError, receive, send};
use grove_sandbox::order::{Ask, Tell};
use grove_sandbox::walls::{Plan, Wall};
use rustix::process::{Pid, Signal};

/// Raising walls takes a few milliseconds; on a machine that swaps, more.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Users of executors begin here, far above those of people, services and containers …
const UIDS_FROM: u32 = 1_000_000_000;
/// … 256 for each node process, so that no two live executors share one.
const UIDS_EACH: u32 = 256;
/// Process numbers are below this on Linux.
const PIDS: u32 = 1 << 22;

/// A running executor. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    socket: UnixStream,
    walls: Vec<Wall>,
}

/// Why an executor cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The system did not start it.
    #[error("an executor ({program}) cannot be started: {source}")]
    Start { program: PathBuf, source: io::Error },
    /// It was started and did not come up.
    #[error("an executor did not come up: {source}")]
    Ready { source: FrameError },
    /// It went away instead.
    #[error("an executor ended before it was ready\nhint: `grove doctor` says what this machine lacks")]
    Ended,
    /// A wall of the floor does not stand.
    #[error("nothing is run here, because a wall does not stand: {}: {}\nhint: `grove doctor` lists the walls", .0.name, .0.why)]
    Unwalled(Wall),
}

impl Process {
    /// Starts one and waits until its walls stand.
    ///
    /// # Errors
    /// When it cannot be started, or its floor does not stand.
    pub fn start(program: &Path, plan: Plan) -> Result<Process, ProcessError> {
        let failed = |source| ProcessError::Start { program: program.to_owned(), source };
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        let plan = Plan { uid: next_uid(), ..plan };
        let child = Command::new(program)
            .arg("executor")
            .args(plan.to_args())
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let mut process = Process { child, socket, walls: Vec::new() };
        process.socket.set_read_timeout(Some(READY_WITHIN)).map_err(failed)?;
        match receive::<Tell>(&process.socket).map_err(|source| ProcessError::Ready { source })? {
            Some((Tell::Ready(walls), _)) => process.walls = walls,
            Some((Tell::Unwalled(wall), _)) => return Err(ProcessError::Unwalled(wall)),
            Some(_) | None => return Err(ProcessError::Ended),
        }
        process.socket.set_read_timeout(None).map_err(failed)?;
        Ok(process)
    }

    /// What shuts it in.
    #[must_use]
    pub fn walls(&self) -> &[Wall] {
        &self.walls
    }

    /// Asks it something.
    ///
    /// # Errors
    /// When it is gone.
    pub fn ask(&self, ask: &Ask, file: Option<BorrowedFd<'_>>) -> Result<(), FrameError> {
        send(&self.socket, ask, file.as_slice())
    }

    /// Waits for what it tells; nothing when it has ended.
    ///
    /// # Errors
    /// When it breaks off, or was silent for too long.
    pub fn hear(&self, within: Option<Duration>) -> Result<Option<Tell>, FrameError> {
        self.socket.set_read_timeout(within)?;
        Ok(receive(&self.socket)?.map(|(tell, _)| tell))
    }

    /// Its number, for tests and for the owner's tools.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// This end of its socket.
    pub(super) fn link(&self) -> &UnixStream {
        &self.socket
    }

    /// Says no more, and hears no more: whoever reads sees the end.
    pub(super) fn hang_up(&self) {
        // A socket that is broken already is hung up.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Another end of its socket.
    pub(super) fn socket(&self) -> io::Result<UnixStream> {
        Ok(self.socket.as_fd().try_clone_to_owned()?.into())
    }

    /// Stops, continues or ends it. It is not reaped before it is dropped, so its number cannot mean another.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended already, which is as good.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Ends it and says how it ended.
    pub(super) fn finish(mut self) -> String {
        self.signal(Signal::KILL);
        self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Reaped here, so that none is left as a zombie; a killed process ends at once.
        let _ = self.child.wait();
    }
}

fn next_uid() -> u32 {
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let serial = STARTED.fetch_add(1, Ordering::Relaxed) % UIDS_EACH;
    UIDS_FROM + std::process::id() % PIDS * UIDS_EACH + serial
}
