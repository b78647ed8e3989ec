//! A tree as a picture: the root on top, each piece a box in the colour of who holds it. Written by hand: a few boxes and
//! lines need no library.

use super::{below, standing};
use crate::amount::time_text;
use crate::cli::say;
use crate::shape::{BranchShape, TreeShape};
use grove_core::units::Millis;
use std::collections::BTreeMap;
use std::fmt::Write;

const BOX_WIDTH: usize = 96;
const BOX_HEIGHT: usize = 40;
const GAP: usize = 10;
const LEVEL: usize = 84;
const MARGIN: usize = 24;
const HEAD: usize = 40;
/// Colours that can be told apart, also by those who see few.
const COLOURS: [&str; 8] = ["#4477aa", "#228833", "#aa3377", "#ccbb44", "#66ccee", "#ee6677", "#bbbbbb", "#994455"];

/// Where a box is: its middle, and its level.
struct Spot {
    x: usize,
    level: usize,
}

/// The whole file.
pub(super) fn picture(tree: &TreeShape) -> String {
    let mut spots = BTreeMap::new();
    let mut next = MARGIN + BOX_WIDTH / 2;
    if !tree.branches.is_empty() {
        place(tree, 0, 0, &mut next, &mut spots);
    }
    let levels = spots.values().map(|spot| spot.level).max().unwrap_or(0);
    let width = (next + BOX_WIDTH / 2 + MARGIN).max(360);
    let height = HEAD + (levels + 1) * LEVEL + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"26\" font-size=\"15\">job {} {}</text>\n",
        escaped(say::short_id(&tree.job)),
        standing(tree.standing),
    );
    let colours = colours(tree);
    for (at, spot) in &spots {
        edge(&mut out, tree, *at, spot, &spots);
    }
    for (at, spot) in &spots {
        if let Some(branch) = tree.branches.get(*at) {
            let colour = colours.get(branch.node.as_str()).copied().unwrap_or(COLOURS[0]);
            boxed(&mut out, branch, spot, colour, *at == 0);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Leaves stand side by side; whatever has something below stands over the middle of it.
fn place(tree: &TreeShape, at: usize, level: usize, next: &mut usize, spots: &mut BTreeMap<usize, Spot>) -> usize {
    let all = below(tree, at);
    let middles: Vec<usize> = all.iter().map(|one| place(tree, *one, level + 1, next, spots)).collect();
    let x = match (middles.first(), middles.last()) {
        (Some(first), Some(last)) => usize::midpoint(*first, *last),
        _ => {
            let own = *next;
            *next += BOX_WIDTH + GAP;
            own
        }
    };
    spots.insert(at, Spot { x, level });
    x
}

/// Each node has a colour of its own, as long as there are enough.
fn colours(tree: &TreeShape) -> BTreeMap<&str, &'static str> {
    let mut colours = BTreeMap::new();
    for branch in &tree.branches {
        let nth = colours.len();
        colours.entry(branch.node.as_str()).or_insert(COLOURS[nth % COLOURS.len()]);
    }
    colours
}

fn top(level: usize) -> usize {
    HEAD + level * LEVEL
}

fn edge(out: &mut String, tree: &TreeShape, at: usize, spot: &Spot, spots: &BTreeMap<usize, Spot>) {
    let above = tree.branches.get(at).and_then(|branch| usize::try_from(branch.above).ok());
    if let (true, Some(above)) = (at > 0, above.and_then(|above| spots.get(&above))) {
        let (from, to) = (top(above.level) + BOX_HEIGHT, top(spot.level));
        // Writing to a string cannot fail.
        let _ =
            writeln!(out, "<line x1=\"{}\" y1=\"{from}\" x2=\"{}\" y2=\"{to}\" stroke=\"#888888\"/>", above.x, spot.x);
    }
}

fn boxed(out: &mut String, branch: &BranchShape, spot: &Spot, colour: &str, is_root: bool) {
    let (left, up) = (spot.x - BOX_WIDTH / 2, top(spot.level));
    let who = if is_root { "here".to_owned() } else { format!("#{} {}", branch.first, say::short_id(&branch.node)) };
    let of = if branch.items > 1 { format!(" {}/{}", branch.done, branch.items) } else { String::new() };
    let time = if branch.millis > 0 { format!(" {}", time_text(Millis(branch.millis))) } else { String::new() };
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<rect x=\"{left}\" y=\"{up}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\" fill=\"{colour}\" \
         fill-opacity=\"0.25\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
         <text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">{2}</text>\n\
         <text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\">{4}{of}{time}</text>",
        spot.x,
        up + 16,
        escaped(&who),
        up + 31,
        escaped(&branch.state),
    );
}

/// What others have named stays text.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || " #-.".contains(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tree::tests::tree;

    #[test]
    fn a_picture_has_a_box_for_each_branch_and_a_line_to_all_but_the_root() {
        let mut tree = tree();
        tree.branches[3].state = "<script>".to_owned();
        let picture = picture(&tree);
        assert_eq!((picture.matches("<rect x=").count(), picture.matches("<line").count()), (4, 3), "{picture}");
        assert!(!picture.contains("<script") && picture.ends_with("</svg>\n"));
    }

    #[test]
    fn branches_in_a_ring_are_not_drawn() {
        let mut ring = tree();
        ring.branches[1].above = 3;
        assert_eq!(picture(&ring).matches("<rect x=").count(), 2, "what hangs nowhere is left out");
    }
}
