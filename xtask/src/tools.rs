//! `cargo xtask tools`: compiles the example tools to `tools/prebuilt/*.wasm`, or proves that those modules are what the
//! source builds. It does not know what the tools do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

const TARGET: &str = "wasm32-wasip1";
const TOOLS: [&str; 8] = ["digest", "factor", "kernels", "nap", "noop", "render", "spin", "wordcount"];
/// Beside the modules: the toolchain that made them. Another one makes other bytes.
const TOOLCHAIN_FILE: &str = "TOOLCHAIN";
/// 128-bit products become one instruction; the sandbox has it switched on.
const FEATURES: &str = "-Ctarget-feature=+wide-arithmetic";
/// Where Debian's packages put the library's source and the C library for WASI.
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";
const MISSING: &str = "no Rust compiler for wasm32-wasip1\n\
    hint: rustup target add wasm32-wasip1, or on Debian: apt-get install rustc-web rust-web-src wasi-libc lld-22";

/// Build the example tools to WebAssembly
#[derive(Debug, clap::Args)]
pub(crate) struct Tools {
    /// Build into a scratch folder and compare with the committed modules
    #[arg(long)]
    check: bool,
}

/// The bytes of a module hang on the path of its sources, by way of the names that the compiler gives to symbols: so
/// they are built at the same place wherever the repository lies.
const BUILD_PLACE: &str = "/tmp/grove-tools";

impl Tools {
    /// Only compares.
    pub(crate) fn checked() -> Tools {
        Tools { check: true }
    }

    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask stands in the repository")?;
        let prebuilt = root.join("tools/prebuilt");
        if self.check { check(root, &prebuilt) } else { build(root, &prebuilt) }
    }
}

fn build(root: &Path, prebuilt: &Path) -> anyhow::Result<()> {
    let toolchain = Toolchain::all().into_iter().next().context(MISSING)?;
    for tool in TOOLS {
        let module = toolchain.compile(root, tool)?;
        fs::write(module_path(prebuilt, tool), &module).with_context(|| format!("cannot write {tool}.wasm"))?;
        eprintln!("{tool}.wasm: {} bytes", module.len());
    }
    fs::write(prebuilt.join(TOOLCHAIN_FILE), toolchain.name + "\n").context("cannot write the toolchain's name")
}

fn check(root: &Path, prebuilt: &Path) -> anyhow::Result<()> {
    let wanted = fs::read_to_string(prebuilt.join(TOOLCHAIN_FILE)).context("cannot read tools/prebuilt/TOOLCHAIN")?;
    let here = Toolchain::all();
    let Some(toolchain) = here.iter().find(|toolchain| toolchain.name == wanted.trim_end()) else {
        let names: Vec<&str> = here.iter().map(|toolchain| toolchain.name.as_str()).collect();
        println!(
            "skipped: the modules were built by {}; here is {}",
            wanted.trim_end(),
            match names[..] {
                [] => MISSING.into(),
                _ => names.join(" and "),
            }
        );
        return Ok(());
    };
    let mut differing = Vec::new();
    for tool in TOOLS {
        let path = module_path(prebuilt, tool);
        let committed = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if committed != toolchain.compile(root, tool)? {
            differing.push(tool);
        }
    }
    ensure!(differing.is_empty(), "not what the source builds: {}\nhint: cargo xtask tools", differing.join(", "));
    println!("{} modules are what the source builds", TOOLS.len());
    Ok(())
}

fn module_path(folder: &Path, tool: &str) -> PathBuf {
    folder.join(tool).with_extension("wasm")
}

/// A Rust compiler for WASI that is installed here.
struct Toolchain {
    name: String,
    cargo: &'static str,
    rustc: &'static str,
    kind: Kind,
}

enum Kind {
    /// With its own standard library for the target.
    Target,
    /// Debian's: the library is compiled from source and linked with Debian's WASI C library.
    Source { linker: PathBuf },
}

