//! What a tool sees of the world: WASI preview 1, and 0.2 as far as an interpreter's image needs it, played entirely
//! in memory. No call here reaches the operating
//! system (but for true clocks and random numbers when asked), so there is nothing to escape to.

mod clock;
mod descriptors;
mod errno;
mod guest;
mod paths;
mod process;
pub(crate) mod second;
mod tree;

use wasmtime::{Caller, Func, Linker, Memory, ResourceLimiter, Trap};

pub(crate) use clock::World;
use descriptors::Descriptor;
use errno::{Errno, Fault};
use guest::Guest;
use tree::Tree;

use crate::limits::{
    ARGS_BYTES_MAX, BYTE_FUEL, CALL_FUEL, Limits, MEMORY_BYTES_MAX, STDERR_TAIL_BYTES, TABLE_ELEMENTS_MAX,
};
use crate::package::Package;
use crate::part::{Part, Status, Written};

/// The module name under which tools import all this.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// The state behind one part's calls.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) memory: Option<Memory>,
    /// What makes room in that memory, in tools that have it: old place and size (none), alignment, size.
    pub(crate) realloc: Option<Func>,
    args: Vec<String>,
    stdin: std::sync::Arc<[u8]>,
    stdin_at: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// All that was said on stderr, of which only the tail is kept.
    stderr_bytes: u64,
    world: World,
    tree: Tree,
    descriptors: Vec<Option<Descriptor>>,
    /// What WASI 0.2 has in the place of descriptors.
    handles: Vec<Option<second::Handle>>,
    preopened: Vec<(&'static str, tree::Node)>,
    limits: Limits,
    fuel_left: u64,
    /// Memory was refused; whatever the tool dies of afterwards, this is why.
    starved: bool,
    /// The memory that is being asked for would be given on a machine that has it.
    granted: bool,
}

impl Host {
    /// A world for one part; folders are there only for tools that can open paths.
    pub(crate) fn new(
        part: &Part,
        limits: Limits,
        world: World,
        folders: bool,
        package: Option<&Package>,
    ) -> Result<Host, Status> {
        if part.args.iter().map(|arg| arg.len() + 8).sum::<usize>() > ARGS_BYTES_MAX {
            return Err(Status::BadInput("its arguments are too long".into()));
        }
        if part.args.iter().any(|arg| arg.contains('\0')) {
            return Err(Status::BadInput("an argument holds a zero byte".into()));
        }
        let mut args = Vec::with_capacity(part.args.len() + 1);
        // Every program expects its own name first; a neutral one, since real names and paths stay outside.
        args.push(package.map_or_else(|| "tool".to_owned(), |package| package.head.clone()));
        args.extend(part.args.iter().cloned());
        let job = package.map_or(&[][..], |package| &package.files);
        let tree = Tree::new(&part.files, job, limits.files_bytes, limits.files_count).map_err(Status::BadInput)?;
        let mut descriptors = vec![Some(Descriptor::Stdin), Some(Descriptor::Stdout), Some(Descriptor::Stderr)];
        if folders {
            descriptors.push(Some(Descriptor::folder(tree::IN, Some("/in"))));
            descriptors.push(Some(Descriptor::folder(tree::OUT, Some("/out"))));
        }
        let mut preopened = vec![("/in", tree::IN), ("/out", tree::OUT), ("/tmp", tree::TMP)];
        preopened.extend(package.map(|_| ("/job", tree::JOB)));
        Ok(Host {
            memory: None,
            realloc: None,
            args,
            stdin: part.stdin.clone(),
            stdin_at: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            stderr_bytes: 0,
            world,
            tree,
            descriptors,
            handles: Vec::new(),
            preopened,
            limits,
            fuel_left: 0,
            starved: false,
            granted: false,
        })
    }

    /// Whether memory was refused to this part.
    pub(crate) fn starved(&self) -> bool {
        self.starved
    }

