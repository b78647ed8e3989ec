//! How the circle changes: who may invite, come in, and put out.

use super::{Action, Change, Node, Reply, Revoked};
use crate::circle::{Denied, FOUNDER, Invitation, Machine, Person, Roles, Session, is_name};
use crate::id::{Digest, JobId, NodeId, PersonId};
use crate::job::Standing;
use crate::ledger::Account;
use crate::limits;
use crate::state::Fact;
use crate::units::Credits;
use std::sync::Arc;

impl Node {
    pub(super) fn change_circle(&mut self, change: Change) -> Reply {
        let before = self.facts.len();
        let reply = match change {
            Change::Found { name } => self.found(name),
            Change::Invite { secret, whole } => self.invite(secret, whole),
            Change::Join { secret, key, name, machine } => self.join(secret, key, name, machine),
            Change::Claim { node, key } => self.claim(node, key),
            Change::LogIn { token, whole } => self.log_in(token, whole),
            Change::LogOut { token } => {
                self.log_out(token);
                Ok(Reply::Done)
            }
            Change::Password { person, hash } => self.password(person, hash),
            Change::Pay { by, to, amount } => self.pay_person(by, to, amount),
            Change::Revoke { by, what } => self.revoke(by, what),
        };
        if self.facts.len() > before {
            self.actions.push(Action::Admit);
        }
        reply.unwrap_or_else(|why| Reply::Denied { why })
    }

    fn found(&mut self, name: Arc<str>) -> Result<Reply, Denied> {
        self.examine_name(&name, Some(FOUNDER))?;
        let was = self.state.circle().person(FOUNDER).cloned();
        let since = self.now;
        let new = || Person { name: Arc::clone(&name), roles: Roles::ALL, password: "".into(), since, revoked: false };
        let whole = Person { name: Arc::clone(&name), ..was.clone().unwrap_or_else(new) };
        if was.as_ref() != Some(&whole) {
            self.record(Fact::Member { person: FOUNDER, whole: Box::new(whole) });
        }
        let known: Vec<NodeId> = self.state.peers().keys().chain(self.presence.keys()).copied().collect();
        known.into_iter().for_each(|node| self.earn_for_the_founder(node));
        Ok(Reply::Done)
    }

    /// The hub itself, and whoever knows the token of its folder, are machines of the one who began the circle: what
    /// they earn, and have earned, is that account's.
    pub(super) fn earn_for_the_founder(&mut self, node: NodeId) {
        let circle = self.state.circle();
        if circle.people.contains_key(&FOUNDER) && circle.earner(node).is_none() {
            self.record(Fact::Earns { node, person: FOUNDER });
            let (from, to) = (Account::Node(node), Account::Person(FOUNDER));
            let amount = self.state.ledger().balance(from);
            if amount > Credits(0) {
                self.record(Fact::Moved { from, to, amount });
            }
        }
    }

    fn examine_name(&self, name: &str, of: Option<PersonId>) -> Result<(), Denied> {
        if !is_name(name) {
            return Err(Denied::WrongName);
        }
        let taken = self.state.circle().person_named(name).is_some_and(|(person, _)| Some(person) != of);
        if taken { Err(Denied::NameTaken) } else { Ok(()) }
    }

    fn is_admin(&self, person: PersonId) -> bool {
        self.state.circle().person(person).is_some_and(|person| person.roles.admin)
    }

    /// Everybody may let in further machines of their own; new people only who looks after the circle.
    fn invite(&mut self, secret: Digest, whole: Invitation) -> Result<Reply, Denied> {
        let circle = self.state.circle();
        let by = circle.person(whole.by).ok_or(Denied::NotAllowed)?;
        let for_own = whole.of == Some(whole.by) && whole.roles == whole.roles.and(by.roles);
        if !for_own && !by.roles.admin {
            return Err(Denied::NotAllowed);
        }
        if whole.of.is_some_and(|person| circle.person(person).is_none()) {
            return Err(Denied::NoSuchThing);
        }
        self.expire_passes();
        let too_many = self.state.circle().invitations.len() >= limits::INVITATIONS_MAX;
        if too_many || whole.uses_left > limits::INVITATION_USES_MAX || whole.grant > limits::TRANSFER_MAX {
            return Err(Denied::TooMany);
        }
        self.record(Fact::Invited { secret, whole: Box::new(whole) });
        Ok(Reply::Done)
    }

