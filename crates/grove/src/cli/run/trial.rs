//! `--dry-run`: a few parts are run, and what all of them would take is reckoned from those.

use super::inputs::Inputs;
use super::names::Names;
use super::out::failure_text;
use super::script;
use super::stall::Stall;
use crate::amount::{credits_text, time_text};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, page, say};
use crate::shape::{Accepted, Big, ChunkShape, JobShape, ResultShape, Results, Status, Submit, V};
use grove_core::id::JobId;
use grove_core::units::Millis;
use serde::Serialize;

/// Parts that are run: the first, the last and some between.
const SAMPLES: u64 = 5;
/// Inputs of one part where it is as large as a lender does in two seconds, which nobody knows yet.
const TIMED_ITEMS: u64 = 256;
/// Results looked at in one part: one, or a few where the tool cut it.
const PAGE: usize = 100;
/// How long the hub may wait for a part.
const WAIT_MS: u64 = 1_000;
/// Student's factors: 19 of 20 times, for so many samples less one.
const FACTORS: [f64; 4] = [12.71, 4.30, 3.18, 2.78];
/// No interval is narrower to either side than this share of what is still to be done: machines differ.
const LEAST_SHARE: f64 = 0.1;
const MICROS_PER_MILLI: u64 = 1_000;

/// What one part took.
#[derive(Debug, Clone, Copy)]
struct Seen {
    micros: u64,
    micro_credits: u64,
    failed: bool,
}

/// What all of it takes: most likely, and 19 of 20 times between these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Expected {
    likely: u64,
    low: u64,
    high: u64,
}

/// What there is to say.
#[derive(Debug, Serialize)]
struct Report {
    v: u32,
    inputs: u64,
    /// Left out where parts are as large as a lender does in two seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<u64>,
    slots: u64,
    time_ms: Expected,
    micro_credits: Expected,
    available: Big,
    sampled: u64,
    failed: u64,
    /// Micro-credits that the samples cost.
    spent: Big,
}

/// Runs some of the inputs of a job and says what all would take.
pub(super) fn run(hub: &Hub, job: &Submit, inputs: &Inputs, script: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let count = inputs.count();
    let size = match job.chunk {
        ChunkShape::Items(items) => items.max(1),
        ChunkShape::Auto => count.div_ceil(SAMPLES).clamp(1, TIMED_ITEMS),
    };
    let parts = count.div_ceil(size);
    let mut seen = Vec::new();
    for part in spread(parts) {
        let (from, spent) = (part * size, seen.iter().map(|one: &Seen| one.micro_credits).sum::<u64>());
        let left = job.budget.map(|budget| Big(budget.0.saturating_sub(spent)));
        let sample = Submit {
            id: JobId(getrandom::u64()?).to_string(),
            name: format!("sample of {}", job.name),
            source: inputs.some(from, size.min(count - from), hub)?,
            chunk: ChunkShape::Items(size),
            merge: false,
            budget: left,
            ..job.clone()
        };
        seen.push(one(hub, &sample, (from, inputs.names_at(from)?), script)?);
    }
    let status: Status = hub.get("/v1/status")?;
    let report = reckon(&seen, parts, count, &status, job.chunk);
    if json {
        say::json(&report)?;
    } else {
        lines(&report, job).iter().try_for_each(|line| say::line(line))?;
    }
    Ok(if report.failed > 0 { Exit::SomeFailed } else { Exit::Done })
}

/// Which parts are run: evenly between the first and the last.
fn spread(parts: u64) -> Vec<u64> {
    let samples = parts.min(SAMPLES);
    let last = parts.saturating_sub(1);
    // 128 bits, since a range may have 2^40 parts.
    let at =
        |nth: u64| u64::try_from(u128::from(last) * u128::from(nth) / u128::from(samples.max(2) - 1)).unwrap_or(last);
    (0..samples).map(at).collect()
}

/// Runs a sample, which begins at that input.
fn one(hub: &Hub, sample: &Submit, (first, mut names): (u64, Names), script: Option<&str>) -> Result<Seen, Failure> {
    let accepted: Accepted = hub.insist(|| hub.post("/v1/jobs", sample))?;
    let mut stall = Stall::new();
    let mut micros = 0;
    let mut from = 0;
    let job: JobShape = loop {
        let path = page(&accepted.job, &format!("/results?from={from}&limit={PAGE}&wait_ms={WAIT_MS}"));
        let got: Results = hub.insist(|| hub.get(&path))?;
        for result in &got.results {
            micros += result.micros;
            if !result.is_right() {
                let named = script.and_then(|script| script::under_its_name(result, script));
                let result = named.unwrap_or_else(|| result.clone());
                let result = ResultShape { item: first + result.item, ..result };
                say::talk(&failure_text(&names.name(&result), &result, super::out::LAST_LINES));
            }
        }
        from = got.next;
        if got.last {
            break got.job;
        }
        if let Some(text) = stall.look(hub, &got.job)? {
            say::talk(&text);
        }
    };
    // A part that was cut again says nothing of its time; then what it took from end to end counts.
    let whole = job.ended_ms.map_or(0, |ended| ended.saturating_sub(job.submitted_ms)) * MICROS_PER_MILLI;
    let failed = job.failed > 0 || job.done < job.items;
    Ok(Seen { micros: if micros > 0 { micros } else { whole }, micro_credits: job.spent.0, failed })
}

