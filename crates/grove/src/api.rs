//! The people's API: HTTP/JSON and server-sent events over one node, and the only door for command line, page and SDK.
//!
//! It asks and looks at the node through [`Door`] and renders what it sees. It decides nothing, and it knows neither
//! links nor executors.

mod blobs;
mod error;
mod events;
mod guard;
mod inputs;
mod jobs;
mod listen;
mod lookup;
mod render;
mod results;
mod sent;
mod status;
mod submit;
mod tool;

pub use listen::{ListenError, bind, serve};

use crate::door::Door;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post, put};
use error::Problem;
use grove_core::id::PersonId;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tool::Tools;

/// Requests that wait for nothing are answered within this, or not at all.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// Nobody waits longer for one answer; whoever wants to asks again.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Where no budget is named, a job may cost this share of what is there: others can still be started beside it.
const BUDGET_SHARE: u64 = 4;

/// What the API says about the node beyond what the node knows itself.
#[derive(Debug, Clone)]
pub struct About {
    /// Which walls stand between tools and this machine.
    pub walls: Vec<String>,
    /// Whose credits pay for jobs that come in here.
    pub owner: PersonId,
    /// Where other nodes are heard.
    pub link: SocketAddr,
}

/// All that a request can reach.
#[derive(Debug, Clone)]
struct Api {
    door: Door,
    about: Arc<About>,
    tools: Tools,
}

/// The API of one node, open to whoever knows the token.
pub fn router(door: Door, token: &str, about: About) -> Router {
    let api = Api { door, about: Arc::new(about), tools: Tools::default() };
    let quick = Router::new()
        .route("/v1/version", get(status::version))
        .route("/v1/status", get(status::status))
        .route("/v1/peers", get(status::peers))
        .route("/v1/credits", get(status::credits))
        .route("/v1/jobs", post(submit::submit).get(jobs::list))
        .route("/v1/jobs/{id}", get(jobs::show))
        .route("/v1/jobs/{id}/results", get(results::page))
        .route("/v1/jobs/{id}/why", get(jobs::why))
        .route("/v1/jobs/{id}/inputs", post(inputs::add))
        .route("/v1/jobs/{id}/close", post(jobs::close))
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/v1/jobs/{id}/events", get(events::of_job))
        .route("/v1/events", get(events::all))
        .layer(middleware::from_fn(in_time));
    // Blobs take as long as they take; each piece of one has its own time.
    let slow = Router::new().route("/v1/blobs/{id}", put(blobs::put).get(blobs::get).head(blobs::head));
    quick
        .merge(slow)
        .fallback(|| async { Problem::no_such_page() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(guard::Key::new(token), guard::admit))
        .with_state(api)
}

async fn in_time(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    use axum::response::IntoResponse;
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::too_slow().into_response(),
    }
}
