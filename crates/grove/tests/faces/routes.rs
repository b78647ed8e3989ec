//! Every page of the API as everybody who might ask for it. The table below has a row for each page of the router, or
//! the test fails.

use super::{Functions, NoWires, noop};
use grove::api::{About, Need, Reach, bind, listed, router, serve_tls};
use grove::config::Home;
use grove::device::{Device, Speech, nameless};
use grove::door::Door;
use grove::invite::hash_of;
use grove::shell::{self, Role, Running};
use grove_core::circle::{FOUNDER, Invitation, Roles, Session};
use grove_core::id::{Digest, PersonId};
use grove_core::node::{Change, Reply, Revoked, Wish};
use grove_core::units::{Credits, Millis};
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// All pages, and what it takes to ask for each.
const PAGES: [(&str, &str, Need); 32] = [
    ("GET", "/v1/version", Need::Member),
    ("GET", "/v1/status", Need::Member),
    ("GET", "/v1/peers", Need::Member),
    ("GET", "/v1/python", Need::Run),
    ("GET", "/v1/credits", Need::Member),
    ("GET", "/v1/credits/log", Need::Member),
    ("POST", "/v1/jobs", Need::Run),
    ("GET", "/v1/jobs", Need::Run),
    ("GET", "/v1/jobs/{id}", Need::Run),
    ("GET", "/v1/jobs/{id}/results", Need::Run),
    ("GET", "/v1/jobs/{id}/why", Need::Run),
    ("GET", "/v1/jobs/{id}/tree", Need::Run),
    ("POST", "/v1/jobs/{id}/inputs", Need::Run),
    ("POST", "/v1/jobs/{id}/close", Need::Run),
    ("POST", "/v1/jobs/{id}/cancel", Need::Run),
    ("POST", "/v1/jobs/{id}/retry", Need::Run),
    ("GET", "/v1/jobs/{id}/events", Need::Run),
    ("GET", "/v1/events", Need::Run),
    ("PUT", "/v1/blobs/{id}", Need::Run),
    ("GET", "/v1/blobs/{id}", Need::Run),
    ("HEAD", "/v1/blobs/{id}", Need::Run),
    ("POST", "/v1/join", Need::Nothing),
    ("POST", "/v1/login", Need::Nothing),
    ("POST", "/v1/logout", Need::Member),
    ("POST", "/v1/password", Need::Member),
    ("GET", "/v1/me", Need::Member),
    ("GET", "/v1/people", Need::Admin),
    ("GET", "/v1/machines", Need::Member),
    ("GET", "/v1/invitations", Need::Member),
    ("POST", "/v1/invitations", Need::Member),
    ("POST", "/v1/revoke", Need::Member),
    ("POST", "/v1/pay", Need::Member),
];

const SECRET: [u8; 16] = [9; 16];
const BOTH: Roles = Roles { lend: true, run: true, admin: false };
const LENDS: Roles = Roles { lend: true, run: false, admin: false };

/// A hub that speaks TLS, with some people.
struct Circle {
    dir: TempDir,
    address: SocketAddr,
    key: Digest,
    token: String,
    door: Door,
    runtime: Runtime,
    running: Option<Running>,
    _stop: watch::Sender<bool>,
}

/// Somebody who asks.
struct Asker {
    device: Device,
    bearer: Option<String>,
}

impl Circle {
    fn start() -> Circle {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("hub"));
        let token = home.token_or_new().unwrap();
        let device = Device::of(&home).unwrap();
        let key = device.fingerprint();
        let opened = shell::open(home.path(), Role { slots: 1, ..Role::default() }).unwrap();
        let door = opened.door();
        let (running, address, stop) = runtime.block_on(async {
            let running = opened.start(Arc::new(NoWires), Arc::new(Functions), Handle::current()).unwrap();
            let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
            let address = listener.local_addr().unwrap();
            let reach = Some(Reach { key, api: vec![address.into()] });
            let (stop, stopped) = watch::channel(false);
            let router = router(door.clone(), &token, About { walls: Vec::new(), link: address, reach, near: None });
            tokio::spawn(serve_tls(listener, router, device.hears(Speech::People).unwrap(), stopped));
            (running, address, stop)
        });
        let circle = Circle { dir, address, key, token, door, runtime, running: Some(running), _stop: stop };
        assert_eq!(circle.change(Change::Found { name: "Root".into() }), Reply::Done);
        circle
    }

    fn change(&self, change: Change) -> Reply {
        self.runtime.block_on(self.door.ask(Wish::Circle { change })).unwrap()
    }

    fn stranger(&self, name: &str) -> Asker {
        Asker { device: Device::of(&Home::at(self.dir.path().join(name))).unwrap(), bearer: None }
    }

    fn invite(&self, roles: Roles, uses_left: u32) {
        let (by, of, grant, expires) = (FOUNDER, None, Credits(5_000_000), Millis(u64::MAX));
        let whole = Invitation { by, of, roles, grant, uses_left, expires };
        assert_eq!(self.change(Change::Invite { secret: hash_of(&SECRET), whole }), Reply::Done);
    }

    fn join(&self, name: &str, roles: Roles) -> (Asker, PersonId) {
        self.invite(roles, 1);
        let asker = self.stranger(name);
        let key = asker.device.fingerprint();
        let change = Change::Join { secret: hash_of(&SECRET), key, name: name.into(), machine: name.into() };
        match self.change(change) {
            Reply::Joined { person } => (asker, person),
            other => panic!("{other:?}"),
        }
    }

    fn log_in(&self, person: PersonId, token: &str, expires: Millis) {
        let hash = Digest(*blake3::hash(token.as_bytes()).as_bytes());
        assert_eq!(self.change(Change::LogIn { token: hash, whole: Session { person, expires } }), Reply::Done);
    }

    /// Status and body of an answer; of one that does not end, what comes in a moment.
    fn ask(&self, asker: &Asker, method: &str, path: &str, body: &[u8]) -> (u16, String) {
        let tls = ClientConnection::new(asker.device.calls(Speech::People, self.key).unwrap(), nameless()).unwrap();
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut stream = StreamOwned::new(tls, socket);
        let bearer = asker.bearer.as_ref().map(|token| format!("authorization: Bearer {token}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n",
            self.address,
            body.len(),
            bearer.unwrap_or_default()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = vec![0; 12];
        stream.read_exact(&mut answer).unwrap();
        if answer.ends_with(b"200") && path.ends_with("events") {
            // News have no end: what comes in a moment will do.
            stream.sock.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        }
        // A channel need not be closed in good order.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{method} {path}: {answer:?}")), answer)
    }
}

impl Drop for Circle {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A test that failed before shows its own failure.
            let _ = self.runtime.block_on(running.stop());
        }
    }
}

