//! Runner and lender carry canaries in all that a machine knows of itself, and work for one another. Whatever reaches the
//! other one's machine is then looked through: packets, folders, logs, what is printed, the memory of its processes.
//! What is said inside of TLS is looked at by a test of the program itself.

use super::net::{Net, Place, Running, Told};
use super::{invite, tool};
use anyhow::{Context, ensure};
use memchr::memmem;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const JOBS: usize = 200;
/// So often the lender's memory is looked through while it works.
const LOOKS: usize = 4;
/// What a machine's environment, its books and its people tell, and each name is a canary's.
const TOLD: &str = include_str!("../../../crates/grove/tests/faces/told.txt");
/// So much of what stands around a canary is told.
const AROUND: usize = 80;
/// A lender is linked within this.
const LINKED: Duration = Duration::from_secs(20);
/// A memory region larger than this is address space set aside, and not in use.
const REGION_MAX: u64 = 1 << 30;

/// One of the two, and what it must keep to itself.
struct Side {
    place: Place,
    secrets: Vec<(String, String)>,
}

pub(super) fn kept(net: &Net) -> anyhow::Result<()> {
    let runner = Side::new(net, "ann", "runner", "run")?;
    let lender = Side::new(net, "dan", "lender", "lend")?;
    let (heard_here, heard_there) = (runner.place.tap()?, lender.place.tap()?);
    let lending = lender.place.start(&["lend", "--always", "--slots", "1"])?;
    let began = Instant::now();
    while super::lenders(net)? != 1 {
        ensure!(began.elapsed() < LINKED, "the lender does not come in");
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = Instant::now();
    let (printed, in_memory) = work(&runner, &lending)?;
    let took = began.elapsed();
    let folder_of = |side: &Side| -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        read_all(&side.place.home, &mut bytes)?;
        Ok(bytes)
    };
    let (packets_here, packets_there) = (heard_here.packets()?, heard_there.packets()?);
    drop((lending, heard_here, heard_there));
    let together: usize = [&packets_here, &packets_there]
        .map(|packets| packets.iter().filter(|packet| is_between(packet, &runner.place, &lender.place)).count())
        .iter()
        .sum();
    ensure!(together == 0, "{together} packets between runner and lender");
    ensure!(packets_here.len() > JOBS && packets_there.len() > JOBS, "the packets are not seen");
    let of_lender = [("packets", packets_there.concat()), ("folder", folder_of(&lender)?), ("memory", in_memory)];
    let of_runner = [("packets", packets_here.concat()), ("folder", folder_of(&runner)?), ("words", printed)];
    let seen = |all: &[(&str, Vec<u8>)], what| all.iter().any(|(_, bytes)| found(bytes, what).is_some());
    ensure!(seen(&of_lender, "three words here") && seen(&of_runner, "outcome"), "the work itself is not seen");
    let mut leaks = Vec::new();
    for (side, heard, other) in [(&runner, &of_lender, "lender"), (&lender, &of_runner, "runner")] {
        for ((what, canary), (place, bytes)) in
            side.secrets.iter().flat_map(|one| heard.iter().map(move |all| (one, all)))
        {
            leaks.extend(found(bytes, canary).map(|around| format!("the {other}'s {place} hold {what}: {around}")));
        }
    }
    ensure!(leaks.is_empty(), "{}", leaks.join("\n"));
    println!(
        "ok: {} and {} canaries, {JOBS} jobs in {:.1} s, {} MiB looked through: 0 found, 0 of {} packets between the two",
        runner.secrets.len(),
        lender.secrets.len(),
        took.as_secs_f64(),
        of_lender.iter().chain(&of_runner).map(|(_, bytes)| bytes.len()).sum::<usize>() >> 20,
        packets_here.len() + packets_there.len(),
    );
    Ok(())
}

impl Side {
    /// Joins; `who` is in every canary, so that no two are the same.
    fn new(net: &Net, place: &str, who: &str, role: &str) -> anyhow::Result<Side> {
        let canary = |what: &str| format!("canary{who}{}", what.to_lowercase().replace('_', ""));
        let told: Vec<_> = TOLD.lines().map(|name| (name.to_owned(), canary(name))).collect();
        let machine = canary("machine");
        let place = net.place(place).beside(&canary("folder")).disguised(&told, &machine)?;
        let person = canary("person");
        let word = invite(net, &["--role", role])?;
        place.right(&["join", &word, "--name", &person, "--machine", &canary("name")])?;
        let mut secrets = told;
        let mut more = |what: &str, canary: String| secrets.push((what.to_owned(), canary));
        for what in ["folder", "name", "job", "login", "module"] {
            more(what, canary(what));
        }
        more("machine", machine);
        more("invitation", word);
        let key = std::fs::read_to_string(place.home.join("device.key"))?;
        more("private key", key.trim().to_owned());
        more("key", key_of(net, &person)?);
        more("person", person);
        more("hardware address", place.hardware()?);
        more("address", place.address.clone());
        Ok(Side { place, secrets })
    }