impl Toolchain {
    /// Best first.
    fn all() -> Vec<Self> {
        [Self::with_target(), Self::debian()].into_iter().flatten().collect()
    }

    fn with_target() -> Option<Self> {
        let library = said("rustc", &["--print", "target-libdir", "--target", TARGET])?;
        let name = said("rustc", &["--version"])?;
        Path::new(&library).is_dir().then_some(Self { name, cargo: "cargo", rustc: "rustc", kind: Kind::Target })
    }

    fn debian() -> Option<Self> {
        let (cargo, rustc) = ("/usr/bin/cargo", "/usr/bin/rustc");
        let version = said(rustc, &["--version"])?;
        let libc = said("dpkg-query", &["--showformat=${Package} ${Version}", "--show", "wasi-libc"])?;
        let bundled = said("rustc", &["--print", "sysroot"])? + "/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
        let linkers = [PathBuf::from("/usr/bin/rust-lld"), PathBuf::from(bundled)];
        let linker = linkers.into_iter().find(|linker| linker.exists())?;
        let linker_version = said(linker.to_str()?, &["-flavor", "wasm", "--version"])?;
        let present = Path::new(DEBIAN_SOURCE).join("library/std").is_dir() && Path::new(DEBIAN_LIBC).is_dir();
        let name = format!("{version}, {libc}, {linker_version}");
        present.then_some(Self { name, cargo, rustc, kind: Kind::Source { linker } })
    }

    /// The module's bytes.
    fn compile(&self, root: &Path, tool: &str) -> anyhow::Result<Vec<u8>> {
        let scratch = root.join("target/tools");
        let place = Path::new(BUILD_PLACE);
        lay_out(&root.join("tools"), &place.join("tools"))?;
        let mut cargo = Command::new(self.cargo);
        cargo.current_dir(place.join("tools")).args(["rustc", "--release", "--quiet", "--locked", "--target", TARGET]);
        cargo.args(["--package", tool, "--bin", tool]);
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER"] {
            cargo.env_remove(variable);
        }
        let mut flags = vec![FEATURES.into(), format!("--remap-path-prefix={BUILD_PLACE}=/grove")];
        if let Kind::Source { linker } = &self.kind {
            cargo.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_WASIP1_LINKER", linker);
            flags.extend(["-Clinker-flavor=wasm-ld".into(), "-Clink-self-contained=no".into()]);
            flags.push(format!("--remap-path-prefix={DEBIAN_SOURCE}=/rust"));
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env("RUSTC", self.rustc);
        cargo.env("CARGO_TARGET_DIR", &scratch).arg("--").args(self.link_args(tool));
        let output = cargo.output().with_context(|| format!("cannot start {}", self.cargo))?;
        if !output.status.success() {
            bail!("{tool}: {} ended with {}\n{}", self.cargo, output.status, String::from_utf8_lossy(&output.stderr));
        }
        let module = module_path(&scratch.join(TARGET).join("release"), tool);
        fs::read(&module).with_context(|| format!("cannot read {}", module.display()))
    }

    fn link_args(&self, tool: &str) -> Vec<String> {
        // Without a C library and a stack, a fresh instance has no memory to prepare.
        if tool == "noop" {
            let args = ["--export=_start", "--export-memory", "-zstack-size=0"].map(|arg| format!("-Clink-arg={arg}"));
            return [vec!["-Clink-self-contained=no".into()], args.to_vec()].concat();
        }
        match self.kind {
            Kind::Target => Vec::new(),
            Kind::Source { .. } => vec![
                format!("-Clink-arg={DEBIAN_LIBC}/crt1-command.o"),
                format!("-Lnative={DEBIAN_LIBC}"),
                "-Clink-arg=-lc".into(),
            ],
        }
    }
}

/// Copies the sources of the tools to where they are built.
fn lay_out(from: &Path, to: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if !entry.file_type()?.is_dir() {
            fs::copy(entry.path(), target)?;
        } else if name != "target" && name != "prebuilt" {
            lay_out(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// What a program says in one line, if it is there and content.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
