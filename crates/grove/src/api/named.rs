//! What somebody means who wants something revoked: a person, a machine or an invitation, by name or by the beginning
//! of a fingerprint. Nobody can name what they do not see.

use super::circle::short;
use super::error::Problem;
use super::guard::Who;
use axum::http::StatusCode;
use grove_core::circle::Circle;
use grove_core::id::Digest;
use grove_core::node::Revoked;

/// Shorter beginnings are mistakes.
const DIGITS_LEAST: usize = 4;

/// The one thing of that name, with what is said when it is gone. A person comes before machines of the same name.
pub(super) fn one(circle: &Circle, who: Who, name: &str) -> Result<(Revoked, String), Problem> {
    let person = circle.person_named(name).filter(|(id, _)| who.sees(*id));
    if let Some((id, person)) = person {
        return Ok((Revoked::Person(id), format!("{} is out, with all machines", person.name)));
    }
    let named = |key: &Digest, other: &str| other.eq_ignore_ascii_case(name) || begins(*key, name);
    let own = circle.machines.iter().filter(|(_, machine)| !machine.revoked && who.sees(machine.owner));
    let machines = own
        .filter(|(key, machine)| named(key, &machine.name))
        .map(|(key, machine)| (Revoked::Machine(*key), format!("machine {} ({}) is out", machine.name, short(*key))));
    let open = circle.invitations.iter().filter(|(hash, one)| who.sees(one.by) && begins(**hash, name));
    let open = open.map(|(hash, _)| (Revoked::Invitation(*hash), format!("invitation {} is no more", short(*hash))));
    let mut found: Vec<(Revoked, String)> = machines.chain(open).collect();
    match found.len() {
        0 => Err(nothing(name)),
        1 => Ok(found.remove(0)),
        _ => {
            let candidates = found.iter().filter_map(|(what, _)| match what {
                Revoked::Machine(digest) | Revoked::Invitation(digest) => Some(short(*digest)),
                Revoked::Person(_) => None,
            });
            let message = format!("{name:?} may be several things");
            let problem = Problem::new(StatusCode::CONFLICT, "ambiguous", message).candidates(candidates.collect());
            Err(problem.hint("name a machine by its fingerprint"))
        }
    }
}

pub(super) fn nothing(name: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_name", format!("nobody and nothing is called {name:?} here"))
        .hint("`grove people` and `grove machines` list them")
}

fn begins(digest: Digest, name: &str) -> bool {
    name.len() >= DIGITS_LEAST && digest.to_string().starts_with(&name.to_ascii_lowercase())
}
