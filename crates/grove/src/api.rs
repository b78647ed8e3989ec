//! The people's API: HTTP/JSON and server-sent events over one node, and the only door for command line, page and SDK.
//!
//! It asks and looks at the node through [`Door`] and renders what it sees. It decides nothing, and it knows neither
//! links nor executors.

mod arrival;
mod alias;
mod blobs;
mod circle;
mod error;
mod events;
mod guard;
mod inputs;
mod jobs;
mod listen;
mod login;
mod lookup;
mod named;
mod passwords;
mod python;
mod render;
mod results;
mod routes;
mod sent;
mod shown;
mod status;
mod submit;
mod tool;

pub use listen::{ListenError, bind, serve, serve_tls};
pub use routes::{Need, listed};

use crate::address::Address;
use crate::device::Caller;
use crate::door::{BlobId, Door, Near, SHARE_OF_ONE, StoreError};
use alias::Aliases;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use error::Problem;
use grove_core::circle::FOUNDER;
use grove_core::id::{Digest, PersonId};
use guard::Who;
use passwords::Passwords;
use render::Names;
use sent::Sent;
use shown::Shown;
use std::net::{IpAddr, SocketAddr};
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
    /// Where other nodes are heard.
    pub link: SocketAddr,
    /// How others reach this node, where TLS is spoken: what an invitation says.
    pub reach: Option<Reach>,
    /// What it can tell beyond its own books.
    pub near: Option<Arc<dyn Near>>,
}

/// How a hub is reached from other machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub key: Digest,
    /// Where the API answers, the best first.
    pub api: Vec<Address>,
}

/// All that a request can reach.
#[derive(Debug, Clone)]
struct Api {
    door: Door,
    about: Arc<About>,
    tools: Tools,
    passwords: Passwords,
    shown: Shown,
    /// What is being sent.
    sent: Sent,
    /// What the names of lenders are drawn from: the same after a restart.
    naming: [u8; 32],
    /// Between people's names of jobs and the node's.
    aliases: Aliases,
    /// Who asks, how, and from where.
    who: Who,
    caller: Caller,
    from: Option<IpAddr>,
}

/// The API of one node, open to whoever knows the token.
pub fn router(door: Door, token: &str, about: About) -> Router {
    let roll = door.roll();
    let about = Arc::new(about);
    let (tools, passwords) = (Tools::default(), Passwords::default());
    let (shown, sent) = (Shown::default(), Sent::default());
    let naming = blake3::derive_key("grove names of lenders for a job", token.as_bytes());
    let aliases = Aliases::of(token);
    let api = Api {
        door: door.clone(),
        about,
        tools,
        passwords,
        shown,
        sent,
        naming,
        aliases,
        who: Who::NOBODY,
        caller: Caller::STRANGER,
        from: None,
    };
    let mut pages = Router::new();
    for route in routes::all() {
        let page = route.to.layer(middleware::from_fn_with_state(route.need, guard::require));
        // Blobs take as long as they take; each piece of one has its own time.
        let page = if route.slow { page } else { page.layer(middleware::from_fn_with_state(door.clone(), in_time)) };
        pages = pages.route(route.path, page);
    }
    pages
        .fallback(|| async { Problem::no_such_page() })
        .method_not_allowed_fallback(|| async { Problem::wrong_method() })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(guard::Guard::new(token, roll), guard::admit))
        .with_state(api)
}

impl Api {
    /// Whether whoever asks may speak of a blob: it brought it, or was shown it.
    fn knows(&self, blob: &BlobId) -> bool {
        self.who.roles.admin || self.shown.knows(self.who.person, blob)
    }

    fn may_name(&self, blob: &BlobId, name: &str) -> Result<(), Problem> {
        if !self.knows(blob) {
            return Err(submit::no_blob(name));
        }
        // What is named now is about to be used: the next sweep is to leave it.
        Ok(self.door.blobs().renew(blob)?)
    }

    /// How lenders are called for whoever asks: two jobs do not show that the same machine worked on both.
    fn names(&self) -> Names {
        let jobs = self.aliases;
        if self.who.roles.admin { Names::True { jobs } } else { Names::OfTheJob { jobs, secret: self.naming } }
    }

    /// What whoever asks may keep here.
    fn share(&self) -> Result<u64, StoreError> {
        Ok(share_of(self.who.person, self.door.blobs().room()?.quota_bytes))
    }

    /// Whether they may bring so much more.
    fn may_keep(&self, more: u64) -> Result<(), Problem> {
        let (kept, most) = (self.door.shares().of(self.who.person), self.share()?);
        if kept.saturating_add(more) <= most { Ok(()) } else { Err(Problem::your_share(kept, most)) }
    }

    /// Whether whoever asked may still be here.
    fn stands(&self) -> bool {
        self.who.by == guard::By::Token || self.who.stands(&self.door.roll().now())
    }

    /// Comes back when that is over.
    async fn put_out(&self) {
        self.who.put_out(self.door.roll()).await;
    }
}

/// What one person may keep, of all that may be kept.
fn share_of(person: PersonId, all: u64) -> u64 {
    if person == FOUNDER { all } else { all / SHARE_OF_ONE }
}

async fn in_time(State(door): State<Door>, request: Request, next: middleware::Next) -> Response {
    tokio::select! {
        biased;
        answered = tokio::time::timeout(REQUEST_TIME, next.run(request)) => {
            answered.unwrap_or_else(|_| Problem::too_slow().into_response())
        }
        why = door.wants_room() => Problem::no_room(&why).into_response(),
    }
}
