//! People, machines and invitations: coming in, looking round, putting out.

use super::error::Problem;
use super::guard::{By, Mine};
use super::login::{name_of, no_account};
use super::sent::Short;
use super::{Api, named, share_of};
use crate::invite::{self, Invite as Word, SECRET_BYTES};
use crate::shape::{
    Big, InvitationShape, Invitations, Invite, InvitedShape, Join, JoinedShape, MachineShape, Machines, Me, PayShape,
    People, PersonShape, RevokeShape, RolesShape, Told, V,
};
use axum::Json;
use axum::http::StatusCode;
use grove_core::circle::{Denied, FOUNDER, Invitation, Roles};
use grove_core::id::{Digest, NodeId};
use grove_core::ledger::Account;
use grove_core::limits;
use grove_core::node::{Change, Node, Reply, Revoked, Wish};
use grove_core::units::{Credits, Millis};

pub(super) const JOIN: &str = "/v1/join";

/// No invitation lasts longer: it lets in whoever finds it.
const LASTS_MOST: Millis = Millis(90 * 24 * 3_600_000);
/// What is said of a fingerprint: enough to tell machines apart.
const ID_DIGITS: usize = 12;

impl Api {
    /// Changes the circle, or says why not.
    pub(super) async fn change(&self, change: Change) -> Result<Reply, Problem> {
        match self.door.ask(Wish::Circle { change }).await? {
            Reply::Denied { why } => Err(why.into()),
            reply => Ok(reply),
        }
    }

    /// Whether who asks may do all that the account may. A machine that only lends must not take the account over.
    pub(super) fn speaks_for_the_account(&self) -> Result<(), Problem> {
        let circle = self.door.roll().now();
        let whole =
            circle.person(self.who.person).is_none_or(|person| person.roles.and(self.who.roles) == person.roles);
        if whole { Ok(()) } else { Err(Denied::NotAllowed.into()) }
    }
}

/// A machine shows a secret, and its key with the channel. Nobody else can say the same in its name.
pub(super) async fn join(Mine(api): Mine, Short(sent): Short<Join>) -> Result<Json<JoinedShape>, Problem> {
    let key = api.caller.key.ok_or_else(|| {
        Problem::bad("no_key", "a machine joins over TLS, with its key").hint("use `grove join <invitation>`")
    })?;
    let secret = secret(&sent.secret).ok_or_else(|| Problem::bad("not_understood", "this is no secret"))?;
    let (name, machine) = (sent.name.as_str().into(), sent.machine.as_str().into());
    let change = Change::Join { secret: invite::hash_of(&secret), key, name, machine };
    let Reply::Joined { person } = api.change(change).await? else {
        return Err(Problem::internal("joining", &"another reply than was asked for"));
    };
    let entry = api.door.look(move |node| node.state().circle().by_machine(key)).await?;
    let roles = entry.map(|entry| roles(entry.roles)).unwrap_or_default();
    let link_port = api.about.link.port();
    Ok(Json(JoinedShape { v: V, person: name_of(&api, person), roles, link_port }))
}

fn secret(text: &str) -> Option<[u8; SECRET_BYTES]> {
    let digits = text.as_bytes();
    let pair = |at: usize| u8::from_str_radix(std::str::from_utf8(digits.get(2 * at..2 * at + 2)?).ok()?, 16).ok();
    let mut bytes = [0; SECRET_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = pair(at)?;
    }
    (digits.len() == 2 * SECRET_BYTES).then_some(bytes)
}

pub(super) async fn me(Mine(api): Mine) -> Json<Me> {
    let by = match api.who.by {
        By::Token => "token",
        By::Machine(_) => "machine",
        By::Session(_) => "session",
        By::Nothing => "nothing",
    };
    Json(Me { v: V, person: name_of(&api, api.who.person), roles: roles(api.who.roles), by: by.to_owned() })
}

pub(super) async fn people(Mine(api): Mine) -> Result<Json<People>, Problem> {
    let all = api.door.blobs().room()?.quota_bytes;
    let shares = api.door.shares().clone();
    let people = api.door.look(move |node| {
        let (circle, ledger) = (node.state().circle(), node.state().ledger());
        let shape = |(id, person): (&_, &grove_core::circle::Person)| PersonShape {
            name: person.name.to_string(),
            roles: roles(person.roles),
            since_ms: person.since.0,
            revoked: person.revoked,
            machines: circle.machines.values().filter(|one| one.owner == *id && !one.revoked).count() as u64,
            available: Big(ledger.balance(Account::Person(*id)).0),
            jobs: node.state().open(*id).jobs,
            jobs_most: limits::JOBS_OF_ONE_MAX,
            inputs: node.state().open(*id).inputs,
            inputs_most: limits::INPUTS_OF_ONE_MAX,
            bytes: shares.of(*id),
            bytes_most: share_of(*id, all),
        };
        circle.people.iter().map(shape).collect()
    });
    Ok(Json(People { v: V, people: people.await? }))
}

