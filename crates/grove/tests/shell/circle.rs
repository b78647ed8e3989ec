//! A hub and its lenders in one process.

use grove::door::Door;
use grove::shell::{
    self, Executors, Opened, Order, Passing, Results, Role, RunError, Running, ShellError, Side, Soon, WireError, Wires,
};
use grove::store::{BlobId, Blobs, StoreError};
use grove_core::id::{Digest, JobId, Lease, NodeId, PersonId};
use grove_core::job::{Abilities, Caps, Check, Chunk, Job, Source, Standing, Tool};
use grove_core::message::Message;
use grove_core::node::{Event, Reply};
use grove_core::task::Span;
use grove_core::units::Credits;
use grove_sandbox::{Outcome, Part, Status};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// What a tool does, as a function.
pub(super) type Act = fn(&Part) -> Result<Vec<u8>, Status>;

/// All nodes that are there.
#[derive(Debug, Clone, Default)]
pub(super) struct Net {
    places: Arc<Mutex<BTreeMap<NodeId, Place>>>,
    /// So many blobs of answers arrive before one does not.
    pub(super) answers_until_one_is_lost: Arc<AtomicI64>,
    /// How long the disk takes to write a blob that was fetched.
    pub(super) disk: Arc<Mutex<Duration>>,
    /// Blobs that somebody has begun to fetch, and those that were refused because they were on their way already.
    pub(super) fetches: Arc<(AtomicI64, AtomicI64)>,
}

#[derive(Debug, Clone)]
struct Place {
    side: Side,
    passing: Passing,
    blobs: Blobs,
}

pub(super) struct Member {
    pub(super) id: NodeId,
    pub(super) door: Door,
    pub(super) running: Running,
}

impl Net {
    /// Starts a node on that folder; links join it to nobody yet.
    pub(super) fn start(&self, dir: &Path, role: Role, act: Act) -> Member {
        let opened = open(dir, role);
        let (id, door) = (opened.id(), opened.door());
        let place = Place { side: opened.side(), passing: opened.passing(), blobs: door.blobs().clone() };
        self.places.lock().unwrap().insert(id, place);
        let wires = Arc::new(Calls { me: id, net: self.clone(), runtime: Handle::current(), lines: Mutex::default() });
        let executors = Arc::new(Closures { act, blobs: door.blobs().clone() });
        let running = opened.start(wires, executors, Handle::current()).unwrap();
        Member { id, door, running }
    }

    pub(super) fn link(&self, one: &Member, other: &Member) {
        for (here, there) in [(one.id, other.id), (other.id, one.id)] {
            self.place(here).unwrap().side.happened(Event::Linked { node: there }).unwrap();
        }
    }

    fn place(&self, node: NodeId) -> Option<Place> {
        self.places.lock().unwrap().get(&node).cloned()
    }

    /// Takes a node away as a crash would, for everybody else.
    pub(super) fn lose(&self, node: NodeId) {
        self.places.lock().unwrap().remove(&node);
        for place in self.places.lock().unwrap().values() {
            place.side.happened(Event::Unlinked { node }).unwrap();
        }
    }
}

/// Links that are calls; one line for each neighbour keeps the order.
#[derive(Debug)]
struct Calls {
    me: NodeId,
    net: Net,
    /// Loops send from threads of their own.
    runtime: Handle,
    lines: Mutex<BTreeMap<NodeId, mpsc::UnboundedSender<Message>>>,
}

impl Wires for Calls {
    fn send(&self, to: NodeId, message: Message) {
        let mut lines = self.lines.lock().unwrap();
        let line = lines.entry(to).or_insert_with(|| {
            let (line, mut messages) = mpsc::unbounded_channel();
            let (me, net) = (self.me, self.net.clone());
            self.runtime.spawn(async move {
                while let Some(message) = messages.recv().await {
                    if let Some(place) = net.place(to) {
                        let _ = place.side.heard(Event::Heard { from: me, message }).await;
                    }
                }
            });
            line
        });
        line.send(message).unwrap();
    }

