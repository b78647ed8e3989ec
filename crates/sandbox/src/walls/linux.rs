//! Linux: own user, limits, no new privileges, seccomp (the floor); namespaces, an empty root and Landlock on top.

mod attack;
mod calls;

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetStatus,
    Scope,
};
use rustix::fs::{Gid, Uid};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags};

pub(crate) use attack::escape;

use super::{Plan, Wall};

/// Streams, the socket, passed inputs and compiled code.
const DESCRIPTORS: u64 = 256;
/// The main thread, the watch, and the compiler's threads.
const THREADS: u64 = 32;
/// A container may map few users; these are mapped in nearly all.
const SMALL_UIDS: std::ops::Range<u32> = 20_000..60_000;

/// Shuts this process in for good. Must be called while it has one thread.
pub(crate) fn raise(plan: &Plan) -> Result<Vec<Wall>, Wall> {
    look_at_own_pages();
    let root = rustix::process::geteuid().is_root();
    let namespaces = above("namespaces", "no network, no shared memory, no mounts", enter_namespaces(root));
    let empty = above("empty root", "no file of this machine can even be named", enter_empty_root(plan));
    let user = if root {
        floor("own user", "this machine's files and processes are somebody else's", become_user(plan.uid))?
    } else {
        Wall { name: "own user".into(), stands: false, floor: false, why: "the node does not run as root".into() }
    };
    Ok(vec![
        user,
        floor("limits", "memory, files and processes are bounded", set_limits(plan, root))?,
        floor("no privileges", "no rights, and no program can give it any", give_up_privileges())?,
        floor("dies with its node", "nothing is left behind", die_with_parent())?,
        empty,
        namespaces,
        above("landlock", "no file, no TCP port, no signal to others", restrict()),
        floor("seccomp", "only the system calls that computing needs", calls::filter())?,
    ])
}

/// The engine clears memory faster if it knows which pages were written. What is opened here is kept, so it is
/// opened without rights: with them it would also tell where in the machine's memory those pages lie.
fn look_at_own_pages() {
    let Ok(all) = rustix::thread::capabilities(None) else {
        return;
    };
    let none = CapabilitySets { effective: CapabilitySet::empty(), ..all };
    if rustix::thread::set_capabilities(None, none).is_ok() {
        crate::tool::can_see_own_pages();
        // Should this fail, the walls that need rights do not stand, and say so.
        let _ = rustix::thread::set_capabilities(None, all);
    }
}

fn floor(name: &str, keeps: &str, raised: io::Result<()>) -> Result<Wall, Wall> {
    let wall = Wall { floor: true, ..above(name, keeps, raised) };
    if wall.stands { Ok(wall) } else { Err(wall) }
}

fn above(name: &str, keeps: &str, raised: io::Result<()>) -> Wall {
    let stands = raised.is_ok();
    let why = raised.err().map_or_else(|| keeps.to_owned(), |error| error.to_string());
    Wall { name: name.to_owned(), stands, floor: false, why }
}

#[expect(unsafe_code, reason = "rustix marks the call so for a flag that is not used here")]
fn enter_namespaces(root: bool) -> io::Result<()> {
    let apart = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWNS;
    let flags = if root { apart } else { apart | UnshareFlags::NEWUSER };
    // SAFETY: descriptors stay shared, since `UnshareFlags::FILES` is not among the flags.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

fn enter_empty_root(plan: &Plan) -> io::Result<()> {
    rustix::process::chdir(&plan.empty)?;
    rustix::process::chroot(".")?;
    Ok(rustix::process::chdir("/")?)
}

fn become_user(uid: u32) -> io::Result<()> {
    let small = SMALL_UIDS.start + uid % (SMALL_UIDS.end - SMALL_UIDS.start);
    rustix::thread::set_thread_groups(&[])?;
    set_ids(uid).or_else(|_| set_ids(small))?;
    if set_ids(Uid::ROOT.as_raw()).is_ok() {
        return Err(io::Error::other("still root after giving it up"));
    }
    Ok(())
}

/// Only one thread exists yet, so setting the thread's ids sets the process's.
fn set_ids(id: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    Ok(rustix::thread::set_thread_res_uid(uid, uid, uid)?)
}

fn set_limits(plan: &Plan, own_user: bool) -> io::Result<()> {
    let set =
        |resource, most: u64| rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // Not the address space, of which the engine reserves much and uses little.
    set(Resource::Data, plan.data_bytes)?;
    set(Resource::Core, 0)?;
    set(Resource::Nofile, DESCRIPTORS)?;
    set(Resource::Fsize, plan.file_bytes)?;
    set(Resource::Memlock, 0)?;
    if let Some(seconds) = plan.cpu_seconds {
        set(Resource::Cpu, seconds)?;
    }
    // Without a user of its own the number would count the person's other processes too.
    if own_user {
        set(Resource::Nproc, THREADS)?;
    }
    Ok(())
}

/// Inside a user namespace of its own a process has all rights there, until it gives them up.
fn give_up_privileges() -> io::Result<()> {
    let none = CapabilitySet::empty();
    let nothing = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, nothing)?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// The kernel's half; a closed socket is the other. Set after the user, since changing that forgets it.
fn die_with_parent() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn restrict() -> io::Result<()> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(ABI::V4)))
        .and_then(|rules| rules.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(io::Error::other("this kernel has no Landlock")),
    }
}
