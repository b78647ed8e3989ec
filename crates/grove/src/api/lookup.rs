//! Jobs by what people call them: a whole id, the beginning of one, or `last`.

use super::Api;
use super::error::Problem;
use super::guard::Who;
use axum::http::StatusCode;
use grove_core::id::JobId;
use grove_core::node::Node;
use std::collections::BTreeSet;

/// The latest job of all.
const LAST: &str = "last";
/// Ids that an ambiguous beginning is explained with.
const CANDIDATES_MAX: usize = 8;
/// Digits of a whole id, and bits of each.
const DIGITS: u32 = 13;
const DIGIT_BITS: u32 = 5;

/// The job that somebody means.
pub(super) async fn job_id(api: &Api, name: &str) -> Result<JobId, Problem> {
    let (wanted, who) = (name.to_owned(), api.who);
    if let Ok(id) = name.parse().map(|said| api.aliases.within(said)) {
        // Whoever sees everything need not be asked about.
        if who.roles.admin {
            return Ok(id);
        }
        let seen = move |node: &Node| node.state().job(id).is_some_and(|book| who.sees(book.job.owner));
        return if api.door.look(seen).await? { Ok(id) } else { Err(Problem::no_such_job(name)) };
    }
    if name == LAST {
        return api.door.look(move |node| latest(node, who)).await?;
    }
    let (first, last) = ids_beginning(&wanted).ok_or_else(|| Problem::no_such_job(name))?;
    let seen = move |node: &Node| -> Vec<JobId> {
        node.state().jobs().iter().filter(|(_, book)| who.sees(book.job.owner)).map(|(id, _)| *id).collect()
    };
    // What people call them stands in another order than what the node does.
    let said = api.door.look(seen).await?.into_iter().map(|id| api.aliases.said(id));
    let found: BTreeSet<JobId> = said.filter(|id| (first..=last).contains(id)).collect();
    of_several(&found, name).map(|said| api.aliases.within(said))
}

fn latest(node: &Node, who: Who) -> Result<JobId, Problem> {
    let own = node.state().jobs().values().filter(|book| book.job.owner == who.person);
    let last = own.max_by_key(|book| (book.submitted, book.job.id));
    last.map(|book| book.job.id).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "no_such_job", "there are no jobs yet").hint("`grove run` makes one")
    })
}

fn of_several(found: &BTreeSet<JobId>, name: &str) -> Result<JobId, Problem> {
    match (found.first(), found.len()) {
        (None, _) => Err(Problem::no_such_job(name)),
        (Some(only), 1) => Ok(*only),
        _ => {
            let message = format!("{name:?} is the beginning of several jobs");
            let candidates = found.iter().take(CANDIDATES_MAX).map(JobId::to_string).collect();
            let hint = "give one digit more";
            Err(Problem::new(StatusCode::CONFLICT, "ambiguous", message).hint(hint).candidates(candidates))
        }
    }
}

/// The least and the greatest id that begin so.
fn ids_beginning(text: &str) -> Option<(JobId, JobId)> {
    let given = u32::try_from(text.len()).ok().filter(|len| (1..DIGITS).contains(len))?;
    // The other digits are the least, then the greatest; both must be whole ids of 64 bits.
    let least = format!("{text}{}", "0".repeat((DIGITS - given) as usize)).parse::<JobId>().ok()?;
    let free_bits = DIGIT_BITS * (DIGITS - given);
    Some((least, JobId(least.0 | ((1 << free_bits) - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_names_a_range_of_ids() {
        let id = JobId(0x1234_5678_9abc_def0);
        let text = id.to_string();
        for len in 1..13 {
            let (first, last) = ids_beginning(&text[..len]).unwrap();
            assert!(first <= id && id <= last, "{}", &text[..len]);
            assert!(first.to_string().starts_with(&text[..len]) && last.to_string().starts_with(&text[..len]));
        }
        assert_eq!(ids_beginning("0").map(|(first, _)| first), Some(JobId(0)));
        assert_eq!(ids_beginning("f").map(|(_, last)| last), Some(JobId(u64::MAX)));
        for wrong in ["", "g", "u", "é", "00000000000000", "-"] {
            assert_eq!(ids_beginning(wrong), None, "{wrong:?}");
        }
    }
}
