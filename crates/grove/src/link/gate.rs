//! Who may come in: whoever is on this machine and has the token, or a machine that is known by its key; and each says
//! which node it is. Looked at before anything of a call is read.

use super::line::{Arrival, Cut};
use super::mesh::Introduced;
use grove_core::id::{Digest, NodeId};
use std::fmt;
use std::sync::Arc;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};

/// Where a node says who it is.
const NODE: &str = "grove-node";
const AUTHORIZATION: &str = "authorization";

/// What a node shows at the gate. Never printed.
#[derive(Clone)]
pub struct Token(blake3::Hash, MetadataValue<tonic::metadata::Ascii>);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

/// The token holds something that cannot be said in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is of letters, digits and signs\nhint: `grove up` makes one")]
pub struct NotAToken;

impl std::str::FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Token, NotAToken> {
        if text.is_empty() {
            return Err(NotAToken);
        }
        let mut bearer = MetadataValue::try_from(format!("Bearer {text}")).map_err(|_| NotAToken)?;
        bearer.set_sensitive(true);
        Ok(Token(blake3::hash(bearer.as_encoded_bytes()), bearer))
    }
}

/// Who has come to the gate.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    pub(super) node: NodeId,
    /// The key by which its machine must be known; none where it has shown the token.
    pub(super) key: Option<Digest>,
    pub(super) cut: Cut,
    /// Which peer it is, where it came as one.
    pub(super) peer: Option<Arc<Introduced>>,
}

/// Says who this is, and that it may speak.
pub(super) fn show(me: NodeId, token: Option<&Token>, headers: &mut MetadataMap) {
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.1.clone());
    }
    name(me, headers);
}

/// Whether this answer shows that token.
pub(super) fn shows(token: &Token, headers: &MetadataMap) -> bool {
    let shown = headers.get(AUTHORIZATION).map(|shown| blake3::hash(shown.as_encoded_bytes()));
    // Hashes are compared in constant time, whatever was shown.
    shown.is_some_and(|shown| shown == token.0)
}

/// Says who this is.
pub(super) fn name(me: NodeId, headers: &mut MetadataMap) {
    let value = MetadataValue::try_from(format!("{:016x}", me.0)).expect("digits can stand in a header");
    headers.insert(NODE, value);
}

/// Who the other one says it is.
pub(super) fn named(headers: &MetadataMap) -> Option<NodeId> {
    let text = headers.get(NODE)?.to_str().ok()?;
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(NodeId))?
}

/// Takes a call in as far as it can be seen from outside, or not at all. Whether a key is known is asked next.
pub(super) fn open(mut call: Request<()>, me: NodeId, token: &Token) -> Result<Request<()>, Status> {
    let Arrival { caller, cut, .. } = call.extensions().get::<Arrival>().cloned().unwrap_or_default();
    let refused = |why| {
        cut.refuse();
        Status::unauthenticated(why)
    };
    let shown = call.metadata().get(AUTHORIZATION).map(|shown| blake3::hash(shown.as_encoded_bytes()));
    let key = match (shown, caller.key) {
        // Hashes are compared in constant time, whatever was shown.
        (Some(shown), _) if shown == token.0 && caller.local => None,
        (None, Some(key)) => Some(key),
        _ => return Err(refused("the token is not the one of this circle")),
    };
    let node = named(call.metadata()).filter(|node| *node != me);
    let node = node.ok_or_else(|| refused("which node is this?"))?;
    call.extensions_mut().insert(Guest { node, key, cut, peer: None });
    Ok(call)
}

/// Takes a peer's call in: its key is proved by then; that it is of the group, it shows. Its name follows from its key.
pub(super) fn open_to_peers(mut call: Request<()>) -> Result<Request<()>, Status> {
    let Arrival { cut, peer, .. } = call.extensions().get::<Arrival>().cloned().unwrap_or_default();
    let peer = peer.filter(|peer| shows(&peer.proof, call.metadata()) && named(call.metadata()) == Some(peer.node));
    let Some(peer) = peer else {
        cut.refuse();
        return Err(Status::unauthenticated("not of this group"));
    };
    call.extensions_mut().insert(Guest { node: peer.node, key: None, cut, peer: Some(peer) });
    Ok(call)
}
