//! What a request brings: bounded, and complained about in the API's own words.

use super::error::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// Anything but inputs is short.
const SHORT_BYTES_MAX: usize = 256 << 10;
/// Inputs of one request in all, before they are escaped for JSON.
pub(super) const INPUT_BYTES_MAX: usize = 32 << 20;
/// Inputs of one request; more go as the lines of a blob, or in further requests to an open job.
pub(super) const INPUTS_MAX: usize = 100_000;
/// Escaping at most doubles what is text; what is worse belongs into a blob.
const LONG_BYTES_MAX: usize = 2 * INPUT_BYTES_MAX;

/// A short JSON body; nothing at all counts as `{}`.
pub(super) struct Short<T>(pub(super) T);

/// A JSON body with inputs.
pub(super) struct Long<T>(pub(super) T);

/// What stands after the `?`.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Short<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Short<T>, Problem> {
        read(request.into_body(), SHORT_BYTES_MAX).await.map(Short)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Long<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Long<T>, Problem> {
        read(request.into_body(), LONG_BYTES_MAX).await.map(Long)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Asked(query.0)).map_err(|error| Problem::bad("wrong_query", error.body_text()))
    }
}

async fn read<T: DeserializeOwned>(body: Body, bytes_max: usize) -> Result<T, Problem> {
    let bytes = to_bytes(body, bytes_max).await.map_err(|_| {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("a request has at most {bytes_max} bytes"))
            .hint("send large inputs as blobs: PUT /v1/blobs/…")
    })?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(text).map_err(|error| Problem::bad("not_understood", format!("the request's JSON: {error}")))
}
