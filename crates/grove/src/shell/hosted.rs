//! One node process, put together: books, executors, links and the loop. What it is for, its caller says; people's
//! API is the caller's too.

use super::linked::Linked;
use super::near::Lookout;
use super::reins::Held;
use super::wires::Soon;
use super::work::{Executors as Runs, Order, Results, RunError};
use super::{Role, Running, ShellError, Side, start};
use crate::config::Home;
use crate::door::{Door, Near};
use crate::executor::{self, CodeError, Executors};
use crate::link::{Calling, Mesh, MeshError, Token};
use crate::nearby::Announced;
use crate::owner::Reins;
use crate::peers::{self, Peers};
use crate::python;
use crate::store::{BlobId, Blobs};
use grove_core::id::Digest;
use grove_core::node::{Change, Event, Reply, Wish};
use grove_sandbox::CompileOptions;
use grove_sandbox::walls::Wall;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// Whoever has just come up has jobs that wait, and other things to do first.
const AHEAD_AFTER: Duration = Duration::from_secs(20);

/// What a node process is to be.
#[derive(Debug)]
pub struct Plan {
    /// Where its books and blobs lie: no other node has this folder.
    pub folder: PathBuf,
    /// Where compiled tools lie; other nodes of the same person may use them too.
    pub cache: PathBuf,
    pub role: Role,
    /// What neighbours on the same machine show one another; without it nobody is heard.
    pub token: Option<Token>,
    /// Where it hears its neighbours, if it does.
    pub listen: Option<SocketAddr>,
    /// How it hears them, where that is not loopback alone.
    pub hears: Option<Arc<rustls::ServerConfig>>,
    /// The hub that it calls, if it has one.
    pub call: Option<String>,
    /// How it calls, where the hub speaks TLS.
    pub calls: Option<Arc<rustls::ClientConfig>>,
    /// Whose circle it is from now on.
    pub founder: Option<String>,
    /// Strangers can reach it: somebody must look after it then.
    pub is_open: bool,
    /// It lends nothing before its owner's watch says so.
    pub waits_for_owner: bool,
    /// Everything else on this machine comes first.
    pub gentle: bool,
    /// Free peers among which it is one.
    pub peers: Option<peers::Setup>,
    /// What runs tools in place of the executors: for lenders of a demonstration that do not work.
    pub runs: Option<Arc<dyn Runs>>,
}

/// A node process at work.
#[derive(Debug)]
pub struct Hosted {
    pub door: Door,
    /// Where it hears its neighbours.
    pub link: Option<SocketAddr>,
    /// What stands between tools and this machine, or why nothing is run here.
    pub walls: Result<Vec<Wall>, executor::RunError>,
    running: Running,
    side: Side,
    slots: u32,
    executors: Executors,
    /// What it can tell beyond its own books.
    pub near: Arc<dyn Near>,
    /// Where it meets free peers.
    pub mesh: Option<Mesh>,
    _announced: Option<Announced>,
    _calling: Option<Calling>,
}

/// Why a node process does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Shell(#[from] ShellError),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Mesh(#[from] MeshError),
    #[error(transparent)]
    Walls(executor::RunError),
    #[error(
        "{address} is in use by another program, perhaps by another hub\n\
         hint: stop that one, or choose another address with --link (port 0 takes any free one)"
    )]
    InUse { address: SocketAddr },
    #[error("cannot listen on {address}: {source}\nhint: choose another address with --link")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(
        "nobody looks after this hub yet, and others than this machine would reach it\n\
         hint: use 127.0.0.1, or say whose hub it is: `grove up --admin NAME --listen …`"
    )]
    NobodyHere,
    #[error("{name:?} cannot be the name of the one who looks after this hub\nhint: letters, digits, spaces and -_.'")]
    WrongFounder { name: String },
    #[error("a hub beyond this machine speaks TLS only\nhint: this is a defect; please report it")]
    NoTls,
}

