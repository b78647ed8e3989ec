//! A picture of who did what when: one row per lender, one bar per gift, a colour per number.

use super::play::{Bar, Outcome, Play};
use crate::cli::{Exit, Failure};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const WIDTH: f64 = 1_100.0;
const LEFT: f64 = 110.0;
const ROW: f64 = 34.0;
const TOP: f64 = 46.0;

/// Whether the picture can be written there, before there is one.
pub(super) fn try_out(file: &Path) -> Result<(), Failure> {
    std::fs::OpenOptions::new().create(true).append(true).open(file).map(drop).map_err(|error| unwritable(file, &error))
}

/// Writes the picture.
pub(super) fn write(file: &Path, play: &Play, wall: Duration) -> Result<(), Failure> {
    std::fs::write(file, draw(play, wall)).map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Error, format!("cannot write {}: {error}", file.display())).hint("name another file with --svg")
}

fn draw(play: &Play, wall: Duration) -> String {
    let last = play.bars().iter().map(|bar| bar.to_ms).max().unwrap_or(1).max(1);
    let scale = (WIDTH - LEFT - 20.0) / last as f64;
    let height = TOP + ROW * play.lanes().len() as f64 + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"10\" y=\"24\" font-size=\"15\">Parts on lenders, {:.1} s. A colour is a number; \
         a black mark is where its factors were found; hatched was called back; red is a lie.</text>\n\
         <defs><pattern id=\"back\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <rect width=\"5\" height=\"5\" fill=\"#eee\"/><line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\" stroke=\"#999\"/></pattern></defs>\n",
        wall.as_secs_f64()
    );
    for (at, lane) in play.lanes().iter().enumerate() {
        let y = TOP + ROW * at as f64;
        let _ = writeln!(out, "<text x=\"10\" y=\"{:.0}\">{}</text>", y + 14.0, lane.name);
        if let Some(mark) = lane.mark {
            let _ = writeln!(out, "<text x=\"10\" y=\"{:.0}\" font-size=\"9\" fill=\"#c00\">{mark}</text>", y + 25.0);
        }
        let end = WIDTH - 20.0;
        let y = y + ROW - 6.0;
        let _ = writeln!(out, "<line x1=\"{LEFT}\" y1=\"{y:.0}\" x2=\"{end}\" y2=\"{y:.0}\" stroke=\"#ddd\"/>");
    }
    play.bars().iter().for_each(|bar| one(&mut out, bar, scale));
    play.bars().iter().filter(|bar| bar.outcome == Outcome::Found).for_each(|bar| found(&mut out, bar, scale));
    let y = TOP + ROW * play.lanes().len() as f64 + 20.0;
    let step = step(last);
    for ms in (0..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let (x, seconds) = (LEFT + scale * ms as f64, ms as f64 / 1e3);
        let _ =
            writeln!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\" fill=\"#666\" text-anchor=\"middle\">{seconds} s</text>");
    }
    out.push_str("</svg>\n");
    out
}

/// Milliseconds between two marks of the time scale: a round number, so that there are ten marks at most.
fn step(last: u64) -> u64 {
    let round = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    round.take(ROUND_MAX).find(|step| last / step <= 10).unwrap_or(last)
}

/// Round numbers below 10^18: more milliseconds than anybody waits.
const ROUND_MAX: usize = 54;

fn one(out: &mut String, bar: &Bar, scale: f64) {
    let (x, y) = (LEFT + bar.from_ms as f64 * scale, TOP + ROW * bar.lane as f64 + 4.0);
    let width = ((bar.to_ms - bar.from_ms) as f64 * scale).max(1.0);
    // Neighbouring numbers get colours that are far apart.
    let hue = (bar.task % 4_096) * 137 % 360;
    let fill = match bar.outcome {
        Outcome::Returned => "url(#back)".to_owned(),
        Outcome::Refused => "#d22".to_owned(),
        Outcome::Answered | Outcome::Found => format!("hsl({hue},60%,62%)"),
    };
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"22\" fill=\"{fill}\"><title>{} of task {}, {} ms</title></rect>",
        bar.kind,
        bar.task,
        bar.to_ms - bar.from_ms
    );
}

fn found(out: &mut String, bar: &Bar, scale: f64) {
    let (x, y) = (LEFT + bar.to_ms as f64 * scale, TOP + ROW * bar.lane as f64 + 15.0);
    let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.0}\" r=\"5\" fill=\"#111\"/>");
}