    fn fetch(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(async move {
            let (here, there) = (self.net.place(self.me).unwrap(), self.net.place(giver).unwrap());
            assert!(there.passing.may_fetch(self.me, lease, blob).await, "{blob:?} under {lease:?}");
            assert!(!there.passing.may_fetch(self.me, Lease(lease.0 + 1_000), blob).await, "a lease that nobody gave");
            let (begun, refused) = &*self.net.fetches;
            begun.fetch_add(1, Ordering::Relaxed);
            let mut upload = here.blobs.upload_of_work(BlobId(blob.0)).map_err(|source| {
                refused.fetch_add(1, Ordering::Relaxed);
                WireError { giver, lease, blob, source: source.into() }
            })?;
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut there.blobs.open_blob(&BlobId(blob.0)).unwrap(), &mut bytes).unwrap();
            let disk = *self.net.disk.lock().unwrap();
            // As the store does it: on a thread that nobody can call back.
            let written = tokio::task::spawn_blocking(move || {
                std::thread::sleep(disk);
                upload.write(&bytes).and_then(|()| upload.finish())
            });
            written.await.unwrap().unwrap();
            Ok(())
        })
    }

    fn read(&self, giver: NodeId, lease: Lease, blob: Digest, len: usize) -> Soon<'_, Result<Arc<[u8]>, WireError>> {
        Box::pin(async move {
            let there = self.net.place(giver).unwrap();
            assert!(there.passing.may_fetch(self.me, lease, blob).await, "{blob:?} under {lease:?}");
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut there.blobs.open_blob(&BlobId(blob.0)).unwrap(), &mut bytes).unwrap();
            assert_eq!(bytes.len(), len);
            Ok(bytes.into())
        })
    }

    fn bring(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(async move {
            if self.net.answers_until_one_is_lost.fetch_sub(1, Ordering::Relaxed) == 1 {
                return Err(WireError { giver, lease, blob, source: "the link broke".into() });
            }
            let (here, there) = (self.net.place(self.me).unwrap(), self.net.place(giver).unwrap());
            assert!(there.passing.may_bring(self.me, lease).await.is_some(), "{blob:?} under {lease:?}");
            copy(&here.blobs, &there.blobs, blob);
            Ok(())
        })
    }

    fn close(&self) -> Soon<'_, ()> {
        Box::pin(async {})
    }
}

fn copy(from: &Blobs, to: &Blobs, blob: Digest) {
    let reader = from.open_blob(&BlobId(blob.0)).unwrap();
    to.put_stream(reader, 1 << 30).unwrap();
}

/// Executors that are a closure on the runtime.
#[derive(Debug)]
struct Closures {
    act: Act,
    blobs: Blobs,
}

impl Executors for Closures {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>> {
        Box::pin(async move {
            assert!(self.blobs.has(&BlobId(order.module.0)).unwrap(), "the tool is here before it is run");
            let mut done = Vec::new();
            for (nth, part) in order.parts.iter().enumerate() {
                let (status, stdout) = match (self.act)(part) {
                    Ok(stdout) => (Status::Exit(0), stdout),
                    Err(status) => (status, Vec::new()),
                };
                let fuel = 1_000_000 + stdout.len() as u64;
                let outcome =
                    Outcome { status, stdout, stderr_tail: vec![], files: vec![], fuel, cpu_us: 1, wall_us: 1 };
                done.push((nth, outcome));
                // Two at a time, as far as there are two.
                if (nth % 2 == 1 || nth + 1 == order.parts.len()) && out.send(std::mem::take(&mut done)).await.is_err()
                {
                    break;
                }
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}

/// Opens the books; an earlier life of the same process may take a moment to let go of them.
pub(super) fn open(dir: &Path, role: Role) -> Opened {
    for _ in 0..200 {
        match shell::open(dir, role) {
            Err(ShellError::Store(StoreError::InUse { .. })) => std::thread::sleep(Duration::from_millis(10)),
            other => return other.unwrap(),
        }
    }
    panic!("{} is still in use", dir.display());
}

pub(super) fn hub() -> Role {
    Role { slots: 0, ..Role::default() }
}

pub(super) fn lender() -> Role {
    Role { slots: 2, hub: false, ..Role::default() }
}

/// A job for a tool that is there in name only.
pub(super) fn job(door: &Door, id: u64, source: Source) -> Job {
    let module = Digest(door.blobs().put_bytes(b"a tool").unwrap().0);
    let tool = Tool {
        module,
        abilities: Abilities::default(),
        args: Vec::new(),
        stdin: false,
        real_time: false,
        caps: Caps::default(),
    };
    Job {
        id: JobId(id),
        owner: PersonId(1),
        name: Arc::from("test"),
        tool: Arc::new(tool),
        source,
        chunk: Chunk::Items(1),
        check: Check::Trust,
        merge: false,
        open: false,
        budget: Credits(100_000_000),
        fails_max: 10,
    }
}

/// Waits for the end of a job; says how it ended and what its items' outputs are.
pub(super) async fn outputs(door: &Door, job: JobId) -> (Standing, Vec<(u64, Vec<u8>)>) {
    let all = Span { first: 0, len: 1 << 40 };
    tokio::time::timeout(Duration::from_secs(60), door.finished(job, all)).await.expect("ends in time").unwrap();
    let view = door.look(move |node| node.view_job(job).unwrap()).await.unwrap();
    let (stage, first) = if view.merged { view.answer } else { (2, 0) };
    let mut all = Vec::new();
    for kept in door.answers(view.root, stage, first, 1 << 20).unwrap() {
        let bytes = match &kept.output.stdout {
            grove_core::message::Data::Inline { bytes } => bytes.to_vec(),
            grove_core::message::Data::Blob { id, .. } => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut door.blobs().open_blob(&BlobId(id.0)).unwrap(), &mut bytes).unwrap();
                bytes
            }
        };
        all.push((kept.span.first, bytes));
    }
    (view.standing, all)
}

pub(super) fn accepted(reply: &Reply) -> bool {
    matches!(reply, Reply::Accepted { .. })
}
