//! How far a job is: a bar on a terminal, a line every ten seconds anywhere else.

use crate::amount::credits_text;
use crate::cli::say;
use crate::shape::JobShape;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a job is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{bar:24} {msg}  eta {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress { bar, said: Instant::now() }
    }

    /// The job as it is now.
    pub(super) fn show(&mut self, job: &JobShape) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(job.items);
                bar.set_position(job.done + job.failed);
                bar.set_message(text(job));
            }
            None if self.said.elapsed() >= LINE_EVERY => {
                self.said = Instant::now();
                say::talk(&format!("job {}: {}", say::short_id(&job.id), text(job)));
            }
            None => {}
        }
    }

    /// Does something while the bar is out of the way.
    pub(super) fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(what),
            None => what(),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn text(job: &JobShape) -> String {
    let what = if job.stage == "merge" { "merging, " } else { "" };
    let checking = if job.checking > 0 { format!("  {} checking", job.checking) } else { String::new() };
    format!(
        "{what}{}/{} done  {} running  {} waiting{checking}  {} failed  {} credits",
        job.done,
        job.items,
        job.running,
        job.waiting + job.queued,
        job.failed,
        credits_text(i128::from(job.spent.0))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_counts() {
        let job = crate::cli::jobs::tests::job();
        assert_eq!(text(&job), "71/120 done  14 running  35 waiting  0 failed  2.10 credits");
    }
}
