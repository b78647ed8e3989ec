//! What the command line cannot make sense of, said as every other error here: one line, then a hint. Knows clap, and
//! no command.

use super::{Cli, Exit, Failure};
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// How the standard library says that something is no number.
const NO_NUMBERS: [&str; 3] = [
    "invalid digit found in string",
    "cannot parse integer from empty string",
    "number too large to fit in target type",
];

/// The same as one of our own failures; `None` for what is none: help and the version.
pub(super) fn failure(error: &Error) -> Option<Failure> {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return None;
    }
    Some(Failure::new(Exit::Usage, message(error)).hint(hint(error)))
}

fn message(error: &Error) -> String {
    let named = |kind| error.get(kind).map(texts).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand => format!("there is no command {}", named(ContextKind::InvalidSubcommand)),
        ErrorKind::UnknownArgument => format!("nothing here takes {}", named(ContextKind::InvalidArg)),
        ErrorKind::MissingRequiredArgument => format!("missing: {}", named(ContextKind::InvalidArg)),
        _ => {
            // The first paragraph says what is wrong; usage and tips follow it.
            let text = error.render().to_string();
            let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
            NO_NUMBERS.iter().fold(line, |line, text| line.replace(text, "it is not a whole number that fits"))
        }
    }
}

fn hint(error: &Error) -> String {
    let command = asked().map_or_else(|| "grove".to_owned(), |name| format!("grove {name}"));
    let suggested = |kind| error.get(kind).map(nearest).filter(|text| !text.is_empty());
    if let Some(name) = suggested(ContextKind::SuggestedSubcommand) {
        return format!("did you mean `grove {name}`? `grove help` lists all commands");
    }
    if let Some(name) = suggested(ContextKind::SuggestedArg) {
        return format!("did you mean {name}? `{command} --help` lists all options");
    }
    match (error.kind(), error.get(ContextKind::Usage)) {
        (ErrorKind::InvalidSubcommand, _) => "`grove help` lists all commands".to_owned(),
        (ErrorKind::MissingRequiredArgument, Some(usage)) => {
            let usage = usage.to_string();
            let usage = usage.trim_start_matches("Usage: ").trim();
            format!("{usage}   (`{command} --help` says more)")
        }
        _ => format!("`{command} --help` says what it takes"),
    }
}

/// The command that was meant, as far as it is one.
fn asked() -> Option<String> {
    let known = Cli::command();
    std::env::args_os()
        .skip(1)
        .filter_map(|word| word.into_string().ok())
        .find(|word| known.find_subcommand(word).is_some())
}

fn texts(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(" "),
        other => other.to_string(),
    }
}

/// Of several, the last is the nearest.
fn nearest(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.last().cloned().unwrap_or_default(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn check(words: &[&str], message: &str, hint: &str) {
        let error = Cli::try_parse_from(words).unwrap_err();
        let failure = failure(&error).unwrap();
        let found = (failure.exit, failure.message.as_str(), failure.hint.as_deref().unwrap_or_default());
        assert!(found.0 == Exit::Usage && found.1 == message && found.2.contains(hint), "{words:?}: {found:?}");
    }

    #[test]
    fn each_mistake_is_one_line_and_a_hint() {
        check(&["grove", "stauts"], "there is no command stauts", "did you mean `grove status`?");
        check(&["grove", "zzzzzz"], "there is no command zzzzzz", "`grove help` lists all commands");
        check(&["grove", "send"], "missing: <JOB>", "grove send <JOB> [INPUTS]...");
        check(&["grove", "pay"], "missing: <NAME> <CREDITS>", "grove pay <NAME> <CREDITS>");
        check(&["grove", "get", "--fialed"], "nothing here takes --fialed", "did you mean --failed?");
        check(&["grove", "get", "a", "b"], "nothing here takes b", "--help` says what it takes");
        check(
            &["grove", "sim", "--nodes", "x"],
            "invalid value 'x' for '--nodes <N>': it is not a whole number that fits",
            "--help`",
        );
        check(
            &["grove", "completions", "foo"],
            "invalid value 'foo' for '<SHELL>' [possible values: bash, elvish, fish, powershell, zsh]",
            "--help`",
        );
    }

    #[test]
    fn help_and_version_are_no_mistakes() {
        for words in [&["grove", "--help"][..], &["grove", "--version"], &["grove", "help", "run"], &["grove"]] {
            assert_eq!(failure(&Cli::try_parse_from(words).unwrap_err()), None, "{words:?}");
        }
    }
}
