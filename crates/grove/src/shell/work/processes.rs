//! The lender's side of a gift on the one hand, executor processes on the other: tools come from the blobs.

use super::tools::{Executors, Order, Results, RunError};
use crate::executor;
use crate::shell::wires::Soon;
use crate::store::{BlobId, Blobs};
use grove_core::id::Digest;
use grove_sandbox::CompileOptions;
use std::io;

/// Executor processes that find their tools among a node's blobs.
#[derive(Debug, Clone)]
pub struct Processes {
    executors: executor::Executors,
    blobs: Blobs,
}

impl Processes {
    pub fn new(executors: executor::Executors, blobs: Blobs) -> Processes {
        Processes { executors, blobs }
    }
}

impl Executors for Processes {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>> {
        let (blobs, module) = (self.blobs.clone(), order.module);
        let package = order.package.map(|package| read_module(&blobs, package).map(std::sync::Arc::from)).transpose();
        let package = match package {
            Ok(package) => package,
            Err(error) => return Box::pin(async move { Err(RunError::Broken { source: error.into() }) }),
        };
        let order = executor::Order {
            job: order.job,
            tool: module,
            package,
            options: CompileOptions::default(),
            terms: order.terms,
            parts: order.parts,
        };
        let read = move || read_module(&blobs, module);
        Box::pin(async move {
            self.executors.run(order, read, &out).await.map_err(|error| match error {
                executor::RunError::NotATool(why) => RunError::NotATool { why },
                broken => RunError::Broken { source: broken.into() },
            })
        })
    }
}

fn read_module(blobs: &Blobs, module: Digest) -> io::Result<Vec<u8>> {
    let mut blob = blobs.open_blob(&BlobId(module.0)).map_err(io::Error::other)?;
    if blob.len() > crate::tool::BYTES_MAX {
        return Err(io::Error::other("it is larger than a tool may be"));
    }
    let mut bytes = vec![0; usize::try_from(blob.len()).map_err(io::Error::other)?];
    let mut filled = 0;
    while filled < bytes.len() {
        match blob.read_at(filled as u64, &mut bytes[filled..]).map_err(io::Error::other)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(bytes)
}
