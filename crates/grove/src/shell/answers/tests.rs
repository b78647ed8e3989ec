//! Pages of answers, as people read them.

use super::*;
use crate::store::{Settings, Store};
use grove_core::id::TaskId;

fn text(text: &str) -> Data {
    Data::Inline { bytes: Arc::from(text.as_bytes()) }
}

fn sample() -> Kept {
    let blob = Data::Blob { id: Digest([7; 32]), len: 70_000 };
    let files = vec![(Arc::from("a.txt"), text("inside")), (Arc::from("b/c"), blob)];
    Kept {
        span: Span { first: 300, len: 2 },
        outcome: Outcome::Exit { code: -1 },
        output: Output { stdout: text("out"), files, note: Arc::from("it said so") },
        fuel: Fuel(1_000),
        micros: 20,
        by: NodeId(5),
    }
}

#[test]
fn an_answer_reads_back_as_it_was_kept_and_lies_in_the_store_as_ever() {
    let mut bytes = Vec::new();
    encode(&sample(), 9, &mut bytes);
    assert_eq!(decode(300, &bytes), Some((sample(), 9)));
    // Rows of older versions must be read for ever: this may be added to, never changed.
    let head = [2, 9, 1, 1, 0xe8, 7, 20, 5, 0, 3, 2];
    let files = [&b"\x05a.txt\0\x06\x03b/c\x01"[..], &[7; 32], b"\xf0\xa2\x04"].concat();
    assert_eq!(bytes, [&head[..], &files, b"\x0ait said so", b"out", b"inside"].concat());
    for cut in 0..bytes.len() {
        assert_eq!(decode(300, &bytes[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn tiny_answers_cost_a_few_bytes_each() {
    let tiny = |first| Kept {
        span: Span { first, len: 1 },
        outcome: Outcome::Right,
        output: Output::of(Data::empty()),
        fuel: Fuel(5_000),
        micros: 20,
        by: NodeId(u64::MAX),
    };
    let row = Row { task: TaskId(1), stage: 2, first: 0 };
    let pages = pack((0..1_000).rev().map(|first| (row, tiny(first))).collect(), 77).unwrap();
    assert_eq!(pages.len(), 1, "answers of many lenders lie side by side");
    let mut bytes = Vec::new();
    encode(&tiny(0), 77, &mut bytes);
    assert!(bytes.len() < 24, "{}", bytes.len());
}

#[test]
fn of_two_answers_over_the_same_items_the_later_one_stands() {
    let kept = |first, len| Kept { span: Span { first, len }, ..sample() };
    let spans = |rows: &[(u64, u64, u64)]| -> Vec<(u64, u64)> {
        let rows = rows.iter().map(|(first, len, order)| (kept(*first, *len), *order)).collect();
        newest(rows).iter().map(|kept| (kept.span.first, kept.span.len)).collect()
    };
    assert_eq!(spans(&[(0, 1, 5), (1, 1, 3), (2, 4, 9)]), [(0, 1), (1, 1), (2, 4)]);
    assert_eq!(spans(&[(0, 10, 9), (4, 1, 3), (7, 3, 8), (10, 1, 1)]), [(0, 10), (10, 1)], "one over many");
    assert_eq!(spans(&[(0, 4, 1), (0, 1, 2), (1, 1, 2), (2, 2, 2)]), [(0, 1), (1, 1), (2, 2)], "many over one");
}

#[test]
fn inputs_read_back_as_they_were_kept() {
    let row = Row { task: TaskId(1), stage: 0, first: 5 };
    let inputs = [text("one"), text(""), Data::Blob { id: Digest([1; 32]), len: 5_000 }];
    let pages = pack_inputs(row, &inputs).unwrap();
    assert_eq!((pages.len(), pages[0].key().first_item, pages[0].items()), (1, 5, 3));
    for input in &inputs {
        let head = postcard::to_stdvec(&Place::of(input)).unwrap();
        assert_eq!(decode_input(&[&head, inline(input)].concat()).as_ref(), Some(input));
    }
}

#[test]
fn what_a_lender_sends_is_believed_in_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default()).unwrap();
    let blobs = store.blobs();
    let large = data(blobs, vec![1; 5_000]).unwrap();
    let heard = |output: Output| {
        let mut answer = Answer {
            span: Span { first: 0, len: 1 },
            outcome: Outcome::Right,
            fuel: Fuel(1),
            micros: 1,
            digest: Digest([9; 32]),
            output,
            pieces: 0,
        };
        receive(&mut answer, blobs);
        assert_ne!(answer.digest, Digest([9; 32]), "the hash is computed here");
        answer.outcome
    };
    let named = |data: Data| Output { files: vec![(Arc::from("f"), data)], ..Output::of(Data::empty()) };
    assert_eq!(heard(named(large.clone())), Outcome::Right);
    assert_eq!(heard(Output::of(text("few"))), Outcome::Right);
    let absent = Data::Blob { id: Digest([3; 32]), len: 5_000 };
    let Data::Blob { id, .. } = large else { panic!("5,000 bytes are a blob") };
    let wrong = [
        Output::of(absent.clone()),
        named(absent),
        named(Data::Blob { id, len: 5_001 }),
        Output::of(Data::Inline { bytes: vec![0; INLINE_BYTES_MAX + 1].into() }),
        Output { note: "x".repeat(NOTE_BYTES_MAX + 1).into(), ..Output::of(Data::empty()) },
        Output { files: vec![(Arc::from("f"), Data::empty()); FILES_MAX + 1], ..Output::of(Data::empty()) },
        Output { files: vec![("f".repeat(NAMES_BYTES_MAX + 1).into(), Data::empty())], ..Output::of(Data::empty()) },
    ];
    for output in wrong {
        assert_eq!(heard(output), Outcome::Broken);
    }
}

#[test]
fn the_hash_tells_outputs_apart_and_not_what_was_said_about_them() {
    let right = |output: &Output| digest(Outcome::Right, output);
    let output = Output { files: vec![(Arc::from("ab"), text("c"))], ..Output::of(text("x")) };
    let said = Output { note: Arc::from("words"), ..output.clone() };
    assert_eq!(right(&output), right(&said));
    let others = [
        Output { files: vec![(Arc::from("a"), text("bc"))], ..output.clone() },
        Output { files: Vec::new(), ..output.clone() },
        Output { stdout: Data::empty(), ..output.clone() },
    ];
    others.iter().for_each(|other| assert_ne!(right(&output), right(other)));
    assert_ne!(right(&output), digest(Outcome::Exit { code: 0 }, &output));
}

#[test]
fn an_answer_at_every_limit_fits_into_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path(), Settings::default()).unwrap();
    let name = |nth: usize| format!("{nth:0width$}", width = NAMES_BYTES_MAX / FILES_MAX);
    let files = (0..FILES_MAX).map(|nth| (name(nth), vec![1; limits::INLINE_MAX])).collect();
    let note = Arc::from("n".repeat(NOTE_BYTES_MAX));
    let output = output(store.blobs(), vec![2; limits::INLINE_MAX], files, note).unwrap().unwrap();
    let row = Row { task: TaskId(1), stage: 2, first: 0 };
    let pages = pack(vec![(row, Kept { output, ..sample() })], u64::MAX);
    assert_eq!(pages.unwrap().len(), 1);
    let many = vec![(String::new(), Vec::new()); FILES_MAX + 1];
    assert_eq!(super::output(store.blobs(), Vec::new(), many, Arc::from("")).unwrap(), None);
}