/// A job of somebody's: its id, and the blob of its tool.
fn submit(circle: &Circle, asker: &Asker, id: &str) -> (String, String) {
    let module = std::fs::read(noop()).unwrap();
    let blob = blake3::hash(&module).to_hex().to_string();
    assert_eq!(circle.ask(asker, "PUT", &format!("/v1/blobs/{blob}"), &module).0, 201);
    let job = format!(
        r#"{{"v":1,"id":"{id}","name":"secret-name","tool":{{"module":"{blob}"}},"source":{{"inputs":["secret-input"]}}}}"#
    );
    let (status, answer) = circle.ask(asker, "POST", "/v1/jobs", job.as_bytes());
    assert_eq!(status, 201, "{answer}");
    (id.to_owned(), blob)
}

fn filled(path: &str, job: &str, blob: &str) -> String {
    let id = if path.contains("blobs") { blob } else { job };
    path.replace("{id}", id)
}

#[test]
fn routes_have_a_row_each() {
    let listed: Vec<(String, &str, Need)> =
        listed().into_iter().map(|(method, path, need)| (method.to_string(), path, need)).collect();
    let expect: Vec<(String, &str, Need)> =
        PAGES.iter().map(|(method, path, need)| ((*method).to_owned(), *path, *need)).collect();
    assert_eq!(listed, expect, "a new page needs a row here");
}

#[test]
fn routes_are_closed_to_everybody_who_may_not_ask() {
    let circle = Circle::start();
    let (ann, _) = circle.join("Ann", BOTH);
    let (_, bob_id) = circle.join("Bob", BOTH);
    let (lender, _) = circle.join("Len", LENDS);
    let (out, out_id) = circle.join("Out", BOTH);
    circle.log_in(out_id, "out", Millis(u64::MAX));
    assert_eq!(circle.change(Change::Revoke { by: FOUNDER, what: Revoked::Person(out_id) }), Reply::Done);
    circle.log_in(bob_id, "over", Millis(1));
    let (job, blob) = submit(&circle, &ann, "0000000000a01");
    let with = |bearer: &str| Asker { bearer: Some(bearer.to_owned()), ..circle.stranger("elsewhere") };
    let nobodies = [circle.stranger("elsewhere"), with("guess"), with("over"), with("out"), out];
    for (method, path, need) in PAGES {
        let path = filled(path, &job, &blob);
        for nobody in &nobodies {
            let (status, answer) = circle.ask(nobody, method, &path, b"{}");
            match need {
                // These look at what is shown; here it is nothing.
                Need::Nothing => assert!((400..500).contains(&status), "{method} {path}: {answer}"),
                _ => assert_eq!(status, 401, "{method} {path}: {answer}"),
            }
        }
        let refused = |asker: &Asker, expect: u16| {
            let (status, answer) = circle.ask(asker, method, &path, b"{}");
            assert_eq!(status, expect, "{method} {path}: {answer}");
        };
        match need {
            Need::Run => refused(&lender, 403),
            Need::Admin => [&ann, &lender].iter().for_each(|asker| refused(asker, 403)),
            Need::Nothing | Need::Member => {}
        }
    }
}

