//! Jobs from submit to the last answer.

use super::circle::{self, Net, hub, job, lender, outputs};
use grove_core::id::JobId;
use grove_core::job::{Abilities, Chunk, Source, Standing, Tool};
use grove_core::message::Data;
use grove_core::node::{Reply, Wish};
use grove_core::task::Span;
use grove_sandbox::{Part, Status};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn inline(text: &str) -> Data {
    Data::Inline { bytes: Arc::from(text.as_bytes()) }
}

/// Prints the square of the number given as its argument.
fn square(part: &Part) -> Result<Vec<u8>, Status> {
    let number: u64 = part.args[0].parse().unwrap();
    Ok((number * number).to_string().into_bytes())
}

/// Repeats its argument until it is too long for a row; fails on an empty one.
fn echo(part: &Part) -> Result<Vec<u8>, Status> {
    match part.args.first().map(String::as_str) {
        None | Some("") => Err(Status::Exit(3)),
        Some(word) => Ok(word.repeat(1_000).into_bytes()),
    }
}

/// Counts words: splits a text by lines, adds counts.
fn words(part: &Part) -> Result<Vec<u8>, Status> {
    let text = String::from_utf8_lossy(&part.stdin).into_owned();
    let counted = |items: Vec<&str>| items.iter().map(|item| format!("{}\n{item}", item.len())).collect::<String>();
    Ok(match part.args[0].as_str() {
        "split" => counted(text.split_inclusive('\n').collect()),
        "run" => text.split_whitespace().count().to_string(),
        "merge" => items(&text).iter().map(|count| count.parse::<u64>().unwrap()).sum::<u64>().to_string(),
        other => panic!("asked to {other}"),
    }
    .into_bytes())
}

