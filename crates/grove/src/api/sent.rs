//! What a request brings: bounded, and complained about in the API's own words.

use super::Api;
use super::error::Problem;
use super::guard::{By, Who};
use crate::shape::V;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use grove_core::id::PersonId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_stream::StreamExt;

/// Anything but inputs is short.
const SHORT_BYTES_MAX: usize = 256 << 10;
/// A secret and a few names: more is not heard of somebody who is not known.
const STRANGERS_BYTES_MAX: usize = 16 << 10;
/// Requests of one person that are being sent, all together: a few long ones at a time.
const PERSONS_BYTES_MAX: usize = 2 * LONG_BYTES_MAX;
/// ... and of everybody.
const ALL_BYTES_MAX: usize = 8 * LONG_BYTES_MAX;
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

impl<T: DeserializeOwned> FromRequest<Api> for Short<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Short<T>, Problem> {
        read(request, SHORT_BYTES_MAX, &api.sent).await.map(Short)
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Long<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Long<T>, Problem> {
        read(request, LONG_BYTES_MAX, &api.sent).await.map(Long)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Asked(query.0)).map_err(|error| Problem::bad("wrong_query", error.body_text()))
    }
}

async fn read<T: DeserializeOwned>(request: Request, bytes_max: usize, sent: &Sent) -> Result<T, Problem> {
    let who = request.extensions().get::<Who>().copied().unwrap_or(Who::NOBODY);
    let bytes_max = if who.by == By::Nothing { STRANGERS_BYTES_MAX } else { bytes_max };
    let mut share = Share { sent: sent.clone(), person: who.person, bytes: 0 };
    let bytes = gather(request.into_body(), bytes_max, &mut share).await?;
    let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    // First of all: what another version calls its fields is not for this one to miss.
    if let Ok(Said { v: Some(v) }) = serde_json::from_slice(text)
        && v != u64::from(V)
    {
        return Err(Problem::bad("wrong_version", format!("version {v} is not known here"))
            .hint(format!("this node speaks version {V}: \"v\":{V}")));
    }
    serde_json::from_slice(text).map_err(|error| {
        Problem::bad("not_understood", format!("the request's JSON: {error}"))
            .hint("docs/guide/api.md shows what this page takes; numbers beyond 2^53 are strings")
    })
}

/// What every request may say.
#[derive(Deserialize)]
struct Said {
    v: Option<u64>,
}

async fn gather(body: Body, bytes_max: usize, share: &mut Share) -> Result<Vec<u8>, Problem> {
    let mut pieces = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Problem::bad("broken_off", "the request broke off"))?;
        if bytes.len() + piece.len() > bytes_max {
            let message = format!("a request has at most {bytes_max} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
                .hint("send large inputs as blobs: PUT /v1/blobs/…"));
        }
        share.grow(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Bytes of requests that have not been understood yet, by person.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<Mutex<BTreeMap<PersonId, usize>>>);

/// What one request has of them, until it is dropped.
#[derive(Debug)]
struct Share {
    sent: Sent,
    person: PersonId,
    bytes: usize,
}

impl Share {
    fn grow(&mut self, more: usize) -> Result<(), Problem> {
        let mut sent = self.sent.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = sent.values().sum();
        let own = sent.entry(self.person).or_default();
        if *own + more > PERSONS_BYTES_MAX || all + more > ALL_BYTES_MAX {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too much is being sent at one time")
                .hint("send long requests one after another"));
        }
        *own += more;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut sent = self.sent.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = sent.get_mut(&self.person) {
            *own -= self.bytes;
            if *own == 0 {
                sent.remove(&self.person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_sent_is_bounded_by_person_and_in_all() {
        let sent = Sent::default();
        let share = |person| Share { sent: sent.clone(), person: PersonId(person), bytes: 0 };
        let mut shares: Vec<Share> = (0..8).map(share).collect();
        assert!(shares[0].grow(PERSONS_BYTES_MAX).is_ok() && shares[0].grow(1).is_err() && share(0).grow(1).is_err());
        assert!(shares[1..4].iter_mut().all(|share| share.grow(PERSONS_BYTES_MAX).is_ok()));
        assert!(shares[4].grow(1).is_err(), "there is no more for anybody");
        drop(shares);
        assert!(sent.0.lock().unwrap().is_empty() && share(0).grow(1).is_ok());
    }
}
