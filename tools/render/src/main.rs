//! Renders the Mandelbrot set: `WIDTHxHEIGHT X Y ZOOM ROUNDS`, for instance `640x480 -0.74 0.11 40 2000`, becomes a PNG.
//! A picture is cut into bands of rows, as long as a band is worth it; bands that touch become one, and the whole
//! becomes a picture.

mod png;

use std::ops::Range;
use std::process::ExitCode;

use contract::{Refused, Tool};

contract::manifest!("abilities: split merge\n");

fn main() -> ExitCode {
    contract::obey(&Render)
}

/// Starting a piece costs more than so many rounds of the iteration.
const ROUNDS_MIN: u64 = 2_000_000;
/// A picture stays below what one answer may be.
const SIDE_MAX: u32 = 4_096;
/// What a band's bytes begin with.
const BAND: &str = "band";
/// Red, green and blue.
const DEPTH: usize = 3;

struct Render;

/// What is to be seen, and which rows of it. Pieces carry the very words that were given: no number is written anew.
#[derive(Debug, Clone, PartialEq)]
struct View<'a> {
    words: [&'a str; 5],
    width: u32,
    height: u32,
    x: f64,
    y: f64,
    zoom: f64,
    rounds: u32,
    rows: Range<u32>,
}

/// Rows that have been rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Band {
    width: u32,
    height: u32,
    rows: Range<u32>,
    pixels: Vec<u8>,
}

impl Tool for Render {
    fn run(&self, input: &[u8], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let view = View::read(input)?;
        let pixels = view.rows.clone().flat_map(|row| (0..view.width).flat_map(move |column| [(row, column)]));
        let pixels = pixels.flat_map(|(row, column)| view.colour(row, column)).collect();
        Ok(Band { width: view.width, height: view.height, rows: view.rows, pixels }.written())
    }

    fn split(&self, input: &[u8], ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
        let view = View::read(input)?;
        let (rows, most) = (view.rows.end - view.rows.start, u64::from(view.width) * u64::from(view.rounds));
        // At the worst, every pixel takes all rounds.
        let worth = u64::from(rows) * most / ROUNDS_MIN;
        let ways = u32::try_from(worth.min(ways as u64)).unwrap_or(u32::MAX).min(rows);
        if ways < 2 {
            return Ok(Vec::new());
        }
        let cut = |nth: u32| {
            view.rows.start + u32::try_from(u64::from(rows) * u64::from(nth) / u64::from(ways)).unwrap_or(rows)
        };
        Ok((0..ways).map(|nth| View { rows: cut(nth)..cut(nth + 1), ..view.clone() }.written().into_bytes()).collect())
    }

    fn merge(&self, answers: &[&[u8]], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let mut whole: Option<Band> = None;
        for answer in answers {
            let band = Band::read(answer).ok_or_else(|| Refused("an answer is not a band".into()))?;
            whole = Some(match whole {
                None => band,
                Some(above) => above.with(band)?,
            });
        }
        whole.map(Band::written).ok_or_else(|| Refused("there is nothing to merge".into()))
    }
}

impl View<'_> {
    fn read(input: &[u8]) -> Result<View<'_>, Refused> {
        let usage = || Refused("expected `WIDTHxHEIGHT X Y ZOOM ROUNDS`, such as `640x480 -0.74 0.11 40 2000`".into());
        let text = std::str::from_utf8(input).map_err(|_| usage())?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let ([size, x, y, zoom, rounds] | [size, x, y, zoom, rounds, _]) = words[..] else { return Err(usage()) };
        let (width, height) = size.split_once('x').ok_or_else(usage)?;
        let side = |text: &str| text.parse().ok().filter(|side| (1..=SIDE_MAX).contains(side)).ok_or_else(usage);
        let number = |text: &str| decimal(text).ok_or_else(usage);
        let (width, height) = (side(width)?, side(height)?);
        let rows = match words.get(5) {
            None => 0..height,
            Some(rows) => {
                let (from, to) = rows.split_once("..").ok_or_else(usage)?;
                from.parse().map_err(|_| usage())?..to.parse().map_err(|_| usage())?
            }
        };
        let (given, x, y, zoom) = ([size, x, y, zoom, rounds], number(x)?, number(y)?, number(zoom)?);
        let rounds = rounds.parse().map_err(|_| usage())?;
        let sound = rows.start < rows.end && rows.end <= height && zoom > 0.0;
        if sound { Ok(View { words: given, width, height, x, y, zoom, rounds, rows }) } else { Err(usage()) }
    }

    fn written(&self) -> String {
        format!("{} {}..{}", self.words.join(" "), self.rows.start, self.rows.end)
    }

    /// How long a point stays near, as a colour; black if it never leaves.
    fn colour(&self, row: u32, column: u32) -> [u8; DEPTH] {
        let step = 3.0 / (self.zoom * f64::from(self.width));
        let c_re = self.x + (f64::from(column) - f64::from(self.width) / 2.0) * step;
        let c_im = self.y + (f64::from(row) - f64::from(self.height) / 2.0) * step;
        let (mut re, mut im) = (0.0, 0.0);
        for round in 0..self.rounds {
            let (re2, im2) = (re * re, im * im);
            if re2 + im2 > 4.0 {
                let shade = |speed: u32, from: u32| u8::try_from((round * speed + from) % 256).unwrap_or(255);
                return [shade(5, 20), shade(3, 60), shade(9, 120)];
            }
            (re, im) = (re2 - im2 + c_re, 2.0 * re * im + c_im);
        }
        [0; DEPTH]
    }
}