#[test]
fn routes_show_nobody_what_is_somebody_elses() {
    let circle = Circle::start();
    let (ann, _) = circle.join("Ann", BOTH);
    let (bob, _) = circle.join("Bob", BOTH);
    let (job, blob) = submit(&circle, &ann, "0000000000a01");
    for (method, path, need) in PAGES {
        if matches!(need, Need::Nothing) || path == "/v1/logout" || (method, path) == ("PUT", "/v1/blobs/{id}") {
            continue;
        }
        let named = path.contains("{id}");
        let body: &[u8] = if path.ends_with("inputs") { br#"{"v":1,"inputs":["x"]}"# } else { b"{}" };
        let (status, answer) = circle.ask(&bob, method, &filled(path, &job, &blob), body);
        if named {
            assert_eq!(status, 404, "{method} {path}: {answer}");
        }
        for secret in [job.as_str(), "secret-", &ann.device.fingerprint().to_string()[..12], "\"Ann\""] {
            let said = answer.replace(&format!(r#"there is no job \"{job}\""#), "");
            assert!(!said.contains(secret), "{method} {path} says {secret}: {answer}");
        }
    }
    // The same for whoever asks by a beginning, or names the blob in a job.
    assert_eq!(circle.ask(&bob, "GET", "/v1/jobs/0000000000a", b"").0, 404);
    assert_eq!(circle.ask(&bob, "GET", "/v1/jobs/last", b"").0, 404);
    let theirs = format!(
        r#"{{"v":1,"id":"0000000000b01","name":"b","tool":{{"module":"{blob}"}},"source":{{"inputs":["x"]}}}}"#
    );
    assert_eq!(circle.ask(&bob, "POST", "/v1/jobs", theirs.as_bytes()).0, 404);
    // Whoever looks after the circle sees everything, with the token of the machine or by name.
    let root = Asker { bearer: Some(circle.token.clone()), ..circle.stranger("elsewhere") };
    assert_eq!(circle.ask(&root, "GET", &format!("/v1/jobs/{job}"), b"").0, 200);
    assert_eq!(circle.ask(&ann, "GET", &format!("/v1/jobs/{job}"), b"").0, 200);
    assert_eq!(circle.ask(&ann, "GET", &format!("/v1/blobs/{blob}"), b"").0, 200);
}

#[test]
fn routes_to_the_account_are_closed_to_a_machine_that_only_lends() {
    let circle = Circle::start();
    let (ann, id) = circle.join("Ann", BOTH);
    let (by, of, expires) = (id, Some(id), Millis(u64::MAX));
    let whole = Invitation { by, of, roles: LENDS, grant: Credits(0), uses_left: 1, expires };
    assert_eq!(circle.change(Change::Invite { secret: hash_of(&SECRET), whole }), Reply::Done);
    let lender = circle.stranger("lender");
    let key = lender.device.fingerprint();
    let change = Change::Join { secret: hash_of(&SECRET), key, name: "".into(), machine: "lender".into() };
    assert_eq!(circle.change(change), Reply::Joined { person: id });
    let revoke = |key: Digest| format!(r#"{{"what":"{key}"}}"#);
    for (path, wish) in [
        ("/v1/password", r#"{"new":"correct horse battery"}"#.to_owned()),
        ("/v1/pay", r#"{"to":"Root","amount":"1"}"#.to_owned()),
        ("/v1/revoke", revoke(ann.device.fingerprint())),
    ] {
        assert_eq!(circle.ask(&lender, "POST", path, wish.as_bytes()).0, 403, "{path}");
    }
    assert_eq!(circle.ask(&lender, "POST", "/v1/revoke", revoke(key).as_bytes()).0, 200, "it may go");
    assert_eq!(circle.ask(&lender, "GET", "/v1/me", b"").0, 401);
}

#[test]
fn an_invitation_that_many_race_for_lets_in_one() {
    let circle = Circle::start();
    circle.invite(BOTH, 1);
    let secret: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
    let racers: Vec<(usize, Asker)> = (0..20).map(|n| (n, circle.stranger(&format!("racer {n}")))).collect();
    let won = std::thread::scope(|scope| {
        let race = racers.iter().map(|(n, asker)| {
            let wish = format!(r#"{{"secret":"{secret}","name":"racer {n}","machine":"m"}}"#);
            let circle = &circle;
            scope.spawn(move || circle.ask(asker, "POST", "/v1/join", wish.as_bytes()).0 == 200)
        });
        let race: Vec<_> = race.collect();
        race.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum::<usize>()
    });
    assert_eq!(won, 1);
}

#[test]
fn news_end_for_whoever_is_put_out_while_they_listen() {
    let circle = Circle::start();
    let (ann, id) = circle.join("Ann", BOTH);
    let tls = ClientConnection::new(ann.device.calls(Speech::People, circle.key).unwrap(), nameless()).unwrap();
    let socket = TcpStream::connect(circle.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = StreamOwned::new(tls, socket);
    let head = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", circle.address);
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    assert_eq!(circle.change(Change::Revoke { by: FOUNDER, what: Revoked::Person(id) }), Reply::Done);
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    // The chunked body has its end, though the connection stays open until it is idle for long.
    assert!(rest.ends_with(b"0\r\n\r\n"), "{ended:?} {}", String::from_utf8_lossy(&rest));
}
