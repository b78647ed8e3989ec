//! The decoders: what reads bytes of neighbours, of people, of tools, of executors, of files and of the disk.

mod http;

use crate::target::Target;
use anyhow::Context;
use grove::config::{Hub, Joined, Layer, Session};
use grove::link::{codec, read, wire, write};
use grove::{address, amount, device, invite, nearby, shape, shell, store, tokens, tool, words};
use grove_core::circle::is_name;
use grove_core::id::JobId;
use grove_core::message::Message;
use grove_core::state::Fact;
use grove_sandbox::frame;
use grove_sandbox::order::{Ask, Tell};
use prost::Message as _;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// All of them.
///
/// # Errors
/// When samples are missing.
pub fn all() -> anyhow::Result<Vec<Target>> {
    let target = |name, samples, run| Target { name, samples, run };
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let facts = golden("crates/core/tests/golden/facts.txt")?;
    let messages = golden("crates/core/tests/golden/messages.txt")?;
    let frames = golden("crates/grove/tests/link/golden.txt")?;
    Ok(vec![
        target("frame", frames, frame_of_link),
        target("chunk", chunks(), chunk),
        target("fact", facts, fact),
        target("message", messages.clone(), message),
        target("row", messages, row),
        target("json", texts(&JSON), json),
        target("http", texts(&http::REQUESTS), http::run),
        target("word", texts(&WORDS), word),
        target("module", modules()?, module),
        target("config", texts(&CONFIG), config),
        target("executor", executor_frames()?, executor),
        target("name", texts(&NAMES), name),
        target("certificate", certificates()?, certificate),
        target("nearby", announcements(), announcement),
    ])
}

/// What kind of end it was: kinds of errors are told apart, numbers in them are not.
fn end<T, E: std::fmt::Display>(nth: u64, found: &Result<T, E>) -> u64 {
    let said = found.as_ref().err().map(|error| error.to_string()).unwrap_or_default();
    let kind = said.bytes().filter(|byte| !byte.is_ascii_digit()).take(40);
    kind.fold(nth, |all, byte| all.wrapping_mul(31).wrapping_add(byte.into()))
}

fn frame_of_link(bytes: &[u8]) -> u64 {
    let decoded = codec::decode::<wire::Frame>(bytes.to_vec().into());
    let Ok(frame) = decoded else { return end(1, &decoded) };
    let found = read::message(frame);
    let Ok(message) = found else { return end(2, &found) };
    let kind = format!("{message:?}").len() as u64;
    let frames = write::frames(message.clone());
    if let [one] = &frames[..] {
        let again = codec::decode::<wire::Frame>(one.encode_to_vec().into()).map(read::message);
        assert_eq!(again, Ok(Ok(message)), "what was read is written otherwise");
    }
    100 + kind.ilog2() as u64 * 16 + (frames.len() as u64).min(15)
}

fn chunk(bytes: &[u8]) -> u64 {
    let bytes: prost::bytes::Bytes = bytes.to_vec().into();
    end(1, &codec::decode::<wire::Chunk>(bytes.clone()))
        ^ end(2, &codec::decode::<wire::Want>(bytes.clone()))
        ^ end(3, &codec::decode::<wire::Stored>(bytes))
}

/// A journal's row: facts one after another.
fn fact(bytes: &[u8]) -> u64 {
    let (mut rest, mut ends) = (bytes, 0_u64);
    while let Ok((fact, behind)) = postcard::take_from_bytes::<Fact>(rest) {
        let again = postcard::to_stdvec(&fact).map(|bytes| postcard::from_bytes::<Fact>(&bytes));
        assert_eq!(again, Ok(Ok(fact)), "what was read is written otherwise");
        ends = ends.wrapping_mul(31) + u64::from(rest[0]);
        rest = behind;
    }
    ends
}

fn message(bytes: &[u8]) -> u64 {
    let read = postcard::from_bytes::<Message>(bytes);
    let Ok(message) = &read else { return end(1, &read) };
    format!("{message:?}").len().ilog2().into()
}

/// Answers and inputs as they lie in the store, and what a split has printed.
fn row(bytes: &[u8]) -> u64 {
    let answer = shell::answer_in_row(7, bytes).is_some();
    let input = shell::input_in_row(bytes).is_some();
    let items = store::items_of(7, 1_000, bytes).count();
    let counted = shell::counted(bytes).map_or(0, |items| 1 + items.len());
    u64::from(answer) + 2 * u64::from(input) + 4 * (items as u64).min(100) + 1_000 * (counted as u64).min(100)
}

