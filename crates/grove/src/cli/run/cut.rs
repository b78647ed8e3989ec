//! Where one file is cut into inputs: behind whole lines, or behind whole records of a CSV file, whose quoted fields
//! may hold line breaks. It knows nothing of jobs.

use std::io::{self, BufRead};
use std::ops::Range;

/// Pieces of one file: each becomes an input of its own.
pub(super) const PIECES_MAX: usize = 10_000;

/// How much is in a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Lines(u64),
    /// As many whole lines as fit, and one at the least.
    Bytes(u64),
}

/// How a file is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) by: Measure,
    /// A line break between quotes belongs to its record.
    pub(super) records: bool,
    /// The first line, or record, stands at the head of each piece.
    pub(super) header: bool,
}

/// What a file was cut into.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pieces {
    pub(super) header: Range<u64>,
    pub(super) bodies: Vec<Range<u64>>,
}

/// Reads a file once, from its start, and says where it is cut; nothing if that makes too many pieces.
pub(super) fn pieces(mut file: impl BufRead, cut: Cut) -> io::Result<Option<Pieces>> {
    let mut rows = Rows { at: 0, quoted: false, records: cut.records };
    let mut pieces = Pieces::default();
    if cut.header {
        pieces.header = 0..rows.next(&mut file)?.unwrap_or(0);
    }
    let (mut begin, mut end, mut lines) = (pieces.header.end, pieces.header.end, 0);
    loop {
        let row = rows.next(&mut file)?;
        let full = match (cut.by, row) {
            (Measure::Lines(most), _) => lines >= most,
            (Measure::Bytes(most), Some(row_end)) => lines > 0 && row_end - begin > most,
            (Measure::Bytes(_), None) => false,
        };
        if end > begin && (full || row.is_none()) {
            if pieces.bodies.len() == PIECES_MAX {
                return Ok(None);
            }
            pieces.bodies.push(begin..end);
            (begin, lines) = (end, 0);
        }
        match row {
            Some(row_end) => (end, lines) = (row_end, lines + 1),
            None => return Ok(Some(pieces)),
        }
    }
}

/// Where rows end.
struct Rows {
    at: u64,
    quoted: bool,
    records: bool,
}

impl Rows {
    /// The end of the next row; nothing at the end of the file.
    fn next(&mut self, file: &mut impl BufRead) -> io::Result<Option<u64>> {
        let begin = self.at;
        loop {
            let buffer = match file.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                // A quote that is never closed ends with the file.
                return Ok((self.at > begin).then_some(self.at));
            }
            let (used, ended) = self.scan(buffer);
            file.consume(used);
            self.at += used as u64;
            if ended {
                return Ok(Some(self.at));
            }
        }
    }

    /// How much of this belongs to the row, and whether it ends there. A doubled quote closes and opens again.
    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        if !self.records {
            return match memchr(bytes) {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            };
        }
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => return (at + 1, true),
                _ => {}
            }
        }
        (bytes.len(), false)
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, by: Measure, records: bool, header: bool) -> Vec<String> {
        // A small buffer, so that rows and quotes lie across its edges.
        let file = io::BufReader::with_capacity(3, text.as_bytes());
        let pieces = pieces(file, Cut { by, records, header }).unwrap().unwrap();
        let part = |range: &Range<u64>| text[range.start as usize..range.end as usize].to_owned();
        let all = [pieces.header.clone()].iter().chain(&pieces.bodies).map(part).collect::<Vec<_>>();
        assert_eq!(all.concat(), text, "nothing is lost, nothing is there twice");
        pieces.bodies.iter().map(part).collect()
    }

    #[test]
    fn lines_stay_whole() {
        let text = "one\ntwo\nthree\n\nfive";
        assert_eq!(cut(text, Measure::Lines(2), false, false), ["one\ntwo\n", "three\n\n", "five"]);
        assert_eq!(cut(text, Measure::Bytes(8), false, false), ["one\ntwo\n", "three\n\n", "five"]);
        assert_eq!(cut(text, Measure::Bytes(1), false, false), ["one\n", "two\n", "three\n", "\n", "five"]);
        assert_eq!(cut(text, Measure::Lines(9), false, false), [text]);
        assert!(cut("", Measure::Lines(1), false, false).is_empty());
    }

    #[test]
    fn records_stay_whole_and_each_piece_may_bear_the_header() {
        let text = "name,say\n\"a\",\"x\ny\"\nb,\"he said \"\"\n\"\"\"\nc,z\n";
        let expect = ["\"a\",\"x\ny\"\n", "b,\"he said \"\"\n\"\"\"\n", "c,z\n"];
        assert_eq!(cut(text, Measure::Lines(1), true, true), expect);
        assert_eq!(cut(text, Measure::Bytes(1), true, true), expect);
        assert_eq!(cut("only a header\n", Measure::Lines(1), true, true), [""; 0]);
        assert_eq!(cut("a,\"open\nb", Measure::Lines(1), true, false), ["a,\"open\nb"]);
    }

    #[test]
    fn too_many_pieces_are_none() {
        let text = "x\n".repeat(PIECES_MAX + 1);
        let cut = |text: &str| pieces(text.as_bytes(), Cut { by: Measure::Lines(1), records: false, header: false });
        assert_eq!(cut(&text).unwrap(), None);
        assert_eq!(cut(&text[2..]).unwrap().map(|pieces| pieces.bodies.len()), Some(PIECES_MAX));
    }
}
