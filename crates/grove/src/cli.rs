//! The command line: one file per command. It speaks only HTTP to a node; `up`, `lend` and `peer` start one.

mod cancel;
mod completions;
mod config;
mod credits;
mod demo;
mod diary;
mod doctor;
mod exit;
mod get;
mod heed;
mod hub;
mod interrupt;
mod invite;
mod jobs;
mod join;
mod lend;
mod login;
mod node;
mod own;
mod peer;
mod peers;
mod pause;
mod people;
mod promise;
mod retry;
mod run;
mod say;
mod send;
mod sim;
mod status;
#[cfg_attr(unix, path = "cli/terminal_unix.rs")]
#[cfg_attr(not(unix), path = "cli/terminal_other.rs")]
mod terminal;
mod tree;
mod up;
mod usage;
mod watch;
mod why;

pub use exit::{Exit, Failure};
pub use run::safe_name;
pub use say::safe;

use crate::config::{Layer, Settings};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  grove up                                    a hub that also lends this machine
  grove run tool.wasm {} ::: a b c            run a tool on three inputs
  grove run -o out --stdin count.wasm ::: *.txt
  grove run --range 0..1000000 --chunk auto search.wasm

A job is named by its id, by the beginning of one, or by `last`.";

const AFTER_LONG_HELP: &str = "\
Examples:
  grove up                                    a hub that also lends this machine
  grove lend                                  lend with one more process
  grove peer                                  work with others without a hub
  grove run tool.wasm {} ::: a b c            run a tool on three inputs
  grove run tool.wasm {} :::: inputs.txt      ... on each line of a file
  grove run -o out --stdin count.wasm ::: *.txt
  grove run --range 0..1000000 --chunk auto search.wasm
  grove watch last                            come back to a job

A job is named by its id, by the beginning of one, or by `last`.

Exit codes (they never change):
    0  ok
    1  an error
    2  wrong usage: what is asked for cannot be; no inputs is among it
    3  some parts failed; the others have their results
    4  not now: nobody can run it (with --no-wait), it takes too long, or the
       hub's disk is full; nothing is lost
    5  not authorised: the token is missing or wrong
    6  the hub cannot be reached
    7  not enough credits, or the budget is too small or spent
  130  Ctrl-C; the job keeps running

Settings: a flag comes before a GROVE_* variable (GROVE_HOME, GROVE_HUB,
GROVE_LISTEN, GROVE_LINK, GROVE_TLS, GROVE_ADDRESS, GROVE_ANNOUNCE,
GROVE_SLOTS, GROVE_DISK, GROVE_MEMORY, GROVE_KEEP, GROVE_ALWAYS,
GROVE_IDLE_AFTER, GROVE_HOURS, GROVE_ON_BATTERY, GROVE_ON_METERED,
GROVE_LOAD, GROVE_TEMPERATURE, GROVE_UNLESS, GROVE_LOG), that before
$XDG_CONFIG_HOME/grove/config.toml, that before the default. NO_COLOR is
heeded. Results go to standard output, everything else to standard error.";

/// Grove turns a group's idle computers into one shared computer.
#[derive(Debug, Parser)]
#[command(name = "grove", version, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
#[command(max_term_width = 120, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub command: Command,
}

/// Which node is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// The folder with this node's state and token [default: $XDG_STATE_HOME/grove]
    #[arg(long, global = true, value_name = "FOLDER", help_heading = "Where")]
    pub home: Option<PathBuf>,
    /// The hub, where it is not the one that the folder names
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Where")]
    pub hub: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a hub that also lends this machine
    Up(up::Up),
    /// Lend this machine to a hub
    Lend(lend::Lend),
    /// Work with others without a hub
    Peer(peer::Peer),
    /// Who is near, among peers
    Peers(peers::Peers),
    /// Draw who works on which piece of a job
    Tree(tree::Tree),
    /// Run a tool on inputs, on everybody's machines
    Run(Box<run::Run>),
    /// Follow a job to its end
    Watch(watch::Watch),
    /// Fetch results
    Get(get::Get),
    /// List jobs
    Jobs(jobs::Jobs),
    /// Stop a job
    Cancel(cancel::Cancel),
    /// Run the failed parts of a job again
    Retry(retry::Retry),
    /// Send inputs into an open job
    Send(send::Send),
    /// How the hub and its lenders are
    Status(status::Status),
    /// Why a job, or this machine, is not further than it is
    Why(why::Why),
    /// What ran on this machine, and what it earned
    Diary(diary::Diary),
    /// Lend nothing from here for a while
    Pause(pause::Pause),
    /// End a pause
    Resume(pause::Resume),
    /// What there is to spend, and what was earned
    Credits(credits::Credits),
    /// Let another machine, or somebody else, into the circle
    Invite(invite::Invite),
    /// Come into a circle with this machine
    Join(join::Join),
    /// Leave the circle with this machine
    Leave(join::Leave),
    /// List the people of the circle
    People(people::People),
    /// List the machines of the circle
    Machines(people::Machines),
    /// Put out a person or a machine, or take an invitation back
    Revoke(people::Revoke),
    /// Give credits to somebody else
    Pay(people::Pay),
    /// Log in with a password
    Login(login::LogIn),
    /// End a login
    Logout(login::LogOut),
    /// Set a password, to log in from other machines
    Password(login::Password),
    /// Check this machine and its way to the hub
    Doctor(doctor::Doctor),
    /// Watch a hub and lenders factorise numbers on this machine
    Demo(demo::Demo),
    /// Watch a simulated run
    Sim(sim::Sim),
    /// Print all settings with their meaning, or change one
    Config(config::Config),
    /// Print a script that completes commands in a shell
    Completions(completions::Completions),
}

