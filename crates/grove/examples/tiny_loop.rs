//! scratch: what the loop and store cost per tiny part, with lenders that answer at once
use grove::shell::*;
use grove_core::{id::*, job::*, message::*, node::*, units::*, task::Span};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
#[derive(Debug)]
struct Echo { side: OnceLock<Side>, rt: tokio::runtime::Handle, tx: Mutex<mpsc::Sender<(NodeId, Message)>> }
impl Wires for Echo {
    fn send(&self, to: NodeId, m: Message) { self.tx.lock().unwrap().send((to, m)).unwrap(); }
    fn fetch(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> { Box::pin(async { Ok(()) }) }
    fn bring(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> { Box::pin(async { Ok(()) }) }
    fn close(&self) -> Soon<'_, ()> { Box::pin(async {}) }
}
#[derive(Debug)] struct No;
impl Executors for No { fn run(&self, _: Order, _: Results) -> Soon<'_, Result<(), RunError>> { Box::pin(async { Ok(()) }) } }
fn cpu(name: &str) -> u64 {
    let mut t = 0;
    for d in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = d.unwrap().path();
        if std::fs::read_to_string(p.join("comm")).unwrap().trim().starts_with(name) {
            let s = std::fs::read_to_string(p.join("schedstat")).unwrap();
            t += s.split_whitespace().next().unwrap().parse::<u64>().unwrap();
        }
    }
    t / 1000
}
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let n: u64 = std::env::args().nth(1).map_or(100_000, |s| s.parse().unwrap());
    let listed = std::env::args().nth(2).is_some();
    let dir = std::path::PathBuf::from("/tmp/tiny-loop"); let _ = std::fs::remove_dir_all(&dir);
    let opened = open(&dir, Role { slots: 0, ..Role::default() }).unwrap();
    let door = opened.door(); let side = opened.side();
    let (tx, rx) = mpsc::channel();
    let w = Arc::new(Echo { side: OnceLock::new(), rt: tokio::runtime::Handle::current(), tx: Mutex::new(tx) });
    w.side.set(side.clone()).unwrap();
    let w2 = w.clone();
    std::thread::Builder::new().name("lenders".into()).spawn(move || {
        let side = w2.side.get().unwrap();
        for (to, m) in rx {
            match m {
                Message::Hello { .. } => { let m = Message::Hello { incarnation: Incarnation(1), slots: 1, solves: false, holding: vec![] };
                    w2.rt.block_on(side.heard(Event::Heard { from: to, message: m })).unwrap(); }
                Message::Give { gifts } => for g in gifts {
                    let answers: Vec<Answer> = g.runs().map(|span| Answer { span, outcome: Outcome::Right, fuel: Fuel(5_000), micros: 20, digest: Digest::default(), output: Output::of(Data::empty()), pieces: 0 }).collect();
                    for a in answers.chunks(256) {
                    w2.rt.block_on(side.heard(Event::Heard { from: to, message: Message::Done { lease: g.lease, answers: a.to_vec() } })).unwrap(); }
                },
                _ => {}
            }
        }
    }).unwrap();
    let running = opened.start(w, Arc::new(No), tokio::runtime::Handle::current()).unwrap();
    for l in [11, 12] { side.happened(Event::Linked { node: NodeId(l) }).unwrap(); }
    let tool = Tool { module: Digest(door.blobs().put_bytes(b"x").unwrap().0), abilities: Abilities::default(), args: vec![], stdin: false, real_time: false, caps: Caps::default() };
    let source = if listed { Source::Listed { count: n } } else { Source::Numbers { from: 0, count: n } };
    let job = Job { id: JobId(1), owner: PersonId(1), name: Arc::from("t"), tool: Arc::new(tool), source, chunk: Chunk::Items(1), check: Check::Trust, merge: false, open: false, budget: Credits(900_000_000), fails_max: 0 };
    let inputs = if listed { (0..n).map(|i| Data::Inline { bytes: i.to_string().into_bytes().into() }).collect() } else { vec![] };
    let c0 = cpu("grove-loop"); let t = std::time::Instant::now();
    println!("{:?}", door.submit(job, inputs).await.unwrap());
    println!("submitted {:?}", t.elapsed());
    door.finished(JobId(1), Span { first: 0, len: n }).await.unwrap();
    let el = t.elapsed();
    let c = cpu("grove-loop") - c0;
    println!("{n} parts in {el:?}: {:.2} us/part wall, loop cpu {:.2} us/part, lenders cpu {:.2}", el.as_micros() as f64 / n as f64, c as f64 / n as f64, cpu("lenders") as f64 / n as f64);
    let t = std::time::Instant::now(); let mut got = 0; let mut from = 0;
    while got < n { let a = door.answers(TaskId(0), 2, from, 4096).unwrap(); if a.is_empty() { break; } got += a.len() as u64; from = a.last().unwrap().span.end(); }
    println!("read {got} answers in {:?}", t.elapsed());
    running.stop().await.unwrap();
    for f in std::fs::read_dir(&dir).unwrap() { let f = f.unwrap(); println!("{:?} {}", f.file_name(), f.metadata().unwrap().len()); }
}
