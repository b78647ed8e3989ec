//! The tool contract: how a tool with abilities is called, and how several items travel on one stream.
//!
//! A tool is a WASI command. Its custom section `grove` (see [`manifest!`]) names its abilities; whoever runs it then
//! passes a verb as the first argument and the job's own arguments after it. This crate knows neither who that is nor
//! what a tool computes.

pub mod items;

use std::io::{Read, Write};
use std::process::ExitCode;

/// What somebody can do who holds pieces of one kind of work. Only `run` is a must; the manifest says what else there is.
pub trait Tool {
    /// The answer for one input.
    fn run(&self, input: &[u8], args: &[String]) -> Result<Vec<u8>, Refused>;

    /// About `ways` pieces that together are this input, in the order in which they should be tried. None at all says:
    /// satisfied, run it here. A tool may give more or fewer where its work falls better that way.
    fn split(&self, _input: &[u8], _ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
        Ok(Vec::new())
    }

    /// One answer out of several, given in order. Associative: answers are merged in a tree.
    fn merge(&self, _answers: &[&[u8]], _args: &[String]) -> Result<Vec<u8>, Refused> {
        Err(Refused("this tool cannot merge".into()))
    }

    /// Whether `answer` is right for `input`, found out much more cheaply than by running again.
    fn check(&self, _input: &[u8], _answer: &[u8], _args: &[String]) -> Verdict {
        Verdict::CannotTell
    }
}

/// What `check` found, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right = 0,
    Wrong = 1,
    CannotTell = 2,
}

/// Why a tool could not do what it was asked; it is printed on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// Exit code of a refusal. Higher than every verdict, so that a broken `check` is never taken for one.
pub const REFUSED: u8 = 3;

/// Declares the abilities in the module's custom section `grove`, e.g. `manifest!("abilities: split merge\n")`.
#[macro_export]
macro_rules! manifest {
    ($text:literal) => {
        #[cfg_attr(target_family = "wasm", expect(unsafe_code, reason = "a custom section has no other spelling"))]
        #[cfg_attr(target_family = "wasm", unsafe(link_section = "grove"))]
        #[used]
        static MANIFEST: [u8; $text.len()] = {
            let mut bytes = [0; $text.len()];
            bytes.copy_from_slice($text.as_bytes());
            bytes
        };
    };
}

/// The whole of a tool's `main`: reads the verb and the streams, does it, and says how it ended.
pub fn obey(tool: &impl Tool) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut input = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut input) {
        return refuse(&Refused(format!("cannot read the input: {error}")));
    }
    match answer(tool, &args, &input) {
        Ok(Answer::Verdict(verdict)) => ExitCode::from(verdict as u8),
        Ok(Answer::Output(output)) => match std::io::stdout().lock().write_all(&output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refuse(&Refused(format!("cannot write the output: {error}"))),
        },
        Err(refused) => refuse(&refused),
    }
}

enum Answer {
    Output(Vec<u8>),
    Verdict(Verdict),
}

fn answer(tool: &impl Tool, args: &[String], input: &[u8]) -> Result<Answer, Refused> {
    let (verb, args) = args.split_first().map_or(("", args), |(verb, rest)| (verb.as_str(), rest));
    match verb {
        "run" => tool.run(input, args).map(Answer::Output),
        "split" => {
            let (ways, args) = args.split_first().ok_or_else(|| Refused("split needs a number of ways".into()))?;
            let ways = ways.parse().map_err(|_| Refused(format!("split {ways:?}: not a number of ways")))?;
            Ok(Answer::Output(items::write(&tool.split(input, ways, args)?)))
        }
        "merge" => tool.merge(&items::read(input)?, args).map(Answer::Output),
        "check" => match items::read(input)?[..] {
            [input, answer] => Ok(Answer::Verdict(tool.check(input, answer, args))),
            ref other => Err(Refused(format!("check needs an input and an answer, got {} items", other.len()))),
        },
        other => Err(Refused(format!("unknown verb {other:?}: expected run, split, merge or check"))),
    }
}

fn refuse(refused: &Refused) -> ExitCode {
    eprintln!("{}", refused.0);
    ExitCode::from(REFUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl Tool for Echo {
        fn run(&self, input: &[u8], args: &[String]) -> Result<Vec<u8>, Refused> {
            Ok([input, args.concat().as_bytes()].concat())
        }
        fn split(&self, input: &[u8], ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
            Ok(vec![input.to_vec(); ways])
        }
        fn check(&self, input: &[u8], answer: &[u8], _args: &[String]) -> Verdict {
            if input == answer { Verdict::Right } else { Verdict::Wrong }
        }
    }

    fn ask(args: &[&str], input: &[u8]) -> Result<Vec<u8>, Refused> {
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        match answer(&Echo, &args, input)? {
            Answer::Output(output) => Ok(output),
            Answer::Verdict(verdict) => Ok(vec![verdict as u8]),
        }
    }

    #[test]
    fn verbs_reach_the_tool_with_the_jobs_own_arguments() {
        assert_eq!(ask(&["run", "x", "y"], b"in ").expect("run"), b"in xy");
        assert_eq!(ask(&["split", "2"], b"in").expect("split"), b"2\nin2\nin");
        assert_eq!(ask(&["check"], b"1\na1\na").expect("check"), [Verdict::Right as u8]);
        assert_eq!(ask(&["check"], b"1\na1\nb").expect("check"), [Verdict::Wrong as u8]);
    }

    #[test]
    fn a_wrong_call_is_refused() {
        for (args, input) in
            [(&["dance"][..], ""), (&[], ""), (&["split"], ""), (&["split", "x"], ""), (&["check"], "1\na")]
        {
            assert!(ask(args, input.as_bytes()).is_err(), "{args:?}");
        }
        assert!(ask(&["merge"], b"1\na").is_err(), "Echo has no merge");
    }
}