fn reckon(seen: &[Seen], parts: u64, inputs: u64, status: &Status, chunk: ChunkShape) -> Report {
    let micros: Vec<u64> = seen.iter().map(|one| one.micros).collect();
    let costs: Vec<u64> = seen.iter().map(|one| one.micro_credits).collect();
    let slots = status.lender_slots.max(1);
    let all = expected(&micros, parts);
    // However many lend, the longest part takes as long as it takes.
    let longest = micros.iter().copied().max().unwrap_or(0);
    let shared = |micros: u64| (micros / slots.min(parts).max(1)).max(longest) / MICROS_PER_MILLI;
    Report {
        v: V,
        inputs,
        parts: matches!(chunk, ChunkShape::Items(_)).then_some(parts),
        slots: status.lender_slots,
        time_ms: Expected { likely: shared(all.likely), low: shared(all.low), high: shared(all.high) },
        micro_credits: expected(&costs, parts),
        available: status.credits.available,
        sampled: seen.len() as u64,
        failed: seen.iter().filter(|one| one.failed).count() as u64,
        spent: Big(costs.iter().sum()),
    }
}

/// The sum over all parts, from some of them: the mean of those seen, and as far from it as chance would explain.
fn expected(seen: &[u64], parts: u64) -> Expected {
    let known: u64 = seen.iter().sum();
    let rest = parts.saturating_sub(seen.len() as u64);
    if rest == 0 || seen.is_empty() {
        return Expected { likely: known, low: known, high: known };
    }
    let (count, rest) = (seen.len() as f64, rest as f64);
    let mean = known as f64 / count;
    let spread = seen.iter().map(|one| (*one as f64 - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let factor = seen.len().checked_sub(2).and_then(|at| FACTORS.get(at)).copied().unwrap_or(FACTORS[0]);
    let chance = factor * spread.sqrt() * (1.0 / count + 1.0 / rest).sqrt();
    let wide = rest * chance.max(mean * LEAST_SHARE);
    // Whole numbers below 2^53 lose nothing here, and nothing is below zero.
    let add = |more: f64| known.saturating_add(more.max(0.0).round() as u64);
    Expected { likely: add(rest * mean), low: add(rest * mean - wide), high: add(rest * mean + wide) }
}

fn lines(report: &Report, job: &Submit) -> Vec<String> {
    let between = |Expected { likely, low, high }: Expected, text: &dyn Fn(u64) -> String| match low == high {
        true => text(likely),
        false => format!("about {} ({} to {})", text(likely), text(low), text(high)),
    };
    let time = |ms: u64| if ms < MICROS_PER_MILLI { format!("{ms} ms") } else { time_text(Millis(ms)) };
    let credits = |micro: u64| credits_text(i128::from(micro));
    let parts = match report.parts {
        Some(parts) => format!("{}, from {}", say::many(parts, "part"), say::many(report.inputs, "input")),
        None => format!("as large as a lender does in two seconds, from {}", say::many(report.inputs, "input")),
    };
    let slots = match report.slots {
        0 => "on one slot; nobody lends now".to_owned(),
        slots => format!("on the {} lent now", say::many(slots, "slot")),
    };
    let mut lines = vec![
        format!("parts    {parts}"),
        format!("time     {}, {slots}", between(report.time_ms, &time)),
        format!("credits  {}; {} are there", between(report.micro_credits, &credits), credits(report.available.0)),
    ];
    let most = job.budget.map_or(report.available.0, |budget| budget.0);
    if report.micro_credits.high > most {
        lines.push(format!("budget   {} may not be enough: the job stops there, with what is done", credits(most)));
    }
    if job.merge {
        lines.push("merging  comes on top, and was not tried".to_owned());
    }
    let failed = if report.failed > 0 { format!(", {} of which failed", report.failed) } else { String::new() };
    lines.push(format!(
        "sampled  {}{failed}, for {} credits; 19 of 20 times the others keep within these, if they are like them",
        say::many(report.sampled, "part"),
        credits(report.spent.0)
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_the_first_the_last_and_some_between() {
        assert_eq!(spread(1), [0]);
        assert_eq!(spread(2), [0, 1]);
        assert_eq!(spread(5), [0, 1, 2, 3, 4]);
        assert_eq!(spread(1_001), [0, 250, 500, 750, 1_000]);
        assert_eq!(spread(1 << 40).last(), Some(&((1 << 40) - 1)));
    }

    #[test]
    fn what_was_all_seen_is_known_and_the_rest_is_as_uncertain_as_it_is() {
        assert_eq!(expected(&[3, 4], 2), Expected { likely: 7, low: 7, high: 7 });
        let alike = expected(&[100; 5], 1_005);
        assert_eq!(alike, Expected { likely: 100_500, low: 90_500, high: 110_500 }, "a tenth at the least");
        let uneven = expected(&[10, 10, 10, 10, 1_000], 105);
        assert_eq!((uneven.likely, uneven.low), (21_840, 1_040), "what was seen is spent in any case");
        assert!(uneven.high > 70_000, "{uneven:?}");
        let one = expected(&[50], 11);
        assert_eq!(one, Expected { likely: 550, low: 500, high: 600 });
    }

    /// With parts of any size, the sum lies in the interval as often as is said.
    #[test]
    fn the_interval_is_honest() {
        let mut state = 1_u64;
        let mut chance = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1_000 + (state >> 40) % 9_000
        };
        let mut within = 0;
        for _ in 0..400 {
            let all: Vec<u64> = (0..200).map(|_| chance()).collect();
            let seen: Vec<u64> = spread(200).iter().map(|at| all[*at as usize]).collect();
            let Expected { low, high, .. } = expected(&seen, 200);
            within += u64::from((low..=high).contains(&all.iter().sum()));
        }
        assert!(within >= 372, "{within} of 400");
    }
}
