//! `grove doctor`: looks at what a node needs here, one line each, and says what to do about what is missing.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::config::{Settings, user_file};
use crate::shape::{Status, V};
use clap::Args;
use serde::Serialize;

#[derive(Debug, Args)]
pub struct Doctor {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    v: u32,
    findings: Vec<Finding>,
}

impl Doctor {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings()?;
        let findings = vec![configuration(), home(&settings), token(&settings), hub(place)];
        let report = Report { v: V, findings };
        let ill = report.findings.iter().any(|finding| !finding.ok);
        if self.json {
            say::json(&report)?;
        } else {
            for finding in &report.findings {
                say::line(&format!(
                    "{:<4} {:<9} {}",
                    if finding.ok { "ok" } else { "bad" },
                    finding.what,
                    finding.text
                ))?;
                finding.hint.iter().try_for_each(|hint| say::line(&format!("     hint: {hint}")))?;
            }
        }
        Ok(if ill { Exit::Error } else { Exit::Done })
    }
}

fn fine(what: &'static str, text: String) -> Finding {
    Finding { what, ok: true, text, hint: None }
}

fn ill(what: &'static str, failure: super::Failure) -> Finding {
    Finding { what, ok: false, text: failure.message, hint: failure.hint }
}

/// Settings that are wrong have ended the command before.
fn configuration() -> Finding {
    let text = match user_file() {
        Some(path) if path.exists() => format!("{} is read", path.display()),
        Some(path) => format!("the defaults; {} would change them", path.display()),
        None => "the defaults".to_owned(),
    };
    fine("settings", text)
}

fn home(settings: &Settings) -> Finding {
    let path = settings.home.path();
    if !path.exists() {
        // Who only looks leaves no trace.
        return fine("folder", format!("{} is not there yet; `grove up` and `grove join` make it", path.display()));
    }
    match settings.home.create() {
        Ok(()) => fine("folder", format!("{} is there, and its owner's alone", path.display())),
        Err(error) => ill("folder", super::Failure::caused(Exit::Error, &error)),
    }
}

fn token(settings: &Settings) -> Finding {
    match settings.home.token() {
        Ok(_) => fine("token", format!("{} is the owner's alone", settings.home.token_path().display())),
        Err(error) => ill("token", super::Failure::caused(Exit::NotAuthorised, &error)),
    }
}

fn hub(place: &Place) -> Finding {
    let asked = Hub::find(place).and_then(|hub| Ok((hub.get::<Status>("/v1/status")?, hub.address().to_owned())));
    match asked {
        Ok((status, address)) => {
            let walls = if status.walls.is_empty() { "none named".to_owned() } else { status.walls.join(", ") };
            let lenders = say::many(status.lenders, "lender");
            fine("hub", format!("{address} answers, grove {}, {lenders}; walls: {walls}", status.version))
        }
        Err(failure) => ill("hub", failure),
    }
}