impl Place {
    /// The settings that hold here.
    pub fn settings(&self) -> Result<Settings, Failure> {
        self.settings_with(Layer::default())
    }

    /// The settings that hold here, with further flags.
    pub fn settings_with(&self, flags: Layer) -> Result<Settings, Failure> {
        let flags = Layer { home: self.home.clone(), hub: self.hub.clone(), ..flags };
        Settings::resolve(flags).map_err(|error| Failure::caused(Exit::Usage, &error))
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let Some(failure) = usage::failure(&error) else {
                // Help and version come this way too, and go to standard output.
                let _ = error.print();
                return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
            };
            return exit::explain(&failure.into());
        }
    };
    match command(cli) {
        Ok(exit) => exit.into(),
        Err(error) => exit::explain(&error),
    }
}

fn command(cli: Cli) -> anyhow::Result<Exit> {
    let place = cli.place;
    match cli.command {
        Command::Up(up) => up.go(&place),
        Command::Lend(lend) => lend.go(&place),
        Command::Peer(peer) => peer.go(&place),
        Command::Peers(peers) => peers.go(&place),
        Command::Tree(tree) => tree.go(&place),
        Command::Run(run) => run.go(&place),
        Command::Watch(watch) => watch.go(&place),
        Command::Get(get) => get.go(&place),
        Command::Jobs(jobs) => jobs.go(&place),
        Command::Cancel(cancel) => cancel.go(&place),
        Command::Retry(retry) => retry.go(&place),
        Command::Send(send) => send.go(&place),
        Command::Status(status) => status.go(&place),
        Command::Why(why) => why.go(&place),
        Command::Diary(diary) => diary.go(&place),
        Command::Pause(pause) => pause.go(&place),
        Command::Resume(resume) => resume.go(&place),
        Command::Credits(credits) => credits.go(&place),
        Command::Invite(invite) => invite.go(&place),
        Command::Join(join) => join.go(&place),
        Command::Leave(leave) => leave.go(&place),
        Command::People(people) => people.go(&place),
        Command::Machines(machines) => machines.go(&place),
        Command::Revoke(revoke) => revoke.go(&place),
        Command::Pay(pay) => pay.go(&place),
        Command::Login(login) => login.go(&place),
        Command::Logout(logout) => logout.go(&place),
        Command::Password(password) => password.go(&place),
        Command::Doctor(doctor) => doctor.go(&place),
        Command::Demo(demo) => demo.go(&place),
        Command::Sim(sim) => sim.go(),
        Command::Config(config) => config.go(),
        Command::Completions(completions) => completions.go(),
    }
}

/// Whether commands find this folder without being told.
fn is_usual_home(path: &std::path::Path) -> bool {
    Place::default().settings().is_ok_and(|usual| usual.home.path() == path)
}

/// What a person calls a job.
fn parse_job(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("a job is its id, the beginning of one, or `last`".to_owned());
    }
    Ok(text.to_owned())
}

/// The page of a job. What a person calls it is written so that it stays one step of the path.
fn page(job: &str, rest: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let name: String =
        job.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("/v1/jobs/{name}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_job_stays_one_step_of_the_path() {
        assert_eq!(page("last", "/why"), "/v1/jobs/last/why");
        assert_eq!(page("../x?y", ""), "/v1/jobs/%2E%2E%2Fx%3Fy");
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_stands_behind_the_options_fits_a_narrow_terminal() {
        let all = Cli::command();
        let texts = all.get_subcommands().chain([&all]).flat_map(|command| {
            [command.get_after_help(), command.get_after_long_help()].into_iter().flatten().map(ToString::to_string)
        });
        let texts: Vec<String> = texts.collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        let wide: Vec<&str> = lines.filter(|line| line.chars().count() > 80).collect();
        assert!(texts.len() > 2 && wide.is_empty(), "{wide:?}");
    }
}
