//! All pages of the API in one table: what each is called, who may ask for it, and who answers.
//!
//! The guard looks here, and so does the test that tries every row as everybody: a page that is not listed is not there.

use super::{Api, blobs, circle, events, inputs, jobs, login, python, results, status, submit};
use axum::http::Method;
use axum::routing::{MethodRouter, get, head, post, put};

/// What it takes to ask for a page. Whose jobs and machines are seen there is a second question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the page lets somebody in who shows a secret.
    Nothing,
    /// To belong to the circle.
    Member,
    /// To be let in to run jobs.
    Run,
    /// To look after the circle.
    Admin,
}

/// One page.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) need: Need,
    /// Takes as long as it takes; all others are answered in time.
    pub(super) slow: bool,
    pub(super) to: MethodRouter<Api>,
}

/// The names of all pages, as the table has them.
pub fn listed() -> Vec<(Method, &'static str, Need)> {
    all().into_iter().map(|route| (route.method, route.path, route.need)).collect()
}

/// Whether somebody may ask for this who is nobody yet.
pub(super) fn is_open(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, circle::JOIN | login::LOGIN)
}

pub(super) fn all() -> Vec<Route> {
    use Need::{Admin, Member, Nothing, Run};
    let route = |method, path, need, to| Route { method, path, need, slow: false, to };
    let blob = |method, to| Route { method, path: "/v1/blobs/{id}", need: Run, slow: true, to };
    let (read, write) = (Method::GET, Method::POST);
    vec![
        route(read.clone(), "/v1/version", Member, get(status::version)),
        route(read.clone(), "/v1/status", Member, get(status::status)),
        route(read.clone(), "/v1/peers", Member, get(status::peers)),
        route(read.clone(), "/v1/python", Run, get(python::image)),
        route(read.clone(), "/v1/credits", Member, get(status::credits)),
        route(read.clone(), "/v1/credits/log", Member, get(status::log)),
        route(write.clone(), "/v1/jobs", Run, post(submit::submit)),
        route(read.clone(), "/v1/jobs", Run, get(jobs::list)),
        route(read.clone(), "/v1/jobs/{id}", Run, get(jobs::show)),
        route(read.clone(), "/v1/jobs/{id}/results", Run, get(results::page)),
        route(read.clone(), "/v1/jobs/{id}/why", Run, get(jobs::why)),
        route(read.clone(), "/v1/jobs/{id}/tree", Run, get(jobs::tree)),
        route(write.clone(), "/v1/jobs/{id}/inputs", Run, post(inputs::add)),
        route(write.clone(), "/v1/jobs/{id}/close", Run, post(jobs::close)),
        route(write.clone(), "/v1/jobs/{id}/cancel", Run, post(jobs::cancel)),
        route(write.clone(), "/v1/jobs/{id}/retry", Run, post(jobs::retry)),
        route(read.clone(), "/v1/jobs/{id}/events", Run, get(events::of_job)),
        route(read.clone(), "/v1/events", Run, get(events::all)),
        blob(Method::PUT, put(blobs::put)),
        blob(Method::GET, get(blobs::get)),
        blob(Method::HEAD, head(blobs::head)),
        route(write.clone(), circle::JOIN, Nothing, post(circle::join)),
        route(write.clone(), login::LOGIN, Nothing, post(login::log_in)),
        route(write.clone(), "/v1/logout", Member, post(login::log_out)),
        route(write.clone(), "/v1/password", Member, post(login::password)),
        route(read.clone(), "/v1/me", Member, get(circle::me)),
        route(read.clone(), "/v1/people", Admin, get(circle::people)),
        route(read.clone(), "/v1/machines", Member, get(circle::machines)),
        route(read, "/v1/invitations", Member, get(circle::invitations)),
        route(write.clone(), "/v1/invitations", Member, post(circle::invite)),
        route(write.clone(), "/v1/revoke", Member, post(circle::revoke)),
        route(write, "/v1/pay", Member, post(circle::pay)),
    ]
}