    /// A machine comes in, and with it a new account unless the invitation is to one that there is.
    fn join(&mut self, secret: Digest, key: Digest, name: Arc<str>, machine: Arc<str>) -> Result<Reply, Denied> {
        if let Some(entry) = self.state.circle().by_machine(key) {
            // It came in before, and the reply was lost.
            return Ok(Reply::Joined { person: entry.person });
        }
        let circle = self.state.circle();
        let open = circle.invitations.get(&secret).filter(|open| open.uses_left > 0 && open.expires > self.now);
        let open = open.filter(|open| circle.person(open.by).is_some()).ok_or(Denied::NoSuchInvitation)?.clone();
        if circle.people.len().max(circle.machines.len()) >= limits::PEOPLE_MAX {
            return Err(Denied::TooMany);
        }
        if !is_name(&machine) {
            return Err(Denied::WrongName);
        }
        let owner = match open.of {
            Some(person) => circle.person(person).map(|_| person).ok_or(Denied::NoSuchInvitation)?,
            None => self.admit(name, open.roles, open.grant)?,
        };
        let whole = Machine { owner, name: machine, roles: open.roles, since: self.now, revoked: false };
        self.record(Fact::Enrolled { key, whole: Box::new(whole) });
        self.use_up(secret, open);
        Ok(Reply::Joined { person: owner })
    }

    fn use_up(&mut self, secret: Digest, open: Invitation) {
        match open.uses_left - 1 {
            0 => self.record(Fact::Uninvited { secret }),
            uses_left => self.record(Fact::Invited { secret, whole: Box::new(Invitation { uses_left, ..open }) }),
        }
    }

    fn admit(&mut self, name: Arc<str>, roles: Roles, grant: Credits) -> Result<PersonId, Denied> {
        self.examine_name(&name, None)?;
        let last = self.state.circle().people.keys().next_back().copied().unwrap_or(FOUNDER);
        let person = PersonId(last.0 + 1);
        let whole = Person { name, roles, password: "".into(), since: self.now, revoked: false };
        self.record(Fact::Member { person, whole: Box::new(whole) });
        if grant > Credits(0) {
            self.record(Fact::Moved { from: Account::Mint, to: Account::Person(person), amount: grant });
        }
        Ok(person)
    }

    /// A node name is the first machine's that claims it, and never one that came in without a machine's key.
    fn claim(&mut self, node: NodeId, key: Digest) -> Result<Reply, Denied> {
        let circle = self.state.circle();
        if !circle.by_machine(key).is_some_and(|entry| entry.roles.lend) {
            return Err(Denied::NotAllowed);
        }
        if circle.nodes.get(&node) == Some(&key) {
            return Ok(Reply::Done);
        }
        let known = circle.nodes.contains_key(&node) || self.state.peer(node).is_some();
        if known || node == self.config.id || self.presence.contains_key(&node) {
            return Err(Denied::NodeTaken);
        }
        if circle.nodes_of(key).count() >= limits::NODES_PER_MACHINE_MAX {
            return Err(Denied::TooMany);
        }
        self.record(Fact::Claimed { node, key });
        Ok(Reply::Done)
    }

    fn log_in(&mut self, token: Digest, whole: Session) -> Result<Reply, Denied> {
        self.state.circle().person(whole.person).ok_or(Denied::NotAllowed)?;
        self.expire_passes();
        let circle = self.state.circle();
        let mut own: Vec<_> = circle
            .sessions
            .iter()
            .filter(|(_, one)| one.person == whole.person)
            .map(|(t, s)| (s.expires, *t))
            .collect();
        own.sort_unstable();
        let many = (own.len() + 1).saturating_sub(limits::SESSIONS_PER_PERSON_MAX);
        own.iter().take(many).for_each(|(_, token)| self.log_out(*token));
        self.record(Fact::LoggedIn { token, whole });
        Ok(Reply::Done)
    }

    fn log_out(&mut self, token: Digest) {
        if self.state.circle().sessions.contains_key(&token) {
            self.record(Fact::LoggedOut { token });
        }
    }