fn items(mut text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    while let Some((len, rest)) = text.split_once('\n') {
        let (item, after) = rest.split_at(len.parse().unwrap());
        all.push(item);
        text = after;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_lenders_answer_as_one_would() {
    let (net, dirs) = (Net::default(), [(); 3].map(|()| tempfile::tempdir().unwrap()));
    let hub = net.start(dirs[0].path(), hub(), square);
    let lenders = [1, 2].map(|nth| net.start(dirs[nth].path(), lender(), square));
    lenders.iter().for_each(|lender| net.link(&hub, lender));
    let numbers = job(&hub.door, 7, Source::Numbers { from: 10, count: 3_000 });
    assert!(circle::accepted(&hub.door.submit(numbers, Vec::new()).await.unwrap()));
    let (standing, found) = outputs(&hub.door, JobId(7)).await;
    assert_eq!(standing, Standing::Done);
    let right: Vec<(u64, Vec<u8>)> =
        (0..3_000).map(|item: u64| (item, ((item + 10) * (item + 10)).to_string().into_bytes())).collect();
    assert_eq!(found, right);
    let books = hub.door.look(|node| (node.state().ledger().sum(), node.state().misfits())).await.unwrap();
    assert_eq!(books, (0, 0));
    let earned = hub.door.look(|node| node.view_peers().iter().filter(|peer| peer.balance > 0).count()).await.unwrap();
    assert!(earned > 0, "somebody was paid");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_inputs_and_outputs_travel_as_blobs_and_failures_are_told() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let hub = net.start(dirs[0].path(), hub(), echo);
    let lender = net.start(dirs[1].path(), lender(), echo);
    net.link(&hub, &lender);
    let long = "x".repeat(10_000);
    let inputs = vec![inline("abcdef"), inline("ab"), inline(""), inline(&long)];
    let job = job(&hub.door, 1, Source::Listed { count: 4 });
    hub.door.submit(job, inputs).await.unwrap();
    let (standing, found) = outputs(&hub.door, JobId(1)).await;
    assert_eq!(standing, Standing::Failed);
    assert_eq!(found[0].1, "abcdef".repeat(1_000).into_bytes());
    assert_eq!(found[1].1, "ab".repeat(1_000).into_bytes());
    assert_eq!(found[2].1, b"");
    assert_eq!(found[3].1.len(), 10_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_splits_and_merges_leaves_one_answer() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let hub = net.start(dirs[0].path(), hub(), words);
    let lender = net.start(dirs[1].path(), lender(), words);
    net.link(&hub, &lender);
    let mut job = job(&hub.door, 1, Source::Listed { count: 3 });
    let abilities = Abilities { split: true, merge: true, ..Abilities::default() };
    job.tool = Arc::new(Tool { abilities, ..(*job.tool).clone() });
    job.merge = true;
    let text = |lines: usize| inline(&"one two three\n".repeat(lines));
    hub.door.submit(job, vec![text(5), text(100), text(1)]).await.unwrap();
    let (standing, found) = outputs(&hub.door, JobId(1)).await;
    assert_eq!((standing, found), (Standing::Done, vec![(0, b"318".to_vec())]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_a_blob_go_out_in_chunks_on_standard_input() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let count: circle::Act = |part| Ok(format!("{:?}", String::from_utf8_lossy(&part.stdin)).into_bytes());
    let hub = net.start(dirs[0].path(), hub(), count);
    let lender = net.start(dirs[1].path(), lender(), count);
    net.link(&hub, &lender);
    let blob = hub.door.blobs().put_bytes(b"a\nb\nc\nd\ne").unwrap();
    let mut job = job(&hub.door, 1, Source::Lines { blob: grove_core::id::Digest(blob.0), count: 5 });
    job.chunk = Chunk::Items(2);
    job.tool = Arc::new(Tool { stdin: true, ..(*job.tool).clone() });
    hub.door.submit(job, Vec::new()).await.unwrap();
    let (_, found) = outputs(&hub.door, JobId(1)).await;
    let found: Vec<(u64, String)> = found.into_iter().map(|(n, out)| (n, String::from_utf8(out).unwrap())).collect();
    assert_eq!(found, [(0, r#""a\nb\n""#.into()), (2, r#""c\nd\n""#.into()), (4, r#""e\n""#.into())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_go_into_an_open_job_and_asking_twice_adds_once() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let hub = net.start(dirs[0].path(), hub(), square);
    let lender = net.start(dirs[1].path(), lender(), square);
    net.link(&hub, &lender);
    let mut open = job(&hub.door, 1, Source::Listed { count: 0 });
    open.open = true;
    hub.door.submit(open, Vec::new()).await.unwrap();
    for item in 0..50 {
        let input = vec![inline(&item.to_string())];
        let reply = hub.door.extend(JobId(1), Some(item), input).await.unwrap();
        assert_eq!(reply, Reply::Extended { from: item, count: 1 });
        // A repeated ask, with something else in it, changes nothing.
        hub.door.extend(JobId(1), Some(item), vec![inline("999")]).await.unwrap();
        hub.door.finished(JobId(1), Span { first: item, len: 1 }).await.unwrap();
    }
    assert_eq!(hub.door.ask(Wish::Close { job: JobId(1) }).await.unwrap(), Reply::Done);
    let (standing, found) = outputs(&hub.door, JobId(1)).await;
    let right: Vec<(u64, Vec<u8>)> = (0..50_u64).map(|n| (n, (n * n).to_string().into_bytes())).collect();
    assert_eq!((standing, found), (Standing::Done, right));
}

/// Every second number has a long answer.
fn long_or_short(part: &Part) -> Result<Vec<u8>, Status> {
    let number: usize = part.args[0].parse().unwrap();
    Ok(vec![b'x'; if number % 2 == 1 { 5_000 } else { 1 }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_whose_blob_does_not_travel_takes_no_other_answer_with_it() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let hub = net.start(dirs[0].path(), hub(), long_or_short);
    let lender = net.start(dirs[1].path(), lender(), long_or_short);
    net.link(&hub, &lender);
    // By then a gift holds many parts.
    net.answers_until_one_is_lost.store(40, Ordering::Relaxed);
    let numbers = job(&hub.door, 8, Source::Numbers { from: 0, count: 160 });
    assert!(circle::accepted(&hub.door.submit(numbers, Vec::new()).await.unwrap()));
    let (standing, found) = outputs(&hub.door, JobId(8)).await;
    assert!(net.answers_until_one_is_lost.load(Ordering::Relaxed) <= 0, "one was lost");
    assert_eq!((standing, found.len()), (Standing::Done, 160));
    let right = |(number, bytes): &(u64, Vec<u8>)| bytes.len() == if number % 2 == 1 { 5_000 } else { 1 };
    assert!(found.iter().all(right));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_called_back_while_its_tool_is_written_does_not_keep_the_next_from_it() {
    let (net, dirs) = (Net::default(), [(); 2].map(|()| tempfile::tempdir().unwrap()));
    *net.disk.lock().unwrap() = Duration::from_millis(300);
    let hub = net.start(dirs[0].path(), hub(), square);
    let lender = net.start(dirs[1].path(), lender(), square);
    net.link(&hub, &lender);
    let first = job(&hub.door, 7, Source::Numbers { from: 10, count: 1 });
    hub.door.ask(Wish::Submit { job: Box::new(first) }).await.unwrap();
    let begun = std::time::Instant::now();
    while net.fetches.0.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed().as_secs() < 20, "nobody fetches the tool");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    hub.door.ask(Wish::Cancel { job: JobId(7) }).await.unwrap();
    let second = job(&hub.door, 8, Source::Numbers { from: 10, count: 1 });
    hub.door.ask(Wish::Submit { job: Box::new(second) }).await.unwrap();
    let (standing, all) = outputs(&hub.door, JobId(8)).await;
    assert_eq!((standing, all), (Standing::Done, vec![(0, b"100".to_vec())]));
    let fetches = (net.fetches.0.load(Ordering::Relaxed), net.fetches.1.load(Ordering::Relaxed));
    assert_eq!(fetches, (1, 0), "what the first job had begun to fetch is there for the second");
}
