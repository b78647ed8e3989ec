//! What is not promised, in plain words: said once, before the first `lend` and before the first `run` of a folder.

use super::say;
use crate::config::Home;

const LENDER: &str = "\
what runs here: WebAssembly tools of people of your circle, in a sandbox and within limits
they see no files, no network, no names of this machine; they are told no more of you than a name made up for the job
not promised: that how fast this machine is says nothing about it, and that a sandbox and a kernel have no bugs
to stop: Ctrl-C, to rest: grove pause; to leave: grove leave; to remove everything: grove leave --purge
(this is said once; SECURITY.md says more)";

const RUNNER: &str = "\
not promised: secrecy from lenders. The owner of a lending machine could read this job: the tool, its inputs, its results
so could whoever looks after the hub. Lenders are not told who you are, nor you who they are
(this is said once; README.md says more)";

/// To whoever is about to lend.
pub(super) fn to_a_lender(home: &Home) {
    once(home, "lend", LENDER);
}

/// To whoever is about to send a job.
pub(super) fn to_a_runner(home: &Home) {
    once(home, "run", RUNNER);
}

fn once(home: &Home, what: &str, text: &str) {
    if home.is_first(what) {
        say::talk(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        assert!(home.is_first("lend") && !home.is_first("lend") && home.is_first("run"));
    }

    #[test]
    fn the_words_that_matter_are_there() {
        assert!(RUNNER.contains("owner of a lending machine could read this job"));
        assert!(LENDER.contains("not promised") && LENDER.contains("grove leave --purge"));
    }
}
