//! The self-test of the second wall: pretends that the engine is broken and tries, natively, to get out.
//! Everything here must be refused; `tests` and `doctor` look at each answer.

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::process::Command;

use rustix::process::{Pid, Signal};

use crate::walls::{Attempt, Targets};

/// Tries everything and reports each.
pub(crate) fn escape(targets: &Targets) -> Vec<Attempt> {
    let mut attempts = vec![
        attempt("read /etc/passwd", std::fs::read("/etc/passwd")),
        attempt("list /", std::fs::read_dir("/")),
        attempt("list /proc", std::fs::read_dir("/proc")),
        attempt("read its own memory map", std::fs::read("/proc/self/maps")),
        attempt("make a file in /", std::fs::write("/planted", b"x")),
        attempt("make a file in /tmp", std::fs::write("/tmp/planted-by-an-executor", b"x")),
        attempt("start a program", Command::new("/bin/sh").arg("-c").arg("true").spawn()),
        attempt("start itself", Command::new("/proc/self/exe").spawn()),
        attempt("connect to loopback", TcpStream::connect(("127.0.0.1", targets.port))),
        attempt("open a UDP socket", UdpSocket::bind("127.0.0.1:0")),
        attempt("open a Unix socket", std::os::unix::net::UnixDatagram::unbound()),
        attempt("become root", rustix::thread::set_thread_res_uid(rustix::fs::Uid::ROOT, None, None)),
        attempt("leave its root", rustix::process::chroot("..")),
        attempt("raise its memory limit", raise_data()),
        attempt("outlive its node", rustix::process::set_parent_process_death_signal(None)),
    ];
    for file in &targets.files {
        attempts.push(attempt(&format!("read {file}"), std::fs::read(file)));
    }
    if !targets.folder.is_empty() {
        let planted = format!("{}/planted", targets.folder);
        attempts.push(attempt(&format!("write {planted}"), std::fs::write(&planted, b"x")));
    }
    if let Some(pid) = Pid::from_raw(targets.pid) {
        attempts.push(attempt("kill another process", rustix::process::kill_process(pid, Signal::KILL)));
        attempts.push(attempt("ask about another process", rustix::process::test_kill_process(pid)));
        attempts.push(attempt("trace another process", trace(targets.pid)));
        attempts.push(attempt("write another's memory", std::fs::write(format!("/proc/{}/mem", targets.pid), b"x")));
    }
    attempts
}

fn attempt<T>(what: &str, tried: Result<T, impl Into<io::Error>>) -> Attempt {
    match tried {
        Ok(_) => Attempt { what: what.to_owned(), refused: false, said: "done".to_owned() },
        Err(error) => Attempt { what: what.to_owned(), refused: true, said: error.into().to_string() },
    }
}

fn raise_data() -> io::Result<()> {
    let all = rustix::process::Rlimit { current: None, maximum: None };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Data, all)?)
}

#[expect(unsafe_code, reason = "tracing has no safe wrapper, and being refused is what is tested")]
fn trace(pid: i32) -> io::Result<()> {
    // SAFETY: attaching passes no pointers.
    let done = unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
