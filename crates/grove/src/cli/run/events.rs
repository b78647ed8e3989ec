//! What happens to a job as JSON, one event a line: server-sent events without their frame.

use crate::cli::hub::Hub;
use crate::cli::{Exit, interrupt, page, say};
use crate::shape::{Event, EventKind, StandingShape};
use std::io::{BufRead, BufReader, Write};

/// Passes events on until the job has ended.
pub(in crate::cli) fn print_events(hub: &Hub, job: &str) -> anyhow::Result<Exit> {
    interrupt::say_on_leaving(format!("come back with: grove watch {job}"));
    let stream = BufReader::new(hub.open(&page(job, "/events"))?.into_reader());
    let mut out = std::io::stdout().lock();
    for line in stream.lines() {
        let line = line?;
        let Some(data) = line.strip_prefix("data:").map(str::trim_start) else {
            continue;
        };
        writeln!(out, "{data}").and_then(|()| out.flush()).map_err(|error| say::closed(&error))?;
        let event: Event = serde_json::from_str(data)?;
        if let EventKind::Ended { standing, .. } = event.kind {
            return Ok(match standing {
                StandingShape::Done => Exit::Done,
                StandingShape::Failed => Exit::SomeFailed,
                StandingShape::Unpaid => Exit::Credits,
                StandingShape::Cancelled | StandingShape::Running => Exit::Error,
            });
        }
    }
    Err(super::Failure::new(Exit::Unreachable, "the stream of events broke off")
        .hint("the hub may have stopped; the job is on its books")
        .into())
}
