//! The way to a node: HTTP on loopback, with the token of the home folder. Knows no command.

use super::Place;
use super::exit::{Exit, Failure};
use crate::config::HomeError;
use crate::shape::{ErrorBody, ErrorShape};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Read;
use std::time::Duration;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, SendBody};

/// A node on this machine answers at once or not at all.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longer than any page waits.
const ANSWER_TIME: Duration = Duration::from_secs(90);
/// The node closes what lies idle for longer.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// A page of results with its escapes.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// How often something that can be said twice is said again, and how long apart at first.
const TRIES: u32 = 6;
const BREATH: Duration = Duration::from_millis(100);

/// A node that can be asked.
#[derive(Debug)]
pub(super) struct Hub {
    agent: Agent,
    address: String,
    token: String,
}

impl Hub {
    /// The hub that is meant.
    pub(super) fn find(place: &Place) -> Result<Hub, Failure> {
        let settings = place.settings()?;
        let address = match &settings.hub {
            Some(hub) => named(hub)?,
            None => settings.home.hub().map_err(|error| refused(&error))?.api.to_string(),
        };
        let token = settings.home.token().map_err(|error| refused(&error))?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIME))
            .timeout_recv_response(Some(ANSWER_TIME))
            .max_idle_age(IDLE_TIME)
            .proxy(None)
            .max_redirects(0)
            .build();
        Ok(Hub { agent: config.into(), address, token })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = self.agent.get(self.url(path)).header("authorization", self.bearer());
        self.read(request.call())
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let request = self.agent.post(self.url(path)).header("authorization", self.bearer());
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
        let response = self.agent.head(url).header("authorization", self.bearer()).call();
        let response = response.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            StatusCode::OK => Ok(None),
            StatusCode::NOT_FOUND => {
                let offset = response.headers().get("upload-offset").and_then(|value| value.to_str().ok());
                Ok(Some(offset.and_then(|offset| offset.parse().ok()).unwrap_or(0)))
            }
            _ => Err(self.problem(response)),
        }
    }

    /// Sends a blob from `offset` on.
    pub(super) fn send_blob(&self, blob: &str, offset: u64, from: &mut dyn Read) -> Result<(), Failure> {
        let url = self.url(&format!("/v1/blobs/{blob}?offset={offset}"));
        let request = self.agent.put(url).header("authorization", self.bearer());
        let mut from = from;
        let response = request.send(SendBody::from_reader(&mut from)).map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(self.problem(response)) }
    }

    /// A page that is read piece by piece.
    pub(super) fn open(&self, path: &str) -> Result<Body, Failure> {
        let request = self.agent.get(self.url(path)).header("authorization", self.bearer());
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response.into_body()) } else { Err(self.problem(response)) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
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
        Failure::new(Exit::Unreachable, format!("the hub at {} does not answer: {error}", self.address))
            .hint("start it with `grove up`, or name another with --hub")
    }

    fn problem(&self, response: Response<Body>) -> Failure {
        let status = response.status();
        let body = response.into_body().into_with_config().limit(1 << 20).read_to_vec().unwrap_or_default();
        match serde_json::from_slice::<ErrorShape>(&body) {
            Ok(ErrorShape { error }) => told(status, error),
            Err(_) => Failure::new(Exit::Error, format!("what answers at {} says {status}", self.address))
                .hint("is it a Grove hub?"),
        }
    }
}

fn told(status: StatusCode, error: ErrorBody) -> Failure {
    let exit = match (status.as_u16(), error.code.as_str()) {
        (401 | 403, _) => Exit::NotAuthorised,
        (402, _) => Exit::Credits,
        // What may be otherwise in a moment counts as not reached, and is tried again.
        (_, "stopping" | "too_slow" | "uploading" | "wrong_offset" | "broken_off") => Exit::Unreachable,
        (_, "no_inputs") => Exit::Usage,
        _ => Exit::Error,
    };
    let mut message = error.message;
    if !error.candidates.is_empty() {
        message = format!("{message}: {}", error.candidates.join(" "));
    }
    Failure { exit, message, hint: error.hint }
}

/// A hub by its address. The token is sent in clear, so only this machine may be named.
fn named(hub: &str) -> Result<String, Failure> {
    let address = hub.strip_prefix("http://").unwrap_or(hub).trim_end_matches('/');
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if here && port {
        return Ok(address.to_owned());
    }
    Err(Failure::usage(format!("{hub:?} is not the address and port of a hub on this machine"))
        .hint("for instance --hub 127.0.0.1:7420"))
}

pub(super) fn refused(error: &HomeError) -> Failure {
    let exit = match error {
        HomeError::NoHub { .. } => Exit::Unreachable,
        HomeError::NoToken { .. } | HomeError::TokenIsOpen { .. } => Exit::NotAuthorised,
        _ => Exit::Error,
    };
    Failure::caused(exit, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_hub_that_the_token_is_sent_to() {
        assert_eq!(named("http://127.0.0.1:1/").unwrap(), "127.0.0.1:1");
        assert_eq!(named("[::1]:80").unwrap(), "[::1]:80");
        assert_eq!(named("localhost:7420").unwrap(), "localhost:7420");
        for wrong in ["10.0.0.1:1", "evil.example:80", "127.0.0.1", "https://127.0.0.1:1", "localhost.evil:1", ""] {
            assert_eq!(named(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

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
        assert_eq!(exit(404, "no_such_job"), Exit::Error);
        assert_eq!(told(StatusCode::CONFLICT, body("ambiguous")).message, "m: a1 a2");
    }
}
