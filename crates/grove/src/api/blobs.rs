//! Blobs in and out, as streams: large inputs, tools and outputs. An upload that broke off is taken up where it ended.

use super::Api;
use super::error::Problem;
use super::guard::Mine;
use super::sent::Asked;
use super::submit::blob_id;
use crate::door::{BlobReader, StoreError, Upload};
use crate::doorstep::Pending;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use grove_core::id::Digest;
use serde::Deserialize;
use std::io;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// What goes to or comes from the disk at one time, on a thread that may wait for it; no thread waits for a network.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that were read ahead for a download.
const PIECES_AHEAD: usize = 1;
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
    api.may_keep(0)?;
    let blobs = api.door.blobs().clone();
    let begun = blocking(move || blobs.upload(id)).await?;
    if begun.offset() != place.offset {
        let problem = Problem::new(StatusCode::CONFLICT, "wrong_offset", "the upload goes on elsewhere");
        return Err(problem.hint("send from `offset` on").offset(begun.offset()));
    }
    receive(&api, Digest(id.0), begun, body).await?;
    api.shown.note(api.who.person, id);
    Ok(StatusCode::CREATED.into_response())
}

async fn receive(api: &Api, blob: Digest, upload: Upload, body: Body) -> Result<(), Problem> {
    let mut whole_bytes = upload.offset();
    let mut body = body.into_data_stream();
    let (mut gathered, mut bytes, mut pending) = (Vec::new(), 0, Pending::default());
    let mut writing = tokio::task::spawn_blocking(move || Ok::<Upload, StoreError>(upload));
    let mut whole = false;
    while api.stands() && !whole {
        let begun = Instant::now();
        // Ends early when nothing comes any more, or next to nothing.
        match tokio::time::timeout(pending.left(), body.next()).await {
            Ok(Some(Ok(piece))) => {
                pending.moved(begun.elapsed(), piece.len());
                bytes += piece.len();
                gathered.push(piece);
            }
            Ok(None) => whole = true,
            Ok(Some(Err(_))) | Err(_) => break,
        }
        if bytes >= PIECE_BYTES {
            writing = write(writing.await, std::mem::take(&mut gathered))?;
            whole_bytes += std::mem::take(&mut bytes) as u64;
            // What has come of it is theirs, whether they go on with it or not.
            api.door.shares().brought(api.who.person, blob, whole_bytes);
            api.may_keep(0)?;
        }
    }
    let upload = written(write(writing.await, gathered)?.await)?;
    api.door.shares().brought(api.who.person, blob, upload.offset());
    if !whole {
        return Err(Problem::bad("broken_off", "the upload broke off")
            .hint("send the rest from `offset` on")
            .offset(upload.offset()));
    }
    blocking(move || upload.finish()).await.map(|_| ())
}

type Written = Result<Upload, StoreError>;

/// Writes what has come while more of it comes.
fn write(before: Result<Written, JoinError>, pieces: Vec<Bytes>) -> Result<JoinHandle<Written>, Problem> {
    let mut upload = written(before)?;
    Ok(tokio::task::spawn_blocking(move || {
        for piece in pieces {
            upload.write(&piece)?;
        }
        Ok(upload)
    }))
}

fn written(done: Result<Written, JoinError>) -> Result<Upload, Problem> {
    Ok(done.map_err(|error| Problem::internal("an upload was not written", &error))??)
}

pub(super) async fn head(Mine(api): Mine, Path(name): Path<String>) -> Result<Response, Problem> {
    let id = blob_id(&name)?;
    if api.knows(&id)
        && let Some(len) = api.door.blobs().len(&id)?
    {
        api.door.blobs().renew(&id)?;
        return Ok((StatusCode::OK, [(header::CONTENT_LENGTH, HeaderValue::from(len))]).into_response());
    }
    let offset = api.door.blobs().begun(&id)?;
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
    tokio::spawn(async move { send(&api, blob, place.offset, &pieces).await });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (header::CONTENT_LENGTH, HeaderValue::from(left)),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(sent))).into_response())
}

async fn send(api: &Api, mut blob: BlobReader, mut offset: u64, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    while api.stands() && offset < blob.len() {
        let read = tokio::task::spawn_blocking(move || {
            let piece = blob.piece(offset, PIECE_BYTES);
            (blob, piece)
        });
        let piece = match read.await {
            Ok((back, piece)) => {
                blob = back;
                piece.map(Bytes::from).map_err(io::Error::other)
            }
            Err(error) => {
                // It does not panic.
                tracing::error!("a blob is not read any more: {error}");
                return;
            }
        };
        let failed = piece.is_err();
        offset += piece.as_ref().map_or(0, Bytes::len) as u64;
        // Nobody reads any more, or nothing more can be read.
        if pieces.send(piece).await.is_err() || failed {
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
