//! The node's side of the executors: processes prepared ahead, one job each, killed after. It takes orders of parts
//! and gives back outcomes; it knows no giver, no credits and no store.

mod code;
mod dispatch;
mod keeper;
mod lane;
mod process;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use grove_core::id::{Digest, JobId};
use grove_sandbox::walls::Wall;
use grove_sandbox::{CompileOptions, Outcome, Part, Terms};
use rustix::process::Signal;
use tokio::sync::mpsc;

use code::Codes;
pub use code::{CodeError, Module};
use dispatch::Dispatch;
pub use dispatch::Tally;
pub use process::{Process, ProcessError};
use work::Number;

/// Executors that wait for a job: one is prepared while the other is at work, when short jobs follow one another.
const BLANKS: usize = 2;

/// How this machine runs executors.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is started with `executor` as its first argument: this program.
    pub program: PathBuf,
    /// Where compiled tools are kept.
    pub cache: PathBuf,
    /// Parts that run at one time.
    pub lanes: usize,
    /// Executors that wait for a job.
    pub blanks: usize,
    /// The most memory a part may have here.
    pub memory_bytes_max: u64,
    /// Everything else on this machine comes first.
    pub gentle: bool,
}

impl Settings {
    /// As many lanes as the machine has cores, and this program itself.
    #[must_use]
    pub fn new(cache: PathBuf) -> Settings {
        let lanes = std::thread::available_parallelism().map_or(1, usize::from);
        Settings {
            // The link stays true when an update replaces the file behind it.
            program: PathBuf::from("/proc/self/exe"),
            cache,
            lanes,
            blanks: BLANKS,
            memory_bytes_max: 4 << 30,
            gentle: false,
        }
    }
}

/// Parts of one job and one tool.
#[derive(Debug, Clone)]
pub struct Order {
    /// Executors serve one job only.
    pub job: JobId,
    /// The tool's name; its bytes are asked for only when it was not compiled here before.
    pub tool: Digest,
    /// For an interpreter: what it runs.
    pub package: Option<Arc<[u8]>>,
    /// How it is compiled.
    pub options: CompileOptions,
    /// What each part may use.
    pub terms: Terms,
    /// It must not wait for long parts: one executor more than there are lanes may run such.
    pub beyond: bool,
    /// The parts; outcomes bear their places in this list.
    pub parts: Vec<Part>,
}

/// Why an order, or the rest of it, was not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It cannot be run anywhere.
    #[error("{0}")]
    NotATool(String),
    /// The tool is here no more, or its code cannot be kept.
    #[error(transparent)]
    Code(CodeError),
    /// No executor can be started.
    #[error(transparent)]
    Process(Arc<ProcessError>),
    /// The executors were told to go.
    #[error("this machine stopped running jobs")]
    Stopped,
}

/// All executors of a node. Clones are the same ones; they go when the last does.
#[derive(Debug, Clone)]
pub struct Executors {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dispatch: Arc<Dispatch>,
    codes: Codes,
}

impl Executors {
    /// Starts preparing executors.
    ///
    /// # Errors
    /// When the cache folder cannot be made.
    pub fn start(settings: Settings) -> Result<Executors, CodeError> {
        let codes = Codes::open(&settings)?;
        let dispatch = Arc::new(Dispatch::new(settings, codes.empty()));
        keeper::start(&dispatch);
        Ok(Executors { inner: Arc::new(Inner { dispatch, codes }) })
    }

    /// Runs an order, giving outcomes as they come, in any order. Dropping the future stops it.
    ///
    /// # Errors
    /// When the rest of the order cannot be run at all. What becomes of a single part is in its outcome.
    pub async fn run(
        &self,
        order: Order,
        module: impl Module,
        out: &mpsc::Sender<Vec<(usize, Outcome)>>,
    ) -> Result<(), RunError> {
        let code = self.inner.codes.of(order.tool, order.options, module).await?;
        let (name, mut left) = (Arc::clone(&code.name), order.parts.len());
        let (said, mut heard) = mpsc::unbounded_channel();
        let _ticket = Ticket { number: self.inner.dispatch.take(order, code, said), dispatch: &self.inner.dispatch };
        while left > 0 {
            match heard.recv().await {
                Some(Ok(outcomes)) => {
                    left = left.saturating_sub(outcomes.len());
                    if out.send(outcomes).await.is_err() {
                        break;
                    }
                }
                Some(Err(error)) => {
                    if let RunError::Code(CodeError::Load { .. }) = &error {
                        self.inner.codes.forget(&name);
                    }
                    return Err(error);
                }
                None => return Err(RunError::Stopped),
            }
        }
        Ok(())
    }

    /// Compiles a tool ahead of its first order.
    ///
    /// # Errors
    /// When it is not a tool, or cannot be compiled within the limits.
    pub async fn prepare(&self, tool: Digest, options: CompileOptions, module: impl Module) -> Result<(), RunError> {
        self.inner.codes.of(tool, options, module).await.map(drop)
    }

    /// For how long a tool has been compiled, if one is.
    #[must_use]
    pub fn compiling(&self) -> Option<std::time::Duration> {
        self.inner.codes.compiling()
    }

    /// Whether anything runs, waits to run or is compiled.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.inner.codes.compiling().is_some() || self.inner.dispatch.is_at_work()
    }

    /// Comes back when there is something to run, or was since this was last waited for.
    pub async fn work_begins(&self) {
        self.inner.dispatch.begins.notified().await;
    }

    /// A job has ended or was cancelled: its executors go, and its orders end.
    pub fn end(&self, job: JobId) {
        self.inner.dispatch.end(job);
    }

    /// The owner is back: everything stands still at once.
    pub fn freeze(&self) {
        self.inner.codes.signal(Signal::STOP);
        self.inner.dispatch.freeze();
    }

    /// The owner has left: everything goes on.
    pub fn thaw(&self) {
        self.inner.codes.signal(Signal::CONT);
        self.inner.dispatch.thaw();
    }

    /// Kills every executor; orders end as stopped, and none is taken until `thaw`.
    pub fn kill_all(&self) {
        self.inner.codes.signal(Signal::KILL);
        self.inner.dispatch.kill_all();
    }

    /// The walls around the executor started last; nothing before there was one.
    #[must_use]
    pub fn walls(&self) -> Vec<Wall> {
        self.inner.dispatch.walls()
    }

    /// What was done for each job since this was last asked.
    #[must_use]
    pub fn take_tallies(&self) -> BTreeMap<JobId, Tally> {
        self.inner.dispatch.take_tallies()
    }

    /// Numbers of the processes that run parts now, for tests and for the owner's tools.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.inner.dispatch.pids()
    }

    /// Starts an executor and waits for its walls: whether this machine may lend at all.
    ///
    /// # Errors
    /// When the floor does not stand; the error says which wall, and why.
    pub async fn prove(&self) -> Result<Vec<Wall>, RunError> {
        let dispatch = Arc::clone(&self.inner.dispatch);
        let proved = tokio::task::spawn_blocking(move || dispatch.prove()).await;
        proved.map_err(|_| RunError::Stopped)?.map_err(|error| RunError::Process(Arc::new(error)))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.dispatch.close();
    }
}

/// Stops its order when nobody waits for it any more.
#[derive(Debug)]
struct Ticket<'a> {
    number: Number,
    dispatch: &'a Arc<Dispatch>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.dispatch.stop(self.number);
    }
}