    fn secret(&self, what: &str) -> anyhow::Result<&str> {
        let found = self.secrets.iter().find(|(name, _)| name == what).map(|(_, canary)| canary.as_str());
        found.with_context(|| format!("no canary for {what}"))
    }
}

/// The fingerprint of somebody's machine, as the hub lists it.
fn key_of(net: &Net, person: &str) -> anyhow::Result<String> {
    let listed = net.place("hub").right(&["machines", "--json"])?;
    let listed: serde_json::Value = serde_json::from_str(&listed)?;
    let machine = listed["machines"].as_array().into_iter().flatten().find(|machine| machine["person"] == person);
    let machine = machine.with_context(|| format!("{person}'s machine is listed: {listed}"))?;
    Ok(machine["key"].as_str().context("a machine has a key")?.to_owned())
}

/// Jobs of all kinds: right ones, broken ones, wrong words, taken back, checked in every way. What was printed, and what
/// was in the lender's memory meanwhile.
fn work(runner: &Side, lending: &Running) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let home = &runner.place.home;
    let maker = runner.secret("module")?;
    let module = home.join(format!("{maker}.wasm"));
    std::fs::write(&module, breaker(maker))?;
    let input = home.join(format!("{maker}.txt"));
    std::fs::write(&input, "three words here\n")?;
    let script = home.join(format!("{maker}.py"));
    std::fs::write(&script, "def work(text):\n    raise ValueError('broken')\n")?;
    let [module, input, script] = [module, input, script].map(|path| path.display().to_string());
    let (noop, counts, spin) = (tool("noop"), tool("wordcount"), tool("spin"));
    let python = crate::python::there().is_some();
    let job = runner.secret("job")?;
    let (mut printed, mut in_memory) = (Vec::new(), Vec::new());
    let mut told = |code: &[i32], words: &[&str]| -> anyhow::Result<Told> {
        let told = runner.place.grove(words)?;
        ensure!(code.contains(&told.code), "grove {}: {told:?}", words.join(" "));
        printed.extend_from_slice(told.out.as_bytes());
        printed.extend_from_slice(told.err.as_bytes());
        Ok(told)
    };
    for nth in 0..JOBS {
        match nth % 8 {
            0 => drop(told(&[0], &["run", "--json", &noop, ":::", "a", "b"])?),
            1 => drop(told(&[0], &["run", "--json", "--stdin", &counts, ":::", &input])?),
            2 => drop(told(&[3], &["run", "--json", &module, ":::", "a"])?),
            3 => drop(told(&[0], &["run", "--name", job, "--check", "trust", &noop, "{}", ":::", "x"])?),
            4 => drop(told(&[0], &["run", "--check", "spot=100", &noop, "{}", ":::", "x", "y"])?),
            5 => {
                let spinning = told(&[0], &["run", "--detach", &spin, ":::", "1000000000000"])?;
                told(&[0], &["cancel", spinning.out.trim()])?;
            }
            // A tool that is told what it does not know, and a budget that pays for nothing.
            6 => drop(told(&[0, 3], &["run", "--json", &tool("factor"), ":::", "no number"])?),
            _ if python && nth < 24 => drop(told(&[3], &["run", "--json", &script, ":::", "a"])?),
            _ => drop(told(&[7], &["run", "--budget", "0.000001", &counts, ":::", "a"])?),
        }
        if nth % (JOBS / LOOKS) == JOBS / LOOKS - 1 {
            memory(lending.pid(), &mut in_memory)?;
        }
    }
    for words in [&["jobs"][..], &["status"], &["why", "last"], &["credits", "--log"], &["machines"], &["doctor"]] {
        told(&[0, 1], words)?;
    }
    Ok((printed, in_memory))
}

