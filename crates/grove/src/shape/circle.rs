//! What is said about people, machines and invitations.

use super::{Big, V};
use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesShape {
    #[serde(default)]
    pub lend: bool,
    #[serde(default)]
    pub run: bool,
    #[serde(default)]
    pub admin: bool,
}

/// A machine asks to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// What the invitation says, in hexadecimal.
    pub secret: String,
    /// The name of a new account.
    pub name: String,
    pub machine: String,
}

/// A machine is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedShape {
    pub v: u32,
    pub person: String,
    pub roles: RolesShape,
    /// The port on which nodes are heard.
    pub link_port: u16,
}

/// Somebody logs in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    pub name: String,
    pub password: String,
}

/// Somebody is logged in; the token is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    pub v: u32,
    pub person: String,
    pub token: String,
    pub expires_ms: u64,
}

/// A new password, and the one before where somebody is logged in with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordShape {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    pub new: String,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    pub v: u32,
    pub person: String,
    pub roles: RolesShape,
    /// By what: `token`, `machine` or `session`.
    pub by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    pub v: u32,
    pub people: Vec<PersonShape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonShape {
    pub name: String,
    pub roles: RolesShape,
    pub since_ms: u64,
    pub revoked: bool,
    pub machines: u64,
    pub available: Big,
    /// Jobs that run, of at most so many.
    #[serde(default)]
    pub jobs: u64,
    #[serde(default)]
    pub jobs_most: u64,
    /// Inputs of these that are kept one by one, of at most so many.
    #[serde(default)]
    pub inputs: u64,
    #[serde(default)]
    pub inputs_most: u64,
    /// Bytes of theirs that are kept, of at most so many.
    #[serde(default)]
    pub bytes: u64,
    #[serde(default)]
    pub bytes_most: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machines {
    pub v: u32,
    pub machines: Vec<MachineShape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineShape {
    /// The fingerprint of its key.
    pub key: String,
    pub name: String,
    pub person: String,
    pub roles: RolesShape,
    pub since_ms: u64,
    pub revoked: bool,
    /// Lenders on it that are here now, and the parts that they take at one time.
    pub lenders: u64,
    pub slots: u64,
}

/// A wish for an invitation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    pub roles: RolesShape,
    #[serde(default = "one")]
    pub uses: u32,
    pub lasts_ms: u64,
    /// For a machine of one's own, not for somebody else.
    #[serde(default)]
    pub own: bool,
    /// It does not say where the hub is.
    #[serde(default)]
    pub nearby: bool,
    /// Micro-credits that a new account begins with; the node chooses where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Big>,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedShape {
    pub v: u32,
    /// What revokes it.
    pub id: String,
    /// One word, to be given to whoever is invited. It is shown this once.
    pub invitation: String,
    pub expires_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitations {
    pub v: u32,
    pub invitations: Vec<InvitationShape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationShape {
    pub id: String,
    pub by: String,
    pub own: bool,
    pub roles: RolesShape,
    pub uses_left: u32,
    pub expires_ms: u64,
}

/// A person by name, a machine by name or fingerprint, an invitation by id; beginnings will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeShape {
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayShape {
    /// Somebody by name.
    pub to: String,
    /// Micro-credits.
    pub amount: Big,
}

/// It has been done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub v: u32,
    pub text: String,
}

impl Told {
    pub fn new(text: impl Into<String>) -> Told {
        Told { v: V, text: text.into() }
    }
}