/// All for who looks after the circle, their own for everybody else.
pub(super) async fn machines(Mine(api): Mine) -> Result<Json<Machines>, Problem> {
    let who = api.who;
    let machines = api.door.look(move |node: &Node| {
        let circle = node.state().circle();
        let here: std::collections::BTreeMap<NodeId, u32> =
            node.view_peers().iter().filter(|peer| peer.linked).map(|peer| (peer.node, peer.slots)).collect();
        let shape = |(key, machine): (&Digest, &grove_core::circle::Machine)| {
            let lenders = || circle.nodes_of(*key).filter_map(|node| here.get(&node));
            MachineShape {
                key: short(*key),
                name: machine.name.to_string(),
                person: circle.people.get(&machine.owner).map(|owner| owner.name.to_string()).unwrap_or_default(),
                roles: roles(machine.roles),
                since_ms: machine.since.0,
                revoked: machine.revoked,
                lenders: lenders().count() as u64,
                slots: lenders().map(|slots| u64::from(*slots)).sum(),
            }
        };
        circle.machines.iter().filter(|(_, machine)| who.sees(machine.owner)).map(shape).collect()
    });
    Ok(Json(Machines { v: V, machines: machines.await? }))
}

pub(super) async fn invite(Mine(api): Mine, Short(sent): Short<Invite>) -> Result<Json<InvitedShape>, Problem> {
    let reach = api.about.reach.clone().ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "not_reachable", "this hub is heard on its own machine only")
            .hint(
                "start it so that other machines reach it: `grove up --admin NAME --listen 0.0.0.0:7420`; for other \
                 folders of this machine `grove up --admin NAME --tls` is enough, and `grove lend` beside the hub needs \
                 no invitation",
            )
    })?;
    let lasts = Millis(sent.lasts_ms).min(LASTS_MOST);
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| Problem::internal("no chance", &error))?;
    let (own, hash) = (sent.own || !api.who.roles.admin, invite::hash_of(&secret));
    let wanted = Roles { lend: sent.roles.lend, run: sent.roles.run, admin: sent.roles.admin };
    let grant = if own { Credits(0) } else { sent.grant.map_or(limits::GRANT, |grant| Credits(grant.0)) };
    let expires = super::guard::now().plus(lasts);
    let whole = Invitation {
        by: api.who.person,
        of: own.then_some(api.who.person),
        roles: if own { wanted.and(api.who.roles) } else { wanted },
        grant,
        uses_left: sent.uses.max(1),
        expires,
    };
    if api.door.roll().now().person(FOUNDER).is_none() {
        return Err(no_account());
    }
    api.change(Change::Invite { secret: hash, whole }).await?;
    let word = Word { key: reach.key, secret, api: if sent.nearby { Vec::new() } else { reach.api } };
    Ok(Json(InvitedShape { v: V, id: short(hash), invitation: word.to_string(), expires_ms: expires.0 }))
}

pub(super) async fn invitations(Mine(api): Mine) -> Json<Invitations> {
    let (circle, who) = (api.door.roll().now(), api.who);
    let shape = |(hash, one): (&Digest, &Invitation)| InvitationShape {
        id: short(*hash),
        by: name_of(&api, one.by),
        own: one.of.is_some(),
        roles: roles(one.roles),
        uses_left: one.uses_left,
        expires_ms: one.expires.0,
    };
    let invitations = circle.invitations.iter().filter(|(_, one)| who.sees(one.by)).map(shape).collect();
    Json(Invitations { v: V, invitations })
}

pub(super) async fn revoke(Mine(api): Mine, Short(sent): Short<RevokeShape>) -> Result<Json<Told>, Problem> {
    let circle = api.door.roll().now();
    let (what, text) = named::one(&circle, api.who, &sent.what)?;
    // Whatever a machine may do, it may go.
    let goes = matches!((what, api.who.by), (Revoked::Machine(key), By::Machine(own)) if key == own);
    if !goes {
        api.speaks_for_the_account()?;
    }
    if what == Revoked::Person(FOUNDER) {
        return Err(Problem::bad("not_allowed", "whoever began the circle stays in it"));
    }
    api.change(Change::Revoke { by: api.who.person, what }).await?;
    Ok(Json(Told::new(text)))
}

pub(super) async fn pay(Mine(api): Mine, Short(sent): Short<PayShape>) -> Result<Json<Told>, Problem> {
    api.speaks_for_the_account()?;
    let circle = api.door.roll().now();
    let (to, person) = circle.person_named(&sent.to).ok_or_else(|| named::nothing(&sent.to))?;
    let amount = Credits(sent.amount.0);
    let text = format!("{} has {} more", person.name, crate::amount::credits_text(i128::from(amount.0)));
    api.change(Change::Pay { by: api.who.person, to, amount }).await?;
    Ok(Json(Told::new(text)))
}

/// By what people call a machine or an invitation.
pub(super) fn short(digest: Digest) -> String {
    digest.to_string().chars().take(ID_DIGITS).collect()
}

fn roles(roles: Roles) -> RolesShape {
    RolesShape { lend: roles.lend, run: roles.run, admin: roles.admin }
}
