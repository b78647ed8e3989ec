//! Files as people have them: a text of ten million lines, cut and counted by two lenders, against `wc`; and a folder of
//! a gibibyte that is sent a second time.

use crate::program::{Program, Used, tool};
use anyhow::ensure;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const LINES: u64 = 10_000_000;
/// Of a line, drawn from a vocabulary that is skewed as languages are.
const WORDS_OF_A_LINE: u64 = 6;
const VOCABULARY: u64 = 20_000;
const RUNS: usize = 3;
/// The folder: so many files of so many bytes.
const FILES: u64 = 256;
const FILE_BYTES: usize = 4 << 20;

pub(crate) fn run() -> anyhow::Result<Value> {
    let program = Program::start(2)?;
    let folder = tempfile::tempdir()?;
    let text = folder.path().join("text");
    let expected = write_text(&text)?;
    let wc = best(|| wc(&text))?;
    let module = tool("wordcount.wasm").display().to_string();
    let file = text.display().to_string();
    // The tool is compiled, the lenders have shown what they are worth.
    program.grove(&["run", "--merge", &module, ":::", "a", "b", "c", "d"])?;
    let mut spent = Vec::new();
    let counted = best(|| {
        let (before, begun) = (program.used(), Instant::now());
        let said = program.grove(&["run", "--merge", "--split", &file, &module])?;
        let wall = begun.elapsed().as_secs_f64();
        spent.push(program.used().since(before));
        ensure!(said == expected.as_bytes(), "the lenders counted something else");
        Ok(wall)
    })?;
    let again = send_twice(&program, &folder.path().join("folder"))?;
    let last = spent.last().copied();
    let cpu = |of: fn(Used) -> f64| last.map(|used| hundredths(of(used)));
    Ok(json!({
        "name": "files",
        "value": hundredths(counted / wc),
        "unit": "times the wall time of `wc` over the same file, the best of three each",
        "lines": LINES,
        "bytes": std::fs::metadata(&text)?.len(),
        "wc_s": hundredths(wc),
        "wordcount_s": hundredths(counted),
        "hub_cpu_s": cpu(|used| used.hub),
        "lenders_cpu_s": cpu(|used| used.lenders),
        "executors_cpu_s": cpu(|used| used.executors),
        "command_cpu_s": cpu(|used| used.commands),
        "folder_first_s": hundredths(again.0),
        "folder_again_s": hundredths(again.1),
    }))
}

/// Writes the text, and says what `wordcount` has to say of it.
fn write_text(path: &Path) -> anyhow::Result<String> {
    let vocabulary: Vec<String> = (0..VOCABULARY).map(word).collect();
    let mut counts = vec![0_u64; vocabulary.len()];
    let mut out = BufWriter::new(File::create(path)?);
    let mut state = 1_u64;
    for _ in 0..LINES {
        for nth in 0..WORDS_OF_A_LINE {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // The product of two chances: few words are frequent, most are rare.
            let at = (state >> 40) * (state >> 16 & 0xff_ffff) % (1 << 48);
            let at = usize::try_from((u128::from(at) * u128::from(VOCABULARY)) >> 48)?;
            counts[at] += 1;
            out.write_all(vocabulary[at].as_bytes())?;
            out.write_all(if nth + 1 == WORDS_OF_A_LINE { b"\n" } else { b" " })?;
        }
    }
    out.into_inner()?.sync_all()?;
    let counted: BTreeMap<&String, u64> = vocabulary.iter().zip(counts).filter(|(_, count)| *count > 0).collect();
    let mut lines = String::new();
    counted.iter().try_for_each(|(word, count)| writeln!(lines, "{word} {count}"))?;
    Ok(lines)
}

/// The nth word: letters of its number in base 26, three at the least.
fn word(nth: u64) -> String {
    let letters = (0..3 + u32::try_from(nth % 6).unwrap_or(0)).map(|place| nth / 26_u64.pow(place) % 26);
    let letters: String = letters.map(|letter| char::from(b'a' + u8::try_from(letter).unwrap_or(0))).collect();
    format!("{letters}{nth}")
}

fn wc(path: &Path) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let status = Command::new("wc").env("LC_ALL", "C.UTF-8").arg(path).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "wc ended with {status}");
    Ok(begun.elapsed().as_secs_f64())
}

/// Seconds to submit a job over a folder, and to submit it again.
fn send_twice(program: &Program, folder: &Path) -> anyhow::Result<(f64, f64)> {
    std::fs::create_dir(folder)?;
    for nth in 0..FILES {
        let mut bytes = vec![0; FILE_BYTES];
        blake3::Hasher::new().update(&nth.to_le_bytes()).finalize_xof().fill(&mut bytes);
        let path = folder.join(format!("{nth}.bin"));
        std::fs::write(&path, &bytes)?;
        File::open(&path)?.sync_all()?;
    }
    let (module, folder) = (tool("noop.wasm").display().to_string(), folder.display().to_string());
    let submit = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let id = program.grove(&["run", "--detach", "--stdin", &module, ":::", &folder])?;
        let seconds = begun.elapsed().as_secs_f64();
        program.grove(&["cancel", String::from_utf8(id)?.trim()])?;
        Ok(seconds)
    };
    Ok((submit()?, submit()?))
}

fn best(mut once: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        least = least.min(once()?);
    }
    Ok(least)
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
