//! Somebody is put out while everything is under way: open connections, news that are being listened to, a lender in the
//! middle of a part. All of it ends within five seconds.

use super::circle::{beside, hub, invite, join};
use super::node::{Process, grove, home};
use grove::config::Home;
use grove::device::{Device, Speech, nameless};
use grove_core::id::Digest;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

const REVOKED_WITHIN: Duration = Duration::from_secs(5);
/// Long enough that nobody waits for its end here.
const ROUNDS: &str = "40000000000";

type Line = StreamOwned<ClientConnection, TcpStream>;

/// A connection of a machine that has joined, on which this was asked and the beginning of the answer was heard.
fn asked(home: &Path, hub: &Process, path: &str) -> Line {
    let key = blake3::Hash::from_hex(hub.ready["key"].as_str().unwrap()).unwrap();
    let device = Device::of(&Home::at(home.to_owned())).unwrap();
    let tls = device.calls(Speech::People, Digest(*key.as_bytes())).unwrap();
    let address = hub.ready["api"].as_str().unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut line = StreamOwned::new(ClientConnection::new(tls, nameless()).unwrap(), socket);
    write!(line, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
    let mut answer = [0; 4_096];
    let read = line.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
    line
}

/// Reads until the other side hangs up.
fn ends(mut line: Line, since: Instant, what: &str) {
    let _ = line.read_to_end(&mut Vec::new());
    assert!(since.elapsed() < REVOKED_WITHIN, "{what} ended after {:?}", since.elapsed());
}

fn until(what: &str, since: Instant, most: Duration, mut holds: impl FnMut() -> bool) {
    while !holds() {
        assert!(since.elapsed() < most, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_is_put_out_loses_all_connections_and_the_work_goes_back() {
    let (_dir, root) = home();
    let hub = hub(&root);
    let (ann, bob) = (beside(&root, "ann"), beside(&root, "bob"));
    join(&ann, &invite(&root, &[]), "Ann");
    join(&bob, &invite(&root, &[]), "Bob");
    let _lender = Process::start(&bob, &["lend", "--always", "--slots", "1"]);
    let spin = format!("{}/../../tools/prebuilt/spin.wasm", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(grove(&root, &["run", "--detach", &spin, ":::", ROUNDS]).code, 0);
    let running = |count: &str| grove(&root, &["jobs", "--json"]).out.contains(&format!(r#""running":{count},"#));
    until("it is not given to anybody", Instant::now(), Duration::from_secs(20), || running("1"));
    let lines = [asked(&ann, &hub, "/v1/events"), asked(&ann, &hub, "/v1/me")];
    let begun = Instant::now();
    for name in ["Ann", "Bob"] {
        assert_eq!(grove(&root, &["revoke", name]).code, 0);
    }
    for (line, what) in lines.into_iter().zip(["news", "an idle connection"]) {
        ends(line, begun, what);
    }
    until("the part is still out", begun, REVOKED_WITHIN, || running("0"));
    assert!(grove(&root, &["status", "--json"]).out.contains(r#""lenders":0"#));
    assert_eq!((grove(&ann, &["jobs"]).code, grove(&bob, &["jobs"]).code), (5, 5));
}
