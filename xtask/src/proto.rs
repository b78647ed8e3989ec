//! Makes the Rust of the gRPC contract. It is committed, so that building Grove needs neither protoc nor a generator.
//!
//! The first lines of the file seal it: a hash of the contract it was made from and one of what was made.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

const CONTRACT: &str = "grove/v1/node.proto";

/// Writes the file.
pub fn write() -> Result<()> {
    let path = committed();
    std::fs::write(&path, generate()?).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn grove() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/grove")
}

fn committed() -> PathBuf {
    grove().join("src/link/wire.rs")
}

fn generate() -> Result<String> {
    let folder = grove().join("proto");
    let contract = std::fs::read(folder.join(CONTRACT)).with_context(|| format!("cannot read {CONTRACT}"))?;
    let descriptors = protox::compile([CONTRACT], [&folder])?;
    let out = std::env::temp_dir().join(format!("grove-proto-{}", std::process::id()));
    std::fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .out_dir(&out)
        .bytes(".")
        // Counts and sizes are looked at before anything is decoded.
        .codec_path("crate::link::codec::Bounded")
        // Connections are made by the link, over any stream.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    let made = std::fs::read_to_string(out.join("grove.v1.rs"))?;
    std::fs::remove_dir_all(&out)?;
    Ok(format!(
        "// Made by `cargo proto`; not to be edited.\n// contract {}\n// made {}\n{made}",
        blake3::hash(&contract),
        blake3::hash(made.as_bytes()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_rust_is_what_the_contract_makes() {
        let committed = std::fs::read_to_string(committed()).expect("the committed file");
        let made = generate().expect("the contract compiles");
        assert!(
            committed == made,
            "the contract has changed\nhint: run `cargo proto` and commit the result"
        );
    }
}
