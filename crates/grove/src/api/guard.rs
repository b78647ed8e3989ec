//! Who may come in, as whom, through a name of this machine, and not as a page in a browser.
//!
//! Loopback is no protection by itself: any web page can reach it, and a name that a stranger chose can be made to
//! point here. So the token is asked for here too, and the names are looked at first. From elsewhere come machines
//! that are known by their keys, and people who have logged in; what each may do is asked of the circle every time.

use super::Api;
use super::arrival::Arrival;
use super::error::Problem;
use super::routes::Need;
use crate::device::Caller;
use crate::door::Roll;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use grove_core::circle::{Circle, Entry, FOUNDER, Roles};
use grove_core::id::{Digest, PersonId};
use grove_core::units::Millis;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The hash of the token: hashes compare in constant time, so that time says nothing about the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(blake3::Hash);

impl Key {
    pub(super) fn new(token: &str) -> Key {
        Key(blake3::hash(token.as_bytes()))
    }
}

/// All that it takes to know who asks.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    key: Key,
    roll: Roll,
}

impl Guard {
    pub(super) fn new(token: &str, roll: Roll) -> Guard {
        Guard { key: Key::new(token), roll }
    }
}

/// By what somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The token of this folder: whoever has it owns the machine that the node runs on.
    Token,
    Machine(Digest),
    Session(Digest),
    /// Nothing: for the few pages that let somebody in.
    Nothing,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) person: PersonId,
    pub(super) roles: Roles,
    pub(super) by: By,
}

impl Who {
    pub(super) const NOBODY: Who =
        Who { person: PersonId(0), roles: Roles { lend: false, run: false, admin: false }, by: By::Nothing };

    /// Whether somebody's jobs are this person's business.
    pub(super) fn sees(self, owner: PersonId) -> bool {
        self.roles.admin || self.person == owner
    }

    /// Whether what let somebody in still does.
    pub(super) fn stands(self, circle: &Circle) -> bool {
        match self.by {
            By::Token => true,
            By::Machine(key) => circle.by_machine(key).is_some_and(|entry| entry.person == self.person),
            By::Session(token) => circle.by_session(token, now()).is_some(),
            By::Nothing => false,
        }
    }

    /// Comes back when whoever asked may not be here any more.
    pub(super) async fn put_out(self, mut roll: Roll) {
        // Whoever could say it has gone: then the node stops.
        let _ = roll.until(move |circle| !self.stands(circle)).await;
    }
}

pub(super) fn now() -> Millis {
    let span = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

/// What a request can reach, and in whose name.
pub(super) struct Mine(pub(super) Api);

impl FromRequestParts<Api> for Mine {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Mine, Problem> {
        let who = parts.extensions.get::<Who>().copied().unwrap_or(Who::NOBODY);
        let caller = parts.extensions.get::<Caller>().copied().unwrap_or(Caller::STRANGER);
        let from = parts.extensions.get::<IpAddr>().copied();
        Ok(Mine(Api { who, caller, from, ..api.clone() }))
    }
}

/// Says who asks, or sends them away. Only pages that let somebody in are open to nobody.
pub(super) async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().copied().unwrap_or(Caller::STRANGER);
    let open = super::routes::is_open(request.method(), request.uri().path());
    let admitted = examine(&guard, caller, request.headers(), open).and_then(|who| {
        let entered = request.extensions().get::<Arrival>().map_or(Ok(()), |arrival| arrival.enter(who, &guard.roll));
        entered.map(|()| who).map_err(|_| crowded())
    });
    match admitted {
        Ok(who) => {
            request.extensions_mut().insert(who);
            let mut response = next.run(request).await;
            // Outputs are strangers' bytes: no browser may take them for a page.
            let headers = response.headers_mut();
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
            headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            response
        }
        // Whoever was not let in has to call again, so that nobody asks a thousand times on one connection.
        Err(problem) => ([(header::CONNECTION, "close")], problem).into_response(),
    }
}

/// Lets those pass who may do what a page does.
pub(super) async fn require(State(need): State<Need>, request: Request, next: Next) -> Response {
    let who = request.extensions().get::<Who>().copied().unwrap_or(Who::NOBODY);
    let may = match need {
        Need::Nothing => true,
        Need::Member => who.by != By::Nothing,
        Need::Run => who.by != By::Nothing && who.roles.run,
        Need::Admin => who.by != By::Nothing && who.roles.admin,
    };
    if may { next.run(request).await } else { not_yours(need).into_response() }
}

fn examine(guard: &Guard, caller: Caller, headers: &HeaderMap, open: bool) -> Result<Who, Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (text(header::HOST), hosts.next(), hosts.next()) {
        (Some(host), Some(_), None) if is_called(host, caller) => host,
        _ => return Err(elsewhere("this node is not called that")),
    };
    let from_here = |origin: &str| {
        let site = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://").filter(|_| !caller.plain));
        site == Some(host)
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(encoded());
    }
    if text(header::ORIGIN).is_some_and(|origin| !from_here(origin)) {
        return Err(elsewhere("pages of other sites may not come in here"));
    }
    let shown = text(header::AUTHORIZATION).map(|value| value.strip_prefix("Bearer ").unwrap_or(""));
    match (who(guard, caller, shown), open) {
        (Some(who), _) => Ok(who),
        (None, true) => Ok(Who::NOBODY),
        (None, false) => Err(unknown(&guard.roll.now(), caller, shown)),
    }
}