/// A module that breaks, with names that a trace would show and sections that tell of whoever made it.
fn breaker(maker: &str) -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, CustomSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemorySection,
        MemoryType, Module, NameMap, NameSection, TypeSection,
    };
    let (mut types, mut functions, mut exports, mut code) =
        (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    functions.function(0);
    exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, 0);
    let mut start = Function::new([]);
    start.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
    code.function(&start);
    let mut names = NameMap::new();
    names.append(0, maker);
    let mut name = NameSection::new();
    name.module(maker);
    name.functions(&names);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code).section(&name);
    module.section(&CustomSection { name: "producers".into(), data: maker.as_bytes().into() });
    module.section(&CustomSection { name: ".debug_line".into(), data: maker.as_bytes().into() });
    module.finish()
}

/// In which clothes a canary may come: as it is, in hex, and in base64 wherever it begins.
fn clothes(canary: &str) -> Vec<Vec<u8>> {
    let mut hex = String::new();
    for byte in canary.bytes() {
        // A string takes whatever is written.
        let _ = write!(hex, "{byte:02x}");
    }
    let mut all = vec![canary.into(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for ahead in 0..3 {
        let padded = [&vec![0; ahead][..], canary.as_bytes()].concat();
        let text = base64(&padded[..padded.len() / 3 * 3]);
        // The first digits also hold what stands before.
        all.push(text.as_bytes()[if ahead == 0 { 0 } else { 4 }..].to_vec());
    }
    all
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let three = |some: &[u8]| some.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
    let four = |bits: u32| [18, 12, 6, 0].map(|by| char::from(DIGITS[(bits >> by & 63) as usize]));
    bytes.chunks_exact(3).flat_map(|some| four(three(some))).collect()
}

/// What stands around a canary, if it is there.
fn found(bytes: &[u8], canary: &str) -> Option<String> {
    let at = clothes(canary).iter().find_map(|dressed| memmem::find(bytes, dressed))?;
    let around = &bytes[at.saturating_sub(AROUND)..bytes.len().min(at + canary.len() + AROUND)];
    Some(around.escape_ascii().to_string())
}

/// Whether somebody speaks to the other directly.
fn is_between(packet: &[u8], one: &Place, other: &Place) -> bool {
    let ends = packet.get(26..34).and_then(|ends| <[u8; 8]>::try_from(ends).ok());
    let [a, b, c, d, e, f, g, h] = ends.unwrap_or_default();
    let (from, to) = (format!("{a}.{b}.{c}.{d}"), format!("{e}.{f}.{g}.{h}"));
    let is = |place: &Place, address: &str| place.address == address;
    is(one, &from) && is(other, &to) || is(other, &from) && is(one, &to)
}

/// Names and contents of all that lies in a folder.
fn read_all(folder: &Path, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        bytes.extend_from_slice(entry.file_name().as_encoded_bytes());
        match entry.file_type()?.is_dir() {
            true => read_all(&entry.path(), bytes)?,
            // Sockets, and files that have gone meanwhile.
            false => bytes.extend(std::fs::read(entry.path()).unwrap_or_default()),
        }
    }
    Ok(())
}

/// What a process and those that it has started hold in memory.
fn memory(pid: u32, bytes: &mut Vec<u8>) -> anyhow::Result<()> {
    use std::os::unix::fs::FileExt;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let file = std::fs::File::open(format!("/proc/{pid}/mem"))?;
    for line in maps.lines().filter(|line| line.contains(" rw-p ") || line.contains(" rw-s ")) {
        let range = line.split_once(' ').and_then(|(range, _)| range.split_once('-'));
        let Some((Ok(from), Ok(to))) =
            range.map(|(from, to)| (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)))
        else {
            continue;
        };
        if to - from > REGION_MAX {
            continue;
        }
        let mut region = vec![0; usize::try_from(to - from)?];
        // Some regions are the kernel's own.
        if let Ok(read) = file.read_at(&mut region, from) {
            bytes.extend_from_slice(&region[..read]);
        }
    }
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children.split_ascii_whitespace().filter_map(|child| child.parse().ok()) {
        // It may have ended meanwhile.
        let _ = memory(child, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canaries_are_found_in_all_their_clothes() {
        let canary = "canaryrunnerhostname";
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVh");
        for ahead in ["", "x", "xy", "xyz"] {
            let said = format!("{ahead}{canary} and more");
            let hex: String = said.bytes().map(|byte| format!("{byte:02x}")).collect();
            let padded = format!("{said}  ");
            for bytes in [said.clone().into_bytes(), hex.into_bytes(), base64(padded.as_bytes()).into_bytes()] {
                assert!(found(&bytes, canary).is_some(), "{}", String::from_utf8_lossy(&bytes));
            }
        }
        assert_eq!(found(b"something else altogether", canary), None);
    }
}
