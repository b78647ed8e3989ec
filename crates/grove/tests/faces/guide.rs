//! What the guide names is there: every page, command and call in its tables.

use clap::CommandFactory;
use grove::api::listed;
use grove::cli::Cli;
use grove::invite::Invite;
use grove::link::{Acquaintance, Secret};
use grove::peers::Ticket;
use grove_core::id::Digest;

const IDLE: &str = include_str!("../../../../docs/guide/idle.md");
const API: &str = include_str!("../../../../docs/guide/api.md");
const COMMANDS: &str = include_str!("../../../../docs/guide/commands.md");
const JOINING: &str = include_str!("../../../../docs/guide/joining.md");
const README: &str = include_str!("../../../../README.md");
const LENDING: &str = include_str!("../../../../docs/guide/lending.md");
pub(super) const PEERS: &str = include_str!("../../../../docs/guide/peers.md");
const PROTO: &str = include_str!("../../proto/grove/v1/node.proto");

/// All commands and answers of IDLE.
const WORDS: [&str; 21] = [
    "GID", "GPW", "GIP", "GPT", "EXF", "GOF", "TOF", "SDN", "SCF", "FLD", "OK", "EOF", "SSD", "BYE", "ILR", "NLA",
    "LCS", "DCN", "MML", "WBL", "RCS",
];

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// `METHOD /path` as the guide says it; what follows a `?` are its options.
fn pages(text: &str) -> Vec<(String, String)> {
    let page = |words: &str| {
        let (method, path) = words.split_once(" /v1/")?;
        let path = path.split(['?', ' ']).next().unwrap_or_default();
        method.bytes().all(|byte| byte.is_ascii_uppercase()).then(|| (method.to_owned(), format!("/v1/{path}")))
    };
    quoted(text).filter_map(page).collect()
}

#[test]
fn routes_that_the_guide_names_exist_and_none_is_left_out() {
    let listed = listed();
    let is = |method: &str, path: &str| listed.iter().any(|(m, p, _)| m == method && *p == path);
    for (method, path) in [pages(IDLE), pages(API)].concat() {
        let path = path.replace("{blake3}", "{id}");
        assert!(is(&method, &path), "the guide names {method} {path}, which is not there");
    }
    for (method, path, _) in &listed {
        let last = path.rsplit_once("/v1").unwrap().1;
        let last = last.strip_prefix("/jobs/{id}").filter(|rest| !rest.is_empty()).unwrap_or(last);
        let named = API.replace("{blake3}", "{id}").contains(last);
        assert!(named, "docs/guide/api.md does not name {method} {path}");
    }
}

#[test]
fn commands_that_the_guide_names_exist() {
    let cli = Cli::command();
    let names = |text: &'static str| {
        let words = quoted(text).filter_map(|words| words.strip_prefix("grove "));
        words.filter_map(|words| words.split_whitespace().next()).map(|word| word.trim_matches(',')).collect::<Vec<_>>()
    };
    let all = [names(IDLE), names(COMMANDS), names(JOINING), names(LENDING), names(PEERS)].concat();
    assert!(all.len() > 30, "{all:?}");
    for name in all {
        let known = name.starts_with('-') || name.chars().all(char::is_uppercase) || name == "help";
        assert!(known || cli.find_subcommand(name).is_some(), "the guide names `grove {name}`, which is not there");
    }
    let undescribed = |name: &&str| ![COMMANDS, JOINING].iter().any(|text| text.contains(name));
    let listed: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    let missing: Vec<&&str> = listed.iter().filter(|name| undescribed(name)).collect();
    assert!(missing.is_empty(), "the guide says nothing of {missing:?}");
}

#[test]
fn every_word_of_idle_has_its_row_and_what_stands_there_is_true() {
    for word in WORDS {
        let rows = IDLE
            .lines()
            .filter(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(&format!("`{word}`")));
        assert_eq!(rows.count(), 1, "{word}");
    }
    for call in ["Speak", "Fetch", "Store"] {
        assert!(IDLE.contains(&format!("the call `{call}`")) && PROTO.contains(&format!("rpc {call}(")), "{call}");
    }
    for message in ["Hello", "Bye", "Give", "Done", "Noted"] {
        assert!(IDLE.contains(message) && PROTO.contains(&format!("message {message} ")), "{message}");
    }
}

#[test]
fn every_setting_is_in_the_guide() {
    for setting in grove::config::change::list().unwrap() {
        let row = COMMANDS.lines().any(|line| line.starts_with(&format!("| `{}` |", setting.key)));
        assert!(row, "docs/guide/commands.md has no row for the setting {}", setting.key);
    }
}

/// Commands that stand in blocks of their own, without what is said of them.
pub(super) fn commands(text: &'static str) -> Vec<&'static str> {
    let code = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let commands = code.filter(|line| line.starts_with("grove "));
    commands.map(|line| line.split(['#', '>']).next().unwrap()).collect()
}

#[test]
fn commands_in_the_readme_and_in_two_guides_are_understood_as_they_stand() {
    let (lending, peers, readme) = (commands(LENDING), commands(PEERS), commands(README));
    assert!(lending.len() > 15 && peers.len() > 10 && readme.len() > 7, "{peers:?} {readme:?}");
    let peer = Acquaintance { key: [9; 32], addresses: vec!["10.0.0.1:7422".parse().unwrap()] };
    let ticket = Ticket { group: Secret([7; 32]), peer }.to_string();
    let invitation = Invite { key: Digest([7; 32]), secret: [9; 16], api: vec!["10.0.0.1:7420".parse().unwrap()] };
    let invitation = invitation.to_string();
    // What stands between these is no word yet.
    for command in [lending, peers, readme].concat().into_iter().filter(|command| !command.contains('<')) {
        // What a shell would take as one word.
        let words = command.replace("TICKET", &ticket).replace("INVITATION", &invitation).replace('\'', "");
        assert!(Cli::command().try_get_matches_from(words.split_whitespace()).is_ok(), "{command}");
    }
}
