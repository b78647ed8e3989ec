//! scratch
use grove::shell::*;
use grove_core::{id::*, job::*, message::*, units::*, task::Span};
use std::sync::Arc;
#[derive(Debug)] struct None_;
impl Wires for None_ {
    fn send(&self, _: NodeId, _: Message) {}
    fn fetch(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> { Box::pin(async { Ok(()) }) }
    fn bring(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> { Box::pin(async { Ok(()) }) }
    fn close(&self) -> Soon<'_, ()> { Box::pin(async {}) }
}
#[derive(Debug)] struct Quick;
impl Executors for Quick { fn run(&self, o: Order, out: Results) -> Soon<'_, Result<(), RunError>> { Box::pin(async move {
    let r = (0..o.parts.len()).map(|n| (n, grove_sandbox::Outcome { status: grove_sandbox::Status::Exit(0), stdout: vec![], stderr_tail: vec![], files: vec![], fuel: 5, cpu_us: 1, wall_us: 1 })).collect();
    let _ = out.send(r).await; Ok(()) }) } }
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = std::path::PathBuf::from("/tmp/latency-loop"); let _ = std::fs::remove_dir_all(&dir);
    let opened = open(&dir, Role { slots: 1, ..Role::default() }).unwrap();
    let door = opened.door();
    let running = opened.start(Arc::new(None_), Arc::new(Quick), tokio::runtime::Handle::current()).unwrap();
    let tool = Tool { module: Digest(door.blobs().put_bytes(b"x").unwrap().0), abilities: Abilities::default(), args: vec![], stdin: false, real_time: false, caps: Caps::default() };
    let job = Job { id: JobId(1), owner: PersonId(1), name: Arc::from("t"), tool: Arc::new(tool), source: Source::Listed { count: 0 }, chunk: Chunk::Items(1), check: Check::Trust, merge: false, open: true, budget: Credits(900_000_000), fails_max: 0 };
    let grove_core::node::Reply::Accepted { root, .. } = door.submit(job, vec![]).await.unwrap() else { panic!() };
    let mut all = vec![]; let mut ext = vec![];
    for i in 0..2000u64 {
        let t = std::time::Instant::now();
        let r = door.extend(JobId(1), i, vec![Data::Inline { bytes: i.to_string().into_bytes().into() }]).await.unwrap(); if i == 0 { println!("{r:?}"); }
        ext.push(t.elapsed().as_micros());
        door.finished(JobId(1), Span { first: i, len: 1 }).await.unwrap();
        let a = door.answers(root, 2, i, 1).unwrap(); assert_eq!(a.len(), 1);
        all.push(t.elapsed().as_micros());
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    ext.sort(); println!("extend p50 {} p99 {}", ext[1000], ext[1980]);
    all.sort(); println!("p50 {} us, p99 {} us", all[1000], all[1980]);
    running.stop().await.unwrap();
}
