//! `grove tree`: who works on which piece of a job, as a tree: in the terminal, where it grows and shrinks before one's
//! eyes, or as a picture.

mod svg;

use super::hub::Hub;
use super::{Exit, Failure, Place, page, say, terminal};
use crate::amount::time_text;
use crate::shape::{BranchShape, StandingShape, TreeShape};
use clap::Args;
use grove_core::units::Millis;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Leaves of one branch that are drawn one by one; of more, the rest is counted.
const LEAVES_MAX: usize = 12;
/// How often the tree is looked at while somebody watches it grow.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub struct Tree {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job)]
    job: String,
    /// Draw a picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw it once, as it is now, also on a terminal
    #[arg(long)]
    once: bool,
    /// Answer with one JSON object
    #[arg(long, conflicts_with = "svg")]
    json: bool,
}

impl Tree {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let tree: TreeShape = hub.get(&page(&self.job, "/tree"))?;
        let live = (!self.once && io::stdout().is_terminal()).then(|| terminal::rows(io::stdout())).flatten();
        if self.json {
            say::json(&tree)?;
        } else if let Some(path) = &self.svg {
            std::fs::write(path, svg::picture(&tree)).map_err(|error| {
                Failure::new(Exit::Error, format!("cannot write {}: {error}", path.display()))
                    .hint("check the folder and its rights")
            })?;
        } else if let Some(rows) = live {
            watched(&hub, tree, rows)?;
        } else {
            lines(&tree).iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }
}

/// Draws the tree again and again over itself, until the job is over or somebody has seen enough.
fn watched(hub: &Hub, mut tree: TreeShape, rows: usize) -> anyhow::Result<()> {
    // Another job may become the last one meanwhile.
    let page = page(&tree.job, "/tree");
    let columns = terminal::columns(io::stdout()).unwrap_or(usize::MAX);
    let mut drawn = 0;
    loop {
        let picture = fitted(lines(&tree), rows, columns);
        let up = if drawn > 0 { format!("\x1b[{drawn}A\x1b[J") } else { String::new() };
        let mut out = io::stdout().lock();
        let drawing = writeln!(out, "{up}{}", picture.join("\n")).and_then(|()| out.flush());
        drawing.map_err(|error| say::closed(&error))?;
        drop(out);
        drawn = picture.len();
        if tree.standing != StandingShape::Running {
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
        tree = hub.get(&page)?;
    }
}

/// What a terminal holds without rolling: a line that wraps, or is one too many, would spoil the picture.
fn fitted(mut lines: Vec<String>, rows: usize, columns: usize) -> Vec<String> {
    let most = rows.saturating_sub(1).max(1);
    if lines.len() > most {
        let left = lines.len() - most + 1;
        lines.truncate(most - 1);
        lines.push(format!("... and {left} more lines (`--once` shows all)"));
    }
    lines.iter().map(|line| say::short(line, columns.saturating_sub(1))).collect()
}

/// The branches that hang below one, in the order of their pieces.
fn below(tree: &TreeShape, at: usize) -> Vec<usize> {
    let hangs = |(place, branch): &(usize, &BranchShape)| *place > 0 && branch.above == at as u64;
    let mut all: Vec<usize> = tree.branches.iter().enumerate().filter(hangs).map(|(place, _)| place).collect();
    all.sort_by_key(|place| tree.branches[*place].first);
    all
}

fn lines(tree: &TreeShape) -> Vec<String> {
    let mut lines = vec![format!("job {} {}", say::short_id(&tree.job), standing(tree.standing))];
    if let Some(root) = tree.branches.first() {
        lines.push(text(root, root));
        hang(tree, 0, "", &mut lines);
    }
    lines
}

fn hang(tree: &TreeShape, at: usize, indent: &str, lines: &mut Vec<String>) {
    let all = below(tree, at);
    let shown = all.len().min(LEAVES_MAX);
    for (nth, place) in all[..shown].iter().enumerate() {
        let last = nth + 1 == all.len();
        let (fork, deeper) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let branch = &tree.branches[*place];
        lines.push(format!("{indent}{fork}#{} {}", branch.first, text(branch, &tree.branches[0])));
        hang(tree, *place, &format!("{indent}{deeper}"), lines);
    }
    if all.len() > shown {
        lines.push(format!("{indent}└─ and {} more", all.len() - shown));
    }
}

/// Who holds it, what goes on there, and for how long.
fn text(branch: &BranchShape, root: &BranchShape) -> String {
    let who = if branch.node == root.node { "here" } else { say::short_id(&branch.node) };
    let of = if branch.items > 1 { format!(" {} of {}", branch.done, branch.items) } else { String::new() };
    let time = if branch.millis > 0 { format!("  {}", time_text(Millis(branch.millis))) } else { String::new() };
    format!("{who} {}{of}{time}", branch.state)
}

pub(super) fn standing(standing: StandingShape) -> &'static str {
    match standing {
        StandingShape::Running => "is running",
        StandingShape::Done => "is done",
        StandingShape::Failed => "has failed",
        StandingShape::Cancelled => "was cancelled",
        StandingShape::Unpaid => "ran out of budget",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::V;

    pub(super) fn tree() -> TreeShape {
        let branch = |above: u64, node: &str, state: &str, first: u64| BranchShape {
            above,
            node: node.to_owned(),
            state: state.to_owned(),
            done: 1,
            items: 4,
            millis: 1_500,
            first,
        };
        let branches = vec![
            branch(0, "aaaaaaaabb", "working", 0),
            branch(0, "cccccccc", "working", 1),
            branch(0, "aaaaaaaabb", "working", 0),
            branch(1, "dddddddd", "given", 2),
        ];
        TreeShape { v: V, job: "3v5kabcdefghj".into(), standing: StandingShape::Running, branches }
    }

    #[test]
    fn a_tree_is_drawn_with_its_pieces_in_order() {
        let lines = lines(&tree());
        assert_eq!(lines[0], "job 3v5kabcd is running");
        assert!(lines[1].starts_with("here working 1 of 4"), "{lines:?}");
        assert!(lines[2].starts_with("├─ #0 here working"), "{lines:?}");
        assert!(lines[3].starts_with("└─ #1 cccccccc working"), "{lines:?}");
        assert!(lines[4].starts_with("   └─ #2 dddddddd given"), "{lines:?}");
    }

    #[test]
    fn a_tree_that_is_watched_fits_its_terminal() {
        let lines = lines(&tree());
        assert_eq!(fitted(lines.clone(), 24, 80), lines);
        let small = fitted(lines.clone(), 4, 80);
        assert_eq!((small.len(), &small[..2]), (3, &lines[..2]));
        assert!(small[2].starts_with("... and 3 more lines"), "{small:?}");
        assert!(fitted(lines, 24, 10).iter().all(|line| line.chars().count() <= 10));
    }

    #[test]
    fn a_crowd_is_counted() {
        let mut crowd = tree();
        let leaf = crowd.branches[2].clone();
        crowd.branches.extend((0..20).map(|first| BranchShape { first, ..leaf.clone() }));
        let lines = lines(&crowd);
        assert!(lines.last().is_some_and(|line| line == "└─ and 10 more"), "{lines:?}");
    }
}
