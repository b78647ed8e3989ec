//! `/in` and `/out`: what may be read and written, and that there is nothing else.

use grove_sandbox::{Bytes, Limits, Outcome, Part, Status};

use crate::support::{command, run, run_within};

const IN: u32 = 3;
const OUT: u32 = 4;
const READ: u64 = 2;
const WRITE: u64 = 64;
const CREATE: u32 = 1;

/// Opens a path and exits with the answer's number.
fn open(fd: u32, path: &str, how: u32, rights: u64) -> Outcome {
    let body = format!(
        r#"(data (i32.const 100) "{path}")
        (func (export "_start")
            (call $proc_exit (call $path_open (i32.const {fd}) (i32.const 1) (i32.const 100) (i32.const {len})
                (i32.const {how}) (i64.const {rights}) (i64.const 0) (i32.const 0) (i32.const 50))))"#,
        len = path.len()
    );
    run(&command("path_open proc_exit", &body), &with_files())
}

fn with_files() -> Part {
    let bytes = |text: &str| Bytes(text.as_bytes().into());
    let files = vec![("words.txt".to_owned(), bytes("one two")), ("deep/er/file".to_owned(), bytes("x"))];
    Part { files, ..Part::default() }
}

#[test]
fn given_files_can_be_read() {
    let body = r#"(data (i32.const 100) "deep/../words.txt")
        (func (export "_start")
            (drop (call $path_open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 17)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 50)))
            (i32.store (i32.const 0) (i32.const 200))
            (i32.store (i32.const 4) (i32.const 100))
            (drop (call $fd_read (i32.load (i32.const 50)) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#;
    assert_eq!(run(&command("path_open fd_read fd_write", body), &with_files()).stdout, b"one two");
}

#[test]
fn written_files_come_back() {
    let body = r#"(data (i32.const 100) "a/b.txt")
        (func (export "_start")
            (drop (call $path_create_directory (i32.const 4) (i32.const 100) (i32.const 1)))
            (drop (call $path_open (i32.const 4) (i32.const 1) (i32.const 100) (i32.const 7)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 50)))
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 7))
            (drop (call $fd_write (i32.load (i32.const 50)) (i32.const 0) (i32.const 1) (i32.const 12))))"#;
    let outcome = run(&command("path_create_directory path_open fd_write", body), &Part::default());
    let files: Vec<_> = outcome.files.iter().map(|file| (file.path.as_str(), file.bytes.as_slice())).collect();
    assert_eq!(files, [("a/b.txt", &b"a/b.txt"[..])]);
}

#[test]
fn etc_passwd_is_out_of_reach_by_any_path() {
    for path in ["../../etc/passwd", "/etc/passwd", "deep/../../../etc/passwd", "..", "deep/../..", "//etc/passwd"] {
        for fd in [IN, OUT] {
            let status = open(fd, path, 0, READ).status;
            assert!(matches!(status, Status::Exit(63 | 44)), "{path} from {fd}: {status:?}");
        }
    }
    assert_eq!(open(OUT, "etc/passwd", 0, READ).status, Status::Exit(44));
}

#[test]
fn what_is_given_cannot_be_changed() {
    assert_eq!(open(IN, "words.txt", 0, READ).status, Status::Exit(0));
    assert_eq!(open(IN, "words.txt", 0, READ | WRITE).status, Status::Exit(69), "read-only");
    assert_eq!(open(IN, "words.txt", 8, READ).status, Status::Exit(69), "truncation is a change");
    assert_eq!(open(IN, "new", CREATE, WRITE).status, Status::Exit(69));
    assert_eq!(open(IN, "deep/new", CREATE, WRITE).status, Status::Exit(69));
}

#[test]
fn a_slash_at_the_end_insists_on_a_folder() {
    assert_eq!(open(IN, "words.txt/", 0, READ).status, Status::Exit(54));
    assert_eq!(open(IN, "words.txt/.", 0, READ).status, Status::Exit(54));
    assert_eq!(open(OUT, "new/", CREATE, WRITE).status, Status::Exit(44));
    assert_eq!(open(IN, "deep/", 0, READ).status, Status::Exit(0));
}

#[test]
fn links_cannot_be_made() {
    let body = r#"(data (i32.const 100) "/etc/passwd")
        (func (export "_start") (call $proc_exit (call $path_symlink
            (i32.const 100) (i32.const 11) (i32.const 4) (i32.const 105) (i32.const 6))))"#;
    assert_eq!(run(&command("path_symlink proc_exit", body), &Part::default()).status, Status::Exit(58));
}

#[test]
fn file_flood_by_size_stops_the_part() {
    let body = r#"(data (i32.const 100) "big")
        (func (export "_start")
            (drop (call $path_open (i32.const 4) (i32.const 1) (i32.const 100) (i32.const 3)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 50)))
            (drop (call $fd_filestat_set_size (i32.load (i32.const 50)) (i64.const 1000000000000))))"#;
    let outcome = run(&command("path_open fd_filestat_set_size", body), &Part::default());
    assert_eq!(outcome.status, Status::FilesTooLarge);
}

/// Makes files with one-letter names, each anew after the last was removed or not.
fn many_files(remove: bool) -> Vec<u8> {
    let remove =
        if remove { "(drop (call $path_unlink_file (i32.const 4) (i32.const 100) (i32.const 1)))" } else { "" };
    let body = format!(
        r#"(func (export "_start") (local $n i32)
            (loop $again
                (i32.store8 (i32.const 100) (i32.add (i32.const 65) (i32.rem_u (local.get $n) (i32.const 60))))
                (drop (call $path_open (i32.const 4) (i32.const 1) (i32.const 100) (i32.const 1)
                    (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 50)))
                (drop (call $fd_close (i32.load (i32.const 50))))
                {remove}
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $n) (i32.const 50)))))"#
    );
    command("path_open path_unlink_file fd_close", &body)
}

#[test]
fn file_flood_by_number_stops_the_part() {
    let limits = Limits { files_count: 20, ..Limits::default() };
    assert_eq!(run_within(&many_files(false), limits).status, Status::TooManyFiles(20));
    let outcome = run_within(&many_files(true), limits);
    assert_eq!((outcome.status, outcome.files.len()), (Status::Exit(0), 0), "removed files do not count");
}

#[test]
fn files_of_one_part_are_not_there_for_the_next() {
    let body = r#"(data (i32.const 100) "x")
        (func (export "_start") (call $proc_exit (call $path_open (i32.const 4) (i32.const 1) (i32.const 100)
            (i32.const 1) (i32.const 5) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 50))))"#;
    let tool = crate::support::build(&command("path_open proc_exit", body));
    for _ in 0..3 {
        let outcome = tool.run(&Part::default(), &grove_sandbox::Terms::default());
        assert_eq!(outcome.status, Status::Exit(0), "created anew each time, though creation is exclusive");
    }
}

#[test]
fn a_file_that_cannot_be_named_is_bad_input() {
    for path in ["../x", "a/../../x", "", "a\0b", "a/"] {
        let part = Part { files: vec![(path.to_owned(), Bytes::default())], ..Part::default() };
        let status = run(&command("path_open", r#"(func (export "_start"))"#), &part).status;
        assert!(matches!(status, Status::BadInput(_)), "{path:?}: {status:?}");
    }
}
