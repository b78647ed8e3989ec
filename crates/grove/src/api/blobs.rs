//! Blobs in and out, as streams: large inputs, tools and outputs. An upload that broke off is taken up where it ended.

use super::Api;
use super::error::Problem;
use super::guard::Mine;
use super::sent::Asked;
use super::submit::blob_id;
use crate::door::{BlobReader, StoreError, Upload};
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// The next piece of an upload comes within this, or the upload is broken off.
const PIECE_TIME: Duration = Duration::from_secs(30);
/// Pieces between the network and the disk, either way.
const PIECES_AHEAD: usize = 4;
/// What is read from the disk at one time.
const PIECE_BYTES: usize = 256 << 10;
/// How many bytes of an upload have arrived.
const OFFSET: &str = "upload-offset";

#[derive(Debug, Deserialize)]
pub(super) struct Place {
    #[serde(default)]
    offset: u64,
}

pub(super) async fn put(
    Mine(api): Mine,
    Path(name): Path<String>,
    Asked(place): Asked<Place>,
    body: Body,
) -> Result<Response, Problem> {
    let id = blob_id(&name)?;
    if api.knows(&id) && api.door.blobs().has(&id)? {
        return Ok(StatusCode::OK.into_response());
    }
    let blobs = api.door.blobs().clone();
    let begun = blocking(move || blobs.upload(id)).await?;
    if begun.offset() != place.offset {
        let problem = Problem::new(StatusCode::CONFLICT, "wrong_offset", "the upload goes on elsewhere");
        return Err(problem.hint("send from `offset` on").offset(begun.offset()));
    }
    receive(&api, begun, body).await?;
    api.shown.note(api.who.person, id);
    Ok(StatusCode::CREATED.into_response())
}

async fn receive(api: &Api, upload: Upload, body: Body) -> Result<(), Problem> {
    let (pieces, mut arrived) = mpsc::channel::<Bytes>(PIECES_AHEAD);
    let written = tokio::task::spawn_blocking(move || {
        let mut upload = upload;
        while let Some(piece) = arrived.blocking_recv() {
            upload.write(&piece)?;
        }
        Ok::<Upload, StoreError>(upload)
    });
    let mut body = body.into_data_stream();
    let mut whole = false;
    // Ends early when the writer has failed, or nothing comes any more.
    while let Ok(next) = tokio::time::timeout(PIECE_TIME, body.next()).await {
        if !api.stands() {
            break;
        }
        match next {
            Some(Ok(piece)) => {
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Some(Err(_)) => break,
            None => {
                whole = true;
                break;
            }
        }
    }
    drop(pieces);
    let upload = written.await.map_err(|error| Problem::internal("an upload was not written", &error))??;
    if !whole {
        return Err(Problem::bad("broken_off", "the upload broke off")
            .hint("send the rest from `offset` on")
            .offset(upload.offset()));
    }
    blocking(move || upload.finish()).await.map(|_| ())
}

pub(super) async fn head(Mine(api): Mine, Path(name): Path<String>) -> Result<Response, Problem> {
    let id = blob_id(&name)?;
    if api.knows(&id)
        && let Some(len) = api.door.blobs().len(&id)?
    {
        return Ok((StatusCode::OK, [(header::CONTENT_LENGTH, HeaderValue::from(len))]).into_response());
    }
    let blobs = api.door.blobs().clone();
    let offset = blocking(move || blobs.upload(id)).await.map_or(0, |upload| upload.offset());
    Ok((StatusCode::NOT_FOUND, [(OFFSET, HeaderValue::from(offset))]).into_response())
}

pub(super) async fn get(
    Mine(api): Mine,
    Path(name): Path<String>,
    Asked(place): Asked<Place>,
) -> Result<Response, Problem> {
    let id = blob_id(&name)?;
    api.may_name(&id, &name)?;
    let blobs = api.door.blobs().clone();
    let blob = blocking(move || blobs.open_blob(&id)).await?;
    let left = blob.len().saturating_sub(place.offset);
    let (pieces, sent) = mpsc::channel::<io::Result<Bytes>>(PIECES_AHEAD);
    tokio::task::spawn_blocking(move || send(&api, blob, place.offset, &pieces));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_LENGTH, HeaderValue::from(left)),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(sent))).into_response())
}

fn send(api: &Api, mut blob: BlobReader, mut offset: u64, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; PIECE_BYTES];
    while api.stands() {
        let piece = match blob.read_at(offset, &mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                offset += read as u64;
                Ok(Bytes::copy_from_slice(&buffer[..read]))
            }
            Err(error) => Err(io::Error::other(error)),
        };
        let failed = piece.is_err();
        // Nobody reads any more, or nothing more can be read.
        if pieces.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Problem::internal("the store was not asked", &error))??)
}