    fn password(&mut self, person: PersonId, hash: Arc<str>) -> Result<Reply, Denied> {
        let was = self.state.circle().person(person).ok_or(Denied::NoSuchThing)?.clone();
        if hash.len() > limits::PASSWORD_HASH_MAX {
            return Err(Denied::TooMany);
        }
        self.record(Fact::Member { person, whole: Box::new(Person { password: hash, ..was }) });
        self.end_sessions(person);
        Ok(Reply::Done)
    }

    fn end_sessions(&mut self, person: PersonId) {
        let all = self.state.circle().sessions.iter();
        let own: Vec<Digest> = all.filter(|(_, one)| one.person == person).map(|(token, _)| *token).collect();
        own.into_iter().for_each(|token| self.log_out(token));
    }

    fn pay_person(&mut self, by: PersonId, to: PersonId, amount: Credits) -> Result<Reply, Denied> {
        let circle = self.state.circle();
        circle.person(by).ok_or(Denied::NotAllowed)?;
        circle.person(to).ok_or(Denied::NoSuchThing)?;
        self.state.ledger().examine(Account::Person(by), amount)?;
        self.record(Fact::Moved { from: Account::Person(by), to: Account::Person(to), amount });
        Ok(Reply::Done)
    }

    fn revoke(&mut self, by: PersonId, what: Revoked) -> Result<Reply, Denied> {
        match what {
            Revoked::Person(person) => self.put_out(by, person),
            Revoked::Machine(key) => {
                let machine = self.state.circle().machines.get(&key).filter(|machine| !machine.revoked);
                let machine = machine.ok_or(Denied::NoSuchThing)?.clone();
                if machine.owner != by && !self.is_admin(by) {
                    return Err(Denied::NoSuchThing);
                }
                self.record(Fact::Enrolled { key, whole: Box::new(Machine { revoked: true, ..machine }) });
                self.shut_out(key);
                Ok(Reply::Done)
            }
            Revoked::Invitation(secret) => {
                let open = self.state.circle().invitations.get(&secret).ok_or(Denied::NoSuchThing)?;
                if open.by != by && !self.is_admin(by) {
                    return Err(Denied::NoSuchThing);
                }
                self.record(Fact::Uninvited { secret });
                Ok(Reply::Done)
            }
        }
    }

    /// Somebody does not belong any more: what runs for them ends, and their machines hold nothing.
    fn put_out(&mut self, by: PersonId, person: PersonId) -> Result<Reply, Denied> {
        if person == FOUNDER || (by != person && !self.is_admin(by)) {
            return Err(Denied::NotAllowed);
        }
        let was = self.state.circle().person(person).ok_or(Denied::NoSuchThing)?.clone();
        self.record(Fact::Member { person, whole: Box::new(Person { revoked: true, ..was }) });
        self.end_sessions(person);
        let circle = self.state.circle();
        let open: Vec<Digest> =
            circle.invitations.iter().filter(|(_, one)| one.by == person).map(|(secret, _)| *secret).collect();
        let machines: Vec<Digest> =
            circle.machines.iter().filter(|(_, one)| one.owner == person).map(|(key, _)| *key).collect();
        let running = self.state.jobs().values().filter(|book| book.standing == Standing::Running);
        let jobs: Vec<JobId> = running.filter(|book| book.job.owner == person).map(|book| book.job.id).collect();
        open.into_iter().for_each(|secret| self.record(Fact::Uninvited { secret }));
        machines.into_iter().for_each(|key| self.shut_out(key));
        for job in jobs {
            // It is there and runs: it was looked up just now.
            let _ = self.cancel(job);
        }
        Ok(Reply::Done)
    }

    /// What a machine's nodes hold is wanted again, and what they still say is not heard.
    fn shut_out(&mut self, key: Digest) {
        let nodes: Vec<NodeId> = self.state.circle().nodes_of(key).collect();
        for node in nodes {
            self.lost(node);
            self.unlinked(node);
        }
    }