    /// Standard output, the tail of standard error, and the files below `/out`.
    pub(crate) fn into_output(mut self) -> (Vec<u8>, Vec<u8>, Vec<Written>) {
        let tail = self.stderr.len().saturating_sub(STDERR_TAIL_BYTES);
        self.stderr.drain(..tail);
        (self.stdout, self.stderr, self.tree.into_written())
    }

    /// Takes fuel for work done outside WebAssembly, before it is done.
    fn charge(&mut self, bytes: u64) -> Result<(), Fault> {
        match self.fuel_left.checked_sub(bytes.saturating_mul(BYTE_FUEL)) {
            Some(left) => {
                self.fuel_left = left;
                Ok(())
            }
            None => {
                self.fuel_left = 0;
                Err(Fault::Stop(Stop::OutOfFuel))
            }
        }
    }
}

/// Why the host itself ends a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("exit code {0}")]
    Exit(u32),
    #[error("all fuel used")]
    OutOfFuel,
    #[error("too much output")]
    OutputTooLarge,
    #[error("too much in files")]
    FilesTooLarge,
    #[error("more than {0} files")]
    TooManyFiles(u32),
    #[error("no memory here")]
    NoMemoryHere,
}

impl ResourceLimiter for Host {
    fn memory_growing(&mut self, _now: usize, wanted: usize, max: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = wanted as u64 <= self.limits.memory_bytes;
        self.starved |= !allowed;
        self.granted = allowed && wanted as u64 <= MEMORY_BYTES_MAX && max.is_none_or(|max| wanted <= max);
        Ok(allowed)
    }

    /// A tool that is told of it would go on, or die, as it does on this machine only.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        if self.granted { Err(Stop::NoMemoryHere.into()) } else { Ok(()) }
    }

    fn table_growing(&mut self, _now: usize, wanted: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = wanted <= TABLE_ELEMENTS_MAX;
        self.starved |= !allowed;
        Ok(allowed)
    }
}

/// Runs one call: meters it, gives it the tool's memory, and tells what the tool is told from the end of the part.
fn metered<T>(
    caller: &mut Caller<'_, Host>,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<T, Fault>,
) -> wasmtime::Result<Result<T, Errno>> {
    let fuel = caller.get_fuel()?;
    // Only a start function can call before its memory is known, and compilers do not emit one.
    let Some(memory) = caller.data().memory else {
        return Ok(Err(Errno::FAULT));
    };
    let (bytes, host) = memory.data_and_store_mut(&mut *caller);
    host.fuel_left = fuel;
    let said = host.charge(CALL_FUEL).and_then(|()| act(host, &mut Guest::new(bytes)));
    let left = host.fuel_left;
    caller.set_fuel(left)?;
    match said {
        Ok(said) => Ok(Ok(said)),
        Err(Fault::Errno(errno)) => Ok(Err(errno)),
        Err(Fault::Stop(Stop::OutOfFuel)) => Err(Trap::OutOfFuel.into()),
        Err(Fault::Stop(stop)) => Err(stop.into()),
    }
}

/// One call of preview 1, which says how it ended as a number.
fn call(
    caller: &mut Caller<'_, Host>,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<(), Fault>,
) -> wasmtime::Result<i32> {
    Ok(metered(caller, act)?.map_or_else(Errno::code, |()| 0))
}

/// Declares the calls once: for the linker, and as the list that `inspect` compares a tool's imports with.
macro_rules! calls {
    ($($from:ident :: $name:ident ( $($arg:ident : $kind:ty),* );)*) => {
        /// The calls that are given.
        pub(crate) const CALLS: &[&str] = &[$(stringify!($name),)* "proc_exit"];

        /// Gives all calls to a linker.
        pub(crate) fn give(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(linker.func_wrap(MODULE, stringify!($name), |mut caller: Caller<'_, Host>, $($arg: $kind),*| {
                call(&mut caller, |host, guest| $from::$name(host, guest, $($arg),*))
            })?;)*
            linker.func_wrap(MODULE, "proc_exit", |code: u32| -> wasmtime::Result<()> { Err(Stop::Exit(code).into()) })?;
            Ok(())
        }
    };
}