/// Starts a node process. Where the walls do not stand it starts all the same, and lends nothing.
pub async fn host(plan: Plan) -> Result<Hosted, HostError> {
    // First of all, since only one process has these books.
    let mut opened = open(plan.folder.clone(), plan.role).await?;
    if plan.is_open && plan.founder.is_none() && !opened.is_founded() {
        return Err(HostError::NobodyHere);
    }
    if plan.listen.is_some_and(|address| !address.ip().is_loopback()) && plan.hears.is_none() {
        return Err(HostError::NoTls);
    }
    let settings = executor::Settings::new(plan.cache);
    let lanes = usize::try_from(plan.role.slots).unwrap_or(usize::MAX).max(1);
    let most = settings.memory_bytes_max;
    let memory_bytes_max = if plan.role.memory > 0 { plan.role.memory.min(most) } else { most };
    let own = executor::Settings { lanes, gentle: plan.gentle, memory_bytes_max, ..settings };
    let executors = Executors::start(own)?;
    let listener = match plan.listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let walls = executors.prove().await;
    if walls.is_err() {
        opened.lend_nothing();
    }
    let peers = plan.peers.as_ref().map(|setup| Peers::new(setup.key, &setup.known));
    let linked = Arc::new(Linked::new(&opened, peers.clone()));
    let door = opened.door();
    let tools = Tools { executors: executors.clone(), blobs: door.blobs().clone() };
    let runs = plan.runs.unwrap_or_else(|| Arc::new(tools));
    let side = opened.side();
    let running = opened.start(Arc::clone(&linked) as _, runs, Handle::current())?;
    if plan.waits_for_owner {
        // Before anybody is told how much this node lends.
        let _ = side.happened(Event::Lends { slots: 0 });
    }
    if let Some(name) = plan.founder {
        let change = Change::Found { name: name.as_str().into() };
        match door.ask(Wish::Circle { change }).await {
            Ok(Reply::Done) => {}
            _ => return Err(HostError::WrongFounder { name }),
        }
    }
    tokio::spawn(Linked::put_out(linked.links().clone(), door.roll()));
    let link = listener.as_ref().map(|(_, address)| *address);
    if let (Some((listener, _)), Some(token)) = (listener, plan.token.clone()) {
        match plan.hears {
            Some(tls) => linked.links().serve_tls(listener, token, tls),
            None => linked.links().serve(listener, token),
        }
    }
    let calling = plan.call.and_then(|hub| match (plan.calls, plan.token) {
        (Some(tls), token) => Some(linked.links().dial_tls(&hub, token, tls)),
        (None, token) => Some(linked.links().dial(&hub, token?)),
    });
    let links = linked.links().clone();
    let near = Arc::new(Lookout { side: side.clone(), links, peers: peers.clone() });
    let (mesh, announced) = match (plan.peers, peers) {
        (Some(setup), Some(peers)) => meet(setup, peers, &linked, &plan.folder).await?,
        _ => (None, None),
    };
    let slots = plan.role.slots;
    let (_calling, _announced) = (calling, announced);
    Ok(Hosted { door, link, walls, running, side, slots, executors, near, mesh, _announced, _calling })
}

/// Goes among free peers.
async fn meet(
    setup: peers::Setup,
    peers: Peers,
    linked: &Linked,
    folder: &Path,
) -> Result<(Option<Mesh>, Option<Announced>), HostError> {
    let links = linked.links().clone();
    let mesh = Mesh::open(links.clone(), &setup.seed, setup.group, setup.listen).await?;
    let addresses = mesh.addresses().await;
    let listen = mesh.bound().first().copied().filter(|bound| setup.announce && !bound.ip().is_loopback());
    let announced = listen.and_then(|listen| {
        let announced = peers.announce(&setup.group.tag(), listen);
        announced.inspect_err(|error| tracing::warn!("peers are not found on the local network: {error}")).ok()
    });
    peers.is_at(addresses);
    tokio::spawn(peers.run(mesh.clone(), links, Home::at(folder.to_owned())));
    Ok((Some(mesh), announced))
}

