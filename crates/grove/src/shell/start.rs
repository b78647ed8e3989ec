//! How a node comes to life and how it stops: open, replay, go round, say goodbye.

use super::clock::Clock;
use super::feeder::Feeding;
use super::inbox::Inbox;
use super::rows::{RowError, Rows};
use super::upkeep::Upkeep;
use super::upstream::Upstream;
use super::work::{Executors, Work};
use super::{JournalError, Lent, Passing, Shell, Side, Wires, accounts, journal};
use crate::door::Door;
use crate::store::{Commit, Settings, Store, StoreError};
use grove_core::id::{AskId, Incarnation, NodeId, PersonId, TaskId};
use grove_core::limits;
use grove_core::node::{Config, Event, Node, Wish};
use grove_core::state::State;
use grove_core::units::Millis;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Under this name the store keeps who the node is.
const NODE_ID: &str = "node";

/// What a process is for.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// Parts that it runs at one time.
    pub slots: u32,
    /// Bytes that one part may have here; 0 for as many as a job allows.
    pub memory: u64,
    /// Takes whole pieces of its neighbours and splits them further.
    pub solves: bool,
    /// People submit here: the first start mints what the owner of the circle begins with.
    pub hub: bool,
    /// How long a silent lender keeps its leases.
    pub lease: Millis,
    /// How long finished jobs stay on the books.
    pub keep: Millis,
    /// Bytes that journal, results and blobs may take together.
    pub disk_bytes: u64,
    /// Who it is, where that follows from a key; else its name is drawn once.
    pub id: Option<NodeId>,
}

impl Default for Role {
    fn default() -> Role {
        let disk_bytes = Settings::default().quota_bytes;
        Role {
            slots: 1,
            memory: 0,
            solves: false,
            hub: true,
            lease: limits::LEASE,
            keep: limits::KEEP_JOBS,
            disk_bytes,
            id: None,
        }
    }
}

/// Why a node does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("a thread cannot be started: {source}\nhint: too many processes run on this machine")]
    Thread { source: std::io::Error },
    #[error("the system gives no random numbers: {source}")]
    Chance { source: getrandom::Error },
    #[error(
        "these books belong to another key than this machine has\n\
         hint: bring that key back (device.key), or begin anew with another folder: --home"
    )]
    OtherKey,
    #[error("the loop of the node broke off\nhint: the log says more; start the node again")]
    Broken,
}

/// A node whose books are open, and which does nothing yet.
#[derive(Debug)]
pub struct Opened {
    role: Role,
    id: NodeId,
    store: Store,
    state: State,
    rows: Rows,
    inbox: Arc<Inbox>,
    side: Side,
    lent: Lent,
    upstream: Upstream,
}

/// A node at work.
#[derive(Debug)]
pub struct Running {
    side: Side,
    wires: Arc<dyn Wires>,
    ended: oneshot::Receiver<Result<(), ShellError>>,
}

/// Opens the books in that folder, or begins new ones.
pub fn open(dir: &Path, role: Role) -> Result<Opened, ShellError> {
    let settings = Settings { quota_bytes: role.disk_bytes, keeps_promises: role.hub, ..Settings::default() };
    let (mut store, found) = Store::open(dir, settings)?;
    if found.undone {
        tracing::warn!("the last commit before the crash was not whole and was undone; nobody had been told of it");
    }
    let state = journal::replay(&store)?;
    let id = node_id(&mut store, role.id)?;
    drop_orphans(&mut store, &state)?;
    let rows = Rows { reader: store.reader(), blobs: store.blobs().clone() };
    let inbox = Arc::new(Inbox::new());
    let side = Side::new(Arc::clone(&inbox), rows.clone(), role.keep);
    side.admit(state.circle());
    Ok(Opened { role, id, store, state, rows, inbox, side, lent: Lent::default(), upstream: Upstream::default() })
}

impl Opened {
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Whether somebody looks after the circle of this node.
    pub(super) fn is_founded(&self) -> bool {
        self.state.circle().person(grove_core::circle::FOUNDER).is_some()
    }

    /// This machine runs nothing for others.
    pub(super) fn lend_nothing(&mut self) {
        self.role.slots = 0;
    }

    pub fn side(&self) -> Side {
        self.side.clone()
    }

    pub fn door(&self) -> Door {
        Door::new(self.side.clone())
    }

    pub fn passing(&self) -> Passing {
        Passing::new(self.side.clone(), self.lent.clone(), self.upstream.clone())
    }

