//! A tool in Wasmtime without a meter.

use wasmtime::{Config, Engine, InstancePre, Linker, Module, Store};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::{MemoryInputPipe, MemoryOutputPipe};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

/// More than any kernel prints.
const OUTPUT_BYTES_MAX: usize = 1 << 16;

pub(crate) struct Plain {
    engine: Engine,
    pre: InstancePre<WasiP1Ctx>,
}

impl Plain {
    pub(crate) fn new(module: &[u8]) -> wasmtime::Result<Self> {
        let engine = Engine::new(Config::new().wasm_wide_arithmetic(true))?;
        let mut linker = Linker::new(&engine);
        p1::add_to_linker_sync(&mut linker, |host| host)?;
        let pre = linker.instantiate_pre(&Module::new(&engine, module)?)?;
        Ok(Self { engine, pre })
    }

    /// What the tool prints.
    pub(crate) fn run(&self, args: &[String], input: &str) -> wasmtime::Result<Vec<u8>> {
        let output = MemoryOutputPipe::new(OUTPUT_BYTES_MAX);
        let mut host = WasiCtxBuilder::new();
        host.arg("tool").args(args).stdin(MemoryInputPipe::new(input.to_owned())).stdout(output.clone());
        let mut store = Store::new(&self.engine, host.build_p1());
        let instance = self.pre.instantiate(&mut store)?;
        match instance.get_typed_func::<(), ()>(&mut store, "_start")?.call(&mut store, ()) {
            Err(error) if !matches!(error.downcast_ref(), Some(I32Exit(0))) => Err(error),
            _ => Ok(output.contents().to_vec()),
        }
    }
}
