//! Which Python runs scripts here: the image on the hub's machine, so that a circle needs only one.

use super::error::Problem;
use super::guard::Mine;
use crate::door::{BlobId, Blobs};
use crate::python;
use crate::shape::{PythonShape, V};
use axum::Json;
use std::fs::File;

pub(super) async fn image(Mine(api): Mine) -> Result<Json<PythonShape>, Problem> {
    let blobs = api.door.blobs().clone();
    let found = tokio::task::spawn_blocking(move || kept(&blobs)).await;
    let image = found.map_err(|error| Problem::internal("the image was not looked for", &error))??;
    Ok(Json(PythonShape { v: V, image: image.map(|image| image.to_string()) }))
}

/// It is kept as a blob from the first time on that somebody asks.
fn kept(blobs: &Blobs) -> Result<Option<BlobId>, Problem> {
    let Ok(image) = python::image() else { return Ok(None) };
    let id = BlobId(image.hash);
    if blobs.has(&id)? {
        return Ok(Some(id));
    }
    let file = File::open(&image.path).map_err(|error| Problem::internal("the image cannot be read", &error))?;
    // What it is now counts, should it have been made anew meanwhile.
    Ok(Some(blobs.put_stream(file, crate::tool::BYTES_MAX)?))
}
