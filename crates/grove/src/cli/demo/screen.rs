//! What a person sees while it happens: one lane per lender on a terminal, plain lines otherwise.

use super::children::Role;
use super::play::{Lane, Play};
use crate::cli::{Failure, say, terminal};
use factor::Number;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often something is said where nobody can see lanes.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// A terminal of the usual width has room for all that there is to say of a lane.
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
        let columns = terminal::columns(io::stderr()).unwrap_or(WIDTH);
        let mut out = String::new();
        if self.drawn > 0 {
            out.push_str(&format!("\x1b[{}A", self.drawn));
        }
        let lines = self.lines(play, columns);
        for line in &lines {
            out.push_str(line);
            out.push_str("\x1b[K\n");
        }
        self.drawn = lines.len();
        io::stderr().lock().write_all(out.as_bytes())
    }

    /// None is wider than the terminal: a line that wraps spoils those above it.
    fn lines(&self, play: &Play, columns: usize) -> Vec<String> {
        let done = BAR * play.finished() / self.numbers.max(1);
        let bar = if columns < WIDTH {
            String::new()
        } else {
            format!("{}{}  ", "█".repeat(done), "░".repeat(BAR - done))
        };
        let head = cut(&format!("{bar}{}", self.summary(play).trim_start()), columns);
        std::iter::once(head)
            .chain(play.lanes().iter().enumerate().map(|(at, lane)| self.lane(play, at, lane, columns)))
            .collect()
    }

    fn lane(&self, play: &Play, at: usize, lane: &Lane, columns: usize) -> String {
        let (credits, parts) = (credits(lane.micro_credits), lane.answers);
        let what = play.doing(at).map(|bar| (bar.kind.as_str(), bar.task % 1_000_000));
        let text = if columns < WIDTH {
            let doing = lane.mark.or_else(|| what.map(|(kind, _)| kind)).unwrap_or("idle");
            format!(" {parts:>4} parts {credits:>9}  {doing}")
        } else {
            let doing = match (lane.mark, what) {
                (Some(mark), _) => mark.to_owned(),
                (None, Some((kind, task))) => format!("{kind:<5} task {task}"),
                (None, None) => "idle".to_owned(),
            };
            let blocks = usize::try_from(parts / PARTS_A_BLOCK).unwrap_or(BAR).min(BAR - 2);
            format!(" {doing:<19} {parts:>6} parts {credits:>9} credits  {}", "▪".repeat(blocks))
        };
        let name = cut(&format!("{:<10}", lane.name), columns);
        let text = cut(&text, columns.saturating_sub(name.chars().count()));
        let colour = match (lane.mark, lane.role) {
            _ if !self.colour => return name + &text,
            (Some(_), _) => "\x1b[31m",
            (None, Role::Honest) => "\x1b[32m",
            (None, _) => "\x1b[33m",
        };
        format!("{colour}{name}\x1b[0m{text}")
    }
}

/// The beginning of a line. The last column stays free: some terminals go on to the next line behind it.
fn cut(line: &str, columns: usize) -> String {
    line.chars().take(columns.saturating_sub(1)).collect()
}

/// Micro-credits as people read them.
fn credits(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// Rows on standard output, their columns as wide as they need.
pub(super) fn table(rows: impl Iterator<Item = [String; 4]>) -> Result<(), Failure> {
    let head = ["number = factors", "check", "found by", "took"].map(str::to_owned);
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let columns = terminal::columns(io::stdout()).unwrap_or(WIDTH);
    let narrow = widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > columns;
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
fn paragraphs(rows: &[[String; 4]]) -> Result<(), Failure> {
    for [line, check, by, took] in rows {
        let (number, factors) = line.split_once(" = ").unwrap_or((line, "?"));
        say::line(number)?;
        say::line(&format!("  = {factors}  {check}  {by}  {took}"))?;
    }
    say::line("")
}

/// What each lender did and earned.
pub(super) fn lanes(play: &Play) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_fit_the_terminal_and_say_the_most_that_it_has_room_for() {
        let mut play = Play::default();
        play.meet("a".into(), "lender 1", Role::Honest);
        play.meet("b".into(), "lender 32", Role::Liar);
        play.happened("b", "found out, not paid");
        let screen = Screen { live: true, colour: false, numbers: 10, drawn: 0, said: Instant::now() };
        for columns in [200, 80, 40, 20, 1] {
            let lines = screen.lines(&play, columns);
            assert!(
                lines.len() == 3 && lines.iter().all(|line| line.chars().count() < columns),
                "{columns}: {lines:?}"
            );
        }
        let narrow = screen.lines(&play, 40);
        assert!(narrow[0].starts_with("0.0 s  0/10 numbers") && narrow[1].ends_with("0.000000  idle"), "{narrow:?}");
        assert!(screen.lines(&play, 80)[2].contains("found out, not paid      0 parts  0.000000 credits"));
        let coloured = Screen { colour: true, ..screen }.lines(&play, 40);
        assert_eq!(coloured[1].replace("\x1b[32m", "").replace("\x1b[0m", ""), narrow[1]);
    }
}
