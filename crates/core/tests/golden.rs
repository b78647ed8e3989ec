//! Golden samples: every fact and message as it was first written down. Old journals hold such bytes, so they must be
//! read for ever. A sample is never rewritten; `cargo xtask bless` appends those of new variants.

mod facts;
mod messages;
mod values;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One sample at least of every variant of an enum. A variant that is not listed does not compile.
macro_rules! samples {
    ($kind:ident: $($variant:ident => [$($sample:expr),+ $(,)?]),+ $(,)?) => {{
        let variant = |value: &$kind| match value {
            $($kind::$variant { .. } => stringify!($variant)),+
        };
        let mut samples = Vec::new();
        $(for (at, sample) in [$($sample),+].into_iter().enumerate() {
            assert_eq!(variant(&sample), stringify!($variant), "listed under another variant");
            samples.push((format!("{}::{}.{at}", stringify!($kind), stringify!($variant)), sample));
        })+
        samples
    }};
}
pub(crate) use samples;

/// A committed file of samples: a name and its bytes a line.
#[derive(Debug)]
pub(crate) struct Golden {
    path: PathBuf,
    lines: BTreeMap<String, String>,
    known: Vec<String>,
    wrong: Vec<String>,
    new: String,
}

impl Golden {
    fn open(name: &str) -> Golden {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = |line: &str| line.split_once(' ').map(|(name, bytes)| (name.to_owned(), bytes.to_owned()));
        let lines: BTreeMap<String, String> = text.lines().filter_map(line).collect();
        assert_eq!(lines.len(), text.lines().count(), "{}: a line is damaged or there twice", path.display());
        Golden { path, lines, known: Vec::new(), wrong: Vec::new(), new: String::new() }
    }

    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, samples: Vec<(String, T)>) {
        for (name, sample) in samples {
            match self.lines.get(&name) {
                None => {
                    let bytes = postcard::to_stdvec(&sample).expect("a sample can be written");
                    writeln!(self.new, "{name} {}", hex(&bytes)).expect("memory can be written to");
                }
                Some(line) => match postcard::from_bytes::<T>(&bytes(line)) {
                    Ok(read) if read == sample => {}
                    Ok(read) => self.wrong.push(format!("{name}: old bytes now mean {read:?}")),
                    Err(error) => self.wrong.push(format!("{name}: old bytes are not read any more: {error}")),
                },
            }
            self.known.push(name);
        }
    }

    /// Compares, or appends what is new if that was asked for.
    fn close(mut self) {
        let gone = self.lines.keys().filter(|name| !self.known.contains(name));
        self.wrong.extend(gone.map(|name| format!("{name}: its sample is gone from the test")));
        assert!(
            self.wrong.is_empty(),
            "\n{}\njournals with such bytes exist: put the old form back, and add a new variant at the end instead\n",
            self.wrong.join("\n")
        );
        if env::var_os("GROVE_BLESS").is_some() {
            let text = fs::read_to_string(&self.path).unwrap_or_default() + &self.new;
            fs::write(&self.path, text).expect("samples can be written");
            return;
        }
        let path = self.path.display();
        assert!(self.new.is_empty(), "\n{path} lacks\n{}if these are new: cargo xtask bless\n", self.new);
    }
}

#[test]
fn facts_are_read_for_ever() {
    let mut golden = Golden::open("facts.txt");
    golden.check(facts::samples());
    golden.close();
}

#[test]
fn messages_are_read_for_ever() {
    let mut golden = Golden::open("messages.txt");
    golden.check(messages::samples());
    golden.close();
}

#[test]
fn what_they_hold_is_read_for_ever() {
    let mut golden = Golden::open("values.txt");
    values::check(&mut golden);
    golden.close();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory can be written to");
        text
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(|two| pair(two).expect("samples are written in hexadecimal")).collect()
}
