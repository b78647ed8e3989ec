//! Compiled tools: made in a process of their own that is thrown away, kept on disk under a name that says how
//! they were made, and never loaded by the node itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use grove_core::id::Digest;
use grove_sandbox::limits::{CODE_BYTES_MAX, COMPILE_CPU_SECONDS, COMPILE_DATA_BYTES, COMPILE_WALL};
use grove_sandbox::order::{Ask, Tell};
use grove_sandbox::walls::Plan;
use grove_sandbox::{CompileOptions, ENGINE, inspect};
use rustix::process::{Pid, Signal};
use tempfile::NamedTempFile;

use super::process::{Process, ProcessError};
use super::{RunError, Settings};

/// Compiled tools on disk, all together; the oldest go first.
const CACHE_BYTES_MAX: u64 = 4 << 30;
/// Compiled tools held open, and refusals remembered.
const REMEMBERED_MAX: usize = 64;
/// A tool that could not be compiled here is tried again after this long: the machine may have had a bad moment. It
/// quadruples, so that a tool made to harm costs little.
const AGAIN_FIRST: Duration = Duration::from_secs(2);
const AGAIN_MOST: Duration = Duration::from_secs(600);

/// Whoever has a tool's bytes.
pub trait Module: Send + 'static {
    /// Reads them.
    ///
    /// # Errors
    /// When they are not here.
    fn read(self) -> io::Result<Vec<u8>>;
}

impl<F: FnOnce() -> io::Result<Vec<u8>> + Send + 'static> Module for F {
    fn read(self) -> io::Result<Vec<u8>> {
        self()
    }
}

/// Why a tool has no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The folder of compiled tools.
    #[error("compiled tools cannot be kept in {path}: {source}")]
    Folder { path: PathBuf, source: io::Error },
    /// The tool itself.
    #[error("the tool {tool} cannot be read: {source}")]
    Module { tool: Digest, source: io::Error },
    /// It could not be compiled here, which says nothing about other machines.
    #[error("{why}")]
    Compile { why: String },
    /// What was compiled here cannot be loaded here.
    #[error("the compiled tool cannot be loaded: {why}")]
    Load { why: String },
    /// The process that compiles.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// A compiled tool: who asks for it can pass it on, not change it.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) name: Arc<str>,
    pub(super) options: CompileOptions,
    pub(super) file: Arc<File>,
}

/// What is known about the code of a tool.
#[derive(Debug, Clone)]
enum Known {
    Here(Code),
    NotATool(String),
    /// Compiling failed so many times in a row, and is not tried before that moment.
    NotHere {
        why: String,
        times: u32,
        again: Instant,
    },
}

/// All compiled tools of this machine.
#[derive(Debug, Clone)]
pub(super) struct Codes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    program: PathBuf,
    folder: PathBuf,
    empty: PathBuf,
    known: Mutex<BTreeMap<Arc<str>, Known>>,
    /// One compilation at a time: each may take 2 GiB.
    compiling: Mutex<()>,
    at_work: Mutex<AtWork>,
    gentle: bool,
}

/// The one compilation, and whether there may be any.
#[derive(Debug, Default)]
struct AtWork {
    /// The process that compiles, while its number certainly means it.
    process: Option<Pid>,
    since: Option<Instant>,
    /// Nothing is to be compiled now.
    halted: bool,
    /// How often that was said: whatever broke off meanwhile says nothing about its tool.
    halts: u64,
}

impl Codes {
    pub(super) fn open(settings: &Settings) -> Result<Codes, CodeError> {
        let folder = settings.cache.join("compiled");
        let empty = settings.cache.join("empty");
        for path in [&folder, &empty] {
            std::fs::create_dir_all(path).map_err(|source| CodeError::Folder { path: path.clone(), source })?;
        }
        let shared = Shared {
            program: settings.program.clone(),
            folder,
            empty,
            known: Mutex::default(),
            compiling: Mutex::default(),
            at_work: Mutex::default(),
            gentle: settings.gentle,
        };
        Ok(Codes { shared: Arc::new(shared) })
    }

