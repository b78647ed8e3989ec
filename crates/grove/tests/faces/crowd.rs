//! Crowds at the doors: thousands who connect and say little, and those who read nothing of what they asked for. Others
//! are answered all the while.

use super::Hub;
use super::node::{Process, home};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Slow connections that are open at one time.
const CROWD: usize = 2_000;
/// A request that takes longer than this would be felt.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// Room for both ends of a crowd in one process; fewer come where that is not allowed.
fn crowd_size() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let most = limit.maximum.map_or(CROWD, |most| usize::try_from(most / 3).unwrap_or(CROWD));
    most.min(CROWD)
}

/// So many connections that have said this and no more.
fn crowd(address: SocketAddr, count: usize, said: &[u8]) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may have been shown out already.
        let _ = stream.write_all(said);
        stream.set_nonblocking(true).unwrap();
        crowd.push(stream);
    }
    crowd
}

/// How many of them still stand there; each says one byte more.
fn standing(crowd: &mut [TcpStream]) -> usize {
    let is_open = |stream: &mut TcpStream| {
        let _ = stream.write(b"a");
        let mut buffer = [0; 1_024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    };
    crowd.iter_mut().map(is_open).filter(|open| *open).count()
}

fn get(hub: &Hub, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n", hub.address, hub.token)
}

/// The first bytes of the answer, and how long they took.
fn ask(address: SocketAddr, request: &str) -> (String, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 4_096];
    let read = stream.read(&mut answer).unwrap_or(0);
    (String::from_utf8_lossy(&answer[..read]).into_owned(), begun.elapsed())
}

#[test]
fn thousands_who_say_half_a_request_keep_nobody_out() {
    let hub = Hub::start(0);
    let size = crowd_size();
    let request = get(&hub, "/v1/status") + "\r\n";
    let mut slow = crowd(hub.address, size, b"GET /v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\nx-a: ");
    for _ in 0..20 {
        let (answer, took) = ask(hub.address, &request);
        assert!(answer.starts_with("HTTP/1.1 200") && took < ANSWERED_WITHIN, "{took:?} {answer}");
    }
    let left = standing(&mut slow);
    assert!(left <= 512, "{left} of {size} are still there");
    // Those that are left go when patience ends, however busily they talk.
    let begun = Instant::now();
    while standing(&mut slow) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} are still there", standing(&mut slow));
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_person_with_a_thousand_connections_closes_their_own_oldest_ones() {
    let hub = Hub::start(0);
    crowd_size();
    let request = get(&hub, "/v1/status") + "\r\n";
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(hub.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 4_096];
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
        idle.push(stream);
    }
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    std::thread::sleep(Duration::from_millis(200));
    let open = idle.iter().filter(|stream| is_open(stream)).count();
    assert!((1..=256).contains(&open), "{open} lie idle");
    assert!(is_open(&idle[999]), "the newest stays");
}

#[test]
fn floods_of_headers_and_packed_bodies_are_refused() {
    let hub = Hub::start(0);
    let head = get(&hub, "/v1/status");
    let many: String = (0..100).map(|n| format!("x-{n}: a\r\n")).collect();
    let long = format!("x-a: {}\r\n", "a".repeat(20 << 10));
    let mut all = Vec::new();
    for flood in [many, long] {
        all.push(ask(hub.address, &format!("{head}{flood}\r\n")).0);
    }
    assert!(all.iter().all(|answer| answer.starts_with("HTTP/1.1 431")), "{all:?}");
    for coding in ["gzip", "br", "zstd, identity"] {
        let packed = format!("{head}content-encoding: {coding}\r\ncontent-length: 0\r\n\r\n");
        let answer = ask(hub.address, &packed).0;
        assert!(answer.starts_with("HTTP/1.1 415") && answer.contains("Content-Encoding"), "{answer}");
    }
    let secret = "a".repeat(20 << 10);
    let stranger = format!(
        "POST /v1/join HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n\"{secret}\"",
        hub.address,
        secret.len() + 2
    );
    assert!(ask(hub.address, &stranger).0.starts_with("HTTP/1.1 413"), "nobody is heard out who is nobody");
    let answer = ask(hub.address, &format!("{head}\r\n")).0;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn thousands_who_want_a_channel_keep_no_machine_out() {
    let (_dir, root) = home();
    let up = ["up", "--admin", "Root", "--tls", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let hub = Process::start(&root, &up);
    let address = |name: &str| hub.ready[name].as_str().unwrap().parse::<SocketAddr>().unwrap();
    let size = crowd_size() / 2;
    // The first bytes of a greeting that goes on and on.
    let half = [&[0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3][..], &[7; 200]].concat();
    let mut crowds =
        [crowd(address("api"), size, &half), crowd(address("link"), size, &half), crowd(address("link"), size, b"")];
    let lender = Process::start(&root, &["lend", "--always", "--slots", "1"]);
    let begun = Instant::now();
    while !super::node::grove(&root, &["status", "--json"]).out.contains(r#""lenders":1"#) {
        assert!(begun.elapsed() < Duration::from_secs(15), "no lender comes in");
    }
    for _ in 0..5 {
        let begun = Instant::now();
        let ran = super::node::grove(&root, &["jobs"]);
        assert!(ran.code == 0 && begun.elapsed() < ANSWERED_WITHIN, "{:?} {ran:?}", begun.elapsed());
    }
    let left: Vec<usize> = crowds.iter_mut().map(|crowd| standing(crowd)).collect();
    assert!(left.iter().all(|left| *left <= 512), "{left:?}");
    drop((lender, hub));
}

#[test]
fn who_speaks_another_protocol_is_shown_out_at_once() {
    let hub = Hub::start(0);
    // HTTP/2 is for machines, at their own door: streams that are opened and taken back find nobody here.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let reset = |stream: u32| [&[0, 0, 4, 3, 0][..], &stream.to_be_bytes(), &[0, 0, 0, 8]].concat();
    let flood: Vec<u8> = (0..10_000).flat_map(|nth| reset(2 * nth + 1)).collect();
    for said in
        [&preface[..], &[&preface[..], &flood].concat(), b"SSH-2.0-x\r\n\r\n", &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]]
    {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(hub.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // It may hang up before it has heard all.
        let _ = stream.write_all(said);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(begun.elapsed() < ANSWERED_WITHIN && !answer.starts_with(b"HTTP/1.1 2"), "{:?}", begun.elapsed());
    }
    let (answer, took) = ask(hub.address, &(get(&hub, "/v1/status") + "\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200") && took < ANSWERED_WITHIN, "{took:?} {answer}");
}
