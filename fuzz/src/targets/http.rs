//! The whole API as a stranger on the network meets it: raw bytes on a connection to a real node.

use grove::api::{About, bind, router, serve};
use grove::shell::{self, Executors, Order, Results, Role, RunError, Running, Soon, WireError, Wires};
use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::Message;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// `TOKEN` and `TOOL` stand for what the node is shown.
pub(super) const REQUESTS: [&str; 10] = [
    "GET /v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\n\r\n",
    "GET /v1/jobs?limit=5&offset=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\n\r\n",
    "GET /v1/jobs/last/results?from=0&limit=10&wait_ms=1 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\n\r\n",
    "GET /v1/blobs/TOOL?offset=7 HTTP/1.1\r\nhost: [::1]:80\r\norigin: http://[::1]:80\r\nauthorization: Bearer TOKEN\r\n\r\n",
    "PUT /v1/blobs/0000000000000000000000000000000000000000000000000000000000000000?offset=0 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\ncontent-length: 5\r\n\r\nhello",
    "POST /v1/jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\ncontent-length: 133\r\n\r\n{\"v\":1,\"id\":\"0000000000003\",\"tool\":{\"module\":\"TOOL\",\"args\":[\"{}\"]},\"source\":{\"inputs\":[\"a\",{\"base64\":\"/w==\"}]},\"open\":true}     ",
    "POST /v1/jobs/0000000000003/inputs HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\ntransfer-encoding: chunked\r\n\r\n16\r\n{\"v\":1,\"inputs\":[\"b\"]}\r\n0\r\n\r\n",
    "POST /v1/jobs/last/cancel HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\ncontent-length: 2\r\n\r\n{}",
    "POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 39\r\n\r\n{\"v\":1,\"name\":\"Ann\",\"password\":\"secret\"}",
    "GET /v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer TOKEN\r\n\r\n",
];

/// An answer that does not come by then is not waited for: some pages wait for something to happen.
const ANSWER_TIME: Duration = Duration::from_millis(300);

/// Says the bytes; comes back with the status of the answer.
pub(super) fn run(bytes: &[u8]) -> u64 {
    let Some(node) = node() else { return 0 };
    let said = replaced(&replaced(bytes, b"TOKEN", node.token.as_bytes()), b"TOOL", node.tool.as_bytes());
    let Ok(mut stream) = TcpStream::connect(node.address) else { panic!("the node takes no connections") };
    let _ = stream.set_read_timeout(Some(ANSWER_TIME));
    // It may hang up before it has heard all.
    let _ = stream.write_all(&said);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = [0; 1_024];
    let read = stream.read(&mut answer).unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer[..read]);
    let status: u64 = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    assert_ne!(status, 500, "{answer}");
    let code = answer.split_once("\"code\":\"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or("");
    code.bytes().fold(status, |all, byte| all.wrapping_mul(31).wrapping_add(byte.into()))
}

fn replaced(bytes: &[u8], word: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + by.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(word.len()).position(|some| some == word) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + word.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// A node that lends nothing, for as long as this process lives.
struct Node {
    address: SocketAddr,
    token: String,
    tool: String,
    _folder: tempfile::TempDir,
    _running: Running,
    _runtime: Runtime,
    _stop: watch::Sender<bool>,
}

fn node() -> Option<&'static Node> {
    static NODE: OnceLock<Option<Node>> = OnceLock::new();
    NODE.get_or_init(|| start().ok()).as_ref()
}

fn start() -> anyhow::Result<Node> {
    let runtime = Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let token = "a".repeat(64);
    let opened = shell::open(folder.path(), Role { slots: 0, ..Role::default() })?;
    let door = opened.door();
    let module = std::fs::read(super::repository().join("tools/prebuilt/noop.wasm"))?;
    let tool = door.blobs().put_bytes(&module)?.to_string();
    let (running, address, stop) = runtime.block_on(async {
        let running = opened.start(Arc::new(Nobody), Arc::new(Nobody), Handle::current())?;
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let about = About { walls: Vec::new(), link: address, reach: None, near: None };
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(serve(listener, router(door, &token, about), stopped));
        anyhow::Ok((running, address, stop))
    })?;
    Ok(Node { address, token, tool, _folder: folder, _running: running, _runtime: runtime, _stop: stop })
}

/// Neither neighbours nor executors.
#[derive(Debug)]
struct Nobody;

impl Wires for Nobody {
    fn send(&self, _: NodeId, _: Message) {}

    fn fetch(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(std::future::pending())
    }

    fn read(&self, _: NodeId, _: Lease, _: Digest, _: usize) -> Soon<'_, Result<Arc<[u8]>, WireError>> {
        Box::pin(std::future::pending())
    }

    fn bring(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> Soon<'_, ()> {
        Box::pin(async {})
    }
}

impl Executors for Nobody {
    fn run(&self, _: Order, _: Results) -> Soon<'_, Result<(), RunError>> {
        Box::pin(std::future::pending())
    }
}