/// A token that is shown counts, right or wrong; else the key of the machine that calls.
fn who(guard: &Guard, caller: Caller, shown: Option<&str>) -> Option<Who> {
    let entered = |entry: Entry, by| Who { person: entry.person, roles: entry.roles, by };
    let Some(shown) = shown else {
        let key = caller.key?;
        return guard.roll.now().by_machine(key).map(|entry| entered(entry, By::Machine(key)));
    };
    let hash = blake3::hash(shown.as_bytes());
    if hash == guard.key.0 {
        // The token opens this machine from this machine, and is nothing to anybody else.
        return caller.local.then_some(Who { person: FOUNDER, roles: Roles::ALL, by: By::Token });
    }
    let token = Digest(*hash.as_bytes());
    guard.roll.now().by_session(token, now()).map(|entry| entered(entry, By::Session(token)))
}

fn elsewhere(message: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong_host", message).hint("use http://127.0.0.1 and the node's port")
}

/// Nothing is unpacked here, so that no small request becomes a large one.
fn encoded() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded", "what is sent here is not compressed")
        .hint("leave out Content-Encoding")
}

fn crowded() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", "too many connections are open")
        .hint("close those that wait for nothing; requests can follow one another on one connection")
}

/// What whoever was not let in can do about it. That a machine was put out is told to nobody but the machine.
fn unknown(circle: &Circle, caller: Caller, shown: Option<&str>) -> Problem {
    let machine = caller.key.and_then(|key| circle.machines.get(&key));
    let (message, hint) = match (caller.plain, shown, machine) {
        (true, _, _) => (
            "the token is missing or wrong",
            "send `Authorization: Bearer …` with what the file `token` in the node's folder says, or join: `grove join`",
        ),
        (false, Some(_), _) => {
            ("this login has ended", "`grove login NAME` begins another; `grove logout` goes on without one")
        }
        (false, None, Some(machine)) if machine.revoked => (
            "this machine was put out of the circle",
            "ask who looks after the hub; with a new invitation: `grove leave`, then `grove join <invitation>`",
        ),
        (false, None, Some(_)) => ("the account of this machine was closed", "ask who looks after the hub"),
        (false, None, None) => (
            "this machine does not belong to the circle",
            "ask for an invitation, then `grove join <invitation>`; or `grove login NAME`",
        ),
    };
    Problem::new(StatusCode::UNAUTHORIZED, "not_authorised", message).hint(hint)
}

fn not_yours(need: Need) -> Problem {
    let (message, hint) = match need {
        Need::Admin => ("only who looks after this circle may do that", "ask the one who ran `grove up`"),
        _ => ("this machine or account may not run jobs here", "ask for an invitation with `--role run`"),
    };
    Problem::new(StatusCode::FORBIDDEN, "not_allowed", message).hint(hint)
}

/// Whether a `Host` header names this machine. Over TLS any address does: a name that was made to point here has no
/// key to show, and an address cannot be made to.
fn is_called(host: &str, caller: Caller) -> bool {
    let Some(name) = bare(host) else { return false };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || !caller.plain)
}

/// The name without brackets and port.
fn bare(host: &str) -> Option<&str> {
    match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => Some(name),
            _ => None,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => Some(name),
            Some(_) => None,
            None => Some(host),
        },
    }
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], expect: Result<(), &str>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let guard = Guard::new("secret", Roll::default());
        let found = examine(&guard, Caller::HERE, &map, false);
        assert_eq!(found.as_ref().map(|_| ()).map_err(|problem| problem.code()), expect, "{headers:?}");
    }

    const TOKEN: (&str, &str) = ("authorization", "Bearer secret");

    #[test]
    fn the_token_is_asked_for_on_loopback_too() {
        for host in ["127.0.0.1:7420", "localhost", "LocalHost:1", "[::1]:7420", "[::1]", "127.9.9.9"] {
            check(&[("host", host), TOKEN], Ok(()));
            check(&[("host", host)], Err("not_authorised"));
        }
        for token in ["Bearer secre", "Bearer secret2", "secret", "bearer secret", "Basic c2VjcmV0", "Bearer "] {
            check(&[("host", "localhost"), ("authorization", token)], Err("not_authorised"));
        }
    }

    #[test]
    fn a_name_that_a_stranger_made_point_here_is_refused() {
        for host in
            ["evil.example:7420", "localhost.evil.example", "0.0.0.0", "10.0.0.1", "", "127.0.0.1@evil", "[::2]"]
        {
            check(&[("host", host), TOKEN], Err("wrong_host"));
        }
        check(&[TOKEN], Err("wrong_host"));
        check(&[("host", "localhost"), ("host", "localhost"), TOKEN], Err("wrong_host"));
    }

    #[test]
    fn a_page_of_another_site_is_refused_even_with_the_token() {
        let host = ("host", "127.0.0.1:7420");
        check(&[host, TOKEN, ("origin", "http://127.0.0.1:7420")], Ok(()));
        for origin in ["http://evil.example", "null", "https://127.0.0.1:7420", "http://127.0.0.1:80"] {
            check(&[host, TOKEN, ("origin", origin)], Err("wrong_host"));
        }
    }
}