/// Which walls stand between tools and this machine, tried out without a node.
pub async fn walls(cache: &Path) -> Result<Vec<Wall>, HostError> {
    let settings = executor::Settings::new(cache.to_owned());
    let executors = Executors::start(executor::Settings { lanes: 1, blanks: 1, ..settings })?;
    let walls = executors.prove().await;
    executors.kill_all();
    walls.map_err(HostError::Walls)
}

impl Hosted {
    /// For the watch over the owner of this machine. A hub lends less, but goes on with what only a hub can do.
    pub fn reins(&self, is_hub: bool) -> Arc<dyn Reins> {
        let Hosted { side, executors, slots, .. } = self;
        Arc::new(Held { side: side.clone(), executors: executors.clone(), slots: *slots, whole: !is_hub })
    }

    /// Compiles what runs scripts, if this machine has it: once, in the background, so that no script waits for it.
    pub fn compile_ahead(&self) {
        let executors = self.executors.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AHEAD_AFTER).await;
            let Ok(Ok(image)) = tokio::task::spawn_blocking(python::image).await else { return };
            loop {
                let (path, options) = (image.path.clone(), CompileOptions::default());
                match executors.prepare(Digest(image.hash), options, move || std::fs::read(path)).await {
                    // Its owner is back: the next time, then.
                    Err(executor::RunError::Stopped) => tokio::time::sleep(AHEAD_AFTER).await,
                    Err(error) => return tracing::warn!("Python cannot be compiled here: {error}"),
                    Ok(()) => return,
                }
            }
        });
    }

    /// Comes back when the node has ended by itself, and says why.
    pub async fn ended(&mut self) -> Result<(), ShellError> {
        self.running.ended().await
    }

    /// Says goodbye, writes what is to be written, kills what still runs.
    pub async fn stop(self) -> Result<(), ShellError> {
        let stopped = self.running.stop().await;
        if let Some(mesh) = &self.mesh {
            mesh.close().await;
        }
        self.executors.kill_all();
        stopped
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HostError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => HostError::InUse { address },
        _ => HostError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn open(folder: PathBuf, role: Role) -> Result<super::Opened, ShellError> {
    let opened = tokio::task::spawn_blocking(move || start::open(Path::new(&folder), role)).await;
    // A panic in there is a defect that has been reported by then.
    opened.unwrap_or(Err(ShellError::Broken))
}

/// The executors, with the store that has their tools.
#[derive(Debug)]
struct Tools {
    executors: Executors,
    blobs: Blobs,
}

impl Runs for Tools {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>> {
        let Order { job, module: tool, package, terms, beyond, parts } = order;
        let blobs = self.blobs.clone();
        let module = move || read_blob(&blobs, tool);
        let options = CompileOptions::default();
        Box::pin(async move {
            let package = match package {
                Some(package) => Some(self.package(package).await?),
                None => None,
            };
            let order = executor::Order { job, tool, package, options, terms, beyond, parts };
            self.executors.run(order, module, &out).await.map_err(|error| match error {
                executor::RunError::NotATool(why) => RunError::NotATool { why },
                other => RunError::Broken { source: Box::new(other) },
            })
        })
    }
}

impl Tools {
    async fn package(&self, package: Digest) -> Result<Arc<[u8]>, RunError> {
        let blobs = self.blobs.clone();
        let read = tokio::task::spawn_blocking(move || read_blob(&blobs, package)).await;
        // It does not panic, and nobody aborts it.
        let bytes = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        bytes.map(Arc::from).map_err(|error| RunError::Broken { source: Box::new(error) })
    }
}

fn read_blob(blobs: &Blobs, blob: Digest) -> io::Result<Vec<u8>> {
    let mut blob = blobs.open_blob(&BlobId(blob.0)).map_err(io::Error::other)?;
    if blob.len() > crate::tool::BYTES_MAX {
        return Err(io::Error::other("it is larger than a tool may be"));
    }
    let mut bytes = Vec::new();
    blob.read_to_end(&mut bytes)?;
    Ok(bytes)
}
