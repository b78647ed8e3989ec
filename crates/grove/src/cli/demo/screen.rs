//! What a person sees while it happens: one lane per lender on a terminal, plain lines otherwise.

use super::children::Role;
use super::play::Play;
use crate::cli::say;
use factor::Number;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often something is said where nobody can see lanes.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Lines are never wider than the narrowest usual terminal: a line that wraps spoils the lanes.
const WIDTH: usize = 80;
const BAR: usize = 16;
/// Of a lane: enough that a demo of the usual size fits.
const PARTS_A_BLOCK: u64 = 24;

/// The lanes.
pub(super) struct Screen {
    live: bool,
    colour: bool,
    numbers: usize,
    drawn: usize,
    said: Instant,
}

impl Screen {
    pub(super) fn new(numbers: &[Number]) -> Screen {
        let live = io::stderr().is_terminal();
        let colour = live && std::env::var_os("NO_COLOR").is_none();
        Screen { live, colour, numbers: numbers.len(), drawn: 0, said: Instant::now() }
    }

    pub(super) fn draw(&mut self, play: &Play) {
        if self.live {
            let _ = self.draw_lanes(play);
        } else if self.said.elapsed() >= PLAIN_EVERY || play.ended() {
            self.said = Instant::now();
            say::talk(&self.summary(play));
        }
    }

    /// Something worth a line of its own: above the lanes, where it stays.
    pub(super) fn note(&mut self, line: &str) {
        if self.drawn > 0 {
            let _ = write!(io::stderr().lock(), "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
        say::talk(line);
    }

    fn summary(&self, play: &Play) -> String {
        let paid: u64 = play.lanes().iter().map(|lane| lane.micro_credits).sum();
        format!(
            "{:6.1} s  {}/{} numbers  {} parts  {} credits",
            play.seconds(),
            play.finished(),
            self.numbers,
            play.parts(),
            credits(paid)
        )
    }

    fn draw_lanes(&mut self, play: &Play) -> io::Result<()> {
        let mut out = String::new();
        if self.drawn > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn));
        }
        let done = play.finished();
        let width = BAR * done / self.numbers.max(1);
        let bar = format!("{}{}", "█".repeat(width), "░".repeat(BAR - width));
        let lines: Vec<String> = std::iter::once(format!("{bar}  {}", self.summary(play).trim_start()))
            .chain((0..play.lanes().len()).map(|lane| self.lane(play, lane)))
            .collect();
        for line in &lines {
            out.push_str(line);
            out.push_str("\x1b[K\n");
        }
        self.drawn = lines.len();
        io::stderr().lock().write_all(out.as_bytes())
    }

    fn lane(&self, play: &Play, at: usize) -> String {
        let lane = &play.lanes()[at];
        let doing = match (lane.mark, play.doing(at)) {
            (Some(mark), _) => mark.to_owned(),
            (None, Some(bar)) => format!("{:<5} task {}", bar.kind, bar.task % 1_000_000),
            (None, None) => "idle".to_owned(),
        };
        let colour = match (lane.mark, lane.role) {
            _ if !self.colour => ("", ""),
            (Some(_), _) => ("\x1b[31m", "\x1b[0m"),
            (None, Role::Honest) => ("\x1b[32m", "\x1b[0m"),
            (None, _) => ("\x1b[33m", "\x1b[0m"),
        };
        format!(
            "  {}{:<10}{} {:<19} {:>6} parts {:>9} credits  {}",
            colour.0,
            lane.name,
            colour.1,
            doing,
            lane.answers,
            credits(lane.micro_credits),
            "▪".repeat(usize::try_from(lane.answers / PARTS_A_BLOCK).unwrap_or(0).min(BAR - 2))
        )
    }
}

/// Micro-credits as people read them.
fn credits(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// Rows on standard output, their columns as wide as they need.
pub(super) fn table(rows: impl Iterator<Item = [String; 4]>) -> io::Result<()> {
    let head = ["number = factors", "check", "found by", "took"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let narrow = widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > WIDTH;
    if narrow {
        return paragraphs(&rows[1..]);
    }
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say::line(cells.join("  ").trim_end())?;
    }
    say::line("")
}

/// The same where the columns are too wide: each number with what there is to say below it.
fn paragraphs(rows: &[[String; 4]]) -> io::Result<()> {
    for [line, check, by, took] in rows {
        let (number, factors) = line.split_once(" = ").unwrap_or((line, "?"));
        say::line(number)?;
        say::line(&format!("  = {factors}  {check}  {by}  {took}"))?;
    }
    say::line("")
}

/// What each lender did and earned.
pub(super) fn lanes(play: &Play) -> io::Result<()> {
    for lane in play.lanes() {
        let mark = lane.mark.map(|mark| format!("  ({mark})")).unwrap_or_default();
        say::line(&format!(
            "{:<10} {:>6} parts  {:>14} fuel  {:>9} credits{mark}",
            lane.name,
            lane.answers,
            lane.fuel,
            credits(lane.micro_credits)
        ))?;
    }
    let lent: u64 = play.lanes().iter().map(|lane| lane.answers).sum();
    let checked = play.parts().saturating_sub(lent);
    if checked > 0 {
        say::line(&format!("{:<10} {checked:>6} parts  run by the hub itself, to check answers", "hub"))?;
    }
    say::line("")
}