calls! {
    process::args_get(pointers: u32, buffer: u32);
    process::args_sizes_get(count: u32, size: u32);
    process::environ_get(pointers: u32, buffer: u32);
    process::environ_sizes_get(count: u32, size: u32);
    process::clock_res_get(id: u32, out: u32);
    process::clock_time_get(id: u32, precision: u64, out: u32);
    process::poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32);
    process::proc_raise(signal: u32);
    process::sched_yield();
    process::random_get(at: u32, len: u32);
    process::sock_accept(fd: u32, flags: u32, out: u32);
    process::sock_recv(fd: u32, vectors: u32, count: u32, flags: u32, size: u32, out: u32);
    process::sock_send(fd: u32, vectors: u32, count: u32, flags: u32, size: u32);
    process::sock_shutdown(fd: u32, how: u32);
    descriptors::fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
    descriptors::fd_allocate(fd: u32, offset: u64, len: u64);
    descriptors::fd_close(fd: u32);
    descriptors::fd_datasync(fd: u32);
    descriptors::fd_fdstat_get(fd: u32, out: u32);
    descriptors::fd_fdstat_set_flags(fd: u32, flags: u32);
    descriptors::fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
    descriptors::fd_filestat_get(fd: u32, out: u32);
    descriptors::fd_filestat_set_size(fd: u32, size: u64);
    descriptors::fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
    descriptors::fd_pread(fd: u32, vectors: u32, count: u32, offset: u64, out: u32);
    descriptors::fd_prestat_get(fd: u32, out: u32);
    descriptors::fd_prestat_dir_name(fd: u32, path: u32, len: u32);
    descriptors::fd_pwrite(fd: u32, vectors: u32, count: u32, offset: u64, out: u32);
    descriptors::fd_read(fd: u32, vectors: u32, count: u32, out: u32);
    descriptors::fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, out: u32);
    descriptors::fd_renumber(from: u32, to: u32);
    descriptors::fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
    descriptors::fd_sync(fd: u32);
    descriptors::fd_tell(fd: u32, out: u32);
    descriptors::fd_write(fd: u32, vectors: u32, count: u32, out: u32);
    paths::path_create_directory(fd: u32, path: u32, len: u32);
    paths::path_filestat_get(fd: u32, follow: u32, path: u32, len: u32, out: u32);
    paths::path_filestat_set_times(fd: u32, follow: u32, path: u32, len: u32, accessed: u64, modified: u64, flags: u32);
    paths::path_link(from_fd: u32, follow: u32, from: u32, from_len: u32, fd: u32, path: u32, len: u32);
    paths::path_open(fd: u32, follow: u32, path: u32, len: u32, how: u32, rights: u64, inheriting: u64, flags: u32, out: u32);
    paths::path_readlink(fd: u32, path: u32, len: u32, buffer: u32, size: u32, out: u32);
    paths::path_remove_directory(fd: u32, path: u32, len: u32);
    paths::path_rename(from_fd: u32, from: u32, from_len: u32, fd: u32, path: u32, len: u32);
    paths::path_symlink(target: u32, target_len: u32, fd: u32, path: u32, len: u32);
    paths::path_unlink_file(fd: u32, path: u32, len: u32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_this_machine_does_not_have_is_not_the_tools_doing() {
        let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
        let mut host = Host::new(&Part::default(), limits, World::made(1), false, None).expect("a world");
        let mut fails = |wanted: usize, max: Option<usize>| {
            let allowed = host.memory_growing(0, wanted, max).expect("an answer");
            let told = host.memory_grow_failed(wasmtime::Error::msg("no"));
            (allowed, told.is_err_and(|error| error.downcast_ref::<Stop>() == Some(&Stop::NoMemoryHere)))
        };
        assert_eq!(fails(1 << 16, None), (true, true), "the system had none");
        assert_eq!(fails(1 << 17, Some(1 << 16)), (true, false), "the module itself allows no more");
        assert_eq!(fails(1 << 21, None), (false, false), "the job allows no more");
    }
}
