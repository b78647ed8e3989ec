//! What `up` and `lend` share: a process that is a node until somebody says stop.

#[cfg_attr(unix, path = "node/system_unix.rs")]
#[cfg_attr(not(unix), path = "node/system_other.rs")]
mod system;

use super::{Exit, Failure, say};
use crate::amount::bytes_text;
use crate::config::Settings;
use crate::shell::{self, HostError, Hosted, ShellError};
use crate::store::{StoreError, is_guarded};
use grove_sandbox::walls::Wall;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Most threads for links and people: the loop and the executors have their own.
const THREADS_MAX: usize = 4;
/// What still runs when a node stops gets this long; then the process ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Listens from now on; what it gives comes back when somebody has said stop, or when whoever started this process for
/// as long as it runs itself is gone: then standard input ends.
pub(super) fn asked_to_stop(until_eof: bool) -> io::Result<impl Future<Output = io::Result<()>>> {
    let (asked, (gone, parent)) = (system::asked_to_stop()?, tokio::sync::oneshot::channel::<()>());
    let mut gone = Some(gone);
    if until_eof {
        let gone = gone.take();
        std::thread::Builder::new().name("parent".to_owned()).spawn(move || {
            // However it ends, nobody is there any more.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            drop(gone);
        })?;
    }
    Ok(async move {
        let _never_gone = gone;
        tokio::select! {
            asked = asked => asked,
            _ = parent => Ok(()),
        }
    })
}

/// Logs go to standard error, which is talk.
pub(super) fn log(settings: &Settings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        Failure::usage(format!("the setting log is wrong: {error}")).hint("error, warn, info, debug or trace")
    })?;
    // Without colours, so that every control character in a line is somebody else's, and is written out.
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Plain).with_ansi(false);
    // A second one in the same process would change nothing.
    let _ = logs.with_target(false).try_init();
    Ok(())
}

/// Standard error, for text that may hold what strangers said.
struct Plain;

impl Write for Plain {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(say::safe_bytes(line).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What jobs may use on this machine, and who sees to it.
pub(super) fn limits(settings: &Settings, slots: u32, memory: u64) -> Vec<String> {
    let memory = match memory {
        0 => "as much memory as a job allows".to_owned(),
        bytes => format!("{} of memory", bytes_text(bytes)),
    };
    let rank = if settings.rules.heeds_owner { "; last in the system's queue (nice 19)" } else { "" };
    vec![
        format!("{} at one time, on one thread each", say::many(slots.into(), "part")),
        format!("{memory} for each (the system's RLIMIT_DATA)"),
        format!("{} on the disk{rank}", bytes_text(settings.disk_bytes)),
    ]
}

/// Runs a node's life on threads of its own, and lets go of what still runs soon after its end.
pub(super) fn live<F: Future<Output = anyhow::Result<Exit>>>(life: F) -> anyhow::Result<Exit> {
    quieten_guarded_panics();
    system::open_many_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads()).enable_all().build()?;
    let ended = runtime.block_on(life);
    runtime.shutdown_timeout(LAST_WORDS);
    ended
}

/// What a database says that trips over a damaged page is told as an error, in words that a person can use.
fn quieten_guarded_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_guarded() {
            usual(panic);
        }
    }));
}

/// Half of the cores: on a small machine a second thread would only take turns with the first, and each turn costs
/// whoever waits some microseconds.
fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, THREADS_MAX)
}

/// Until the node ends by itself or somebody says stop; then it says goodbye.
pub(super) async fn until_stopped(
    mut hosted: Hosted,
    stop: impl Future<Output = io::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        ended = hosted.ended() => ended.map_err(anyhow::Error::new),
        stopped = stop => {
            stopped?;
            say::talk("stopping: what runs is given back");
            Ok(hosted.stop().await?)
        }
    }
}

/// How many parts run at one time; too many are refused with the settings, wherever they are said.
pub(super) fn parse_slots(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err("a machine lends one slot at the least; `grove up --no-lend` lends none".to_owned()),
        Ok(slots) => Ok(slots),
        Err(_) => Err("it is not a number of parts".to_owned()),
    }
}

/// Which walls could stand on this machine: tried out, in a folder of their own.
pub(super) fn proved_walls() -> Result<Vec<Wall>, Failure> {
    let failed = |error: &(dyn std::error::Error + 'static)| Failure::caused(Exit::Error, error);
    let folder = tempfile::tempdir().map_err(|error| failed(&error))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| failed(&error))?;
    let walls = runtime.block_on(shell::walls(folder.path())).map_err(|error| failed(&error));
    runtime.shutdown_timeout(LAST_WORDS);
    walls
}

/// Which walls stand, in words.
pub(super) fn walls(hosted: &Hosted) -> Vec<String> {
    match &hosted.walls {
        Ok(walls) => named(walls),
        Err(error) => vec![format!("the floor is missing: {error}")],
    }
}

/// In words.
pub(super) fn named(walls: &[Wall]) -> Vec<String> {
    let one = |wall: &Wall| if wall.stands { wall.name.clone() } else { format!("no {} ({})", wall.name, wall.why) };
    walls.iter().map(one).collect()
}

/// Whether the folder is another process's.
pub(super) fn is_taken(error: &HostError) -> bool {
    matches!(error, HostError::Shell(ShellError::Store(StoreError::InUse { .. })))
}
