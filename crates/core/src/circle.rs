//! Who belongs to the circle: people, their machines, invitations, and who is logged in where.
//!
//! Secrets are known here by their hashes alone, machines by the fingerprints of their keys, and what a password hash
//! says is for others to read: whoever asks has compared them before.

use crate::id::{Digest, NodeId, PersonId};
use crate::ledger::Shortfall;
use crate::limits;
use crate::units::{Credits, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whoever began the circle.
pub const FOUNDER: PersonId = PersonId(1);

/// What somebody may do here. Whoever belongs may always look at what is theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    pub lend: bool,
    pub run: bool,
    pub admin: bool,
}

impl Roles {
    pub const ALL: Roles = Roles { lend: true, run: true, admin: true };

    /// What both allow.
    pub fn and(self, other: Roles) -> Roles {
        Roles { lend: self.lend && other.lend, run: self.run && other.run, admin: self.admin && other.admin }
    }
}

/// An account: whose credits, jobs and machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub name: Arc<str>,
    pub roles: Roles,
    /// A password's hash in a form that the core does not read; empty where none was set.
    pub password: Arc<str>,
    pub since: Millis,
    pub revoked: bool,
}

/// A computer that was let in, by the fingerprint of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub owner: PersonId,
    pub name: Arc<str>,
    pub roles: Roles,
    pub since: Millis,
    pub revoked: bool,
}

/// A promise to let somebody in who knows a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub by: PersonId,
    /// Whose machine comes in; `None` makes a new account.
    pub of: Option<PersonId>,
    pub roles: Roles,
    /// What a new account begins with: the only mint.
    pub grant: Credits,
    pub uses_left: u32,
    pub expires: Millis,
}

/// Somebody is logged in with a password, wherever the token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub person: PersonId,
    pub expires: Millis,
}

/// What somebody who asks may do, and in whose name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub person: PersonId,
    pub roles: Roles,
}

/// Why the circle did not change. Each ends in a hint where people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Wrong, used up, expired or revoked: nobody outside learns which.
    NoSuchInvitation,
    NotAllowed,
    NameTaken,
    WrongName,
    NodeTaken,
    NoSuchThing,
    TooMany,
    NotEnoughCredits {
        available: Credits,
    },
}

impl From<Shortfall> for Denied {
    fn from(why: Shortfall) -> Denied {
        match why {
            Shortfall::TooLarge => Denied::NotEnoughCredits { available: limits::TRANSFER_MAX },
            Shortfall::NotEnough { available } => Denied::NotEnoughCredits { available },
        }
    }
}

/// All that is on the books about the circle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Circle {
    pub people: BTreeMap<PersonId, Person>,
    pub machines: BTreeMap<Digest, Machine>,
    pub invitations: BTreeMap<Digest, Invitation>,
    pub sessions: BTreeMap<Digest, Session>,
    /// Which machine a node runs on: no other machine may speak in its name.
    pub nodes: BTreeMap<NodeId, Digest>,
    /// For whom nodes earn that came in without a machine's key: by the token of the hub's own folder.
    pub earners: BTreeMap<NodeId, PersonId>,
}

impl Circle {
    /// Somebody who belongs, and has not been put out.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id).filter(|person| !person.revoked)
    }

    pub fn person_named(&self, name: &str) -> Option<(PersonId, &Person)> {
        let mut here = self.people.iter().filter(|(_, person)| !person.revoked);
        here.find(|(_, person)| same_name(&person.name, name)).map(|(id, person)| (*id, person))
    }

    /// What whoever asks from this machine may do.
    pub fn by_machine(&self, key: Digest) -> Option<Entry> {
        let machine = self.machines.get(&key).filter(|machine| !machine.revoked)?;
        let roles = self.person(machine.owner)?.roles.and(machine.roles);
        Some(Entry { person: machine.owner, roles })
    }

    /// What whoever shows this token may do.
    pub fn by_session(&self, token: Digest, now: Millis) -> Option<Entry> {
        let session = self.sessions.get(&token).filter(|session| session.expires > now)?;
        Some(Entry { person: session.person, roles: self.person(session.person)?.roles })
    }

    /// Whether this machine may lend under the name of this node. Whose the node is must be on the books.
    pub fn may_lend(&self, node: NodeId, key: Digest) -> bool {
        self.nodes.get(&node) == Some(&key) && self.by_machine(key).is_some_and(|entry| entry.roles.lend)
    }

    /// Whether a node is on a machine that was put out.
    pub fn is_out(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|key| !self.may_lend(node, *key))
    }

    /// Whose account a node earns for.
    pub fn earner(&self, node: NodeId) -> Option<PersonId> {
        match self.nodes.get(&node) {
            Some(key) => self.machines.get(key).map(|machine| machine.owner),
            None => self.earners.get(&node).copied(),
        }
    }

    pub fn nodes_of(&self, key: Digest) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.iter().filter(move |(_, machine)| **machine == key).map(|(node, _)| *node)
    }
}

/// Names differ by more than the height of their letters.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Whether this can be the name of a person or a machine: it stands in lists, and on terminals.
pub fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '\'');
    (1..=limits::NAME_MAX).contains(&text.len()) && text.trim() == text && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Digest = Digest([1; 32]);
    const ANN: PersonId = PersonId(2);
    const LENDS: Roles = Roles { lend: true, run: false, admin: false };

    fn circle() -> Circle {
        let name: Arc<str> = "Ann".into();
        let person =
            Person { name: name.clone(), roles: Roles::ALL, password: "".into(), since: Millis(1), revoked: false };
        let machine = Machine { owner: ANN, name, roles: LENDS, since: Millis(1), revoked: false };
        let mut circle = Circle::default();
        circle.people.insert(ANN, person);
        circle.machines.insert(KEY, machine);
        circle.nodes.insert(NodeId(7), KEY);
        circle.sessions.insert(Digest([2; 32]), Session { person: ANN, expires: Millis(10) });
        circle
    }

    #[test]
    fn a_machine_may_do_what_it_and_its_owner_may() {
        let mut circle = circle();
        assert_eq!(circle.by_machine(KEY), Some(Entry { person: ANN, roles: LENDS }));
        assert!(circle.may_lend(NodeId(7), KEY) && !circle.may_lend(NodeId(8), KEY));
        assert!(!circle.may_lend(NodeId(7), Digest([9; 32])), "a node of another machine");
        circle.people.get_mut(&ANN).unwrap().roles.lend = false;
        assert!(!circle.may_lend(NodeId(7), KEY) && circle.is_out(NodeId(7)));
    }

    #[test]
    fn whoever_was_put_out_is_out_everywhere_at_once() {
        let mut circle = circle();
        assert!(circle.by_session(Digest([2; 32]), Millis(9)).is_some());
        assert_eq!(circle.by_session(Digest([2; 32]), Millis(10)), None, "expired");
        circle.people.get_mut(&ANN).unwrap().revoked = true;
        assert_eq!((circle.by_machine(KEY), circle.by_session(Digest([2; 32]), Millis(9))), (None, None));
        assert!(circle.person_named("ann").is_none() && circle.is_out(NodeId(7)));
        assert_eq!(circle.earner(NodeId(7)), Some(ANN), "what was earned stays earned");
    }

    #[test]
    fn a_name_is_plain() {
        for name in ["Ann", "ann-2", "Zoë O'Hara", "kitchen.lan"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", " ann", "a\u{1b}[31m", "a\u{202e}b", "a\nb", "a/b", &"x".repeat(129)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
