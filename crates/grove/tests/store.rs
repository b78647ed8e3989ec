//! The store as processes and disks treat it.

mod crash;
#[cfg(target_os = "linux")]
mod disk;
