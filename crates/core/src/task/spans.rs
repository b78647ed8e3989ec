//! Sets of integers as ranges: memory for what is ragged, none for what is whole.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A run of items: `first` and the `len - 1` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    pub first: u64,
    pub len: u64,
}

impl Span {
    /// The items from `first` up to, not including, `end`.
    pub fn between(first: u64, end: u64) -> Span {
        Span { first, len: end.saturating_sub(first) }
    }

    /// The item after the last.
    pub fn end(self) -> u64 {
        self.first.saturating_add(self.len)
    }

    /// How many runs of `chunk` items this makes.
    pub fn pieces(self, chunk: u64) -> u64 {
        self.len.div_ceil(chunk.max(1))
    }

    /// The runs of `chunk` items, in order, the last one shorter if need be.
    pub fn cut(self, chunk: u64) -> impl Iterator<Item = Span> {
        let chunk = chunk.max(1);
        (0..self.pieces(chunk)).map(move |n| {
            let first = self.first + n * chunk;
            Span::between(first, self.end().min(first.saturating_add(chunk)))
        })
    }
}

/// A set of items, kept as disjoint, non-adjacent ranges in order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Spans {
    ranges: Ranges,
    count: u64,
}

/// First items and ends. Most sets are one range, and there are many sets: such a range needs no memory of its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Ranges {
    One(Option<(u64, u64)>),
    Many(BTreeMap<u64, u64>),
}

impl Default for Ranges {
    fn default() -> Ranges {
        Ranges::One(None)
    }
}

impl Ranges {
    /// The last range that begins before this item.
    fn last_before(&self, item: u64) -> Option<(u64, u64)> {
        match self {
            Ranges::One(one) => one.filter(|(first, _)| *first < item),
            Ranges::Many(many) => many.range(..item).next_back().map(|(first, end)| (*first, *end)),
        }
    }

    /// The last range that begins at this item or before it.
    fn last_until(&self, item: u64) -> Option<(u64, u64)> {
        match self {
            Ranges::One(one) => one.filter(|(first, _)| *first <= item),
            Ranges::Many(many) => many.range(..=item).next_back().map(|(first, end)| (*first, *end)),
        }
    }

    fn insert(&mut self, first: u64, end: u64) {
        match self {
            Ranges::One(one @ None) => *one = Some((first, end)),
            Ranges::One(Some(one)) => *self = Ranges::Many(BTreeMap::from([*one, (first, end)])),
            Ranges::Many(many) => drop(many.insert(first, end)),
        }
    }

    fn remove(&mut self, first: u64) {
        match self {
            Ranges::One(one) => *one = one.filter(|(at, _)| *at != first),
            Ranges::Many(many) => drop(many.remove(&first)),
        }
        if matches!(self, Ranges::Many(many) if many.is_empty()) {
            *self = Ranges::default();
        }
    }

    /// The end of the last range, to be moved.
    fn last_mut(&mut self) -> Option<&mut u64> {
        match self {
            Ranges::One(one) => one.as_mut().map(|(_, end)| end),
            Ranges::Many(many) => many.last_entry().map(|last| last.into_mut()),
        }
    }

    /// The ranges that begin in a span, in order.
    fn from(&self, span: Span) -> impl Iterator<Item = Span> + '_ {
        let (one, many) = match self {
            Ranges::One(one) => (one.filter(|(first, _)| (span.first..span.end()).contains(first)), None),
            Ranges::Many(many) => (None, Some(many.range(span.first..span.end()))),
        };
        let many = many.into_iter().flatten().map(|(first, end)| (*first, *end));
        one.into_iter().chain(many).map(|(first, end)| Span::between(first, end))
    }

    fn len(&self) -> usize {
        match self {
            Ranges::One(one) => usize::from(one.is_some()),
            Ranges::Many(many) => many.len(),
        }
    }
}

impl PartialEq for Spans {
    fn eq(&self, other: &Spans) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl Eq for Spans {}

impl Spans {
    /// The set of one span.
    pub fn of(span: Span) -> Spans {
        let mut set = Spans::default();
        set.add(span);
        set
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many items are in the set.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many ranges it takes to say so.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.ranges.from(Span::between(0, u64::MAX))
    }

