//! The executor process: raises its walls, says so, then does what its node asks until the socket closes.
//! It serves one job, or one compilation, and is never given to another.

mod desk;
mod rank;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use crate::frame::{FrameError, receive, send};
use crate::inspect::NotATool;
use crate::order::{Answer, Ask, Order, Tell};
use crate::package::Package;
use crate::tool::{CompileOptions, Engine, Tool, ToolError};
use crate::walls::{self, Plan};

use desk::Desk;

/// Parts run on a thread whose stack is ours to choose: WebAssembly's, and room for the host's calls.
const THREAD_STACK_BYTES: usize = crate::limits::STACK_BYTES + (4 << 20);
/// An executor runs one part at a time.
const SLOTS: u32 = 1;

/// The whole life of an executor. Its socket is its standard input, its plan the arguments after `executor`.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(2).collect();
    let (Some(plan), Ok(socket)) = (Plan::from_args(&args), std::io::stdin().as_fd().try_clone_to_owned()) else {
        eprintln!("error: `grove executor` is started by a node\nhint: to lend this machine, use `grove lend`");
        return ExitCode::from(2);
    };
    let socket = UnixStream::from(socket);
    rank::come_last(plan.gentle, plan.cpu_seconds.is_some());
    let said = match walls::raise(&plan) {
        Ok(walls) => Tell::Ready(walls),
        Err(wall) => Tell::Unwalled(wall),
    };
    let walled = matches!(said, Tell::Ready(_));
    if send(&socket, &said, &[]).is_err() || !walled {
        return ExitCode::FAILURE;
    }
    let life = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn(move || serve(socket));
    match life.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => ExitCode::FAILURE,
    }
}

fn serve(socket: UnixStream) -> Result<(), FrameError> {
    // Ready before the first order comes: an engine takes longer to build than a small tool to run.
    let mut engine = Engine::new(CompileOptions::default(), SLOTS).map(|engine| (CompileOptions::default(), engine));
    let mut tool = None;
    let desk = Desk::open(&socket)?;
    while let Some((ask, passed)) = receive::<Ask>(&socket)? {
        if let Ask::Compile { options, .. } | Ask::Load { options, .. } = &ask
            && !matches!(&engine, Ok((built, _)) if built == options)
        {
            tool = None;
            drop(engine);
            engine = Engine::new(*options, SLOTS).map(|engine| (*options, engine));
        }
        let told = match (&engine, ask) {
            (Err(error), _) => Tell::Unable(error.to_string()),
            (Ok((_, engine)), Ask::Compile { wasm, .. }) => told(compile(engine, &wasm, passed)),
            (Ok((_, engine)), Ask::Load { package, .. }) => told(load(engine, passed, &package).map(|loaded| {
                tool = Some(loaded);
                Tell::Loaded
            })),
            (Ok(_), Ask::Escape(targets)) => Tell::Escaped(walls::escape(&targets)),
            (Ok(_), Ask::Run(order)) => match &tool {
                Some(tool) => {
                    run(&desk, tool, &order)?;
                    continue;
                }
                None => Tell::Unable("no tool is loaded".to_owned()),
            },
        };
        send(&socket, &told, &[])?;
    }
    Ok(())
}

fn told(done: Result<Tell, ToolError>) -> Tell {
    done.unwrap_or_else(|error| {
        let why = error.to_string();
        if error.is_the_tools() { Tell::Refused(why) } else { Tell::Unable(why) }
    })
}

fn compile(engine: &Engine, wasm: &[u8], passed: Vec<OwnedFd>) -> Result<Tell, ToolError> {
    let mut file = one_file(passed)?;
    let code = engine.compile(wasm)?;
    file.write_all(&code).map_err(ToolError::Write)?;
    Ok(Tell::Compiled { bytes: code.len() as u64 })
}

#[expect(unsafe_code, reason = "compiled code can only be trusted, not checked; this process's walls are the check")]
fn load(engine: &Engine, passed: Vec<OwnedFd>, package: &[u8]) -> Result<Tool, ToolError> {
    let file = one_file(passed)?;
    // SAFETY: the node passes what an executor compiled and nobody can write to any more. Should that code be
    // hostile all the same, it is in here with nothing but its own job.
    let tool = unsafe { Tool::load(engine, file) }?;
    if package.is_empty() { Ok(tool) } else { Ok(tool.with(Package::read(package).map_err(NotATool::from)?)) }
}

fn one_file(passed: Vec<OwnedFd>) -> Result<File, ToolError> {
    let missing = || ToolError::Load(wasmtime::Error::msg("no file came with the request"));
    passed.into_iter().next().map(File::from).ok_or_else(missing)
}

fn run(desk: &Desk, tool: &Tool, order: &Order) -> Result<(), FrameError> {
    let wall = Duration::from_millis(order.terms.limits.wall_ms);
    let last = order.parts.len().saturating_sub(1);
    for (index, part) in order.parts.iter().enumerate() {
        let place = order.first + index as u64;
        desk.begin(order.number, place, wall);
        let outcome = tool.run(part, &order.terms);
        desk.end(Answer { order: order.number, place, outcome }, index == last)?;
    }
    Ok(())
}
