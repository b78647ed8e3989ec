//! Compiles a tool and runs it: a fresh store and instance for every part, under limits, metered in fuel.

use std::fs::File;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, InstancePre, Linker, Module, ModuleExport, PoolingAllocationConfig,
    Store, Trap,
};

use crate::cpu::CpuClock;
use crate::inspect::{Inspection, NotATool, inspect};
use crate::limits::{MEMORY_BYTES_MAX, STACK_BYTES, START_FUEL, TABLE_ELEMENTS_MAX, TABLES_MAX};
use crate::package::Package;
use crate::part::{Outcome, Part, Status, Terms};
use crate::wasi::{self, Host, Stop, World};

/// What every meter reading and every compiled tool is tagged with: readings compare only between equal tags.
pub const ENGINE: &str = if cfg!(target_arch = "x86_64") {
    "wasmtime-48.0.8/wasi-1/x86_64"
} else if cfg!(target_arch = "aarch64") {
    "wasmtime-48.0.8/wasi-1/aarch64"
} else {
    "wasmtime-48.0.8/wasi-1/other"
};

/// Memory that stays with an instance's slot from one part to the next, cleared in between.
const KEPT_BYTES: usize = 1 << 20;

/// How a tool is compiled; part of the name of the compiled code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CompileOptions {
    /// One pattern for all NaNs, for jobs whose copies are compared bit for bit; slows float loops up to four times.
    pub canonical_nans: bool,
}

/// A compiler and runtime of one configuration.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
}