    /// Invitations and sessions whose time is over are taken off the books.
    pub(super) fn expire_passes(&mut self) {
        let (now, circle) = (self.now, self.state.circle());
        let open = circle.invitations.iter().filter(|(_, one)| one.expires <= now).map(|(secret, _)| *secret);
        let open: Vec<Digest> = open.collect();
        let logged: Vec<Digest> =
            circle.sessions.iter().filter(|(_, one)| one.expires <= now).map(|(token, _)| *token).collect();
        open.into_iter().for_each(|secret| self.record(Fact::Uninvited { secret }));
        logged.into_iter().for_each(|token| self.record(Fact::LoggedOut { token }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Event, Wish};
    use super::*;
    use crate::id::{AskId, Incarnation};
    use crate::message::Message;
    use crate::state::State;
    use crate::units::Millis;

    const SECRET: Digest = Digest([7; 32]);
    const KEY: Digest = Digest([1; 32]);
    const LENDER: NodeId = NodeId(9);
    const BOTH: Roles = Roles { lend: true, run: true, admin: false };

    fn hub() -> Node {
        let config = Config { id: NodeId(1), slots: 0, memory: 0, solves: false, lease: Millis(30_000) };
        let mut node = Node::new(config, State::default(), Millis(0));
        node.handle(Millis(1), vec![Event::Started { incarnation: Incarnation(1), secret: 5 }]);
        node
    }

    fn founded() -> Node {
        let mut node = hub();
        assert_eq!(ask(&mut node, Change::Found { name: "Ann".into() }), Reply::Done);
        node
    }

    fn ask(node: &mut Node, change: Change) -> Reply {
        let event = Event::Asked { ask: AskId(1), wish: Wish::Circle { change } };
        let now = node.now;
        let actions = node.handle(now, vec![event]);
        let told = actions.into_iter().find_map(|action| match action {
            Action::Reply { reply, .. } => Some(reply),
            _ => None,
        });
        told.expect("whoever asks is answered")
    }

    fn open(uses_left: u32) -> Invitation {
        let (by, of, expires) = (FOUNDER, None, Millis(1_000));
        Invitation { by, of, roles: BOTH, grant: Credits(500), uses_left, expires }
    }

    fn invite(node: &mut Node, whole: Invitation) -> Reply {
        ask(node, Change::Invite { secret: SECRET, whole })
    }

    fn join(node: &mut Node, key: u8, name: &str) -> Reply {
        let change =
            Change::Join { secret: SECRET, key: Digest([key; 32]), name: name.into(), machine: "kitchen".into() };
        ask(node, change)
    }

    #[test]
    fn an_invitation_lets_in_as_many_as_it_says_and_mints_for_each() {
        let mut node = founded();
        assert_eq!(invite(&mut node, open(2)), Reply::Done);
        assert_eq!(join(&mut node, 1, "Bob"), Reply::Joined { person: PersonId(2) });
        assert_eq!(join(&mut node, 1, "Bob"), Reply::Joined { person: PersonId(2) }, "said again");
        assert_eq!(join(&mut node, 2, "bob"), Reply::Denied { why: Denied::NameTaken });
        assert_eq!(join(&mut node, 2, "Cat"), Reply::Joined { person: PersonId(3) });
        assert_eq!(join(&mut node, 3, "Dan"), Reply::Denied { why: Denied::NoSuchInvitation });
        let ledger = node.state().ledger();
        assert_eq!((ledger.signed(Account::Mint), ledger.balance(Account::Person(PersonId(3))).0), (-1_000, 500));
    }

    #[test]
    fn what_is_over_lets_nobody_in() {
        let mut node = founded();
        invite(&mut node, open(1));
        node.handle(Millis(1_000), vec![Event::Woke]);
        assert_eq!(join(&mut node, 1, "Bob"), Reply::Denied { why: Denied::NoSuchInvitation });
        invite(&mut node, Invitation { expires: Millis(9_000), ..open(1) });
        assert!(!node.state().circle().invitations.is_empty());
        let what = Revoked::Invitation(SECRET);
        assert_eq!(ask(&mut node, Change::Revoke { by: FOUNDER, what }), Reply::Done);
        assert_eq!(join(&mut node, 1, "Bob"), Reply::Denied { why: Denied::NoSuchInvitation });
    }

    #[test]
    fn only_who_looks_after_the_circle_lets_in_new_people() {
        let mut node = founded();
        invite(&mut node, open(1));
        join(&mut node, 1, "Bob");
        let bob = PersonId(2);
        let own = Invitation { by: bob, of: Some(bob), grant: Credits(0), ..open(1) };
        let denied = Reply::Denied { why: Denied::NotAllowed };
        assert_eq!(invite(&mut node, Invitation { by: bob, ..open(1) }), denied);
        assert_eq!(invite(&mut node, Invitation { roles: Roles::ALL, ..own.clone() }), denied);
        assert_eq!(invite(&mut node, Invitation { of: Some(FOUNDER), ..own.clone() }), denied);
        assert_eq!(invite(&mut node, own), Reply::Done);
        assert_eq!(join(&mut node, 2, "ignored"), Reply::Joined { person: bob });
        assert_eq!(ask(&mut node, Change::Revoke { by: bob, what: Revoked::Person(FOUNDER) }), denied);
        assert_eq!(ask(&mut node, Change::Revoke { by: FOUNDER, what: Revoked::Person(FOUNDER) }), denied);
    }

    #[test]
    fn a_node_speaks_from_one_machine_and_not_once_that_is_out() {
        let mut node = founded();
        invite(&mut node, open(2));
        join(&mut node, 1, "Bob");
        join(&mut node, 2, "Cat");
        let claim = |key: u8, node| Change::Claim { node, key: Digest([key; 32]) };
        assert_eq!(ask(&mut node, claim(1, LENDER)), Reply::Done);
        assert_eq!(ask(&mut node, claim(1, LENDER)), Reply::Done);
        let taken = Reply::Denied { why: Denied::NodeTaken };
        assert_eq!(ask(&mut node, claim(2, LENDER)), taken);
        assert_eq!(ask(&mut node, claim(2, NodeId(1))), taken, "the hub itself");
        assert_eq!(ask(&mut node, claim(3, NodeId(5))), Reply::Denied { why: Denied::NotAllowed });
        let hello = Message::Hello { incarnation: Incarnation(2), slots: 4, solves: false, holding: Vec::new() };
        let now = node.now;
        node.handle(now, vec![Event::Linked { node: LENDER }, Event::Heard { from: LENDER, message: hello.clone() }]);
        assert_eq!(node.slots_all, 4);
        assert_eq!(ask(&mut node, Change::Revoke { by: FOUNDER, what: Revoked::Machine(KEY) }), Reply::Done);
        node.handle(now, vec![Event::Heard { from: LENDER, message: hello.clone() }, Event::Linked { node: LENDER }]);
        node.handle(now, vec![Event::Heard { from: LENDER, message: hello }]);
        assert_eq!(node.slots_all, 0, "nothing that it says is heard");
    }

    #[test]
    fn a_password_that_changes_ends_all_sessions_and_so_does_leaving() {
        let mut node = founded();
        invite(&mut node, open(1));
        join(&mut node, 1, "Bob");
        let bob = PersonId(2);
        let log_in = |n: u8| Change::LogIn {
            token: Digest([n; 32]),
            whole: Session { person: bob, expires: Millis(500 + u64::from(n)) },
        };
        (1..=40).for_each(|n| assert_eq!(ask(&mut node, log_in(n)), Reply::Done));
        assert_eq!(node.state().circle().sessions.len(), limits::SESSIONS_PER_PERSON_MAX);
        ask(&mut node, Change::Password { person: bob, hash: "$x".into() });
        assert!(node.state().circle().sessions.is_empty());
        ask(&mut node, log_in(1));
        assert_eq!(ask(&mut node, Change::Revoke { by: bob, what: Revoked::Person(bob) }), Reply::Done);
        assert!(node.state().circle().sessions.is_empty());
        assert_eq!(ask(&mut node, log_in(1)), Reply::Denied { why: Denied::NotAllowed });
    }

    #[test]
    fn a_snapshot_says_the_same_of_the_circle() {
        let mut node = founded();
        invite(&mut node, open(3));
        join(&mut node, 1, "Bob");
        ask(&mut node, Change::Claim { node: LENDER, key: KEY });
        let whole = Session { person: PersonId(2), expires: Millis(50) };
        ask(&mut node, Change::LogIn { token: SECRET, whole });
        ask(&mut node, Change::Pay { by: PersonId(2), to: FOUNDER, amount: Credits(20) });
        let mut again = State::default();
        node.state().facts().iter().for_each(|fact| again.apply(fact));
        assert_eq!((again.circle(), again.misfits()), (node.state().circle(), 0));
        assert_eq!(again.ledger(), node.state().ledger());
    }
}