    /// A folder with nothing in it, which executors have as their whole file system.
    pub(super) fn empty(&self) -> PathBuf {
        self.shared.empty.clone()
    }

    /// The code of a tool, compiled now if it never was.
    pub(super) async fn of(
        &self,
        tool: Digest,
        options: CompileOptions,
        module: impl Module,
    ) -> Result<Code, RunError> {
        let name = name(tool, options);
        if let Some(known) = self.shared.known(&name) {
            return known;
        }
        let shared = Arc::clone(&self.shared);
        let made = tokio::task::spawn_blocking(move || shared.find_or_compile(name, tool, options, module));
        made.await.map_err(|_| RunError::Stopped)?
    }

    /// Stops, continues or kills what is being compiled. Until it is continued nothing else is.
    pub(super) fn signal(&self, signal: Signal) {
        let mut at_work = self.shared.at_work();
        at_work.halted = signal != Signal::CONT;
        at_work.halts += u64::from(at_work.halted);
        if let Some(pid) = at_work.process {
            // It may have ended already, which is as good.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// For how long something has been compiled.
    pub(super) fn compiling(&self) -> Option<Duration> {
        self.shared.at_work().since.map(|since| since.elapsed())
    }

    /// What could not be loaded is compiled anew when it is next asked for.
    pub(super) fn forget(&self, name: &str) {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        // A file that is gone already is as good as removed.
        let _ = std::fs::remove_file(self.shared.folder.join(name));
    }
}

impl Known {
    fn found(self) -> Result<Code, RunError> {
        match self {
            Known::Here(code) => Ok(code),
            Known::NotATool(why) => Err(RunError::NotATool(why)),
            Known::NotHere { why, .. } => Err(RunError::Code(CodeError::Compile { why })),
        }
    }
}

impl Shared {
    /// What there is to say without compiling.
    fn known(&self, name: &str) -> Option<Result<Code, RunError>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        match known {
            Known::NotHere { again, .. } if again <= Instant::now() => None,
            known => Some(known.found()),
        }
    }

    fn remember(&self, name: Arc<str>, found: Known) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.pop_first();
        }
        known.insert(name, found);
    }

    fn find_or_compile(
        &self,
        name: Arc<str>,
        tool: Digest,
        options: CompileOptions,
        module: impl Module,
    ) -> Result<Code, RunError> {
        let _one = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.known(&name) {
            return known;
        }
        let (halted, halts) = {
            let at_work = self.at_work();
            (at_work.halted, at_work.halts)
        };
        if halted {
            return Err(RunError::Stopped);
        }
        let found = match self.read_back(&name) {
            Some(file) => Ok(Ok(file)),
            None => {
                let wasm = module.read().map_err(|source| RunError::Code(CodeError::Module { tool, source }))?;
                self.compile(&name, options, wasm.into())
            }
        };
        let known = match found {
            Ok(Ok(file)) => Known::Here(Code { name: Arc::clone(&name), options, file: Arc::new(file) }),
            Ok(Err(why)) => Known::NotATool(why),
            Err(CodeError::Compile { .. }) if self.at_work().halts != halts => return Err(RunError::Stopped),
            Err(CodeError::Compile { why }) => self.not_here(&name, why),
            Err(other) => return Err(RunError::Code(other)),
        };
        self.remember(name, known.clone());
        known.found()
    }

    fn at_work(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_here(&self, name: &str, why: String) -> Known {
        let before = match self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            Some(Known::NotHere { times, .. }) => *times,
            _ => 0,
        };
        let pause = AGAIN_FIRST.saturating_mul(4_u32.saturating_pow(before)).min(AGAIN_MOST);
        Known::NotHere { why, times: before.saturating_add(1), again: Instant::now() + pause }
    }

    /// Opens what was compiled earlier, if it still is what was written then.
    fn read_back(&self, name: &str) -> Option<File> {
        let mut file = File::open(self.folder.join(name)).ok()?;
        let told = std::fs::read_to_string(self.folder.join(format!("{name}.blake3"))).ok()?;
        let found = hash(&mut file).ok()?;
        (told == found).then_some(file)
    }

    /// Compiles in a process under bounds. What is no tool is refused with a sentence; where a bound breaks, or the
    /// process dies, it may be this machine that is too slow, too small or too busy.
    fn compile(&self, name: &str, options: CompileOptions, wasm: Arc<[u8]>) -> Result<Result<File, String>, CodeError> {
        match inspect(&wasm) {
            Err(error) => return Ok(Err(error.to_string())),
            Ok(inspection) if !inspection.missing.is_empty() => {
                let missing = grove_sandbox::Status::Unsupported(inspection.missing.join(", "));
                return Ok(Err(missing.to_string()));
            }
            Ok(_) => {}
        }
        let failed = |source| CodeError::Folder { path: self.folder.clone(), source };
        self.make_room().map_err(failed)?;
        // Another process may be compiling the same tool for itself: each has a file of its own, which goes with it.
        let partial = tempfile::Builder::new().suffix(".partial").tempfile_in(&self.folder).map_err(failed)?;
        let written = partial.as_file();
        let plan = Plan {
            data_bytes: COMPILE_DATA_BYTES,
            cpu_seconds: Some(COMPILE_CPU_SECONDS),
            file_bytes: CODE_BYTES_MAX,
            gentle: self.gentle,
            empty: self.empty.clone(),
            ..Plan::default()
        };
        let process = Process::start(&self.program, plan)?;
        let compiling = |pid: Option<Pid>| {
            let mut at_work = self.at_work();
            (at_work.process, at_work.since) = (pid, pid.map(|_| Instant::now()));
            at_work.halted
        };
        if compiling(i32::try_from(process.pid()).ok().and_then(Pid::from_raw)) {
            process.signal(Signal::KILL);
        }
        let told = process
            .ask(&Ask::Compile { options, wasm }, Some(written.as_fd()))
            .and_then(|()| process.hear(Some(COMPILE_WALL)));
        compiling(None);
        // Gone before its work is looked at, so that nothing can change it any more.
        let ended = process.finish();
        match told {
            Ok(Some(Tell::Compiled { bytes })) if written.metadata().map_err(failed)?.len() == bytes => {}
            Ok(Some(Tell::Refused(why))) => return Ok(Err(why)),
            Ok(Some(Tell::Unable(why))) => return Err(CodeError::Compile { why }),
            Ok(_) | Err(_) => {
                let (seconds, bytes) = (COMPILE_CPU_SECONDS, COMPILE_DATA_BYTES >> 30);
                let why = format!(
                    "the tool could not be compiled here in {seconds} s of CPU time and {bytes} GiB ({ended})\n\
                     hint: a program of a usual size compiles in seconds; this one may be damaged or made to harm"
                );
                return Err(CodeError::Compile { why });
            }
        }
        self.keep(name, partial).map(Ok).map_err(failed)
    }

    fn keep(&self, name: &str, partial: NamedTempFile) -> io::Result<File> {
        let mut file = partial.reopen()?;
        let told = hash(&mut file)?;
        // The hash first: code without one is compiled anew, a hash without code is nothing.
        let mut hash = NamedTempFile::new_in(&self.folder)?;
        hash.write_all(told.as_bytes())?;
        hash.persist(self.folder.join(format!("{name}.blake3")))?;
        partial.persist(self.folder.join(name))?;
        Ok(file)
    }

    /// Removes the oldest until there is room.
    fn make_room(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Other processes keep theirs here too: what is gone meanwhile needs no room.
            let Some(about) = unless_gone(entry.metadata())? else { continue };
            files.push((about.modified()?, about.len(), entry.path()));
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if bytes <= CACHE_BYTES_MAX {
                break;
            }
            unless_gone(std::fs::remove_file(path))?;
            bytes -= len;
        }
        Ok(())
    }
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn name(tool: Digest, options: CompileOptions) -> Arc<str> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&tool.0).update(ENGINE.as_bytes()).update(&[u8::from(options.canonical_nans)]);
    Arc::from(hasher.finalize().to_hex().as_str())
}

fn hash(file: &mut File) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; 1 << 20];
    file.rewind()?;
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hasher.finalize().to_hex().to_string()),
            read => hasher.update(&block[..read]),
        };
    }
}