const JSON: [&str; 9] = [
    r#"{"v":1,"id":"0000000000003","name":"n","tool":{"module":"00","args":["{}"],"stdin":true,"caps":{"wall_ms":1}},"source":{"inputs":["a",{"base64":"/w=="},{"blob":"00"}]},"open":true,"check":{"spot":{"per_mille":30}},"chunk":"auto","budget":"100"}"#,
    r#"{"v":1,"id":"0000000000003","tool":{"module":"00"},"source":{"numbers":{"from":"0","count":100}},"merge":true,"check":"copies","chunk":7}"#,
    r#"{"v":1,"from":1,"inputs":["b",{"base64":"/w=="}]}"#,
    r#"{"v":1,"secret":"00","name":"Ann","machine":"her laptop"}"#,
    r#"{"v":1,"name":"Ann","password":"correct horse"}"#,
    r#"{"v":1,"old":"correct horse","new":"battery staple"}"#,
    r#"{"v":1,"uses":3,"expires_ms":"1","roles":{"lend":true,"run":true,"admin":false},"grant":"1"}"#,
    r#"{"v":1,"what":"Ann"}"#,
    r#"{"v":1,"to":"Ann","amount":"100"}"#,
];

fn json(bytes: &[u8]) -> u64 {
    fn reads<T: DeserializeOwned>(nth: u64, bytes: &[u8]) -> u64 {
        end(nth, &serde_json::from_slice::<T>(bytes))
    }
    [
        reads::<shape::Submit>(1, bytes),
        reads::<shape::More>(2, bytes),
        reads::<shape::Join>(3, bytes),
        reads::<shape::LogIn>(4, bytes),
        reads::<shape::PasswordShape>(5, bytes),
        reads::<shape::Invite>(6, bytes),
        reads::<shape::RevokeShape>(7, bytes),
        reads::<shape::PayShape>(8, bytes),
        // What the command line reads from whatever answers.
        reads::<shape::ErrorShape>(9, bytes),
        reads::<shape::Event>(10, bytes),
        reads::<shape::Results>(11, bytes),
    ]
    .into_iter()
    .fold(0, |all, one| all.rotate_left(7) ^ one)
}

const WORDS: [&str; 6] = ["0000000000003", "127.0.0.1:7420", "hub.example:7420", "1h30m", "512MiB", "0..=1000000"];

/// Words that people pass on, and amounts that they type.
fn word(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let invited = text.parse::<invite::Invite>();
    if let Ok(invite) = &invited {
        let again = invite.to_string().parse::<invite::Invite>();
        assert_eq!(again.as_ref().ok().map(ToString::to_string), Some(invite.to_string()), "another invitation");
    }
    // Past the sum, which hardly any change gets past.
    let sealed = invite::sealed(bytes).parse::<invite::Invite>();
    [
        end(1, &invited),
        end(10, &sealed),
        end(2, &text.parse::<words::Words>()),
        end(3, &text.parse::<address::Address>()),
        text.parse::<JobId>().is_ok().into(),
        end(5, &text.parse::<store::BlobId>()),
        end(6, &amount::parse_bytes(&text)),
        end(7, &amount::parse_millis(&text)),
        end(8, &amount::parse_credits(&text)),
        end(9, &amount::parse_range(&text)),
    ]
    .into_iter()
    .fold(0, |all: u64, one: u64| all.rotate_left(7) ^ one)
}

fn module(bytes: &[u8]) -> u64 {
    end(1, &tool::inspect(bytes))
}

const CONFIG: [&str; 4] = [
    "listen = \"127.0.0.1:0\"\nslots = 4\ntls = true\ndisk = \"10GiB\"\nkeep = \"30d\"\n",
    "home = \"/tmp/x\"\nhub = \"127.0.0.1:1\"\nlog = \"info\"\n",
    r#"{"v":1,"api":"127.0.0.1:7420","link":"127.0.0.1:7421","pid":7,"key":"00"}"#,
    r#"{"v":1,"token":"00","person":"Ann","api":["127.0.0.1:7420"],"key":"00"}"#,
];

fn config(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    end(1, &toml::from_str::<Layer>(&text))
        ^ end(2, &serde_json::from_slice::<Hub>(bytes)).rotate_left(7)
        ^ end(3, &serde_json::from_slice::<Joined>(bytes)).rotate_left(14)
        ^ end(4, &serde_json::from_slice::<Session>(bytes)).rotate_left(21)
}

/// What the socket between a node and an executor holds when nothing waits on it any more.
const SOCKET_BYTES: usize = 32 << 10;

/// Both ends of the socket between a node and an executor.
fn executor(bytes: &[u8]) -> u64 {
    fn hear<T: DeserializeOwned>(bytes: &[u8]) -> u64 {
        let (mut near, far) = UnixStream::pair().expect("there are sockets");
        near.write_all(&bytes[..bytes.len().min(SOCKET_BYTES)]).expect("it has room");
        drop(near);
        let mut heard = 0;
        loop {
            match frame::receive::<T>(&far) {
                Ok(Some(_)) => heard += 1,
                Ok(None) => return heard,
                other => return end(heard, &other.map(|_| ())),
            }
        }
    }
    hear::<Tell>(bytes) ^ hear::<Ask>(bytes).rotate_left(7)
}

const NAMES: [&str; 7] = [
    "Ann",
    "a machine's name",
    "../../etc/passwd",
    "con.txt\0{}\0{1}\0{2}",
    "\u{202e}\u{1b}[2J",
    "{.}\0{/}\0{//}",
    "a\u{1f}b",
];

