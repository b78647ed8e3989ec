//! A node that is asked: HTTP on loopback with the token of the home folder, or over TLS with the key that is known.
//! Knows no command.

mod knock;
mod pinned;
mod way;

pub(super) use knock::knock;
pub(super) use way::{LISTEN, Way, answering, nearby_with, tls};

use super::Place;
use super::exit::{Exit, Failure};
use crate::amount::bytes_text;
use crate::config::{Home, HomeError};
use crate::device::Speech;
use crate::shape::{ErrorBody, ErrorShape, Me, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};
use ureq::{Agent, Body, RequestBuilder, SendBody};

/// A node on this machine answers at once or not at all.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longer than any page waits.
const ANSWER_TIME: Duration = Duration::from_secs(90);
/// The node closes what lies idle for longer.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// A page of results with its escapes.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// With less than this left, no room is why a hub hangs up.
const LITTLE_ROOM: u64 = 1 << 20;
/// How often something that can be said twice is said again, and how long apart at first.
const TRIES: u32 = 6;
const BREATH: Duration = Duration::from_millis(100);

/// A node that can be asked.
#[derive(Debug)]
pub(super) struct Hub {
    agent: Agent,
    address: String,
    /// None where this machine's key is what it shows.
    token: Option<String>,
}

impl Hub {
    /// The hub that is meant.
    pub(super) fn find(place: &Place) -> Result<Hub, Failure> {
        let settings = place.settings()?;
        let way = Way::find(&settings)?;
        let session = settings.home.session().map_err(|error| refused(&error))?;
        // A login is shown to the hub that it is of, and to no other.
        let of = |key: &str| way.key.is_some_and(|own| own.to_string() == key);
        let session = session.filter(|session| session.hub.as_ref().is_none_or(|hub| of(&hub.key)));
        Hub::at(&way, &settings.home, session.map(|session| session.token))
    }

    /// The hub at the end of that way; a login counts more than the machine.
    pub(super) fn at(way: &Way, home: &Home, session: Option<String>) -> Result<Hub, Failure> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_recv_response(Some(ANSWER_TIME))
            .max_idle_age(IDLE_TIME)
            .proxy(None)
            .max_redirects(0)
            .build();
        let agent = match way.tls(home, Speech::People)? {
            None => config.into(),
            Some(tls) => {
                let connector = TcpConnector::default().chain(pinned::Pinned::new(tls));
                Agent::with_parts(config, connector, DefaultResolver::default())
            }
        };
        Ok(Hub { agent, address: way.api.clone(), token: session.or_else(|| way.token.clone()) })
    }

    /// For tests of what needs no answer.
    #[cfg(test)]
    pub(super) fn nowhere() -> Hub {
        Hub { agent: Agent::new_with_defaults(), address: String::new(), token: None }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = self.shown(self.agent.get(self.url(path)));
        self.read(request.call())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let request = self.shown(self.agent.post(self.url(path)));
        self.read(request.send_json(body))
    }

    /// Says something that does no harm when it is said twice, until there is an answer.
    pub(super) fn insist<T>(&self, mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        let mut wait = BREATH;
        for _ in 1..TRIES {
            match ask() {
                Err(failure) if failure.exit == Exit::Unreachable => std::thread::sleep(wait),
                other => return other,
            }
            wait *= 2;
        }
        ask()
    }

    /// How many bytes of a blob are there: `None` when it is whole.
    pub(super) fn missing_from(&self, blob: &str) -> Result<Option<u64>, Failure> {
        let url = self.url(&format!("/v1/blobs/{blob}"));
        let response = self.shown(self.agent.head(url)).call();
        let response = response.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            StatusCode::OK => Ok(None),
            StatusCode::NOT_FOUND => {
                let offset = response.headers().get("upload-offset").and_then(|value| value.to_str().ok());
                Ok(Some(offset.and_then(|offset| offset.parse().ok()).unwrap_or(0)))
            }
            // Such a question is answered without a body; another one says why.
            status if status == StatusCode::UNAUTHORIZED => {
                Err(self.get::<Me>("/v1/me").err().unwrap_or_else(|| self.problem(response)))
            }
            _ => Err(self.problem(response)),
        }
    }

    /// Sends a blob from `offset` on.
    pub(super) fn send_blob(&self, blob: &str, offset: u64, from: &mut dyn Read) -> Result<(), Failure> {
        let url = self.url(&format!("/v1/blobs/{blob}?offset={offset}"));
        let request = self.shown(self.agent.put(url));
        let mut from = from;
        let response = request.send(SendBody::from_reader(&mut from)).map_err(|error| self.broke_off(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(self.problem(response)) }
    }

    /// A hub that wants no more of a blob hangs up before it has been read to its end, and what it said may be lost.
    fn broke_off(&self, error: &ureq::Error) -> Failure {
        let full = self.get::<Status>("/v1/status").ok().filter(|status| {
            let (kept, disk) = (status.stored_bytes, &status.disk);
            disk.quota_bytes.saturating_sub(kept) < LITTLE_ROOM || disk.free_bytes < disk.reserve_bytes + LITTLE_ROOM
        });
        // Anything else is worth another try.
        let Some(Status { stored_bytes, disk, .. }) = full else { return self.unreachable(error) };
        let (kept, quota, free) = (bytes_text(stored_bytes), bytes_text(disk.quota_bytes), bytes_text(disk.free_bytes));
        let message = format!("the hub has no room for this: {kept} of {quota} are kept, and its disk has {free} free");
        Failure::new(Exit::NotPlaced, message)
            .hint("on the hub: allow more with `grove config set disk`, or keep jobs less long with `keep`")
    }

    /// A page that is read piece by piece.
    pub(super) fn open(&self, path: &str) -> Result<Body, Failure> {
        let request = self.shown(self.agent.get(self.url(path)));
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response.into_body()) } else { Err(self.problem(response)) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn shown<Body>(&self, request: RequestBuilder<Body>) -> RequestBuilder<Body> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn read<T: DeserializeOwned>(&self, response: Result<Response<Body>, ureq::Error>) -> Result<T, Failure> {
        let response = response.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(self.problem(response));
        }
        let bytes = response.into_body().into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::new(Exit::Error, format!("what answers at {} is not understood: {error}", self.address))
                .hint("is it a Grove hub, and of this version?")
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(Exit::Unreachable, format!("the hub at {} does not answer: {error}", self.address)).hint(
            if matches!(error, ureq::Error::Other(_)) {
                "ask whoever invited this machine; if the hub was set up anew, leave and join again"
            } else {
                "start it with `grove up`; where it has moved: `grove config set hub ADDRESS:PORT`, or --hub"
            },
        )
    }

    fn problem(&self, response: Response<Body>) -> Failure {
        let status = response.status();
        let body = response.into_body().into_with_config().limit(1 << 20).read_to_vec().unwrap_or_default();
        match serde_json::from_slice::<ErrorShape>(&body) {
            Ok(ErrorShape { error }) => told(status, error),
            // A question about a blob is answered without a body.
            Err(_) if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN => {
                Failure::new(Exit::NotAuthorised, format!("the hub at {} does not let this in", self.address))
                    .hint("this machine or account may not run jobs there: ask for an invitation with `--role run`")
            }
            Err(_) => Failure::new(Exit::Error, format!("what answers at {} says {status}", self.address))
                .hint("is it a Grove hub?"),
        }
    }
}

