//! What a tool's module says about itself, read from its blob once.

use super::error::Problem;
use crate::door::{BlobId, Blobs};
use axum::http::StatusCode;
use grove_core::job::Abilities;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

/// Tools that are remembered: a person uses a few, and each takes a few bytes here.
const REMEMBERED_MAX: usize = 256;

/// What is known of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) abilities: Abilities,
    /// The blob with the same module, without what it says about its maker: lenders get that one.
    pub(super) bare: BlobId,
}

/// Tools that were looked at before.
#[derive(Debug, Clone, Default)]
pub(super) struct Tools(Arc<Mutex<BTreeMap<BlobId, Known>>>);

impl Tools {
    /// What the module in this blob can do; a problem when it is no tool, or needs what nobody here gives.
    pub(super) async fn look(&self, blobs: &Blobs, module: BlobId) -> Result<Known, Problem> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&module).copied();
        if let Some(known) = known
            && blobs.has(&module)?
            && blobs.has(&known.bare)?
        {
            return Ok(known);
        }
        let blobs = blobs.clone();
        let looked = tokio::task::spawn_blocking(move || look(&blobs, module)).await;
        let known = looked.map_err(|error| Problem::internal("a tool was not looked at", &error))??;
        let mut tools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tools.len() >= REMEMBERED_MAX {
            tools.pop_first();
        }
        tools.insert(module, known);
        Ok(known)
    }
}

fn look(blobs: &Blobs, module: BlobId) -> Result<Known, Problem> {
    let blob = blobs.open_blob(&module)?;
    let mut bytes = Vec::new();
    let limit = crate::tool::BYTES_MAX + 1;
    blob.take(limit).read_to_end(&mut bytes).map_err(|error| Problem::internal("a tool cannot be read", &error))?;
    let abilities = crate::tool::inspect(&bytes)
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_a_tool", error.to_string()))?;
    if let Some(image) = crate::tool::image_of(&bytes) {
        let problem = |why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_image", why);
        match blobs.len(&BlobId(image))? {
            Some(len) if len <= crate::tool::BYTES_MAX => {}
            Some(_) => return Err(problem("what is to run this script is larger than a tool may be")),
            None => {
                let problem = problem("what runs this script is not here");
                return Err(problem.hint("send the image, a blob of that hash, before the job"));
            }
        }
    }
    let bare = match crate::tool::bare(&bytes) {
        Some(bare) => blobs.put_bytes(&bare)?,
        None => module,
    };
    Ok(Known { abilities, bare })
}