/// Names of people and machines, and inputs in a tool's arguments.
fn name(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let named = is_name(&text);
    let hidden =
        |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '/' | '\\');
    assert!(!(named && text.chars().any(hidden)), "a name that is shown raw moves a terminal");
    let shown = grove::cli::safe(&text);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{shown:?} moves a terminal");
    let file = grove::cli::safe_name(&text);
    let path = Path::new(&file);
    assert!(path.components().count() == 1 && path.file_name().is_some(), "{file:?} is no plain file");
    assert!(!file.contains(['/', '\\', '\0', ':']) && file.len() <= 255, "{file:?} is no file on every system");
    let words: Vec<&str> = text.split('\0').collect();
    let expanded = tokens::expand(&words, tokens::Input::Text(&text), 7).len();
    let ranged = tokens::ranged(&words).len() + usize::from(tokens::has_token(&words));
    u64::from(named) + 2 * (expanded as u64).min(50) + 200 * (ranged as u64).min(50) + 10_000 * (file.len() as u64 / 8)
}

fn certificate(bytes: &[u8]) -> u64 {
    u64::from(device::fingerprint(&bytes.into()).is_some()) + 2 * (bytes.len() as u64 / 64)
}

/// Samples of other tests: a name and hexadecimal digits a line.
fn golden(path: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let text = std::fs::read_to_string(repository().join(path)).with_context(|| format!("cannot read {path}"))?;
    let bytes = |line: &str| {
        let digits = line.split_once(' ').map_or("", |(_, digits)| digits);
        let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
        pairs.map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<Vec<u8>, _>>()
    };
    text.lines().map(|line| bytes(line).with_context(|| format!("{path}: {line}"))).collect()
}

fn chunks() -> Vec<Vec<u8>> {
    let digest: prost::bytes::Bytes = vec![7; 32].into();
    let chunk = wire::Chunk { offset: 5, data: vec![1; 100].into(), len: 105, digest: digest.clone(), lease: 3 };
    let want = wire::Want { digest, offset: 5, lease: 3 };
    vec![chunk.encode_to_vec(), want.encode_to_vec(), wire::Stored { offset: 7, whole: true }.encode_to_vec()]
}

fn modules() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut samples = Vec::new();
    for name in ["noop", "digest"] {
        let path = repository().join("tools/prebuilt").join(name).with_extension("wasm");
        samples.push(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    // The sections before the code, and some of it.
    let cut = samples[1][..4_096].to_vec();
    samples.push(cut);
    let section = [&b"\0asm\x01\0\0\0\0"[..], &[31], &[5], b"grove", b"abilities: split merge\n  ab"].concat();
    samples.push(section);
    Ok(samples)
}

fn executor_frames() -> anyhow::Result<Vec<Vec<u8>>> {
    use grove_sandbox::order::{Answer, Order};
    use grove_sandbox::{Limits, Outcome, Part, Status, Terms};
    let part = Part { args: vec!["a".to_owned()], stdin: b"input"[..].into(), files: Vec::new(), seed: 7 };
    let terms = Terms { limits: Limits::default(), real_time: false };
    let order = Order { number: 1, first: 2, terms, parts: [part].into() };
    let outcome = Outcome::early(Status::BadInput("why".to_owned()));
    let answers = vec![Answer { order: 1, place: 2, outcome }];
    Ok(vec![frame::frame(&Ask::Run(order))?, frame::frame(&Tell::Ran(answers))?])
}

fn certificates() -> anyhow::Result<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir()?;
    let device = device::Device::of(&grove::config::Home::at(folder.path().to_owned()))?;
    Ok(vec![device.certificate().to_vec()])
}

/// Somebody on the network says that there is a hub: what is made of the strings, the addresses and the port in it. The
/// datagram itself is read by a library, whose parser is not tried here.
fn announcement(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let key = text.split(['=', ' ', '\0']).find(|word| word.len() == 64);
    let ips = bytes.chunks_exact(16).filter_map(|some| <[u8; 16]>::try_from(some).ok());
    let ips = ips.map(|some| IpAddr::V6(Ipv6Addr::from(some)));
    let port = bytes.first().map_or(0, |byte| u16::from(*byte));
    let hub = nearby::Nearby::said(key, ips, port);
    let usable = |hub: &nearby::Nearby| hub.api.iter().all(|at| at.port() > 0 && !at.ip().is_unspecified());
    assert!(hub.as_ref().is_none_or(|hub| hub.api.len() <= 8 && usable(hub)), "{hub:?}");
    hub.map_or_else(|| key.is_some().into(), |hub| 2 + hub.api.len() as u64)
}

/// What a hub says of itself, and some addresses behind it.
fn announcements() -> Vec<Vec<u8>> {
    let said = |ips: usize| [format!("7 key={} ", "ab".repeat(32)).into_bytes(), vec![0x20; 16 * ips]].concat();
    vec![said(0), said(1), said(20), b"key=".to_vec()]
}

fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