fn told(status: StatusCode, error: ErrorBody) -> Failure {
    let exit = match (status.as_u16(), error.code.as_str()) {
        (401 | 403, _) => Exit::NotAuthorised,
        (402, _) => Exit::Credits,
        (_, "disk_full" | "your_share_is_full") => Exit::NotPlaced,
        // What may be otherwise in a moment counts as not reached, and is tried again.
        (_, "stopping" | "too_slow" | "uploading" | "wrong_offset" | "broken_off") => Exit::Unreachable,
        // What is wrong there is no request, but a file, or the hub.
        (_, "wrong_blob" | "not_a_tool" | "no_image" | "wrong_version") => Exit::Error,
        (400 | 413 | 422, _) => Exit::Usage,
        _ => Exit::Error,
    };
    let mut message = error.message;
    if !error.candidates.is_empty() {
        message = format!("{message}: {}", error.candidates.join(" "));
    }
    Failure { exit, message, hint: error.hint }
}

pub(super) fn refused(error: &HomeError) -> Failure {
    let exit = match error {
        HomeError::NoHub { .. } => Exit::Unreachable,
        HomeError::NoToken { .. } | HomeError::TokenIsOpen { .. } | HomeError::NotJoined { .. } => Exit::NotAuthorised,
        _ => Exit::Error,
    };
    Failure::caused(exit, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_become_documented_exit_codes() {
        let body = |code: &str| ErrorBody {
            code: code.to_owned(),
            message: "m".to_owned(),
            hint: None,
            candidates: vec!["a1".to_owned(), "a2".to_owned()],
            offset: None,
        };
        let exit = |status: u16, code: &str| told(StatusCode::from_u16(status).unwrap(), body(code)).exit;
        assert_eq!(exit(401, "not_authorised"), Exit::NotAuthorised);
        assert_eq!(exit(402, "budget_too_small"), Exit::Credits);
        assert_eq!(exit(503, "stopping"), Exit::Unreachable);
        assert_eq!(exit(507, "disk_full"), Exit::NotPlaced);
        assert_eq!(exit(404, "no_such_job"), Exit::Error);
        assert_eq!([exit(400, "wrong_name"), exit(422, "tool_cannot_check")], [Exit::Usage; 2]);
        assert_eq!(exit(422, "wrong_blob"), Exit::Error);
        assert_eq!(told(StatusCode::CONFLICT, body("ambiguous")).message, "m: a1 a2");
    }
}
