//! A circle of several folders on one machine, as if each were a machine of its own: they join by invitations, over TLS,
//! and work for one another until somebody puts them out.

use super::node::{Process, grove, home};
use super::{grove_in, noop};
use grove::config::Home;
use grove::device::{Device, Speech, nameless};
use grove::link::wire::node_client::NodeClient;
use grove::link::wire::{Chunk, Frame, Known, Piece, Want};
use grove::words::Words;
use grove_core::id::Digest;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// As long as a machine that was put out may still be heard.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn hub(home: &Path) -> Process {
    let up = ["up", "--admin", "Root", "--tls", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    Process::start(home, &up)
}

/// The word that lets in so many.
pub(super) fn invite(home: &Path, flags: &[&str]) -> String {
    let ran = grove(home, &[&["invite"], flags].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.trim().strip_prefix("grove join ").unwrap().to_owned()
}

/// A folder beside another one.
pub(super) fn beside(home: &Path, name: &str) -> PathBuf {
    home.with_file_name(name)
}

pub(super) fn join(home: &Path, word: &str, name: &str) {
    let ran = grove(home, &["join", word, "--name", name, "--machine", name]);
    assert!(ran.code == 0 && ran.err.contains(&format!("as {name}")), "{ran:?}");
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < REVOKED_WITHIN, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn machines_join_work_for_one_another_and_are_put_out() {
    let (_dir, root) = home();
    let _hub = hub(&root);
    let word = invite(&root, &["--uses", "2", "--grant", "7"]);
    let (ann, bob) = (beside(&root, "ann"), beside(&root, "bob"));
    join(&ann, &word, "Ann");
    join(&bob, &word, "Bob");
    let third = grove(&beside(&root, "cat"), &["join", &word, "--name", "Cat"]);
    assert!(third.code == 5 && third.err.contains("hint: it may be used up"), "{third:?}");
    let lender = Process::start(&bob, &["lend", "--always", "--slots", "1"]);
    let ran = grove(&ann, &["run", "--json", &noop(), ":::", "a", "b"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
    // Whose machine worked is not told, and not whether it is the same one in two jobs.
    let by = |out: &str| out.split(r#""by":""#).nth(1).unwrap()[..16].to_owned();
    let again = grove(&ann, &["run", "--json", &noop(), ":::", "a"]);
    assert_ne!(by(&ran.out), by(&again.out));
    assert!(grove(&ann, &["credits"]).out.starts_with("available  7.00"), "the job was nearly free");
    let spin = format!("{}/../../tools/prebuilt/spin.wasm", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(grove(&ann, &["run", &spin, "{}", ":::", "3000000"]).code, 0);
    let credits = grove(&bob, &["credits"]).out;
    let earned = credits.lines().find_map(|line| line.strip_prefix("earned ")?.split_whitespace().next()).unwrap();
    let status = grove(&root, &["status"]).out;
    assert!(earned != "0.00" && status.lines().any(|line| line.ends_with(&format!(" {earned}"))), "{credits}{status}");
    // What is Ann's is not shown to Bob, and the circle is nobody's business but the one's who looks after it.
    assert!(grove(&bob, &["jobs"]).err.contains("no jobs yet"));
    assert_eq!((grove(&bob, &["watch", "last"]).code, grove(&bob, &["people"]).code), (1, 5));
    assert_eq!(grove(&root, &["people", "--json"]).out.matches(r#""name":"#).count(), 3);
    assert!(grove(&root, &["machines"]).out.contains("lends 1 slot"));
    // Put out while it lends: its link is cut, and it does not come in again.
    let machines = grove(&root, &["machines"]).out;
    let key = machines.lines().find(|line| line.contains("of Bob")).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(grove(&root, &["revoke", &key]).code, 0);
    until("it still lends", || grove(&root, &["status", "--json"]).out.contains(r#""lenders":0"#));
    assert_eq!(grove(&bob, &["jobs"]).code, 5);
    assert_eq!(grove(&root, &["revoke", "Ann"]).code, 0);
    assert_eq!(grove(&ann, &["jobs"]).code, 5);
    drop(lender);
    let left = grove(&ann, &["leave", "--purge"]);
    assert!(left.code == 0 && !ann.exists(), "{left:?}");
}

#[test]
fn whoever_invites_where_only_this_machine_hears_is_told_for_whom() {
    let (_dir, root) = home();
    let plain = Process::hub(&root, "0");
    let ran = grove(&root, &["invite"]);
    assert!(ran.code != 0 && ran.err.contains("0.0.0.0:7420") && ran.err.contains("--admin NAME --tls"), "{ran:?}");
    assert_eq!(plain.stop(), Some(0));
    let _hub = hub(&root);
    let ran = grove(&root, &["invite"]);
    assert!(ran.code == 0 && ran.err.contains("other folders (--home) of this machine only"), "{ran:?}");
}

#[test]
fn a_password_opens_an_account_from_another_machine() {
    let (dir, root) = home();
    let _hub = hub(&root);
    let (ann, bob) = (beside(&root, "ann"), beside(&root, "bob"));
    join(&ann, &invite(&root, &[]), "Ann");
    join(&bob, &invite(&root, &[]), "Bob");
    let typed = |home: &Path, words: &[&str], line: &[u8]| grove_in(home, dir.path(), words, line);
    assert_eq!(typed(&ann, &["password"], b"short\n").code, 2);
    assert_eq!(typed(&ann, &["password"], b"correct horse battery\n").code, 0);
    assert_eq!(grove(&ann, &["run", "--detach", &noop(), ":::", "a"]).code, 0);
    assert_eq!(typed(&bob, &["login", "Ann"], b"correct horse\n").code, 5);
    assert_eq!(typed(&bob, &["login", "ann"], b"correct horse battery\n").code, 0);
    assert!(grove(&bob, &["jobs"]).out.contains("noop"));
    assert_eq!(grove(&bob, &["logout"]).code, 0);
    assert!(grove(&bob, &["jobs"]).err.contains("no jobs yet"));
    // One account, several machines.
    let second = beside(&root, "ann2");
    join(&second, &invite(&ann, &["--own"]), "Ann");
    assert!(grove(&second, &["jobs"]).out.contains("noop"));
    assert_eq!((grove(&ann, &["pay", "Bob", "2.5"]).code, grove(&ann, &["pay", "Bob", "1000"]).code), (0, 7));
    assert!(grove(&bob, &["credits"]).out.starts_with("available  12.50"));
}

#[test]
fn an_account_is_used_from_a_machine_that_has_not_joined() {
    let (dir, root) = home();
    let hub = hub(&root);
    let typed = |home: &Path, words: &[&str]| grove_in(home, dir.path(), words, b"correct horse battery\n");
    assert_eq!(typed(&root, &["password"]).code, 0);
    let port = hub.ready["api"].as_str().unwrap().rsplit(':').next().unwrap();
    let (cafe, at) = (beside(&root, "cafe"), format!("localhost:{port}"));
    let unpinned = typed(&cafe, &["login", "Root", "--hub", &at]);
    assert!(unpinned.code != 0 && !cafe.join("session.json").exists(), "{unpinned:?}");
    let lost = typed(&cafe, &["login", "Root"]);
    assert!(lost.code == 6 && lost.err.contains("--key WORDS"), "{lost:?}");
    let words = hub.ready["words"].as_str().unwrap();
    let shown = grove(&root, &["status"]);
    assert!(shown.out.contains(words), "{shown:?}");
    assert_eq!(typed(&cafe, &["login", "Root", "--hub", &at, "--key", &words.replace('-', " ")]).code, 0);
    let ran = grove(&cafe, &["run", "--detach", &noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(grove(&root, &["jobs"]).out.contains("noop"));
    let lend = grove(&cafe, &["lend"]);
    assert!(lend.code == 5 && lend.err.contains("hint: `grove invite --own`"), "{lend:?}");
    assert_eq!(grove(&cafe, &["logout"]).code, 0);
    assert_eq!(grove(&cafe, &["jobs"]).code, 6);
}

#[test]
fn one_person_does_not_fill_the_disk_of_all() {
    let (_dir, root) = home();
    std::fs::create_dir_all(root.join("grove")).unwrap();
    std::fs::write(root.join("grove/config.toml"), "disk = \"16MiB\"\n").unwrap();
    let _hub = hub(&root);
    let ann = beside(&root, "ann");
    join(&ann, &invite(&root, &[]), "Ann");
    let file = |name: &str| {
        let path = beside(&root, name);
        let mut bytes = vec![0; 5 << 20];
        blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (first, second) = (file("first"), file("second"));
    let run = |home: &Path, file: &str| grove(home, &["run", "--detach", "--stdin", &noop(), ":::", file]);
    assert_eq!(run(&ann, &first).code, 0);
    let full = run(&ann, &second);
    let told = full.err.contains("of yours are kept here, of at most 8") && full.err.contains("\nhint: ");
    assert!(full.code == 4 && told, "{full:?}");
    assert_eq!(run(&root, &second).code, 0, "others have room all the same");
    let people = grove(&root, &["people"]).out;
    assert!(people.lines().any(|line| line.contains("Ann") && line.contains(" of 8.0 MiB kept")), "{people}");
}

#[test]
fn a_hub_is_reached_by_its_name() {
    let (_dir, root) = home();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, name) = (free.to_string(), format!("localhost:{}", free.port()));
    let up = ["up", "--admin", "Root", "--tls", "--no-lend", "--listen", &listen, "--address", &name];
    let _hub = Process::start(&root, &[&up[..], &["--link", "127.0.0.1:0"]].concat());
    let word: grove::invite::Invite = invite(&root, &[]).parse().unwrap();
    assert_eq!(word.api, [name.parse().unwrap()]);
    let ann = beside(&root, "ann");
    join(&ann, &word.to_string(), "Ann");
    assert!(std::fs::read_to_string(ann.join("joined.json")).unwrap().contains(&name));
    let lender = Process::start(&ann, &["lend", "--always", "--slots", "1"]);
    assert!(lender.ready["hub"].as_str().unwrap().starts_with("localhost:"));
    let ran = grove(&ann, &["--hub", &name, "run", &noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let nowhere = grove(&ann, &["--hub", "nowhere.invalid:7420", "jobs"]);
    assert!(nowhere.code == 6 && nowhere.err.contains("what nowhere.invalid:7420 stands for"), "{nowhere:?}");
}

#[test]
fn a_hub_that_has_moved_is_told_to_a_machine_once() {
    let (_dir, root) = home();
    let first = hub(&root);
    let ann = beside(&root, "ann");
    join(&ann, &invite(&root, &[]), "Ann");
    drop(first);
    let lost = grove(&ann, &["jobs"]);
    assert!(lost.code == 6 && lost.err.contains("grove config set hub"), "{lost:?}");
    let second = hub(&root);
    let (api, link) = (second.ready["api"].as_str().unwrap(), second.ready["link"].as_str().unwrap());
    let set = grove(&ann, &["config", "set", "hub", api]);
    assert!(set.code == 0 && set.err.contains("from the next command on"), "{set:?}");
    assert_eq!(grove(&ann, &["jobs"]).code, 0, "the key is the one that it has joined");
    // Machines are heard at another port, too.
    let lender = Process::start(&ann, &["--hub", api, "lend", "--always", "--slots", "1"]);
    assert_eq!(lender.ready["hub"], link);
    assert_eq!(grove(&ann, &["run", &noop(), ":::", "a"]).code, 0);
}

#[test]
fn machines_that_may_not_lend_are_told_what_to_do() {
    let (_dir, root) = home();
    let _hub = hub(&root);
    let (runner, out) = (beside(&root, "runner"), beside(&root, "out"));
    join(&runner, &invite(&root, &["--role", "run"]), "Runner");
    join(&out, &invite(&root, &[]), "Out");
    let ran = grove(&runner, &["lend"]);
    assert!(ran.code == 5 && ran.err.contains("hint: ask for an invitation with `--role lend,run`"), "{ran:?}");
    let key = Device::of(&Home::at(out.clone())).unwrap().fingerprint().to_string();
    assert_eq!(grove(&root, &["revoke", &key]).code, 0);
    for words in [&["lend"][..], &["jobs"], &["run", &noop(), ":::", "a"]] {
        let ran = grove(&out, words);
        let told = ran.err.contains("this machine was put out of the circle") && ran.err.contains("`grove leave`");
        assert!(ran.code == 5 && told && !ran.err.contains("token"), "{ran:?}");
    }
}

#[test]
fn whoever_is_in_between_is_noticed_before_anything_is_said() {
    let (_dir, root) = home();
    let (_real, other) = (hub(&root), beside(&root, "other"));
    let between = hub(&other);
    let mut word: grove::invite::Invite = invite(&root, &[]).parse().unwrap();
    // Whoever is in between answers at the address, and has another key.
    let at = between.ready["api"].as_str().unwrap();
    word.api = vec![at.parse().unwrap()];
    let ran = grove(&beside(&root, "ann"), &["join", &word.to_string(), "--name", "Ann"]);
    assert!(ran.code == 6 && ran.err.contains("the key that answers there is not the hub's"), "{ran:?}");
    for key in [Words::of(word.key).to_string(), word.key.to_string(), word.to_string()] {
        let ran = grove(&beside(&root, "bob"), &["login", "Root", "--hub", at, "--key", &key]);
        assert!(ran.code == 6 && ran.err.contains("is not the hub's: another hub, or somebody in between"), "{ran:?}");
    }
    assert_eq!(grove(&root, &["invite", "--list"]).out.lines().count(), 1, "nothing was used up");
}

#[test]
fn strangers_are_not_let_near_a_hub_that_nobody_looks_after() {
    let (_dir, root) = home();
    for flags in [["--listen", "0.0.0.0:0"], ["--link", "0.0.0.0:0"]] {
        let ran = grove(&root, &[&["up", "--no-lend"], &flags[..]].concat());
        assert!(ran.code == 2 && ran.err.contains("--admin NAME"), "{ran:?}");
    }
    let _hub = hub(&root);
    drop(_hub);
    // Once it is known whose hub it is, it need not be said again.
    let open = Process::start(&root, &["up", "--no-lend", "--listen", "0.0.0.0:0"]);
    assert!(open.ready["key"].is_string() && open.ready["link"].as_str().unwrap().starts_with("0.0.0.0:"));
    assert_eq!(grove(&root, &["people"]).code, 0);
}

/// Every call that nodes can make, as the contract lists them.
const CALLS: [&str; 5] = ["Speak", "Fetch", "Store", "Meet", "Look"];

#[test]
fn routes_of_nodes_are_closed_to_everybody_who_may_not_lend() {
    let proto = include_str!("../../proto/grove/v1/node.proto");
    let listed: Vec<&str> =
        proto.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next()).collect();
    assert_eq!(listed, CALLS, "a new call needs a row here");
    let (_dir, root) = home();
    let hub = hub(&root);
    let names = ["lender", "other", "runner", "revoked"];
    for name in names {
        let role = if name == "runner" { "run" } else { "lend" };
        join(&beside(&root, name), &invite(&root, &["--role", role]), name);
    }
    let out = Device::of(&Home::at(beside(&root, "revoked"))).unwrap().fingerprint().to_string();
    assert_eq!(grove(&root, &["revoke", &out]).code, 0);
    let link: SocketAddr = hub.ready["link"].as_str().unwrap().parse().unwrap();
    let key = blake3::Hash::from_hex(hub.ready["key"].as_str().unwrap()).unwrap();
    let key = Digest(*key.as_bytes());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let call = async |name: &str, call: &str, node: &str, token: Option<&str>| {
            let home = Home::at(beside(&root, name));
            dial(&Device::of(&home).unwrap(), link, key, call, node, token).await
        };
        let own = "00000000000000aa";
        assert_eq!(call("lender", "Speak", own, None).await, Code::Ok);
        let refused = [Code::Unauthenticated, Code::PermissionDenied];
        for name in CALLS {
            for (who, node, token) in [
                ("stranger", own, None),
                ("revoked", "00000000000000bb", None),
                ("runner", "00000000000000cc", None),
                ("other", own, None),
                ("lender", own, Some("0".repeat(64))),
                ("lender", "", None),
            ] {
                let code = call(who, name, node, token.as_deref()).await;
                assert!(refused.contains(&code), "{name} as {who} under {node:?}: {code:?}");
            }
        }
        // Blobs are for leases, and before it has spoken nobody has one.
        for name in ["Fetch", "Store", "Meet", "Look"] {
            assert_eq!(call("other", name, "00000000000000dd", None).await, Code::PermissionDenied, "{name}");
        }
    });
}

/// Makes one call under the name of a node; how it was answered.
async fn dial(device: &Device, link: SocketAddr, key: Digest, call: &str, node: &str, token: Option<&str>) -> Code {
    let tls = TlsConnector::from(device.calls(Speech::Nodes, key).unwrap());
    let connector = Dial { tls, link };
    let channel: Channel = Endpoint::from_static("http://grove.invalid").connect_with_connector_lazy(connector);
    let mut client = NodeClient::new(channel);
    let lease = 1;
    let said = match call {
        "Speak" => client.speak(shown(tokio_stream::pending::<Frame>(), node, token)).await.map(|_| ()),
        "Fetch" => {
            client.fetch(shown(Want { digest: vec![7; 32].into(), offset: 0, lease }, node, token)).await.map(|_| ())
        }
        "Store" => {
            let chunk = Chunk { digest: vec![7; 32].into(), lease, ..Chunk::default() };
            client.store(shown(tokio_stream::once(chunk), node, token)).await.map(|_| ())
        }
        "Meet" => client.meet(shown(Known::default(), node, token)).await.map(|_| ()),
        "Look" => client.look(shown(Piece::default(), node, token)).await.map(|_| ()),
        other => panic!("{other} is no call"),
    };
    said.map_or_else(|status: Status| status.code(), |()| Code::Ok)
}

fn shown<T>(body: T, node: &str, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(body);
    if !node.is_empty() {
        request.metadata_mut().insert("grove-node", node.parse().unwrap());
    }
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Calls a hub as any program could.
#[derive(Clone)]
struct Dial {
    tls: TlsConnector,
    link: SocketAddr,
}

type Made = hyper_util::rt::TokioIo<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>;

impl tonic::codegen::Service<tonic::codegen::http::Uri> for Dial {
    type Response = Made;
    type Error = std::io::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = std::io::Result<Made>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: tonic::codegen::http::Uri) -> Self::Future {
        let Dial { tls, link } = self.clone();
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(link).await?;
            Ok(hyper_util::rt::TokioIo::new(tls.connect(nameless(), stream).await?))
        })
    }
}