impl Band {
    /// Whatever is whole becomes a picture.
    fn written(self) -> Vec<u8> {
        if self.rows == (0..self.height) {
            return png::picture(self.width, self.height, &self.pixels);
        }
        let Band { width, height, rows, pixels } = self;
        let mut bytes = format!("{BAND} {width} {height} {} {}\n", rows.start, rows.end).into_bytes();
        bytes.extend(pixels);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Band> {
        let end = bytes.iter().take(64).position(|byte| *byte == b'\n')?;
        let mut words = std::str::from_utf8(&bytes[..end]).ok()?.split(' ');
        let known = words.next()? == BAND;
        let mut number = || words.next()?.parse::<u32>().ok();
        let (width, height, rows) = (number()?, number()?, number()?..number()?);
        let pixels = bytes[end + 1..].to_vec();
        let count = u64::from(rows.end.checked_sub(rows.start)?) * u64::from(width) * DEPTH as u64;
        (known && rows.end <= height && pixels.len() as u64 == count).then_some(Band { width, height, rows, pixels })
    }

    /// The same with the rows that follow.
    fn with(mut self, next: Band) -> Result<Band, Refused> {
        let fits = (self.width, self.height, self.rows.end) == (next.width, next.height, next.rows.start);
        if !fits {
            return Err(Refused("two bands do not touch".into()));
        }
        self.rows.end = next.rows.end;
        self.pixels.extend(next.pixels);
        Ok(self)
    }
}

/// A number with a point in it, or without. Eighteen digits are exact, and more are not needed.
fn decimal(text: &str) -> Option<f64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = [whole, part].concat();
    let plain = (1..=18).contains(&all.len()) && all.bytes().all(|byte| byte.is_ascii_digit());
    let scale = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let number = all.parse::<u64>().ok().filter(|_| plain)? as f64 / scale as f64;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"64x48 -0.74 0.11 40 5000";

    fn run(input: &[u8]) -> Vec<u8> {
        Render.run(input, &[]).expect("run")
    }

    fn solved(input: &[u8], ways: usize, depth: u32) -> Vec<u8> {
        let pieces = if depth == 0 { Vec::new() } else { Render.split(input, ways, &[]).expect("split") };
        if pieces.is_empty() {
            return run(input);
        }
        let answers: Vec<Vec<u8>> = pieces.iter().map(|piece| solved(piece, ways, depth - 1)).collect();
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        Render.merge(&answers, &[]).expect("merge")
    }

    #[test]
    fn however_it_is_cut_the_picture_is_the_same() {
        let whole = run(WHOLE);
        assert!(whole.starts_with(b"\x89PNG\r\n\x1a\n") && whole.len() > 64 * 48 * 3);
        for (ways, depth) in [(2, 1), (3, 2), (7, 3), (100, 1)] {
            assert!(solved(WHOLE, ways, depth) == whole, "{ways} ways, {depth} deep");
        }
        let band = b"64x48 -0.74 0.11 40 5000 7..31";
        assert!(solved(band, 3, 2) == run(band), "a band, too");
        let pieces = Render.split(WHOLE, 4, &[]).expect("split");
        let bands: Vec<Vec<u8>> = pieces.iter().map(|piece| run(piece)).collect();
        let merge = |bands: &[&[u8]]| Render.merge(bands, &[]).expect("merge");
        assert!(merge(&[&merge(&[&bands[0], &bands[1]]), &bands[2], &bands[3]]) == whole);
    }

    #[test]
    fn a_small_picture_stays_whole_and_nonsense_is_refused() {
        assert!(Render.split(b"16x16 0 0 1 100", 8, &[]).expect("split").is_empty());
        for wrong in [
            "",
            "1x1",
            "0x5 0 0 1 9",
            "9999x5 0 0 1 9",
            "5x5 0 0 NaN 9",
            "5x5 0 . 1 9",
            "5x5 0 0 0 9",
            "5x5 0 0 1 9 3..9",
            "5x5 0 0 1 9 4..4",
        ] {
            assert!(Render.run(wrong.as_bytes(), &[]).is_err(), "{wrong}");
        }
        let bands: Vec<Vec<u8>> = ["5x5 0 0 1 9 0..1", "5x5 0 0 1 9 2..3"].map(|view| run(view.as_bytes())).into();
        assert!(Render.merge(&[&bands[0], &bands[1]], &[]).is_err(), "a row is missing");
        assert!(Render.merge(&[b"band 5 5 0 1\nxx"], &[]).is_err() && Render.merge(&[], &[]).is_err());
    }
}