    /// Starts the loop. Runs of tools are spawned on that runtime.
    pub fn start(
        self,
        wires: Arc<dyn Wires>,
        executors: Arc<dyn Executors>,
        runtime: Handle,
    ) -> Result<Running, ShellError> {
        let Opened { role, id, store, state, rows, inbox, side, lent, upstream } = self;
        let thread_error = |source| ShellError::Thread { source };
        let mut echo = vec![Event::Started { incarnation: Incarnation(random()?), secret: random()? }];
        if role.hub && state.incarnation() == Incarnation::default() {
            let wish = Wish::Grant { person: PersonId(1), amount: limits::FIRST_GRANT };
            echo.push(Event::Asked { ask: NOBODY, wish });
        }
        let feeding =
            Feeding::start(id, &rows, Arc::clone(&wires), lent.clone(), side.clone()).map_err(thread_error)?;
        let work = Work::new(id, side.clone(), Arc::clone(&wires), executors, upstream.clone(), runtime);
        let clock = Clock::start();
        let config = Config { id, slots: role.slots, memory: role.memory, solves: role.solves, lease: role.lease };
        let shell = Shell {
            node: Node::new(config, state, clock.now()),
            store,
            rows,
            inbox: Arc::clone(&inbox),
            side: side.clone(),
            clock,
            feeding,
            work,
            lent,
            upstream,
            upkeep: Upkeep::new(),
            waiting: Default::default(),
            echo,
            asked: Default::default(),
            next_ask: AskId(NOBODY.0 + 1),
            row: Vec::new(),
            behind: None,
        };
        let (end, ended) = oneshot::channel();
        let whole = move || {
            // Whatever ends the loop, nobody waits for it any longer.
            let _closed = Closes(inbox);
            let result = shell.run();
            if let Err(error) = &result {
                tracing::error!("the node stops: {error}");
            }
            // Main may have gone first.
            let _ = end.send(result);
        };
        std::thread::Builder::new().name("grove-loop".into()).spawn(whole).map_err(thread_error)?;
        Ok(Running { side, wires, ended })
    }
}

impl Running {
    /// Comes back when the loop has ended, and says why.
    pub async fn ended(&mut self) -> Result<(), ShellError> {
        (&mut self.ended).await.unwrap_or(Err(ShellError::Broken))
    }

    /// Says goodbye to the neighbours, writes what is to be written, and ends.
    pub async fn stop(mut self) -> Result<(), ShellError> {
        if self.side.stop().is_err() {
            return self.ended().await;
        }
        let ended = self.ended().await;
        self.wires.close().await;
        ended
    }
}

/// The questions that the node asks itself have this id; nobody hears the reply.
pub(super) const NOBODY: AskId = AskId(0);

struct Closes(Arc<Inbox>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the node held for its givers it has forgotten, and the numbers of those tasks will be used again: their rows
/// have to be gone before that.
fn drop_orphans(store: &mut Store, state: &State) -> Result<(), StoreError> {
    let is_orphan = |task: &u64| *task < accounts::FIRST_TASK && state.task(TaskId(*task)).is_none();
    let orphans: Vec<u64> = store.tasks().filter(is_orphan).collect();
    if !orphans.is_empty() {
        store.commit(&Commit { drop_tasks: &orphans, ..Commit::default() })?;
    }
    while store.dropped().any(|task| task >= state.next_task().0) {
        store.tidy()?;
    }
    Ok(())
}

/// Who this node is: drawn once, kept with the books.
fn node_id(store: &mut Store, named: Option<NodeId>) -> Result<NodeId, ShellError> {
    let kept = store.reader().setting(NODE_ID)?;
    if let Some(bytes) = kept.and_then(|bytes| bytes.try_into().ok()) {
        let kept = NodeId(u64::from_le_bytes(bytes));
        return if named.is_none_or(|named| named == kept) { Ok(kept) } else { Err(ShellError::OtherKey) };
    }
    let id = named.map_or_else(|| random().map(NodeId), Ok)?;
    let bytes = id.0.to_le_bytes();
    store.commit(&Commit { settings: &[(NODE_ID, Some(&bytes))], ..Commit::default() })?;
    Ok(id)
}

fn random() -> Result<u64, ShellError> {
    getrandom::u64().map_err(|source| ShellError::Chance { source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Page;
    use grove_core::node::{Cause, Entry};

    #[test]
    fn a_start_drops_the_rows_of_forgotten_tasks_and_keeps_peoples_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path(), Settings::default()).unwrap();
        let entry = Entry { at: 1, cause: Cause::Granted, job: None, amount: 5, balance: 5 };
        let entries = [accounts::page(PersonId(1), 0, &entry).unwrap()];
        let pages = Page::pack(7, 0, [(0, b"of a task that is gone")]).unwrap();
        store.commit(&Commit { pages: &pages, entries: &entries, ..Commit::default() }).unwrap();
        drop_orphans(&mut store, &State::default()).unwrap();
        let rows = Rows { reader: store.reader(), blobs: store.blobs().clone() };
        assert_eq!(accounts::lines(&rows, PersonId(1), 0, 10).unwrap().lines, [(0, entry)]);
        assert!(store.reader().results(7, 0, 0, 10).unwrap().items.is_empty());
    }
}
