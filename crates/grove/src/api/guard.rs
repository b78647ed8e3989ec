//! Who may come in: whoever knows the token, through a name of this machine, and not a page in a browser.
//!
//! Loopback is no protection by itself: any web page can reach it, and a name that a stranger chose can be made to
//! point here. So the token is asked for here too, and the names are looked at first.

use super::error::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// The hash of the token: hashes compare in constant time, so that time says nothing about the token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(blake3::Hash);

impl Key {
    pub(super) fn new(token: &str) -> Key {
        Key(blake3::hash(token.as_bytes()))
    }
}

pub(super) async fn admit(State(key): State<Key>, request: Request, next: Next) -> Response {
    match examine(key, request.headers()) {
        Ok(()) => {
            let mut response = next.run(request).await;
            // Outputs are strangers' bytes: no browser may take them for a page.
            let headers = response.headers_mut();
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
            headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

fn examine(key: Key, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (text(header::HOST), hosts.next(), hosts.next()) {
        (Some(host), Some(_), None) if is_here(host) => host,
        _ => return Err(elsewhere("this node is not called that")),
    };
    if text(header::ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host)) {
        return Err(elsewhere("pages of other sites may not come in here"));
    }
    let given = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let known = given.is_some_and(|given| blake3::hash(given.as_bytes()) == key.0);
    if known { Ok(()) } else { Err(unknown()) }
}

fn elsewhere(message: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "wrong_host", message).hint("use http://127.0.0.1 and the node's port")
}

fn unknown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not_authorised", "the token is missing or wrong")
        .hint("send `Authorization: Bearer …` with what the file `token` in the node's folder says")
}

/// Whether a `Host` header names this machine: `localhost`, or a loopback address, with or without a port.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || is_port(port) => name,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            Some(_) => return false,
            None => host,
        },
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
        let found = examine(Key::new("secret"), &map);
        assert_eq!(found.as_ref().copied().map_err(|problem| problem.code()), expect, "{headers:?}");
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