/// Why a tool cannot be compiled or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Not a tool at all.
    #[error(transparent)]
    NotATool(#[from] NotATool),
    /// It needs what we do not give.
    #[error("{}", Status::Unsupported(.0.join(", ")))]
    Missing(Vec<String>),
    /// The module breaks a rule, or a limit of the engine.
    #[error("the tool cannot be compiled: {0:#}\nhint: compile it again for wasm32-wasip1, without threads")]
    Compile(#[source] wasmtime::Error),
    /// The compiled code was made by another engine, or is damaged.
    #[error("the compiled tool cannot be loaded: {0:#}")]
    Load(#[source] wasmtime::Error),
    /// There is no room for the compiled code.
    #[error("the compiled tool cannot be written: {0}")]
    Write(#[source] std::io::Error),
    /// This machine cannot run WebAssembly.
    #[error("the engine cannot start: {0:#}\nhint: this processor or its memory limits are too small")]
    Engine(#[source] wasmtime::Error),
}

impl ToolError {
    /// Whether it is the tool's doing, on any machine.
    #[must_use]
    pub fn is_the_tools(&self) -> bool {
        matches!(self, ToolError::NotATool(_) | ToolError::Missing(_) | ToolError::Compile(_))
    }
}

impl Engine {
    /// An engine that can run so many parts at one time.
    ///
    /// # Errors
    /// When the system grants too little address space.
    pub fn new(options: CompileOptions, slots: u32) -> Result<Engine, ToolError> {
        let inner = wasmtime::Engine::new(&config(options, slots)).map_err(ToolError::Engine)?;
        Ok(Engine { inner })
    }

    /// Checks and compiles a module to this machine's code.
    ///
    /// # Errors
    /// When the module is not a tool, needs what is not given, or is invalid.
    pub fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, ToolError> {
        let inspection = inspect(wasm)?;
        if !inspection.missing.is_empty() {
            return Err(ToolError::Missing(inspection.missing));
        }
        Module::validate(&self.inner, wasm).map_err(ToolError::Compile)?;
        self.inner.precompile_module(wasm).map_err(ToolError::Compile)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(ENGINE)
    }
}

/// Asks the kernel, once for the process: an executor must ask before its walls hide the file that says it.
pub(crate) fn can_see_own_pages() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

fn config(options: CompileOptions, slots: u32) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    // Where the kernel can say which pages a part wrote, only those are cleared, which is several times cheaper than
    // giving them back and faulting them in again; where it cannot, giving back is cheaper than clearing all.
    let kept = if can_see_own_pages() { KEPT_BYTES } else { 0 };
    pool.total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots * TABLES_MAX)
        .total_stacks(slots)
        .max_unused_warm_slots(slots)
        .max_memories_per_module(1)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(MEMORY_BYTES_MAX as usize)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(kept)
        .table_keep_resident(kept)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(true)
        .cranelift_nan_canonicalization(options.canonical_nans)
        .wasm_wide_arithmetic(true)
        .relaxed_simd_deterministic(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .max_wasm_stack(STACK_BYTES)
        // A tool's back trace names its own functions: costly to collect, and read by nobody here.
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false);
    config
}

/// A compiled tool, ready to run any number of parts.
pub struct Tool {
    engine: Engine,
    pre: InstancePre<Host>,
    start: ModuleExport,
    memory: ModuleExport,
    realloc: Option<ModuleExport>,
    folders: bool,
    /// What an interpreter runs, and has to run it with.
    package: Option<Package>,
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tool").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl Tool {
    /// Compiles and loads in this process: for tests, benches, and tools that one trusts.
    ///
    /// # Errors
    /// As `Engine::compile`.
    pub fn build(engine: &Engine, wasm: &[u8]) -> Result<Tool, ToolError> {
        let Inspection { missing, .. } = inspect(wasm)?;
        if !missing.is_empty() {
            return Err(ToolError::Missing(missing));
        }
        let module = Module::new(&engine.inner, wasm).map_err(ToolError::Compile)?;
        Tool::link(engine, &module)
    }

    /// Loads what `Engine::compile` made, mapped from a file.
    ///
    /// # Errors
    /// When the code was made by another engine or options.
    ///
    /// # Safety
    /// The file must hold what `Engine::compile` made and must not change: whatever else it holds would be run as
    /// this machine's code.
    #[expect(
        unsafe_code,
        reason = "compiled code can only be trusted, not checked; the executor's walls are the check"
    )]
    pub unsafe fn load(engine: &Engine, code: File) -> Result<Tool, ToolError> {
        // SAFETY: the caller promises exactly what is asked for here.
        let module = unsafe { Module::deserialize_open_file(&engine.inner, code) }.map_err(ToolError::Load)?;
        Tool::link(engine, &module)
    }

    fn link(engine: &Engine, module: &Module) -> Result<Tool, ToolError> {
        let mut linker = Linker::new(&engine.inner);
        let second = module.imports().any(|import| import.module().starts_with(wasi::second::PREFIX));
        let given = if second { wasi::second::give(&mut linker) } else { wasi::give(&mut linker) };
        given.map_err(ToolError::Load)?;
        let pre = linker.instantiate_pre(module).map_err(ToolError::Load)?;
        let start = module.get_export_index("_start").ok_or(NotATool::NotACommand("_start"))?;
        let memory = module.get_export_index("memory").ok_or(NotATool::NotACommand("memory"))?;
        let realloc = module.get_export_index("cabi_realloc").filter(|_| second);
        let folders = module.imports().any(|import| import.name().starts_with("path_"));
        Ok(Tool { engine: engine.clone(), pre, start, memory, realloc, folders, package: None })
    }

    /// An interpreter with the package that it runs from now on.
    #[must_use]
    pub fn with(self, package: Package) -> Tool {
        Tool { package: Some(package), ..self }
    }

    /// Another package from now on.
    pub fn package(&mut self, package: Package) {
        self.package = Some(package);
    }

    /// Runs one part from nothing to its end.
    #[must_use]
    pub fn run(&self, part: &Part, terms: &Terms) -> Outcome {
        let begun = Instant::now();
        let cpu = CpuClock::start();
        let limits = terms.limits.bounded();
        let world = if terms.real_time { World::real() } else { World::made(part.seed) };
        let host = match Host::new(part, limits, world, self.folders, self.package.as_ref()) {
            Ok(host) => host,
            Err(status) => return Outcome::early(status),
        };
        let mut store = Store::new(&self.engine.inner, host);
        store.limiter(|host| host);
        let ended = self.play(&mut store, limits.fuel);
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let host = store.into_data();
        let status = match ended {
            Ok(()) => Status::Exit(0),
            Err(error) => status_of(&error, host.starved()),
        };
        let (stdout, stderr_tail, files) = host.into_output();
        let wall_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        Outcome { status, stdout, stderr_tail, files, fuel, cpu_us: cpu.spent_us(wall_us), wall_us }
    }

    fn play(&self, store: &mut Store<Host>, fuel: u64) -> wasmtime::Result<()> {
        // What instantiation costs differs between systems, so the meter starts after it.
        store.set_fuel(START_FUEL)?;
        let instance = self.pre.instantiate(&mut *store);
        store.set_fuel(fuel)?;
        let instance = instance?;
        let memory = instance.get_module_export(&mut *store, &self.memory).and_then(wasmtime::Extern::into_memory);
        store.data_mut().memory = memory;
        if let Some(realloc) = &self.realloc {
            let realloc = instance.get_module_export(&mut *store, realloc).and_then(wasmtime::Extern::into_func);
            store.data_mut().realloc = realloc;
        }
        let start = instance.get_module_export(&mut *store, &self.start).and_then(wasmtime::Extern::into_func);
        let start = start.ok_or(NotATool::NotACommand("_start"))?;
        start.typed::<(), ()>(&*store)?.call(store, ())
    }
}

/// Says in a word how a part ended; the texts are the same on every machine.
fn status_of(error: &wasmtime::Error, starved: bool) -> Status {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return match stop {
            Stop::Exit(code) => Status::Exit(*code),
            Stop::OutOfFuel => Status::OutOfFuel,
            Stop::OutputTooLarge => Status::OutputTooLarge,
            Stop::FilesTooLarge => Status::FilesTooLarge,
            Stop::TooManyFiles(most) => Status::TooManyFiles(*most),
            Stop::NoMemoryHere => Status::Died("this machine has no memory left".to_owned()),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Status::OutOfFuel,
        Some(Trap::StackOverflow) => Status::StackTooDeep,
        _ if starved => Status::OutOfMemory,
        Some(trap) => Status::Trap(trap.to_string()),
        None => Status::Trap(error.to_string()),
    }
}
