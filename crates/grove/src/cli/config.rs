//! `grove config`: every setting, what it means and what it is, and changing one.

use super::{Exit, Failure, say};
use crate::config::change::{self, Holds};
use crate::config::{Settings, user_file};
use crate::shape::V;
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List all settings, with where each was said
    List {
        /// Answer with one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print what a setting is
    Get {
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Say what a setting is from now on
    Set {
        #[arg(value_name = "KEY")]
        key: String,
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
    },
    /// Go back to what a setting is by default
    Unset {
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Print where the user's file is
    Path,
}

/// A setting, for programs.
#[derive(Debug, Serialize)]
struct Said {
    key: String,
    value: String,
    from: String,
}

#[derive(Debug, Serialize)]
struct Listed {
    v: u32,
    settings: Vec<Said>,
}

impl Config {
    pub fn go(&self) -> anyhow::Result<Exit> {
        match &self.what {
            None => explain()?,
            Some(What::List { json }) => list(*json)?,
            Some(What::Get { key }) => say::line(&change::get(key).map_err(usage)?.value)?,
            Some(What::Set { key, value }) => told(key, Some(value))?,
            Some(What::Unset { key }) => told(key, None)?,
            Some(What::Path) => match user_file() {
                Some(path) => say::line(&path.display().to_string())?,
                None => return Err(Failure::usage("there is no home folder").hint("set XDG_CONFIG_HOME").into()),
            },
        }
        Ok(Exit::Done)
    }
}

fn usage(error: crate::config::ConfigError) -> Failure {
    Failure::caused(Exit::Usage, &error)
}

fn explain() -> anyhow::Result<()> {
    say::line(Settings::explained().trim_end())?;
    if let Some(path) = user_file() {
        let is = if path.exists() { "is read" } else { "is not there yet" };
        say::talk(&format!("{} {is}: what it says comes before these", path.display()));
        say::talk("next:  grove config set KEY VALUE    change one, there");
    }
    Ok(())
}

fn list(json: bool) -> anyhow::Result<()> {
    let all = change::list().map_err(usage)?;
    if json {
        let said = |one: change::Setting| Said { key: one.key, value: one.value, from: one.from };
        return say::json(&Listed { v: V, settings: all.into_iter().map(said).collect() });
    }
    let rows: Vec<Vec<String>> = all.into_iter().map(|one| vec![one.key, one.value, one.from]).collect();
    say::table(&["SETTING", "IS", "SAID BY"], &rows).iter().try_for_each(|line| say::line(line))?;
    Ok(())
}

/// Changes it, and says when that holds.
fn told(key: &str, value: Option<&str>) -> anyhow::Result<()> {
    let path = change::set(key, value).map_err(usage)?;
    let now = change::get(key).map_err(usage)?;
    let holds = if now.from.starts_with("GROVE_") {
        format!("but the variable {} comes before the file", now.from)
    } else {
        match change::holds(key) {
            Holds::AtOnce => "holds at once, where no flag of `grove up` or `grove lend` says otherwise".to_owned(),
            Holds::NextCommand => "holds from the next command on".to_owned(),
            Holds::AfterRestart => "holds after a restart of `grove up` or `grove lend`".to_owned(),
        }
    };
    say::talk(&format!("{key} = {:?} in {}; {holds}", now.value, path.display()));
    Ok(())
}
