//! How a command ends: the exit codes, and the one line (and its hint) that says what went wrong.

use super::say;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The documented exit codes. They never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Error = 1,
    Usage = 2,
    SomeFailed = 3,
    NotPlaced = 4,
    NotAuthorised = 5,
    Unreachable = 6,
    Credits = 7,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that knows its exit code and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), hint: None }
    }

    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// With the words of another error, and its hint if it has one.
    pub fn caused(exit: Exit, error: &(dyn Error + 'static)) -> Failure {
        let (message, hint) = told(error);
        Failure { exit, message, hint }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(out, "\nhint: {hint}"))
    }
}

impl Error for Failure {}

/// Says what went wrong: one line with all causes, and what can be done about it.
pub(super) fn explain(error: &anyhow::Error) -> ExitCode {
    let exit = error.downcast_ref::<Failure>().map_or(Exit::Error, |failure| failure.exit);
    if exit == Exit::Done {
        // It ended early and well: whoever read its output stopped.
        return exit.into();
    }
    let (message, hint) = told(error.as_ref());
    say::talk(&format!("error: {message}"));
    if let Some(hint) = hint {
        say::talk(&format!("hint: {hint}"));
    }
    exit.into()
}

/// The chain of causes as one line, and the last hint in it. A cause that an outer message repeats is left out.
fn told(error: &(dyn Error + 'static)) -> (String, Option<String>) {
    let (mut message, mut hint) = (String::new(), None);
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        let (text, more) = text.split_once("\nhint: ").map_or((text.as_str(), None), |(text, hint)| (text, Some(hint)));
        if !message.contains(text.trim()) {
            message = if message.is_empty() { text.to_owned() } else { format!("{message}: {text}") };
        }
        hint = more.map(str::to_owned).or(hint);
        cause = error.source();
    }
    (message.trim_end().to_owned(), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Home, HomeError};

    #[test]
    fn causes_stand_in_one_line_and_the_hint_comes_last() {
        let error =
            HomeError::Io { doing: "read", path: "/x/token".into(), source: std::io::Error::other("broken disk") };
        let failure = Failure::caused(Exit::NotAuthorised, &error);
        assert_eq!(failure.message, "cannot read /x/token: broken disk");
        assert!(failure.hint.unwrap().contains("--home"));
        let wrapped = anyhow::Error::new(Home::at("/nowhere/at/all".into()).hub().unwrap_err()).context("asking");
        let (message, hint) = told(wrapped.as_ref());
        assert_eq!(message, "asking: no hub has been started here: /nowhere/at/all/hub.json is missing");
        assert!(hint.unwrap().starts_with("start one with `grove up`"));
    }
}
