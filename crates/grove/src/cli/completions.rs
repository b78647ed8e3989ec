//! `grove completions`: a script for a shell.

use super::{Cli, Exit, say};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::io::Write;

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn go(&self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "grove", &mut script);
        std::io::stdout().lock().write_all(&script).map_err(|error| say::closed(&error))?;
        Ok(Exit::Done)
    }
}