    /// The ranges that reach into a span, in order.
    pub fn within(&self, span: Span) -> impl Iterator<Item = Span> + '_ {
        let before = self.around(span.first).filter(|range| range.first < span.first);
        before.into_iter().chain(self.ranges.from(span))
    }

    /// Whether every item of the span is in the set.
    pub fn holds(&self, span: Span) -> bool {
        let around = || self.ranges.last_until(span.first);
        span.len == 0 || around().is_some_and(|(_, end)| end >= span.end())
    }

    /// Whether any item of the span is in the set.
    pub fn touches(&self, span: Span) -> bool {
        self.ranges.last_before(span.end()).is_some_and(|(_, end)| end > span.first)
    }

    /// The range in which the item lies.
    pub fn around(&self, item: u64) -> Option<Span> {
        let (first, end) = self.ranges.last_until(item)?;
        (end > item).then(|| Span::between(first, end))
    }

    /// Adds the items of the span.
    pub fn add(&mut self, span: Span) {
        if span.len == 0 {
            return;
        }
        let (mut first, mut end) = (span.first, span.end());
        // The common case: the set grows at its end.
        if let Some(last) = self.ranges.last_mut().filter(|last| **last == first) {
            *last = end;
            self.count += span.len;
            return;
        }
        while let Some((at, until)) = self.ranges.last_until(end) {
            if until < first {
                break;
            }
            self.ranges.remove(at);
            self.count -= until - at;
            first = first.min(at);
            end = end.max(until);
        }
        self.ranges.insert(first, end);
        self.count += end - first;
    }

    /// Removes the items of the span.
    pub fn remove(&mut self, span: Span) {
        let (first, end) = (span.first, span.end());
        if span.len == 0 {
            return;
        }
        while let Some((at, until)) = self.ranges.last_before(end) {
            if until <= first {
                break;
            }
            self.ranges.remove(at);
            self.count -= until - at;
            if at < first {
                self.ranges.insert(at, first);
                self.count += first - at;
            }
            if until > end {
                self.ranges.insert(end, until);
                self.count += until - end;
            }
        }
    }

    /// Adds all items of another set.
    pub fn join(&mut self, other: &Spans) {
        other.iter().for_each(|span| self.add(span));
    }

    /// Takes up to `most` of the first items out, as one span.
    pub fn take_first(&mut self, most: u64) -> Option<Span> {
        let range = self.iter().next()?;
        let span = Span::between(range.first, range.end().min(range.first.saturating_add(most)));
        self.remove(span);
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_set_of_ranges_agrees_with_a_set_of_items() {
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let (mut spans, mut items) = (Spans::default(), BTreeSet::new());
            for _ in 0..60 {
                let span = Span { first: draw(60), len: draw(12) };
                let all: Vec<u64> = (span.first..span.end()).collect();
                assert_eq!(spans.holds(span), all.iter().all(|item| items.contains(item)), "{spans:?} {span:?}");
                if span.len > 0 {
                    assert_eq!(spans.touches(span), all.iter().any(|item| items.contains(item)), "{spans:?} {span:?}");
                }
                if draw(3) == 0 {
                    spans.remove(span);
                    items.retain(|item| !all.contains(item));
                } else {
                    spans.add(span);
                    items.extend(all);
                }
                assert_eq!(spans.count(), items.len() as u64);
                let told: Vec<u64> = spans.iter().flat_map(|span| span.first..span.end()).collect();
                assert_eq!(told, items.iter().copied().collect::<Vec<_>>());
                assert!(spans.iter().zip(spans.iter().skip(1)).all(|(a, b)| a.end() < b.first), "adjacent ranges");
            }
        }
    }

    #[test]
    fn cutting_covers_the_span_once() {
        let pieces: Vec<Span> = Span { first: 5, len: 10 }.cut(4).collect();
        assert_eq!(pieces, [Span { first: 5, len: 4 }, Span { first: 9, len: 4 }, Span { first: 13, len: 2 }]);
    }
}
