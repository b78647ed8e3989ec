//! The second wall: what an executor process shuts itself out of before it touches anything a stranger made.
//! The floor must stand or the executor refuses to work; what stands above it is named, so that `status` can tell.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod unknown;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub(crate) use linux::{escape, raise};
#[cfg(not(target_os = "linux"))]
pub(crate) use unknown::{escape, raise};

/// What an executor is to be shut in by; the node says it on the executor's command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The user to become, when started as root.
    pub uid: u32,
    /// Writable memory.
    pub data_bytes: u64,
    /// CPU seconds in all; none for executors that run parts, whose work fuel bounds.
    pub cpu_seconds: Option<u64>,
    /// Size of a file it may write through a passed descriptor.
    pub file_bytes: u64,
    /// Everything else on this machine comes first.
    pub gentle: bool,
    /// An empty folder to have as the whole file system.
    pub empty: PathBuf,
}

impl Plan {
    /// As words of a command line.
    #[must_use]
    pub fn to_args(&self) -> [String; 6] {
        [
            self.uid.to_string(),
            self.data_bytes.to_string(),
            self.cpu_seconds.unwrap_or(0).to_string(),
            self.file_bytes.to_string(),
            self.gentle.to_string(),
            self.empty.display().to_string(),
        ]
    }

    /// From words of a command line.
    #[must_use]
    pub fn from_args(args: &[String]) -> Option<Plan> {
        let [uid, data_bytes, cpu_seconds, file_bytes, gentle, empty] = args else {
            return None;
        };
        Some(Plan {
            uid: uid.parse().ok()?,
            data_bytes: data_bytes.parse().ok()?,
            cpu_seconds: Some(cpu_seconds.parse().ok()?).filter(|seconds| *seconds > 0),
            file_bytes: file_bytes.parse().ok()?,
            gentle: gentle.parse().ok()?,
            empty: empty.into(),
        })
    }
}

/// One thing that shuts an executor in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// What it is called.
    pub name: String,
    /// Whether it stands on this machine.
    pub stands: bool,
    /// Whether nothing is run without it.
    pub floor: bool,
    /// What it keeps out, or why it does not stand.
    pub why: String,
}

/// One native attempt to get out, made from inside the walls by the self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was tried.
    pub what: String,
    /// Whether the walls held.
    pub refused: bool,
    /// What the system said.
    pub said: String,
}

/// What the self-test tries to reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Files that must stay unread: the node's token, another executor's memory.
    pub files: Vec<String>,
    /// A folder that must stay unwritten.
    pub folder: String,
    /// A loopback port on which somebody listens.
    pub port: u16,
    /// A process that must stay untouched.
    pub pid: i32,
}
